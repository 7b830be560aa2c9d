"""RoomBank: impulse responses of simulated rooms, rendered once by pyroomacoustics and kept in a file."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from voiceprint.errors import ConfigError, TrainingError
from voiceprint.files.arrays import open_npy
from voiceprint.files.whole import whole_file

_RATE = 16_000
_SECONDS = 0.6  # kept of each response; what a room of 0.9 s still adds after that lies 40 dB down
_SPEED = 343.0  # of sound, m/s
_STEP = _SPEED / _RATE  # m, the way of sound in a sample
_WALL = 0.4  # m, the least distance of anything from a wall
_RAYS = 1500
_VERSION = 1  # of what is rendered; a new number makes caches anew


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomBank:
    """Impulse responses, several places in each room.

    Parameters
    ----------
    responses : ndarray of float32, shape (rooms, places, taps)
        At 16 kHz, unit energy, the direct sound at tap 0. May be memory-mapped.
    """

    responses: NDArray[np.float32]

    def __post_init__(self) -> None:
        if self.responses.ndim != 3 or self.responses.shape[0] < 1 or self.responses.shape[1] < 2:
            raise ConfigError(
                f"augment: the room bank has shape {self.responses.shape}; "
                "it must be (rooms, places, taps) with at least two places a room"
            )

    @classmethod
    def open(
        cls,
        folder: str | os.PathLike[str],
        *,
        rooms: int = 120,
        places: int = 4,
        seed: int = 0,
        progress: Callable[[int, int], None] | None = None,
    ) -> RoomBank:
        """Open the bank kept in a folder, after rendering it where it is not there yet.

        Parameters
        ----------
        folder : path
            Cache; made where missing. A bank of 120 rooms takes 18 MB and under a minute to render.
        rooms, places : int
            How many rooms, and how many places of a talker in each.
        seed : int
            Of sizes, reverberation times, places and the simulation.
        progress : callable, optional
            ``progress(done, rooms)``, called after each rendered room.

        Returns
        -------
        RoomBank
            Memory-mapped, so that loader processes share it.

        Raises
        ------
        TrainingError
            The file is damaged, or cannot be written.
        """
        path = Path(folder) / f"rooms-v{_VERSION}-{rooms}x{places}-seed{seed}.npy"
        if not path.exists():
            _write(path, _render(rooms, places, seed, progress))
        try:
            return cls(responses=open_npy(path, memory_map=True))
        except (ValueError, OSError) as error:
            raise TrainingError(
                f"{path}: is damaged ({error}); delete it to have it rendered again"
            ) from error

    def draw(self, generator: Generator) -> NDArray[np.float32]:
        """Draw a room and two places in it, (2, taps): the speaker's, then that of the background."""
        room = self.responses[generator.integers(self.responses.shape[0])]
        places = room.shape[0]
        first = int(generator.integers(places))
        second = (first + 1 + int(generator.integers(places - 1))) % places
        pair: NDArray[np.float32] = room[[first, second]]
        return pair


def _write(path: Path, responses: NDArray[np.float32]) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(path) as file:
            np.save(file, responses)
    except OSError as error:
        raise TrainingError(
            f"{path}: the room responses cannot be written ({error.strerror}); "
            "make space or give another cache folder"
        ) from error


def _render(
    rooms: int, places: int, seed: int, progress: Callable[[int, int], None] | None
) -> NDArray[np.float32]:
    generator = np.random.default_rng(seed)
    responses = np.empty((rooms, places, int(_SECONDS * _RATE)), np.float32)
    for index in range(rooms):
        responses[index] = _render_room(generator, places)
        if progress is not None:
            progress(index + 1, rooms)
    return responses


def _render_room(generator: Generator, places: int) -> NDArray[np.float32]:
    """Draw a shoebox room and simulate it: early reflections by image sources, the rest by ray tracing."""
    # Imported here: opening a bank that is rendered already must not need it.
    import pyroomacoustics as pra  # noqa: PLC0415

    seed = int(generator.integers(2**31))
    pra.random.seed(seed, seed)
    size = generator.uniform([2.5, 2.5, 2.3], [9.0, 7.0, 3.6])
    absorption = _absorption(size, generator.uniform(0.1, 0.9))
    room = pra.ShoeBox(
        size, fs=_RATE, materials=pra.Material(absorption), max_order=3, ray_tracing=True, air_absorption=True
    )
    room.set_ray_tracing(n_rays=_RAYS, time_thres=_SECONDS + 0.1)
    microphone = generator.uniform(_WALL, size - _WALL)
    room.add_microphone(microphone)
    talkers = [_draw_place(generator, size, microphone) for _ in range(places)]
    for talker in talkers:
        room.add_source(talker)
    room.compute_rir()
    centre = pra.constants.get("frac_delay_length") // 2  # of the filter that stands for each reflection
    starts = [centre + round(float(np.linalg.norm(talker - microphone)) / _STEP) for talker in talkers]
    return np.stack([_cut(np.asarray(rir), start) for rir, start in zip(room.rir[0], starts, strict=True)])


def _absorption(size: NDArray[np.float64], rt60: float) -> float:
    """Invert Sabine's formula; a room too large for so short a time gets the most absorbing walls."""
    volume = float(np.prod(size))
    x, y, z = size
    surface = 2 * (x * y + y * z + x * z)
    return float(min(24 * np.log(10) * volume / (_SPEED * surface * rt60), 0.95))


def _draw_place(
    generator: Generator, size: NDArray[np.float64], microphone: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Draw a talker 0.2 m or more from the microphone, a whole number of samples of sound away from it.

    So the direct sound is one clean tap, not an interpolated one whose side lobes come before time zero.
    """
    while True:
        place = generator.uniform(_WALL, size - _WALL)
        distance = float(np.linalg.norm(place - microphone))
        if distance > 0.2 + _STEP:
            shorter = np.floor(distance / _STEP) * _STEP / distance
            return np.asarray(microphone + (place - microphone) * shorter)


def _cut(response: NDArray[np.float64], start: int) -> NDArray[np.float32]:
    """Keep 0.6 s from `start`, padded with zeros where there is less, and scale them to unit energy."""
    taps = int(_SECONDS * _RATE)
    kept = np.zeros(taps)
    piece = response[start : start + taps]
    kept[: piece.size] = piece
    return (kept / np.linalg.norm(kept)).astype(np.float32)
