"""Where a store lies, and files that only their owner can read."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from voiceprint.files.user_folders import named_folder, user_folder
from voiceprint.files.whole import sync_folder, whole_file


def default_store_path() -> Path | str:
    """Return the folder of the store that is used when none is named, or the URL of its database.

    Returns
    -------
    Path or str
        ``VOICEPRINT_STORE`` where it is set (a URL as it stands), else ``./enrollments`` where that
        folder exists, else ``enrollments`` in the user's data directory.

    Raises
    ------
    NoHomeError
        If it would lie in the home folder of a user who has none.
    """
    variable = "VOICEPRINT_STORE"
    if "://" in os.environ.get(variable, ""):
        return os.environ[variable]
    named, local = named_folder(variable), Path("enrollments")
    if named is not None:
        return named
    return local if local.is_dir() else user_folder("data", variable=variable) / "enrollments"


def make_private_folder(folder: Path) -> None:
    """Create a folder, and those above it that are missing, for its owner alone (0700).

    Those that exist keep their mode.
    """
    if not folder.parent.exists():
        make_private_folder(folder.parent)
    folder.mkdir(mode=0o700, exist_ok=True)


def create_private(path: Path) -> None:
    """Create an empty file for its owner alone (0600) unless it exists."""
    # From the first moment, not by chmod afterwards: in between anybody could open it.
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))


def write_private(path: Path, content: bytes) -> None:
    """Write or replace a file for its owner alone (0600), in one step that lasts through a power failure."""
    with whole_file(path, mode=0o600) as file:
        file.write(content)
    sync_folder(path.parent)
