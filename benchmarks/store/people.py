"""The people of a store, who are made while it imports them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from benchmarks.store.voices import Voices, unit
from voiceprint.audio.quality import ClipQuality
from voiceprint.store import EnrolledUtterance, VoiceprintRecord

ENDS = datetime(2999, 1, 1, tzinfo=UTC)  # of every tenth person's consent
AFTERWARDS = datetime(3000, 1, 1, tzinfo=UTC)
"""When a tenth of the people have expired."""


class Crowd:
    """Many people with a few clips each.

    Parameters
    ----------
    most_clips : int
        Of each, drawn from 1 to this.

    Attributes
    ----------
    names : ndarray of str, shape (n,)
    centroids : ndarray, shape (n, dim)
        Filled as `records` is read, so that what a search finds can be compared.
    """

    def __init__(self, voices: Voices, n: int, *, most_clips: int, rng: np.random.Generator) -> None:
        self.voices = voices
        self.names = np.array([f"speaker {number}" for number in range(n)])
        self.centroids = np.empty((n, voices.dim), dtype=np.float32)
        self._most_clips = most_clips
        self._rng = rng

    def __len__(self) -> int:
        return len(self.names)

    def records(self) -> Iterator[VoiceprintRecord]:
        """Make everybody."""
        now = datetime.now(UTC)
        for number, name in enumerate(self.names.tolist()):
            voice = self.voices.draw()
            others = int(self._rng.integers(self._most_clips))
            clips = (
                make_utterance(voice),
                *(make_utterance(self.voices.clip_of(voice)) for _ in range(others)),
            )
            self.centroids[number] = unit(np.sum([clip.embedding for clip in clips], axis=0))
            yield VoiceprintRecord(
                name=name,
                notes="",
                created=now,
                updated=now,
                utterances=clips,
                expires=ENDS if number % 10 == 9 else None,
            )


def make_utterance(embedding: NDArray[np.float32]) -> EnrolledUtterance:
    """Return a clip with this embedding."""
    return EnrolledUtterance(
        embedding=embedding,
        clip_sha256=hashlib.sha256(embedding.tobytes()).hexdigest(),
        source="clip.wav",
        quality=ClipQuality(seconds=3.0, seconds_of_speech=2.0, level_dbfs=-20.0, clipped=0.0, snr_db=30.0),
    )
