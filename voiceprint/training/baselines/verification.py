"""Verification by adapted mixtures: the clips of a corpus, its trials, and the error rates."""

from __future__ import annotations

from voiceprint.corpus import Corpus
from voiceprint.evaluation import EvaluationReport, evaluate_scores
from voiceprint.training.baselines.frames import FramesConfig, frames_of
from voiceprint.training.baselines.mixtures import Mixture
from voiceprint.training.baselines.speakers import score_by_mixtures
from voiceprint.training.baselines.speech import hear
from voiceprint.trials import TrialList

__all__ = ["verify_by_mixtures"]


def verify_by_mixtures(
    trials: TrialList,
    corpus: Corpus,
    *,
    features: FramesConfig,
    background: Mixture,
    relevance: float,
    repetitions: int = 1000,
) -> EvaluationReport:
    """Score trials by adapted mixtures and measure the errors.

    Parameters
    ----------
    trials : TrialList
        As `voiceprint.trials.make_trials` makes them of ``corpus``.
    corpus : Corpus
        Speakers whom the background has never heard.
    features : FramesConfig
        Those of the background.
    background : Mixture
        The universal background model.
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
    clips = {clip.utterance.id: frames_of(features, clip.samples) for clip in hear(corpus)}
    scored = score_by_mixtures(trials, clips, background, relevance=relevance)
    speakers = {utterance.id: utterance.speaker for utterance in corpus}
    return evaluate_scores(scored, speakers=speakers, repetitions=repetitions)
