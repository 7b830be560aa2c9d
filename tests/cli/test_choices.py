"""Every public choice, rate and count outside the front door is refused by name, before anything is done."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from voiceprint.audio.recording import record
from voiceprint.calibration import CellScores, OperatingPoint, fit_calibration, fit_cell
from voiceprint.classification import ClassifierModel, EncoderClassifier
from voiceprint.corpus import Corpus, Utterance, check_corpus, scan_corpus, split_corpus
from voiceprint.corpus.splits import split_clips
from voiceprint.errors import ArgumentError
from voiceprint.evaluation import evaluate_scores, run_trials, score_trials
from voiceprint.evaluation.benchmark import Benchmark, LabelledEmbeddings, open_set
from voiceprint.evaluation.measure import MeasureSettings, limit_clips
from voiceprint.metrics import SpeakerTrials, eer_hull, speaker_bootstrap
from voiceprint.model import SpeakerModel
from voiceprint.trials import make_trials, write_trials
from voiceprint.workers import count_processes

RNG = np.random.default_rng(0)
UNUSED: Any = None
"""Stands where an argument is not looked at before the wrong one is refused."""

CORPUS = Corpus(
    Utterance(id=f"{who}-{clip}", path=Path(f"/{who}-{clip}.wav"), speaker=who, split="test", seconds=2.0)
    for who in ("ada", "bert")
    for clip in range(3)
)
CELL = CellScores(
    n_enroll=1,
    seconds=2.0,
    targets=RNG.normal(1.0, 0.1, 100),
    nontargets=RNG.normal(0.0, 0.1, 1000),
    n_speakers=20,
    n_pairs=190,
)
CLIPS = LabelledEmbeddings(
    embeddings=np.eye(12, dtype=np.float32), speakers=np.repeat(list("abcd"), 3), sessions=np.full(12, "")
)
TRIALS = SpeakerTrials(scores=np.zeros(4), enroll=np.array(list("aabb")), test=np.array(list("abab")))


@pytest.mark.parametrize(
    ("argument", "call"),
    [
        ("averaging", lambda: score_trials(UNUSED, UNUSED, averaging="mean")),  # type: ignore[arg-type]
        ("top_k", lambda: score_trials(UNUSED, UNUSED, top_k=1)),
        ("averaging", lambda: run_trials(UNUSED, UNUSED, averaging="mean")),  # type: ignore[arg-type]
        ("repetitions", lambda: evaluate_scores(UNUSED, repetitions=-1)),
        ("seed", lambda: evaluate_scores(UNUSED, seed=-1)),
        ("method", lambda: fit_cell(CELL, method="linear")),  # type: ignore[arg-type]
        ("method", lambda: fit_calibration([CELL], method="platt")),  # type: ignore[arg-type]
        ("p_target", lambda: fit_calibration([CELL], p_target=1.0)),
        ("style", lambda: write_trials(UNUSED, "x", style="json")),  # type: ignore[arg-type]
        ("n_enroll", lambda: make_trials(CORPUS, n_enroll=0)),
        ("targets", lambda: make_trials(CORPUS, targets=-1)),
        ("nontargets", lambda: make_trials(CORPUS, nontargets=0)),
        ("layout", lambda: scan_corpus(".", layout="timit")),  # type: ignore[arg-type]
        ("max_unreadable", lambda: scan_corpus(".", max_unreadable=1.5)),
        ("seed", lambda: split_corpus(CORPUS, seed=-1)),
        ("min_seconds", lambda: check_corpus(CORPUS, min_seconds=-1.0)),
        ("max_clipped", lambda: check_corpus(CORPUS, max_clipped=float("nan"))),
        ("split", lambda: split_clips(CORPUS, "half")),  # type: ignore[arg-type]
        ("seconds", lambda: record(0.0)),
        ("n", lambda: open_set(CLIPS, n=0)),
        ("draws", lambda: open_set(CLIPS, draws=0)),
        ("rates", lambda: open_set(CLIPS, rates=[0.1, 0.0])),
        ("k", lambda: Benchmark(CLIPS).run(n=1, k=1)),
        ("episodes", lambda: Benchmark(CLIPS).run(n=1, k=2, episodes=0)),
        ("level", lambda: speaker_bootstrap(TRIALS, [eer_hull], generator=RNG, level=1.0)),
        ("repetitions", lambda: speaker_bootstrap(TRIALS, [eer_hull], generator=RNG, repetitions=0)),
        ("threads", lambda: SpeakerModel.open(threads=0)),
        ("n_enroll", lambda: MeasureSettings(n_enroll=0)),
        ("conditions", lambda: MeasureSettings(conditions=("underwater",))),
        ("limit", lambda: limit_clips(CORPUS, 0, seed=0)),
        ("jobs", lambda: count_processes(0)),
        ("far", lambda: OperatingPoint.far(0.0)),
        ("threshold", lambda: OperatingPoint.threshold(1.5)),
        ("p_target", lambda: OperatingPoint.cost(p_target=1.0)),
        ("c_fa", lambda: OperatingPoint.cost(p_target=0.5, c_fa=0.0)),
        ("people", lambda: OperatingPoint.eer().among(0)),
        ("kind", lambda: OperatingPoint(kind="luck")),  # type: ignore[arg-type]
        (
            "threshold",
            lambda: classifier().predict(np.zeros(16000), sample_rate=16000, threshold=float("nan")),
        ),
        ("min_speech", lambda: classifier().predict(np.zeros(16000), sample_rate=16000, min_speech=-1.0)),
        ("sample_rate", lambda: classifier().predict(np.zeros(16000))),
    ],
)
def test_a_wrong_value_is_refused_by_name(argument: str, call: Callable[[], object]) -> None:
    with pytest.raises(ArgumentError) as caught:
        call()
    assert caught.value.argument == argument


def classifier() -> ClassifierModel:
    head: Any = None
    made = EncoderClassifier(encode=head, head=head, names=("ada", "bert"), seconds=1.0, centroids=None)
    return ClassifierModel(classifier=made, rejection=None, title="none")
