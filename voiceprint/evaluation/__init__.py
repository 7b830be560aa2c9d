"""Evaluation: clips to embeddings, trials to scores, scores to figures.

- `embed_clips` embeds clips as ``verify`` does, in several processes, through an `EmbeddingCache`.
- `embed_degraded` embeds them degraded: noise, telephone, rooms.
- `score_trials` scores a trial list; `all_pairs` scores every pair of utterances.
- `evaluate_scores` measures what came of it; `trial_llrs` and `measure_card` add what a model's card says.
- `calibration_trials` makes the scores that `fit_pooled` takes.
- `embed_corpus` and `measure_set` measure models on corpora; `measure_trials` a trial list under conditions.
"""

from voiceprint.evaluation.cache import CachedEmbedding, EmbeddingCache, default_cache_path
from voiceprint.evaluation.calibrated import (
    CardRate,
    measure_card,
    trial_llrs,
    trial_shape,
)
from voiceprint.evaluation.calibration_trials import calibration_trials
from voiceprint.evaluation.degraded import embed_degraded
from voiceprint.evaluation.embedding import (
    ClipFile,
    EmbeddedClips,
    corpus_files,
    embed_clips,
    embed_lengths,
    find_files,
    read_stretch,
)
from voiceprint.evaluation.measure import (
    EmbeddedCorpus,
    MeasureSettings,
    describe_environment,
    describe_model,
    embed_corpus,
    fitted_note,
    limit_clips,
    measure_set,
)
from voiceprint.evaluation.report import EvaluationReport, evaluate_scores
from voiceprint.evaluation.results import Confusion, Report, SetReport, SystemReport, read_confusion
from voiceprint.evaluation.run import ModelScores, make_cohort, run_trials
from voiceprint.evaluation.scores import Averaging, all_pairs, score_trials
from voiceprint.evaluation.trial_conditions import ConditionsReport, measure_trials

__all__ = [
    "Averaging",
    "CachedEmbedding",
    "CardRate",
    "ClipFile",
    "ConditionsReport",
    "Confusion",
    "EmbeddedClips",
    "EmbeddedCorpus",
    "EmbeddingCache",
    "EvaluationReport",
    "MeasureSettings",
    "ModelScores",
    "Report",
    "SetReport",
    "SystemReport",
    "all_pairs",
    "calibration_trials",
    "corpus_files",
    "default_cache_path",
    "describe_environment",
    "describe_model",
    "embed_clips",
    "embed_corpus",
    "embed_degraded",
    "embed_lengths",
    "evaluate_scores",
    "find_files",
    "fitted_note",
    "limit_clips",
    "make_cohort",
    "measure_card",
    "measure_set",
    "measure_trials",
    "read_confusion",
    "read_stretch",
    "run_trials",
    "score_trials",
    "trial_llrs",
    "trial_shape",
]
