"""Where a run starts: a seed, params, or a state to go on from."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import numpy as np
from jax.core import Tracer
from jaxtyping import UInt32

from funcnn.core import ArgumentError, ArgumentTypeError, Params, Samples, TrainState
from funcnn.core.keys import initial_words, run_words
from funcnn.loop.batches import Drawn
from funcnn.loop.forms import Kept
from funcnn.loop.placement import put_everywhere
from funcnn.loop.programs import FEW, Programs, drawing
from funcnn.loop.whole import WholeStep
from funcnn.optimizers.optimizer import NumbersState
from funcnn.runs.plan import Plan
from funcnn.runs.planning import TRACED
from funcnn.runs.shapes import structs

__all__ = ["begun", "initial_params", "refuse_traced", "words_of"]


def begun(plan: Plan, made: Programs, members: Sequence[Mapping[str, Any]] | None = None) -> Kept:
    """What the loop holds before the first step.

    Args:
        plan: says where to start.
        made: the programs of the run.
        members: the settings of each member; None for one run.

    Raises:
        ArgumentError: for a state of another optimizer, where the step is given whole.
        ArgumentTypeError: as ``refuse_traced``.
    """
    refuse_traced()
    data = _data(plan, members)
    if plan.state is not None:
        return _gone_on(plan, made, plan.state, data)
    if members is None:
        words, numbers = run_words(plan.seed), _in(plan.dtype, plan.numbers)
    else:
        words = words_of(run_words, plan, members)
        # Of a schedule each has several numbers.
        numbers = {
            name: jax.tree.map(
                lambda *each: np.array(each, plan.dtype),
                *(member.get(name, number) for member in members),
            )
            for name, number in plan.numbers.items()
        }
    params = initial_params(plan, members)
    if (placement := plan.problem.placement) is not None:
        params = put_everywhere(placement, params)
    return made.start(params, numbers, words, data)


def refuse_traced() -> None:
    """Refuse to run inside ``jit``, where whatever is computed is traced.

    Raises:
        ArgumentTypeError: there.
    """
    if isinstance(_nothing(), Tracer):
        raise ArgumentTypeError(TRACED)


def initial_params(plan: Plan, members: Sequence[Mapping[str, Any]] | None = None) -> Params:
    """The params that were given, or the model's initial values; of many, a leading axis.

    To be called inside ``numerics(plan.dtype)``.
    """
    count = 1 if members is None else len(members)
    if members is not None and plan.starts:
        own = [plan.starts[member["params"]] for member in members]
        return jax.tree.map(lambda *leaves: np.stack(leaves), *own)
    if plan.params is not None:
        if members is None:
            return plan.params
        return jax.tree.map(lambda leaf: np.broadcast_to(leaf, (count, *leaf.shape)), plan.params)
    size = sum(leaf.size for leaf in jax.tree.leaves(plan.shapes.state.params))
    words = initial_words(plan.seed) if members is None else words_of(initial_words, plan, members)
    return drawing(plan.model.init, size * count < FEW, members is not None)(words)


def words_of(
    words: Callable[[int], UInt32[np.ndarray, " 2"]],
    plan: Plan,
    members: Sequence[Mapping[str, Any]],
) -> UInt32[np.ndarray, "members 2"]:
    """The words of each member's key."""
    each = [words(member.get("seed", plan.seed)) for member in members]
    return np.array(each, np.uint32).reshape(-1, 2)


@jax.jit
def _nothing() -> int:
    """A computation that costs nothing, to see whether it is traced."""
    return 0


def _in(dtype: str, numbers: Any) -> Any:
    return jax.tree.map(lambda number: np.asarray(number, dtype), numbers)


def _data(plan: Plan, members: Sequence[Mapping[str, Any]] | None) -> Samples:
    """The samples that the loop holds, on the devices of the run; of many, a leading axis."""
    if members is not None and plan.has_own_data(members):
        own = [plan.own_data(member) for member in members]
        return jax.tree.map(lambda *each: np.stack(each), *own)
    placement, batches = plan.problem.placement, plan.problem.batches
    if placement is None:
        return plan.resident
    takes_all = isinstance(batches, Drawn) and batches.size == len(plan.data.y)
    return placement.samples(plan.resident, chosen=batches is not None and not takes_all)


def _gone_on(plan: Plan, made: Programs, state: TrainState, data: Samples) -> Kept:
    """What the loop holds of a state that goes on, its numbers replaced by those of the call."""
    if isinstance(state.optimizer_state, NumbersState):
        named = {name: plan.numbers[name] for name in plan.named if name in plan.numbers}
        numbers = state.optimizer_state.numbers | _in(plan.dtype, named)
        state = state._replace(optimizer_state=state.optimizer_state._replace(numbers=numbers))
    if (placement := plan.problem.placement) is not None:
        state = placement.state(state)
    kept = made.enter(state, data) if _may_be_kept(made, state, data) else None
    if kept is None or (state.kept is not None and not _is_left(made, kept, state)):
        kept = made.enter(made.begin(state, data), data)
    if isinstance(plan.problem.optimizer, WholeStep) and not _is_left(made, kept, state):
        raise ArgumentError("state: what it remembers is of another optimizer")
    return kept


def _may_be_kept(made: Programs, state: TrainState, data: Samples) -> bool:
    """Whether what a state has kept is of this form and these data."""
    kept = jax.eval_shape(made.begin, state._replace(kept=None), data).kept
    return structs(kept) == structs(state.kept)


def _is_left(made: Programs, kept: Kept, state: TrainState) -> bool:
    """Whether what a state has kept gives what else it holds."""
    left = made.leave(kept)
    pairs = zip(
        jax.tree.leaves((left.params, left.optimizer_state)),
        jax.tree.leaves((state.params, state.optimizer_state)),
        strict=True,
    )
    return all(np.array_equal(np.asarray(one), np.asarray(other)) for one, other in pairs)
