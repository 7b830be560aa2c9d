"""The lock of a run's folder: one process at a time trains into it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from voiceprint.errors import TrainingError
from voiceprint.training.distributed import is_leader

__all__ = ["LOCK_FILE", "locked_run"]

LOCK_FILE = ".lock"
"""What the process that trains has locked in the run's folder; a killed one leaves the file, and no lock."""


@contextmanager
def locked_run(folder: Path) -> Iterator[None]:
    """Keep other trainings out of a run's folder, until the block ends or the process, however it does.

    The folder is made where missing, and removed where the block leaves nothing in it. Under ``torchrun`` the
    first process alone holds the lock, for it alone writes; where it is refused, it ends before the group
    starts, and ``torchrun`` ends the others.

    Parameters
    ----------
    folder : Path
        The run.

    Raises
    ------
    TrainingError
        Another process trains into the folder, or it cannot be written; nothing in it is changed.
    """
    if not is_leader():
        yield
        return
    path = folder / LOCK_FILE
    try:
        folder.mkdir(parents=True, exist_ok=True)
        held = FileLock(path).acquire(blocking=False)
    except Timeout as error:
        raise TrainingError(
            f"{folder}: another process trains into it; wait until that ends, or name another folder"
        ) from error
    except OSError as error:
        raise TrainingError(f"{folder}: the run cannot be written there ({error.strerror})") from error
    try:
        with held:
            try:
                yield
            finally:
                # While it is held: afterwards it may be another's. On Windows filelock does it.
                with suppress(OSError):
                    path.unlink()
    finally:
        with suppress(OSError):  # of a folder that holds anything
            folder.rmdir()
