"""The arguments of ``train`` for a module of PyTorch, or a step of it, in funcnn's own words."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np
import torch
from jaxtyping import Float
from torch import nn
from torch.optim import Optimizer

from funcnn import losses
from funcnn.core import ArgumentError, ArgumentTypeError, Params, Samples
from funcnn.core.precision import DTYPES, check_dtype
from funcnn.data.several import is_several, load_several
from funcnn.interop.torch.guards import Frozen
from funcnn.interop.torch.losses import Measured, loss_of_tensors
from funcnn.interop.torch.module import (
    as_numpy,
    model_of,
    parameters_of,
    require_module,
    still_model,
    tensors_of,
)
from funcnn.interop.torch.numbers import (
    Place,
    checked,
    everywhere,
    places_of,
    scheduled,
    table,
    values_at,
)
from funcnn.interop.torch.step import Step
from funcnn.interop.torch.stepping import traced_step
from funcnn.interop.torch.whole import TracedStep
from funcnn.loop.problem import clip_of
from funcnn.loop.whole import StepMaker

__all__ = ["adapted", "plain_step", "step_of"]

UNLIKE = {
    "LBFGS": "calls the loss several times in a step",
    "SparseAdam": "takes sparse gradients",
    "Muon": "computes in bfloat16, in which sums are rounded in an order of PyTorch's own",
}
"""Optimizers that cannot be traced, and why."""

CLIPPING = ("clip_grad_norm", "clip_grad_value")


def adapted(arguments: dict[str, Any]) -> dict[str, Any]:
    """What ``funcnn.runs.foreign.adapted`` documents, for PyTorch.

    With an optimizer of PyTorch, and for a step that is given whole, the run is the traced step.
    With one of funcnn or of optax it is a run of the model that ``from_torch`` gives.
    """
    given = dict(arguments)
    data = given.get("data")
    if isinstance(data, (tuple, list)) and len(data) == 2 and is_several(data[0]):
        given["data"] = load_several(data)
    model, scheduler = given["model"], given.pop("scheduler", None)
    if isinstance(model, Step):
        for name in ("optimizer", *CLIPPING):
            if given.get(name) is not None:
                raise ArgumentError(f"{name}: the step is given whole, with its optimizer")
        if scheduler is not None:
            raise ArgumentError("scheduler: give it to torch_step, with the optimizer")
        return _of_step(given, model, given.get("loss"))
    require_module(model)
    optimizer = given.get("optimizer")
    if isinstance(optimizer, type) and issubclass(optimizer, Optimizer):
        raise ArgumentTypeError(
            f"optimizer is the class {optimizer.__name__}: pass one over the module's parameters, "
            f"{optimizer.__name__}(net.parameters(), ...)"
        )
    if isinstance(optimizer, Optimizer):
        loss = "mean_squared_error" if given.get("loss") is None else given["loss"]
        clipping = {name: given.pop(name, None) for name in CLIPPING}
        step = plain_step(model, optimizer, loss, scheduler, **clipping)
        return _of_step(given, step, loss)
    if scheduler is not None:
        raise ArgumentError("scheduler is for an optimizer of torch.optim: pass optimizer=")
    return _of_module(given, model)


def step_of(net: Any, optimizer: Any, function: Any, scheduler: Any = None) -> Step:
    """The step that ``funcnn.interop.torch_step`` documents.

    Raises:
        ArgumentError, ArgumentTypeError: for what makes none.
    """
    require_module(net)
    if not isinstance(optimizer, Optimizer):
        raise ArgumentTypeError(
            f"optimizer must be one of torch.optim, over the module's parameters, not "
            f"{optimizer!r:.60}"
        )
    if type(optimizer).__name__ in UNLIKE:
        kind = type(optimizer).__name__
        raise ArgumentError(
            f"optimizer is {kind}, which {UNLIKE[kind]}: take one that makes a step of a dense "
            f"gradient, in the dtype of the parameters"
        )
    if not callable(function):
        raise ArgumentTypeError(f"function must be function(x, y) -> loss, not {function!r:.60}")
    own = {id(one) for one in net.parameters()}
    for number, group in enumerate(optimizer.param_groups):
        for one in group["params"]:
            if id(one) not in own:
                raise ArgumentError(
                    f"optimizer: its group {number} holds a parameter, of shape "
                    f"{tuple(one.shape)}, that is none of the module"
                )
    if scheduler is not None:
        scheduled(optimizer, scheduler, 0)
    return Step(net, optimizer, function, scheduler)


def plain_step(
    net: nn.Module,
    optimizer: Optimizer,
    loss: Any,
    scheduler: Any = None,
    *,
    clip_grad_norm: Any = None,
    clip_grad_value: Any = None,
) -> Step:
    """The step that every tutorial has: gradients anew, loss, backward, perhaps clipped, step."""
    measure = loss_of_tensors(loss)
    clip = clip_of(clip_grad_norm, clip_grad_value)

    def step(x: Any, y: torch.Tensor) -> torch.Tensor:
        optimizer.zero_grad()
        value = measure(net(*x) if isinstance(x, tuple) else net(x), y)
        _require_loss(value)
        value.backward()
        if clip.norm is not None:
            nn.utils.clip_grad_norm_(net.parameters(), clip.norm)
        if clip.value is not None:
            nn.utils.clip_grad_value_(net.parameters(), clip.value)
        optimizer.step()
        return value

    made = step_of(net, optimizer, step, scheduler)
    return dataclasses.replace(made, name="module")


def _require_loss(value: Any) -> None:
    """Refuse a loss that is no tensor of one real number, or that has no gradient.

    Raises:
        Frozen: saying what it is.
    """
    kind = type(value).__name__
    if not isinstance(value, torch.Tensor):
        what = "a Python number, as .item() gives" if "Sym" in kind or "float" in kind else kind
        raise Frozen(f"loss returns {what}; it must return a tensor of one number")
    if value.numel() != 1 or value.is_complex():
        raise Frozen(
            f"loss returns a tensor of shape {tuple(value.shape)} and {value.dtype}; it must be "
            f"one real number, as with reduction='mean'"
        )
    if not value.requires_grad:
        raise Frozen("loss has no gradient by the module's parameters (detach, no_grad?)")


@dataclasses.dataclass(frozen=True, eq=False)
class Maker(StepMaker):
    """What makes the traced step of a run.

    Attributes:
        own: the step as it was given.
        held: the names of what the run's params hold.
        places: where the optimizer's numbers stand that the state holds, by name.
        numbers: these numbers.
        zeros: where numbers stand that the call gives as 0.
        learning_rate: what the call gives in place of the rate that the scheduler begins at.
    """

    own: Step
    held: tuple[str, ...]
    places: dict[str, list[Place]]
    numbers: dict[str, float]
    zeros: tuple[Place, ...] = ()
    learning_rate: float | None = None

    @classmethod
    def of(cls, step: Step, held: Sequence[str]) -> Maker:
        """With the numbers that the optimizer has now."""
        places = places_of(step.optimizer, merged=step.scheduler is None)
        return cls(step, tuple(held), places, values_at(step.optimizer, places))

    def given(self, numbers: Mapping[str, Any]) -> Maker:
        """With other numbers, in all groups."""
        made = self
        for name, value in numbers.items():
            places = everywhere(made.own.optimizer, name)
            if not places:
                kind = type(made.own.optimizer).__name__
                raise ArgumentError(f"{name}: {kind} has no such number")
            if made.own.scheduler is not None and name == "learning_rate":
                made = made._begun_at(checked(name, value))
                continue
            made._require_unscheduled(name, places)
            others = {
                own: at for own, at in made.places.items() if not set(at).intersection(places)
            }
            kept = {own: made.numbers[own] for own in others}
            if number := checked(name, value):
                others, kept = others | {name: places}, kept | {name: number}
                zeros = made.zeros
            else:
                zeros = (*made.zeros, *places)
            made = dataclasses.replace(made, places=others, numbers=kept, zeros=zeros)
        return made

    def _require_unscheduled(self, name: str, places: Sequence[Place]) -> None:
        """Refuse a number that the scheduler sets."""
        if self.own.scheduler is None:
            return
        (before, after), _, _ = scheduled(self.own.optimizer, self.own.scheduler, 1)
        if any(before[place] != after[place] for place in places):
            raise ArgumentError(f"{name}: it follows the scheduler")

    def _begun_at(self, learning_rate: float) -> Maker:
        """With another rate, which the scheduler goes on from."""
        step = self.own
        (begin,), _, _ = scheduled(step.optimizer, step.scheduler, 0, learning_rate)
        rates = {name: at[0] for name, at in self.places.items() if at[0].option == "lr"}
        numbers = self.numbers | {name: begin[place] for name, place in rates.items()}
        return dataclasses.replace(self, numbers=numbers, learning_rate=learning_rate)

    def made(self, params: Params, samples: Samples, sizes: Sequence[int]) -> TracedStep:
        """The step, traced."""
        del params
        return traced_step(
            self.own, self.held, self.places, self.zeros, samples.x, samples.y, sizes
        )

    def numbers_after(self, steps: int) -> dict[str, Float[np.ndarray, " steps"]] | None:
        """The scheduler's table."""
        step = self.own
        if step.scheduler is None:
            return None
        rows, _, _ = scheduled(step.optimizer, step.scheduler, steps, self.learning_rate)
        return table(rows, self.places) or None


