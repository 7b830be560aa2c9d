from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from tiny_model import tiny_calibration

from voiceprint.audio import Waveform
from voiceprint.audio.quality import ClipQuality
from voiceprint.calibration import Decider, SnrTerm
from voiceprint.engine.enrollment import (
    CandidateClip,
    ClipReport,
    judge_clips,
    utterances_of,
)
from voiceprint.engine.measuring import measure_clip
from voiceprint.errors import EnrollmentError
from voiceprint.model import SpeakerModel
from voiceprint.scoring import centroid, cosine, leave_one_out_agreement
from voiceprint.store import Enrollment

DECIDER = Decider(calibration=tiny_calibration())  # at the EER: 0.80 against one clip, 0.82 against three


def at(degrees: float) -> NDArray[np.float32]:
    """Return a unit vector in the plane: the cosine of two is that of the angle between them."""
    radians = np.deg2rad(degrees)
    return np.array([np.cos(radians), np.sin(radians)], dtype=np.float32)


def clip(source: str, degrees: float, *, seconds: float = 2.0, sha256: str = "") -> CandidateClip:
    quality = ClipQuality(
        seconds=seconds, seconds_of_speech=seconds, level_dbfs=-20.0, clipped=0.0, snr_db=None
    )
    report = ClipReport(source=source, status="used", reason="", quality=quality, agreement=None)
    return CandidateClip(report=report, sha256=sha256 or source, embedding=at(degrees))


def enrolled(degrees: float, *, seconds: float = 6.0) -> Enrollment:
    return Enrollment(
        name="ada",
        n_utterances=3,
        seconds_of_speech=seconds,
        model_id="m",
        created=datetime.now(UTC),
        updated=datetime.now(UTC),
        notes="",
        centroid=at(degrees),
    )


def statuses(clips: tuple[CandidateClip, ...]) -> list[str]:
    return [item.report.status for item in clips]


def test_clips_that_agree_are_all_used() -> None:
    judged = judge_clips("ada", [clip("a", 0), clip("b", 10), clip("c", 20)], decider=DECIDER)
    assert statuses(judged) == ["used"] * 3
    # b against the centroid of a and c, which lies at 10 degrees; a against that of b and c, at 15.
    assert judged[1].report.agreement == pytest.approx(1.0)
    assert judged[0].report.agreement == pytest.approx(np.cos(np.deg2rad(15)))


def test_one_stranger_among_three_is_set_aside_and_does_not_cast_doubt_on_the_others() -> None:
    judged = judge_clips("ada", [clip("a", 0), clip("b", 90), clip("c", 10)], decider=DECIDER)
    assert statuses(judged) == ["used", "disagrees", "used"]
    assert judged[1].embedding is None
    assert judged[1].report.agreement == pytest.approx(np.cos(np.deg2rad(85)))
    assert "sounds like another person" in judged[1].report.reason
    assert judged[0].report.agreement == pytest.approx(np.cos(np.deg2rad(10)))


def test_two_strangers_among_five_are_set_aside_even_if_they_agree_with_each_other() -> None:
    clips = [clip("a", 0), clip("b", 5), clip("c", 10), clip("x", 100), clip("y", 105)]
    judged = judge_clips("ada", clips, decider=DECIDER)
    assert statuses(judged) == ["used", "used", "used", "disagrees", "disagrees"]


def test_two_clips_that_disagree_are_refused_because_either_may_be_the_stranger() -> None:
    with pytest.raises(EnrollmentError, match="1 of 2 clips disagree with each other") as caught:
        judge_clips("ada", [clip("a", 0), clip("b", 90)], decider=DECIDER)
    assert [report.source for report in caught.value.clips] == ["a", "b"]


@pytest.mark.parametrize("degrees", [[0, 90, 180], [0, 10, 170, 180]])
def test_without_a_majority_the_clips_are_refused(degrees: list[float]) -> None:
    clips = [clip(str(index), angle) for index, angle in enumerate(degrees)]
    with pytest.raises(EnrollmentError, match="give clips of one person only"):
        judge_clips("ada", clips, decider=DECIDER)


def test_one_clip_has_nothing_to_agree_with() -> None:
    (judged,) = judge_clips("ada", [clip("a", 0, seconds=3.0)], decider=DECIDER)
    assert judged.report.status == "used"
    assert judged.report.agreement is None


@pytest.mark.parametrize(("degrees", "status"), [(36.0, "used"), (38.0, "disagrees")])
def test_the_threshold_is_that_of_as_many_clips(degrees: float, status: str) -> None:
    # cos 36 = 0.809 and cos 38 = 0.788: on either side of 0.80, the EER threshold against one clip.
    existing = Enrollment(
        **{name: getattr(enrolled(0), name) for name in Enrollment.__dataclass_fields__} | {"n_utterances": 1}
    )
    clips = [clip("sure", 0), clip("near", degrees)]
    judged = judge_clips("ada", clips, decider=DECIDER, enrolled=existing)
    assert judged[1].report.status == status


def test_without_a_calibration_agreement_is_told_but_nothing_set_aside() -> None:
    judged = judge_clips("ada", [clip("a", 0), clip("b", 90)], decider=Decider(calibration=None))
    assert statuses(judged) == ["used", "used"]
    assert judged[0].report.agreement == pytest.approx(0.0, abs=1e-6)


