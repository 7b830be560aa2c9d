"""Work on many clips in several processes, each of which holds the model."""

from __future__ import annotations

import math
import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from voiceprint.arguments import check_count
from voiceprint.audio import read_audio
from voiceprint.audio.clips import samples_to_embed
from voiceprint.errors import AudioError, WorkerError
from voiceprint.model import SpeakerModel

__all__ = [
    "EmbeddedFile",
    "available_cpus",
    "count_processes",
    "embed_files",
    "map_with_model",
    "spared_from_interrupts",
]

Item = TypeVar("Item")
Result = TypeVar("Result")

# Starting a process costs about as much as embedding this many clips.
_WORTH_A_PROCESS = 16

_worker_model: SpeakerModel


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class EmbeddedFile:
    """A file and its embedding, or why there is none.

    Attributes
    ----------
    embedding : ndarray, shape (dim,), float32, or None
        Of unit length.
    error : str
        Why it could not be embedded; empty if it was.
    """

    path: str
    embedding: NDArray[np.float32] | None
    error: str


def available_cpus() -> int:
    """Return how many processors this process may use.

    Examples
    --------
    >>> available_cpus() >= 1
    True
    """
    affinity = getattr(os, "sched_getaffinity", None)  # Linux only
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def count_processes(jobs: int | None) -> int:
    """Return how many processes are asked for: one for each processor where nothing is said.

    Raises
    ------
    ArgumentError
        If `jobs` is below 1.

    Examples
    --------
    >>> count_processes(3)
    3
    """
    return available_cpus() if jobs is None else check_count("jobs", jobs)


def embed_files(
    paths: Sequence[str], model: SpeakerModel, *, channel: int | None = None, jobs: int | None = None
) -> Iterator[EmbeddedFile]:
    """Embed every file of 0.1 s or more that can be read and is not digital silence.

    The speech in a file is embedded, with its margins; the whole file, where less than half a second of it is
    speech.

    Parameters
    ----------
    paths : sequence of str
        Audio files; a single path counts as one.
    channel : int, optional
        Which channel to take, from 1 on, of files that hold another voice in each.
    jobs : int, optional
        Processes; by default one for each processor, and fewer where there is little to do.

    Yields
    ------
    EmbeddedFile
        In the order of `paths`.
    """
    paths = [paths] if isinstance(paths, str) else paths
    wanted = count_processes(jobs)
    embed = partial(_embed_file, channel=channel)
    return map_with_model(embed, paths, model, jobs=min(wanted, math.ceil(len(paths) / _WORTH_A_PROCESS)))


def map_with_model(
    function: Callable[[SpeakerModel, Item], Result],
    items: Sequence[Item],
    model: SpeakerModel,
    *,
    jobs: int,
    chunk: int = 4,
) -> Iterator[Result]:
    """Call ``function(model, item)`` for every item, in several processes if `jobs` is over 1.

    Parameters
    ----------
    function : callable
        A function of a module: other processes find it by its name.
    model : SpeakerModel
        Every process opens its folder for itself.
    chunk : int
        Items that are sent to a process at a time.

    Yields
    ------
    Result
        In the order of `items`; nothing, and no process is started, where there are none.

    Raises
    ------
    WorkerError
        If a process dies, usually for want of memory.
    """
    processes = min(jobs, len(items))
    if processes <= 1:
        yield from (function(model, item) for item in items)
        return
    # A forked process would inherit the runtime's threads in an unusable state.
    executor = ProcessPoolExecutor(
        processes,
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_open_in_worker,
        initargs=(os.fspath(model.folder),),
    )
    try:
        with spared_from_interrupts():
            results = executor.map(partial(_call, function), items, chunksize=chunk)
        yield from results
    except BrokenProcessPool as error:
        raise WorkerError("a worker process died", advice="it may have wanted memory: try jobs=1") from error
    finally:
        executor.shutdown(cancel_futures=True)


@contextmanager
def spared_from_interrupts() -> Iterator[None]:
    """Start processes that Ctrl-C does not reach, from their first moment on: their parent ends them.

    Ctrl-C reaches this process when the block ends.
    """
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


_FIRST = "<array 0>"


def _open_in_worker(folder: str) -> None:
    global _worker_model  # noqa: PLW0603  a process of the pool serves one model, and is told so once
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # on Windows, where the parent cannot see to it
    _worker_model = SpeakerModel.open(folder)


def _call(function: Callable[[SpeakerModel, Item], Result], item: Item) -> Result:
    return function(_worker_model, item)


def _embed_file(model: SpeakerModel, path: str, *, channel: int | None) -> EmbeddedFile:
    try:
        samples = samples_to_embed(read_audio(path, channel=channel))
        embedding = model.embed([samples])[0]
    except AudioError as error:
        # The model knows waveforms by their number, people know files by their names.
        return EmbeddedFile(path=path, embedding=None, error=str(error).replace(_FIRST, path, 1))
    return EmbeddedFile(path=path, embedding=embedding, error="")
