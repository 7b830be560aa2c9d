"""A clip degraded: noise at an SNR, babble, reverberation, telephone, codecs, clipping and gain.

Pure functions of samples (n,) at 16 kHz, float32; each degradation is made here and nowhere else. Training
draws their parameters (``training/augment``), ``conditions`` and the dev suite fix them. The SNR is that over
active speech: `active_power` of the clip over the mean power of the background.
"""

from voiceprint.audio.degrade.filters import decaying_echo, reverberate
from voiceprint.audio.degrade.levels import (
    active_power,
    add_background,
    amplify,
    babble,
    clip_peaks,
    loudest,
    pink_noise,
    scale_to_peak,
    scale_to_snr,
    within_full_scale,
)
from voiceprint.audio.degrade.lines import MP3_KBPS, OPUS_KBPS, gsm, mp3, narrowband, opus, telephone

__all__ = [
    "MP3_KBPS",
    "OPUS_KBPS",
    "active_power",
    "add_background",
    "amplify",
    "babble",
    "clip_peaks",
    "decaying_echo",
    "gsm",
    "loudest",
    "mp3",
    "narrowband",
    "opus",
    "pink_noise",
    "reverberate",
    "scale_to_peak",
    "scale_to_snr",
    "telephone",
    "within_full_scale",
]
