"""A term for the speakers of a recording, who are farther away than whoever speaks a clip."""

import tomllib
from dataclasses import replace

import numpy as np
import pytest
import tomli_w
from made_cells import grid

from voiceprint.calibration import Calibration, Decider, OperatingPoint, TrialShape
from voiceprint.errors import CalibrationError

CLIP = TrialShape(n_enroll=3, seconds=[2.0, 9.0])
SPEAKER = replace(CLIP, recording=True)


def test_a_speaker_of_a_recording_needs_less() -> None:
    decider = Decider(calibration=replace(grid(), recording=0.08))
    for point in (OperatingPoint.far(0.01), OperatingPoint.far(0.01).among(20), OperatingPoint.eer()):
        np.testing.assert_allclose(
            decider.thresholds(SPEAKER, point), decider.thresholds(CLIP, point) - 0.08, atol=1e-12
        )
    ratios, of_clips = decider.llrs([0.4, 0.5], SPEAKER), decider.llrs([0.48, 0.58], CLIP)
    assert ratios is not None and of_clips is not None
    np.testing.assert_allclose(ratios, of_clips)
    given = OperatingPoint.threshold(0.5)
    assert decider.thresholds(SPEAKER, given).tolist() == [0.5, 0.5]


def test_a_card_may_have_no_such_term() -> None:
    plain = Calibration.from_dict(grid().to_dict())
    assert plain.recording == 0.0
    decider = Decider(calibration=plain)
    assert decider.thresholds(SPEAKER).tolist() == decider.thresholds(CLIP).tolist()
    fitted = replace(plain, recording=0.08)
    assert Calibration.from_dict(tomllib.loads(tomli_w.dumps(fitted.to_dict()))) == fitted


@pytest.mark.parametrize("term", [-0.01, 1.5, float("nan"), "much", True])
def test_a_term_out_of_range_is_refused(term: object) -> None:
    with pytest.raises(CalibrationError, match="recording is"):
        Calibration.from_dict(grid().to_dict() | {"recording": term})
