"""Whether the port predicts what PyTorch predicts; if not, at which of PyTorch's calls it parts."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

import jax
import numpy as np
import torch
from torch import nn
from torch.utils import _pytree as pytree

from funcnn.interop.torch.comparing.comparison import Parting
from funcnn.interop.torch.comparing.jaxprs import CLOSE, Value, Values, lowered
from funcnn.interop.torch.comparing.mistakes import (
    Mistake,
    activations,
    layers,
    normalization,
    replays,
    sequences,
)
from funcnn.interop.torch.comparing.port import Port
from funcnn.interop.torch.comparing.recording import Call, Record
from funcnn.interop.torch.comparing.stages.found import Found, apart, differs, same

__all__ = ["buffers", "forward"]

KNOWN = {**layers.KNOWN, **normalization.KNOWN, **activations.KNOWN, **sequences.KNOWN}
"""Of a function of PyTorch, by its name, the mistakes of its port."""

ROUNDED = 3e-2
"""How far values may be apart, of the largest, that are the same but for a narrow float: bfloat16
keeps three digits, and sums lose one."""


def forward(port: Port, record: Record) -> tuple[Found, Found]:
    """Compare the activations and the output.

    A port may come to the right output by other steps than PyTorch: its activations are looked at
    where the output differs, and count where it does not.

    Returns:
        What was found of the activations, and of the output.
    """
    values = port.computed
    right = record.output.detach().numpy()
    output = np.asarray(values.result[0], np.float64)
    held = [_found(values, call) for call in record.calls]
    compared = f"{sum(held)} of {len(held)} values of PyTorch found in the port"
    difference = np.inf
    if output.size == right.size and _squeezed(output.shape) == _squeezed(right.shape):
        difference = apart(output.reshape(right.shape), right)
    shapes = f"shape {output.shape}"
    if difference <= CLOSE:
        return (
            same("activations", 0.0, compared),
            same("output", difference, shapes),
        )
    if (parting := _known(port, record, values, held)) is not None:
        pass
    elif values.find(right) is not None and output.size == right.size:
        axes = "transposed or reshaped"
        parting = Parting(
            f"the output has PyTorch's numbers in another order, of shape {output.shape} for "
            f"{right.shape}",
            "",
            f"an output that is {axes}",
            "bring it into PyTorch's layout",
        )
        return same("activations", 0.0, compared), differs("output", difference, shapes, parting)
    else:
        parting = _first_lost(port, record, values, held)
    if parting is None:
        parting = Parting(
            f"all values are PyTorch's, and the output, of shape {output.shape} for {right.shape}, "
            f"is none of them"
        )
        return same("activations", 0.0, compared), differs("output", difference, shapes, parting)
    size = None if np.isinf(difference) else difference
    found = differs("activations", size, compared, parting)
    return found, found


def buffers(port: Port, record: Record, net: nn.Module) -> Found | None:
    """Compare the running values that the port gives, where it gives any.

    Args:
        port: the port.
        record: the module's forward.
        net: the module after it.
    """
    given = port.computed.result[1]
    leaves = [
        (jax.tree_util.keystr(path, simple=True, separator="."), np.asarray(leaf, np.float64))
        for path, leaf in jax.tree_util.tree_leaves_with_path(given)
        if np.issubdtype(np.asarray(leaf).dtype, np.floating)
    ]
    if not leaves:
        return None
    right = [one.numpy() for one in net.buffers() if one.is_floating_point()]
    right += [one.detach().numpy() for one in net.parameters()]
    for path, leaf in leaves:
        if any(_same_numbers(leaf, one) for one in right):
            continue
        where = f"the port's {path!r} after the step"
        cause = _running(record, leaf)
        parting = Parting(where) if cause is None else cause._replace(where=where + cause.where)
        nearest = min(
            (
                apart(np.sort(leaf.ravel()), np.sort(one.ravel()))
                for one in right
                if one.size == leaf.size
            ),
            default=None,
        )
        return differs("buffers", nearest, f"{len(leaves)} running values", parting)
    return same("buffers", 0.0, f"{len(leaves)} running values")


def _running(record: Record, leaf: np.ndarray) -> Parting | None:
    """The mistake that gives these running values."""
    for call in record.calls:
        if call.name != "batch_norm":
            continue
        signature = inspect.signature(normalization.batch_norm)
        given = signature.bind(*call.args, **call.kwargs).arguments
        if not given["training"] or given["running_mean"] is None:
            continue
        x = given["input"]
        axes = (0, *range(2, x.ndim))
        batch = x.mean(axes), x.var(axes), x.var(axes, correction=0)
        before = given["running_mean"], given["running_var"]
        for mistake in normalization.running(batch, before, given["momentum"]):
            if _same_numbers(leaf, mistake.replay().numpy()):
                return Parting(
                    f", in {_place(record, call)}", call.part, mistake.name, mistake.advice
                )
    return None


def _known(port: Port, record: Record, values: Values, held: list[bool]) -> Parting | None:
    """The first call at which a known mistake gives a value that the port goes on with.

    Where the port goes on with none of them in a way that PyTorch would, a value is enough.
    """
    accounted = _accounted(record, held)
    lost = [number for number in range(len(held)) if not accounted[number]]
    found: list[tuple[int, Mistake, Value]] = []
    for number in lost:
        call = record.calls[number]
        for mistake, other in replays((*_mistakes(record, call), *_left_out(call))):
            value = values.find(other.detach().numpy())
            if value is None or (_tells_nothing(other, call) and not mistake.on_the_way):
                continue
            if _goes_on(record, number, other, values):
                return _parting(record, number, mistake, value)
            if not mistake.on_the_way:
                found.append((number, mistake, value))
    if found:
        return _parting(record, *found[0])
    narrow = lowered(port.forward)
    if narrow is not None:
        for number in lost:
            if _rounded(values, record.calls[number]):
                name = f"computed in {narrow.dtype}"
                advice = (
                    "compute in the dtype of the params: without astype, and with "
                    "jax.enable_x64(True) for float64"
                )
                return _parting(record, number, Mistake(name, advice, tuple), None)._replace(
                    line=narrow.line
                )
    return None


def _parting(record: Record, number: int, mistake: Mistake, value: Value | None) -> Parting:
    call = record.calls[number]
    line = None if value is None else value.line
    return Parting(_place(record, call), call.part, mistake.name, mistake.advice, line)


def _left_out(call: Call) -> Iterator[Mistake]:
    """The mistake of leaving a call out: its input where its result is due."""
    for given in call.args:
        if isinstance(given, torch.Tensor) and given.shape == call.outputs[0].shape:
            yield Mistake(
                f"{call.name} left out",
                f"compute {call.name} there",
                lambda given=given: given,
                on_the_way=True,
            )


def _goes_on(record: Record, number: int, other: torch.Tensor, values: Values) -> bool:
    """Whether the port computes with a value what PyTorch computes with the right one."""
    right = record.calls[number].outputs[0]
    if other.shape != right.shape:
        if other.numel() != right.numel():
            return False
        return _is_output(record, number) and _same_numbers(
            values.result[0], other.detach().numpy()
        )
    if _is_output(record, number):
        return _same_numbers(np.asarray(values.result[0], np.float64), other.detach().numpy())

    def swapped(one: Any) -> Any:
        return other if isinstance(one, torch.Tensor) and torch.equal(one, right) else one

    for next_ in record.consumers()[number]:
        later = record.calls[next_]
        args, kwargs = pytree.tree_map(swapped, (later.args, dict(later.kwargs)))
        call = Mistake("", "", lambda later=later, a=args, k=kwargs: later.function(*a, **k))
        for _, result in replays([call]):
            if not isinstance(result, torch.Tensor):
                continue
            array = result.detach().numpy()
            if _same_numbers(array, other.detach().numpy()):  # A view tells nothing new.
                if _goes_on(record, next_, result, values):
                    return True
            elif (
                np.ptp(array) > 0
                and not _same_numbers(array, later.outputs[0].numpy())
                and values.find(array) is not None
            ):
                return True
    return False


def _is_output(record: Record, number: int) -> bool:
    return record.calls[number].outputs[0].shape == record.output.shape and torch.equal(
        record.calls[number].outputs[0], record.output.detach()
    )


def _tells_nothing(other: torch.Tensor, call: Call) -> bool:
    """Whether a value is nothing new: what goes into the call, in another order, or one number."""
    array = other.detach().numpy()
    given = [one.detach().numpy() for one in call.args if isinstance(one, torch.Tensor)]
    return np.ptp(array) == 0 or any(_same_numbers(array, one) for one in given)


def _rounded(values: Values, call: Call) -> Value | None:
    """A value of the port that is this call's but for a narrow float."""
    for output in call.outputs:
        if (found := values.find(output.numpy(), ROUNDED)) is not None:
            return found
    return None


