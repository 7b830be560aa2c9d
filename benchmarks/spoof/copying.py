"""Copy synthesis for training: cheap ways to take speech apart and put it together, drawn for every clip.

None of them is a machine of dev or test. A countermeasure that sees many kinds of copies beside the clips
that they were made of learns what copying does, and less what one machine does.
"""

from __future__ import annotations

from typing import Any

import librosa
import numpy as np
import soxr
from numpy.random import Generator
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from benchmarks.spoof.vocoders import FRAME, Samples, analysed, pitch_of, pulses, pyworld, warped
from voiceprint.audio import SAMPLE_RATE

__all__ = ["channel", "converted", "harmonic", "mel", "phases", "psola", "shifted", "statistical"]

_UNVOICED_HERTZ = 200.0  # rate of grains where nobody sings
_FFT = 512  # of envelopes
_HANN = 0.375  # mean square of a Hann window


def statistical(samples: Samples, generator: Generator) -> Samples:
    """WORLD from few numbers a frame, smoothed over time: what statistical synthesizers say."""
    pitch, envelope, noise = analysed(samples)
    world = pyworld()
    coded = world.code_spectral_envelope(envelope, SAMPLE_RATE, int(generator.integers(20, 61)))
    coded = gaussian_filter1d(coded, float(generator.uniform(0.3, 4.0)), axis=0)
    envelope = world.decode_spectral_envelope(coded, SAMPLE_RATE, _world_size())
    if generator.random() < 0.5:
        envelope = warped(envelope, float(generator.uniform(0.85, 1.18)))
    if generator.random() < 0.5:
        pitch = _stylized(pitch, generator)
    if generator.random() < 0.5:
        coarse = world.code_aperiodicity(noise, SAMPLE_RATE)
        noise = world.decode_aperiodicity(coarse, SAMPLE_RATE, _world_size())
    elif generator.random() < 0.5:  # as synthesizers do that know voiced and unvoiced only
        breath = np.where(pitch > 0, generator.uniform(1e-3, 0.3), 1.0 - 1e-6)
        noise = np.repeat(breath[:, None], noise.shape[1], axis=1)
    envelope, noise = np.ascontiguousarray(envelope), np.ascontiguousarray(noise)
    made = world.synthesize(pitch, envelope, noise, SAMPLE_RATE, 5.0)
    return np.asarray(made, dtype=np.float32)


def harmonic(samples: Samples, generator: Generator) -> Samples:
    """Sinusoids at the multiples of the pitch, and noise above an edge and where there is none."""
    pitch = pitch_of(samples) * (generator.uniform(0.75, 1.35) if generator.random() < 0.5 else 1.0)
    edge = float(generator.uniform(2500.0, 8000.0))
    bands = _hats(_FFT, int(generator.integers(16, 65)))
    power = _smoothed(np.square(np.abs(librosa.stft(samples, n_fft=_FFT, hop_length=FRAME))), bands)
    power = power[:, : len(pitch)]
    voiced = _voices(pitch[: power.shape[1]], power, samples.size, edge, generator)
    shape = np.sqrt(power)
    bins = librosa.fft_frequencies(sr=SAMPLE_RATE, n_fft=_FFT)[:, None]
    shape *= (pitch[: power.shape[1]] <= 0) | (bins > edge)
    hiss = librosa.stft(_white(samples.size, generator), n_fft=_FFT, hop_length=FRAME)[:, : shape.shape[1]]
    hiss *= shape / np.sqrt(_HANN * _FFT)  # the power of white noise in a bin
    made = voiced + librosa.istft(hiss, hop_length=FRAME, n_fft=_FFT, length=samples.size)
    return np.asarray(made, dtype=np.float32)


