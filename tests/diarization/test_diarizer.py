from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from voiceprint.audio import read_audio
from voiceprint.audio.excerpt import Excerpt
from voiceprint.audio.spooled import SpooledRecording
from voiceprint.calibration import OperatingPoint, TrialShape
from voiceprint.diarization.diarizer import Diarization, Diarizer
from voiceprint.diarization.naming import embed_speech, name_speakers
from voiceprint.diarization.writing import csv_lines, write_speech
from voiceprint.engine.verifier import Verifier
from voiceprint.errors import ArgumentError, AudioError, StoreMissingError

Floats = NDArray[np.float32]
SCRIPT = ("ada", "bert", "ada", "cleo", "bert", "cleo", "ada")
SECONDS = 4.0


@pytest.fixture(scope="module")
def conversation(voice: Callable[..., Floats]) -> Floats:
    """Three people in turns of 4 s with pauses of half a second."""
    pause = 1e-4 * np.random.default_rng(0).standard_normal(8_000).astype(np.float32)
    parts = [part for n, who in enumerate(SCRIPT) for part in (voice(who, 50 + n, SECONDS), pause)]
    return np.concatenate(parts)


@pytest.fixture
def verifier(tmp_path: Path, model_folder: Path, people: Path) -> Iterator[Verifier]:
    with Verifier(tmp_path / "store", model=model_folder) as opened:
        for name in ("ada", "bert", "dmitri"):
            opened.enroll(name, people / name)
        yield opened


def diarized(verifier: Verifier, samples: Floats, **options: object) -> Diarization:
    return Diarizer(verifier).diarize(samples, sample_rate=16_000, **options)  # type: ignore[arg-type]


def who_at(found: Diarization, second: float) -> set[str]:
    """Who speaks within 0.3 s of a moment, which may lie in a pause between words."""
    return {turn.speaker for turn in found.turns if turn.start < second + 0.3 and second - 0.3 < turn.stop}


def test_turns_are_found_and_the_enrolled_are_named(verifier: Verifier, conversation: Floats) -> None:
    found = diarized(verifier, conversation)
    assert [speaker.name for speaker in found.speakers] == ["ada", "bert", "speaker 1"]
    assert [speaker.identified for speaker in found.speakers] == [True, True, False]
    names = {"ada": "ada", "bert": "bert", "cleo": "speaker 1"}
    for place, who in enumerate(SCRIPT):
        assert who_at(found, 4.5 * place + 2.0) == {names[who]}
    ada = found.speakers[0]
    assert ada.llr is not None and ada.score is not None and ada.threshold is not None
    assert ada.score >= ada.threshold
    assert found.speakers[2].score is None
    assert sum(turn.seconds for turn in found.turns if turn.speaker == "ada") == ada.seconds_of_speech


def test_without_names_the_store_is_not_opened(
    tmp_path: Path, model_folder: Path, conversation: Floats
) -> None:
    missing = Verifier(tmp_path / "none", model=model_folder, read_only=True)
    found = diarized(missing, conversation, names=False)
    assert [speaker.name for speaker in found.speakers] == ["speaker 1", "speaker 2", "speaker 3"]
    with pytest.raises(StoreMissingError):
        diarized(missing, conversation)


def test_the_number_of_speakers_may_be_said(verifier: Verifier, conversation: Floats) -> None:
    assert len(diarized(verifier, conversation, speakers=2, names=False).speakers) == 2
    assert len(diarized(verifier, conversation, max_speakers=1, names=False).speakers) == 1
    assert len(diarized(verifier, conversation, min_speakers=2, max_speakers=5, names=False).speakers) == 3


@pytest.mark.parametrize(
    "options",
    [
        {"speakers": 0},
        {"speakers": 2.5},
        {"speakers": 2, "max_speakers": 3},
        {"min_speakers": 3, "max_speakers": 2},
        {"far": 0.9},
        {"far": float("nan")},
    ],
)
def test_bad_arguments_are_refused_by_name(verifier: Verifier, options: dict[str, object]) -> None:
    with pytest.raises(ArgumentError):
        diarized(verifier, np.zeros(16_000, np.float32), **options)


