"""Gaussian mixture models with diagonal covariances: fitted by EM, adapted by MAP, compared by likelihood.

A GMM describes where in feature space a speaker's frames lie. Fitted to one speaker, it is that speaker's
model. Fitted to many speakers, it is the universal background model (UBM). A speaker's model is then the UBM
with its means moved towards the speaker's frames. Its score is the log-likelihood ratio of the two.
"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture

from voiceprint.config import require_positive
from voiceprint.errors import TrainingError
from voiceprint.training.classification.frames import Frames


@dataclass(frozen=True, slots=True, kw_only=True)
class GMMConfig:
    """The ``[mixture]`` table of a recipe.

    Parameters
    ----------
    iterations : int
        Of EM, at most.
    floor : float
        Added to every variance, so that no Gaussian falls in on one frame.
    max_frames : int
        Most frames that a GMM is fitted to; more are sampled down at random, to bound time and memory.
    """

    components: int = 64
    iterations: int = 40
    floor: float = 1e-3
    max_frames: int = 60_000

    def __post_init__(self) -> None:
        require_positive("mixture", self, "components", "iterations", "max_frames")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class GMM:
    """A Gaussian mixture model.

    Parameters
    ----------
    weights : ndarray, shape (components,), float32
        They sum to 1.
    means, variances : ndarray, shape (components, dim), float32
    """

    weights: NDArray[np.float32]
    means: NDArray[np.float32]
    variances: NDArray[np.float32]

    @property
    def parameters(self) -> int:
        """Numbers that were fitted."""
        return self.weights.size + self.means.size + self.variances.size

    def log_likelihoods(self, frames: Frames) -> NDArray[np.float32]:
        """Log density of each frame of ``frames`` (n, dim), shape (n,)."""
        return _log_sum_exp(self._joint(frames))

    def posteriors(self, frames: Frames) -> NDArray[np.float32]:
        """Posteriors (n, components) of the Gaussians at each frame of ``frames`` (n, dim)."""
        joint = self._joint(frames)
        shares: NDArray[np.float32] = np.exp(joint - _log_sum_exp(joint)[:, None])
        return shares

    def _joint(self, frames: Frames) -> NDArray[np.float32]:
        """Log weight and log density of each Gaussian at each frame, (n, components)."""
        return _spread(self, frames) + _pull(self.means[None], self.variances, frames)[:, 0]


def fit_gmm(frames: Frames, config: GMMConfig, *, seed: int) -> GMM:
    """Fit a GMM to frames (n, dim) by expectation and maximisation.

    Raises
    ------
    TrainingError
        There are fewer frames than Gaussians.
    """
    if len(frames) < config.components:
        raise TrainingError(
            f"{len(frames)} frames cannot be described by {config.components} Gaussians: "
            "lower mixture.components, or give more speech"
        )
    fitted = GaussianMixture(
        config.components,
        covariance_type="diag",
        max_iter=config.iterations,
        reg_covar=config.floor,
        init_params="k-means++",
        random_state=seed,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the number of iterations is the recipe's choice
        # Variances are differences of squares: in float32 those of few, similar frames come out below 0.
        fitted.fit(frames.astype(np.float64))
    return GMM(
        weights=fitted.weights_.astype(np.float32),
        means=fitted.means_.astype(np.float32),
        variances=fitted.covariances_.astype(np.float32),
    )


def adapt_means(background: GMM, frames: Frames, *, relevance: float) -> GMM:
    """Move the means of a background model towards a speaker's frames (MAP adaptation).

    A Gaussian with mean m that explains n frames, whose mean is E, moves to ``a E + (1 - a) m`` with
    ``a = n / (n + relevance)``. A Gaussian that explains none stays.

    Parameters
    ----------
    frames : ndarray, shape (n, dim), float32
        Of the speaker.
    relevance : float
        Frames of a Gaussian at which its mean goes half the way.

    References
    ----------
    D. Reynolds, T. Quatieri and R. Dunn, "Speaker verification using adapted Gaussian mixture models",
    Digital Signal Processing 10, 2000, eqs. 11 to 14.
    """
    shares = background.posteriors(frames)  # (n, components)
    counts = shares.sum(axis=0)[:, None]
    centres = (shares.T @ frames) / np.maximum(counts, 1e-10)
    pull = counts / (counts + relevance)
    return replace(background, means=(pull * centres + (1 - pull) * background.means).astype(np.float32))


def likelihood_ratios(background: GMM, means: NDArray[np.float32], frames: Frames) -> NDArray[np.float64]:
    """Log-likelihood ratios of adapted models and their background for a clip, in nats a frame.

    Parameters
    ----------
    background : GMM
        What the models were adapted from; they differ from it in their means only.
    means : ndarray, shape (models, components, dim), float32
        Of the adapted models.
    frames : ndarray, shape (n, dim), float32
        Of the clip.

    Returns
    -------
    ndarray, shape (models,), float64
        Mean log-likelihood ratio over the frames; above 0 where the model fits better.
    """
    spread = _spread(background, frames)[:, None]  # (n, 1, components), the same for all models
    models = _log_sum_exp(spread + _pull(means, background.variances, frames))  # (n, models)
    ratios: NDArray[np.float64] = (models - background.log_likelihoods(frames)[:, None]).mean(
        axis=0, dtype=np.float64
    )
    return ratios


def _spread(gmm: GMM, frames: Frames) -> NDArray[np.float32]:
    """What of the log joint density does not depend on the means, (n, components)."""
    constant = np.log(gmm.weights) - 0.5 * np.log(2 * math.pi * gmm.variances).sum(axis=1)
    squares: NDArray[np.float32] = constant - 0.5 * np.square(frames) @ (1 / gmm.variances).T
    return squares


def _pull(means: NDArray[np.float32], variances: NDArray[np.float32], frames: Frames) -> NDArray[np.float32]:
    """What does, of models with means (models, components, dim), (n, models, components)."""
    models, components, dim = means.shape
    scaled = means / variances
    offsets = 0.5 * (scaled * means).sum(axis=2)
    products = frames @ scaled.reshape(-1, dim).T
    pulls: NDArray[np.float32] = products.reshape(-1, models, components) - offsets
    return pulls


def _log_sum_exp(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Log of the sum of exponentials over the last axis."""
    highest = values.max(axis=-1, keepdims=True)
    total: NDArray[np.float32] = np.log(np.exp(values - highest).sum(axis=-1)) + highest[..., 0]
    return total
