from __future__ import annotations

import sys
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, Self

import numpy as np
import pytest

from voiceprint.audio.recording import level_dbfs, record
from voiceprint.errors import AudioError


class PortAudioError(Exception):
    pass


class Stream:
    """A microphone that hears a square wave of half of full scale."""

    def __init__(self, *, blocksize: int, device: int | str | None, **options: Any) -> None:
        if device == "broken":
            raise PortAudioError("Device unavailable")
        if device == "nowhere":
            raise ValueError("No input device matching 'nowhere'")
        assert options == {"samplerate": 16_000, "channels": 1, "dtype": "float32"}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def read(self, frames: int) -> tuple[np.ndarray, bool]:
        return np.full((frames, 1), 0.5, dtype=np.float32), False


@pytest.fixture(autouse=True)
def _microphone(monkeypatch: pytest.MonkeyPatch) -> None:
    module = SimpleNamespace(InputStream=Stream, PortAudioError=PortAudioError)
    monkeypatch.setitem(sys.modules, "sounddevice", module)


def test_recording_lasts_as_long_as_asked_and_tells_the_level() -> None:
    told: list[tuple[float, float]] = []

    def tell(done: float, level: float) -> bool:
        told.append((done, level))
        return True

    waveform = record(1.0, on_block=tell)
    assert (waveform.seconds, waveform.source, waveform.original_rate) == (1.0, "<microphone>", 16_000)
    assert [round(done, 1) for done, _ in told] == [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0]
    assert told[0][1] == pytest.approx(-6.02, abs=0.01)


def test_recording_ends_when_told_to_and_keeps_what_it_has() -> None:
    answers: Iterator[bool] = iter([True, True, False])
    assert record(60.0, on_block=lambda _done, _level: next(answers)).seconds == pytest.approx(0.3)


@pytest.mark.parametrize("device", ["broken", "nowhere"])
def test_a_microphone_that_cannot_be_used_is_an_error(device: str) -> None:
    with pytest.raises(AudioError, match=r"cannot record: .* is a microphone connected"):
        record(1.0, device=device)


def test_without_the_package_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", None)  # what makes an import fail
    with pytest.raises(AudioError, match=r"pip install 'voiceprint-engine\[mic\]'"):
        record(1.0)


def test_levels_of_silence_and_full_scale() -> None:
    assert level_dbfs(np.zeros(100)) == -100.0
    assert level_dbfs(np.ones(100)) == 0.0
