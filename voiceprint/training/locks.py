"""Locks of a run's folder and of a pool: one process at a time writes there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from voiceprint.errors import CorpusError, TrainingError
from voiceprint.training.distributed import is_leader

__all__ = ["POOL_LOCK", "RUN_LOCK", "locked_pool", "locked_run"]

RUN_LOCK, POOL_LOCK = ".lock", ".pool.lock"
"""What the process that writes has locked in the folder; a killed one leaves the file, and no lock.

They are two, for a run may keep its pool in its own folder.
"""


@contextmanager
def locked_run(folder: Path) -> Iterator[None]:
    """Keep other trainings out of a run's folder, until the block ends or the process, however it does.

    The folder is made where missing, and removed where the block leaves nothing in it. Under ``torchrun`` the
    first process alone holds the lock, for it alone writes; where it is refused, it ends before the group
    starts, and ``torchrun`` ends the others.

    Raises
    ------
    TrainingError
        Another process trains into the folder, or it cannot be written; nothing in it is changed.
    """
    if not is_leader():
        yield
        return
    try:
        lock = _acquired(folder / RUN_LOCK, wait=False)
    except Timeout as error:
        raise TrainingError(
            f"{folder}: another process trains into it; wait until that ends, or name another folder"
        ) from error
    except OSError as error:
        raise TrainingError(f"{folder}: the run cannot be written there ({error.strerror})") from error
    with _released_after(lock):
        yield


@contextmanager
def locked_pool(folder: Path, *, waiting: Callable[[], None]) -> Iterator[None]:
    """Be the only process that renders into a pool, after any other that does.

    Parameters
    ----------
    folder : Path
        The pool; made and removed as by `locked_run`.
    waiting : callable
        Called where another process renders, before it is waited for.

    Raises
    ------
    CorpusError
        The folder cannot be written.
    """
    try:
        try:
            lock = _acquired(folder / POOL_LOCK, wait=False)
        except Timeout:
            waiting()
            lock = _acquired(folder / POOL_LOCK, wait=True)
    except OSError as error:
        raise CorpusError(f"{folder}: speech cannot be rendered there ({error.strerror})") from error
    with _released_after(lock):
        yield


def _acquired(path: Path, *, wait: bool) -> FileLock:
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path)
    lock.acquire(blocking=wait)
    return lock


@contextmanager
def _released_after(lock: FileLock) -> Iterator[None]:
    path = Path(lock.lock_file)
    try:
        yield
    finally:
        # The file goes while it is locked: afterwards it may be another's. On Windows filelock removes it.
        with suppress(OSError):
            path.unlink()
        lock.release()
        with suppress(OSError):  # of a folder that holds anything
            path.parent.rmdir()
