"""Measure what augmentation costs one core: milliseconds a batch, all effects together and each by itself.

    scripts/benchmark_augment --rooms cache

Times are of the process (CPU), the best of some repetitions, so other work on the machine matters little.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.program import make_parser
from benchmarks.timing import spent
from voiceprint.audio import SAMPLE_RATE
from voiceprint.training.augment import AugmentConfig, Augmenter, NoiseBank, RoomBank

__all__ = ["EFFECTS", "alone", "main"]

Samples = NDArray[np.float32]

EFFECTS = (
    "reverberation",
    "noise",
    "babble",
    "colour",
    "gain",
    "clipping",
    "telephone",
    "narrowband",
    "gsm",
    "mp3",
    "opus",
)
REPETITIONS = 3


def alone(effect: str | None) -> AugmentConfig:
    """Return a configuration with one effect on every clip, or none with any."""
    chances: dict[str, Any] = {each: float(each == effect) for each in EFFECTS}
    return AugmentConfig(**chances)


def main() -> None:
    """Print the milliseconds of all effects, of none, and of each."""
    parser = make_parser(__doc__)
    parser.add_argument("--rooms", type=Path, required=True, help="cache folder of the room responses")
    parser.add_argument("--clips", type=int, default=64, help="clips a batch (64)")
    parser.add_argument("--seconds", type=float, default=2.0, help="length of each (2)")
    options = parser.parse_args()
    generator = np.random.default_rng(0)
    speech = (0.1 * generator.standard_normal(60 * SAMPLE_RATE)).astype(np.float32)
    noise = NoiseBank.from_arrays([(3000 * generator.standard_normal(80_000)).astype(np.int16)])
    rooms = _open_rooms(options.rooms)

    def milliseconds(config: AugmentConfig) -> float:
        augment = Augmenter(
            config, noise=noise, babble=lambda own, length: _excerpt(speech, own, length), rooms=rooms
        )
        return _milliseconds(augment, clips)

    clips = [_excerpt(speech, generator, int(options.seconds * SAMPLE_RATE)) for _ in range(options.clips)]
    print(f"{options.clips} clips of {options.seconds:g} s    ms a batch    times default probability")
    default = AugmentConfig()
    print(f"{'default probabilities':<24}{milliseconds(default):>16.1f}")
    nothing = milliseconds(alone(None))
    print(f"{'every effect off':<24}{nothing:>16.1f}")
    for effect in EFFECTS:
        cost = milliseconds(alone(effect)) - nothing
        print(f"{effect:<24}{cost:>16.1f}{cost * getattr(default, effect):>16.1f}")


def _open_rooms(folder: Path) -> RoomBank:
    start = time.perf_counter()
    rooms = RoomBank.open(folder, progress=_show)
    print(f"\rroom responses {rooms.responses.shape}: ready after {time.perf_counter() - start:.1f} s")
    return rooms


def _show(done: int, rooms: int) -> None:
    print(f"\rroom {done}/{rooms}", end="", file=sys.stderr, flush=True)


def _excerpt(speech: Samples, generator: np.random.Generator, length: int) -> Samples:
    start = int(generator.integers(len(speech) - length))
    return speech[start : start + length]


def _milliseconds(augment: Augmenter, clips: Sequence[Samples]) -> float:
    """Milliseconds of the processor for all clips."""

    def augment_all(repetition: int) -> None:
        for index, clip in enumerate(clips):
            augment(clip, np.random.default_rng([repetition, index]))

    return 1000 * min(spent(partial(augment_all, number)).processor for number in range(REPETITIONS))