def test_silence_has_no_speakers_and_no_sound_is_an_error(verifier: Verifier, tmp_path: Path) -> None:
    found = diarized(verifier, np.zeros(32_000, np.float32))
    assert (found.turns, found.speakers, found.seconds) == ((), (), 2.0)
    with pytest.raises(AudioError, match=r"0\.1 s"):
        diarized(verifier, np.zeros(100, np.float32))
    with pytest.raises(AudioError, match="does not exist"):
        Diarizer(verifier).diarize(tmp_path / "none.wav")
    with pytest.raises(AudioError, match="lasts over 1 s"):
        Diarizer(verifier, max_seconds=1.0).diarize(np.zeros(32_000, np.float32), sample_rate=16_000)


def test_a_rate_is_of_arrays_and_a_channel_of_recordings(verifier: Verifier, conversation: Floats) -> None:
    begin = Excerpt.between(conversation, 0.0, 9.0)
    assert list(Diarizer(verifier).diarize(begin, sample_rate=16_000)) == list(
        diarized(verifier, conversation[: 9 * 16_000])
    )
    waveform = read_audio(conversation, sample_rate=16_000)
    for recording, options, refused in (
        (conversation, {}, "sample_rate"),
        (waveform, {"sample_rate": 8_000}, "sample_rate"),
        (waveform, {"channel": 2}, "channel"),
    ):
        with pytest.raises(ArgumentError, match=refused):
            Diarizer(verifier).diarize(recording, **options)  # type: ignore[arg-type]


def test_progress_ends_where_the_recording_does(verifier: Verifier, conversation: Floats) -> None:
    told: dict[str, float] = {}
    diarized(verifier, conversation, progress=lambda stage, done, total: told.update({stage: done}))
    assert list(told) == ["reading", "finding speech", "listening"]
    assert told["finding speech"] == pytest.approx(len(conversation) / 16_000)


def test_a_name_is_given_once(verifier: Verifier, people: Path) -> None:
    ada = verifier.model.embed(people / "ada/0.wav")
    again = verifier.model.embed(people / "ada/3.wav")
    named = name_speakers(np.stack([ada, again]), [2.0, 2.0], verifier, OperatingPoint.far(0.1))
    assert sum(each is not None and each.name == "ada" for each in named) == 1


def test_a_name_needs_what_the_card_asks_of_recordings(verifier: Verifier, people: Path) -> None:
    ada = verifier.model.embed(people / "ada/0.wav")
    point = OperatingPoint.far(0.1)
    (named,) = name_speakers(ada[None], [2.0], verifier, point)
    assert named is not None
    decider, people_known = verifier.decider, len(verifier.store)
    hits = verifier.store.search(ada, top=20)
    others = [hit.score for hit in hits if hit.name != named.name]
    shape = TrialShape(
        n_enroll=next(hit.n_utterances for hit in hits if hit.name == named.name),
        seconds=2.0,
        rivals=decider.rivals(ada, others),
        recording=True,
    )
    assert named.threshold == pytest.approx(float(decider.thresholds(shape, point.among(people_known))))


def test_speech_is_embedded_in_pieces(verifier: Verifier, people: Path) -> None:
    clip = read_audio(people / "ada/0.wav").samples[: 2 * 16_000]
    model = verifier.model
    np.testing.assert_allclose(embed_speech(model, clip), model.embed(clip), atol=1e-5)
    silence = np.zeros_like(clip)
    long = np.concatenate([clip, clip[: len(clip) // 2], silence, silence[: len(clip) // 2]])
    first = np.concatenate([clip, clip[: len(clip) // 2]])
    np.testing.assert_allclose(embed_speech(model, long), model.embed(first), atol=1e-4)


def test_each_speakers_speech_is_written(verifier: Verifier, conversation: Floats, tmp_path: Path) -> None:
    found = diarized(verifier, conversation)
    with SpooledRecording.open(conversation, sample_rate=16_000, max_seconds=1e4) as recording:
        paths = write_speech(found.turns, recording, tmp_path / "speech")
    assert sorted(path.name for path in paths) == ["ada.wav", "bert.wav", "speaker 1.wav"]
    for speaker in found.speakers:
        info = soundfile.info(tmp_path / "speech" / f"{speaker.name}.wav")
        assert info.duration == pytest.approx(speaker.seconds_of_speech + 0.25 * speaker.turns, abs=0.1)
    assert csv_lines(found.turns).count("\n") == 1 + len(found.turns)
