"""A matrix product and a copy, repeated, by each library that is installed."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jax
import numpy as np

__all__ = ["copies", "multiplications"]

Run = Callable[[int], Any]
Transposed = tuple[bool, bool]


def multiplications(
    first: np.ndarray, second: np.ndarray, transposed: Transposed, device: str
) -> Iterator[Run]:
    """``run(steps)`` multiplies two matrices, or stacks of them, ``steps`` times.

    Args:
        first: the left factor, as it is stored.
        second: the right factor, as it is stored.
        transposed: whether each is stored transposed: then its transpose is the factor.
        device: ``"cpu"`` or ``"gpu"``.
    """
    if device == "cpu":
        yield _numpy_products(first, second, transposed)
    yield _jax_products(first, second, transposed)
    if (torch := _torch(device)) is not None:
        yield _torch_products(torch, first, second, transposed, device)


def copies(count: int, device: str) -> Iterator[Run]:
    """``run(steps)`` reads and writes ``count`` numbers of float32, ``steps`` times."""
    source = np.ones(count, np.float32)
    if device == "cpu":
        yield _numpy_copies(source)
    yield _jax_copies(source)
    if (torch := _torch(device)) is not None:
        yield _torch_copies(torch, source, device)


def _factors(stored: Sequence[Any], transposed: Transposed) -> list[Any]:
    """The factors of a product, from how they are stored."""
    return [one.mT if flip else one for one, flip in zip(stored, transposed, strict=True)]


def _numpy_products(first: np.ndarray, second: np.ndarray, transposed: Transposed) -> Run:
    left, right = _factors((first, second), transposed)
    product = left @ right

    def run(steps: int) -> None:
        for _ in range(steps):
            np.matmul(left, right, out=product)

    return run


def _numpy_copies(source: np.ndarray) -> Run:
    target = np.empty_like(source)

    def run(steps: int) -> None:
        for _ in range(steps):
            np.copyto(target, source)

    return run


def _jax_products(first: np.ndarray, second: np.ndarray, transposed: Transposed) -> Run:
    operands = jax.device_put((first, second))
    return lambda steps: jax.block_until_ready(_jax_loop(*operands, np.int32(steps), transposed))


@functools.partial(jax.jit, static_argnames="transposed")
def _jax_loop(first: jax.Array, second: jax.Array, steps: Any, transposed: Transposed) -> jax.Array:
    def multiply(first: jax.Array) -> jax.Array:
        left, right = _factors((first, second), transposed)
        return left @ right

    def body(_: Any, carry: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        first, _product = carry
        product = multiply(first)
        # One number of it is used in the next product, so that XLA can leave no product out.
        corner = (0,) * first.ndim
        part = jax.lax.slice(product, corner, (1,) * first.ndim)
        return jax.lax.dynamic_update_slice(first, part, corner), product

    return jax.lax.fori_loop(0, steps, body, (first, multiply(first)))[1]


def _jax_copies(source: np.ndarray) -> Run:
    placed = jax.device_put(source)
    return lambda steps: jax.block_until_ready(_jax_copying(placed, np.int32(steps)))


@jax.jit
def _jax_copying(source: jax.Array, steps: Any) -> jax.Array:
    return jax.lax.fori_loop(0, steps, lambda _, values: values + 1, source)


def _torch(device: str) -> Any:
    """PyTorch, where it is installed and sees the device."""
    try:
        import torch
    except ImportError:
        return None
    return torch if device == "cpu" or torch.cuda.is_available() else None


def _torch_products(
    torch: Any, first: np.ndarray, second: np.ndarray, transposed: Transposed, device: str
) -> Run:
    left, right = _factors([_placed(torch, one, device) for one in (first, second)], transposed)
    product = left @ right
    return _torch_run(torch, device, lambda: torch.matmul(left, right, out=product))


def _torch_copies(torch: Any, source: np.ndarray, device: str) -> Run:
    placed = _placed(torch, source, device)
    target = torch.empty_like(placed)
    return _torch_run(torch, device, lambda: target.copy_(placed))


def _placed(torch: Any, values: np.ndarray, device: str) -> Any:
    return torch.tensor(values, device="cuda" if device == "gpu" else "cpu")


def _torch_run(torch: Any, device: str, once: Callable[[], Any]) -> Run:
    def run(steps: int) -> None:
        for _ in range(steps):
            once()
        if device == "gpu":
            torch.cuda.synchronize()

    return run
