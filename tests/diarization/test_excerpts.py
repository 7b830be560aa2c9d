from __future__ import annotations

import pytest

from voiceprint.diarization.excerpts import excerpts_of
from voiceprint.diarization.turns import SpeakerTurn
from voiceprint.errors import ArgumentError


def turns(*rows: tuple[float, float, str]) -> list[SpeakerTurn]:
    return [SpeakerTurn(start=start, stop=stop, speaker=speaker) for start, stop, speaker in rows]


def test_what_others_say_at_the_same_time_is_left_out() -> None:
    said = turns((0.0, 4.0, "a"), (1.0, 2.0, "b"), (3.9, 5.0, "c"), (6.0, 8.0, "a"))
    (excerpt,) = excerpts_of("x.wav", said, "a")
    assert excerpt.ranges == ((0.0, 1.0), (2.0, 3.9), (6.0, 8.0))


def test_much_speech_becomes_several_clips_and_never_more_than_five() -> None:
    said = turns(*((10.0 * n, 10.0 * n + 6.0, "a") for n in range(12)))
    assert len(excerpts_of("x.wav", said[:2], "a")) == 2
    parts = excerpts_of("x.wav", said, "a")
    assert len(parts) == 5
    assert sorted(stretch for part in parts for stretch in part.ranges) == [(t.start, t.stop) for t in said]


def test_a_name_is_known_as_rttm_writes_it() -> None:
    said = turns((0.0, 4.0, "speaker_2"))
    assert excerpts_of("x.wav", said, "speaker 2")[0].ranges == ((0.0, 4.0),)


def test_who_is_not_there_or_never_alone_is_refused_by_name() -> None:
    said = turns((0.0, 4.0, "a"), (0.0, 4.0, "b"))
    with pytest.raises(ArgumentError, match="one of a, b"):
        excerpts_of("x.wav", said, "zoe")
    with pytest.raises(ArgumentError, match="alone"):
        excerpts_of("x.wav", said, "a")
