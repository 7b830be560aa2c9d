"""``voiceprint liveness``, and ``--liveness`` of the commands that accept a voice."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from tiny_countermeasure import inverted
from typer.testing import CliRunner

from voiceprint.cli import app
from voiceprint.countermeasure import packaged_countermeasure
from voiceprint.engine.verifier import Verifier

runner = CliRunner()
Voice = Callable[..., NDArray[np.float32]]


@pytest.fixture(autouse=True)
def _enrolled(monkeypatch: pytest.MonkeyPatch, model_folder: Path, people: Path) -> None:
    """Enroll ada and bert in the default store, and make the tiny model the default."""
    monkeypatch.setenv("VOICEPRINT_MODEL", str(model_folder))
    with Verifier(model=model_folder) as verifier:
        for name in ("ada", "bert"):
            verifier.enroll(name, [people / name / f"{clip}.wav" for clip in range(3)])


@pytest.fixture
def clips(tmp_path: Path, wav: Callable[..., Path], voice: Voice) -> dict[str, str]:
    """A clip of ada, of a machine with her voice, and one that is too short for either."""
    made = {
        "live": voice("ada", 70),
        "machine": inverted(voice("ada", 71)),
        "short": voice("ada", 72, 0.4),
    }
    return {name: str(wav(tmp_path / f"{name}.wav", samples)) for name, samples in made.items()}


def run(*arguments: str) -> Any:
    return runner.invoke(app, list(arguments))


@pytest.mark.parametrize(
    ("names", "code"),
    [
        (["live"], 0),
        (["machine"], 1),
        (["short"], 2),
        (["live", "machine"], 1),
        (["live", "short"], 3),
        (["machine", "short"], 3),
        (["live", "missing"], 3),
        (["missing"], 2),
    ],
)
def test_the_exit_code_says_whether_every_clip_is_live(
    clips: dict[str, str], countermeasure: Path, tmp_path: Path, names: list[str], code: int
) -> None:
    paths = [clips.get(name, str(tmp_path / "missing.wav")) for name in names]
    result = run("liveness", *paths, "--countermeasure", str(countermeasure))
    assert result.exit_code == code, result.output
    assert ("missing.wav" in result.stderr) == ("missing" in names)


def test_a_table_says_what_each_clip_sounds_like(clips: dict[str, str], countermeasure: Path) -> None:
    told = run(
        "liveness", clips["live"], clips["machine"], clips["short"], f"--countermeasure={countermeasure}"
    )
    lines = told.stdout.splitlines()
    assert "live" in lines[-3] and "synthetic" not in lines[-3]
    assert "spoofed" in lines[-2] and "synthetic" in lines[-2]
    assert "not enough speech" in lines[-1]
    twice = run("liveness", clips["live"], clips["live"], "--countermeasure", str(countermeasure))
    assert twice.stdout.count(clips["live"]) == 2
    one = run("liveness", clips["machine"], "--countermeasure", str(countermeasure))
    assert "does not sound like somebody speaking live" in one.stdout


def test_json_has_what_the_library_says(clips: dict[str, str], countermeasure: Path) -> None:
    result = run("liveness", *clips.values(), "--countermeasure", str(countermeasure), "--json")
    document = json.loads(result.stdout)
    assert document["spoof_far"] == 0.01
    live, machine, short = document["clips"]
    assert (live["decision"], live["spoof"]["kind"]) == ("live", None)
    assert list(machine["spoof"]) == ["score", "llr", "threshold", "kind"]
    assert machine["spoof"]["score"] < machine["spoof"]["threshold"]
    assert (short["decision"], short["spoof"]) == ("not_enough_speech", None)


@pytest.mark.parametrize("question", [["verify", "ada"], ["identify"], ["listen", "--claim", "ada"]])
def test_a_machine_is_let_in_only_where_nobody_asks(
    clips: dict[str, str], countermeasure: Path, question: list[str]
) -> None:
    ask = [*question, clips["machine"]]
    named = ["--countermeasure", str(countermeasure)]
    for asked in (["--liveness"], ["--spoof-far", "0.01"], ["--liveness", "--spoof-far", "0.05"]):
        refused = run(*ask, *asked, *named)
        assert refused.exit_code == 1, refused.output
        assert "spoofed" in refused.stdout
        assert "does not sound like somebody speaking live" in refused.stdout
    assert run(*ask).exit_code == 0
    let_in = run(*question, clips["live"], "--liveness", *named)
    assert let_in.exit_code == 0
    assert question[0] == "listen" or "sounds like somebody speaking live" in let_in.stdout


def test_a_verdict_in_json_has_the_countermeasures(clips: dict[str, str], countermeasure: Path) -> None:
    asked = ["--liveness", "--countermeasure", str(countermeasure), "--json"]
    answer = json.loads(run("verify", "ada", clips["machine"], *asked).stdout)
    assert (answer["decision"], answer["accepted"], answer["spoof"]["kind"]) == (
        "spoofed",
        False,
        "synthetic",
    )
    assert answer["replay"] is None


def test_a_machines_clip_makes_no_voiceprint(clips: dict[str, str], countermeasure: Path) -> None:
    named = ["--liveness", "--countermeasure", str(countermeasure), "--min-speech", "1"]
    result = run("enroll", "edda", clips["live"], clips["machine"], *named)
    assert result.exit_code == 0, result.output
    assert "1 clip set aside" in result.stdout and "speaking live" in result.stdout
    assert run("enroll", "frida", clips["machine"], *named).exit_code == 2


@pytest.mark.parametrize("rate", ["0", "0.5", "nan", "-1"])
@pytest.mark.parametrize("question", [["verify", "ada"], ["identify"], ["liveness"]])
def test_a_rate_out_of_range_is_an_error_of_its_option(
    clips: dict[str, str], countermeasure: Path, question: list[str], rate: str
) -> None:
    result = run(*question, clips["live"], "--spoof-far", rate, "--countermeasure", str(countermeasure))
    assert result.exit_code == 2
    assert "--spoof-far is" in result.stderr and "at least 0.01 and at most 0.1" in result.stderr


def test_a_network_that_nobody_asks_is_refused(clips: dict[str, str], countermeasure: Path) -> None:
    result = run("verify", "ada", clips["live"], "--countermeasure", str(countermeasure))
    assert result.exit_code == 2
    assert "--countermeasure is" in result.stderr and "--spoof-far" in result.stderr


def test_without_a_network_the_message_says_what_to_do(
    clips: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("voiceprint.countermeasure.detector._PACKAGED", tmp_path / "nowhere")
    assert packaged_countermeasure() is None
    for question in (["liveness"], ["verify", "ada", "--liveness"]):
        result = run(*question, clips["live"])
        assert result.exit_code == 2
        assert "no countermeasure comes with this version; train one" in result.stderr
        assert "name its folder" in result.stderr


def test_the_card_of_a_countermeasure_is_shown(countermeasure: Path) -> None:
    told = run("models", "show", str(countermeasure))
    assert told.exit_code == 0, told.output
    assert "tiny 1" in told.stdout and "measured.eer.upside down" in told.stdout
    assert json.loads(run("models", "show", str(countermeasure), "--json").stdout)["rates"] == [0.01, 0.1]


def test_the_packaged_countermeasure_answers_and_shows_how_often_it_errs(clips: dict[str, str]) -> None:
    document = json.loads(run("liveness", clips["live"], "--spoof-far", "0.003", "--json").stdout)
    spoof = document["clips"][0]["spoof"]
    assert (spoof["score"] >= spoof["threshold"]) == (document["clips"][0]["decision"] == "live")
    assert "measured.dev_eer" in run("models", "show", "countermeasure").stdout
