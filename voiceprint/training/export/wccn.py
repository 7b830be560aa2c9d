"""Within-class covariance normalisation (WCCN) of a trained encoder, folded into its last layer.

An encoder's embeddings share an offset that differs with the kind of recording, and clips of one speaker
differ more in some directions than in others. A cosine counts both. So the training speech's mean is
subtracted, and the within-class covariance is normalised. It is that of crops augmented as in training,
because clips of one speaker differ most when cut short, in noise and over telephone lines.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from voiceprint.audio import SAMPLE_RATE
from voiceprint.errors import ConfigError, CorpusError
from voiceprint.training.data.batches import Batch
from voiceprint.training.data.pool import Pool
from voiceprint.training.encoders import ConvBiLSTM

SHRINKAGE = 0.8
"""Share of the unit matrix in the covariance; chosen on dev speakers (docs/development/experiments.md)."""
BATCHES = 200
"""Training batches on whose crops the covariance is measured."""
_CLIPS_OF_A_CORPUS = 500
_LONGEST = 10 * SAMPLE_RATE


@dataclass(frozen=True, slots=True)
class Normalization:
    """An affine change of embeddings, ``(e - mean) @ matrix``.

    Parameters
    ----------
    mean : NDArray of float64, (dim,)
        Subtracted first.
    matrix : NDArray of float64, (dim, dim)
        Applied from the right.
    """

    mean: NDArray[np.float64]
    matrix: NDArray[np.float64]


def mean_of_corpora(
    embeddings: NDArray[np.float64], corpora: Sequence[str] | NDArray[np.str_]
) -> NDArray[np.float64]:
    """Mean over the corpora's means, (n, dim) -> (dim,): every corpus counts alike, however large.

    Parameters
    ----------
    embeddings : NDArray, (n, dim)
        As the encoder gives them.
    corpora : sequence of str, (n,)
        From where each is.
    """
    means = [embeddings[np.asarray(corpora) == name].mean(axis=0) for name in sorted(set(corpora))]
    return np.asarray(np.mean(means, axis=0), dtype=np.float64)


def within_class_covariance(
    embeddings: NDArray[np.float64], classes: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Covariance of embeddings about the means of their classes, (dim, dim).

    Parameters
    ----------
    embeddings : NDArray, (n, dim)
        As the encoder gives them.
    classes : NDArray of int64, (n,)
        Whose each is; classes of one embedding are left out.

    Raises
    ------
    CorpusError
        No class has two embeddings.
    """
    _, number, counts = np.unique(classes, return_inverse=True, return_counts=True)
    sums = np.zeros((len(counts), embeddings.shape[1]))
    np.add.at(sums, number, embeddings)
    residuals = (embeddings - (sums / counts[:, None])[number])[counts[number] > 1]
    if not len(residuals):
        raise CorpusError("WCCN: no training speaker has two clips, so nothing says how clips of one differ")
    return np.asarray(residuals.T @ residuals / len(residuals), dtype=np.float64)


def normalization(
    mean: NDArray[np.float64], covariance: NDArray[np.float64], *, shrinkage: float
) -> Normalization:
    """What centres embeddings and evens out their covariance within speakers.

    Parameters
    ----------
    mean : NDArray, (dim,)
        As `mean_of_corpora` gives it.
    covariance : NDArray, (dim, dim)
        As `within_class_covariance` gives it.
    shrinkage : float
        From 0 (the covariance as it is) to 1 (a multiple of the unit matrix: only the mean is subtracted).

    References
    ----------
    Hatch, Kajarekar and Stolcke, "Within-class covariance normalization for SVM-based speaker recognition"
    (2006).
    """
    dim = len(covariance)
    even = np.trace(covariance) / dim * np.eye(dim)
    shrunk = (1 - shrinkage) * covariance + shrinkage * even
    return Normalization(mean, np.linalg.cholesky(np.linalg.inv(shrunk)))


def measure_normalization(
    encoder: nn.Module,
    pool: Pool,
    batches: Iterable[Batch],
    *,
    seed: int,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Normalization:
    """WCCN by a run's training speech.

    Parameters
    ----------
    encoder : nn.Module
        In evaluation mode.
    pool : Pool
        The mean is that of clips in the speakers' own voices, as they are; at most 500 of each corpus.
    batches : iterable of Batch
        The covariance is that of the crops of these, `BATCHES` in all.
    seed : int
        Of the clips drawn for the mean.
    progress : callable
        ``progress(done, total)`` after every clip and every batch.

    Raises
    ------
    ConfigError
        As for `fold`, before any clip is embedded.
    CorpusError
        No speaker has two clips.
    """
    _last_layer(encoder)
    own = pool.utterances[: len(pool) // pool.voices]
    corpus_of = np.array([utterance.speaker.rpartition("/")[0] for utterance in own])
    generator = np.random.default_rng(seed)
    chosen = np.concatenate(
        [
            generator.permutation(np.flatnonzero(corpus_of == name))[:_CLIPS_OF_A_CORPUS]
            for name in np.unique(corpus_of)
        ]
    )
    clips: list[Tensor] = []
    crops: list[Tensor] = []
    labels: list[Tensor] = []
    total = len(chosen) + BATCHES
    with torch.inference_mode():
        for index in chosen:
            clips.append(encoder(torch.from_numpy(pool.read(index, 0, _LONGEST))[None]))
            progress(len(clips), total)
        for batch in batches:
            crops.append(encoder(batch.waveforms))
            labels.append(batch.labels)
            progress(len(clips) + len(crops), total)
    covariance = within_class_covariance(torch.cat(crops).double().numpy(), torch.cat(labels).numpy())
    mean = mean_of_corpora(torch.cat(clips).double().numpy(), corpus_of[chosen])
    return normalization(mean, covariance, shrinkage=SHRINKAGE)


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
