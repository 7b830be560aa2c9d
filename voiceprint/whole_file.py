"""Files that are never seen half-written: the old content or all of the new one, whatever happens."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

__all__ = ["sync_folder", "whole_file", "write_whole"]


@contextmanager
def whole_file(path: Path, *, mode: int = 0o666, temporary: Path | None = None) -> Iterator[BinaryIO]:
    """Open a file for writing that takes its place in one step, when the block ends without an error.

    Parameters
    ----------
    path : Path
        The file; replaced if it exists.
    mode : int
        Its permissions, before the umask; from the first moment on.
    temporary : Path or None
        Where it is written first, in the same folder; None: a hidden name with this process's id.

    Raises
    ------
    OSError
        If it cannot be written; the old file is then still there, and nothing else is left behind.
    """
    temporary = temporary or path.with_name(f".{path.name}.{os.getpid()}")
    try:
        # Without O_NOFOLLOW a link planted in a shared folder would send voiceprints elsewhere.
        flags = os.O_CREAT | os.O_TRUNC | os.O_WRONLY
        flags |= getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
        with os.fdopen(os.open(temporary, flags, mode), "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def write_whole(path: Path, content: str | bytes) -> None:
    """Write a file in one step, text in UTF-8; raises OSError as `whole_file` does."""
    with whole_file(path) as file:
        file.write(content.encode() if isinstance(content, str) else content)


def sync_folder(folder: Path) -> None:
    """Make renames and removals in a folder last through a power failure, where the system can."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
