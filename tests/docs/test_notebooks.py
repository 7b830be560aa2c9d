"""The notebooks run from a fresh kernel, draw their plots, and are committed without what they print."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib
import nbformat
import pytest
from docs_blocks import ROOT, reader_environment
from nbclient import NotebookClient

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
PLOTS = {"enroll-and-verify": 2, "five-speakers": 3, "which-threshold": 2}


def read(path: Path) -> Any:
    return nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]


def test_each_notebook_is_known() -> None:
    assert [path.stem for path in NOTEBOOKS] == sorted(PLOTS)


def run(path: Path, folder: Path, **more: str) -> list[Any]:
    """Run a notebook from a fresh kernel; return its outputs, of which none is an error."""
    notebook = read(path)
    environment = {
        **reader_environment(folder),
        "JUPYTER_RUNTIME_DIR": str(folder / ".runtime"),
        "MPLCONFIGDIR": matplotlib.get_configdir(),
    }
    client = NotebookClient(notebook, timeout=280, resources={"metadata": {"path": str(folder)}})
    client.execute(env={**environment, **more})
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    assert not [
        output for output in outputs if output.output_type == "error" or output.get("name") == "stderr"
    ]
    assert sum("image/png" in output.get("data", {}) for output in outputs) == PLOTS[path.stem]
    return outputs


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs(path: Path, tmp_path: Path) -> None:
    outputs = run(path, tmp_path)
    if path.stem == "enroll-and-verify":
        shown = [output.data["text/html"] for output in outputs if "text/html" in output.get("data", {})]
        assert ["3 of 3 clips" in shown[0], ": accepted" in shown[1], ": rejected" in shown[2]] == [True] * 3


@pytest.mark.corpora
def test_the_classifier_learns_the_five_speakers_of_the_corpus(corpora: Path, tmp_path: Path) -> None:
    outputs = run(ROOT / "notebooks/five-speakers.ipynb", tmp_path, VOICEPRINT_CORPORA=str(corpora))
    assert any(output.get("data", {}).get("text/plain") == "(150, 50)" for output in outputs)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_committed_as_it_was_written(path: Path) -> None:
    notebook = read(path)
    nbformat.validate(notebook)
    for cell in notebook.cells:
        assert not cell.get("outputs"), "clear the outputs: they hold figures that nobody printed again"
        assert cell.get("execution_count") is None
