"""A classic system as a classifier of named people: a GMM a speaker, or an SVM."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

from voiceprint.audio import Waveform
from voiceprint.audio.vad import find_speech
from voiceprint.classification import Classification, similarity, to_probabilities
from voiceprint.scoring import normalize
from voiceprint.training.classification.frames import FramesConfig, frames_of
from voiceprint.training.classification.speaker_gmms import SpeakerGMMs
from voiceprint.training.classification.speech import speech_alone
from voiceprint.training.classification.svm import SVM
from voiceprint.training.classification.vectors import Describe

Samples = NDArray[np.float32]

_SHARPEST = 1e3  # where the search for the sharpness ends; and at one over it


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ClassScores:
    """What a classic system says of a clip.

    Parameters
    ----------
    scores : ndarray, shape (classes,)
        The higher, the likelier it is that person; the unit is the system's.
    similarity : float
        To the nearest of the people, as in `Classification`.
    """

    scores: NDArray[np.float64]
    similarity: float


class ClassicSystem(Protocol):
    """What tells people apart without backpropagation."""

    def score(self, samples: Samples) -> ClassScores:
        """Score the speech of a clip, (n_samples,) at 16 kHz."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GMMSystem:
    """A GMM a person.

    Scores are log-likelihoods in nats a frame. Similarity is the highest of them. Where there is a background
    it is the log-likelihood ratio to that: how loud and how noisy a clip is cancels out.

    Parameters
    ----------
    speakers : SpeakerGMMs
        In the order of the classes.
    """

    features: FramesConfig
    speakers: SpeakerGMMs

    def score(self, samples: Samples) -> ClassScores:
        """Score the speech of a clip, (n_samples,) at 16 kHz."""
        frames, background = frames_of(self.features, samples), self.speakers.background
        scores = self.speakers.log_likelihoods(frames)
        common = 0.0 if background is None else float(background.log_likelihoods(frames).mean())
        return ClassScores(scores=scores, similarity=float(scores.max()) - common)


@dataclass(frozen=True, slots=True, kw_only=True)
class SVMSystem:
    """An SVM on a vector a clip.

    Scores are those of `SVM.scores`. They say on which side of borders a clip lies, not how far from
    everybody, so that similarity is the cosine to the nearest person's centroid.

    Parameters
    ----------
    describe : callable
        Clips -> vectors.
    scaled : bool
        Whether cosines are of vectors brought to mean 0 and deviation 1: statistics, whose scales differ, say
        nothing otherwise, and embeddings are made to be compared as they come.
    centroids : ndarray, shape (classes, dim), float32
        The unit-length mean of each person's `directions`.
    """

    describe: Describe
    svm: SVM
    scaled: bool
    centroids: NDArray[np.float32]

    def score(self, samples: Samples) -> ClassScores:
        """Score the speech of a clip, (n_samples,) at 16 kHz."""
        vectors = self.describe([samples])
        near = similarity(directions(self.svm, vectors, scaled=self.scaled), self.centroids)
        return ClassScores(scores=self.svm.scores(vectors)[0], similarity=float(near[0]))


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassicClassifier:
    """A classic system, and the speakers that its classes stand for; it takes the speech of a clip as one.

    Parameters
    ----------
    names : tuple of str
        The classes in the order of its scores.
    sharpness : float
        Probabilities are the softmax of the scores times this.
    """

    system: ClassicSystem
    names: tuple[str, ...]
    sharpness: float

    def classify(self, waveform: Waveform) -> Classification:
        """Classify one clip by its speech, or by all of it where there is hardly any."""
        speech = find_speech(waveform)
        found = self.system.score(speech_alone(waveform, speech))
        return Classification(
            probabilities=to_probabilities(self.sharpness * found.scores),
            similarity=found.similarity,
            seconds_of_speech=speech.seconds,
        )


def directions(svm: SVM, vectors: NDArray[np.float32], *, scaled: bool) -> NDArray[np.float32]:
    """What cosines are taken of, (n, dim) of unit length, of vectors (n, dim)."""
    return normalize(svm.standardized(vectors) if scaled else vectors)


def fit_sharpness(scores: NDArray[np.float64], labels: NDArray[np.int64]) -> float:
    """By what to multiply scores so that their softmax is as sure as it is right: temperature scaling.

    Parameters
    ----------
    scores : ndarray, shape (n, classes)
        Of dev clips.
    labels : ndarray, shape (n,)
        Who it was.

    Returns
    -------
    float
        The multiplier of the lowest cross-entropy. As if one of n + 2 clips had been named wrongly: clips
        that are all named rightly would ask for infinity.

    References
    ----------
    C. Guo, G. Pleiss, Y. Sun and K. Weinberger, "On calibration of modern neural networks", ICML 2017; the
    smoothing is that of J. Platt, "Probabilistic outputs for support vector machines", 1999.
    """
    n, classes = scores.shape
    doubt = 1 / (n + 2)
    targets = np.full((n, classes), doubt / (classes - 1))
    targets[np.arange(n), labels] = 1 - doubt

    def cross_entropy(log_sharpness: float) -> float:
        return float(-(targets * log_softmax(np.exp(log_sharpness) * scores, axis=1)).sum(axis=1).mean())

    limit = np.log(_SHARPEST)
    return float(np.exp(minimize_scalar(cross_entropy, bounds=(-limit, limit), method="bounded").x))
