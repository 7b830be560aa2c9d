"""Mixtures at work: naming one of a few speakers, and scoring verification trials."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from voiceprint.errors import TrainingError
from voiceprint.training.baselines.frames import Frames, pool_frames
from voiceprint.training.baselines.mixtures import (
    Mixture,
    MixtureConfig,
    adapt_means,
    fit_mixture,
    likelihood_ratios,
)
from voiceprint.trials import ScoredTrials, TrialList

__all__ = ["MixtureClassifier", "adapted_speakers", "own_speakers", "score_by_mixtures"]

_MODEL_COMPONENTS = 16_384  # Gaussians met at once by the frames of a clip: bounds the memory


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MixtureClassifier:
    """One mixture for each of a few speakers.

    Parameters
    ----------
    mixtures : mapping of str to Mixture
        The speakers.
    background : Mixture, optional
        What they were adapted from.
    """

    mixtures: Mapping[str, Mixture]
    background: Mixture | None = None

    def answer(self, clips: Sequence[Frames]) -> list[str]:
        """Name the speaker whose mixture makes the frames (n, dim) of each clip most likely."""
        names = list(self.mixtures)
        return [names[int(np.argmax(self.log_likelihoods(frames)))] for frames in clips]

    def log_likelihoods(self, frames: Frames) -> list[float]:
        """How well each speaker's mixture explains the frames (n, dim) of a clip, in nats a frame."""
        return [float(mixture.log_likelihoods(frames).mean()) for mixture in self.mixtures.values()]


def own_speakers(clips: Mapping[str, list[Frames]], config: MixtureConfig, *, seed: int) -> MixtureClassifier:
    """Fit a mixture to the clips of each speaker alone.

    Raises
    ------
    TrainingError
        A speaker has fewer frames than a mixture has Gaussians.
    """
    generator = np.random.default_rng(seed)
    return MixtureClassifier(
        mixtures={
            name: fit_mixture(pool_frames(own, config.max_frames, generator), config, seed=seed)
            for name, own in clips.items()
        }
    )


def adapted_speakers(
    clips: Mapping[str, list[Frames]],
    background: Mixture,
    *,
    relevance: float,
    max_frames: int,
    seed: int,
) -> MixtureClassifier:
    """Adapt a background to the clips of each speaker, at most ``max_frames`` frames of each."""
    generator = np.random.default_rng(seed)
    return MixtureClassifier(
        mixtures={
            name: adapt_means(background, pool_frames(own, max_frames, generator), relevance=relevance)
            for name, own in clips.items()
        },
        background=background,
    )


def score_by_mixtures(
    trials: TrialList, clips: Mapping[str, Frames], background: Mixture, *, relevance: float
) -> ScoredTrials:
    """Score trials by the likelihood ratio of a speaker's adapted mixture and the background.

    Parameters
    ----------
    trials : TrialList
        The trials.
    clips : mapping of str to ndarray, shape (n, dim), float32
        The frames of their clips.
    background : Mixture
        The universal background model.
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


def _ratios(background: Mixture, means: NDArray[np.float32], frames: Frames) -> NDArray[np.float64]:
    at_once = max(1, _MODEL_COMPONENTS // means.shape[1])
    parts = [means[start : start + at_once] for start in range(0, len(means), at_once)]
    return np.concatenate([likelihood_ratios(background, part, frames) for part in parts])
