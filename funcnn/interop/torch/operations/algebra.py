"""Matrix products, decompositions, and Fourier transforms."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax.export import is_symbolic_dim
from jaxtyping import Array

__all__ = ["ALGEBRA", "product"]


def product(a: Array, b: Array) -> Array:
    """``a @ b``.

    A long sum that gives more rows than columns, such as the gradient of most weights, is made the
    other way round: a CPU's products go along rows, and take up to four times as long for short
    ones. Of many runs side by side each has a product of its own, the same for all of them where
    the data are: one product for all would have to be put in another order.
    """
    return _product(a, b) if a.ndim == b.ndim == 2 else jnp.matmul(a, b)


@jax.custom_jvp
def _product(a: Array, b: Array) -> Array:
    return _alone(a, b)


@_product.defjvp
def _(primals: tuple[Array, Array], tangents: tuple[Array, Array]) -> tuple[Array, Array]:
    (a, b), (of_a, of_b) = primals, tangents
    return jnp.matmul(a, b), jnp.matmul(of_a, b) + jnp.matmul(a, of_b)


@jax.custom_batching.custom_vmap
def _alone(a: Array, b: Array) -> Array:
    columns, rows, length = b.shape[-1], *a.shape[-2:]
    if is_symbolic_dim(rows):  # Of any number of samples.
        few, many = jnp.asarray(rows) <= length, jnp.asarray(rows) > columns
        return jax.lax.cond(few & many, _turned, jnp.matmul, a, b)
    return (_turned if columns < rows <= length else jnp.matmul)(a, b)


def _turned(a: Array, b: Array) -> Array:
    # Without the barrier XLA would turn it back.
    return jax.lax.optimization_barrier(jnp.matmul(b.mT, a.mT)).mT


@_alone.def_vmap
def _(size: int, batched: list[bool], a: Array, b: Array) -> tuple[Array, bool]:
    each = (
        one if own else jnp.broadcast_to(one, (size, *one.shape))
        for one, own in zip((a, b), batched, strict=True)
    )
    return _alone.fun(*each), True


def add_product(bias: Array, a: Array, b: Array, *, beta: Any = 1, alpha: Any = 1) -> Array:
    """``beta * bias + alpha * (a @ b)``."""
    result = product(a, b)
    return (bias if beta == 1 else beta * bias) + (result if alpha == 1 else alpha * result)


def distances(a: Array, b: Array, order: float = 2.0, mode: Any = None) -> Array:
    """The distance of every row of ``a`` from every row of ``b``."""
    del mode
    size = jnp.abs(a[..., :, None, :] - b[..., None, :, :])
    if order == 2:
        return jnp.sqrt(jnp.sum(size * size, -1))
    if order == float("inf"):
        return jnp.max(size, -1)
    if order == 0:
        return jnp.sum(size != 0, -1)
    return jnp.sum(size, -1) if order == 1 else jnp.sum(size**order, -1) ** (1 / order)


def distances_backward(gradient: Array, a: Array, b: Array, order: float, found: Array) -> Array:
    """The gradient of ``distances`` by ``a``; 0 where two rows are equal."""
    difference = a[..., :, None, :] - b[..., None, :, :]
    if order == 1:
        return jnp.sum(gradient[..., None] * jnp.sign(difference), -2)
    if order != 2:
        raise NotImplementedError(f"torch.cdist with p={order}")
    share = jnp.where(found == 0, 0, gradient / jnp.where(found == 0, 1, found))
    return jnp.sum(share[..., None] * difference, -2)


def _fft_norm(direction: int, forward: bool) -> str | None:
    """PyTorch's number of a normalization (none, by the root, by the count) as NumPy's word."""
    by_count = "forward" if forward else "backward"
    none = "backward" if forward else "forward"
    return {0: none, 1: "ortho", 2: by_count}[direction]


def fft_real(x: Array, dim: Sequence[int], norm: int, onesided: bool) -> Array:
    """The Fourier transform of real numbers."""
    transform = jnp.fft.rfftn if onesided else jnp.fft.fftn
    return transform(x, axes=tuple(dim), norm=_fft_norm(norm, forward=True))


def fft_to_real(x: Array, dim: Sequence[int], norm: int, last: int) -> Array:
    """The inverse transform of what real numbers give."""
    shape = [*(x.shape[axis] for axis in dim[:-1]), last]
    return jnp.fft.irfftn(x, s=shape, axes=tuple(dim), norm=_fft_norm(norm, forward=False))


def fft_complex(x: Array, dim: Sequence[int], norm: int, forward: bool) -> Array:
    """The Fourier transform of complex numbers, or its inverse."""
    transform = jnp.fft.fftn if forward else jnp.fft.ifftn
    return transform(x, axes=tuple(dim), norm=_fft_norm(norm, forward))


def triangular_solve(
    a: Array, b: Array, *, upper: bool, left: bool = True, unitriangular: bool = False
) -> Array:
    """The solution of ``a @ x = b``, or of ``x @ a = b``, for a triangular matrix."""
    from jax.scipy.linalg import solve_triangular

    if left:
        return solve_triangular(a, b, lower=not upper, unit_diagonal=unitriangular)
    turned = solve_triangular(a.mT, b.mT, lower=upper, unit_diagonal=unitriangular)
    return turned.mT


def _with_info(function: Callable[[Array], Array]) -> Callable[..., tuple[Array, Array]]:
    """A decomposition with the code that PyTorch gives beside it: 0, all is well."""

    def call(x: Array, *options: Any, **named: Any) -> tuple[Array, Array]:
        del options, named
        return function(x), jnp.zeros(x.shape[:-2], jnp.int32)

    return call


def add_sum_of_products(bias: Array, a: Array, b: Array, *, beta: Any = 1, alpha: Any = 1) -> Array:
    """``beta * bias + alpha * (a @ b).sum(0)``."""
    return beta * bias + alpha * jnp.sum(jnp.matmul(a, b), 0)


def trilinear(
    a: Array,
    b: Array,
    c: Array,
    expand_a: Sequence[int],
    expand_b: Sequence[int],
    expand_c: Sequence[int],
    summed: Sequence[int],
    unroll: int = 1,
) -> Array:
    """The sum over some axes of a product of three arrays."""
    del unroll
    for axis in expand_a:
        a = jnp.expand_dims(a, axis)
    for axis in expand_b:
        b = jnp.expand_dims(b, axis)
    for axis in expand_c:
        c = jnp.expand_dims(c, axis)
    return jnp.sum(a * b * c, tuple(summed))


def cholesky_solve(b: Array, factor: Array, upper: bool = False) -> Array:
    """The solution of ``(factor @ factor.mT) @ x = b``, or of ``(factor.mT @ factor) @ x = b``."""
    return jax.scipy.linalg.cho_solve((factor, not upper), b)


ALGEBRA: dict[str, Callable[..., Any]] = {
    **dict.fromkeys(("addmm", "addmv", "baddbmm"), add_product),
    **dict.fromkeys(("bmm", "dot", "matmul", "mm", "mv"), product),
    "_cdist_backward": distances_backward,
    "_cdist_forward": distances,
    "_fft_c2c": fft_complex,
    "_fft_c2r": fft_to_real,
    "_fft_r2c": fft_real,
    "_trilinear": trilinear,
    "addbmm": add_sum_of_products,
    "cholesky_solve": cholesky_solve,
    "linalg_cholesky_ex": _with_info(jnp.linalg.cholesky),
    "linalg_inv_ex": _with_info(jnp.linalg.inv),
    "linalg_matrix_exp": jax.scipy.linalg.expm,
    "linalg_solve_triangular": triangular_solve,
    "slogdet": lambda a: tuple(jnp.linalg.slogdet(a)),
    "solve": jnp.linalg.solve,
}
