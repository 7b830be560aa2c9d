"""A private folder for files that are on their way: gone when the work ends, or when the next one begins."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from voiceprint.files.whole import claim_file

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
    folder = Path(tempfile.mkdtemp(dir=parent, prefix=prefix))
    try:
        with (folder / _CLAIM).open("wb") as claim:
            claim_file(claim)
            claim.write(b"in use")  # a folder without it may be one that is just being made
            claim.flush()
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def sweep_workspaces(parent: Path, *, prefix: str) -> None:
    """Remove the workspaces that processes left behind when they were killed."""
    with suppress(OSError):
        for folder in [entry for entry in parent.iterdir() if entry.name.startswith(prefix)]:
            with suppress(OSError), (folder / _CLAIM).open("rb") as claim:
                if claim.read(1) and claim_file(claim):
                    shutil.rmtree(folder)
