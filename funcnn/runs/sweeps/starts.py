"""Where the members of a sweep start, where several trees of params are given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import jax

from funcnn.core import ArgumentError, Params
from funcnn.core.precision import check_dtype
from funcnn.runs.choices import what_to_train
from funcnn.runs.foreign import adapted, adapter_of
from funcnn.runs.plan import Plan
from funcnn.runs.shapes import matching_params, params_shapes, structs

__all__ = ["several_trees", "starts_of"]


def several_trees(arguments: Mapping[str, Any]) -> list[Params] | None:
    """The trees of ``params=[tree, tree]``; None where it is one tree, or nothing.

    A list or a tuple of trees is several, unless the params that the model itself draws are such
    a list.

    Args:
        arguments: those of the sweep, by name.

    Raises:
        ArgumentError: for a list that holds nothing.
    """
    params = arguments.get("params")
    if type(params) not in (list, tuple):
        return None
    if not params:
        raise ArgumentError("params=[] holds no params")
    if not all(isinstance(tree, (Mapping, list, tuple)) for tree in params):
        return None
    known = adapted({**arguments, "params": None})
    asked, _, defaults = what_to_train(*(known.get(n) for n in ("model", "data", "experiment")))
    if not isinstance(asked, str) and asked.init is not None:
        shapes = params_shapes(asked.init, check_dtype(known.get("dtype") or defaults.dtype))
        if jax.tree.structure(shapes) == jax.tree.structure(params):
            return None
    return list(params)


def starts_of(
    plan: Plan, trees: Sequence[Params], arguments: Mapping[str, Any]
) -> tuple[Params, ...]:
    """The trees as the plan's run takes them.

    Args:
        plan: what each member does, from the first of them.
        trees: where the members start.
        arguments: those of the sweep, by name, from which the plan was made.

    Raises:
        ArgumentError, ArgumentTypeError: for a tree that is not as the first, by its number.
    """
    shapes, found = structs(plan.params), []
    for number, tree in enumerate(trees):
        try:
            if adapter_of(arguments["model"]) is not None:
                tree = adapted({**arguments, "params": tree})["params"]  # noqa: PLW2901
            found.append(matching_params(tree, shapes))
        except ArgumentError as error:
            raise type(error)(f"params[{number}]: {error}") from error
    return tuple(found)
