"""The notebooks run over a simulated month, are kept without outputs, and leave the numbers to analyzer.metrics."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

from tests.month import NOTICE

FOLDER = Path(__file__).parents[2] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))


def cells(path: Path) -> list[Any]:
    return [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.name)
def test_it_is_kept_without_outputs(path: Path) -> None:
    nbformat.validate(nbformat.read(path, as_version=4))
    assert [c.outputs for c in cells(path) if c.outputs] == []
    assert [c.execution_count for c in cells(path) if c.execution_count] == []


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.name)
def test_it_does_not_divide(path: Path) -> None:
    tree = ast.parse("\n".join(c.source for c in cells(path)))
    assert not any(isinstance(node, ast.Div | ast.FloorDiv) for node in ast.walk(tree))


def test_the_first_look_runs_says_that_it_is_simulated_and_ends_at_the_raw_mail(month: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAILHEALTH_STORE", str(month))
    book = nbformat.read(FOLDER / "first-look.ipynb", as_version=4)
    NotebookClient(book, timeout=120, resources={"metadata": {"path": str(FOLDER)}}).execute()
    outputs = [output for cell in book.cells if cell.cell_type == "code" for output in cell.outputs]
    text = "\n".join(str(o.get("text") or o.get("data", {}).get("text/plain", "")) for o in outputs)
    assert NOTICE in text
    assert "Of 80 failures" in text
    assert "Return-Path: <>" in text
    assert sum(any("vegalite" in kind for kind in o.get("data", {})) for o in outputs) + text.count("alt.") >= 2
    assert not any(o.output_type == "stream" and o.name == "stderr" and "Error" in o.text for o in outputs)
