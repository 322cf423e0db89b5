"""Whether the port's gradient is PyTorch's, parameter by parameter."""

from __future__ import annotations

from collections.abc import Sequence

import jax
import numpy as np

from funcnn.interop.torch.comparing.comparison import Parting
from funcnn.interop.torch.comparing.jaxprs import Line, replayed, taken
from funcnn.interop.torch.comparing.matching import NOWHERE
from funcnn.interop.torch.comparing.mistakes import gradients as known
from funcnn.interop.torch.comparing.port import Port
from funcnn.interop.torch.comparing.recording import Record, Swapped
from funcnn.interop.torch.comparing.stages.found import Found, apart, differs, same
from funcnn.interop.torch.comparing.truth import Truth

__all__ = ["gradients"]

CLOSE = 1e-8
"""How far a gradient may be away, as a share of the parameter's largest: the backward has more
roundings than the forward."""

FLOOR = 1e-12
"""What is so much smaller than the largest gradient of all may be rounding."""

SPECIAL = ("stop_gradient", "max", "min", "clamp", "abs", "reduce_max", "reduce_min")
AT_ZERO = ("sqrt", "rsqrt", "log", "div", "pow")


def gradients(port: Port, truth: Truth, record: Record, right: np.ndarray) -> Found:
    """Compare the gradients.

    Args:
        port: the port.
        truth: PyTorch's side.
        record: the module's forward.
        right: PyTorch's gradient by all of its numbers.
    """
    compared = f"{sum(port.trained)} arrays"
    wrong, difference = _wrong(port, truth, port.gradient, right)
    if not wrong:
        return same("gradients", difference, compared)
    names = list(
        dict.fromkeys(
            name for number in wrong for name in truth.tensors.holders(port.places[number])
        )
    )
    ordered = [name for name in truth.tensors.names if name in names]
    whole = len(wrong) == sum(port.trained)
    where = "all parameters" if whole else ", ".join(repr(name) for name in ordered[:4])
    where += f" and {len(ordered) - 4} more" if len(ordered) > 4 and not whole else ""
    part = ordered[-1] if ordered else ""
    parting = (
        _stopped_or_tied(port, truth, right)
        or _not_detached(port, truth, record)
        or _signature(port, truth, right, wrong)
    )
    if parting is None:
        return differs("gradients", _finite(difference), compared, Parting(where, part))
    return differs(
        "gradients",
        _finite(difference),
        compared,
        parting._replace(where=where, part=parting.part or part),
    )


def _wrong(
    port: Port, truth: Truth, found: Sequence[np.ndarray], right: np.ndarray
) -> tuple[list[int], float]:
    """Which leaves have another gradient, and the largest difference as a share."""
    finite = np.abs(right[np.isfinite(right)])
    largest = float(np.max(finite, initial=0))
    wrong, furthest = [], 0.0
    for number, (places, own) in enumerate(zip(port.places, found, strict=True)):
        compared = (places != NOWHERE) & truth.trained[places]
        if not compared.any():
            continue
        expected = right[places[compared]]
        size = max(
            float(np.max(np.abs(expected[np.isfinite(expected)]), initial=0)),
            largest * FLOOR / CLOSE,
        )
        share = apart(own[compared], expected, size or 1.0)
        furthest = max(furthest, share)
        if share > CLOSE:
            wrong.append(number)
    return wrong, furthest


def _stopped_or_tied(port: Port, truth: Truth, right: np.ndarray) -> Parting | None:
    """The operation that has PyTorch's gradient with another rule."""
    for operation, inputs in taken(port.whole, (*SPECIAL, *AT_ZERO)):
        if not _is_special(operation.name, inputs):
            continue
        for other in known.others(operation.equation):
            function = replayed(port.whole, {id(operation.equation): other.function})
            found = [np.asarray(one) for one in jax.grad(function)(port.values)]
            if not _wrong(port, truth, found, right)[0]:
                return Parting("", "", other.name, other.advice, operation.line)
    return _all_at_once(port, truth, right)


