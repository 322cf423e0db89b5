"""A module as it was, whatever a trace does; and what a trace of it would freeze."""

from __future__ import annotations

import contextlib
import functools
import random
import weakref
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensor
from torch.utils._python_dispatch import TorchDispatchMode, _disable_current_modes
from torch.utils._pytree import tree_leaves

from funcnn.core.functions import GENERATORS

__all__ = ["Frozen", "Writes", "changes", "python_state", "untouched", "written"]

DEPTH = 3
"""How deep objects and containers on a module are looked into."""

PLAIN = (bool, int, float, complex, str, bytes, type(None))

BATCH_NORMS = ("native_batch_norm", "_native_batch_norm_legit", "cudnn_batch_norm")
"""Operations that write their arguments 3 and 4, the running values, where argument 5 is true."""

SLOTS = ("_parameters", "_buffers")


def _state_of(generator: torch.Generator) -> np.ndarray:
    with _disable_current_modes():  # A trace has no bits.
        return generator.get_state().numpy()


KNOWN = (
    *GENERATORS,
    (
        torch.Generator,
        _state_of,
        lambda generator, state: generator.set_state(torch.from_numpy(state)),
    ),
)
"""Kinds of generators of random numbers, PyTorch's too, how to get their state, and to set it."""


class Frozen(Exception):  # noqa: N818
    """What a module does that a trace would freeze."""


def python_state(net: nn.Module) -> dict[str, Any]:
    """Everything on a module and its parts by name, but the mode and the tensors in their slots."""
    return {
        f"{name}.{attribute}" if name else attribute: (
            list(value) if attribute in SLOTS else _fingerprint(value, DEPTH)
        )
        for name, part in net.named_modules()
        for attribute, value in vars(part).items()
        if attribute != "training"
    }


def changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """The names under which something is not as it was."""
    return [
        name for name in {**before, **after} if before.get(name, Frozen) != after.get(name, Frozen)
    ]


@contextlib.contextmanager
def untouched(net: nn.Module) -> Iterator[None]:
    """Bring a module, and the generators of random numbers, back to what they were.

    Raises:
        Frozen: where something in Python was changed inside.
    """
    saved = [(part, vars(part).copy()) for part in net.modules()]
    contents = [
        (container, container.copy())
        for _, attributes in saved
        for container in attributes.values()
        if isinstance(container, (dict, list, set))
    ]
    drawn, numpy_drawn = random.getstate(), np.random.get_state()  # noqa: NPY002
    rewinding = [
        functools.partial(random.setstate, drawn),
        functools.partial(np.random.set_state, numpy_drawn),
        functools.partial(torch.set_rng_state, torch.get_rng_state()),
        *(_rewinding(value) for _, attributes in saved for value in attributes.values()),
    ]
    try:
        yield
        if random.getstate() != drawn:
            raise Frozen("it draws from Python's random")
        if _fingerprint(np.random.get_state(), DEPTH) != _fingerprint(numpy_drawn, DEPTH):  # noqa: NPY002
            raise Frozen("it draws from numpy.random")
    finally:
        for rewind in rewinding:
            rewind()
        for part, attributes in saved:
            vars(part).clear()
            vars(part).update(attributes)
        for container, content in contents:
            _refill(container, content)


@contextlib.contextmanager
def holding(
    net: nn.Module,
    tensors: Mapping[str, torch.Tensor],
    modes: Mapping[str, bool],
    new_buffers: bool = False,
) -> Iterator[None]:
    """A module with other tensors in place of its own, and its parts in given modes.

    To be used inside ``untouched``.

    Args:
        net: the module.
        tensors: what to put in place of its parameters and buffers, by name.
        modes: whether each part trains, by name.
        new_buffers: whether other tensors may be put in the place of its buffers.

    Raises:
        Frozen: where something on the module was replaced or changed inside.
    """
    before = python_state(net)
    named = dict(net.named_parameters()) | dict(net.named_buffers())
    given = {id(tensor): tensors[name] for name, tensor in named.items()}
    replaced = []
    free = {id(part._buffers) for part in net.modules() if new_buffers}
    for name, part in net.named_modules():
        part.training = modes[name]
        for holder, key, value in _with_tensors(part):
            stand_in = _standing_in(value, given)
            holder[key] = stand_in
            replaced.append((holder, key, value, stand_in, f"{name}.{key}" if name else key))
    yield
    for name, part in net.named_modules():
        if part.training != modes[name]:
            raise Frozen(f"it changes the mode of {name or 'the module'!r}, train or eval")
    for holder, key, value, stand_in, name in replaced:
        as_it_was = holder.get(key) is stand_in and _alike(stand_in, _standing_in(value, given))
        if not as_it_was and not (id(holder) in free and isinstance(holder.get(key), torch.Tensor)):
            raise Frozen(f"it replaces {name!r}")
        holder[key] = value
    if changed := changes(before, python_state(net)):
        raise Frozen(
            f"it changes {changed[0]!r}, which a compiled function would not; where that is a "
            f"cache, call the module once before"
        )


