"""The notebooks run from top to bottom, and so do the answers to their exercises."""

from __future__ import annotations

import importlib.util
import os
import re
from pathlib import Path

import nbclient
import nbformat
import pytest

NOTEBOOKS = sorted((Path(__file__).parent.parent / "notebooks").glob("*.ipynb"))
HAS_TORCH = importlib.util.find_spec("torch") is not None


def test_each_chapter_has_a_number_of_its_own():
    numbers = [int(path.name.split("_")[0]) for path in NOTEBOOKS]
    assert len(set(numbers)) == len(numbers)
    assert sorted(numbers) == list(range(1, 12))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_the_form_of_a_chapter(path):
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    assert len(notebook.cells) < 25
    first = "\n".join(cell.source for cell in notebook.cells[:2])
    assert first.startswith("# ")
    assert "you will know" in first
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    outputs = [output for cell in code for output in cell.outputs]
    assert any("image/png" in output.get("data", {}) for output in outputs)
    assert not [output for output in outputs if output.get("name") == "stderr"]
    sources = "\n".join(cell.source for cell in code)
    assert "import torch" in sources
    assert "import funcnn" in sources
    assert answer(notebook)


@pytest.mark.slow
@pytest.mark.skipif(not HAS_TORCH, reason="the notebooks show PyTorch beside JAX")
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_chapter_runs(path, tmp_path, monkeypatch):
    monkeypatch.setitem(os.environ, "MPLBACKEND", "module://matplotlib_inline.backend_inline")
    monkeypatch.setitem(os.environ, "TQDM_DISABLE", "1")  # A slow machine would show a bar.
    notebook = nbformat.read(path, as_version=4)
    stored = [printed(cell) for cell in notebook.cells]
    notebook.cells.append(nbformat.v4.new_code_cell(answer(notebook)))
    resources = {"metadata": {"path": str(tmp_path)}}
    nbclient.NotebookClient(notebook, timeout=200, resources=resources).execute()
    errors = [
        output
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        if output.get("name") == "stderr" or output.output_type == "error"
    ]
    assert not errors
    assert [printed(cell) for cell in notebook.cells[:-1]] == stored


def printed(cell: nbformat.NotebookNode) -> str:
    """What a cell prints and shows, but for numbers and spaces."""
    parts = [
        output.get("text") or output.get("data", {}).get("text/plain", "")
        for output in cell.get("outputs", [])
    ]
    return re.sub(r"[\d.]+(e[+-]?\d+)?|[\s-]+", "#", "".join(parts))


def answer(notebook: nbformat.NotebookNode) -> str:
    """The Python of the exercise's answer, which is folded away in the last cell."""
    details = notebook.cells[-1].source.split("<details>")[1]
    assert "<summary>" in details
    assert details.rstrip().endswith("</details>")
    return "\n".join(re.findall(r"```python\n(.*?)```", details, flags=re.DOTALL))
