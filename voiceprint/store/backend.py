"""What EnrollmentStore asks of a database, whichever it is."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from voiceprint.store.tables import Tables


class Backend(Protocol):
    """An open database of voiceprints; its threads may share it."""

    @property
    def place(self) -> Path | str:
        """Where it is, fit to be shown: a folder, or an address without its password."""

    @property
    def read_only(self) -> bool:
        """Whether changes are refused."""

    @property
    def schema_version(self) -> int:
        """Version of the tables."""

    def reading(self) -> AbstractContextManager[Tables]:
        """Hold one unchanging view of the tables."""

    def writing(self, *, wait: float | None = None) -> AbstractContextManager[Tables]:
        """Make one change: after the block all of it lasts, or, after an error, nothing of it.

        It waits so many seconds for the changes of others, 30 unless given, and then fails.
        """

    def check_writable(self) -> None:
        """Raise `StoreReadOnlyError` if changes are refused."""

    def read_document(self, name: str) -> str | None:
        """Return a text stored beside the voiceprints; None if there is none of that name.

        A folder whose file cannot be read raises OSError or UnicodeDecodeError.
        """

    def write_document(self, name: str, text: str | None) -> None:
        """Store a text beside the voiceprints, for the owner's eyes; None removes it; maybe OSError."""

    def document_stamp(self, name: str) -> tuple[int, ...]:
        """Return what changes when a text does, so that a reader knows when to read it again."""

    def after_removal(self, done: str) -> None:
        """Bring what a committed change took out off the disk, as far as each change should.

        `done` says what was done, for the error that says that erasing did not finish.
        """

    def erase(self) -> None:
        """Bring everything that was removed off the disk, whatever it takes."""

    def problems(self) -> list[str]:
        """Check the database, and what is derived from it; one line per problem."""

    def copy_to(self, folder: Path) -> None:
        """Write a copy of the database into a folder, as it is at one moment, while others change it.

        StoreError if that is not for us to do: a database server has tools of its own.
        """

    def replacing(self, folder: Path) -> AbstractContextManager[tuple[Tables, Callable[[], Tables]]]:
        """Make one change that begins with everything being replaced by what `copy_to` wrote.

        It yields the tables as they are, and what replaces them and returns those that are there then.
        """

    def bytes_on_disk(self) -> int:
        """Count what the voiceprints take."""

    def close(self) -> None:
        """Let go of the database."""
