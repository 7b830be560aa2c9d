from __future__ import annotations

import csv
import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from typer.testing import CliRunner

from voiceprint.cli import app
from voiceprint.cli.diarize import lane
from voiceprint.cli.terminal import clock
from voiceprint.diarization.turns import SpeakerTurn, read_rttm

Floats = NDArray[np.float32]
runner = CliRunner()


@pytest.fixture(autouse=True)
def _model(monkeypatch: pytest.MonkeyPatch, model_folder: Path) -> None:
    monkeypatch.setenv("VOICEPRINT_MODEL", str(model_folder))


@pytest.fixture
def meeting(tmp_path: Path, voice: Callable[..., Floats], wav: Callable[..., Path]) -> Path:
    """Edda from 0 to 4 s, Dmitri to 8 s, Edda to 12 s: the two whose voices are least alike."""
    parts = [voice(who, 70 + n, 4.0) for n, who in enumerate(("edda", "dmitri", "edda"))]
    return wav(tmp_path / "meeting.wav", np.concatenate(parts))


def run(*arguments: object) -> tuple[int, str, str]:
    result = runner.invoke(app, [*map(str, arguments)])
    return result.exit_code, result.stdout, result.stderr


def test_speakers_lanes_and_turns_are_printed(meeting: Path) -> None:
    code, out, _ = run("diarize", meeting)
    assert code == 0
    assert out.startswith(f"{meeting}: 2 speakers in 0:12\n")
    assert "█" in out and "speaker 1" in out and "speaker 2" in out


def test_every_output_says_the_same(meeting: Path, tmp_path: Path) -> None:
    rttm, table, page, folder = (tmp_path / name for name in ("m.rttm", "m.csv", "m.html", "speech"))
    code, out, _ = run(
        "diarize", meeting, "--json", "--rttm", rttm, "--csv", table, "--html", page, "--audio", folder
    )
    assert code == 0
    answer = json.loads(out)
    assert answer["source"] == str(meeting) and answer["seconds"] == 12.0
    turns = [(turn["start"], turn["stop"], turn["speaker"]) for turn in answer["turns"]]
    written = [(turn.start, turn.stop, turn.speaker.replace("_", " ")) for turn in read_rttm(rttm)]
    rows = [
        (float(r["start"]), float(r["stop"]), r["speaker"])
        for r in csv.DictReader(table.read_text().splitlines())
    ]
    for found in (written, rows):
        assert [speaker for _, _, speaker in found] == [speaker for _, _, speaker in turns]
        np.testing.assert_allclose([row[:2] for row in found], [row[:2] for row in turns], atol=2e-3)
    assert sorted(path.name for path in folder.iterdir()) == ["speaker 1.wav", "speaker 2.wav"]
    assert page.read_text().count('class="turn ') == len(turns)


def test_somebody_enrolled_from_one_meeting_is_named_in_the_next(meeting: Path, tmp_path: Path) -> None:
    rttm = tmp_path / "meeting.rttm"
    assert run("diarize", meeting, "--rttm", rttm)[0] == 0
    code, out, err = run("enroll", "ada", meeting, "--turns", f"{rttm}:speaker 1", "--min-speech", "1")
    assert code == 0, err
    assert "ada is enrolled" in out
    answer = json.loads(run("diarize", meeting, "--json")[1])
    assert [(each["name"], each["identified"]) for each in answer["speakers"]] == [
        ("ada", True), ("speaker 1", False),
    ]  # fmt: skip
    assert all(
        not each["identified"] for each in _speakers(run("diarize", meeting, "--json", "--no-names")[1])
    )


