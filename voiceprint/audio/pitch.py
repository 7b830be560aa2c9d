"""Pitch: how high somebody speaks, in steps of 0.75 %, from 60 to 400 Hz."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from voiceprint.audio.waveform import SAMPLE_RATE

_LOW, _HIGH, _STEPS = 60.0, 400.0, 255  # Hz, both ends included
_FIRST, _LAST = 2, 64  # bins that are heard: up to 2 kHz, which codecs and telephones pass
_VOICED = 0.4  # of the power that has to come again after one period
_HIGHER = 0.02  # by which a pitch is preferred over that an octave below, which fits as well


def pitch_of(spectrum: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Tell the pitch of each frame.

    Parameters
    ----------
    spectrum : ndarray of float32, shape (frames, bins)
        Power in the bins from 0 to half the rate.

    Returns
    -------
    ndarray of uint8, shape (frames,)
        From 1, 60 Hz, to 255, 400 Hz, evenly spaced in octaves; 0 where nothing is voiced.
    """
    heard = spectrum[:, _FIRST:_LAST]
    waves, preferred = _waves(spectrum.shape[1])
    # The correlation of a frame with itself, one period later: of each pitch that there is.
    alike = heard @ waves / (heard.sum(axis=1, keepdims=True) + np.float32(1e-30))
    best = (alike + preferred).argmax(axis=1)
    voiced = alike[np.arange(len(alike)), best] >= _VOICED
    return np.where(voiced, best + 1, 0).astype(np.uint8)


@cache
def _waves(bins: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the cosines of each bin at each pitch, and by how much each is preferred."""
    octaves = np.linspace(0.0, np.log2(_HIGH / _LOW), _STEPS)
    hertz = np.arange(_FIRST, _LAST) * (SAMPLE_RATE / 2 / (bins - 1))
    waves = np.cos(2.0 * np.pi * hertz[:, None] / (_LOW * 2.0**octaves))
    return waves.astype(np.float32), (_HIGHER * octaves).astype(np.float32)
