"""Augmenter: draws which effects a clip gets, and how strong, and applies them in the order sound takes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import TypeVar

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from voiceprint.audio import degrade
from voiceprint.audio.degrade import active_power, filters, scale_to_peak, scale_to_snr, within_full_scale
from voiceprint.errors import ConfigError
from voiceprint.training.augment.colour import colour_response, draw_colour
from voiceprint.training.augment.noise import NoiseBank
from voiceprint.training.augment.rooms import RoomBank

VoiceSource = Callable[[Generator, int], NDArray[np.float32]]
"""Draws a stretch of that many samples of some other training speaker's speech."""

Range = tuple[float, float]
Given = TypeVar("Given")

_LIMITS: dict[str, Range] = {  # of ranges that have any
    "babble_voices": (1, np.inf),
    "peak_noise_scale": (0.0, np.inf),
    "telephone_low": (0.0, 1000.0),
    "telephone_high": (1500.0, 4000.0),
    "telephone_peak_db": (-np.inf, 0.0),
    "narrowband_high": (1500.0, 4000.0),
    "mp3_kbps": degrade.MP3_KBPS,
    "opus_kbps": degrade.OPUS_KBPS,
}
_LINES = ("telephone", "narrowband", "gsm", "mp3", "opus")


@dataclass(frozen=True, slots=True, kw_only=True)
class AugmentConfig:
    """How often each effect is applied to a clip, and how strongly; the ``[augment]`` table of a recipe.

    A probability of 0 switches an effect off. Ranges are drawn from uniformly, both ends included.

    Parameters
    ----------
    reverberation : float
        Probability of a room.
    reverberant_noise : float
        Probability that noise and babble sound in that room too, from another place in it.
    noise, babble : float
        Probabilities of a noise recording and of other people talking.
    noise_snr_db, babble_snr_db : (float, float)
        Decibels of speech, without its pauses, above each of them.
    peak_noise : float
        Probability of a noise recording at a level set by the peaks, as the public Keras example of speaker
        recognition mixes it in: whatever pauses the speech has, a click in the noise makes all of it quiet.
    peak_noise_scale : (float, float)
        The noise's peak over the speech's.
    colour : float
        Probability of a microphone's curve.
    colour_db : float
        Largest height of a peak in it, in decibels.
    gain : float
        Probability of another level.
    gain_db : (float, float)
        Change of level; a clip that would exceed full scale is scaled to it, so only `clipping` clips.
    clipping : float
        Probability of an overdriven input.
    clipping_db : (float, float)
        How far below the peak it cuts, in decibels.
    telephone, narrowband, gsm, mp3, opus : float
        Probabilities of the lines: a telephone (band limits and mu-law), a recording at 8 kHz, three codecs.
        A clip passes through at most one, so their sum is at most 1.
    telephone_low, telephone_high : (float, float)
        Edges of the telephone band, in Hz.
    telephone_peak_db : (float, float)
        Peak level at which mu-law quantises, in dB of full scale.
    narrowband_high : (float, float)
        Upper edge of what a recording at 8 kHz keeps, in Hz.
    """

    reverberation: float = 0.3
    reverberant_noise: float = 0.5
    noise: float = 0.5
    noise_snr_db: Range = (0.0, 20.0)
    babble: float = 0.2
    babble_snr_db: Range = (5.0, 20.0)
    babble_voices: tuple[int, int] = (3, 7)
    peak_noise: float = 0.0
    peak_noise_scale: Range = (0.5, 0.5)
    colour: float = 0.3
    colour_db: float = 10.0
    gain: float = 1.0
    gain_db: Range = (-20.0, 5.0)
    clipping: float = 0.05
    clipping_db: Range = (2.0, 12.0)
    telephone: float = 0.2
    telephone_low: Range = (200.0, 400.0)
    telephone_high: Range = (3000.0, 3700.0)
    telephone_peak_db: Range = (-30.0, 0.0)
    narrowband: float = 0.05
    narrowband_high: Range = (3400.0, 3900.0)
    # Codecs cost more than all other effects of a clip together, so they are rare.
    gsm: float = 0.03
    mp3: float = 0.02
    mp3_kbps: Range = (8.0, 32.0)
    opus: float = 0.01
    opus_kbps: Range = (6.0, 16.0)

    def __post_init__(self) -> None:
        for field in fields(self):
            _check_field(field.name, getattr(self, field.name))
        if (total := sum(getattr(self, line) for line in _LINES)) > 1.0 + 1e-9:
            raise ConfigError(
                f"augment: {' + '.join(_LINES)} is {total:g}; a clip takes one line, so at most 1"
            )


