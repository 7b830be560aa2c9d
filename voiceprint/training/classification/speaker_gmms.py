"""A GMM for each of a few speakers: fitted to the speaker alone, or adapted from a background of many."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from voiceprint.corpus import Corpus
from voiceprint.errors import ConfigError
from voiceprint.training.classification.frames import Frames, FramesConfig, frames_of, pool_frames
from voiceprint.training.classification.gmm import GMM, GMMConfig, adapt_means, fit_gmm
from voiceprint.training.classification.recipes import AdaptedGMMs, GMMRecipe, SeparateGMMs
from voiceprint.training.classification.speech import naming, read_speech
from voiceprint.training.run.task import read_corpora


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SpeakerGMMs:
    """A GMM for each of a few speakers."""

    gmms: Mapping[str, GMM]
    background: GMM | None = None

    def log_likelihoods(self, frames: Frames) -> NDArray[np.float64]:
        """Log-likelihood of the frames (n, dim) of a clip for every speaker, (speakers,), in nats a frame."""
        return np.array([float(gmm.log_likelihoods(frames).mean()) for gmm in self.gmms.values()])

    def most_likely(self, frames: Frames) -> str:
        """Name the speaker for whom the frames (n, dim) of a clip are most likely."""
        return list(self.gmms)[int(self.log_likelihoods(frames).argmax())]


def fit_background(recipe: GMMRecipe, *, corpora: Path) -> GMM:
    """Fit the universal background model of a recipe to the ``train`` speakers of its corpora.

    Raises
    ------
    ConfigError
        The recipe has no background.
    CorpusError
        A corpus is missing.
    """
    if not isinstance(recipe.speakers, AdaptedGMMs):
        raise ConfigError('speakers.kind: "own" has no background; set it to "map"')
    corpus = read_corpora(corpora, recipe.speakers.background, split="train")
    generator = np.random.default_rng(recipe.seed)
    share = max(1, recipe.mixture.max_frames // len(corpus))
    # Clip by clip, so that the frames of hours of speech are never held at once.
    drawn = [
        pool_frames([frames_of(recipe.features, clip.samples)], share, generator)
        for clip in read_speech(corpus)
    ]
    return fit_gmm(np.concatenate(drawn), recipe.mixture, seed=recipe.seed)


def fit_speaker_gmms(
    recipe: GMMRecipe, train: Corpus, *, corpora: Path, background: GMM | None = None
) -> SpeakerGMMs:
    """Fit a GMM to each speaker of ``train``.

    Parameters
    ----------
    corpora : Path
        Root of the background's corpora.
    background : GMM, optional
        That of `fit_background`, for recipes that have one; fitted here where left out.

    Raises
    ------
    AudioError, CorpusError, TrainingError
        A clip cannot be read, a corpus is missing, or there is too little speech for a GMM.
    """
    frames = _frames_by_speaker(recipe.features, train)
    if isinstance(recipe.speakers, SeparateGMMs):
        return separate_gmms(frames, recipe.mixture, seed=recipe.seed)
    return adapted_gmms(
        frames,
        fit_background(recipe, corpora=corpora) if background is None else background,
        relevance=recipe.speakers.relevance,
        max_frames=recipe.mixture.max_frames,
        seed=recipe.seed,
    )


def separate_gmms(frames: Mapping[str, list[Frames]], config: GMMConfig, *, seed: int) -> SpeakerGMMs:
    """Fit a GMM to the clips of each speaker alone.

    Raises
    ------
    TrainingError
        A speaker has fewer frames than a GMM has Gaussians.
    """
    generator = np.random.default_rng(seed)
    return SpeakerGMMs(
        gmms={
            name: fit_gmm(pool_frames(clips, config.max_frames, generator), config, seed=seed)
            for name, clips in frames.items()
        }
    )


def adapted_gmms(
    frames: Mapping[str, list[Frames]], background: GMM, *, relevance: float, max_frames: int, seed: int
) -> SpeakerGMMs:
    """Adapt a background to the clips of each speaker, at most ``max_frames`` frames of each."""
    generator = np.random.default_rng(seed)
    return SpeakerGMMs(
        gmms={
            name: adapt_means(background, pool_frames(clips, max_frames, generator), relevance=relevance)
            for name, clips in frames.items()
        },
        background=background,
    )


def _frames_by_speaker(features: FramesConfig, corpus: Corpus) -> dict[str, list[Frames]]:
    frames: dict[str, list[Frames]] = {}
    for clip in read_speech(corpus):
        with naming(clip):
            frames.setdefault(clip.utterance.speaker, []).append(frames_of(features, clip.samples))
    return frames
