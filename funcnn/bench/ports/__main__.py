"""Planted mistakes and right ports, compared: ``python -m funcnn.bench.ports``.

It exits with 1 where a right port is accused, or a mistake is not located.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

import click
from tqdm import tqdm

from funcnn.bench.ports.case import Case
from funcnn.bench.ports.planted import CASES
from funcnn.interop import Comparison

__all__ = ["main"]


@click.command()
@click.option("--only", metavar="WORDS", help="The cases with these words in their names.")
@click.option("--say", is_flag=True, help="Print what each comparison says.")
def main(only: str | None, say: bool) -> None:
    """Compare ports with planted mistakes, and right ones, with their originals."""
    from funcnn.bench.ports.right import RIGHT

    cases = [case for case in CASES if only is None or only in case.name]
    rights = [one for one in RIGHT if only is None or only in one.name]
    found = []
    for case in tqdm(cases, unit="port", leave=False):
        comparison = case.compared()
        found.append((case, comparison))
        tqdm.write(f"{_verdict(case, comparison):<10}{case.name:<42}{comparison!r}")
        if say:
            tqdm.write(f"{comparison}\n")
    accused = 0
    for one in tqdm(rights, unit="port", leave=False):
        comparison = one.compared()
        accused += not comparison.agrees
        tqdm.write(f"{'agrees' if comparison.agrees else 'ACCUSED':<10}{one.name:<42}")
        if say or not comparison.agrees:
            tqdm.write(f"{comparison}\n")
    click.echo(table(found, len(rights), accused))
    missed = sum(not case.is_located(comparison) for case, comparison in found)
    sys.exit(bool(accused or missed))


def table(found: Sequence[tuple[Case, Comparison]], rights: int, accused: int) -> str:
    """The counts."""
    lines = [
        "| ports | number | located (stage and part) | named (cause) |",
        "|---|---|---|---|",
    ]
    for words, listed in (("common mistakes", True), ("other mistakes", False)):
        of_kind = [(case, one) for case, one in found if case.listed is listed]
        located = sum(case.is_located(one) for case, one in of_kind)
        named = sum(case.is_named(one) for case, one in of_kind if case.words)
        lines.append(f"| {words} | {len(of_kind)} | {located} | {named} |")
    lines.append(f"| right ports | {rights} | {accused} accused | |")
    return "\n".join(lines)


def _verdict(case: Case, found: Comparison) -> str:
    if case.is_named(found) and case.words:
        return "named"
    return "located" if case.is_located(found) else "MISSED"


if __name__ == "__main__":
    main()
