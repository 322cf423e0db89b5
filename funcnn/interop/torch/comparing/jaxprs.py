"""A function as JAX sees it: every value that it computes, the line behind each, and its replays.

JAX writes a function out as a list of operations, a jaxpr. So a port needs no change to be looked
into: its jaxpr is computed operation by operation, and each value is kept.
"""

from __future__ import annotations

import linecache
import math
import sysconfig
import textwrap
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import ClosedJaxpr, Jaxpr, JaxprEqn, Literal

__all__ = [
    "CLOSE",
    "Line",
    "Opened",
    "Operation",
    "Value",
    "Values",
    "first_uses",
    "lowered",
    "opened",
    "operations",
    "replayed",
    "taken",
]

CLOSE = 1e-9
"""How far two values may be apart that are the same, as a share of the largest among them."""

INNER = ("jaxpr", "call_jaxpr", "fun_jaxpr")
"""Under which name an operation that calls a function holds it."""

LOOPS = ("scan", "while", "cond")
"""Operations whose inner function is not computed once; their results are values, too."""

Look = Callable[[str, list[Any], list[Any]], Iterable[Any]]
"""From an operation's name, inputs and outputs to those that are to be kept."""

LIBRARIES = (
    *(sysconfig.get_path(name) for name in ("stdlib", "purelib", "platlib")),
    str(Path(__file__).parents[3] / "core"),
    str(Path(__file__).parents[3] / "loop"),
    str(Path(__file__).parent),
    "<frozen",
)
"""Where lines are that are none of a port's own."""


LONGEST = 100
"""How many characters of a line are shown."""


class Line(NamedTuple):
    """A line of a port's source."""

    file: str
    number: int

    @property
    def text(self) -> str:
        """The line itself; nothing where its file cannot be read."""
        return textwrap.shorten(
            linecache.getline(self.file, self.number), LONGEST, placeholder=" …"
        )

    def __str__(self) -> str:
        place = f"{Path(self.file).name}:{self.number}"
        return f"`{self.text}` ({place})" if self.text else place


class Operation(NamedTuple):
    """An operation of a function.

    Attributes:
        equation: what JAX has written down.
        callers: the operations that call the functions in which it stands, the outermost first.
    """

    equation: JaxprEqn
    callers: tuple[JaxprEqn, ...] = ()

    @property
    def name(self) -> str:
        """Of the primitive."""
        return self.equation.primitive.name

    @property
    def size(self) -> int:
        """How many numbers its first result holds."""
        return math.prod(getattr(self.equation.outvars[0].aval, "shape", ()))

    @property
    def dtype(self) -> Any:
        """Of its first result."""
        return _dtype(self.equation.outvars[0])

    @property
    def line(self) -> Line | None:
        """The innermost line of it that stands in no library.

        JAX writes a compiled function out once: where it is a library's, its operations' lines
        are those of its first caller, and that of this one counts.
        """
        for depth in range(len(self.callers), -1, -1):
            equation = (*self.callers, self.equation)[depth]
            name = self.callers[depth - 1].params.get("name") if depth else None
            if (line := _line(equation, name)) is not None:
                return line
        return None


class Value(NamedTuple):
    """A value of a port, and the operation that made it; none for what it was given."""

    array: np.ndarray
    operation: Operation | None

    @property
    def line(self) -> Line | None:
        """The line that made it."""
        return None if self.operation is None else self.operation.line


class Opened(NamedTuple):
    """A function of arrays as JAX has written it out.

    Attributes:
        jaxpr: its operations.
        arguments: the arrays that it is computed for, in the order of its inputs.
        result: from the list of its outputs to what the function returns.
    """

    jaxpr: ClosedJaxpr
    arguments: list[Any]
    result: Callable[[Sequence[Any]], Any]


def opened(function: Callable[..., Any], *arguments: Any) -> Opened:
    """A function of trees of arrays, written out for these arguments."""
    jaxpr, shapes = jax.make_jaxpr(function, return_shape=True)(*arguments)
    tree = jax.tree.structure(shapes)
    return Opened(jaxpr, jax.tree.leaves(arguments), tree.unflatten)


