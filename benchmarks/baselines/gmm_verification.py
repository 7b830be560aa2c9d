"""GMM-UBM verification: trials scored by adapted GMMs, and their error rates."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from voiceprint.corpus import Corpus
from voiceprint.errors import TrainingError
from voiceprint.evaluation import EvaluationReport, evaluate_scores
from voiceprint.training.classification.frames import Frames, FramesConfig, frames_of
from voiceprint.training.classification.gmm import GMM, adapt_means, likelihood_ratios
from voiceprint.training.classification.speech import read_speech
from voiceprint.trials import ScoredTrials, TrialList

__all__ = ["score_by_gmms", "verify_by_gmms"]

_MODEL_COMPONENTS = 16_384  # Gaussians met at once by the frames of a clip: bounds the memory


def verify_by_gmms(
    trials: TrialList,
    corpus: Corpus,
    *,
    features: FramesConfig,
    background: GMM,
    relevance: float,
    repetitions: int = 1000,
) -> EvaluationReport:
    """Score trials by adapted GMMs and measure the errors.

    Parameters
    ----------
    trials : TrialList
        As `voiceprint.trials.make_trials` makes them of ``corpus``.
    corpus : Corpus
        Speakers that the background was not fitted to.
    features : FramesConfig
        Those of the background.
    relevance : float
        Of the adaptation.
    repetitions : int
        Draws of speakers behind the interval of the EER.

    Raises
    ------
    AudioError
        A clip cannot be read.
    TrainingError
        A clip of the trials is not in ``corpus``.
    """
    clips = {clip.utterance.id: frames_of(features, clip.samples) for clip in read_speech(corpus)}
    scored = score_by_gmms(trials, clips, background, relevance=relevance)
    speakers = {utterance.id: utterance.speaker for utterance in corpus}
    return evaluate_scores(scored, speakers=speakers, repetitions=repetitions)


def score_by_gmms(
    trials: TrialList, clips: Mapping[str, Frames], background: GMM, *, relevance: float
) -> ScoredTrials:
    """Score trials by the likelihood ratio of a speaker's adapted GMM and the background.

    Parameters
    ----------
    clips : mapping of str to ndarray, shape (n, dim), float32
        The frames of their clips.
    relevance : float
        Of the adaptation (`adapt_means`).

    Returns
    -------
    ScoredTrials
        Scores in nats a frame; every trial has one.

    Raises
    ------
    TrainingError
        A clip of the trials has no frames in ``clips``.
    """
    missing = next((clip for clip in trials.clips if clip not in clips), None)
    if missing is not None:
        raise TrainingError(
            f"clip {missing!r} of the trials has no frames; give those of {len(trials.clips)}"
        )
    means = np.stack(
        [
            adapt_means(
                background, np.concatenate([clips[c] for c in model.clips]), relevance=relevance
            ).means
            for model in trials.models
        ]
    )
    scores = np.empty(len(trials))
    order = np.argsort(trials.test, kind="stable")
    for places in np.split(order, np.flatnonzero(np.diff(trials.test[order])) + 1):
        frames = clips[trials.tests[trials.test[places[0]]]]
        scores[places] = _ratios(background, means[trials.enroll[places]], frames)
    return ScoredTrials(trials=trials, scores=scores)


def _ratios(background: GMM, means: NDArray[np.float32], frames: Frames) -> NDArray[np.float64]:
    at_once = max(1, _MODEL_COMPONENTS // means.shape[1])
    parts = [means[start : start + at_once] for start in range(0, len(means), at_once)]
    return np.concatenate([likelihood_ratios(background, part, frames) for part in parts])
