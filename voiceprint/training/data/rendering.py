"""Rendering: a corpus decoded into the shards of a pool, in several voices, with a teacher's embeddings."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass
from functools import partial
from multiprocessing.sharedctypes import Synchronized
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from voiceprint.corpus import Corpus, Unreadable, Utterance
from voiceprint.corpus.reading import read_utterances, require_readable
from voiceprint.errors import AudioError, CorpusError, TrainingError, WorkerError
from voiceprint.files.whole import whole_file, write_whole
from voiceprint.model import SpeakerModel
from voiceprint.training.data.pool import (
    FULL_SCALE,
    TEACHER_FILE,
    PooledUtterance,
    ShardList,
    VoiceDraw,
    as_float,
    draws,
    open_samples,
    pool_id,
    read_shard,
    read_teacher,
    require_speech,
    require_voices,
)
from voiceprint.training.data.voices import DrawnVoice, Voice, draw_voices, render_voice
from voiceprint.training.locks import locked_pool
from voiceprint.training.origins import UNKNOWN, SourceModel, save_record, source_of
from voiceprint.workers import spared_from_interrupts

Teacher = Callable[[NDArray[np.float32]], NDArray[np.float32]]
"""A waveform (n,) at 16 kHz -> its embedding (dim,)."""

_POLL_SECONDS = 0.3
_UNREADABLE_FILE = "unreadable.json"


@dataclass(frozen=True, slots=True)
class _Counter:
    """Clips done by all processes, and whether they are to stop."""

    done: Synchronized[int]
    stop: Event


_counter: _Counter


@dataclass(frozen=True, slots=True, kw_only=True)
class _Missing:
    """What renders the shards that a pool lacks, what makes the embeddings, and whose those are."""

    shards: Sequence[Callable[..., tuple[Unreadable, ...]]]
    labels: Sequence[Callable[..., None]] = ()
    teacher: SourceModel | None = None

    @property
    def anything(self) -> bool:
        return bool(self.shards or self.labels)


def prepare_pool(
    corpus: Corpus,
    folder: Path,
    *,
    voices: Sequence[Voice] = (),
    seed: int = 0,
    teacher: Path | None = None,
    jobs: int = 1,
    progress: Callable[[int, int], None] = lambda done, total: None,
    waiting: Callable[[], None] = lambda: None,
) -> tuple[Unreadable, ...]:
    """Render what a pool lacks, shard by shard; what is there is left as it is.

    Processes that render into one pool do so one after the other.

    Parameters
    ----------
    voices : sequence of Voice
        One for each shard beside the speakers' own voice, which is shard 0.
    teacher : Path, optional
        Model folder whose embedding of every clip is stored.
    progress : callable
        ``progress(clips done, clips in all)``.
    waiting : callable
        Called where another process renders into the pool, before it is waited for.

    Returns
    -------
    tuple of Unreadable
        The utterances of the corpus that the pool leaves out, whichever run rendered it.

    Raises
    ------
    CorpusError
        The pool holds other speech, other voices, or another teacher's embeddings; more than 1 % of the
        utterances cannot be read; or the folder cannot be written.
    TrainingError
        A process died.
    ModelError
        The teacher is no model.
    """
    look = partial(_missing, corpus, folder, voices, seed, teacher)
    if look().anything:
        with locked_pool(folder, waiting=waiting):
            # Again: whoever was waited for may have rendered it, or have made the pool another recipe's.
            _fill(folder, look(), clips=len(corpus), jobs=jobs, progress=progress)
    return _read_unreadable(folder / _UNREADABLE_FILE, corpus)


def _missing(
    corpus: Corpus, folder: Path, voices: Sequence[Voice], seed: int, teacher: Path | None
) -> _Missing:
    """What a pool lacks; refused where what it holds is another recipe's."""
    _require_shards(corpus, folder, draws(voices, seed=seed))
    shards = _renderings(corpus, folder, voices, seed)
    if shards:
        _require_nothing_else(corpus, folder)
    if teacher is None:
        return _Missing(shards=shards)
    bare = [n for n in range(1 + len(voices)) if not (folder / f"voice-{n}.teacher.npy").exists()]
    return _Missing(
        shards=shards,
        labels=[partial(_label_with_model, folder, n, teacher) for n in bare],
        teacher=_teacher(folder, teacher, bare),
    )


def _fill(
    folder: Path, missing: _Missing, *, clips: int, jobs: int, progress: Callable[[int, int], None]
) -> None:
    to_render, to_label = len(missing.shards) * clips, len(missing.labels) * clips
    total = to_render + to_label
    for left in folder.glob("voice-*.pcm.*.part"):  # by a process that was killed: others wait for the lock
        left.unlink(missing_ok=True)
    _in_processes(missing.shards, jobs, lambda done: progress(done, total))
    if missing.teacher is not None and missing.labels:
        save_record(missing.teacher, folder / TEACHER_FILE)
    _in_processes(missing.labels, jobs, lambda done: progress(to_render + done, total))


