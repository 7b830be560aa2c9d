"""The audit log: every decision and change, in order, chained by hashes so that a gap or a change shows.

An entry is one line of canonical JSON: sorted keys, no spaces, UTF-8. Its hash is SHA-256 of the previous
entry's hash (32 zero bytes before the first) and the line. A newest hash that is
noted elsewhere also shows if the end of the log is cut off, or all of it is written anew.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from voiceprint.errors import ServerError
from voiceprint.server.state import StateFile

_BATCH = 1000
_START = bytes(32)

Facts = Mapping[str, Any]


class _DamagedEntryError(ServerError):
    """A row of the log holds something else than an entry and its hash."""

    code = "audit_entry_damaged"

    def __init__(self, seq: int) -> None:
        super().__init__(f"entry {seq} of the audit log is damaged: restore the server's state from a backup")
        self.seq = seq


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditRecord:
    """One line of the log.

    Attributes
    ----------
    seq : int
        1, 2, 3 and so on.
    entry : str
        Canonical JSON.
    hash : str
        64 hexadecimal digits.
    """

    seq: int
    entry: str
    hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainCheck:
    """What checking the chain found.

    Attributes
    ----------
    entries : int
        Sound entries before the first fault.
    head : str
        Hash of the last of them; note it elsewhere.
    fault : str
        What is wrong and where; empty if nothing is.
    """

    entries: int
    head: str
    fault: str


class AuditLog:
    """The log of a server; processes may append at once."""

    def __init__(self, state: StateFile) -> None:
        self._state = state

    def append(self, action: str, **facts: Any) -> AuditRecord:
        """Add an entry of what JSON can hold, and the time; it is on the disk when this returns."""
        return self.append_all([{"action": action, **facts}])[0]

    def append_all(self, entries: Sequence[Facts]) -> list[AuditRecord]:
        """Add several entries in one go, which takes the disk no longer than one; each has its ``action``.

        ServerError if the last entry is damaged, so that no chain can go on from it.
        """
        time = datetime.now(UTC).isoformat(timespec="milliseconds")
        with self._state.writing() as connection:
            last = connection.execute("SELECT * FROM audit ORDER BY seq DESC LIMIT 1").fetchone()
            seq, previous = (0, _START) if last is None else (last["seq"], bytes.fromhex(_record(last).hash))
            rows = list(_chain(seq, previous, [_canonical({"time": time, **facts}) for facts in entries]))
            connection.executemany("INSERT INTO audit VALUES (?, ?, ?)", rows)
        return [AuditRecord(seq=seq, entry=entry, hash=digest.hex()) for seq, entry, digest in rows]

    def records(self, *, after: int = 0) -> Iterator[AuditRecord]:
        """Yield the entries after a number, in order, read in short steps; ServerError at a damaged one."""
        while True:
            with self._state.reading() as connection:
                rows = connection.execute(
                    "SELECT * FROM audit WHERE seq > ? ORDER BY seq LIMIT ?", (after, _BATCH)
                ).fetchall()
            if not rows:
                return
            for row in rows:
                yield _record(row)
            after = rows[-1]["seq"]

    def last(self) -> AuditRecord | None:
        """Return the newest entry; ServerError where it is damaged."""
        with self._state.reading() as connection:
            row = connection.execute("SELECT * FROM audit ORDER BY seq DESC LIMIT 1").fetchone()
        return None if row is None else _record(row)

    def verify(self, *, head: str | None = None) -> ChainCheck:
        """Check the whole chain, and that `head`, a hash that was noted earlier, is still in it."""
        return check_chain(self._until_damaged(), head=head)

    def _until_damaged(self) -> Iterator[AuditRecord]:
        """Yield the entries up to a damaged one, which stands there with a hash that fits nothing."""
        try:
            yield from self.records()
        except _DamagedEntryError as error:
            yield AuditRecord(seq=error.seq, entry="", hash="")


class AuditQueue:
    """Entries of requests that are answered at the same time, written to the disk together.

    A disk takes milliseconds to say that an entry is on it, however many there are. So what comes in while it
    is at work is written in one go after that, and nobody computes any slower for it.
    """

    def __init__(self, log: AuditLog) -> None:
        self._log = log
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="audit")
        self._waiting: list[tuple[Facts, asyncio.Future[AuditRecord]]] = []
        self._writing: asyncio.Task[None] | None = None

    async def append(self, action: str, **facts: Any) -> AuditRecord:
        """Add an entry as `AuditLog.append` does; it is written even if nobody waits for it any more."""
        written: asyncio.Future[AuditRecord] = asyncio.get_running_loop().create_future()
        self._waiting.append(({"action": action, **facts}, written))
        if self._writing is None:
            self._writing = asyncio.create_task(self._write())
        return await written

    async def _write(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting, []
            entries = [facts for facts, _ in batch]
            done = asyncio.get_running_loop().run_in_executor(self._thread, self._log.append_all, entries)
            await asyncio.wait([done])
            _settle([written for _, written in batch], done)
        self._writing = None

    def close(self) -> None:
        """Finish what was begun."""
        self._thread.shutdown(wait=True)


def _settle(waiting: Sequence[asyncio.Future[AuditRecord]], done: asyncio.Future[list[AuditRecord]]) -> None:
    """Tell those who still wait what became of their entries."""
    error = done.exception()
    for place, written in enumerate(waiting):
        if written.done():  # the caller has gone
            continue
        if error is None:
            written.set_result(done.result()[place])
        else:
            written.set_exception(error)


def check_chain(records: Iterable[AuditRecord], *, head: str | None = None) -> ChainCheck:
    """Check entries from the first one on: numbers, hashes, and that a noted hash is among them."""
    entries, previous, seen = 0, _START, head is None
    for record in records:
        expected = _chained(previous, record.entry)
        if record.seq != entries + 1:
            return _fault(entries, previous, f"entry {entries + 1} is missing: {record.seq} comes next")
        if record.hash != expected.hex():
            return _fault(entries, previous, f"entry {record.seq} was changed: its hash does not fit")
        entries, previous = record.seq, expected
        seen = seen or record.hash == head
    fault = "" if seen else f"the noted hash {head} is not in the log: its end was cut off or written anew"
    return _fault(entries, previous, fault)


def read_exported(lines: Iterable[str]) -> Iterator[AuditRecord]:
    """Read what `exported` wrote."""
    for number, line in enumerate(lines, start=1):
        try:
            fields = json.loads(line)
            yield AuditRecord(seq=fields["seq"], entry=fields["entry"], hash=fields["hash"])
        except (ValueError, KeyError, TypeError) as error:
            raise ServerError(f"line {number} is not one of an exported audit log: {error}") from error


def exported(record: AuditRecord) -> str:
    """Write an entry as a line of JSON; the entry in it stays text, for that is what was hashed."""
    return json.dumps({"seq": record.seq, "hash": record.hash, "entry": record.entry}, ensure_ascii=False)


def _record(row: sqlite3.Row) -> AuditRecord:
    """Read a row, whose columns damage may have turned into anything."""
    seq, entry, digest = row["seq"], row["entry"], row["hash"]
    if not (isinstance(entry, str) and isinstance(digest, bytes) and len(digest) == len(_START)):
        raise _DamagedEntryError(seq)
    return AuditRecord(seq=seq, entry=entry, hash=digest.hex())


def _chain(seq: int, previous: bytes, entries: Iterable[str]) -> Iterator[tuple[int, str, bytes]]:
    """Yield the rows that continue a chain: (seq, entry, hash)."""
    for number, entry in enumerate(entries, start=seq + 1):
        previous = _chained(previous, entry)
        yield number, entry, previous


def _fault(entries: int, head: bytes, fault: str) -> ChainCheck:
    return ChainCheck(entries=entries, head=head.hex(), fault=fault)


def _canonical(fields: dict[str, Any]) -> str:
    return json.dumps(fields, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)


def _chained(previous: bytes, entry: str) -> bytes:
    return hashlib.sha256(previous + entry.encode()).digest()