class Augmenter:
    """Degrades clips as rooms, noise, microphones and lines do.

    A clip's result depends on nothing but the clip, the generator's state and what was given here.

    Parameters
    ----------
    noise : NoiseBank or None
        Needed where ``config.noise`` or ``config.peak_noise`` is above 0.
    babble : callable or None
        ``babble(generator, length)`` draws (length,) float32 of one other speaker's speech. Needed where
        ``config.babble`` is above 0.
    rooms : RoomBank or None
        Needed where ``config.reverberation`` is above 0.

    Raises
    ------
    ConfigError
        An effect is switched on and what it needs was not given.
    """

    def __init__(
        self,
        config: AugmentConfig,
        *,
        noise: NoiseBank | None = None,
        babble: VoiceSource | None = None,
        rooms: RoomBank | None = None,
    ) -> None:
        self.config = config
        self._noise = _needed(noise, config.noise, "noise", "a noise bank")
        self._peak_noise = _needed(
            noise if config.peak_noise else None, config.peak_noise, "peak_noise", "a noise bank"
        )
        self._babble = _needed(babble, config.babble, "babble", "other speakers' speech")
        self._rooms = _needed(rooms, config.reverberation, "reverberation", "a room bank")

    def __call__(self, samples: NDArray[np.float32], generator: Generator) -> NDArray[np.float32]:
        """Degrade one clip.

        Parameters
        ----------
        samples : ndarray of float32, shape (n,)
            A clip at 16 kHz within [-1, 1]; it is not changed. A silent one comes back as it is.

        Returns
        -------
        ndarray of float32, shape (n,)
            Within [-1, 1].
        """
        if not samples.any():
            return samples.copy()
        clip = self._acoustics(samples, generator)
        clip = self._input(clip, generator)
        return within_full_scale(self._line(within_full_scale(clip), generator))

    def _acoustics(self, samples: NDArray[np.float32], generator: Generator) -> NDArray[np.float32]:
        """Room, background and microphone: one spectrum, transformed back once."""
        room = self._draw_room(generator)
        background = self._draw_background(samples, generator)
        colour = self._draw_colour(generator)
        if room is None and colour is None:
            return samples.copy() if background is None else samples + background
        size = filters.transform_size(samples.size, 0 if room is None else room.shape[1])
        if room is None:
            mixed = samples if background is None else samples + background
            spectrum = filters.spectrum_of(mixed, size)
        else:
            spectrum = filters.wet(filters.spectrum_of(samples, size), room[0], size)
            if background is not None:
                spectrum = spectrum + self._place_background(background, room[1], size, generator)
        if colour is not None:
            spectrum = filters.apply_response(spectrum, colour_response(colour, size))
        return filters.samples_of(spectrum, size, samples.size)

    def _draw_room(self, generator: Generator) -> NDArray[np.float32] | None:
        if self._rooms is None or not _happens(generator, self.config.reverberation):
            return None
        return self._rooms.draw(generator)

    def _draw_background(
        self, samples: NDArray[np.float32], generator: Generator
    ) -> NDArray[np.float32] | None:
        """Noise and babble, each at its own level below the speech."""
        parts = []
        power = active_power(samples)
        if self._noise is not None and _happens(generator, self.config.noise):
            noise = self._noise.excerpt(generator, samples.size)
            parts.append(scale_to_snr(power, noise, generator.uniform(*self.config.noise_snr_db)))
        if self._babble is not None and _happens(generator, self.config.babble):
            voices = self._draw_voices(self._babble, samples.size, generator)
            parts.append(scale_to_snr(power, voices, generator.uniform(*self.config.babble_snr_db)))
        if self._peak_noise is not None and _happens(generator, self.config.peak_noise):
            noise = self._peak_noise.excerpt(generator, samples.size)
            parts.append(scale_to_peak(samples, noise, generator.uniform(*self.config.peak_noise_scale)))
        return np.sum(parts, axis=0, dtype=np.float32) if parts else None

    def _draw_voices(self, babble: VoiceSource, length: int, generator: Generator) -> NDArray[np.float32]:
        low, high = self.config.babble_voices
        count = int(generator.integers(low, high, endpoint=True))
        return degrade.babble((babble(generator, length) for _ in range(count)), length)

    def _draw_colour(self, generator: Generator) -> NDArray[np.float32] | None:
        if not _happens(generator, self.config.colour):
            return None
        return draw_colour(generator, range_db=self.config.colour_db)

    def _place_background(
        self, background: NDArray[np.float32], response: NDArray[np.float32], size: int, generator: Generator
    ) -> NDArray[np.complex64]:
        spectrum = filters.spectrum_of(background, size)
        if _happens(generator, self.config.reverberant_noise):
            spectrum = filters.wet(spectrum, response, size)
        return spectrum

    def _input(self, clip: NDArray[np.float32], generator: Generator) -> NDArray[np.float32]:
        """The level at which a device records, and what exceeds its range."""
        if _happens(generator, self.config.gain):
            clip = degrade.amplify(clip, gain_db=generator.uniform(*self.config.gain_db))
        if _happens(generator, self.config.clipping):
            clip = degrade.clip_peaks(clip, depth_db=generator.uniform(*self.config.clipping_db))
        return clip

    def _line(self, clip: NDArray[np.float32], generator: Generator) -> NDArray[np.float32]:
        """At most one line, picked by its probability."""
        config = self.config
        match self._pick_line(generator):
            case "telephone":
                return degrade.telephone(
                    clip,
                    low=generator.uniform(*config.telephone_low),
                    high=generator.uniform(*config.telephone_high),
                    peak_db=generator.uniform(*config.telephone_peak_db),
                )
            case "narrowband":
                return degrade.narrowband(clip, high=generator.uniform(*config.narrowband_high))
            case "gsm":
                return degrade.gsm(clip)
            case "mp3":
                return degrade.mp3(clip, kbps=generator.uniform(*config.mp3_kbps))
            case "opus":
                return degrade.opus(clip, kbps=generator.uniform(*config.opus_kbps))
            case _:
                return clip

    def _pick_line(self, generator: Generator) -> str | None:
        draw = generator.random()
        for line in _LINES:
            draw -= getattr(self.config, line)
            if draw < 0:
                return line
        return None


def _happens(generator: Generator, probability: float) -> bool:
    return bool(generator.random() < probability)


def _needed(given: Given | None, probability: float, key: str, what: str) -> Given | None:
    if given is None and probability > 0:
        raise ConfigError(
            f"augment.{key} is {probability:g} but {what} was not given; give it or set {key} = 0"
        )
    return given


def _check_field(name: str, value: float | tuple[float, float]) -> None:
    if isinstance(value, tuple):
        low, high = _LIMITS.get(name, (-np.inf, np.inf))
        if len(value) != 2 or not low <= value[0] <= value[1] <= high:
            raise ConfigError(f"augment.{name} is {value}; give (lowest, highest) within {low:g} to {high:g}")
    elif name.endswith("_db"):
        if value < 0:
            raise ConfigError(f"augment.{name} is {value:g}; give decibels of 0 or more")
    elif not 0.0 <= value <= 1.0:
        raise ConfigError(f"augment.{name} is {value:g}; a probability lies between 0 and 1")