def _of_step(given: dict[str, Any], step: Step, loss: Any) -> dict[str, Any]:
    """The arguments for a step that is given whole."""
    net = step.net
    dtype = _dtype(net, given.get("dtype"))
    held = {name: one for name, one in tensors_of(net).items() if _may_be_held(one, dtype)}
    measure = _no_loss if loss is None else Measured(loss_of_tensors(loss), held)
    return given | {
        "model": still_model(net, tuple(held)),
        "loss": measure,
        "optimizer": Maker.of(step, tuple(held)),
        "dtype": dtype,
        "params": _params(net, held, given, dtype),
    }


def _of_module(given: dict[str, Any], net: nn.Module) -> dict[str, Any]:
    """The arguments for a module that an optimizer of funcnn or of optax trains."""
    dtype = _dtype(net, given.get("dtype"))
    trained = parameters_of(net)
    loss = given.get("loss")
    named = tensors_of(net)
    if loss is not None and not isinstance(loss, str) and not _is_funcnn_s(loss):
        given["loss"] = Measured(loss_of_tensors(loss), named, or_of_arrays=True)
    held = {name: named[name] for name in trained}
    return given | {
        "model": model_of(net, None),
        "dtype": dtype,
        "params": _params(net, held, given, dtype),
    }


def _params(
    net: nn.Module, held: Mapping[str, torch.Tensor], given: Mapping[str, Any], dtype: str
) -> Params | None:
    """Where to start: the module's own values, or those that the call gives."""
    if given.get("state") is not None:
        return given.get("params")
    start = {name: _as_jax_has_it(as_numpy(one), dtype) for name, one in held.items()}
    if given.get("params") is None:
        return start
    return start | _known(net, held, given["params"], dtype)


