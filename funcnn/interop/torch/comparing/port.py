"""A port: its params, its prediction and its loss, as functions of the list of its floats."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from funcnn.core import ArgumentError, ArgumentTypeError
from funcnn.core.tracing import plain_errors
from funcnn.interop.torch.comparing.jaxprs import Opened, Values, first_uses, opened
from funcnn.interop.torch.comparing.matching import NOWHERE, Leaf, Tensors, match

__all__ = ["Port"]


class Port:
    """A port, and where its numbers stand among PyTorch's.

    Args:
        params: a tree of arrays.
        apply: ``apply(params, x) -> prediction``, or ``(prediction, buffers)``.
        loss: ``loss(prediction, target) -> scalar``.
        x: what it is called with.
        target: what the loss is given.
        tensors: PyTorch's numbers.
        parameters: which of them are of parameters, and not of buffers.
        gradient: PyTorch's gradient by them.

    Attributes:
        leaves: its floats, with the paths at which they stand.
        dtypes: in which they were given.
        places: where each of their numbers stands among PyTorch's.
        trained: which of the leaves are no buffers, so that an optimizer may move them.
        prediction: the shape of what it predicts.
        data: what it is called with, and what its loss is given.
        forward: its prediction and buffers, written out.
        whole: its loss, written out.
    """

    def __init__(
        self,
        params: Any,
        apply: Callable[..., Any],
        loss: Callable[..., Any],
        x: Any,
        target: Any,
        tensors: Tensors,
        parameters: np.ndarray,
        gradient: np.ndarray,
    ) -> None:
        self._apply, self._loss = apply, loss
        paths, self._tree = jax.tree_util.tree_flatten_with_path(params)
        self._all = [_array(_name(path), leaf) for path, leaf in paths]
        self._floats = [
            number
            for number, leaf in enumerate(self._all)
            if jnp.issubdtype(leaf.dtype, jnp.floating)
        ]
        self.dtypes = [self._all[number].dtype for number in self._floats]
        self.leaves = [
            Leaf(_name(paths[number][0]), np.asarray(self._all[number], np.float64))
            for number in self._floats
        ]
        if not self.leaves:
            raise ArgumentError("the port's params hold no floats")
        with plain_errors("the port"):
            self.prediction = self._checked(x, target)
            self.data = jax.tree.map(jnp.asarray, (x, target))
            self.forward = opened(self.call, self.values)
            self.whole = opened(self.loss_of, self.values)
        uses = first_uses(self.forward)
        order = sorted(range(len(self.leaves)), key=lambda number: uses[number])
        found = match(
            [self.leaves[number] for number in order],
            tensors,
            lambda number, places: _alike(self.gradient[order[number]], gradient[places]),
        )
        self.places = [found[order.index(number)] for number in range(len(self.leaves))]
        self.trained = [
            bool(parameters[places[places != NOWHERE]].any()) or bool(np.all(places == NOWHERE))
            for places in self.places
        ]

    @functools.cached_property
    def gradient(self) -> list[np.ndarray]:
        """The gradient of its loss, by its floats."""
        return [np.asarray(one) for one in jax.jit(jax.grad(self.loss_of))(self.values)]

    @functools.cached_property
    def computed(self) -> Values:
        """All values of its prediction."""
        return Values(self.forward)

    @property
    def values(self) -> list[Array]:
        """The floats as they were given, in float64."""
        return [jnp.asarray(leaf.value) for leaf in self.leaves]

    def tree(self, values: Sequence[Any], trained_only: bool = False) -> Any:
        """The params with these floats; without what is not trained, if asked."""
        whole: list[Any] = list(self._all)
        if trained_only:
            whole = [None] * len(self._all)
        for number, value, trained in zip(
            self._floats,
            values,
            self.trained if trained_only else [True] * len(values),
            strict=True,
        ):
            whole[number] = value if trained else None
        return self._tree.unflatten(whole)

    def floats(self, tree: Any, others: Sequence[Any]) -> list[Any]:
        """The floats of a tree, those of ``others`` where it has none."""
        whole = self._tree.flatten_up_to(tree)
        return [
            other if whole[number] is None else whole[number]
            for number, other in zip(self._floats, others, strict=True)
        ]

    def call(self, values: Sequence[Any]) -> tuple[Any, Any]:
        """The prediction, and the buffers after it; None where it gives none."""
        return self._call(values, self.data[0])

    def _call(self, values: Sequence[Any], x: Any) -> tuple[Any, Any]:
        result = self._apply(self.tree(values), x)
        pair = isinstance(result, (tuple, list)) and len(result) == 2
        return (result[0], result[1]) if pair else (result, None)

    def loss_of(self, values: Sequence[Any]) -> Any:
        """The loss of its prediction."""
        return self._loss(self.call(values)[0], self.data[1])

    def opened_loss(self, prediction: Any) -> Opened:
        """The loss of another prediction, written out."""
        with plain_errors("port_loss"):
            return opened(lambda one: self._loss(one, self.data[1]), prediction)

    def put(self, numbers: np.ndarray, others: Sequence[Any] | None = None) -> list[Array]:
        """PyTorch's numbers in the port's layout; what PyTorch has not from ``others``."""
        return [
            jnp.asarray(np.where(places == NOWHERE, other, numbers[places]))
            for places, other in zip(self.places, others or self.values, strict=True)
        ]

    def _checked(self, x: Any, target: Any) -> jax.ShapeDtypeStruct:
        """The shape of the prediction, where prediction and loss are of kinds that they may be."""
        values = [leaf.value for leaf in self.leaves]
        prediction = jax.eval_shape(self._call, values, x)[0]
        if not isinstance(prediction, jax.ShapeDtypeStruct):
            raise ArgumentTypeError(
                f"the port's apply must return an array, the prediction, or (prediction, buffers); "
                f"it returns {type(prediction).__name__}"
            )
        loss = jax.eval_shape(self._loss, prediction, target)
        if not isinstance(loss, jax.ShapeDtypeStruct) or loss.shape != ():
            raise ArgumentError(
                f"port_loss must return one number, not {getattr(loss, 'shape', loss)!r}"
            )
        return prediction


def _array(name: str, leaf: Any) -> Any:
    try:
        array = jnp.asarray(leaf) if isinstance(leaf, (jax.Array, float, int)) else leaf
        array = array if isinstance(array, jax.Array) else np.asarray(array)
    except (TypeError, ValueError):
        array = np.asarray(None)
    if array.dtype == object or array.dtype.kind in "US":
        raise ArgumentTypeError(
            f"the port's params hold {leaf!r:.60} at {name or 'their root'}, which is no array: "
            f"part them from the rest, as equinox.partition and flax.nnx.split do"
        )
    return array


def _name(path: tuple[Any, ...]) -> str:
    return jax.tree_util.keystr(path, simple=True, separator=".")


def _alike(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether two gradients are the same up to what a mistake elsewhere may change."""
    size = np.max(np.abs(other), initial=0)
    return bool(size > 0 and np.max(np.abs(one - other), initial=0) <= 1e-6 * size)
