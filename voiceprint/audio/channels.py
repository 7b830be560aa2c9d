"""Several channels -> one: averaged where they hold the same sound, the loudest where mixing would harm it.

Whether two channels hold the same sound shows in how their levels move, not by their samples: a phase
that is inverted and microphones that stand apart leave the levels alike, two people and two devices do not.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from voiceprint.audio.waveform import fault
from voiceprint.errors import ChannelsDifferError

_FRAME = 0.02  # seconds over which a level is measured
_FLOOR_DB = -30.0  # below a channel's loudest frame: what is quieter counts as this
_ACTIVE_DB = -25.0  # likewise: frames in which both channels are quieter tell nothing
_SILENT_DB = -30.0  # a channel that much below the loudest one is its bleed, or noise
_ALIKE = 0.7  # correlation of samples from which channels are averaged
_SAME_SOUND = 0.35  # correlation of levels from which channels hold one sound
_STEADY_DB = 6.0  # spread of levels below which a channel holds no speech


def one_channel(channels: int, channel: int, name: str) -> NDArray[np.float32]:
    """Return the weights (channels,) that take the channel numbered `channel`, from 1 on."""
    if not 1 <= channel <= channels:
        raise fault(name, f"has {channels} channel{'s' * (channels != 1)}; there is no channel {channel}")
    weights = np.zeros(channels, dtype=np.float32)
    weights[channel - 1] = 1.0
    return weights


class ChannelSurvey:
    """What is known of a clip's channels after a look at all of it, block by block.

    Parameters
    ----------
    sample_rate : int
        In Hz.
    """

    def __init__(self, channels: int, sample_rate: int) -> None:
        self._frame = max(1, round(_FRAME * sample_rate))
        self._count = 0
        self._sums = np.zeros(channels)
        self._products = np.zeros((channels, channels))
        self._powers: list[NDArray[np.float32]] = []  # of frames, (m, channels) each

    def add(self, block: NDArray[np.float32]) -> None:
        """Look at the next samples (n, channels)."""
        wide = block.astype(np.float64)
        self._count += len(block)
        self._sums += wide.sum(axis=0)
        self._products += wide.T @ wide
        whole = len(wide) // self._frame * self._frame
        frames = wide[:whole].reshape(-1, self._frame, wide.shape[1])
        self._powers.append(frames.var(axis=1).astype(np.float32))

    def weights(self, name: str) -> NDArray[np.float32]:
        """Return by how much each channel counts in the mix, (channels,), summing to 1.

        AudioError if they hold different sounds, as of two people, and nothing says which one is meant.
        """
        mean = self._sums / max(1, self._count)
        covariance = self._products / max(1, self._count) - np.outer(mean, mean)
        power = np.maximum(np.diag(covariance), 0.0)  # rounding may leave less than nothing
        levels = self._levels()
        moving = np.ptp(np.percentile(levels, [10, 95], axis=0), axis=0) >= _STEADY_DB
        live = power > power.max() * 10 ** (_SILENT_DB / 10)
        if np.any(live & moving):
            live &= moving
        loudest = int(np.where(live, power, -1.0).argmax())
        scale = np.sqrt(power * power[loudest])
        alike = np.divide(covariance[loudest], scale, out=np.zeros_like(scale), where=scale > 0)
        same = _same_sound(levels, loudest)
        other = np.flatnonzero(live & ~same & (np.abs(alike) < _ALIKE))
        if len(other):
            raise ChannelsDifferError(
                f"{name} holds different sounds in its channels {loudest + 1} and {other[0] + 1}, "
                "as of two people",
                advice=f"say which one to take (channel={loudest + 1})",
                source=name,
            )
        chosen = live & (alike >= _ALIKE)
        chosen[loudest] = True
        weights: NDArray[np.float32] = (chosen / np.count_nonzero(chosen)).astype(np.float32)
        return weights

    def _levels(self) -> NDArray[np.float64]:
        """Level of each frame in dB below the loudest of its channel, (m, channels); none of a short clip."""
        powers = np.concatenate(self._powers) if self._powers else np.zeros((0, len(self._sums)))
        if not len(powers):
            return np.zeros((1, len(self._sums)))
        highest = np.maximum(powers.max(axis=0), 1e-20)
        levels: NDArray[np.float64] = 10 * np.log10(
            np.maximum(powers / highest, 10 ** (_FLOOR_DB / 10)), dtype=np.float64
        )
        return levels


def _same_sound(levels: NDArray[np.float64], reference: int) -> NDArray[np.bool_]:
    """Whether the levels (m, channels) go up and down with those of one channel, (channels,)."""
    same = np.ones(levels.shape[1], dtype=np.bool_)
    for channel in range(levels.shape[1]):
        pair = levels[:, [reference, channel]]
        pair = pair[(pair > _ACTIVE_DB).any(axis=1)]
        centred = pair - pair.mean(axis=0) if len(pair) else pair
        scale = np.sqrt(np.prod(np.square(centred).sum(axis=0)))
        if scale > 1e-9:
            same[channel] = np.prod(centred, axis=1).sum() / scale >= _SAME_SOUND
    return same
