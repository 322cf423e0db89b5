"""The house: who may import whom, what an import costs, and what the README says."""

from __future__ import annotations

import ast
import doctest
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "funcnn"

# Imports go down only: a module may import from floors below its own.
FLOORS = [
    {"core", "reference"},
    {"checks", "plots", "precision"},
    {"files", "hyperparameters", "interrupts", "layers", "legendre", "losses", "randomness"},
    {"data", "forms", "models", "optimizers", "reporting", "weights"},
    {"experiments", "gram"},
    {"updates"},
    {"fitting"},
    {"chunks", "results", "shapes"},
    {"plans"},
    {"running"},
    {"references", "sweeps", "training"},
    {"reproductions"},
    {"bench", "reports"},
    {""},
    {"cli"},
    {"__main__"},
]
FLOOR_OF = {module: floor for floor, modules in enumerate(FLOORS) for module in modules}
FILES = sorted(PACKAGE.rglob("*.py"))


def part_of(path: Path) -> str:
    """The top-level part of the package that a file belongs to."""
    return path.relative_to(PACKAGE).with_suffix("").parts[0].replace("__init__", "")


def imports(path: Path):
    """The modules that a file imports, those inside functions too."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} has a relative import"
            if node.module == "funcnn":
                yield from (f"funcnn.{alias.name}" for alias in node.names)
            else:
                yield node.module


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_go_down_only(path):
    own = part_of(path)
    for name in imports(path):
        if name.split(".")[0] != "funcnn":
            continue
        other = name.split(".")[1] if "." in name else ""
        if other not in FLOOR_OF:  # a name of the package itself, such as funcnn.__version__
            other = ""
        if other != own:
            assert FLOOR_OF[other] < FLOOR_OF[own], f"{own} imports {other}"


def test_every_module_has_a_floor():
    assert {part_of(path) for path in FILES} == set(FLOOR_OF)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_torch_stays_in_the_references_and_the_peers(path):
    if part_of(path) not in {"reference", "bench"}:
        assert not [name for name in imports(path) if name.split(".")[0] == "torch"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_file_is_one_idea(path):
    assert len(path.read_text().splitlines()) <= 250


def modules_after(statement: str) -> set[str]:
    code = f"import sys; {statement}; print(' '.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_importing_funcnn_imports_no_more_than_jax_and_optax():
    added = modules_after("import funcnn") - modules_after("import jax, optax")
    roots = {name.split(".")[0] for name in added}
    assert roots - set(sys.stdlib_module_names) == {"funcnn"}


def test_the_benchmark_is_imported_when_it_is_asked_for():
    assert "funcnn.bench" not in modules_after("import funcnn, funcnn.cli")
    assert "funcnn.bench.tasks" in modules_after("import funcnn; funcnn.benchmark")


def test_importing_funcnn_computes_nothing():
    code = (
        "import jax, warnings; before = dict(jax.config.values); import funcnn; "
        "assert dict(jax.config.values) == before; "
        "from jax._src import xla_bridge; assert not xla_bridge._backends"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)


def test_public_names_are_there():
    import funcnn

    for name in funcnn.__all__:
        assert getattr(funcnn, name) is not None
    assert funcnn.__all__ == sorted(funcnn.__all__, key=lambda name: (name.islower(), name))


def test_the_readme_s_python_runs_and_prints_what_it_says(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = (ROOT / "README.md").read_text()
    blocks = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)
    assert len(blocks) >= 3
    test = doctest.DocTestParser().get_doctest("\n".join(blocks), {}, "README", "README.md", 0)
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    failures = doctest.DocTestRunner(optionflags=flags).run(test)
    assert failures.attempted > 10
    assert failures.failed == 0


def test_a_reference_without_pytorch_names_the_extra():
    code = "import sys; sys.modules['torch'] = None; import funcnn.reference.torch_sine"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "pip install 'funcnn[torch]'" in done.stderr
