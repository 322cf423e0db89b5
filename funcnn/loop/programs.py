"""The compiled programs of a run: how it starts, its segments, and how it ends."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
from jaxtyping import Array, Float, UInt32

from funcnn.core import AnyArray, Params, Samples, TrainState
from funcnn.core.caches import remembered
from funcnn.core.keys import key_of
from funcnn.loop.batches import Count, Feed
from funcnn.loop.fit import first_state, loop
from funcnn.loop.forms import Form, Kept
from funcnn.loop.problem import Problem
from funcnn.loop.whole import WholeStep
from funcnn.optimizers.optimizer import Recipe

__all__ = ["OfEach", "Programs", "drawing", "programs"]

FEW = 2**20
"""Below this many parameters, drawing them costs less than optimizing the program in full."""


class Programs(NamedTuple):
    """What a run calls: for one state, or for many side by side.

    Attributes:
        start: ``start(params, numbers, words, data) -> kept`` before the first step, from
            the optimizer's numbers and the words of the run's key.
        begin: ``begin(state, data) -> state``, of a state that goes on without what a loop
            of this form has kept.
        enter: ``enter(state, data) -> kept``, of a state that goes on.
        segment: ``segment(kept, first, steps, feed) -> (state, losses)``: some steps from
            the one of that number, one program for every number of them up to ``capacity``.
        leave: ``leave(kept) -> state``, on one device.
        capacity: the most steps of a segment.
        paces: the seconds that a step was last seen to take, by the sizes of the run.
    """

    start: Callable[[Params, dict[str, Any], Any, Samples], Kept]
    begin: Callable[[TrainState, Samples], TrainState]
    enter: Callable[[TrainState, Samples], Kept]
    segment: Callable[[Kept, Any, Any, Feed | None], tuple[TrainState, Float[Array, "..."]]]
    leave: Callable[[Kept], TrainState]
    capacity: int
    paces: dict[Any, float]


class OfEach(NamedTuple):
    """What each of many members has of its own, beside its state: then it has a leading axis.

    Attributes:
        data: the samples.
        schedule: the optimizer's numbers after each step.
    """

    data: bool = False
    schedule: bool = False


@remembered
def programs(
    problem: Callable[[], Problem],
    form: Callable[[], Form],
    capacity: Callable[[], int],
    many: Callable[[], OfEach | None],
) -> Programs:
    """The programs of a problem in a form: for one run, or for many members side by side.

    Where all members have the same data, what a form makes of these alone is made once.

    Args:
        problem: what a step computes.
        form: how its arithmetic is arranged.
        capacity: the most steps of a segment.
        many: what each of many members has of its own; None for one run.
    """
    form_, capacity_ = form(), capacity()

    def start(
        params: Params, numbers: dict[str, Any], words: UInt32[AnyArray, "2"], data: Samples
    ) -> Kept:
        optimizer = problem().optimizer
        init = (
            functools.partial(optimizer.init, numbers=numbers)
            if isinstance(optimizer, (Recipe, WholeStep))
            else optimizer.init
        )
        state = begin(first_state(params, init, key_of(words)), data)
        if (placement := problem().placement) is not None:
            state = placement.constrained(state)
        # Behind the barrier ``enter`` computes what it computes of a state that goes on.
        return enter(jax.lax.optimization_barrier(state), data)

    def begin(state: TrainState, data: Samples) -> TrainState:
        return form_.begin(problem(), state, data)

    def enter(state: TrainState, data: Samples) -> Kept:
        return form_.enter(problem(), state, data)

    def segment(
        kept: Kept, first: Count, steps: Count, feed: Feed | None
    ) -> tuple[TrainState, Float[Array, " capacity"]]:
        return loop(problem(), form_, capacity_, kept, first, steps, feed)

    def leave(kept: Kept) -> TrainState:
        return form_.leave(problem(), kept)

    compiled = (start, begin, enter, segment, leave)
    if (of_each := many()) is not None:
        data, schedule = (0 if is_own else None for is_own in of_each)
        kept = Kept._make((0, 0, data))
        feed = Feed._make((None, None, None, schedule))
        compiled = (
            jax.vmap(start, in_axes=(0, 0, 0, data), out_axes=kept),
            jax.vmap(begin, in_axes=(0, data)),
            jax.vmap(enter, in_axes=(0, data), out_axes=kept),
            jax.vmap(segment, in_axes=(kept, None, None, feed if of_each.schedule else None)),
            jax.vmap(leave, in_axes=(kept,)),
        )
    made = Programs(*map(jax.jit, compiled), capacity=capacity_, paces={})
    placement = problem().placement
    return made if placement is None else made._replace(leave=placement.gathered(leave))


@remembered
def drawing(
    init: Callable[[], Callable[..., Params]], few: Callable[[], bool], many: Callable[[], bool]
) -> Callable[..., Params]:
    """A model's ``init``, compiled, by the words of a key; for many keys where asked.

    Where it has little to draw, optimizing the program in full would take longer than it saves.
    """

    def draw(words: UInt32[AnyArray, "2"]) -> Params:
        return init()(key_of(words))

    options = {"xla_backend_optimization_level": 1} if few() else None
    return jax.jit(jax.vmap(draw) if many() else draw, compiler_options=options)
