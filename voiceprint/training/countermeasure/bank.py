"""ClipBank: speech of one origin, a corpus of people or one machine, decoded and cut to what is spoken."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from voiceprint.audio import SAMPLE_RATE, read_audio
from voiceprint.audio.clips import with_margins
from voiceprint.audio.degrade import active_power, within_full_scale
from voiceprint.audio.vad import find_speech
from voiceprint.errors import TrainingError
from voiceprint.files.whole import whole_file, write_whole

LIVE, SYNTHETIC = "live", "synthetic"
"""What a bank may hold: people as they were recorded, or speech that a machine made."""

LONGEST_SECONDS = 6.0
"""Of a clip no more is kept."""

_SHORTEST_SECONDS = 0.4
_LEVEL = 0.05  # root mean square that every clip's speech is brought to: no machine is known by its level
_VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BankClip:
    """A clip that goes into a bank.

    Parameters
    ----------
    samples : ndarray of float32, shape (n,)
        At 16 kHz.
    speaker : str
        Who speaks, or whose voice the machine took.
    source : str
        Which clip of the people it is or was made of; empty where a machine spoke a text.
    is_cut : bool
        Whether it was made of a clip that is cut to its speech already.
    """

    samples: NDArray[np.float32]
    speaker: str
    source: str = ""
    is_cut: bool = False


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ClipBank:
    """Clips of one origin, lying end to end in one array that may be memory-mapped.

    Parameters
    ----------
    name : str
        The corpus or the machine.
    kind : {"live", "synthetic"}
    samples : ndarray of int16, shape (total,)
        Only what is spoken, with its margins; all clips at one level.
    starts : ndarray of int64, shape (clips + 1,)
    speakers, sources : tuple of str
        One for each clip; see `BankClip`.
    """

    name: str
    kind: str
    samples: NDArray[np.int16]
    starts: NDArray[np.int64]
    speakers: tuple[str, ...]
    sources: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.speakers)

    def clip(self, place: int) -> NDArray[np.float32]:
        """Return the samples (n,) of a clip, in [-1, 1]."""
        piece = self.samples[self.starts[place] : self.starts[place + 1]]
        return np.asarray(piece, dtype=np.float32) / np.float32(32768)

    @classmethod
    def open(cls, folder: Path, name: str) -> ClipBank:
        """Open a bank of a folder.

        Raises
        ------
        TrainingError
            If it is not there, or of another version.
        """
        index = folder / f"{name}.json"
        try:
            held = json.loads(index.read_text(encoding="utf-8"))
        except OSError as error:
            raise TrainingError(
                f"{index}: no such bank of speech ({error.strerror}); make it by scripts/prepare_spoofs"
            ) from error
        if held["version"] != _VERSION:
            raise TrainingError(f"{index}: is of another version; delete it and run scripts/prepare_spoofs")
        return cls(
            name=name,
            kind=held["kind"],
            samples=np.memmap(folder / f"{name}.pcm", np.int16, mode="r"),
            starts=np.array(held["starts"], dtype=np.int64),
            speakers=tuple(held["speakers"]),
            sources=tuple(held["sources"]),
        )

    @classmethod
    def write(cls, folder: Path, name: str, *, kind: str, clips: Iterable[BankClip]) -> ClipBank:
        """Write a bank, whole or not at all; clips in which nothing is spoken are left out.

        Raises
        ------
        TrainingError
            If nothing is left, or the folder cannot be written.
        """
        starts, speakers, sources = [0], list[str](), list[str]()
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with whole_file(folder / f"{name}.pcm") as file:
                for clip in clips:
                    kept = clip.samples if clip.is_cut else spoken(clip.samples)
                    if kept.size:
                        file.write(_levelled(kept).tobytes())
                        starts.append(starts[-1] + kept.size)
                        speakers.append(clip.speaker)
                        sources.append(clip.source)
                if not speakers:
                    raise TrainingError(f"{name}: nothing is spoken in any of its clips")
            index = {"version": _VERSION, "kind": kind, "starts": starts}
            write_whole(
                folder / f"{name}.json", json.dumps(index | {"speakers": speakers, "sources": sources})
            )
        except OSError as error:
            raise TrainingError(f"{folder}: {name} cannot be written there ({error.strerror})") from error
        return cls.open(folder, name)


def spoken(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Cut a clip (n,) to its speech with margins, at most `LONGEST_SECONDS`; (0,) where there is too little.

    What a verdict is about is cut likewise, so silence at the ends tells nobody from a machine.
    """
    waveform = read_audio(within_full_scale(samples), sample_rate=SAMPLE_RATE)
    speech = with_margins(waveform, find_speech(waveform))
    if speech.size < _SHORTEST_SECONDS * SAMPLE_RATE:
        return speech[:0]
    return speech[: int(LONGEST_SECONDS * SAMPLE_RATE)]


def _levelled(samples: NDArray[np.float32]) -> NDArray[np.int16]:
    level = np.sqrt(max(active_power(samples), 1e-12))
    levelled: NDArray[np.int16] = (np.clip(samples * (_LEVEL / level), -1.0, 1.0) * 32767).astype(np.int16)
    return levelled
