"""Programs that do the same where some of their inputs are zeros."""

from __future__ import annotations

import pytest

pytest.importorskip("torch")

from funcnn.interop.torch.program import Instruction, Kind, Program, Value
from funcnn.interop.torch.sameness import is_same_from_zeros

KIND = Kind((3,), "float32")


def instruction(operation, *arguments, **options):
    return Instruction(operation, arguments, options, KIND)


def program(inputs, *instructions, outputs=1):
    last = inputs + len(instructions)
    return Program(inputs, (), instructions, tuple(Value(last - 1 - one) for one in range(outputs)))


# What an optimizer remembers, m, becomes 0.9 m + g; then of the gradient g alone, m made at first.
FOLLOWING = program(
    2,
    instruction("mul", Value(0), 0.9),
    instruction("add", Value(2), Value(1)),
)


def first(operation="full", fill=0.0, factor=0.9):
    made = [fill] if operation == "full" else []
    return program(
        1,
        instruction(operation, [3], *made),
        instruction("clone", Value(1)),
        instruction("mul", Value(2), factor),
        instruction("add", Value(3), Value(0)),
    )


@pytest.mark.parametrize("made", [{}, {"fill": 0}, {"operation": "zeros"}])
def test_zeros_that_are_made_are_zeros_that_are_given(made):
    assert is_same_from_zeros(first(**made), FOLLOWING, {0: KIND})


def test_what_is_added_to_zeros_stays_as_it_is():
    """As SGD's momentum starts: with the gradient itself, and later as 0.9 m + g."""
    gradient = instruction("neg", Value(0))
    other = instruction("neg", Value(1)), instruction("mul", Value(0), 0.9)
    whole = program(2, *other, instruction("add", Value(3), Value(2)))
    less = program(2, *other, instruction("add", Value(3), Value(2), alpha=0.5))
    one = program(1, gradient, instruction("clone", Value(1)))
    assert is_same_from_zeros(one, whole, {0: KIND})
    assert not is_same_from_zeros(one, less, {0: KIND})


@pytest.mark.parametrize(
    ("one", "zeros"),
    [
        (first(fill=1.0), {0: KIND}),
        (first(fill=-0.0), {0: KIND}),
        (first(), {0: Kind((3,), "float64")}),
        (first(), {1: KIND}),
        (first(), {}),
        (program(1, instruction("clone", Value(0))), {0: KIND}),
    ],
)
def test_all_else_is_not_the_same(one, zeros):
    assert not is_same_from_zeros(one, FOLLOWING, zeros)


def test_another_draw_is_not_the_same():
    draws = [instruction("rand_like", Value(0))._replace(draw=draw) for draw in (0, 1)]
    one, other = (program(1, draw) for draw in draws)
    assert is_same_from_zeros(one, one, {})
    assert not is_same_from_zeros(one, other, {})
