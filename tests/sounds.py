"""Tones and noise, in every container: by soundfile, and by PyAV what libsndfile does not write."""

from __future__ import annotations

import io

import av
import numpy as np
import soundfile as sf
from numpy.typing import NDArray

RATE = 16_000

SNDFILE = [
    ("WAV", None),
    ("WAV", "IMA_ADPCM"),
    ("AIFF", None),
    ("AU", None),
    ("CAF", None),
    ("W64", None),
    ("RF64", None),
    ("FLAC", None),
    ("MP3", None),
    ("OGG", "VORBIS"),
    ("OGG", "OPUS"),
]
MEDIA = [
    ("mp4", "aac", 44_100),
    ("adts", "aac", 48_000),
    ("webm", "libopus", 48_000),
    ("matroska", "flac", 16_000),
    ("asf", "wmav2", 44_100),
    ("amr", "libopencore_amrnb", 8_000),
    ("3gp", "libopencore_amrnb", 8_000),
    ("mov", "alac", 44_100),
    ("ogg", "flac", 16_000),
]


def tone(
    seconds: float = 1.0, *, hertz: float = 440.0, amplitude: float = 0.5, rate: int = RATE
) -> NDArray[np.float32]:
    return (amplitude * np.sin(2 * np.pi * hertz * np.arange(round(rate * seconds)) / rate)).astype(
        np.float32
    )


def hiss(seed: int, samples: int, amplitude: float = 0.1) -> NDArray[np.float32]:
    return (amplitude * np.random.default_rng(seed).standard_normal(samples)).astype(np.float32)


def band_power(samples: NDArray[np.float32], low: float, high: float) -> float:
    """Return the power between two frequencies, in Hz."""
    power = np.abs(np.fft.rfft(samples * np.hanning(len(samples)))) ** 2
    hertz = np.fft.rfftfreq(len(samples), 1 / RATE)
    return float(power[(hertz >= low) & (hertz < high)].sum())


def encoded(
    samples: NDArray[np.floating], rate: int = RATE, file: str = "WAV", subtype: str | None = None
) -> bytes:
    buffer = io.BytesIO()
    sf.write(buffer, samples, rate, format=file, subtype=subtype)
    return buffer.getvalue()


def media(
    samples: NDArray[np.float32], rate: int, file: str, codec: str, *, options: dict[str, str] | None = None
) -> bytes:
    """Encode samples (n,) or (n, channels) with FFmpeg."""
    channels = samples[:, None] if samples.ndim == 1 else samples
    layout = {1: "mono", 2: "stereo", 8: "7.1"}[channels.shape[1]]
    buffer = io.BytesIO()
    with av.open(buffer, "w", format=file, options=options or {}) as container:
        stream = container.add_stream(codec, rate=rate, layout=layout)
        assert isinstance(stream, av.AudioStream)
        stream.bit_rate = 12_200 if "amr" in codec else 64_000
        frame = av.AudioFrame.from_ndarray(channels.reshape(1, -1), format="flt", layout=layout)
        frame.sample_rate, frame.pts = rate, 0
        resampler = av.AudioResampler(format=stream.format, layout=layout, rate=rate)
        for piece in [*resampler.resample(frame), None]:
            for packet in stream.encode(piece):
                container.mux(packet)
    return buffer.getvalue()
