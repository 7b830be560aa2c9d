"""A pool: decoded training speech on disk, memory-mapped, in as many voices as were rendered from it.

A pool is a folder of shards. A shard holds every utterance of a corpus once, in one voice: the speaker's,
or a new one (`voiceprint.training.data.voices`). ::

    voice-0.pcm           int16 samples at 16 kHz of all utterances, one after another
    voice-0.json          how the voices were drawn, and per utterance: id, speaker, voice, offset, samples
    voice-0.teacher.npy   (utterances, dim) float32: a teacher's embedding of each, where one was asked
    teacher.json          which model that teacher is
    pack.json             the pack that it was unpacked from, where it was (`voiceprint.training.data.packs`)
    unreadable.json       the utterances of the corpus that could not be read, and why

The json of a shard is written last, so that a shard which has one is whole. Older pools do not say how their
voices were drawn, nor who the teacher is: see `require_voices` and `read_teacher`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from voiceprint.config import build
from voiceprint.corpus import Corpus, Utterance
from voiceprint.corpus.reading import MAX_UNREADABLE
from voiceprint.errors import ConfigError, CorpusError, PoolMissingError
from voiceprint.files.arrays import open_npy
from voiceprint.scoring import unit_length
from voiceprint.training.data.voices import DrawnVoice, Voice
from voiceprint.training.origins import UNKNOWN, SourceModel, read_record

FULL_SCALE = 32768.0
TEACHER_FILE, PACK_FILE = "teacher.json", "pack.json"

_ELSEWHERE = "name another folder for the pool, and it is rendered there"


@dataclass(frozen=True, slots=True, kw_only=True)
class PooledUtterance:
    """One utterance in one voice.

    Parameters
    ----------
    id, speaker : str
        The utterance and its speaker as the corpus names them, unique across corpora.
    """

    id: str
    speaker: str
    voice: DrawnVoice
    offset: int
    samples: int


@dataclass(frozen=True, slots=True, kw_only=True)
class VoiceDraw:
    """How the voices of a shard were drawn."""

    voice: Voice
    seed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardList:
    """What the json of a shard holds.

    Parameters
    ----------
    drawn : VoiceDraw or None
        How the voices were drawn; None of speakers' own voices, and where it was not written down.
    """

    utterances: list[PooledUtterance]
    drawn: VoiceDraw | None = None


def draws(voices: Sequence[Voice], *, seed: int) -> list[VoiceDraw | None]:
    """How a recipe has the voices of each shard drawn; None for the first, the speakers' own."""
    return [None, *(VoiceDraw(voice=voice, seed=seed) for voice in voices)]


def pool_id(utterance: Utterance) -> str:
    """The name of an utterance in a pool, unique over all corpora: ``corpus/id``."""
    return f"{utterance.corpus}/{utterance.id}" if utterance.corpus else utterance.id


