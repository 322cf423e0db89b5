"""The annotations: they can be read at run time, and they say what is so."""

from __future__ import annotations

import ast
import inspect
import os
import subprocess
import sys
import types
import typing
from pathlib import Path

import pytest

import funcnn

HERE = Path(__file__).parent
FILES = sorted((HERE.parent / "funcnn").rglob("*.py"))
OPTIONAL = {"markupsafe", "matplotlib", "pandas", "torch"}
# They import what few programs need when it is asked for.
LAZY = {
    HERE.parent / "funcnn" / name
    for name in ("__init__.py", "cli/benchmarking.py", "interop/__init__.py")
}


def public(thing, name):
    """Every class, function and method that a name stands for, and those inside it."""
    if isinstance(thing, types.ModuleType):
        for inner in thing.__all__:
            yield from public(getattr(thing, inner), f"{name}.{inner}")
    elif inspect.isclass(thing):
        yield name, thing
        for inner, member in vars(thing).items():
            if not inner.startswith("_") or inner in ("__init__", "__call__", "__new__"):
                yield from public(unwrapped(member), f"{name}.{inner}")
    elif callable(thing) and getattr(thing, "__module__", "").startswith("funcnn"):
        yield name, thing


def unwrapped(member):
    """The function behind a property or a class method."""
    if isinstance(member, property):
        return member.fget
    return getattr(member, "__func__", member)


PUBLIC = dict(public(funcnn, "funcnn"))


def test_annotations_can_be_read():
    for name, thing in PUBLIC.items():
        hints = typing.get_type_hints(thing)
        if inspect.isfunction(thing) and not name.endswith(".__new__"):
            named = inspect.signature(thing).parameters.keys() - {"self", "cls"}
            assert named | {"return"} <= hints.keys(), name


def test_what_is_public_was_found():
    assert {
        "funcnn.train",
        "funcnn.benchmark",
        "funcnn.Reproduction",
        "funcnn.TrainResult.predict",
        "funcnn.TrainResult.formula",
        "funcnn.SweepResult.to_pandas",
        "funcnn.models.mlp.apply",
        "funcnn.models.legendre.p3",
        "funcnn.optimizers.Optimizer",
        "funcnn.optimizers.schedules.Schedule.__call__",
        "funcnn.plots.bands",
    } <= PUBLIC.keys()


def test_only_optional_packages_are_imported_for_type_checkers_alone():
    for path in FILES:
        hidden = {
            module.split(".")[0]
            for block in ast.walk(ast.parse(path.read_text()))
            if isinstance(block, ast.If) and ast.unparse(block.test) == "TYPE_CHECKING"
            for node in block.body
            for module in (
                [node.module]
                if isinstance(node, ast.ImportFrom)
                else [alias.name for alias in getattr(node, "names", ())]
            )
        }
        assert hidden <= OPTIONAL | ({"funcnn"} if path in LAZY else set()), path


@pytest.mark.slow
def test_annotations_say_what_is_so():
    pytest.importorskip("beartype")
    flags = "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true"
    done = subprocess.run(
        [sys.executable, HERE / "typed_runs.py"],
        env=os.environ | {"XLA_FLAGS": flags},  # It compiles much and computes little.
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-5000:]