def channel(samples: Samples, generator: Generator) -> Samples:
    """A channel vocoder: pulses, tones or noise, to which bands give the energies of the speech."""
    size, hop = _grid(generator)
    bands = _hats(size, int(generator.integers(12, 65)))
    said = librosa.stft(samples, n_fft=size, hop_length=hop)
    drive = librosa.stft(_drive(samples, generator), n_fft=size, hop_length=hop)
    hiss = librosa.stft(_white(samples.size, generator), n_fft=size, hop_length=hop)
    edge = generator.uniform(2000.0, 9000.0)
    drive = np.where(librosa.fft_frequencies(sr=SAMPLE_RATE, n_fft=size)[:, None] < edge, drive, hiss)
    wanted, given = (_smoothed(np.square(np.abs(each)), bands) for each in (said, drive))
    made = librosa.istft(drive * np.sqrt(wanted / (given + 1e-9)), hop_length=hop, length=samples.size)
    return np.asarray(made, dtype=np.float32)


def phases(samples: Samples, generator: Generator) -> Samples:
    """Magnitudes as they are, phases not: drawn, zero, shaken, or run on as in a phase vocoder."""
    size, hop = _grid(generator)
    spectrum = librosa.stft(samples, n_fft=size, hop_length=hop)
    drawn = generator.uniform(-np.pi, np.pi, spectrum.shape)
    angles = np.angle(spectrum)
    match int(generator.integers(4)):
        case 0:
            angles = drawn * generator.uniform(0.7, 1.0)
        case 1:
            angles = 0.05 * drawn + np.pi * (np.arange(len(angles)) % 2)[:, None]  # a pulse in the middle
        case 2:
            angles = angles + generator.normal(0.0, generator.uniform(0.5, 1.6), angles.shape)
        case _:
            steps = np.diff(angles, axis=1, prepend=drawn[:, :1])
            steps += generator.normal(0.0, generator.uniform(0.05, 0.6), angles.shape)
            angles = np.cumsum(steps, axis=1)
    low = generator.uniform(0.0, 3000.0) if generator.random() < 0.4 else 0.0
    new = librosa.fft_frequencies(sr=SAMPLE_RATE, n_fft=size)[:, None] >= low
    made = np.where(new, np.abs(spectrum) * np.exp(1j * angles), spectrum)
    for _ in range(int(generator.integers(3))):  # phases that fit each other better
        again = librosa.stft(librosa.istft(made, hop_length=hop, n_fft=size), n_fft=size, hop_length=hop)
        frames = min(again.shape[1], made.shape[1])
        made = np.abs(spectrum[:, :frames]) * np.exp(1j * np.angle(again[:, :frames]))
    return np.asarray(librosa.istft(made, hop_length=hop, n_fft=size, length=samples.size), dtype=np.float32)


def mel(samples: Samples, generator: Generator) -> Samples:
    """From mels alone, blurred as a network's are, by Griffin and Lim's algorithm with a few rounds."""
    size, hop = _grid(generator)
    count = int(generator.integers(32, 129))
    bank = librosa.filters.mel(sr=SAMPLE_RATE, n_fft=size, n_mels=count)
    mels = np.log(bank @ np.abs(librosa.stft(samples, n_fft=size, hop_length=hop)) + 1e-5)
    mels = gaussian_filter1d(mels, float(generator.uniform(0.1, 2.0)), axis=1)
    mels = gaussian_filter1d(mels, float(generator.uniform(0.1, 1.0)), axis=0)
    mels += generator.normal(0.0, generator.uniform(0.0, 0.3), mels.shape)
    if generator.random() < 0.5:
        spread = bank / np.maximum(bank.sum(axis=0), 1e-6)
        magnitude = spread.T @ (np.exp(mels) / np.maximum(bank.sum(axis=1), 1e-6)[:, None])
    else:
        magnitude = np.maximum(np.linalg.pinv(bank) @ np.exp(mels), 1e-6)
    made = librosa.griffinlim(
        magnitude,
        n_iter=int(generator.integers(1, 30)),
        hop_length=hop,
        n_fft=size,
        momentum=float(generator.choice([0.0, 0.99])),
        random_state=int(generator.integers(2**31)),
    )
    return np.asarray(made, dtype=np.float32)


