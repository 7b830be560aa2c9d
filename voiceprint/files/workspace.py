"""A private folder for files that are on their way: gone when the work ends, or when the next one begins."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from voiceprint.files.whole import claim_file, is_still_at

__all__ = ["private_workspace", "sweep_workspaces"]

_CLAIM = "claim"


@contextmanager
def private_workspace(parent: Path, *, prefix: str) -> Iterator[Path]:
    """Make a folder for its owner alone (0700) that is removed when the block ends.

    A process that is killed leaves it behind. The next one with the same parent and prefix removes that.

    Parameters
    ----------
    parent : Path
        A folder that exists.
    prefix : str
        What the names of such folders begin with; a dot hides them.

    Raises
    ------
    OSError
        If the folder cannot be made.
    """
    sweep_workspaces(parent, prefix=prefix)
    folder, claim = _claimed_folder(parent, prefix)
    try:
        with claim:
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _claimed_folder(parent: Path, prefix: str, *, tries: int = 3) -> tuple[Path, IO[bytes]]:
    folder = Path(tempfile.mkdtemp(dir=parent, prefix=prefix))
    with suppress(FileNotFoundError):  # another process took the empty folder for one that was left behind
        claim = (folder / _CLAIM).open("wb")
        if (
            sys.platform == "win32"
            or (claim_file(claim) and is_still_at(folder / _CLAIM, claim))
            or tries <= 1
        ):
            return folder, claim
        claim.close()
    shutil.rmtree(folder, ignore_errors=True)
    return _claimed_folder(parent, prefix, tries=tries - 1)


def sweep_workspaces(parent: Path, *, prefix: str) -> None:
    """Remove the workspaces that processes left behind when they were killed."""
    with suppress(OSError):
        for folder in [entry for entry in parent.iterdir() if entry.name.startswith(prefix)]:
            with suppress(OSError):
                folder.rmdir()  # one that was killed before it could claim it
            with suppress(OSError), (folder / _CLAIM).open("rb") as claim:
                if claim_file(claim):
                    shutil.rmtree(folder)
