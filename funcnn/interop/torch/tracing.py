"""A function of tensors, traced into a program."""

from __future__ import annotations

import contextlib
import functools
import logging
import threading
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import fx, nn
from torch._decomp import core_aten_decompositions, decomposition_table
from torch._subclasses.fake_tensor import FakeTensor
from torch.fx.experimental.proxy_tensor import make_fx
from torch.nn.attention import SDPBackend, sdpa_kernel

from funcnn.core import ArgumentError
from funcnn.interop.torch.checking import without_looking
from funcnn.interop.torch.draws import Numbered, draws, meaning_of, numbering
from funcnn.interop.torch.guards import Frozen, untouched
from funcnn.interop.torch.lines import Lines, is_own, line_of
from funcnn.interop.torch.operations import OPERATIONS
from funcnn.interop.torch.program import Instruction, Kind, Program, Value
from funcnn.interop.torch.recurrence import Recurrent
from funcnn.interop.torch.substitutes import Substituted

__all__ = ["ONE_AT_A_TIME", "PLACEMENT", "Trace", "decompositions", "traced"]

Function = Callable[[list[torch.Tensor]], list[torch.Tensor]]

# What says where a tensor lies, which is no part of a program.
PLACEMENT = {"device", "layout", "pin_memory", "memory_format", "generator", "non_blocking"}

NO_VIEWS = {"_to_copy", "index_copy"}
"""Operations that end in ``_copy`` and are no copies of views."""

ONE_AT_A_TIME = threading.RLock()
"""PyTorch keeps one trace for the whole process; the groups of a sweep begin in several threads."""


class Trace(NamedTuple):
    """A function of tensors, traced.

    Attributes:
        program: what it does.
        require_same: traces it again, and refuses it where something else comes out: that, a
            program would freeze. It raises ``ArgumentError``.
    """

    program: Program
    require_same: Callable[[], None]


def traced(
    net: nn.Module, function: Function, kinds: Sequence[Kind], first: bool, name: str = "module"
) -> Trace:
    """What a function of tensors, that calls a module, does for inputs of these kinds.

    Args:
        net: the module that the function calls.
        function: from a list of tensors to a list of tensors.
        kinds: the shapes and dtypes of the inputs.
        first: whether the same lines were not traced before: then a long loop is told of.
        name: what errors call it.

    Raises:
        ArgumentError: where a program cannot do what the function does, with the line or the
            name.
    """
    examples = [torch.empty(kind.shape, dtype=getattr(torch, kind.dtype)) for kind in kinds]
    numbers: list[int] = []

    def numbered(inputs: list[torch.Tensor]) -> list[torch.Tensor]:
        own = Numbered()
        with numbering(own):
            results = function(inputs)
        numbers[:] = own.made
        return results

    with _refusing(net, name), ONE_AT_A_TIME, _fit_for_tracing(), _standing_in(), Lines() as lines:
        graph = _graph(net, numbered, examples)
    if first:
        lines.warn_of_a_loop(len(graph.graph.nodes))

    def require_same() -> None:
        with _refusing(net, name), ONE_AT_A_TIME, _fit_for_tracing(), _standing_in():
            if not _same(graph, _graph(net, numbered, examples)):
                raise Frozen("it computes something else each time it is called")

    with _refusing(net, name), ONE_AT_A_TIME, _fit_for_tracing():
        functional = torch.func.functionalize(graph, remove="mutations")
        plain = _graph(net, functional, examples)
    with _refusing(net, name):
        return Trace(_program(plain, len(examples), numbers), require_same)


@contextlib.contextmanager
def _refusing(net: nn.Module, name: str) -> Iterator[None]:
    """Say in plain words why what goes by that name cannot be traced, and where.

    Raises:
        ArgumentError: in place of any error inside; those pass as they are.
    """
    try:
        yield
    except Frozen as refusal:
        raise ArgumentError(
            f"the {name} cannot be traced: {refusal}{_where(refusal, net)}"
        ) from None
    except ArgumentError:
        raise
    except Exception as error:
        said = str(error).strip().splitlines()[0] if str(error).strip() else ""
        if "data-dependent" in str(error).lower() or "DataDependent" in type(error).__name__:
            said = "it decides by a tensor's values, or makes a shape of them"
        if "not tracked with proxy" in said:
            said = (
                "it uses numbers or tensors that are none of its module, its optimizer or its "
                "data, as those of a second optimizer: one may have a group for each part"
            )
        raise ArgumentError(
            f"the {name} cannot be traced: {said or type(error).__name__}{_where(error, net)}"
        ) from error


def _graph(net: nn.Module, function: Any, examples: list[torch.Tensor]) -> fx.GraphModule:
    with untouched(net), _unlogged():
        return make_fx(
            function,
            decomposition_table=decompositions(),
            tracing_mode="fake",
            _allow_non_fake_inputs=True,
        )(examples)


@contextlib.contextmanager
def _unlogged() -> Iterator[None]:
    """What fails in a trace is told by the error alone: PyTorch would log its traceback, too."""
    log = logging.getLogger("torch._subclasses.fake_tensor")

    def nothing(_: logging.LogRecord) -> bool:
        return False

    log.addFilter(nothing)
    try:
        yield
    finally:
        log.removeFilter(nothing)


@functools.cache
def decompositions() -> dict[Any, Any]:
    """PyTorch's own formulas for all operations that are not among ours."""
    return {
        operation: formula
        for operation, formula in {**decomposition_table, **core_aten_decompositions()}.items()
        if not {_name(operation), meaning_of(operation)}.intersection(OPERATIONS)
    }


