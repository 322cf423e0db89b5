"""Code as a page shows it: what is found by name, and the call of an experiment."""

from __future__ import annotations

import ast
import inspect
import pkgutil
from typing import TYPE_CHECKING

from funcnn.atlas.pair import Pair

if TYPE_CHECKING:
    from markupsafe import Markup

__all__ = ["call", "highlighted", "source", "styles", "text"]


def source(name: str) -> Markup:
    """The source of ``"module:function"`` or ``"module"``, of each docstring the first sentence."""
    return highlighted(_abridged(inspect.getsource(pkgutil.resolve_name(name))))


def call(reproduction: Pair) -> Markup:
    """The call of ``train`` that an experiment stands for, every argument written out."""
    record = reproduction.experiment
    arguments = {
        "loss": record.loss,
        "gradient": record.gradient,
        "optimizer": record.optimizer,
        "learning_rate": record.learning_rate,
        "steps": len(reproduction.losses),
        "dtype": reproduction.result.dtype,
        "seed": reproduction.seed,
    }
    lines = [f"    {name}={value!r},".replace("'", '"') for name, value in arguments.items()]
    head = f'    "{record.model}",\n    (x, y),\n    params=params,'
    return highlighted("\n".join(["funcnn.train(", head, *lines, ")"]))


def text(words: str) -> Markup:
    """A sentence in which backquotes mark code."""
    from markupsafe import Markup, escape

    parts = words.split("`")
    marked = [
        Markup("<code>{}</code>").format(part) if index % 2 else escape(part)
        for index, part in enumerate(parts)
    ]
    return Markup("").join(marked)


def styles(name: str) -> Markup:
    """The rules that colour code, in one of Pygments' styles."""
    from markupsafe import Markup
    from pygments.formatters import HtmlFormatter

    formatter = HtmlFormatter(style=name, nobackground=True)
    return Markup(formatter.get_style_defs(".highlight"))


def highlighted(python: str) -> Markup:
    """Python in colours."""
    import pygments
    from markupsafe import Markup
    from pygments.formatters import HtmlFormatter
    from pygments.lexers import PythonLexer

    return Markup(pygments.highlight(python, PythonLexer(), HtmlFormatter()))


def _abridged(python: str) -> str:
    lines = python.splitlines(keepends=True)
    for node in ast.walk(ast.parse(python)):
        if not isinstance(node, (ast.FunctionDef, ast.ClassDef, ast.Module)):
            continue
        first, last = node.body[0].lineno, node.body[0].end_lineno or 0
        if ast.get_docstring(node) is not None and last > first:
            lines[first - 1] = lines[first - 1].rstrip() + '"""\n'
            lines[first:last] = [""] * (last - first)
    return "".join(lines)
