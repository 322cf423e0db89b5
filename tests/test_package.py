"""The house: who may import whom, what an import costs, and what the README says."""

from __future__ import annotations

import ast
import doctest
import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "funcnn"

# Imports go one way: a wing may import from those before it. The empty name is funcnn itself.
WINGS = (
    "signals",
    "core",
    "plots",
    "losses",
    "metrics",
    "optimizers",
    "models",
    "data",
    "checkpoints",
    "loop",
    "experiments",
    "runs",
    "callbacks",
    "atlas",
    "interop",
    "bench",
    "",
    "cli",
    "__main__",
)

# Where PyTorch may be imported: a folder, or the beginning of a file's name.
TORCH = (
    "atlas/reference/",
    "bench/kernels.py",
    "bench/modules/",
    "bench/peers/",
    "bench/ports/",
    "bench/torch_",
    "interop/",
)

# What importing funcnn imports beside what jax and optax do; jaxtyping needs wadler_lindig.
IMPORTED = {"funcnn", "jaxtyping", "numpy", "wadler_lindig"}


def module_of(path: Path) -> str:
    """The name that a file is imported by."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


FILES = {module_of(path): path for path in sorted(PACKAGE.rglob("*.py"))}


def wing_of(module: str) -> str:
    """The wing that a module stands in; nothing for funcnn itself and its own names."""
    parts = module.split(".")
    inside = len(parts) > 1 and (module in FILES or f"funcnn.{parts[1]}" in FILES)
    return parts[1] if inside else ""


def imports(path: Path) -> set[str]:
    """The modules that a file imports, those inside functions too."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} has a relative import"
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            modules = names & FILES.keys()
            found |= modules if modules == names else modules | {str(node.module)}
    return found


IMPORTS = {module: imports(path) for module, path in FILES.items()}


def reached(graph: dict[str, set[str]], start: str) -> set[str]:
    """What can be reached from a node in one step or more."""
    found, ahead = set(), list(graph.get(start, ()))
    while ahead:
        node = ahead.pop()
        if node not in found:
            found.add(node)
            ahead += graph.get(node, ())
    return found


def circles(graph: dict[str, set[str]]) -> list[list[str]]:
    """The groups of nodes that can all be reached from one another."""
    ways = {node: reached(graph, node) for node in graph}
    groups = {
        frozenset(other for other in ways[node] if node in ways.get(other, ()))
        for node in graph
        if node in ways[node]
    }
    return sorted(sorted(group) for group in groups)


def test_every_module_stands_in_a_wing():
    tops = {path.stem if path.suffix else path.name for path in PACKAGE.iterdir()}
    modules = {wing_of(module) for module in FILES}
    assert modules <= set(WINGS) | {name for name in tops if name.startswith("_")}


def test_imports_go_one_way_only():
    for module in FILES:
        own = wing_of(module)
        for other in IMPORTS[module]:
            if other.split(".")[0] == "funcnn" and wing_of(other) != own:
                assert WINGS.index(wing_of(other)) < WINGS.index(own), f"{module} imports {other}"


@pytest.mark.parametrize("wing", WINGS)
def test_no_files_of_a_wing_import_one_another_in_a_circle(wing):
    inside = {module for module in FILES if wing_of(module) == wing}
    graph = {module: IMPORTS[module] & inside for module in inside}
    assert circles(graph) == []


def test_the_commands_import_public_names_alone():
    wholes = {"funcnn.atlas.report", "funcnn.core.checks"}
    for module in FILES:
        if wing_of(module) == "cli":
            for other in IMPORTS[module] - wholes:
                inner = other.startswith("funcnn.") and not other.startswith("funcnn.cli")
                assert not inner or other.count(".") == 1, f"{module} imports {other}"


def test_circles_are_found():
    graph = {"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": {"d", "a"}, "e": {"elsewhere"}}
    assert circles(graph) == [["b", "c"], ["d"]]


@pytest.mark.parametrize("wing", [wing for wing in WINGS if f"funcnn.{wing}" in FILES])
def test_a_wing_says_what_is_public(wing):
    if wing == "__main__":
        return
    module = importlib.import_module(f"funcnn.{wing}")
    assert module.__doc__
    assert module.__all__
    assert all(hasattr(module, name) for name in module.__all__)


def test_torch_stays_where_pytorch_is_compared_with():
    for module, path in FILES.items():
        if not path.relative_to(PACKAGE).as_posix().startswith(TORCH):
            assert "torch" not in {name.split(".")[0] for name in IMPORTS[module]}, module


def modules_after(statement: str) -> set[str]:
    code = f"import sys; {statement}; print(' '.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_importing_funcnn_imports_no_more_than_its_dependencies():
    added = modules_after("from funcnn import train") - modules_after("import jax, optax")
    roots = {name.split(".")[0] for name in added}
    assert roots - set(sys.stdlib_module_names) <= IMPORTED


def test_importing_funcnn_alone_imports_nothing_large():
    added = modules_after("import funcnn.__main__") - modules_after("pass")
    roots = {name.split(".")[0] for name in added}
    assert roots - set(sys.stdlib_module_names) == {"funcnn"}


@pytest.mark.slow
def test_what_few_programs_need_is_imported_when_it_is_asked_for():
    plain = modules_after("import funcnn, funcnn.cli.training")
    assert "funcnn.bench" not in plain
    assert "funcnn.bench.tasks" in modules_after("import funcnn; funcnn.benchmark")
    assert "funcnn.atlas" not in modules_after("import funcnn; funcnn.train")
    asked = "import funcnn; funcnn.Reproduction, funcnn.reproduce"
    assert "funcnn.atlas.reproduction" in modules_after(asked)


def test_importing_funcnn_computes_nothing():
    code = (
        "import jax, warnings; before = dict(jax.config.values); import funcnn; "
        "[getattr(funcnn, name) for name in funcnn.__all__]; "
        "assert dict(jax.config.values) == before; "
        "from jax._src import xla_bridge; assert not xla_bridge._backends"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)


def test_public_names_are_there():
    import funcnn

    for name in funcnn.__all__:
        assert getattr(funcnn, name) is not None
    assert funcnn.__all__ == sorted(funcnn.__all__, key=lambda name: (name.islower(), name))


def test_an_unknown_name_is_an_attribute_error():
    import funcnn

    with pytest.raises(AttributeError, match="has no attribute 'trane'"):
        funcnn.trane  # noqa: B018


def test_the_readme_s_python_runs_and_prints_what_it_says(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = (ROOT / "README.md").read_text()
    blocks = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)
    assert len(blocks) >= 3
    if importlib.util.find_spec("torch") is None:
        blocks = [block for block in blocks if "import torch" not in block]
    test = doctest.DocTestParser().get_doctest("\n".join(blocks), {}, "README", "README.md", 0)
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    failures = doctest.DocTestRunner(optionflags=flags).run(test)
    assert failures.attempted > 10
    assert failures.failed == 0


def test_a_reference_without_pytorch_names_the_extra():
    code = "import sys; sys.modules['torch'] = None; import funcnn.atlas.reference.torch_sine"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "pip install 'funcnn[torch]'" in done.stderr
