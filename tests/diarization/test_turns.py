from __future__ import annotations

from pathlib import Path

import pytest

from voiceprint.diarization.turns import SpeakerTurn, join_turns, read_rttm, rttm_lines
from voiceprint.errors import AudioError


def turn(start: float, stop: float, speaker: str = "a") -> SpeakerTurn:
    return SpeakerTurn(start=start, stop=stop, speaker=speaker)


def test_turns_of_one_speaker_are_joined_and_those_of_others_are_not() -> None:
    joined = join_turns([turn(2.0, 3.0), turn(0.0, 1.0), turn(0.9, 1.5), turn(1.0, 2.5, "b")])
    assert joined == (turn(0.0, 1.5), turn(1.0, 2.5, "b"), turn(2.0, 3.0))
    assert join_turns(joined, pause=0.5)[0] == turn(0.0, 3.0)


def test_rttm_is_read_as_it_was_written(tmp_path: Path) -> None:
    turns = (turn(0.5, 2.0, "speaker 1"), turn(1.25, 1.75, "ada"))
    path = tmp_path / "meeting.rttm"
    path.write_text(";; a comment\n\n" + rttm_lines(turns, "my meeting"))
    assert read_rttm(path) == (turn(0.5, 2.0, "speaker_1"), turn(1.25, 1.75, "ada"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "holds no line of a turn"),
        ("SPEAKER x 1 0.0\n", ":1: is no turn"),
        ("SPEAKER x 1 -1.0 2.0 <NA> <NA> a <NA> <NA>\n", ":1: is no turn"),
        ("SPEAKER x 1 nan 2.0 <NA> <NA> a <NA> <NA>\n", ":1: is no turn"),
        ("SPEAKER x 1 0 inf <NA> <NA> a <NA> <NA>\n", ":1: is no turn"),
        (
            "SPEAKER x 1 0 1 <NA> <NA> a <NA> <NA>\nSPEAKER y 1 0 1 <NA> <NA> a <NA> <NA>\n",
            "several recordings",
        ),
    ],
)
def test_a_damaged_rttm_is_refused_by_its_line(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "x.rttm"
    path.write_text(text)
    with pytest.raises(AudioError, match=said):
        read_rttm(path)


def test_what_is_no_text_and_what_is_not_there_are_audio_errors(tmp_path: Path) -> None:
    (tmp_path / "x.rttm").write_bytes(b"\xff\xfe\x00\xd8\x00")
    with pytest.raises(AudioError, match="is no text"):
        read_rttm(tmp_path / "x.rttm")
    with pytest.raises(AudioError, match="cannot be read"):
        read_rttm(tmp_path / "none.rttm")
