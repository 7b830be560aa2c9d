"""Short-term features: a clip as a row of numbers every ten milliseconds, by MFCC or by linear prediction."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Literal

import librosa
import numpy as np
import torch
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from voiceprint.config import require_positive
from voiceprint.errors import AudioError, ConfigError
from voiceprint.training.encoders.features import MFCC, MFCCConfig

Frames = NDArray[np.float32]
"""Features of a clip, (frames, dim)."""

Normalization = Literal["none", "mean", "mean-variance"]

_SMALLEST_DEVIATION = 1e-3
_DELTA_WIDTH = 9  # frames that a slope is fitted to


@dataclass(frozen=True, slots=True, kw_only=True)
class MFCCFrames:
    """The ``[features]`` table of kind ``mfcc``: cepstra of mel energies, as the encoders have them.

    Parameters
    ----------
    deltas : bool
        Put the slope of every coefficient beside it.
    normalization : {"none", "mean", "mean-variance"}
        What is normalised of each coefficient over the clip: nothing, its mean (subtracting it removes what a
        fixed microphone or line adds), or mean and scale.
    """

    kind: Literal["mfcc"] = "mfcc"
    deltas: bool = True
    normalization: Normalization = "mean-variance"
    mfcc: MFCCConfig = field(default_factory=lambda: MFCCConfig(n_mfcc=20, n_mels=40))


@dataclass(frozen=True, slots=True, kw_only=True)
class LPCCFrames:
    """The ``[features]`` table of kind ``lpcc``: cepstra of the filter that predicts a sample from the past.

    Parameters
    ----------
    deltas, normalization
        As for `MFCCFrames`.
    order : int
        Past samples that a sample is predicted from.
    window, hop : int
        Samples in a Hamming window, and between windows.
    pre_emphasis : float
        Share of the previous sample that is subtracted, which levels the falling spectrum of speech.
    """

    kind: Literal["lpcc"] = "lpcc"
    deltas: bool = True
    normalization: Normalization = "mean-variance"
    order: int = 18
    cepstra: int = 20
    window: int = 400
    hop: int = 160
    pre_emphasis: float = 0.97

    def __post_init__(self) -> None:
        require_positive("features", self, "order", "cepstra", "hop")
        if self.window <= self.order:
            raise ConfigError(f"features.window: {self.window} samples cannot fit order {self.order}")


FramesConfig = MFCCFrames | LPCCFrames
"""What the ``[features]`` table of a classic recipe may be."""


def frames_of(config: FramesConfig, samples: NDArray[np.float32]) -> Frames:
    """Return the features of a clip.

    Parameters
    ----------
    samples : ndarray, shape (n,), float32
        Mono at 16 kHz, 0.1 s or more.

    Returns
    -------
    ndarray, shape (frames, dim), float32
        A row every 10 ms unless the recipe says otherwise; with deltas, ``dim`` is twice the coefficients.

    Raises
    ------
    AudioError
        The clip is digital silence, or shorter than a window.
    """
    if not samples.any():
        raise AudioError("the clip is digital silence, there is nothing to learn from", source="<array>")
    static = _mfccs(config, samples) if isinstance(config, MFCCFrames) else _lpccs(config, samples)
    if config.deltas:
        slopes = librosa.feature.delta(static, width=_DELTA_WIDTH, axis=0, mode="nearest")
        static = np.concatenate([static, slopes], axis=1)
    return _normalized(static, config.normalization).astype(np.float32)


def lpc_to_cepstra(coefficients: NDArray[np.floating], count: int) -> NDArray[np.float64]:
    """Cepstra of all-pole filters, by the recursion on their coefficients.

    Parameters
    ----------
    coefficients : ndarray, shape (..., order + 1)
        ``1, a_1, ..., a_p`` of the filter ``1 / (1 + a_1 z^-1 + ... + a_p z^-p)``, as `librosa.lpc` gives
        them.

    Returns
    -------
    ndarray, shape (..., count), float64
        ``c_1`` to ``c_count``; ``c_0``, the level, is left out.

    References
    ----------
    B. S. Atal, "Effectiveness of linear prediction characteristics of the speech wave for automatic speaker
    identification and verification", JASA 55, 1974, eq. 5.
    """
    order = coefficients.shape[-1] - 1
    cepstra = np.zeros((*coefficients.shape[:-1], count + 1))  # c_0 stays empty
    for n in range(1, count + 1):
        k = np.arange(max(1, n - order), n)
        past = (k / n * cepstra[..., k] * coefficients[..., n - k]).sum(axis=-1)
        cepstra[..., n] = -past - (coefficients[..., n] if n <= order else 0.0)
    return cepstra[..., 1:]


def pool_frames(clips: list[Frames], limit: int, generator: np.random.Generator) -> Frames:
    """At most ``limit`` frames, as many of every clip as of any other, drawn at random, (n, dim)."""
    share = max(1, limit // len(clips))
    drawn = [
        clip if len(clip) <= share else clip[generator.choice(len(clip), share, replace=False)]
        for clip in clips
    ]
    return np.concatenate(drawn)


def _mfccs(config: MFCCFrames, samples: NDArray[np.float32]) -> NDArray[np.float32]:
    with torch.inference_mode():
        cepstra = _front_end(config.mfcc)(torch.from_numpy(samples)[None])
    frames: NDArray[np.float32] = cepstra[0].T.numpy()
    return frames


@lru_cache(maxsize=4)
def _front_end(config: MFCCConfig) -> Callable[[torch.Tensor], torch.Tensor]:
    return MFCC(config)


def _lpccs(config: LPCCFrames, samples: NDArray[np.float32]) -> NDArray[np.float64]:
    if len(samples) < config.window:
        raise AudioError(f"{len(samples)} samples do not fill a window of {config.window}", source="<array>")
    emphasised = np.append(samples[:1], samples[1:] - config.pre_emphasis * samples[:-1]).astype(np.float64)
    windows = sliding_window_view(emphasised, config.window)[:: config.hop]
    active = windows[windows.any(axis=1)]  # nothing predicts silence
    return lpc_to_cepstra(librosa.lpc(active * np.hamming(config.window), order=config.order), config.cepstra)


def _normalized(frames: NDArray[np.floating], how: Normalization) -> NDArray[np.floating]:
    if how == "none":
        return frames
    centred: NDArray[np.floating] = frames - frames.mean(axis=0)
    if how == "mean-variance":
        centred /= np.maximum(frames.std(axis=0), _SMALLEST_DEVIATION)
    return centred
