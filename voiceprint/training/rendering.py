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

from voiceprint.corpus import Corpus, Unreadable
from voiceprint.corpus.cache import read_utterances, require_readable
from voiceprint.errors import AudioError, CorpusError, TrainingError
from voiceprint.model import SpeakerModel
from voiceprint.training.pool import (
    FULL_SCALE,
    PooledUtterance,
    as_float,
    open_samples,
    pool_id,
    read_list,
)
from voiceprint.training.voices import DrawnVoice, Voice, draw_voices, render_voice

__all__ = ["label_shard", "prepare_pool", "render_shard"]

Teacher = Callable[[NDArray[np.float32]], NDArray[np.float32]]
"""A waveform (n,) at 16 kHz -> its embedding (dim,)."""

_POLL_SECONDS = 0.3


@dataclass(frozen=True, slots=True)
class _Counter:
    """Clips done by all processes, and whether they are to stop."""

    done: Synchronized[int]
    stop: Event


_counter: _Counter | None = None


def prepare_pool(
    corpus: Corpus,
    folder: Path,
    *,
    voices: Sequence[Voice] = (),
    seed: int = 0,
    teacher: Path | None = None,
    jobs: int = 1,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> tuple[Unreadable, ...]:
    """Render what a pool lacks, shard by shard; what is there is left as it is.

    Parameters
    ----------
    corpus : Corpus
        The training speech.
    folder : Path
        The pool.
    voices : sequence of Voice
        One for each shard beside the speakers' own voice, which is shard 0.
    seed : int
        Of the voices drawn.
    teacher : Path, optional
        Model folder whose embedding of every clip is stored.
    jobs : int
        Processes.
    progress : callable
        ``progress(clips done, clips in all)``.

    Returns
    -------
    tuple of Unreadable
        The utterances left out of the shards that were rendered now, each named once.

    Raises
    ------
    CorpusError
        More than 1 % of the utterances cannot be read, or the folder cannot be written.
    TrainingError
        A process died.
    ModelError
        The teacher is no model folder.
    """
    if teacher is not None:
        SpeakerModel.open(teacher)  # refused here and now, not by a process after an hour
    speakers = [utterance.speaker_id for utterance in corpus]
    drawn = [dict.fromkeys(speakers, DrawnVoice()), *draw_voices(speakers, voices, seed=seed)]
    unreadable: dict[str, Unreadable] = {}
    render = [
        partial(render_shard, corpus, folder, number, voices=of_speaker)
        for number, of_speaker in enumerate(drawn)
        if not (folder / f"voice-{number}.json").exists()
    ]
    label = [
        partial(_label_with_model, folder, number, teacher)
        for number in range(1 + len(voices))
        if teacher is not None and not (folder / f"voice-{number}.teacher.npy").exists()
    ]
    to_render, total = len(render) * len(corpus), (len(render) + len(label)) * len(corpus)
    for left_out in _in_processes(render, jobs, lambda done: progress(done, total)):
        unreadable |= {bad.reason: bad for bad in left_out}
    _in_processes(label, jobs, lambda done: progress(to_render + done, total))
    return tuple(unreadable.values())


def render_shard(
    corpus: Corpus,
    folder: Path,
    number: int,
    *,
    voices: Mapping[str, DrawnVoice],
    advance: Callable[[], None] = lambda: None,
) -> tuple[Unreadable, ...]:
    """Decode ``corpus`` in the voices that ``voices`` gives its speakers.

    Parameters
    ----------
    corpus : Corpus
        What to render.
    folder : Path
        The pool; created where missing.
    number : int
        The shard's number; an earlier shard of that number is replaced.
    voices : mapping
        Speaker id -> voice.
    advance : callable
        Called after every clip, for a progress bar.

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
        rows, unreadable = _write_samples(corpus, part, voices, advance)
        require_readable(unreadable, total=len(corpus))
        base.with_suffix(".json").unlink(missing_ok=True)
        part.replace(base.with_suffix(".pcm"))
        _write_list(base.with_suffix(".json"), rows)
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
    folder, number
        The pool, and the shard's number.
    teacher : callable
        Waveform (n,) at 16 kHz -> embedding (dim,).
    advance : callable
        Called after every clip, for a progress bar.

    Raises
    ------
    CorpusError
        The shard is missing or damaged, or the folder cannot be written.
    """
    base = folder / f"voice-{number}"
    rows = read_list(base.with_suffix(".json"))
    samples = open_samples(base.with_suffix(".pcm"), rows)
    embeddings = []
    for row in rows:
        embeddings.append(teacher(as_float(samples[row.offset : row.offset + row.samples])))
        advance()
    part = base.with_suffix(f".teacher.npy.{os.getpid()}.part")
    try:
        with part.open("wb") as file:
            np.save(file, np.stack(embeddings).astype(np.float32))
        part.replace(base.with_suffix(".teacher.npy"))
    except OSError as error:
        raise CorpusError(
            f"{folder}: the teacher's embeddings cannot be written ({error.strerror})"
        ) from error
    finally:
        part.unlink(missing_ok=True)


def _write_samples(
    corpus: Corpus, path: Path, voices: Mapping[str, DrawnVoice], advance: Callable[[], None]
) -> tuple[list[PooledUtterance], list[Unreadable]]:
    rows: list[PooledUtterance] = []
    unreadable: list[Unreadable] = []
    offset = 0
    with path.open("wb") as pcm:
        for utterance, samples in zip(corpus, read_utterances(corpus), strict=True):
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


def _write_list(path: Path, rows: Iterable[PooledUtterance]) -> None:
    part = path.with_suffix(f".json.{os.getpid()}.part")
    try:
        part.write_text(json.dumps([asdict(row) for row in rows]), encoding="utf-8")
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _label_with_model(folder: Path, number: int, model: Path, *, advance: Callable[[], None]) -> None:
    opened = SpeakerModel.open(model)

    def teacher(samples: NDArray[np.float32]) -> NDArray[np.float32]:
        embedding: NDArray[np.float32] = opened.embed([samples])[0]
        return embedding

    try:
        label_shard(folder, number, teacher=teacher, advance=advance)
    except AudioError as error:
        raise CorpusError(
            f"{folder}/voice-{number}: the teacher cannot embed an utterance ({error})"
        ) from error


def _in_processes(tasks: Sequence[Callable[..., Any]], jobs: int, report: Callable[[int], None]) -> list[Any]:
    """Results of tasks, each called with ``advance``; ``report`` hears how often that was called in all."""
    if not tasks:
        return []
    context = multiprocessing.get_context("spawn")
    counter = _Counter(context.Value("q", 0), context.Event())
    executor = ProcessPoolExecutor(
        min(jobs, len(tasks)), mp_context=context, initializer=_share, initargs=(counter,)
    )
    try:
        futures = [executor.submit(_run, task) for task in tasks]
        while wait(futures, timeout=_POLL_SECONDS).not_done and not any(map(_failed, futures)):
            report(counter.done.value)
        results = [future.result() for future in sorted(futures, key=_failed, reverse=True)]
        report(counter.done.value)
    except BrokenProcessPool as error:
        raise TrainingError(
            "a process that renders speech died, maybe for want of memory; try --jobs 1"
        ) from error
    finally:
        counter.stop.set()
        executor.shutdown(cancel_futures=True)
    return results


def _failed(future: Future[Any]) -> bool:
    return future.done() and future.exception() is not None


def _share(counter: _Counter) -> None:
    global _counter  # noqa: PLW0603  a process of the pool counts for one parent, and is told so once
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the parent, which ends the pool
    _counter = counter


def _run(task: Callable[..., Any]) -> Any:
    return task(advance=_advance)


def _advance() -> None:
    if _counter is None:
        return
    if _counter.stop.is_set():
        raise TrainingError("rendering was stopped; the same command renders what is missing")
    with _counter.done.get_lock():
        _counter.done.value += 1