def _known(
    net: nn.Module, held: Mapping[str, torch.Tensor], params: Any, dtype: str
) -> dict[str, np.ndarray]:
    """What a ``state_dict`` gives for the names that the run holds.

    Raises:
        ArgumentError, ArgumentTypeError: for names, shapes or values that do not fit.
    """
    flat = _flat(params)
    own = net.state_dict(keep_vars=True)
    name_of = {id(one): name for name, one in tensors_of(net).items()}
    unknown = [name for name in flat if name not in own and name not in held]
    missing = [name for name in held if name not in flat and held[name].requires_grad]
    if unknown or missing:
        raise ArgumentError(
            f"params: they must be a state_dict of the module; missing "
            f"{', '.join(missing) or 'none'}, unknown {', '.join(unknown) or 'none'}"
        )
    found: dict[str, np.ndarray] = {}
    for name, value in flat.items():
        tensor = own[name] if name in own else held[name]
        array = as_numpy(value) if isinstance(value, torch.Tensor) else np.array(value)
        first = name_of.get(id(tensor), name)
        if array.shape != tuple(tensor.shape):
            raise ArgumentError(
                f"params: {name!r} has shape {array.shape}, and in the module {tuple(tensor.shape)}"
            )
        if first not in held and not np.array_equal(array, as_numpy(tensor), equal_nan=True):
            raise ArgumentError(
                f"params: {name!r} is a constant of this run, and differs from the module's"
            )
        if first in found and not np.array_equal(found[first], array):
            raise ArgumentError(f"params: {name!r} and {first!r} are one tensor in the module")
        if first in held:
            found[first] = _as_jax_has_it(array, dtype)
    return found


def _flat(params: Any, before: str = "") -> dict[str, Any]:
    """A (nested) dict as one of names joined by dots."""
    if not isinstance(params, Mapping):
        raise ArgumentTypeError(f"params must be a state_dict, not {params!r:.60}")
    flat: dict[str, Any] = {}
    for name, value in params.items():
        path = f"{before}{name}"
        flat |= _flat(value, f"{path}.") if isinstance(value, Mapping) else {path: value}
    return flat


def _dtype(net: nn.Module, asked: Any) -> str:
    """The run's dtype: that of the module."""
    own = {str(one.dtype).removeprefix("torch.") for one in net.parameters() if one.requires_grad}
    (dtype,) = own
    if asked is not None and check_dtype(asked) != dtype:
        to = "net.double()" if check_dtype(asked) == DTYPES[1] else "net.float()"
        raise ArgumentError(f"dtype={asked!r}: the module is of {dtype}; pass {to}")
    return dtype


def _may_be_held(tensor: torch.Tensor, dtype: str) -> bool:
    """Whether a run holds a tensor in its params; all others are constants of the step.

    A mask of −∞ is such a constant, since a run ends where its params are not finite.
    """
    if tensor.is_floating_point():
        return tensor.dtype == getattr(torch, dtype) and bool(torch.isfinite(tensor).all())
    return not tensor.is_complex()


def _as_jax_has_it(array: np.ndarray, dtype: str) -> np.ndarray:
    """Whole numbers of 32 bits where JAX computes in 32."""
    if dtype == "float64" or not np.issubdtype(array.dtype, np.integer):
        return array
    return array.astype(jnp.dtype(f"{array.dtype.kind}{min(array.dtype.itemsize, 4)}"))


def _is_funcnn_s(loss: Any) -> bool:
    """Whether it is the function behind one of funcnn's names, perhaps with its options."""
    return losses.without_options(loss) in losses.LOSSES.values()


def _no_loss(*_: Any) -> Any:
    raise ArgumentError(
        "validation: a step that is given whole does not say what to measure; give loss="
    )
