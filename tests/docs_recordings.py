"""The recordings of a reader: synthetic speech of people who do not exist."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile as sf
from numpy.typing import NDArray

from benchmarks.synthetic_speech import SAMPLE_RATE, synthesize
from voiceprint import Verifier

# Pitch in Hz, and the factor on the formants. The default model tells these people apart.
PEOPLE = {
    "ada": (245.0, 1.22),
    "bert": (165.0, 1.05),
    "cleo": (290.0, 1.05),
    "dmitri": (130.0, 1.00),
    "edda": (145.0, 1.25),
    "guest": (95.0, 0.68),
    "visitor": (90.0, 0.66),
}
FAMILY = ("ada", "bert", "cleo")
SPEAKERS = 12
"""In ``corpora/mine``, of four clips each: a corpus to train on."""


def speak(name: str, seed: int, seconds: float = 3.0) -> NDArray[np.float32]:
    """Let one of PEOPLE speak."""
    return synthesize(seed, seconds, *PEOPLE[name])


def write_recordings(folder: Path) -> None:
    """Write what the pages take for granted.

    ``ada-1.wav`` to ``ada-3.wav`` and the same of bert and cleo, ``door.wav`` (ada), ``guest.wav`` (nobody of
    them), ``meeting.wav`` (ada and a visitor in turns), ``people/NAME/1.wav`` to ``5.wav`` of five people,
    and ``corpora/mine/NAME/1.wav`` to ``4.wav`` of twelve.
    """
    for name in FAMILY:
        for clip in range(1, 4):
            _write(folder / f"{name}-{clip}.wav", speak(name, clip))
    _write(folder / "door.wav", speak("ada", 11))
    _write(folder / "guest.wav", speak("guest", 12))
    turns = [speak(name, 20 + place, 8.0) for place, name in enumerate(("ada", "visitor", "ada", "visitor"))]
    _write(folder / "meeting.wav", np.concatenate(turns))
    for name in set(PEOPLE) - {"guest", "visitor"}:
        for clip in range(1, 6):
            _write(folder / "people" / name / f"{clip}.wav", speak(name, 30 + clip, 2.0))
    for number in range(SPEAKERS):
        # Pitches from 85 to 250 Hz; neighbours in pitch lie five places apart in the vocal tract.
        f0 = 85.0 * (250 / 85) ** ((number + 0.5) / SPEAKERS)
        formants = 0.82 + 0.44 * (5 * number % SPEAKERS + 0.5) / SPEAKERS
        for clip in range(1, 5):
            samples = synthesize(100 * number + clip, 1.6, f0, formants)
            _write(folder / "corpora/mine" / f"speaker{number:02}" / f"{clip}.wav", samples)


def enroll_readers(folder: Path) -> None:
    """Enroll ada and bert, as getting started does, in ``enrollments``."""
    with Verifier(folder / "enrollments") as verifier:
        for name in ("ada", "bert"):
            verifier.enroll(name, [folder / f"{name}-{clip}.wav" for clip in range(1, 4)])


def _write(path: Path, samples: NDArray[np.float32]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    sf.write(path, samples, SAMPLE_RATE)