def _all_at_once(port: Port, truth: Truth, right: np.ndarray) -> Parting | None:
    """Several operations of one kind that have PyTorch's gradient together."""
    found = [
        one for one in taken(port.whole, (*SPECIAL, *AT_ZERO)) if _is_special(one[0].name, one[1])
    ]
    for kind in dict.fromkeys(operation.name for operation, _ in found):
        of_kind = [operation for operation, _ in found if operation.name == kind]
        if len(of_kind) < 2:
            continue
        for choices in zip(*(list(known.others(one.equation)) for one in of_kind), strict=True):
            others = {
                id(one.equation): choice.function
                for one, choice in zip(of_kind, choices, strict=True)
            }
            function = replayed(port.whole, others)
            gradient = [np.asarray(one) for one in jax.grad(function)(port.values)]
            if not _wrong(port, truth, gradient, right)[0]:
                return Parting("", "", choices[0].name, choices[0].advice, of_kind[0].line)
    return None


def _is_special(name: str, inputs: list[np.ndarray]) -> bool:
    """Whether the operation has a gradient that is not given by its value alone, where it is."""
    if name in ("max", "min"):
        return bool(np.any(inputs[0] == inputs[1]))
    if name == "div":
        return bool(np.any(inputs[1] == 0))
    if name in (*AT_ZERO, "abs"):
        return bool(np.any(inputs[0] == 0))
    if name == "clamp":
        return bool(np.any((inputs[1] == inputs[0]) | (inputs[1] == inputs[2])))
    return True


def _not_detached(port: Port, truth: Truth, record: Record) -> Parting | None:
    """Whether the gradient is PyTorch's without its ``detach`` and ``no_grad``."""
    detached = [call for call in record.calls if call.name in ("detach", "detach_")]
    net, _ = truth.fresh()
    net.zero_grad()
    with Swapped({"detach": lambda tensor: tensor * 1}, gradients=True):
        output = net(*truth.inputs)
    truth.loss(output, truth.target).backward()
    numbers = [
        np.zeros(one.numel()) if one.grad is None else one.grad.numpy().ravel()
        for one in dict(net.named_parameters()).values()
    ]
    without = np.concatenate(
        [*numbers, np.zeros(truth.tensors.numbers.size - sum(map(len, numbers)))]
    )
    if _wrong(port, truth, port.gradient, without)[0]:
        return None
    line: Line | None = None
    if detached and (value := port.computed.find(detached[0].outputs[0].numpy())):
        line = value.line
    return Parting(
        "",
        detached[0].part if detached else "",
        "a stop_gradient left out, where PyTorch has detach or no_grad",
        "wrap the value in jax.lax.stop_gradient",
        line,
    )


def _signature(port: Port, truth: Truth, right: np.ndarray, wrong: list[int]) -> Parting | None:
    """What the gradients themselves tell."""
    for number in wrong:
        places, own = port.places[number], port.gradient[number]
        compared = (places != NOWHERE) & truth.trained[places]
        expected = np.where(compared, right[np.where(compared, places, 0)], 0.0)
        name = (truth.tensors.holders(places) or [""])[0]
        if not np.isfinite(own).all() and np.isfinite(expected).all():
            return Parting(
                "",
                name,
                "a gradient that is not finite, where PyTorch's is",
                "look for a root, norm, logarithm or division at 0: jnp.where around it does not "
                "stop its gradient",
            )
        if own.ndim > 1 and expected.any():
            rows = [row for row in range(len(own)) if not expected[row].any() and own[row].any()]
            others = [row for row in range(len(own)) if row not in rows]
            if rows and apart(own[others], expected[others]) <= CLOSE and len(rows) < len(own):
                return Parting(
                    "",
                    name,
                    f"rows {rows} trained, whose gradient PyTorch sets to 0 (padding_idx)",
                    "multiply the table by a mask, or stop the gradient of these rows",
                )
    ratios = {
        _ratio(port.gradient[number], right[port.places[number]])
        for number in wrong
        if (port.places[number] != NOWHERE).all()
    }
    if len(ratios) == 1 and (ratio := ratios.pop()) is not None:
        return Parting(
            "", "", f"gradients {ratio:.6g} times PyTorch's, with the same loss", "look for a scale"
        )
    return None


def _ratio(found: np.ndarray, right: np.ndarray) -> float | None:
    """The one number that takes the second array to the first; None where there is none."""
    size = float(np.sum(right * right))
    if not size or not np.isfinite(found).all():
        return None
    ratio = float(np.sum(found * right)) / size
    return round(ratio, 8) if ratio and apart(found, ratio * right) <= 1e-6 else None


def _finite(difference: float) -> float | None:
    return difference if np.isfinite(difference) else None
