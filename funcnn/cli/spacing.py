"""Numbers between two ends, as a person would write them: 1e-07, 1e-05, 0.001.

They are the same on every processor, which floats are not: a logarithm or a power of floats
rounds as the processor's library has it. Here decimals are computed with, whose every rounding
is specified.
"""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Context, Decimal, localcontext
from itertools import accumulate, repeat
from operator import mul

__all__ = ["spaced"]

EXACT = Context(prec=50, rounding=ROUND_HALF_EVEN)
WRITTEN = Context(prec=15, rounding=ROUND_HALF_EVEN)
"""The digits that are computed with, and those that are kept: a float holds 15 of any number."""


def spaced(low: str, high: str, spacing: str, count: int) -> list[float]:
    """``count`` numbers from ``low`` to ``high``.

    Args:
        low: the first number, as text: what was written, not the float next to it.
        high: the last number, as text; it may be below ``low``.
        spacing: ``"log"`` for equal ratios, where both ends are above 0, or ``"lin"`` for
            equal distances.
        count: how many; the first alone where it is 1.

    Returns:
        ``float(low)`` and ``float(high)``, and between them numbers of 15 digits.

    >>> spaced("1e-7", "1e-3", "log", 3), spaced("1e-3", "1e-7", "log", 3)
    ([1e-07, 1e-05, 0.001], [0.001, 1e-05, 1e-07])
    >>> spaced("0.1", "0.7", "lin", 7)
    [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7]
    >>> spaced("1", "2", "log", 5)
    [1.0, 1.18920711500272, 1.4142135623731, 1.68179283050743, 2.0]
    """
    first, last = float(low), float(high)
    if count == 1:
        return [first]
    between = _geometric if spacing == "log" else _linear
    with localcontext(EXACT):
        numbers = [float(WRITTEN.plus(x)) for x in between(Decimal(low), Decimal(high), count)]
    # An end has all the digits that were written: 15 digits of a number near it may lie outside.
    smallest, largest = min(first, last), max(first, last)
    return [first, *(min(max(x, smallest), largest) for x in numbers), last]


def _geometric(low: Decimal, high: Decimal, count: int) -> list[Decimal]:
    """The numbers between the ends. 2**20 products lose 7 of the 50 digits at most."""
    ratio = ((high / low).ln() / (count - 1)).exp()
    return list(accumulate(repeat(ratio, count - 2), mul, initial=low))[1:]


def _linear(low: Decimal, high: Decimal, count: int) -> list[Decimal]:
    """The numbers between the ends, each computed on its own."""
    width = high - low
    return [low + width * step / (count - 1) for step in range(1, count - 1)]