class Pool:
    """The shards of a folder, read as one sequence of utterances.

    Parameters
    ----------
    voices : int
        How many of its shards are used, from the first.
    only : iterable of str, optional
        Ids of the utterances to use (`pool_id`), where a recipe trains on a part of what was rendered.

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

    def __init__(self, folder: Path, *, voices: int, only: Iterable[str] | None = None) -> None:
        paths = [folder / f"voice-{number}.json" for number in range(voices)]
        for path in paths:
            if not path.exists():
                raise PoolMissingError(f"{path}: is not rendered yet", advice="render the pool first")
        self.folder = folder
        self.voices = len(paths)
        self._only = None if only is None else frozenset(only)
        self._lists = [read_shard(path) for path in paths]
        self.utterances: list[PooledUtterance] = []
        self._shards: list[NDArray[np.int16]] = []
        self._shard_of: list[int] = []
        teachers = []
        for number, path in enumerate(paths):
            rows = self._lists[number].utterances
            used = [i for i, row in enumerate(rows) if self._only is None or row.id in self._only]
            self.utterances += [rows[i] for i in used]
            self._shard_of += [number] * len(used)
            self._shards.append(open_samples(path.with_suffix(".pcm"), rows))
            teacher = _read_teacher(path.with_suffix(".teacher.npy"), len(rows))
            teachers.append(None if teacher is None else teacher[used])
        self._require_same_order()
        self.classes = sorted({(utterance.speaker, utterance.voice) for utterance in self.utterances})
        number_of = {name: number for number, name in enumerate(self.classes)}
        self.labels = np.array([number_of[u.speaker, u.voice] for u in self.utterances], dtype=np.int64)
        known = [teacher for teacher in teachers if teacher is not None]
        self.teacher = unit_length(np.concatenate(known)) if len(known) == len(paths) else None

    def __len__(self) -> int:
        return len(self.utterances)

    def __reduce__(self) -> tuple[partial[Pool], tuple[()]]:
        # A pickled memmap would carry every sample; other processes map the files themselves.
        return partial(Pool, self.folder, voices=self.voices, only=self._only), ()

    def _require_same_order(self) -> None:
        ids = [utterance.id for utterance in self.utterances]
        own = ids[: len(ids) // self.voices]
        if own * self.voices != ids:
            raise CorpusError(
                "the pool's shards do not hold the same utterances in the same order; render it again"
            )

    def require_voices(self, voices: Sequence[Voice], *, seed: int) -> None:
        """Raise CorpusError unless the shards hold the voices that a recipe asks for (`require_voices`)."""
        for number, (shard, asked) in enumerate(zip(self._lists, draws(voices, seed=seed), strict=True)):
            require_voices(shard, asked, folder=self.folder, number=number)

    @property
    def speakers(self) -> list[int]:
        """Speaker number of each utterance of the first shard, for a sampler."""
        own = [utterance.speaker for utterance in self.utterances[: len(self) // self.voices]]
        numbers: list[int] = np.unique(own, return_inverse=True)[1].tolist()
        return numbers

    @property
    def corpora(self) -> list[str]:
        """Corpus of each utterance of the first shard, for a sampler."""
        own = self.utterances[: len(self) // self.voices]
        return [utterance.speaker.rpartition("/")[0] for utterance in own]

    def read(self, index: int, start: int = 0, stop: int | None = None) -> NDArray[np.float32]:
        """Samples ``start`` to ``stop`` of utterance ``index``, float32 in [-1, 1], (stop - start,)."""
        utterance = self.utterances[index]
        begin, end = utterance.offset, utterance.offset + utterance.samples
        stop = end if stop is None else min(begin + stop, end)
        return as_float(self._shards[self._shard_of[index]][begin + start : stop])

    def speaker_targets(self, mix: float) -> NDArray[np.float32] | None:
        """Targets of a student, (n, dim): the teacher's embeddings, centred and moved towards the class mean.

        A teacher's embeddings share a large common part. With it, a constant student already has a high
        cosine to every target, and hardly learns what separates speakers. So the mean over the speakers of
        each corpus in each voice is subtracted first, and with it what a corpus has in common. Then
        ``(1 - mix) * own + mix * mean``: one clip's embedding also says what was spoken and how; the mean
        over a class says who spoke.
        """
        if self.teacher is None:
            return None
        first = np.unique(self.labels, return_index=True)[1]
        groups = self._groups()
        means = _group_means(self.teacher, self.labels)
        centres = _group_means(means, groups[first])
        # A teacher's embedding at its centre has no direction and stays zero: it then teaches nothing.
        own = unit_length(self.teacher - centres[groups])
        return unit_length((1 - mix) * own + mix * unit_length(means - centres[groups[first]])[self.labels])

    def _groups(self) -> NDArray[np.int64]:
        """The corpus and voice of each utterance as one number, (n,)."""
        size = len(self) // self.voices
        names = [f"{u.speaker.rpartition('/')[0]} {index // size}" for index, u in enumerate(self.utterances)]
        return np.unique(names, return_inverse=True)[1].astype(np.int64)


def require_speech(held: Iterable[PooledUtterance], corpus: Corpus, *, folder: Path) -> None:
    """Raise CorpusError unless ``held`` has the speech of ``corpus``, give or take unreadable files.

    A pool may hold more: recipes that train on a part of the same corpora share it.
    """
    there = {utterance.id for utterance in held}
    asked = [pool_id(utterance) for utterance in corpus]
    missing = [id_ for id_ in asked if id_ not in there]
    if len(missing) > MAX_UNREADABLE * len(asked):
        raise CorpusError(
            f"{folder}: holds {len(there)} utterances, and not those {len(asked)} that the recipe trains on; "
            f"{_ELSEWHERE}"
        )


def require_voices(shard: ShardList, asked: VoiceDraw | None, *, folder: Path, number: int) -> None:
    """Raise CorpusError unless the voices of shard ``number`` are those that a recipe asks for.

    Where it was not written down how they were drawn, every one has to lie within the ranges asked for; by
    which seed it was drawn is then not known.
    """
    if shard.drawn is None:
        ranges = Voice() if asked is None else asked.voice
        strange = next((u for u in shard.utterances if not _within(u.voice, ranges)), None)
        if strange is None:
            return
        found = f"has {strange.speaker} at speed {strange.voice.speed}, formants {strange.voice.formants}"
    elif shard.drawn == asked:
        return
    else:
        found = f"was drawn from {_in_words(shard.drawn)}"
    wanted = "the speakers' own" if asked is None else _in_words(asked)
    raise CorpusError(
        f"{folder}: voice {number} {found}; the recipe (data.voices, seed) asks for {wanted}; {_ELSEWHERE}"
    )


def _within(drawn: DrawnVoice, voice: Voice) -> bool:
    # Drawn voices are rounded to three places, and so the ends of the ranges are.
    return all(
        round(low, 3) <= value <= round(high, 3)
        for value, (low, high) in ((drawn.speed, voice.speed), (drawn.formants, voice.formants))
    )


def _in_words(draw: VoiceDraw) -> str:
    return f"speed {list(draw.voice.speed)}, formants {list(draw.voice.formants)} by seed {draw.seed}"


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
    try:
        embeddings: NDArray[np.float32] = open_npy(path)
    except (ValueError, OSError) as error:
        raise CorpusError(f"{path}: is damaged ({error}); delete it to have it computed again") from error
    if len(embeddings) != count:
        raise CorpusError(
            f"{path}: holds {len(embeddings)} embeddings of {count} utterances; "
            "delete it to have them computed again"
        )
    return embeddings


def read_shard(path: Path) -> ShardList:
    """The list of a shard.

    Raises
    ------
    CorpusError
        The file is none.
    """
    try:
        content: Any = json.loads(path.read_text(encoding="utf-8"))
        # An older list is that of the utterances alone.
        table: Any = {"drawn": None, "utterances": content} if isinstance(content, list) else content
        return ShardList(
            utterances=[
                PooledUtterance(**row | {"voice": DrawnVoice(**row["voice"])}) for row in table["utterances"]
            ],
            drawn=None if table["drawn"] is None else build(VoiceDraw, table["drawn"]),
        )
    except (OSError, ValueError, TypeError, KeyError, ConfigError) as error:
        raise CorpusError(
            f"{path}: is no list of rendered speech ({error}); delete it to render again"
        ) from error


def read_teacher(folder: Path) -> SourceModel | None:
    """The model whose embeddings a pool holds: `UNKNOWN` where it was not written down, None without any.

    Raises
    ------
    ConfigError
        ``teacher.json`` is damaged.
    """
    if not any(folder.glob("voice-*.teacher.npy")):
        return None
    path = folder / TEACHER_FILE
    return read_record(path, SourceModel) if path.exists() else UNKNOWN


def read_packed(folder: Path) -> SourceModel | None:
    """The pack that a pool was unpacked from; None where its speech was decoded from corpora.

    Raises
    ------
    ConfigError
        ``pack.json`` is damaged.
    """
    path = folder / PACK_FILE
    return read_record(path, SourceModel) if path.exists() else None


def open_pool(folder: Path, corpus: Corpus, *, voices: int) -> Pool:
    """The speech of ``corpus`` in a pool, which may hold that of other corpora as well.

    Parameters
    ----------
    folder, voices
        As for `Pool`.

    Raises
    ------
    CorpusError
        As for `Pool`, or the pool lacks more than a few unreadable files of ``corpus``.
    """
    pool = Pool(folder, voices=voices, only=(pool_id(utterance) for utterance in corpus))
    require_speech(pool.utterances, corpus, folder=folder)
    return pool


def as_float(samples: NDArray[np.int16]) -> NDArray[np.float32]:
    """Stored samples as float32 in [-1, 1]."""
    return samples.astype(np.float32) / np.float32(FULL_SCALE)
