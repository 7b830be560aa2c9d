"""Where a store lies, and files that only their owner can read and that are never seen half-written."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

import platformdirs

__all__ = ["create_private", "default_store_path", "make_private_folder", "sync_folder", "write_atomic"]

Buffer = bytes | bytearray | memoryview


def default_store_path() -> Path | str:
    """Return the folder of the store that is used when none is named, or the URL of its database.

    Returns
    -------
    Path or str
        ``VOICEPRINT_STORE`` where it is set (a URL as it stands), else ``./enrollments`` where that
        folder exists, else ``enrollments`` in the user's data directory.
    """
    named = os.environ.get("VOICEPRINT_STORE")
    if named:
        return named if "://" in named else Path(named).expanduser()
    local = Path("enrollments")
    return local if local.is_dir() else platformdirs.user_data_path("voiceprint") / "enrollments"


def make_private_folder(folder: Path) -> None:
    """Create a folder for its owner alone (0700); one that exists keeps its mode."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.mkdir(mode=0o700, exist_ok=True)


def create_private(path: Path) -> None:
    """Create an empty file for its owner alone (0600) unless it exists."""
    # From the first moment, not by chmod afterwards: in between anybody could open it.
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))


def write_atomic(path: Path, chunks: Iterable[Buffer], *, temporary: Path | None = None) -> None:
    """Write a file for its owner alone such that others see the old one or the whole new one.

    Parameters
    ----------
    path : Path
        The file; replaced if it exists.
    chunks : iterable of bytes-like
        Its content.
    temporary : Path or None
        Where it is written first, in the same folder; None: a name with this process's id.

    Raises
    ------
    OSError
        If it cannot be written; the old file is then still there, and nothing else is left behind.
    """
    temporary = temporary or path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with _open_private(temporary) as file:
            for chunk in chunks:
                file.write(chunk)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make renames and removals in a folder last through a power failure, where the system can."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _open_private(path: Path) -> BinaryIO:
    # Without O_NOFOLLOW a link planted in a shared folder would send voiceprints elsewhere.
    flags = os.O_CREAT | os.O_TRUNC | os.O_WRONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
    return os.fdopen(os.open(path, flags, 0o600), "wb")
