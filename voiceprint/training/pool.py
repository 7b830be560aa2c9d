"""A pool: decoded training speech on disk, memory-mapped, in as many voices as were rendered from it.

A pool is a folder of shards. A shard holds every utterance of a corpus once, in one voice: the speaker's own,
or a new one (`voiceprint.training.voices`). ::

    voice-0.pcm           int16 samples at 16 kHz of all utterances, one after another
    voice-0.json          per utterance: id, speaker, voice, offset, samples
    voice-0.teacher.npy   (utterances, dim) float32: a teacher's embedding of each, where one was asked

The json is written last, so that a shard which has one is whole.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from voiceprint.corpus import Corpus, Utterance
from voiceprint.corpus.cache import MAX_UNREADABLE
from voiceprint.errors import CorpusError
from voiceprint.training.voices import DrawnVoice

__all__ = ["FULL_SCALE", "Pool", "PooledUtterance", "as_float", "open_samples", "pool_id", "read_list"]

FULL_SCALE = 32768.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PooledUtterance:
    """One utterance in one voice.

    Parameters
    ----------
    id, speaker : str
        The utterance and its speaker as the corpus names them, unique across corpora.
    voice : DrawnVoice
        What the speaker's voice was made into.
    offset, samples : int
        Its place in the shard.
    """

    id: str
    speaker: str
    voice: DrawnVoice
    offset: int
    samples: int


def pool_id(utterance: Utterance) -> str:
    """The name of an utterance in a pool, unique over all corpora: ``corpus/id``."""
    return f"{utterance.corpus}/{utterance.id}" if utterance.corpus else utterance.id


class Pool:
    """The shards of a folder, read as one sequence of utterances.

    Parameters
    ----------
    folder : Path
        The pool.
    voices : int
        How many of its shards are used, from the first.

    Attributes
    ----------
    utterances : list of PooledUtterance
        All utterances of all shards; utterance ``i`` of the first stands at ``i + v * len(pool) // voices``
        in voice ``v``.
    labels : NDArray of int64, (n,)
        Class of each: a speaker in one voice.
    teacher : NDArray of float32, (n, dim), or None
        The teacher's unit-length embeddings, where every shard has them.

    Raises
    ------
    CorpusError
        A shard is missing, or its samples do not match its list.
    """

    def __init__(self, folder: Path, *, voices: int) -> None:
        lists = [folder / f"voice-{number}.json" for number in range(voices)]
        for path in lists:
            if not path.exists():
                raise CorpusError(f"{path}: is not rendered yet; voiceprint train --prepare renders it")
        self.folder = folder
        self.voices = len(lists)
        self.utterances: list[PooledUtterance] = []
        self._shards: list[NDArray[np.int16]] = []
        self._shard_of: list[int] = []
        teachers = []
        for number, path in enumerate(lists):
            rows = read_list(path)
            self.utterances += rows
            self._shard_of += [number] * len(rows)
            self._shards.append(open_samples(path.with_suffix(".pcm"), rows))
            teachers.append(_read_teacher(path.with_suffix(".teacher.npy"), len(rows)))
        self._require_same_order()
        self.classes = sorted({(utterance.speaker, utterance.voice) for utterance in self.utterances})
        number_of = {name: number for number, name in enumerate(self.classes)}
        self.labels = np.array([number_of[u.speaker, u.voice] for u in self.utterances], dtype=np.int64)
        known = [teacher for teacher in teachers if teacher is not None]
        self.teacher = _unit(np.concatenate(known)) if len(known) == len(lists) else None

    def __len__(self) -> int:
        return len(self.utterances)

    def __reduce__(self) -> tuple[Callable[[Path, int], Pool], tuple[Path, int]]:
        # A pickled memmap would carry every sample; other processes map the files themselves.
        return _reopen, (self.folder, self.voices)

    def _require_same_order(self) -> None:
        ids = [utterance.id for utterance in self.utterances]
        own = ids[: len(ids) // self.voices]
        if own * self.voices != ids:
            raise CorpusError(
                "the pool's shards do not hold the same utterances in the same order; render it again"
            )

    def require_speech_of(self, corpus: Corpus) -> None:
        """Raise CorpusError unless the pool was rendered from ``corpus``, give or take unreadable files."""
        held = {utterance.id for utterance in self.utterances}
        asked = [pool_id(utterance) for utterance in corpus]
        missing = [id_ for id_ in asked if id_ not in held]
        if held - set(asked) or len(missing) > MAX_UNREADABLE * len(asked):
            raise CorpusError(
                f"{self.folder}: holds {len(held)} utterances, and not those {len(asked)} that the recipe "
                "trains on; name another folder with --pool, and they are rendered there"
            )

    @property
    def speakers(self) -> list[int]:
        """Speaker number of each utterance of the first shard, for a sampler."""
        own = [utterance.speaker for utterance in self.utterances[: len(self) // self.voices]]
        number_of = {name: number for number, name in enumerate(sorted(set(own)))}
        return [number_of[name] for name in own]

    def read(self, index: int, start: int = 0, stop: int | None = None) -> NDArray[np.float32]:
        """Samples ``start`` to ``stop`` of utterance ``index``, float32 in [-1, 1], (stop - start,)."""
        utterance = self.utterances[index]
        begin, end = utterance.offset, utterance.offset + utterance.samples
        stop = end if stop is None else min(begin + stop, end)
        return as_float(self._shards[self._shard_of[index]][begin + start : stop])

    def speaker_targets(self, mix: float) -> NDArray[np.float32] | None:
        """What a student is to learn of the teacher: centred, and drawn towards the class, (n, dim).

        A teacher's embeddings share a large common part. Left in, a student that answers with nothing else
        already has a high cosine to every target, and what tells speakers apart is hardly learned. So the
        mean over the speakers of each corpus in each voice is taken off first, and with it what a corpus has
        in common. Then ``(1 - mix) * own + mix * mean``: one clip's embedding also says what was spoken and
        how; the mean over a class says who spoke.
        """
        if self.teacher is None:
            return None
        first = np.unique(self.labels, return_index=True)[1]
        groups = self._groups()
        means = _group_means(self.teacher, self.labels)
        centres = _group_means(means, groups[first])
        own = _unit(self.teacher - centres[groups])
        return _unit((1 - mix) * own + mix * _unit(means - centres[groups[first]])[self.labels])

    def _groups(self) -> NDArray[np.int64]:
        """The corpus and voice of each utterance as one number, (n,)."""
        size = len(self) // self.voices
        names = [f"{u.speaker.rpartition('/')[0]} {index // size}" for index, u in enumerate(self.utterances)]
        return np.unique(names, return_inverse=True)[1].astype(np.int64)


def _group_means(vectors: NDArray[np.float32], groups: NDArray[np.int64]) -> NDArray[np.float32]:
    """Mean of the rows of each group, (groups, dim)."""
    sums = np.zeros((int(groups.max()) + 1, vectors.shape[1]), dtype=np.float32)
    np.add.at(sums, groups, vectors)
    sums /= np.bincount(groups).astype(np.float32)[:, None]
    return sums


def open_samples(path: Path, rows: Sequence[PooledUtterance]) -> NDArray[np.int16]:
    """The samples of a shard (n,), memory-mapped, checked to be as many as its list says."""
    expected = rows[-1].offset + rows[-1].samples if rows else 0
    found = path.stat().st_size // 2 if path.exists() else 0
    if found != expected:
        raise CorpusError(f"{path}: holds {found} samples, its list says {expected}; render the shard again")
    return np.memmap(path, dtype=np.int16, mode="r")


def _read_teacher(path: Path, count: int) -> NDArray[np.float32] | None:
    if not path.exists():
        return None
    embeddings: NDArray[np.float32] = np.load(path, allow_pickle=False)
    if len(embeddings) != count:
        raise CorpusError(
            f"{path}: holds {len(embeddings)} embeddings of {count} utterances; "
            "delete it to have them computed again"
        )
    return embeddings


def _unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    # A vector at its centre has no direction and stays zero: it then teaches nothing.
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit: NDArray[np.float32] = vectors / np.maximum(lengths, 1e-12)
    return unit


def read_list(path: Path) -> list[PooledUtterance]:
    """The utterances of a shard."""
    try:
        return [
            PooledUtterance(**row | {"voice": DrawnVoice(**row["voice"])})
            for row in json.loads(path.read_text(encoding="utf-8"))
        ]
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise CorpusError(
            f"{path}: is no list of rendered speech ({error}); delete it to render again"
        ) from error


def _reopen(folder: Path, voices: int) -> Pool:
    return Pool(folder, voices=voices)


def as_float(samples: NDArray[np.int16]) -> NDArray[np.float32]:
    """Stored samples as float32 in [-1, 1]."""
    return samples.astype(np.float32) / np.float32(FULL_SCALE)
