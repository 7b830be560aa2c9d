"""The recordings of a reader: synthetic speech of people who do not exist."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile as sf
from numpy.typing import NDArray

from benchmarks.synthetic_speech import SAMPLE_RATE, VOICES, synthesize


def speak(name: str, seed: int, seconds: float = 3.0) -> NDArray[np.float32]:
    """Let somebody of VOICES speak."""
    return synthesize(seed, seconds, *VOICES[name])


def write_recordings(folder: Path) -> None:
    """Write what the pages take for granted.

    ``ada-1.wav`` to ``ada-3.wav`` and the same of bert, ``door.wav`` (ada), ``guest.wav`` (nobody of them),
    ``meeting.wav`` (ada, bert, cleo in turns), ``people/NAME/1.wav`` to ``5.wav`` of six people.
    """
    for name in ("ada", "bert"):
        for clip in range(1, 4):
            _write(folder / f"{name}-{clip}.wav", speak(name, clip))
    _write(folder / "door.wav", speak("ada", 11))
    _write(folder / "guest.wav", speak("farid", 12))
    turns = [speak(name, 20 + place, 6.0) for place, name in enumerate(("ada", "bert", "ada", "cleo"))]
    _write(folder / "meeting.wav", np.concatenate(turns))
    for name in VOICES:
        for clip in range(1, 6):
            _write(folder / "people" / name / f"{clip}.wav", speak(name, 30 + clip))


def _write(path: Path, samples: NDArray[np.float32]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    sf.write(path, samples, SAMPLE_RATE)