def _with_tensors(part: nn.Module) -> list[tuple[dict[str, Any], str, Any]]:
    """What of a part of a module may hold its tensors: where, under which name, and what."""
    slots = [
        (vars(part)[kind], name, tensor)
        for kind in SLOTS
        for name, tensor in vars(part)[kind].items()
    ]
    # A GRU keeps its weights in lists, too, and weak references to them.
    lists = [
        (vars(part), name, value)
        for name, value in vars(part).items()
        if isinstance(value, list)
        and any(isinstance(one, (torch.Tensor, weakref.ref)) for one in value)
    ]
    return [*slots, *lists]


def _standing_in(value: Any, given: Mapping[int, torch.Tensor]) -> Any:
    """What stands in for a tensor of the module, a weak reference to one, or a list of these."""
    if isinstance(value, list):
        return [_standing_in(one, given) for one in value]
    if isinstance(value, weakref.ref):
        stand_in = given.get(id(value()))
        return value if stand_in is None else weakref.ref(stand_in)
    return given.get(id(value), value)


def _alike(one: Any, other: Any) -> bool:
    """Whether two lists hold the same objects; whatever is no list is compared elsewhere."""
    if not isinstance(one, list):
        return True
    pairs = zip(one, other, strict=False)
    return len(one) == len(other) and all(
        a is b or (isinstance(a, weakref.ref) and isinstance(b, weakref.ref) and a() is b())
        for a, b in pairs
    )


class Writes(TorchDispatchMode):
    """Refuses to write into a tensor that outlives the call.

    Args:
        inputs: the tensors that the function was given, by name.
        replaced: tensors that others stand in for, by name: nothing may use them.
    """

    def __init__(
        self,
        inputs: Mapping[str, torch.Tensor],
        replaced: Mapping[str, torch.Tensor] = MappingProxyType({}),
    ) -> None:
        super().__init__()
        self.names = {_storage(tensor): name for name, tensor in inputs.items()}
        self.replaced = {_storage(tensor): name for name, tensor in replaced.items()}

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Run an operation, where it writes only what the call has made; of a known shape."""
        del types
        kwargs = kwargs or {}
        for tensor in written(func, args, kwargs):
            name = self.names.get(_storage(tensor))
            if name is None and not isinstance(tensor, FakeTensor):
                name = "a tensor that it keeps and that is no buffer (register_buffer)"
            if name is not None:
                is_norm = func.overloadpacket.__name__ in BATCH_NORMS or "num_batches" in name
                hint = ": an optimizer of torch.optim trains its buffers too" if is_norm else ""
                raise Frozen(f"it writes into {name}{hint}")
        for tensor in tree_leaves((args, kwargs)) if self.replaced else ():
            real = isinstance(tensor, torch.Tensor) and not isinstance(tensor, FakeTensor)
            name = self.replaced.get(_storage(tensor)) if real else None
            if name is not None:
                raise Frozen(f"it uses {name} by a way around the module")
        result = func(*args, **kwargs)
        for one in result if isinstance(result, (tuple, list)) else [result]:
            if isinstance(one, torch.Tensor) and not all(type(size) is int for size in one.shape):
                raise Frozen("it makes a shape of a tensor's values")
        return result


def written(func: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> list[torch.Tensor]:
    """The tensors that an operation writes into."""
    if func.overloadpacket.__name__ in BATCH_NORMS:
        running, trains = args[3:5], args[5]
        return [one for one in running if trains and one is not None]
    if not func._schema.is_mutable:
        return []
    found = []
    for place, argument in enumerate(func._schema.arguments):
        if argument.alias_info is not None and argument.alias_info.is_write:
            value = args[place] if place < len(args) else kwargs.get(argument.name)
            values = value if isinstance(value, (list, tuple)) else [value]
            found += [one for one in values if isinstance(one, torch.Tensor)]
    return found


def _storage(tensor: torch.Tensor) -> int:
    return tensor.untyped_storage()._cdata


def _fingerprint(value: Any, depth: int) -> Any:
    """What tells whether a value has changed; tensors' own values are not looked at."""
    if isinstance(value, PLAIN):
        return value if value == value else repr(value)  # noqa: PLR0124
    if isinstance(value, torch.Tensor):
        return ("tensor", id(value), value._version)
    if isinstance(value, np.ndarray):
        return (str(value.dtype), value.shape, value.tobytes())
    for kind, state_of, _ in KNOWN:
        if isinstance(value, kind):
            return _fingerprint(state_of(value), DEPTH)
    return _fingerprint_of_parts(value, depth)


def _fingerprint_of_parts(value: Any, depth: int) -> Any:
    if depth and isinstance(value, Mapping):
        return {repr(name): _fingerprint(one, depth - 1) for name, one in value.items()}
    if depth and isinstance(value, (list, tuple)):
        return [_fingerprint(one, depth - 1) for one in value]
    if depth and not isinstance(value, (nn.Module, type)) and hasattr(value, "__dict__"):
        return (id(value), _fingerprint(vars(value), depth - 1))
    return id(value)


def _rewinding(value: Any) -> Callable[[], Any]:
    """What brings a generator of random numbers back to where it is; of all else nothing."""
    for kind, state_of, set_state in KNOWN:
        if isinstance(value, kind):
            return functools.partial(set_state, value, state_of(value))
    return lambda: None


def _refill(container: Any, content: Any) -> None:
    """Give a container its content back, without replacing it."""
    if isinstance(container, list):
        container[:] = content
    else:
        container.clear()
        container.update(content)
