"""One connection to PostgreSQL: transactions, errors in words, and coming back after it was lost."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psycopg
from pgvector.psycopg import register_vector
from psycopg import errors
from psycopg.pq import TransactionStatus
from psycopg.rows import dict_row

from voiceprint.errors import StoreDamagedError, StoreError, StoreMissingError, StoreReadOnlyError
from voiceprint.store.postgres.schema import SCHEMA_VERSION, Rows, find_version, migrate, use_schema
from voiceprint.store.postgres.url import read_url
from voiceprint.store.process import OpeningProcess

__all__ = ["PostgresDatabase", "Rows"]

BUSY_SECONDS = 30.0
"""How long a change waits for the changes of other processes before it gives up."""

_SETTINGS = {
    "TimeZone": "UTC",
    "client_encoding": "UTF8",
    "lock_timeout": f"{int(BUSY_SECONDS * 1000)}",
    # A client that died in a transaction holds up all changes; without a limit, until TCP notices.
    "idle_in_transaction_session_timeout": "60000",
    # Compiling a statement takes longer than any of ours runs.
    "jit": "off",
}

_GONE = (psycopg.OperationalError, psycopg.InterfaceError)
_DAMAGE = (errors.DataCorrupted, errors.IndexCorrupted, errors.UndefinedTable, errors.UndefinedColumn)
_FORBIDDEN = (errors.InsufficientPrivilege, errors.ReadOnlySqlTransaction)


_NEXT = "SELECT 1 FROM store FOR UPDATE"


class PostgresDatabase:
    """The database of a store; the threads of a process share one connection.

    A connection that was lost is opened anew by the next transaction.

    Parameters
    ----------
    read_only : bool
        Refuse changes. A database that takes none (a replica) is opened so whether asked or not.

    Raises
    ------
    StoreError, StoreDamagedError
        If it cannot be reached, holds no store, is newer than this program, or lacks pgvector.
    """

    def __init__(self, url: str, *, read_only: bool) -> None:
        self._url = read_url(url)
        self.place = self._url.shown
        self._process = OpeningProcess(self.place)
        self._lock = threading.RLock()
        self.read_only = read_only
        self.version = SCHEMA_VERSION  # once it is open, its own
        with self._translated():
            self._connection = self._connect()

    @contextmanager
    def reading(self) -> Iterator[Rows]:
        """Hold one unchanging view of the database."""
        self._process.check()
        with self._lock, self._translated():
            self._begin("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            try:
                yield self._connection
            finally:
                self._roll_back()

    @contextmanager
    def writing(self, *, wait: float | None = None) -> Iterator[Rows]:
        """Make one change: after the block all of it lasts, or, after an error, nothing of it.

        It waits so many seconds for the changes of others, `BUSY_SECONDS` unless given, and then fails.
        """
        self.check_writable()
        with self._lock:
            with self._translated():
                self._begin("BEGIN")
                try:
                    # One change at a time, as in a file: names and generations cannot collide.
                    if wait is not None:
                        limit = f"{max(1, int(wait * 1000))}"
                        self._connection.execute("SELECT set_config('lock_timeout', %s, true)", (limit,))
                    self._connection.execute(_NEXT)
                    yield self._connection
                except BaseException:
                    self._roll_back()
                    raise
            with self._translated(lost="whether the change was made is not known: look before repeating it"):
                self._connection.execute("COMMIT")

    @contextmanager
    def alone(self) -> Iterator[Rows]:
        """Run statements that PostgreSQL refuses in a transaction."""
        self._process.check()
        with self._lock, self._translated():
            self._begin("BEGIN")
            self._roll_back()
            yield self._connection

    def check_writable(self) -> None:
        """Raise `StoreReadOnlyError` if changes are refused."""
        self._process.check()
        if self.read_only:
            raise StoreReadOnlyError(
                f"the store {self.place} is open for reading only",
                advice="name one that takes changes",
                path=self.place,
            )

    def close(self) -> None:
        """Close the connection."""
        if self._process.is_this:
            with self._lock:
                self._connection.close()

    def _begin(self, statement: str) -> None:
        """Begin a transaction, on a new connection where the old one was lost since the last one."""
        with suppress(*_GONE):
            self._connection.execute(statement)
            return
        if not self._connection.closed:
            self._connection.close()
        self._connection = self._connect()
        self._connection.execute(statement)

    def _roll_back(self) -> None:
        # What goes wrong here has gone wrong before: the connection is lost, and with it the transaction.
        with suppress(psycopg.Error):
            if self._connection.info.transaction_status != TransactionStatus.IDLE:
                self._connection.execute("ROLLBACK")

    def _connect(self) -> Rows:
        connection: Rows = psycopg.connect(**self._url.parameters, autocommit=True, row_factory=dict_row)  # type: ignore[arg-type]
        try:
            self._set_up(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _set_up(self, connection: Rows) -> None:
        for name, value in _SETTINGS.items():
            connection.execute("SELECT set_config(%s, %s, false)", (name, value))
        facts = connection.execute(
            "SELECT pg_is_in_recovery() AS replica, current_setting('server_encoding') AS encoding, "
            "current_setting('synchronous_commit') AS commit"
        ).fetchone()
        if facts is None or facts["encoding"] != "UTF8":
            raise StoreError(f"{self.place} is not encoded in UTF8; make one that is", path=self.place)
        if facts["commit"] == "off":  # a change that is reported must last
            connection.execute("SET synchronous_commit = on")
        self.read_only = self.read_only or facts["replica"]
        self._open_schema(connection)
        register_vector(connection)

    def _open_schema(self, connection: Rows) -> None:
        version = find_version(connection, place=self.place)
        if version == 0 and self.read_only:
            raise StoreMissingError(
                f"there is no store in {self.place}",
                advice="enroll somebody first, or name another store",
                path=self.place,
            )
        if version < SCHEMA_VERSION and not self.read_only:
            migrate(connection, place=self.place)
            version = SCHEMA_VERSION
        self.version = version
        use_schema(connection, place=self.place)

    @contextmanager
    def _translated(self, *, lost: str = "nothing was changed; try again when it is there") -> Iterator[None]:
        try:
            yield
        except psycopg.Error as error:
            raise self._as_store_error(error, lost) from error

    def _as_store_error(self, error: psycopg.Error, lost: str) -> StoreError:
        said = " ".join(str(error).split()) or type(error).__name__
        if isinstance(error, _FORBIDDEN):
            return StoreReadOnlyError(f"the store {self.place} cannot be written ({said})", path=self.place)
        if isinstance(error, _DAMAGE):
            return StoreDamagedError(
                f"the store's database {self.place} is damaged ({said}); restore it from a backup",
                path=self.place,
            )
        if isinstance(error, errors.LockNotAvailable):
            said, lost = f"others made it wait for {BUSY_SECONDS:g} s", "nothing was changed; try again"
        elif not isinstance(error, _GONE):
            lost = "nothing was changed"
        return StoreError(f"the store {self.place} cannot be used: {said}; {lost}", path=self.place)
