"""A clip as one vector, for classifiers that know no time: statistics of its frames, or an embedding."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from voiceprint.corpus import Corpus
from voiceprint.errors import TrainingError
from voiceprint.evaluation import EmbeddingCache, corpus_files, embed_clips
from voiceprint.model import SpeakerModel
from voiceprint.training.classification.frames import Frames, FramesConfig, MFCCFrames, frames_of
from voiceprint.training.classification.speech import map_speech

Vectors = NDArray[np.float32]
Samples = NDArray[np.float32]

Describe = Callable[[Sequence[Samples]], Vectors]
"""Clips, (n_samples,) each, none of them digital silence -> a vector each, (len, dim)."""

_QUANTILES = (0.1, 0.5, 0.9)


@dataclass(frozen=True, slots=True, kw_only=True)
class Statistics:
    """The ``[vectors]`` table of kind ``statistics``: how each short-term feature is spread over the clip.

    Parameters
    ----------
    features : FramesConfig
        The short-term features. Where their mean is subtracted, it carries nothing any more.
    """

    kind: Literal["statistics"] = "statistics"
    features: FramesConfig = field(default_factory=lambda: MFCCFrames(normalization="none"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Embeddings:
    """The ``[vectors]`` table of kind ``embeddings``: the embedding of a trained encoder.

    Parameters
    ----------
    model : str
        A model folder or the name of a registered model; empty for the one in use.
    """

    kind: Literal["embeddings"] = "embeddings"
    model: str = ""


VectorsConfig = Statistics | Embeddings
"""What the ``[vectors]`` table of a classic recipe may be."""


def corpus_vectors(config: VectorsConfig, corpus: Corpus, *, cache: Path | None = None) -> Vectors:
    """Describe the clips of one corpus by one vector each: (len(corpus), dim), float32.

    Parameters
    ----------
    cache : Path, optional
        Folder where embeddings are cached.

    Raises
    ------
    AudioError, TrainingError
        A clip cannot be read or described.
    ModelError
        The model folder is missing or damaged.
    """
    if isinstance(config, Statistics):
        return np.stack([vector for _, vector in map_speech(partial(_statistics, config), corpus)])
    model = _open(config)
    with ExitStack() as stack:
        kept = (
            None
            if cache is None
            else stack.enter_context(EmbeddingCache(cache, model_id=model.id, dim=model.dim))
        )
        clips = embed_clips(corpus_files(corpus), model, cache=kept, jobs=1)
    if clips.failed:
        name, reason = next(iter(clips.failed.items()))
        raise TrainingError(f"{len(clips.failed)} clips have no embedding, such as {name!r}: {reason}")
    return clips.embeddings


def describe(frames: Frames) -> Vectors:
    """Mean, standard deviation, 10 %, 50 % and 90 % quantile of every feature: (n, dim) -> (5 dim,)."""
    quantiles = np.quantile(frames, _QUANTILES, axis=0)
    return np.concatenate([frames.mean(axis=0), frames.std(axis=0), *quantiles]).astype(np.float32)


def _statistics(config: Statistics, samples: Samples) -> Vectors:
    return describe(frames_of(config.features, samples))


def describer(config: VectorsConfig) -> Describe:
    """What makes vectors of clips.

    Raises
    ------
    ModelError
        The model folder is missing or damaged.
    """
    if isinstance(config, Embeddings):
        return _open(config).embed
    return lambda clips: np.stack([_statistics(config, clip) for clip in clips])


def _open(config: Embeddings) -> SpeakerModel:
    return SpeakerModel.open(config.model or None)
