"""How much audio a clip holds by its header, so that too much is refused before any of it is decoded."""

from __future__ import annotations

from voiceprint.audio import probe_audio
from voiceprint.errors import AudioError

_SAMPLES_A_SECOND = 96_000  # stereo at 48 kHz; a second with more of them, over all channels, counts as more
_BYTES_A_SECOND = 2_000  # of speech in a frugal codec, where a header has no length
_PACKED = ("FLAC", "WAV", "AIFF")  # what may hold any length in few bytes, or in as many as its rate says


def seconds_of_audio(data: bytes, *, most: float) -> float:
    """Return the seconds of audio that a clip claims to hold.

    Parameters
    ----------
    most : float
        Seconds beyond which a clip is refused by itself, and so counts no more than that by its length.

    Returns
    -------
    float
        A second with more than 96,000 samples, over all channels, counts for as many seconds as they fill.
        A clip whose header has no length counts by its bytes, and what cannot be opened next to nothing.
    """
    try:
        info = probe_audio(data)
    except AudioError:  # decoding it says so
        return 0.0
    if info.seconds is not None:
        seconds = info.seconds
    elif info.format.startswith(_PACKED):
        seconds = most
    else:
        seconds = len(data) / _BYTES_A_SECOND
    return weighed(min(most, seconds), samples_a_second=info.sample_rate * info.channels)


def weighed(seconds: float, *, samples_a_second: int) -> float:
    """Return how many seconds some sound counts for."""
    return seconds * max(1.0, samples_a_second / _SAMPLES_A_SECOND)
