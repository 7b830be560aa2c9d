"""Whether a recording is one that was enrolled or accepted before."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from voiceprint.audio.clips import Clip
from voiceprint.audio.fingerprint import SAME_RECORDING, trace_of
from voiceprint.engine.decisions import Replay
from voiceprint.store import AcceptedRecording, SeenRecording
from voiceprint.store.records import now

__all__ = ["ClaimRecordings"]


class ClaimRecordings:
    """The recordings of a claim, as they are compared with earlier ones and remembered.

    Parameters
    ----------
    clip : Clip
        One recording, or several that were pooled.
    """

    def __init__(self, clip: Clip) -> None:
        self._recordings = [(part.sha256, trace_of(part.speech, part.stretches)) for part in clip.recordings]

    def seen_in(self, seen: Sequence[SeenRecording]) -> Replay | None:
        """Return the earliest of some recordings that is one of these; None where none is."""
        hashes = {sha256 for sha256, _ in self._recordings if sha256}
        again = [each for each in seen if each.sha256 in hashes]
        if not again:
            known = [each for each in seen if each.fingerprint]
            scores = np.zeros(len(known))
            for _, trace in self._recordings:
                scores = np.maximum(scores, trace.likeness([each.fingerprint for each in known]))
            again = [each for each, score in zip(known, scores, strict=True) if score >= SAME_RECORDING]
        first = min(again, key=lambda each: each.at, default=None)
        return None if first is None else Replay(kind=first.kind, at=first.at)

    def to_remember(self) -> tuple[AcceptedRecording, ...]:
        """Return them as the store remembers them from now on."""
        moment = now()
        return tuple(
            AcceptedRecording(at=moment, sha256=sha256, fingerprint=trace.fingerprint())
            for sha256, trace in self._recordings
        )
