from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from tiny_model import tiny_calibration

from voiceprint.audio.quality import ClipQuality
from voiceprint.calibration import Decider
from voiceprint.engine.enrollment import CandidateClip, ClipReport, judge_clips
from voiceprint.errors import EnrollmentError

DECIDER = Decider(calibration=tiny_calibration())

degrees = st.lists(st.floats(0, 180, allow_nan=False), min_size=1, max_size=9, unique=True)


def clip(angle: float) -> CandidateClip:
    radians = np.deg2rad(angle)
    embedding: NDArray[np.float32] = np.array([np.cos(radians), np.sin(radians)], dtype=np.float32)
    quality = ClipQuality(seconds=5.0, seconds_of_speech=5.0, level_dbfs=-20.0, clipped=0.0, snr_db=None)
    report = ClipReport(source=f"{angle!r}", status="used", reason="", quality=quality, agreement=None)
    return CandidateClip(report=report, sha256=f"{angle!r}", embedding=embedding)


def used(clips: list[CandidateClip]) -> list[str] | None:
    """Return which clips are used, or None where they are refused."""
    try:
        judged = judge_clips("ada", clips, decider=DECIDER)
    except EnrollmentError:
        return None
    return sorted(item.report.source for item in judged if item.report.status == "used")


@given(degrees)
@settings(max_examples=200, deadline=None)
def test_what_is_used_is_a_majority_and_agrees(angles: list[float]) -> None:
    kept = used([clip(angle) for angle in angles])
    if kept is None:
        return
    assert 2 * len(kept) > len(angles)
    # Judged again by themselves, they all agree: nothing is left to set aside.
    assert used([clip(float(angle)) for angle in kept]) == kept


@given(degrees)
@settings(max_examples=100, deadline=None)
def test_giving_clips_twice_changes_nothing(angles: list[float]) -> None:
    clips = [clip(angle) for angle in angles]
    assert used([*clips, *clips]) == used(clips)
