"""A GMM for each of a few speakers: fitted to the speaker alone, or adapted from a background of many."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from voiceprint.corpus import Corpus
from voiceprint.errors import ConfigError, TrainingError
from voiceprint.training.classification.frames import Frames, frames_of, pool_frames
from voiceprint.training.classification.gmm import GMM, adapt_means, fit_gmm
from voiceprint.training.classification.recipes import AdaptedGMMs, GMMRecipe, SeparateGMMs
from voiceprint.training.classification.speech import map_speech
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
        pool_frames([frames], share, generator)
        for _, frames in map_speech(partial(frames_of, recipe.features), corpus)
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
    frames: dict[str, list[Frames]] = {}
    for utterance, own in map_speech(partial(frames_of, recipe.features), train):
        frames.setdefault(utterance.speaker, []).append(own)
    if background is None and isinstance(recipe.speakers, AdaptedGMMs):
        background = fit_background(recipe, corpora=corpora)
    return learn_speakers(recipe, frames, background)


def learn_speakers(
    recipe: GMMRecipe, frames: Mapping[str, list[Frames]], background: GMM | None
) -> SpeakerGMMs:
    """Fit a GMM to the clips of each speaker alone, or adapt the background to them, as the recipe says.

    Raises
    ------
    TrainingError
        A speaker has fewer frames than a GMM has Gaussians, or there is no background to adapt.
    """
    generator = np.random.default_rng(recipe.seed)
    pooled = {
        name: pool_frames(clips, recipe.mixture.max_frames, generator) for name, clips in frames.items()
    }
    if isinstance(recipe.speakers, SeparateGMMs):
        fitted = {name: fit_gmm(own, recipe.mixture, seed=recipe.seed) for name, own in pooled.items()}
        return SpeakerGMMs(gmms=fitted)
    if background is None:
        raise TrainingError("speakers: there is no background whose means could be adapted")
    relevance = recipe.speakers.relevance
    adapted = {name: adapt_means(background, own, relevance=relevance) for name, own in pooled.items()}
    return SpeakerGMMs(gmms=adapted, background=background)
