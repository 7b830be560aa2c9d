"""The examples in docstrings run, and the names that people use have one."""

from __future__ import annotations

import ast
import doctest
import importlib
import inspect
import io
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from docs_blocks import ROOT
from docs_recordings import speak
from live_server import live_server

import voiceprint
from voiceprint import SpeakerModel, Verifier, VoiceprintError
from voiceprint.client import Client
from voiceprint.corpus import Corpus, scan_corpus
from voiceprint.server.settings import ServerSettings

WITH_EXAMPLES = [
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    for path in sorted((ROOT / "voiceprint").rglob("*.py"))
    if ">>> " in path.read_text(encoding="utf-8")
]
ENROLLED = [f"{name}-{clip}" for name in ("ada", "bert") for clip in (1, 2, 3)]
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


@pytest.fixture
def fresh_names(
    recordings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[], dict[str, Any]]:
    """What an example may use, made anew for each; the index of the Python API says so to readers."""
    monkeypatch.chdir(tmp_path)
    for entry in ("people", "meeting.wav", "guest.wav", "door.wav", *(f"{name}.wav" for name in ENROLLED)):
        (tmp_path / entry).symlink_to(recordings / entry)
    model = SpeakerModel.open("default")
    everybody = scan_corpus("people").corpus
    corpus = Corpus(replace(each, speaker=each.path.parent.name, corpus="") for each in everybody)

    def make() -> dict[str, Any]:
        shutil.rmtree("enrollments", ignore_errors=True)
        shutil.copytree(recordings / "enrollments", "enrollments")
        return {
            "np": np,
            "clip": "door.wav",
            "clips": ["ada-1.wav", "ada-2.wav", "ada-3.wav"],
            "samples": speak("ada", 11),
            "corpus": corpus,
            "model": model,
            "verifier": Verifier("enrollments", model=model),
        }

    return make


@contextmanager
def served(module: str) -> Iterator[dict[str, Any]]:
    """What the examples of the client may use besides: a server of the same people."""
    if not module.startswith("voiceprint.client"):
        yield {}
        return
    settings = ServerSettings(store="enrollments")
    with live_server(settings) as server, Client(server.url, key=server.key) as client:
        yield {"url": server.url, "key": server.key, "client": client}


@pytest.mark.parametrize("module", WITH_EXAMPLES)
def test_the_examples_of_a_module_run(module: str, fresh_names: Callable[[], dict[str, Any]]) -> None:
    said = io.StringIO()
    runner = doctest.DocTestRunner(optionflags=FLAGS)
    for test in doctest.DocTestFinder(exclude_empty=True).find(importlib.import_module(module)):
        if test.examples:
            names = fresh_names()
            with served(module) as more:
                test.globs.update(names | more)
                runner.run(test, out=said.write)
            names["verifier"].close()
    assert runner.failures == 0, said.getvalue()
    assert runner.tries > 0


def test_no_example_is_left_out() -> None:
    assert [
        path for path in (ROOT / "voiceprint").rglob("*.py") if "doctest: +SKIP" in path.read_text("utf-8")
    ] == []


def test_every_name_of_the_front_page_has_an_example() -> None:
    named = {name: getattr(voiceprint, name) for name in voiceprint.__all__}
    classes = {name: each for name, each in named.items() if inspect.isclass(each)}
    used = {name: each for name, each in classes.items() if not issubclass(each, VoiceprintError)}
    without = {name for name, each in used.items() if ">>>" not in (each.__doc__ or "")}
    assert without <= {"SpeakerChanged"}  # told as SpeechBegan and Decided are


@pytest.mark.parametrize("room", ["audio.degrade", "corpus", "metrics", "scoring", "trials"])
def test_most_functions_that_people_call_have_an_example(room: str) -> None:
    offered = importlib.import_module(f"voiceprint.{room}")
    functions = [
        getattr(offered, name) for name in offered.__all__ if inspect.isfunction(getattr(offered, name))
    ]
    with_example = [each for each in functions if ">>>" in (each.__doc__ or "")]
    assert len(with_example) > 0.5 * len(functions)


FIRST_MET = ("audio", "backup", "calibration", "client", "metrics", "reports", "store")
SHOWN_ELSEWHERE = {
    "DiarizationReply",  # as RecordingReply
    "OptOutsReply",
    "Unmoved",
    "default_store_path",
    "fit_pooled",  # as pool_cells and fit_calibration
    "fit_snr",
    "render_page",  # of a whole evaluation
    "restore_backup",  # as RestoreReport
    "write_report",
}


@pytest.mark.parametrize("room", FIRST_MET)
def test_what_people_meet_first_has_an_example(room: str) -> None:
    offered = importlib.import_module(f"voiceprint.{room}")
    named = {name: getattr(offered, name) for name in offered.__all__}
    called = {name for name, each in named.items() if inspect.isfunction(each)}
    called |= {
        name for name, each in named.items() if inspect.isclass(each) and not issubclass(each, Exception)
    }
    assert {name for name in called if ">>>" not in (named[name].__doc__ or "")} <= SHOWN_ELSEWHERE


def test_examples_stand_under_their_heading() -> None:
    for module in WITH_EXAMPLES:
        path = ROOT / Path(*module.split("."))
        path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                text = ast.get_docstring(node) or ""
                assert ">>>" not in text or "Examples\n--------\n" in text, f"{module}.{node.name}"
