"""The number of the newest change, beside the database: so that a database which lost changes is noticed.

SQLite takes a database without its write-ahead log for a sound one that is older. This file says how new it
was.
"""

from __future__ import annotations

import os
import struct
from contextlib import suppress
from pathlib import Path

from voiceprint.store.tables import Header

STAMP_NAME = "voiceprints.generation"

_CONTENT = struct.Struct("<16sq")
"""The store's id and its generation."""


class Stamp:
    """The file of one store."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / STAMP_NAME

    def read(self) -> tuple[bytes, int] | None:
        """Return id and generation of the newest change that was noted; None if none was."""
        try:
            content = self.path.read_bytes()
        except OSError:
            return None
        return _CONTENT.unpack(content) if len(content) == _CONTENT.size else None

    def note(self, header: Header) -> None:
        """Note a change that was committed: after that, so that the file never promises what may not come.

        Where it cannot be written, a loss of this change would not be noticed: nothing to fail for.
        """
        with suppress(OSError):
            descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT, 0o600)
            try:
                os.write(descriptor, _CONTENT.pack(header.id, header.generation))
            finally:
                os.close(descriptor)

    def forget(self) -> None:
        """Note nothing, before the database is replaced by one of another history."""
        self.path.unlink(missing_ok=True)

    def is_newer(self, noted: tuple[bytes, int] | None, header: Header) -> bool:
        """Whether a database lacks changes, by what was noted before its header was read.

        In this order, because others go on changing it.
        """
        return noted is not None and (noted[0] != header.id or noted[1] > header.generation)
