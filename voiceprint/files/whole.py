"""Files that are never seen half-written: the old content or all of the new one, whatever happens."""

from __future__ import annotations

import errno
import os
import re
import secrets
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, BinaryIO

if sys.platform != "win32":
    import fcntl

__all__ = ["claim_file", "is_still_at", "sync_folder", "whole_file", "write_files", "write_whole"]


@contextmanager
def whole_file(path: Path, *, mode: int = 0o666, temporary: Path | None = None) -> Iterator[BinaryIO]:
    """Open a file for writing that takes its place in one step, when the block ends without an error.

    A process that is killed meanwhile leaves the old file, and beside it what it had written, under the
    temporary name. The next one that writes the same file removes that.

    Parameters
    ----------
    path : Path
        The file; replaced if it exists. Of a link the link is replaced, not the file that it leads to.
    mode : int
        Its permissions, before the umask; from the first moment on.
    temporary : Path or None
        Where it is written first, in the same folder, by one process at a time: what a killed one left there
        is removed. None: a hidden name that nobody else has.

    Raises
    ------
    OSError
        If it cannot be written, or something other than a file is there; what was there is then untouched,
        and nothing else is left behind.
    """
    if path.exists() and not path.is_file():
        # Where the user may do that, a file would take the place of /dev/null or of a pipe.
        raise OSError(errno.EEXIST, "no ordinary file is there; name another", str(path))
    if temporary is None:
        _remove_left_behind(path)
        temporary, descriptor = _create_hidden(path, mode)
    else:
        temporary.unlink(missing_ok=True)
        descriptor = _create(temporary, mode, instead_of=path)
        claim_file(descriptor)
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def claim_file(file: IO[bytes] | int) -> bool:
    """Say that a file is being written, for as long as its process lives; False if another says so.

    Who has just made the file looks with `is_still_at` whether it is there yet: another process may have
    taken it for one that a killed process left, claimed and removed it.

    On Windows nothing is claimed, and the answer is False.
    """
    if sys.platform == "win32":
        return False  # nothing is removed there
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def is_still_at(path: Path, file: IO[bytes] | int) -> bool:
    """Return whether an open file has its name yet, and no other file has."""
    descriptor = file if isinstance(file, int) else file.fileno()
    with suppress(FileNotFoundError):
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    return False


def _remove_left_behind(path: Path) -> None:
    """Remove what processes that were killed had written for this file; nobody claims it any more."""
    hidden = re.compile(re.escape(f".{path.name}.") + "[0-9a-f]{8}")
    with suppress(OSError):
        for left in [entry for entry in path.parent.iterdir() if hidden.fullmatch(entry.name)]:
            with suppress(OSError), left.open("rb") as file:
                if claim_file(file):
                    left.unlink()


def _create_hidden(path: Path, mode: int, *, tries: int = 3) -> tuple[Path, int]:
    """Make a file beside another under a name that nobody else has, and claim it."""
    hidden = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = _create(hidden, mode, instead_of=path)
    if sys.platform == "win32" or (claim_file(descriptor) and is_still_at(hidden, descriptor)) or tries == 1:
        return hidden, descriptor
    # Another process took it for one that was left behind. On a file system without claims nobody does so.
    os.close(descriptor)
    hidden.unlink(missing_ok=True)
    return _create_hidden(path, mode, tries=tries - 1)


def _create(temporary: Path, mode: int, *, instead_of: Path) -> int:
    # O_EXCL: voiceprints go through no link and into nobody else's file that was planted in a shared folder.
    flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | getattr(os, "O_BINARY", 0)
    try:
        return os.open(temporary, flags, mode)
    except OSError as error:  # of the file that was asked for, which the user knows
        raise OSError(error.errno, error.strerror, str(instead_of)) from error


def write_whole(path: Path, content: str | bytes) -> None:
    """Write a file in one step, text in UTF-8; OSError as of `whole_file`, or where that cannot be.

    Examples
    --------
    >>> from pathlib import Path
    >>> write_whole(Path("notes.txt"), "ada")
    >>> Path("notes.txt").read_text()
    'ada'
    """
    with whole_file(path) as file:
        file.write(_encoded(content, path) if isinstance(content, str) else content)


def write_files(folder: Path, contents: Mapping[str, bytes]) -> None:
    """Write files into a folder, each in one step; it is made where missing. OSError as of `whole_file`.

    Examples
    --------
    >>> from pathlib import Path
    >>> write_files(Path("notes"), {"ada.txt": b"ada"})
    >>> Path("notes/ada.txt").read_bytes()
    b'ada'
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        write_whole(folder / name, content)


def _encoded(text: str, path: Path) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError as error:  # Python reads file names of other encodings as lone surrogates
        line = text[text.rfind("\n", 0, error.start) + 1 :].partition("\n")[0]
        message = f"{line!r} holds a file name that is not UTF-8; rename that file"
        raise OSError(errno.EILSEQ, message, str(path)) from error


def sync_folder(folder: Path) -> None:
    """Make renames and removals in a folder last through a power failure, where the system can."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in {errno.EINVAL, errno.ENOTSUP}:  # some network file systems have no such thing
            raise
    finally:
        os.close(descriptor)
