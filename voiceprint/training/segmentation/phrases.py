"""PhraseBank: what people say, cut into phrases at their pauses, from which conversations are made."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from voiceprint.audio import SAMPLE_RATE
from voiceprint.audio.degrade import active_power
from voiceprint.audio.vad import WINDOW, speech_probabilities
from voiceprint.corpus import Corpus, Unreadable
from voiceprint.corpus.reading import read_utterances, require_readable
from voiceprint.errors import CorpusError, TrainingError
from voiceprint.files.whole import whole_file, write_whole

_SPEECH = 0.5  # probability from which on a window is speech
_PAUSE = 8  # windows (0.26 s) without speech that part two phrases
_SHORTEST = 5  # windows of speech in a phrase, as the detector asks
_EDGE = 1  # windows added on both sides: onsets and decays lie below the probability
_LEVEL = 0.05  # root mean square that every clip's speech is brought to
_VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """What one person says.

    Parameters
    ----------
    clips : tuple of tuple of (int, int)
        Of every clip its phrases in order, each from one sample of the bank to another.
    """

    name: str
    clips: tuple[tuple[tuple[int, int], ...], ...]

    @property
    def seconds(self) -> float:
        """Seconds of speech."""
        return sum(stop - start for clip in self.clips for start, stop in clip) / SAMPLE_RATE


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PhraseBank:
    """Phrases of many people, lying end to end in one array that may be memory-mapped.

    Parameters
    ----------
    samples : ndarray of int16, shape (n,)
        16 kHz; every clip's speech has the same level.
    """

    samples: NDArray[np.int16]
    people: tuple[Person, ...]

    @classmethod
    def open(
        cls,
        folder: Path,
        corpus: Corpus,
        *,
        progress: Callable[[int, int], None] = lambda done, total: None,
    ) -> PhraseBank:
        """Open the bank that a folder holds of a corpus, after making it where it is not there.

        Parameters
        ----------
        folder : Path
            Made where missing.
        corpus : Corpus
            Whose clips; the bank knows it by its fingerprint.
        progress : callable
            ``progress(done, clips)`` while it is made.

        Raises
        ------
        CorpusError
            More than 1 % of the clips cannot be read, or nobody says anything.
        TrainingError
            The folder holds another corpus's bank, or cannot be written.
        """
        index = folder / "phrases.json"
        if not index.exists():
            _write(folder, corpus, progress)
        held = json.loads(index.read_text(encoding="utf-8"))
        if held["version"] != _VERSION or held["corpus"] != corpus.fingerprint:
            raise TrainingError(f"{folder}: holds the phrases of another corpus; name another folder")
        people = tuple(
            Person(name=name, clips=tuple(tuple((a, b) for a, b in clip) for clip in clips))
            for name, clips in held["people"].items()
        )
        return cls(samples=np.memmap(folder / "phrases.pcm", np.int16, mode="r"), people=people)

    def phrase(self, start: int, stop: int) -> NDArray[np.float32]:
        """Return samples of the bank, (stop - start,), in [-1, 1]."""
        return np.asarray(self.samples[start:stop], dtype=np.float32) / np.float32(32768)


def find_phrases(samples: NDArray[np.float32]) -> tuple[tuple[int, int], ...]:
    """Find the phrases of a clip (n,), speech without a pause over 0.26 s: (start, stop) of each."""
    spoken = np.flatnonzero(speech_probabilities(samples) >= _SPEECH)
    if not spoken.size:
        return ()
    breaks = np.flatnonzero(np.diff(spoken) > _PAUSE)
    starts = spoken[np.concatenate(([0], breaks + 1))]
    stops = spoken[np.concatenate((breaks, [spoken.size - 1]))] + 1
    return tuple(
        (max(0, (start - _EDGE) * WINDOW), min(samples.size, (stop + _EDGE) * WINDOW))
        for start, stop in zip(starts.tolist(), stops.tolist(), strict=True)
        if stop - start >= _SHORTEST
    )


def _levelled(samples: NDArray[np.float32], phrases: Sequence[tuple[int, int]]) -> NDArray[np.int16]:
    speech = np.concatenate([samples[start:stop] for start, stop in phrases])
    level = np.sqrt(max(active_power(speech), 1e-12))
    levelled: NDArray[np.int16] = (np.clip(samples * (_LEVEL / level), -1.0, 1.0) * 32767).astype(np.int16)
    return levelled


def _write(folder: Path, corpus: Corpus, progress: Callable[[int, int], None]) -> None:
    people: dict[str, list[list[tuple[int, int]]]] = {}
    unreadable: list[Unreadable] = []
    place = 0
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with whole_file(folder / "phrases.pcm") as file:
            for done, (utterance, clip) in enumerate(zip(corpus, read_utterances(corpus), strict=True)):
                if isinstance(clip, Unreadable):
                    unreadable.append(clip)
                    continue
                found = find_phrases(clip)
                if found:
                    file.write(_levelled(clip, found).tobytes())
                    said = [(place + start, place + stop) for start, stop in found]
                    people.setdefault(utterance.speaker_id, []).append(said)
                    place += clip.size
                progress(done + 1, len(corpus))
        require_readable(unreadable, total=len(corpus))
        if not people:
            raise CorpusError("nobody says anything in the corpus; give clips with speech")
        index = {"version": _VERSION, "corpus": corpus.fingerprint, "people": people}
        write_whole(folder / "phrases.json", json.dumps(index))
    except OSError as error:
        raise TrainingError(f"{folder}: the phrases cannot be written there ({error.strerror})") from error
