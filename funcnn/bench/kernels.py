"""A matrix product and a copy, many times over, by each library that is present."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any

import jax
import numpy as np

__all__ = ["copies", "multiplications"]

Run = Callable[[int], Any]
Turned = tuple[bool, bool]


def multiplications(
    first: np.ndarray, second: np.ndarray, turned: Turned, device: str
) -> Iterator[Run]:
    """``run(steps)`` makes the product of two matrices, or stacks of them, that often.

    Args:
        first: as it is stored.
        second: as it is stored.
        turned: whether each is stored the other way around: its transpose is the factor.
        device: ``"cpu"`` or ``"gpu"``.
    """
    if device == "cpu":
        yield _numpy_products(first, second, turned)
    yield _jax_products(first, second, turned)
    if (torch := _torch(device)) is not None:
        yield _torch_products(torch, first, second, turned, device)


def copies(count: int, device: str) -> Iterator[Run]:
    """``run(steps)`` reads and writes ``count`` numbers of float32, that often."""
    source = np.ones(count, np.float32)
    if device == "cpu":
        yield _numpy_copies(source)
    yield _jax_copies(source)
    if (torch := _torch(device)) is not None:
        yield _torch_copies(torch, source, device)


def _numpy_products(first: np.ndarray, second: np.ndarray, turned: Turned) -> Run:
    left, right = (m.mT if t else m for m, t in zip((first, second), turned, strict=True))
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


def _jax_products(first: np.ndarray, second: np.ndarray, turned: Turned) -> Run:
    operands = jax.device_put((first, second))
    return lambda steps: jax.block_until_ready(_jax_loop(*operands, np.int32(steps), turned))


@functools.partial(jax.jit, static_argnames="turned")
def _jax_loop(first: jax.Array, second: jax.Array, steps: Any, turned: Turned) -> jax.Array:
    def multiply(first: jax.Array) -> jax.Array:
        left, right = (m.mT if t else m for m, t in zip((first, second), turned, strict=True))
        return left @ right

    def body(_: Any, carry: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        first, _product = carry
        product = multiply(first)
        # A number of it goes into the next product, so that none is left out.
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
    torch: Any, first: np.ndarray, second: np.ndarray, turned: Turned, device: str
) -> Run:
    placed = (_placed(torch, matrix, device) for matrix in (first, second))
    left, right = (m.mT if t else m for m, t in zip(placed, turned, strict=True))
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
