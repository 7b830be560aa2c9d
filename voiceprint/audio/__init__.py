"""Sound: a file, bytes, a stream or an array becomes a :class:`Waveform`, mono float32 at 16 kHz."""

from __future__ import annotations

from typing import TYPE_CHECKING

from voiceprint.front import front_page

if TYPE_CHECKING:
    from voiceprint.audio.clipping import clipped_fraction
    from voiceprint.audio.read import AudioInfo, probe_audio, read_audio, stream_audio
    from voiceprint.audio.sources import AudioSource, clips_beside_folders, find_audio, is_array
    from voiceprint.audio.waveform import (
        MAX_RATE,
        MAX_SECONDS,
        MIN_RATE,
        MIN_SECONDS,
        SAMPLE_RATE,
        Waveform,
    )

__all__ = [
    "MAX_RATE",
    "MAX_SECONDS",
    "MIN_RATE",
    "MIN_SECONDS",
    "SAMPLE_RATE",
    "AudioInfo",
    "AudioSource",
    "Waveform",
    "clipped_fraction",
    "clips_beside_folders",
    "find_audio",
    "is_array",
    "probe_audio",
    "read_audio",
    "stream_audio",
]

__getattr__ = front_page(
    __name__,
    {
        "clipping": ("clipped_fraction",),
        "read": ("AudioInfo", "probe_audio", "read_audio", "stream_audio"),
        "sources": ("AudioSource", "clips_beside_folders", "find_audio", "is_array"),
        "waveform": ("MAX_RATE", "MAX_SECONDS", "MIN_RATE", "MIN_SECONDS", "SAMPLE_RATE", "Waveform"),
    },
)