class Values:
    """All values that a function computes, to be searched.

    Args:
        function: the function, written out.
    """

    def __init__(self, function: Opened) -> None:
        self.result, made = _looked_into(function, lambda _, __, outputs: outputs)
        given = [Value(one, None) for one in (*function.arguments, *function.jaxpr.consts)]
        self._by_size: dict[int, list[tuple[np.ndarray, Value]]] = {}
        for array, operation in (*given, *((one, of) for of, many in made for one in many)):
            if _is_float(array):
                value = Value(np.asarray(array), operation)
                flat = np.sort(value.array.astype(np.float64).ravel())
                self._by_size.setdefault(flat.size, []).append((flat, value))

    def find(self, array: np.ndarray, close: float = CLOSE) -> Value | None:
        """A value that holds the same numbers, in any order and shape."""
        wanted = np.sort(np.asarray(array, np.float64).ravel())
        allowed = close * np.max(np.abs(wanted), initial=0)
        for flat, value in self._by_size.get(wanted.size, ()):
            if np.max(np.abs(flat - wanted), initial=0) <= allowed:
                return value
        return None


def taken(function: Opened, names: Container[str]) -> list[tuple[Operation, list[np.ndarray]]]:
    """The operations of these names, and what each is given."""
    _, seen = _looked_into(function, lambda one, inputs, _: inputs if one in names else [])
    return [(one, [np.asarray(value) for value in inputs]) for one, inputs in seen if inputs]


def operations(function: Opened) -> Iterator[Operation]:
    """All operations of a function, those of the functions that it calls too."""
    return _operations(function.jaxpr.jaxpr)


def lowered(function: Opened) -> Operation | None:
    """The first operation that rounds float64 to a narrower float."""
    for operation in operations(function):
        if operation.name == "convert_element_type":
            (before,) = operation.equation.invars
            after = operation.dtype
            if _dtype(before) == np.float64 and after != np.float64 and _is_float_dtype(after):
                return operation
    return None


def first_uses(function: Opened) -> list[int]:
    """Of each input, the number of the first operation that takes it."""
    uses: dict[int, int] = {}
    count = 0

    def walk(jaxpr: Jaxpr, inputs: Sequence[int | None]) -> None:
        nonlocal count
        numbers = dict(zip(jaxpr.invars, inputs, strict=True))
        for operation in jaxpr.eqns:
            taken = [
                None if isinstance(one, Literal) else numbers.get(one) for one in operation.invars
            ]
            if (inner := _inner(operation)) is not None:
                walk(inner[0], taken)
                continue
            count += 1
            for number in taken:
                if number is not None:
                    uses.setdefault(number, count)

    inputs = function.jaxpr.jaxpr.invars
    walk(function.jaxpr.jaxpr, range(len(inputs)))
    return [uses.get(number, count + 1) for number in range(len(inputs))]


def replayed(function: Opened, other: Mapping[int, Callable[..., Any]]) -> Callable[..., Any]:
    """The function with some of its operations replaced.

    Args:
        function: the function, written out.
        other: what to compute in place of an operation, by the ``id`` of its equation.

    Returns:
        A function of the flat list of the function's arguments, that JAX can trace.
    """

    def call(arguments: Sequence[Any]) -> Any:
        jaxpr = function.jaxpr
        return function.result(_trace(jaxpr.jaxpr, jaxpr.consts, list(arguments), other))

    return call


def _line(equation: JaxprEqn, inside: str | None) -> Line | None:
    """The innermost line of an equation in no library, and in the function of this name."""
    traceback = equation.source_info.traceback
    frames = list(traceback.frames) if traceback is not None else []
    if inside is not None:
        names = [frame.function_name.rpartition(".")[2] for frame in frames]
        frames = frames[: names.index(inside) + 1] if inside in names else []
    for frame in frames:
        if not frame.file_name.startswith(LIBRARIES):
            return Line(frame.file_name, frame.line_num)
    return None


def _dtype(variable: Any) -> Any:
    return getattr(variable.aval, "dtype", None)


def _is_float_dtype(dtype: Any) -> bool:
    return dtype is not None and bool(jnp.issubdtype(dtype, jnp.floating))