@contextlib.contextmanager
def _fit_for_tracing() -> Iterator[None]:
    """PyTorch's settings as a trace needs them, and afterwards as they were.

    Each of them chooses between kernels that do the same; those of one processor alone, and
    those that check tensors' values, cannot be traced.
    """
    distribution = torch.distributions.Distribution
    validating = distribution._validate_args
    fast = torch.backends.mha.get_fastpath_enabled()
    with (
        _warnings_as_errors(),
        torch.inference_mode(False),
        torch.enable_grad(),
        torch.backends.mkldnn.flags(enabled=False),
        sdpa_kernel(SDPBackend.MATH),
    ):
        distribution.set_default_validate_args(False)
        torch.backends.mha.set_fastpath_enabled(False)
        try:
            yield
        finally:
            distribution.set_default_validate_args(validating)
            torch.backends.mha.set_fastpath_enabled(fast)


@contextlib.contextmanager
def _standing_in() -> Iterator[None]:
    """What is called in place of some of PyTorch's functions; a graph calls them no more."""
    with Recurrent(), Substituted(), without_looking():
        yield


@contextlib.contextmanager
def _warnings_as_errors() -> Iterator[None]:
    """No warnings; but one that a prediction and a target are broadcast is an error."""
    with warnings.catch_warnings(action="ignore"):
        warnings.filterwarnings("error", "Using a target size")
        yield


def _same(first: fx.GraphModule, second: fx.GraphModule) -> bool:
    """Whether two graphs do the same."""
    if str(first.graph) != str(second.graph):
        return False
    constants = [node.target for node in first.graph.nodes if node.op == "get_attr"]
    return all(
        np.array_equal(_constant(first, name), _constant(second, name)) for name in constants
    )


def _constant(graph: fx.GraphModule, name: str) -> np.ndarray:
    tensor = getattr(graph, name)
    if isinstance(tensor, FakeTensor):
        raise Frozen(f"it keeps {name!r}, a tensor of an earlier trace")
    return tensor.detach().cpu().resolve_conj().resolve_neg().numpy().copy()


def _program(graph: fx.GraphModule, inputs: int, draw_numbers: Sequence[int]) -> Program:
    """The graph as a program, without what no output needs.

    Args:
        graph: the graph.
        inputs: how many it takes.
        draw_numbers: the numbers of its draws of random numbers, in their order.

    Raises:
        Frozen: for an operation that is not known, or a shape that is not.
    """
    nodes = list(graph.graph.nodes)
    output = nodes[-1]
    needed = {output}
    for node in reversed(nodes):
        if node in needed:
            needed.update(node.all_input_nodes)
    drawing = [
        node for node in nodes if node.op == "call_function" and draws(node.target, node.args)
    ]
    numbers: dict[fx.Node, Value] = {}

    def place(node: fx.Node, number: int) -> None:
        numbers[node] = Value(
            number, not isinstance(node.meta.get("val"), (torch.Tensor, tuple, list))
        )

    placeholders = [node for node in nodes if node.op == "placeholder"]
    kept = [node for node in nodes if node.op == "get_attr" and node in needed]
    calls = [node for node in nodes if node.op == "call_function" and node in needed]
    assert len(placeholders) == inputs
    number_of = dict(zip(drawing, draw_numbers, strict=False))
    instructions = []
    for number, node in enumerate((*placeholders, *kept, *calls)):
        place(node, number)
    for node in calls:
        operation = _name(node.target)
        if operation not in OPERATIONS:
            raise Frozen(f"{node.target} is not known here")
        options = {name: one for name, one in node.kwargs.items() if name not in PLACEMENT}
        instructions.append(
            Instruction(
                operation,
                _plain(node.args, numbers),
                _plain(options, numbers),
                _kind(node.meta.get("val")),
                number_of.get(node),
            )
        )
    if len(drawing) != len(draw_numbers):
        raise ArgumentError(
            "the module cannot be traced: PyTorch makes several draws of random numbers of one"
        )
    constants = tuple(_constant(graph, node.target) for node in kept)
    return Program(inputs, constants, tuple(instructions), _plain(tuple(output.args[0]), numbers))


def _name(operation: Any) -> str:
    """The name of an operation, whatever its overload; a copy of a view is the view."""
    packet = getattr(operation, "overloadpacket", operation)
    name = packet.__name__
    return name if name in NO_VIEWS else name.removesuffix("_copy")


def _plain(argument: Any, numbers: dict[fx.Node, Value]) -> Any:
    """An argument without anything of PyTorch."""
    if isinstance(argument, fx.Node):
        return numbers[argument]
    if isinstance(argument, dict):
        return {name: _plain(one, numbers) for name, one in argument.items()}
    if isinstance(argument, (list, tuple)):
        plain = [_plain(one, numbers) for one in argument]
        return tuple(plain) if isinstance(argument, tuple) else plain
    if isinstance(argument, torch.dtype):
        return str(argument)
    return argument


def _kind(value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        if not all(type(size) is int for size in value.shape):
            raise Frozen(
                "its gradient makes a shape of a tensor's values, as of what is written through a "
                "mask"
            )
        return Kind.of(value)
    if isinstance(value, (tuple, list)):
        return tuple(_kind(one) for one in value)
    return None


def _where(error: BaseException, net: nn.Module) -> str:
    """Where in a user's code an error arose, and in which part of the module."""
    parts = {id(part): name for name, part in net.named_modules() if name}
    line, part = "", ""
    for frame, number in traceback.walk_tb(error.__traceback__):
        file = frame.f_code.co_filename
        if is_own(file):
            line = f" in {line_of(file, number)}"
        part = parts.get(id(frame.f_locals.get("self")), part)
    return line + (f", in the part {part!r}" if part else "")
