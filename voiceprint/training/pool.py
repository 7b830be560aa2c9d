"""A pool: decoded training speech on disk, memory-mapped, in as many voices as were rendered from it.

A pool is a folder of shards. A shard holds every utterance of a corpus once, in one voice: the speaker's
own, or a new
voice made by playing the speaker faster or slower (pitch and formants move together, as with another vocal
tract). ::

    voice-0.pcm           int16 samples at 16 kHz of all utterances, one after another
    voice-0.json          per utterance: id, speaker, factor, offset, samples
    voice-0.teacher.npy   (utterances, dim) float32: a teacher's embedding of each, where one was asked

The json is written last, so that a shard which has one is whole.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import soxr
from numpy.typing import NDArray

from voiceprint.audio import SAMPLE_RATE, read_audio
from voiceprint.corpus import Corpus, Utterance
from voiceprint.errors import CorpusError

__all__ = ["Pool", "PooledUtterance", "draw_factors", "render_shard"]

Teacher = Callable[[NDArray[np.float32]], NDArray[np.float32]]
"""A waveform (n,) at 16 kHz -> its embedding (dim,)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PooledUtterance:
    """One utterance in one voice.

    Parameters
    ----------
    id, speaker : str
        The utterance and its speaker as the corpus names them, unique across corpora.
    factor : float
        Speed at which it is played; 1 is the speaker's own voice.
    offset, samples : int
        Its place in the shard.
    """

    id: str
    speaker: str
    factor: float
    offset: int
    samples: int