def test_added_clips_cannot_vouch_for_each_other_against_the_voiceprint() -> None:
    clips = [clip("x", 90), clip("y", 91), clip("z", 92), clip("a", 5)]
    judged = judge_clips("ada", clips, decider=DECIDER, enrolled=enrolled(0))
    assert statuses(judged) == ["disagrees"] * 3 + ["used"]


def test_added_clips_that_all_disagree_with_the_voiceprint_are_refused() -> None:
    with pytest.raises(EnrollmentError, match="2 of 2 clips disagree with the enrolled voiceprint"):
        judge_clips("ada", [clip("x", 90), clip("y", 91)], decider=DECIDER, enrolled=enrolled(0))


def test_the_same_recording_counts_once() -> None:
    clips = [clip("a", 0, sha256="1"), clip("copy", 0, sha256="1"), clip("b", 5, sha256="2")]
    judged = judge_clips("ada", clips, decider=DECIDER)
    assert statuses(judged) == ["used", "duplicate", "used"]
    assert judged[1].report.reason == "the same recording as a"


def test_a_recording_that_is_enrolled_already_counts_once() -> None:
    clips = [clip("a", 0, sha256="1"), clip("b", 5, sha256="2")]
    held = utterances_of([clip("first", 0, sha256="1")])
    judged = judge_clips("ada", clips, decider=DECIDER, enrolled=enrolled(0), enrolled_clips=held)
    assert statuses(judged) == ["duplicate", "used"]


def test_too_little_speech_in_all_is_refused_and_what_was_set_aside_does_not_count() -> None:
    clips = [clip("a", 0, seconds=1.4), clip("b", 5, seconds=1.5), clip("x", 120, seconds=60.0)]
    with pytest.raises(
        EnrollmentError, match=r"2\.9 s of speech in 2 clips is too little; give at least 3 s"
    ):
        judge_clips("ada", clips, decider=DECIDER)
    assert judge_clips("ada", clips, decider=DECIDER, min_speech=2.9)


def test_speech_that_is_enrolled_counts() -> None:
    judged = judge_clips(
        "ada",
        [clip("a", 0, seconds=0.6)],
        decider=Decider(calibration=None),
        enrolled=enrolled(0, seconds=2.5),
    )
    assert statuses(judged) == ["used"]


def test_no_clips_are_refused() -> None:
    with pytest.raises(EnrollmentError, match="no clip can be used"):
        judge_clips("ada", [], decider=Decider(calibration=None))


def test_leaving_one_out_is_the_centroid_of_the_others() -> None:
    rows = np.random.default_rng(1).standard_normal((6, 8))
    rows = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    slow = [cosine(centroid(np.delete(rows, index, axis=0)), rows[index]) for index in range(6)]
    np.testing.assert_allclose(leave_one_out_agreement(rows), slow, atol=1e-6)


def test_a_clip_that_cannot_be_used_is_measured_as_far_as_possible(
    model_folder: Path, tmp_path: Path, people: Path
) -> None:
    model = SpeakerModel.open(model_folder)
    (tmp_path / "text.wav").write_text("not audio")
    silence = Waveform(samples=np.full(16_000, 1e-4, dtype=np.float32), source="quiet", original_rate=16_000)
    broken, short, good = (
        measure_clip(source, model) for source in (tmp_path / "text.wav", silence, people / "ada/0.wav")
    )
    assert (broken.report.status, broken.report.quality) == ("unreadable", None)
    assert broken.report.reason.startswith("cannot be decoded")
    assert short.report.status == "too_short"
    assert short.report.quality is not None
    assert short.report.reason == "0.0 s of speech; at least 0.5 s are needed"
    assert good.report.status == "used"
    assert good.embedding is not None


def test_a_clip_in_noise_is_judged_as_verify_would() -> None:
    """Noise lowers scores: a clip that disagrees when it is clean agrees when 10 dB of noise explain it."""
    term = SnrTerm(gain=-0.01, reference_db=30.0, low_db=5.0, high_db=40.0)
    calibration = replace(tiny_calibration(), snr=term)
    decider = Decider(calibration=calibration)
    # 0.766 is under 0.82 for three clips, but 20 dB are worth 0.10 to it.
    clean, noisy = (replace_snr(clip("x", 40), snr_db) for snr_db in (30.0, 20.0))
    with pytest.raises(EnrollmentError, match="disagree"):
        judge_clips("ada", [clean], decider=decider, enrolled=enrolled(0))
    assert statuses(judge_clips("ada", [noisy], decider=decider, enrolled=enrolled(0))) == ["used"]


def test_a_stores_own_thresholds_hold_at_enrollment_too() -> None:
    tuned = replace(DECIDER, shift=0.1)
    added = [clip("x", 25)]  # 0.906: over 0.82, under 0.92
    assert statuses(judge_clips("ada", added, decider=DECIDER, enrolled=enrolled(0))) == ["used"]
    with pytest.raises(EnrollmentError, match="disagree"):
        judge_clips("ada", added, decider=tuned, enrolled=enrolled(0))


def replace_snr(candidate: CandidateClip, snr_db: float) -> CandidateClip:
    quality = candidate.report.quality
    assert quality is not None
    return replace(candidate, report=replace(candidate.report, quality=replace(quality, snr_db=snr_db)))