def _first_lost(port: Port, record: Record, values: Values, held: list[bool]) -> Parting | None:
    """The first call whose value the port does not have, though it has what goes in."""
    del port, values
    accounted = _accounted(record, held)
    for number, call in enumerate(record.calls):
        if not accounted[number] and all(accounted[source] for source in call.sources):
            before = [record.calls[source] for source in call.sources]
            said = f"{_place(record, call)}: what goes into it is in the port, its result is not"
            if before and all(one.name in ("flatten", "reshape", "view") for one in before[:1]):
                said += " (is what was reshaped in another order?)"
            return Parting(said, call.part)
    return None


def _accounted(record: Record, held: list[bool]) -> list[bool]:
    """Which calls' values the port has, or has something that could not be without them."""
    accounted = list(held)
    consumers = record.consumers()
    for number in reversed(range(len(held))):
        accounted[number] |= any(accounted[after] for after in consumers[number])
    return accounted


def _found(values: Values, call: Call) -> bool:
    """Whether the port has a call's value; what is one number again and again tells nothing."""
    for output in call.outputs:
        array = output.numpy()
        if array.size and np.ptp(array) == 0:
            return True
        if values.find(array) is not None:
            return True
    return False


def _mistakes(record: Record, call: Call) -> Iterator[Mistake]:
    known = KNOWN.get(call.name)
    if known is None:
        return
    more = {"before": record.unfolded(call)} if call.name == "linear" else {}
    try:
        yield from known(*call.args, **call.kwargs, **more)
    except (TypeError, RuntimeError, ValueError, IndexError):
        # Called in a way that the table does not know.
        return


def _place(record: Record, call: Call) -> str:
    kind = record.kinds.get(call.part, "")
    part = f"the submodule {call.part!r} ({kind})" if call.part else f"the forward of {kind}"
    return f"{part}, at {call.name}"


def _same_numbers(one: np.ndarray, other: np.ndarray) -> bool:
    return one.size == other.size and (
        apart(np.sort(one.ravel()), np.sort(other.astype(np.float64).ravel())) <= CLOSE
    )


def _squeezed(shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(size for size in shape if size != 1)