def _require_shards(corpus: Corpus, folder: Path, asked: Sequence[VoiceDraw | None]) -> None:
    """Refuse a pool of other speech or voices, before anything is rendered into it."""
    for number, draw in enumerate(asked):
        path = folder / f"voice-{number}.json"
        if path.exists():
            shard = read_shard(path)
            require_speech(shard.utterances, corpus, folder=folder)
            require_voices(shard, draw, folder=folder, number=number)


def _require_nothing_else(corpus: Corpus, folder: Path) -> None:
    """Refuse to add a voice of a part of a pool's speech: every shard holds the same utterances."""
    asked = {pool_id(utterance) for utterance in corpus}
    for path in sorted(folder.glob("voice-*.json")):
        others = [row.id for row in read_shard(path).utterances if row.id not in asked]
        if others:
            raise CorpusError(
                f"{folder}: holds {len(others)} utterances that the recipe does not train on, such as "
                f"{others[0]}, and lacks one of its voices; name another folder for the pool, or render the "
                "voice by a recipe that trains on all of them"
            )


def _renderings(
    corpus: Corpus, folder: Path, voices: Sequence[Voice], seed: int
) -> list[Callable[..., tuple[Unreadable, ...]]]:
    """What renders the shards that are missing."""
    speakers = [utterance.speaker_id for utterance in corpus]
    drawn = [dict.fromkeys(speakers, DrawnVoice()), *draw_voices(speakers, voices, seed=seed)]
    return [
        partial(render_shard, corpus, folder, number, voices=of_speaker, drawn=draw)
        for number, (of_speaker, draw) in enumerate(zip(drawn, draws(voices, seed=seed), strict=True))
        if not (folder / f"voice-{number}.json").exists()
    ]


def _teacher(folder: Path, teacher: Path, bare: Sequence[int]) -> SourceModel:
    """The teacher that is asked for; refused where a pool's embeddings are another's, or may be."""
    SpeakerModel.open(teacher)  # refused here and now, not by a process after an hour
    asked, found = source_of(teacher), read_teacher(folder)
    if found == UNKNOWN and bare:
        raise CorpusError(
            f"{folder}: does not say which teacher its embeddings are of, and voice {bare[0]} has none yet; "
            f"delete its voice-*.teacher.npy to have them all made by {asked.title}, or name another folder "
            "for the pool"
        )
    if found is not None and found != UNKNOWN and found.id != asked.id:
        raise CorpusError(
            f"{folder}: holds the embeddings of another teacher, {found.title} (id {found.id[:12]}), than "
            f"{asked.title} (id {asked.id[:12]}); name another folder for the pool, and it is rendered there"
        )
    return asked


def render_shard(
    corpus: Corpus,
    folder: Path,
    number: int,
    *,
    voices: Mapping[str, DrawnVoice],
    drawn: VoiceDraw | None = None,
    read: Callable[[Corpus], Iterable[NDArray[np.float32] | Unreadable]] = read_utterances,
    advance: Callable[[], None] = lambda: None,
) -> tuple[Unreadable, ...]:
    """Decode ``corpus`` in the voices that ``voices`` gives its speakers.

    Parameters
    ----------
    folder : Path
        The pool; created where missing.
    number : int
        The shard's number; an earlier shard of that number is replaced.
    voices : mapping
        Speaker id -> voice.
    drawn : VoiceDraw, optional
        How they were drawn, to be written down; None for speakers' own voices.
    read : callable
        Decodes the utterances in order.

    Returns
    -------
    tuple of Unreadable
        The utterances that were left out.

    Raises
    ------
    CorpusError
        More than 1 % of the utterances cannot be read, or the folder cannot be written.
    """
    base = folder / f"voice-{number}"
    part = base.with_suffix(f".pcm.{os.getpid()}.part")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        rows, unreadable = _write_samples(zip(corpus, read(corpus), strict=True), part, voices, advance)
        require_readable(unreadable, total=len(corpus))
        base.with_suffix(".json").unlink(missing_ok=True)
        part.replace(base.with_suffix(".pcm"))
        # Shards that leave different utterances out do not make a pool, so one list is that of all.
        unread = [{"id": pool_id(bad.utterance), "reason": bad.reason} for bad in unreadable]
        write_whole(folder / _UNREADABLE_FILE, json.dumps(unread))
        shard = ShardList(utterances=rows, drawn=drawn)
        write_whole(base.with_suffix(".json"), json.dumps(asdict(shard)))
    except OSError as error:
        raise CorpusError(f"{folder}: speech cannot be rendered there ({error.strerror})") from error
    finally:
        part.unlink(missing_ok=True)
    return tuple(unreadable)


