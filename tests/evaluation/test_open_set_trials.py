"""Searches in simulated stores, and the thresholds that are fitted to them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from made_cells import shifted
from numpy.typing import NDArray

from voiceprint.errors import CalibrationError, TooFewTrialsError
from voiceprint.evaluation.calibration_trials import SpeakerPart
from voiceprint.evaluation.open_set_trials import search_trials
from voiceprint.evaluation.recalibration import fit_open_set


def test_searches_go_without_thresholds_only_where_people_are_too_few() -> None:
    enough = shifted(shift=0.1, n=5000, n_pairs=780)
    other = replace(enough, n_enroll=3, seconds=5.0)
    assert fit_open_set({"one": [enough]}) is not None
    assert fit_open_set({}) is None
    assert fit_open_set({"one": [replace(enough, n_speakers=4)]}) is None
    assert fit_open_set({"one": [enough], "other": [other]}) is None  # 3 clips against 2 s are missing
    with pytest.raises(CalibrationError, match="targets do not score higher") as caught:
        fit_open_set({"one": [shifted(shift=0.9, n=5000, n_pairs=780)]})
    assert not isinstance(caught.value, TooFewTrialsError)


def test_margins_are_of_people_who_are_not_enrolled() -> None:
    rng = np.random.default_rng(5)
    parts = [part for who in range(24) for part in embedded_person(rng, f"p{who}")]
    cohort = rng.normal(size=(30, 16)).astype(np.float32)
    cohort /= np.linalg.norm(cohort, axis=1, keepdims=True)
    kinds = search_trials({"as recorded": parts}, cohort, n_enroll=(1, 3), seconds=(1.0,))
    (cells,) = kinds.values()
    assert [(each.n_enroll, each.seconds) for each in cells] == [(1, 1.0), (3, 1.0)]
    for each in cells:
        assert each.targets.mean() > each.nontargets.mean() + 0.2
        assert each.n_pairs == 24 * 23 // 2
    few = search_trials({"as recorded": parts[:10]}, cohort, n_enroll=(1,), seconds=(1.0,))
    assert few == {}


def embedded_person(rng: np.random.Generator, name: str) -> list[SpeakerPart]:
    """Two parts of four clips each, near one direction."""
    own = rng.normal(size=16)

    def clips(count: int) -> NDArray[np.float32]:
        rows = own + 0.3 * rng.normal(size=(count, 16))
        return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), dtype=np.float32)

    return [
        SpeakerPart(
            corpus="made",
            speaker=name,
            clips=clips(4),
            lengths=np.full(4, 3.0),
            tests={1.0: clips(4)},
            snr_db={},
        )
        for _ in range(2)
    ]