def psola(samples: Samples, generator: Generator) -> Samples:
    """Periods of the voice put elsewhere (Moulines and Charpentier, 1990): another pitch, another speed."""
    pitch = pitch_of(samples)
    target = (
        _stylized(pitch, generator) if generator.random() < 0.5 else pitch * generator.uniform(0.75, 1.35)
    )
    stretch = float(generator.uniform(0.85, 1.2))
    marks = np.array(_closures(samples, pitch))
    made = np.zeros(int(samples.size * stretch) + SAMPLE_RATE)
    place = float(marks[0])
    while place < samples.size * stretch:
        mark = int(marks[np.argmin(np.abs(marks - place / stretch))])
        frame = min(mark // FRAME, len(pitch) - 1)
        period = int(SAMPLE_RATE / (pitch[frame] or _UNVOICED_HERTZ))
        first, last = mark - period, mark + period
        if first >= 0 and last <= samples.size and place >= period:
            start = int(place) - period
            made[start : start + 2 * period] += samples[first:last] * np.hanning(2 * period)
        place += SAMPLE_RATE / (target[frame] or _UNVOICED_HERTZ)
    return made[: int(samples.size * stretch)].astype(np.float32)


def shifted(samples: Samples, generator: Generator) -> Samples:
    """A phase vocoder: slower or faster, then played at another rate, so that pitch and formants move."""
    size = int(generator.choice([400, 512, 1024, 2048]))
    factor = 2.0 ** float(generator.uniform(-3.0, 3.0) / 12.0)
    slower = librosa.effects.time_stretch(samples, rate=1.0 / factor, n_fft=size)
    made = soxr.resample(slower, SAMPLE_RATE * factor, SAMPLE_RATE)
    return np.asarray(made, dtype=np.float32)


def converted(samples: Samples, generator: Generator) -> Samples:
    """A voice turned into another one by its envelope: formants moved, colour changed, the source kept."""
    size, hop = _grid(generator)
    spectrum = librosa.stft(samples, n_fft=size, hop_length=hop)
    power = np.square(np.abs(spectrum))
    envelope = np.sqrt(_smoothed(power, _hats(size, int(generator.integers(16, 41)))) + 1e-9)
    moved = warped(envelope.T, float(np.exp(generator.choice([-1, 1]) * generator.uniform(0.08, 0.25)))).T
    moved = gaussian_filter1d(moved, float(generator.uniform(0.1, 2.0)), axis=1)
    knots = generator.normal(0.0, 4.0, 8)
    colour = np.interp(np.linspace(0, 7, len(power)), np.arange(8), knots)[:, None]
    made = spectrum / envelope * moved * 10.0 ** (colour / 20.0)
    return np.asarray(librosa.istft(made, hop_length=hop, n_fft=size, length=samples.size), dtype=np.float32)


def _world_size() -> int:
    return int(pyworld().get_cheaptrick_fft_size(SAMPLE_RATE))


def _grid(generator: Generator) -> tuple[int, int]:
    """Length of a transform and samples between frames."""
    size = int(generator.choice([320, 400, 512, 640, 800, 1024]))
    return size, size // int(generator.choice([3, 4, 5]))


def _white(length: int, generator: Generator) -> Samples:
    return generator.standard_normal(length).astype(np.float32)


def _hats(size: int, count: int) -> NDArray[np.float64]:
    """Weights (count, bins) of bands whose middles lie on the mel scale; those of each bin sum to 1."""
    middles = librosa.mel_frequencies(n_mels=count, fmin=0.0, fmax=SAMPLE_RATE / 2)
    bins = librosa.fft_frequencies(sr=SAMPLE_RATE, n_fft=size)
    weights = np.stack([np.interp(bins, middles, row) for row in np.eye(count)])
    return np.asarray(weights[weights.sum(axis=1) > 0.0])


def _smoothed(power: NDArray[Any], bands: NDArray[np.float64]) -> NDArray[np.float64]:
    """Powers (bins, frames) seen through bands only, as smooth as they are wide."""
    means = (bands @ power) / bands.sum(axis=1)[:, None]
    return np.asarray(bands.T @ means / bands.sum(axis=0)[:, None])


def _stylized(pitch: NDArray[Any], generator: Generator) -> NDArray[Any]:
    """A contour that falls evenly where the voice had one of its own."""
    spoken = pitch > 0
    if not spoken.any():
        return pitch
    middle = float(np.median(pitch[spoken])) * generator.uniform(0.8, 1.25)
    fall = np.linspace(1.0, 1.0, len(pitch)) + generator.uniform(0.0, 0.15) * np.linspace(
        1.0, -1.0, len(pitch)
    )
    return np.where(spoken, middle * fall, 0.0)


def _closures(samples: Samples, pitch: NDArray[Any]) -> list[int]:
    """Where periods begin: the highest sample near each place that the pitch asks for."""
    found = []
    for place in pulses(pitch, samples.size):
        frame = min(place // FRAME, len(pitch) - 1)
        reach = int(0.3 * SAMPLE_RATE / (pitch[frame] or _UNVOICED_HERTZ))
        first = max(0, place - reach)
        found.append(first + int(np.argmax(np.abs(samples[first : place + reach + 1]))))
    return found


def _drive(samples: Samples, generator: Generator) -> Samples:
    """What is sent through the channels: pulses or tones where there is a voice, and noise; or noise only."""
    drive = _white(samples.size, generator)
    kind = generator.random()
    if kind < 0.2:
        return drive
    pitch = pitch_of(samples) * (generator.uniform(0.75, 1.35) if generator.random() < 0.5 else 1.0)
    at = np.minimum(np.arange(samples.size) // FRAME, len(pitch) - 1)
    sung = np.zeros(samples.size)
    if kind < 0.6:
        for place in pulses(pitch, samples.size):
            sung[place] = np.sqrt(SAMPLE_RATE / (pitch[at[place]] or _UNVOICED_HERTZ))
    else:
        phase = np.cumsum(2 * np.pi * pitch[at] / SAMPLE_RATE)
        for number in range(1, 60):
            turn = generator.uniform(-np.pi, np.pi)
            sung += np.where(number * pitch[at] < SAMPLE_RATE / 2, np.cos(number * phase + turn), 0.0)
    breath = generator.uniform(0.0, 0.3)
    return np.where(pitch[at] > 0, sung + breath * drive, drive).astype(np.float32)


def _voices(
    pitch: NDArray[Any], power: NDArray[Any], length: int, edge: float, generator: Generator
) -> NDArray[np.float64]:
    """Sum the harmonics below an edge, each as strong as the envelope `power` (bins, frames) is there."""
    frames = np.arange(len(pitch))
    at = np.arange(length) / FRAME
    filled = np.where(pitch > 0, pitch, _UNVOICED_HERTZ)
    phase = np.cumsum(2 * np.pi * np.interp(at, frames, filled) / SAMPLE_RATE)
    aligned = generator.random() < 0.5
    made = np.zeros(length)
    lowest = filled.min()
    for number in range(1, int(edge / lowest) + 1):
        hertz = number * filled
        there = (pitch > 0) & (hertz < edge)
        bins = np.minimum((hertz * _FFT / SAMPLE_RATE).round().astype(int), len(power) - 1)
        heights = np.where(
            there, 2.0 * np.sqrt(power[bins, frames] * filled / (SAMPLE_RATE * 0.375 * _FFT)), 0.0
        )
        turn = 0.0 if aligned else generator.uniform(-np.pi, np.pi)
        made += np.interp(at, frames, heights) * np.cos(number * phase + turn)
    return made