def label_shard(
    folder: Path, number: int, *, teacher: Teacher, advance: Callable[[], None] = lambda: None
) -> None:
    """Store a teacher's embedding of every utterance of a shard, (utterances, dim), beside it.

    Parameters
    ----------
    teacher : callable
        Waveform (n,) at 16 kHz -> embedding (dim,).

    Raises
    ------
    CorpusError
        The shard is missing or damaged, or the folder cannot be written.
    """
    base = folder / f"voice-{number}"
    rows = read_shard(base.with_suffix(".json")).utterances
    samples = open_samples(base.with_suffix(".pcm"), rows)
    embeddings = []
    for row in rows:
        embeddings.append(teacher(as_float(samples[row.offset : row.offset + row.samples])))
        advance()
    try:
        with whole_file(base.with_suffix(".teacher.npy")) as file:
            np.save(file, np.stack(embeddings).astype(np.float32))
    except OSError as error:
        raise CorpusError(
            f"{folder}: the teacher's embeddings cannot be written ({error.strerror})"
        ) from error


def _write_samples(
    clips: Iterable[tuple[Utterance, NDArray[np.float32] | Unreadable]],
    path: Path,
    voices: Mapping[str, DrawnVoice],
    advance: Callable[[], None],
) -> tuple[list[PooledUtterance], list[Unreadable]]:
    rows: list[PooledUtterance] = []
    unreadable: list[Unreadable] = []
    offset = 0
    with path.open("wb") as pcm:
        for utterance, samples in clips:
            advance()
            if isinstance(samples, Unreadable):
                unreadable.append(samples)
                continue
            voice = voices[utterance.speaker_id]
            stored = _as_stored(render_voice(samples, voice))
            pcm.write(stored.data)
            rows.append(
                PooledUtterance(
                    id=pool_id(utterance),
                    speaker=utterance.speaker_id,
                    voice=voice,
                    offset=offset,
                    samples=len(stored),
                )
            )
            offset += len(stored)
        pcm.flush()
        os.fsync(pcm.fileno())
    return rows, unreadable


def _as_stored(samples: NDArray[np.float32]) -> NDArray[np.int16]:
    stored: NDArray[np.int16] = np.clip(np.rint(samples * FULL_SCALE), -32768, 32767).astype(np.int16)
    return stored


def _read_unreadable(path: Path, corpus: Corpus) -> tuple[Unreadable, ...]:
    """What a pool leaves out of ``corpus``; nothing where it is older than that list."""
    if not path.exists():
        return ()
    utterances = {pool_id(utterance): utterance for utterance in corpus}
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))
        return tuple(
            Unreadable(utterance=utterances[row["id"]], reason=row["reason"])
            for row in rows
            if row["id"] in utterances
        )
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise CorpusError(
            f"{path}: is no list of unreadable utterances ({error}); delete it to go on without"
        ) from error


def _label_with_model(folder: Path, number: int, model: Path, *, advance: Callable[[], None]) -> None:
    opened = SpeakerModel.open(model)
    try:
        label_shard(folder, number, teacher=lambda samples: opened.embed([samples])[0], advance=advance)
    except AudioError as error:
        raise CorpusError(
            f"{folder}/voice-{number}: the teacher cannot embed an utterance ({error})"
        ) from error


def _in_processes(tasks: Sequence[Callable[..., Any]], jobs: int, report: Callable[[int], None]) -> list[Any]:
    """Results of tasks, each called with ``advance``; ``report`` gets the count of these calls."""
    if not tasks:
        return []
    context = multiprocessing.get_context("spawn")
    counter = _Counter(context.Value("q", 0), context.Event())
    executor = ProcessPoolExecutor(
        min(jobs, len(tasks)), mp_context=context, initializer=_share, initargs=(counter,)
    )
    try:
        with spared_from_interrupts():
            futures = [executor.submit(_run, task) for task in tasks]
        while wait(futures, timeout=_POLL_SECONDS).not_done and not any(map(_failed, futures)):
            report(counter.done.value)
        results = [future.result() for future in sorted(futures, key=_failed, reverse=True)]
        report(counter.done.value)
    except BrokenProcessPool as error:
        raise WorkerError(
            "a process that renders speech died", advice="it may have wanted memory: try jobs=1"
        ) from error
    finally:
        counter.stop.set()
        executor.shutdown(cancel_futures=True)
    return results


def _failed(future: Future[Any]) -> bool:
    return future.done() and future.exception() is not None


def _share(counter: _Counter) -> None:
    global _counter  # noqa: PLW0603  a process of the pool counts for one parent, set once
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # on Windows, where the parent cannot see to it
    _counter = counter


def _run(task: Callable[..., Any]) -> Any:
    return task(advance=_advance)


def _advance() -> None:
    if _counter.stop.is_set():
        raise TrainingError("rendering was stopped; the same command renders what is missing")
    with _counter.done.get_lock():
        _counter.done.value += 1
