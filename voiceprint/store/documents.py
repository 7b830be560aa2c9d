"""Texts that are kept beside the voiceprints, such as how a store's thresholds were tuned."""

from __future__ import annotations

import os
import time
from pathlib import Path

from voiceprint.files.text import read_text
from voiceprint.store.address import StoreAddress, is_url, postgres
from voiceprint.store.files import write_private

__all__ = ["document_stamp", "read_document", "write_document"]


def read_document(store: StoreAddress, name: str) -> str | None:
    """Return a text kept beside the voiceprints; None if there is none of that name.

    Raises
    ------
    OSError, UnicodeDecodeError
        If the file in a folder cannot be read.
    StoreError
        If the database cannot be reached.
    """
    if is_url(store):
        text: str | None = postgres("documents", store).read_document(os.fspath(store), name)
        return text
    try:
        return read_text(Path(store) / name)
    except FileNotFoundError:
        return None


def document_stamp(store: StoreAddress, name: str) -> tuple[int, ...]:
    """Return what changes when a text does, so that whoever read it knows when to read it again.

    A folder tells by its file. A database is not asked, for that takes as long as reading: its stamp changes
    every second.
    """
    if is_url(store):
        return (int(time.monotonic()),)
    try:
        status = (Path(store) / name).stat()
    except OSError:
        return ()
    return (status.st_dev, status.st_ino, status.st_mtime_ns, status.st_size)


def write_document(store: StoreAddress, name: str, text: str | None) -> None:
    """Keep a text beside the voiceprints, for the owner's eyes; None removes it.

    Raises
    ------
    OSError
        If the file in a folder cannot be written.
    StoreError
        If the database cannot be reached or written.
    """
    if is_url(store):
        postgres("documents", store).write_document(os.fspath(store), name, text)
    elif text is None:
        (Path(store) / name).unlink(missing_ok=True)
    else:
        write_private(Path(store) / name, text.encode())
