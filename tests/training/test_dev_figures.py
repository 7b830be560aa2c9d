"""Intervals of dev EERs: speakers are drawn, alike under all conditions of a corpus."""

from __future__ import annotations

import numpy as np
import pytest

from voiceprint.metrics import Interval, SpeakerTrials
from voiceprint.training.export.dev_figures import eer_intervals


def trials(seed: int, *, speakers: int = 6, apart: float = 2.0) -> SpeakerTrials:
    """All pairs of three clips a speaker; scores of one speaker lie higher by ``apart`` deviations."""
    who = np.repeat(np.arange(speakers), 3)
    rows, columns = np.triu_indices(len(who), k=1)
    scores = np.random.default_rng(seed).normal(size=len(rows)) + apart * (who[rows] == who[columns])
    return SpeakerTrials(scores=scores, enroll=who[rows], test=who[columns])


def intervals(cells: dict[str, SpeakerTrials], rates: dict[str, float], *, draws: int) -> dict[str, Interval]:
    return eer_intervals(cells, rates, mean=lambda of: np.mean(list(of.values()), axis=0), draws=draws)


def test_an_encoder_without_errors_may_have_some_for_other_speakers() -> None:
    found = intervals({"a/clean": trials(0, apart=50)}, {"eer": 0.0, "eer/a/clean": 0.0}, draws=50)
    assert {name: (each.low, each.high) for name, each in found.items()} == {
        "eer": (0, 3 / 6),
        "eer/a/clean": (0, 3 / 6),
    }


def test_conditions_of_a_corpus_are_drawn_alike_and_corpora_apart() -> None:
    cell = trials(1)
    rates = {"eer": 0.15, "eer/a/clean": 0.15, "eer/a/noise": 0.15, "eer/b/clean": 0.15}
    alike = intervals({"a/clean": cell, "a/noise": cell}, rates, draws=200)
    apart = intervals({"a/clean": cell, "b/clean": cell}, rates, draws=200)
    # The mean of one draw twice is that draw; the mean of two draws spreads less than either.
    assert alike["eer"] == alike["eer/a/clean"] == alike["eer/a/noise"]
    width = {name: each.high - each.low for name, each in apart.items()}
    assert width["eer"] < 0.9 * max(width["eer/a/clean"], width["eer/b/clean"])
    assert apart["eer/a/clean"] == alike["eer/a/clean"]


def test_too_few_speakers_have_no_interval_and_then_the_mean_has_none() -> None:
    rates = {"eer": 0.1, "eer/a/clean": 0.1, "eer/b/clean": 0.1}
    found = intervals({"a/clean": trials(2), "b/clean": trials(3, speakers=4)}, rates, draws=20)
    assert list(found) == ["eer/a/clean"]


def test_the_interval_surrounds_the_rate() -> None:
    found = intervals({"a/clean": trials(4, speakers=12)}, {"eer": 0.16, "eer/a/clean": 0.16}, draws=200)
    assert found["eer"].low < 0.16 < found["eer"].high
    assert found["eer"].level == pytest.approx(0.95)