def test_a_range_of_a_recording_is_a_clip(meeting: Path) -> None:
    assert run("enroll", "bert", meeting, "--from", "4.2", "--to", "0:07.8", "--min-speech", "1")[0] == 0
    assert run("verify", "bert", meeting, "--from", "4", "--to", "8", "--allow-replay")[0] == 0
    code, out, _ = run("verify", "bert", meeting, "--from", "4", "--to", "8")
    assert (code, out.splitlines()[0]) == (1, "bert: replayed")  # it is what was enrolled
    assert run("verify", "bert", meeting, "--to", "4")[0] == 1
    assert run("identify", meeting, "--from", "8")[0] == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("verify", "a", "x.wav", "--from", "two"), "--from is 'two'"),
        (("verify", "a", "x.wav", "--from", "3", "--to", "2"), "--to must lie behind --from"),
        (("verify", "a", "x.wav", "y.wav", "--from", "3"), "of one recording"),
        (("verify", "a", "x.wav", "--turns", "x.rttm"), "an RTTM file and a speaker"),
        (("verify", "a", "x.wav", "--turns", "x.rttm:a", "--to", "2"), "not both"),
        (("enroll", "--from", "folder", "--to", "2"), "give NAME and PATHS"),
        (("diarize", "x.wav", "--speakers", "2", "--max", "3"), "not both"),
        (("diarize", "x.wav", "--speakers", "0"), "--speakers is 0"),
        (("diarize", "x.wav", "--min", "3", "--max", "2"), "--min is 3"),
        (("diarize", "none.wav"), "none.wav does not exist"),
        (("diarize", "-", "--html", "x.html"), "--html and --audio read a recording twice"),
        (("diarize", "x.wav", "-", "--audio", "x"), "--html and --audio read a recording twice"),
        (("diarize", "a/x.wav", "b/x.flac", "--rttm", "x"), "a/x.wav is one of several recordings"),
        (("diarize", "none.wav", "--csv", "."), ".: is a folder; name a file"),
        (("diarize", "none.wav", "nothing.wav"), "none of 2 recordings can be read"),
    ],
)
def test_what_makes_no_sense_is_said_in_terms_of_options(arguments: tuple[str, ...], said: str) -> None:
    code, out, err = run(*arguments)
    assert (code, out) == (2, "")
    assert said in " ".join(err.replace("│", " ").split())


def test_a_named_pipe_is_not_read_twice(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.wav"
    os.mkfifo(pipe)
    for option in ("--html", "--audio"):
        code, out, err = run("diarize", pipe, option, tmp_path / "x")  # nobody writes: opening it would wait
        assert (code, out) == (2, "")
        assert "read a recording twice" in " ".join(err.replace("│", " ").split())


def test_a_recording_that_cannot_be_read_does_not_stop_the_others(meeting: Path, tmp_path: Path) -> None:
    code, out, err = run("diarize", meeting, tmp_path / "none.wav", "--rttm", tmp_path / "turns")
    assert code == 3
    assert "2 speakers" in out and "none.wav does not exist" in err
    assert [path.name for path in (tmp_path / "turns").iterdir()] == ["meeting.rttm"]


def test_what_cannot_be_written_is_told_before_the_work(
    meeting: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("voiceprint.diarization.diarizer.Diarizer.diarize", None)
    file = tmp_path / "file"
    file.touch()
    for option in ("--rttm", "--csv", "--html", "--audio"):
        code, out, err = run("diarize", meeting, option, file / "below" / "it")
        assert (code, out) == (2, "")
        assert f"{file / 'below'}" in err


def test_folders_of_what_is_written_are_made(meeting: Path, tmp_path: Path) -> None:
    targets = {option: tmp_path / option / "new" / "x" for option in ("rttm", "csv", "html", "audio")}
    options = [part for option, target in targets.items() for part in (f"--{option}", target)]
    assert run("diarize", meeting, *options)[0] == 0
    assert all(target.exists() for target in targets.values())


def test_without_a_store_speakers_are_numbered_and_that_is_said(meeting: Path, tmp_path: Path) -> None:
    code, out, err = run("diarize", meeting, "--store", tmp_path / "nowhere")
    assert code == 0
    assert "speaker 2" in out
    assert "nobody is named" in err and "nowhere" in err
    assert run("diarize", meeting, "--store", tmp_path / "nowhere", "--no-names")[2] == ""


def test_silence_is_no_error(tmp_path: Path, wav: Callable[..., Path]) -> None:
    code, out, _ = run("diarize", wav(tmp_path / "silent.wav", np.zeros(32_000, np.float32)))
    assert (code, "nobody speaks in 0:02" in out) == (0, True)


def test_a_lane_shows_how_much_of_each_piece_is_speech() -> None:
    turns = [SpeakerTurn(start=0.0, stop=2.0, speaker="a"), SpeakerTurn(start=3.0, stop=3.3, speaker="a")]
    assert lane(turns, 5.0, 5) == "██·▌·"


@pytest.mark.parametrize(
    ("seconds", "digits", "shown"),
    [
        (5.0, 0, "0:05"),
        (5.25, 1, "0:05.2"),
        (65.4, 0, "1:05"),
        (59.96, 1, "1:00.0"),
        (3725.25, 1, "1:02:05.2"),
        (3600.0, 0, "1:00:00"),
    ],
)
def test_a_time_is_shown_as_a_clock_does(seconds: float, digits: int, shown: str) -> None:
    assert clock(seconds, digits=digits) == shown


def _speakers(text: str) -> list[dict[str, object]]:
    found: list[dict[str, object]] = json.loads(text)["speakers"]
    return found