def _is_float(array: Any) -> bool:
    return _is_float_dtype(jnp.asarray(array).dtype)


def _inner(operation: JaxprEqn) -> tuple[Jaxpr, Sequence[Any]] | None:
    """The function that an operation calls once, and its constants."""
    if operation.primitive.name in LOOPS:
        return None
    for name in INNER:
        if (inner := operation.params.get(name)) is not None:
            return (inner.jaxpr, inner.consts) if isinstance(inner, ClosedJaxpr) else (inner, ())
    return None


def _operations(jaxpr: Jaxpr, callers: tuple[JaxprEqn, ...] = ()) -> Iterator[Operation]:
    for equation in jaxpr.eqns:
        yield Operation(equation, callers)
        if (inner := _inner(equation)) is not None:
            yield from _operations(inner[0], (*callers, equation))


def _read(known: dict[Any, Any], variable: Any) -> Any:
    return variable.val if isinstance(variable, Literal) else known[variable]


def _looked_into(function: Opened, look: Look) -> tuple[Any, list[tuple[Operation, list[Any]]]]:
    """What a function returns, and what ``look`` takes from each of its operations."""
    jaxpr, makers = function.jaxpr, list[Operation]()

    @jax.jit
    def compute(constants: Sequence[Any], arguments: Sequence[Any]) -> tuple[Any, list[list[Any]]]:
        seen: list[tuple[Operation, list[Any]]] = []
        outputs = _compute(jaxpr.jaxpr, constants, arguments, look, seen)
        makers.extend(operation for operation, _ in seen)
        return function.result(outputs), [values for _, values in seen]

    result, values = compute(jaxpr.consts, function.arguments)
    return result, list(zip(makers, values, strict=True))


def _compute(
    jaxpr: Jaxpr,
    constants: Sequence[Any],
    arguments: Sequence[Any],
    look: Look,
    seen: list[tuple[Operation, list[Any]]],
    callers: tuple[JaxprEqn, ...] = (),
) -> list[Any]:
    """The outputs; what is looked at on the way is added to ``seen``."""
    known = dict(zip(jaxpr.constvars, constants, strict=True))
    known |= dict(zip(jaxpr.invars, arguments, strict=True))
    for operation in jaxpr.eqns:
        inputs = [_read(known, variable) for variable in operation.invars]
        if (inner := _inner(operation)) is not None:
            outputs = _compute(*inner, inputs, look, seen, (*callers, operation))
        else:
            outputs = _bind(operation, inputs)
            kept = list(look(operation.primitive.name, inputs, outputs))
            seen.append((Operation(operation, callers), kept))
        known |= dict(zip(operation.outvars, outputs, strict=True))
    return [_read(known, variable) for variable in jaxpr.outvars]


def _trace(
    jaxpr: Jaxpr,
    constants: Sequence[Any],
    arguments: Sequence[Any],
    other: Mapping[int, Callable[..., Any]],
) -> list[Any]:
    """The outputs, some operations replaced.

    A function with a derivative of its own is opened only where something inside is replaced:
    opened, it would have the derivative of its operations.
    """
    known = dict(zip(jaxpr.constvars, constants, strict=True))
    known |= dict(zip(jaxpr.invars, arguments, strict=True))
    for operation in jaxpr.eqns:
        inputs = [_read(known, variable) for variable in operation.invars]
        inner = _inner(operation)
        if id(operation) in other:
            outputs = [other[id(operation)](*inputs)]
        elif inner is not None and any(id(one.equation) in other for one in _operations(inner[0])):
            outputs = _trace(inner[0], inner[1], inputs, other)
        else:
            outputs = _bind(operation, inputs)
        known |= dict(zip(operation.outvars, outputs, strict=True))
    return [_read(known, variable) for variable in jaxpr.outvars]


def _bind(equation: JaxprEqn, inputs: Sequence[Any]) -> list[Any]:
    """What one operation gives."""
    primitive = equation.primitive
    outputs = primitive.bind(*inputs, **primitive.get_bind_params(equation.params))
    return list(outputs) if primitive.multiple_results else [outputs]
