"""Within-class covariance normalisation (WCCN) of a trained encoder, folded into its last layer.

An encoder's embeddings share an offset that differs with the kind of recording, and clips of one speaker
differ more in some directions than in others. A cosine counts both. So the training speech's mean is taken
off, and the directions in which clips of one speaker differ most are drawn in.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from voiceprint.audio import SAMPLE_RATE
from voiceprint.errors import ConfigError, CorpusError
from voiceprint.training.encoders import ConvBiLSTM
from voiceprint.training.pool import Pool

__all__ = ["SHRINKAGE", "Normalization", "fold", "measure_normalization", "within_class_normalization"]

SHRINKAGE = 0.8
"""Share of the unit matrix in the covariance; chosen on dev speakers (docs/experiments.md)."""
_CLIPS_OF_A_CORPUS = 500
_LONGEST = 10 * SAMPLE_RATE


@dataclass(frozen=True, slots=True)
class Normalization:
    """An affine change of embeddings, ``(e - mean) @ matrix``.

    Parameters
    ----------
    mean : NDArray of float64, (dim,)
        Taken off first.
    matrix : NDArray of float64, (dim, dim)
        Applied from the right.
    """

    mean: NDArray[np.float64]
    matrix: NDArray[np.float64]


def within_class_normalization(
    embeddings: NDArray[np.float64], speakers: Sequence[str], corpora: Sequence[str], *, shrinkage: float
) -> Normalization:
    """What centres embeddings and evens out their covariance within speakers.

    Parameters
    ----------
    embeddings : NDArray, (n, dim)
        Of training clips, as the encoder gives them.
    speakers, corpora : sequence of str, (n,)
        Whose each is, and from where. The mean is that over the corpora's means, each counting alike.
    shrinkage : float
        From 0 (the covariance as it is) to 1 (a multiple of the unit matrix: only the mean is taken off).

    Raises
    ------
    CorpusError
        No speaker has two clips.

    References
    ----------
    Hatch, Kajarekar and Stolcke, "Within-class covariance normalization for SVM-based speaker recognition"
    (2006).
    """
    mean = np.mean([embeddings[_are(corpora, name)].mean(axis=0) for name in sorted(set(corpora))], axis=0)
    groups = [embeddings[_are(speakers, name)] for name in sorted(set(speakers))]
    residuals = np.concatenate([group - group.mean(axis=0) for group in groups if len(group) > 1] or [[]])
    if residuals.size == 0:
        raise CorpusError("WCCN: no training speaker has two clips, so nothing says how clips of one differ")
    covariance = residuals.T @ residuals / len(residuals)
    dim = len(covariance)
    even = np.trace(covariance) / dim * np.eye(dim)
    shrunk = (1 - shrinkage) * covariance + shrinkage * even
    return Normalization(mean, np.linalg.cholesky(np.linalg.inv(shrunk)))


def measure_normalization(encoder: nn.Module, pool: Pool, *, seed: int) -> Normalization:
    """WCCN by the training speech of a pool in the speakers' own voices, at most 500 clips of each corpus.

    Parameters
    ----------
    encoder : nn.Module
        In evaluation mode.
    pool : Pool
        Its first shard is used.
    seed : int
        Of the clips drawn.

    Raises
    ------
    ConfigError
        As for `fold`, before any clip is embedded.
    CorpusError
        No speaker has two clips.
    """
    _last_layer(encoder)
    own = pool.utterances[: len(pool) // pool.voices]
    corpus_of = [utterance.speaker.rpartition("/")[0] for utterance in own]
    generator = np.random.default_rng(seed)
    chosen = np.concatenate(
        [
            generator.permutation(np.flatnonzero(_are(corpus_of, name)))[:_CLIPS_OF_A_CORPUS]
            for name in sorted(set(corpus_of))
        ]
    )
    with torch.inference_mode():
        embeddings = [encoder(torch.from_numpy(pool.read(index, 0, _LONGEST))[None])[0] for index in chosen]
    return within_class_normalization(
        torch.stack(embeddings).double().numpy(),
        [own[index].speaker for index in chosen],
        [corpus_of[index] for index in chosen],
        shrinkage=SHRINKAGE,
    )


def fold(encoder: nn.Module, normalization: Normalization) -> None:
    """Change the last layer of ``encoder`` in place, so that its embeddings come out normalised.

    Raises
    ------
    ConfigError
        Its kind is not ``conv_bilstm``.
    """
    last = _last_layer(encoder)
    matrix = torch.from_numpy(normalization.matrix)
    with torch.no_grad():
        bias = last.bias.double() - torch.from_numpy(normalization.mean)
        last.weight.copy_((matrix.T @ last.weight.double()).float())
        last.bias.copy_((matrix.T @ bias).float())


def _last_layer(encoder: nn.Module) -> nn.Linear:
    if not isinstance(encoder, ConvBiLSTM):
        raise ConfigError(f"WCCN: is for encoders of kind conv_bilstm, not for {type(encoder).__name__}")
    return encoder.projection


def _are(names: Sequence[str], name: str) -> NDArray[np.bool_]:
    return np.array([one == name for one in names])
