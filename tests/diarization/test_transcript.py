"""Names in a transcript: by words, by segments, in each form that transcribers write."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from voiceprint.cli import app
from voiceprint.diarization.transcript import name_transcript, read_transcript, read_turns
from voiceprint.diarization.turns import SpeakerTurn
from voiceprint.errors import ArgumentError, AudioError

runner = CliRunner()

TURNS = [
    SpeakerTurn(start=0.0, stop=2.0, speaker="ada"),
    SpeakerTurn(start=1.8, stop=4.0, speaker="bert"),
    SpeakerTurn(start=8.0, stop=9.0, speaker="ada"),
]


def word(text: str, start: float, end: float) -> dict[str, Any]:
    return {"word": text, "start": start, "end": end, "probability": 0.9}


def test_a_segment_is_of_whoever_speaks_most_in_it() -> None:
    document = {
        "text": "a b",
        "segments": [{"id": 0, "start": 0.0, "end": 2.5, "text": " a b"}],
        "language": "en",
    }
    before = copy.deepcopy(document)
    named = name_transcript(document, TURNS)
    assert named["segments"] == [{"id": 0, "start": 0.0, "end": 2.5, "text": " a b", "speaker": "ada"}]
    assert (named["language"], document) == ("en", before)


def test_a_segment_is_divided_where_the_speaker_changes() -> None:
    words = [
        word(" how", 0.5, 0.8),
        word(" are", 0.9, 1.2),
        word(" fine", 2.2, 2.6),
        word(" thanks", 2.7, 3.5),
    ]
    document = {
        "segments": [
            {"id": 7, "start": 0.4, "end": 3.5, "text": " how are fine thanks", "words": words},
            {"id": 8, "start": 8.1, "end": 8.5, "text": " good", "words": [word(" good", 8.1, 8.5)]},
        ]
    }
    parts = name_transcript(document, TURNS)["segments"]
    assert [(part["id"], part["speaker"], part["text"], part["start"], part["end"]) for part in parts] == [
        (0, "ada", " how are", 0.5, 1.2),
        (1, "bert", " fine thanks", 2.2, 3.5),
        (2, "ada", " good", 8.1, 8.5),
    ]
    assert [each["speaker"] for each in parts[0]["words"]] == ["ada", "ada"]


def test_words_without_times_go_with_the_one_before() -> None:
    words = [word("room", 0.1, 0.4), {"word": "42"}, word("yes", 2.5, 2.8)]  # WhisperX: no spaces, no times
    parts = name_transcript(
        {"segments": [{"start": 0.0, "end": 3.0, "text": "room 42 yes", "words": words}]}, TURNS
    )["segments"]
    assert [(part["speaker"], part["text"]) for part in parts] == [("ada", "room 42"), ("bert", "yes")]


def test_the_milliseconds_of_whisper_cpp_are_read() -> None:
    document = {"transcription": [{"offsets": {"from": 2500, "to": 3500}, "text": " fine"}]}
    assert name_transcript(document, TURNS)["transcription"][0]["speaker"] == "bert"


@pytest.mark.parametrize(
    ("start", "end", "nearest", "speaker"),
    [
        (4.2, 4.4, 1.0, "bert"),
        (7.5, 7.9, 1.0, "ada"),
        (5.9, 6.1, 1.0, None),
        (5.9, 6.1, 5.0, "ada"),  # 1.9 s before the next turn, and 1.9 s after the last: the first by name
        (4.2, 4.4, 0.0, None),
        (2.0, 2.0, 1.0, "bert"),  # of no length
        (100.0, 101.0, 1.0, None),
    ],
)
def test_what_is_in_no_turn_is_of_the_nearest(
    start: float, end: float, nearest: float, speaker: str | None
) -> None:
    document = {"segments": [{"start": start, "end": end, "text": "x"}]}
    assert name_transcript(document, TURNS, nearest=nearest)["segments"][0]["speaker"] == speaker


def test_without_turns_nobody_is_named() -> None:
    document = {"segments": [{"start": 0.0, "end": 1.0, "text": "x"}]}
    assert name_transcript(document, [])["segments"][0]["speaker"] is None


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"segments": [{"text": "x"}]},
        {"segments": [{"start": "x", "end": 1, "text": ""}]},
        {"segments": ["x"]},
        {"segments": 3},
        {"transcription": [{"offsets": 3}]},
        {"segments": [{"start": 0, "end": 1, "words": ["x"]}]},
    ],
)
def test_what_is_no_transcript_is_refused(document: dict[str, Any]) -> None:
    with pytest.raises(AudioError, match="segments with start and end"):
        name_transcript(document, TURNS)


def test_a_distance_below_0_is_refused() -> None:
    with pytest.raises(ArgumentError, match="nearest"):
        name_transcript({"segments": []}, TURNS, nearest=-1.0)


@pytest.fixture
def files(tmp_path: Path) -> Path:
    segments = [{"start": 0.5, "end": 1.5, "text": " hello"}, {"start": 5.9, "end": 6.1, "text": " hm"}]
    (tmp_path / "heard.json").write_text(json.dumps({"segments": segments}), encoding="utf-8")
    turns = [{"start": turn.start, "stop": turn.stop, "speaker": turn.speaker} for turn in TURNS]
    (tmp_path / "who.json").write_text(json.dumps({"turns": turns, "speakers": []}), encoding="utf-8")
    (tmp_path / "who.rttm").write_text("SPEAKER m 1 0.0 2.0 <NA> <NA> ada <NA> <NA>\n", encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize("turns", ["who.json", "who.rttm"])
def test_the_command_prints_lines_or_the_document(files: Path, turns: str) -> None:
    line = ["transcript", str(files / "heard.json"), "--turns", str(files / turns)]
    assert runner.invoke(app, line).output == "0:00.5  ada: hello\n0:05.9  somebody: hm\n"
    named = json.loads(runner.invoke(app, [*line, "--json"]).output)
    assert [segment["speaker"] for segment in named["segments"]] == ["ada", None]


@pytest.mark.parametrize("text", ["", "[]", "{", '{"segments": 3}', '{"text": "x"}', "[" * 100_000])
def test_a_file_that_is_no_transcript_is_one_line_and_exit_code_2(files: Path, text: str) -> None:
    (files / "bad.json").write_text(text, encoding="utf-8")
    with pytest.raises(AudioError):
        read_transcript(files / "bad.json")
    done = runner.invoke(app, ["transcript", str(files / "bad.json"), "--turns", str(files / "who.json")])
    assert (done.exit_code, done.output.count("\n")) == (2, 1)


@pytest.mark.parametrize("text", ["{}", '{"turns": [1]}', '{"turns": [{"start": "x"}]}', "x"])
def test_a_file_that_holds_no_turns_is_refused(files: Path, text: str) -> None:
    (files / "bad").write_text(text, encoding="utf-8")
    with pytest.raises(AudioError):
        read_turns(files / "bad")