class Pool:
    """The shards of a folder, read as one sequence of utterances.

    Parameters
    ----------
    folder : Path
        The pool.
    voices : int, optional
        Use only the first so many shards.

    Attributes
    ----------
    utterances : list of PooledUtterance
        All utterances of all shards.
    voices : int
        Shards; utterance ``i`` of the first stands at ``i + len(pool) / voices * v`` in voice ``v``.
    labels : NDArray of int64, (n,)
        Class of each: a speaker in one voice.
    teacher : NDArray of float32, (n, dim), or None
        The teacher's unit-length embeddings, where every shard has them.

    Raises
    ------
    CorpusError
        The folder holds no whole shard, or a shard's samples do not match its list.
    """

    def __init__(self, folder: Path, *, voices: int | None = None) -> None:
        lists = sorted(folder.glob("voice-*.json"), key=lambda path: int(path.stem.split("-")[1]))[:voices]
        if not lists:
            raise CorpusError(f"{folder}: holds no rendered speech (voice-*.json); render it first")
        self.voices = len(lists)
        self.utterances: list[PooledUtterance] = []
        self._shards: list[NDArray[np.int16]] = []
        self._shard_of: list[int] = []
        teachers = []
        for number, path in enumerate(lists):
            rows = [PooledUtterance(**row) for row in json.loads(path.read_text(encoding="utf-8"))]
            self.utterances += rows
            self._shard_of += [number] * len(rows)
            self._shards.append(_open_samples(path.with_suffix(".pcm"), rows))
            labels = path.with_suffix(".teacher.npy")
            teachers.append(np.load(labels, allow_pickle=False) if labels.exists() else None)
        self._require_same_order()
        self.classes = sorted({(utterance.speaker, utterance.factor) for utterance in self.utterances})
        number_of = {name: number for number, name in enumerate(self.classes)}
        self.labels = np.array([number_of[u.speaker, u.factor] for u in self.utterances], dtype=np.int64)
        known = [teacher for teacher in teachers if teacher is not None]
        self.teacher = _unit(np.concatenate(known)) if len(known) == len(lists) else None

    def __len__(self) -> int:
        return len(self.utterances)

    def _require_same_order(self) -> None:
        ids = [utterance.id for utterance in self.utterances]
        own = ids[: len(ids) // self.voices]
        if own * self.voices != ids:
            raise CorpusError(
                "the pool's shards do not hold the same utterances in the same order; render it again"
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
        return self._shards[self._shard_of[index]][begin + start : stop].astype(np.float32) / 32768.0

    def speaker_targets(self, mix: float) -> NDArray[np.float32] | None:
        """Teacher embeddings drawn towards their class, ``(1 - mix) * own + mix * mean``, (n, dim).

        One clip's embedding also says what was spoken and how; the mean over a class says who spoke.
        """
        if self.teacher is None:
            return None
        sums = np.zeros((len(self.classes), self.teacher.shape[1]), dtype=np.float32)
        np.add.at(sums, self.labels, self.teacher)
        return _unit((1 - mix) * self.teacher + mix * _unit(sums)[self.labels])


def draw_factors(
    corpus: Corpus, ranges: Sequence[tuple[float, float]], *, seed: int
) -> dict[str, list[float]]:
    """Speeds of every speaker id, one in each of ``ranges``, log-uniformly drawn."""
    generator = np.random.default_rng(seed)
    speakers = sorted({utterance.speaker_id for utterance in corpus})
    return {
        speaker: [
            round(float(np.exp(generator.uniform(np.log(low), np.log(high)))), 3) for low, high in ranges
        ]
        for speaker in speakers
    }


def render_shard(
    corpus: Corpus,
    folder: Path,
    number: int,
    *,
    factors: dict[str, float],
    teacher: Teacher | None = None,
    advance: Callable[[], None] = lambda: None,
) -> None:
    """Decode ``corpus`` in the voices that ``factors`` gives its speakers; let ``teacher`` embed each clip.

    Parameters
    ----------
    corpus : Corpus
        What to render.
    folder : Path
        The pool; created where missing.
    number : int
        The shard's number; an earlier shard of that number is replaced.
    factors : dict
        Speaker id -> speed; 1 leaves a voice as it is.
    teacher : callable, optional
        Waveform (n,) at 16 kHz -> embedding (dim,).
    advance : callable
        Called after every clip, for a progress bar.
    """
    folder.mkdir(parents=True, exist_ok=True)
    base = folder / f"voice-{number}"
    rows, embeddings, offset = [], [], 0
    with base.with_suffix(".pcm.part").open("wb") as pcm:
        for utterance, samples in _decoded(corpus):
            factor = factors[utterance.speaker_id]
            voiced = samples if factor == 1.0 else soxr.resample(samples, SAMPLE_RATE * factor, SAMPLE_RATE)
            stored = np.clip(np.round(voiced * 32768.0), -32768, 32767).astype(np.int16)
            stored.tofile(pcm)
            rows.append(
                PooledUtterance(
                    id=utterance.id,
                    speaker=utterance.speaker_id,
                    factor=factor,
                    offset=offset,
                    samples=len(stored),
                )
            )
            offset += len(stored)
            if teacher is not None:
                embeddings.append(teacher(stored.astype(np.float32) / 32768.0))
            advance()
    base.with_suffix(".pcm.part").replace(base.with_suffix(".pcm"))
    if teacher is not None:
        np.save(base.with_suffix(".teacher.npy"), np.stack(embeddings).astype(np.float32))
    part = base.with_suffix(".json.part")
    part.write_text(json.dumps([asdict(row) for row in rows]), encoding="utf-8")
    part.replace(base.with_suffix(".json"))


def _decoded(corpus: Corpus) -> Iterator[tuple[Utterance, NDArray[np.float32]]]:
    for utterance in corpus:
        yield utterance, read_audio(utterance.path).samples


def _open_samples(path: Path, rows: Sequence[PooledUtterance]) -> NDArray[np.int16]:
    expected = rows[-1].offset + rows[-1].samples if rows else 0
    found = path.stat().st_size // 2 if path.exists() else 0
    if found != expected:
        raise CorpusError(f"{path}: holds {found} samples, its list says {expected}; render the shard again")
    return np.memmap(path, dtype=np.int16, mode="r")


def _unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    unit: NDArray[np.float32] = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return unit
