"""The reports of reproductions: pages that need no network and no JavaScript.

They need the extra ``report``.
"""

from __future__ import annotations

import datetime
import importlib
import importlib.metadata
import os
import platform
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax

from funcnn.atlas.lessons import lesson_of
from funcnn.atlas.pair import Pair
from funcnn.atlas.report import code, figures
from funcnn.core import ArgumentError, MissingExtraError
from funcnn.data.files import require_place, write_whole

__all__ = ["check_destination", "environment_of", "facts", "write", "write_one"]

LOOP = ("funcnn.loop.fit:loop", "funcnn.loop.gradient:gradient_step")
"""What all experiments share: the loop, and what a step of it computes."""


def write(reproductions: Sequence[Pair], directory: str | os.PathLike[str]) -> Path:
    """Write ``index.html``: an overview, and for each experiment both codes and both curves.

    Args:
        reproductions: what ``reproduce`` gave, in the order of the page.
        directory: where to write; made where it is missing.

    Returns:
        The page's path.

    Raises:
        MissingExtraError: where Jinja, Pygments or matplotlib is missing.
        ArgumentError, OSError: where the page cannot be written.
    """
    return _written(
        directory,
        "report.html",
        reproductions=reproductions,
        agreeing=sum(reproduction.agrees for reproduction in reproductions),
        facts=_facts(reproductions),
        shared=LOOP,
    )


def write_one(reproduction: Pair, directory: str | os.PathLike[str]) -> Path:
    """Write ``index.html`` of one reproduction: its figures, both codes and both curves.

    Args:
        reproduction: what ``reproduce`` gave, of an experiment or of a module.
        directory: as of ``write``, which returns and raises the same.
    """
    return _written(directory, "one.html", one=reproduction, facts=_facts([reproduction]))


def _written(directory: str | os.PathLike[str], template: str, **given: Any) -> Path:
    path = check_destination(directory)
    page = _template(template).render(**given)
    write_whole(path, lambda stream: stream.write(page.encode()))
    return path


def check_destination(directory: str | os.PathLike[str]) -> Path:
    """The page's path, its folder made; the errors of :func:`write` before anything has run."""
    for package in ("jinja2", "matplotlib", "pygments"):
        try:
            importlib.import_module(package)
        except ImportError:
            raise MissingExtraError(package, "report") from None
    folder = Path(directory)
    if not str(directory) or (folder.exists() and not folder.is_dir()):
        raise ArgumentError(f"{str(directory)!r} is no folder to write a report in")
    folder.mkdir(parents=True, exist_ok=True)
    return require_place(folder / "index.html")


def _template(name: str) -> Any:
    environment = environment_of("funcnn.atlas.report")
    environment.filters |= {
        "call": code.call,
        "curves": figures.curves,
        "fit": figures.fit,
        "highlighted": code.highlighted,
        "lesson": lesson_of,
        "source": code.source,
        "thinned": figures.thinned,
        "text": code.text,
    }
    return environment.get_template(name)


def environment_of(package: str) -> Any:
    """Jinja's environment for the templates of a package, with the style of this one's pages."""
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.ChoiceLoader(
            [jinja2.PackageLoader(one) for one in dict.fromkeys((package, __name__))]
        ),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals |= {"light": code.styles("tango"), "dark": code.styles("github-dark")}
    return environment


def _facts(reproductions: Sequence[Pair]) -> list[str]:
    """Under which conditions the pairs ran."""
    kinds = {f"{one.result.dtype}, seed {one.seed}" for one in reproductions}
    return [
        *sorted(kinds),
        *facts(),
    ]


def facts() -> list[str]:
    """On which day, which machine and with which packages a page is made."""
    return [
        datetime.date.today().isoformat(),
        f"{jax.devices()[0].device_kind}, {os.cpu_count()} cores, {platform.machine()}",
        f"Python {platform.python_version()}",
        *(f"{package} {version}" for package, version in _versions().items()),
    ]


def _versions() -> dict[str, str]:
    versions = {}
    for package in ("funcnn", "jax", "optax", "numpy", "torch"):
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions
