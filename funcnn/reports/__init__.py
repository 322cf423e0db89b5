"""The report of reproductions: one page that needs no network and no JavaScript.

It needs the extra ``report``.
"""

from __future__ import annotations

import datetime
import importlib.metadata
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jax

from funcnn.core import MissingExtraError
from funcnn.files import require_place, write_whole
from funcnn.reports import code, figures

if TYPE_CHECKING:
    from funcnn.reproductions import Reproduction

__all__ = ["check_destination", "write"]


def write(reproductions: Sequence[Reproduction], directory: str | os.PathLike[str]) -> Path:
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
    path = check_destination(directory)
    page = _template().render(
        reproductions=reproductions,
        agreeing=sum(reproduction.agrees for reproduction in reproductions),
        versions=_versions(),
        device=jax.devices()[0].device_kind,
        date=datetime.date.today().isoformat(),
    )
    write_whole(path, lambda stream: stream.write(page.encode()))
    return path


def check_destination(directory: str | os.PathLike[str]) -> Path:
    """The page's path, its folder made; the errors of :func:`write` before anything has run."""
    _template()
    path = Path(directory) / "index.html"
    path.parent.mkdir(parents=True, exist_ok=True)
    return require_place(path)


def _template() -> Any:
    try:
        import jinja2
        import matplotlib  # noqa: F401
        import pygments  # noqa: F401
    except ImportError as error:
        raise MissingExtraError(str(error.name), "report") from None
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("funcnn.reports"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "call": code.call,
        "curves": figures.curves,
        "fit": figures.fit,
        "reference": code.reference,
        "source": code.source,
        "text": code.text,
    }
    environment.globals |= {"light": code.styles("tango"), "dark": code.styles("github-dark")}
    return environment.get_template("report.html")


def _versions() -> dict[str, str]:
    versions = {}
    for package in ("funcnn", "jax", "optax", "numpy", "torch"):
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions
