"""API keys: made once, shown once, stored as a hash, bound to scopes, revocable."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, get_args

from voiceprint.errors import ServerError
from voiceprint.server.state import CHECKSUMS, StateFile, seal_row

Scope = Literal["verify", "enroll", "admin", "metrics"]
"""verify: decide. enroll: see and make voiceprints. admin: remove, opt out. metrics: read /metrics.

None includes another."""

SCOPES: tuple[Scope, ...] = get_args(Scope)

_KEY = re.compile(r"vp_([0-9a-f]{12})_([\w-]{43})", re.ASCII)
_KEYS = f"SELECT *, checksum = {CHECKSUMS['api_keys']} AS sound FROM api_keys"
_NOBODY = bytes(32)  # compared with where no such key exists, so that both cases take as long


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """What is known of a key; never the key itself.

    Attributes
    ----------
    id : str
        12 hexadecimal digits, the middle part of the key; logs name it.
    created : datetime
        UTC.
    revoked : datetime or None
        Since when it is refused.
    """

    id: str
    scopes: tuple[Scope, ...]
    label: str
    created: datetime
    revoked: datetime | None


class KeyRing:
    """The keys of a server."""

    def __init__(self, state: StateFile) -> None:
        self._state = state

    def create(self, scopes: Iterable[str], *, label: str = "") -> tuple[ApiKey, str]:
        """Make a key for at least one scope.

        Returns
        -------
        secret : str
            The key itself, ``vp_<id>_<256 random bits>``. It is not stored: this is the only time it is seen.

        Raises
        ------
        ServerError
            If no scope is given, or one is unknown.
        """
        chosen = tuple(scope for scope in SCOPES if scope in set(scopes))
        unknown = sorted(set(scopes) - set(SCOPES))
        if unknown or not chosen:
            raise ServerError(
                f"scopes are {', '.join(unknown) or 'missing'}; give one or more of {', '.join(SCOPES)}"
            )
        key = ApiKey(
            id=secrets.token_hex(6), scopes=chosen, label=label, created=datetime.now(UTC), revoked=None
        )
        secret = secrets.token_urlsafe(32)
        with self._state.writing() as connection:
            connection.execute(
                "INSERT INTO api_keys (id, secret_sha256, scopes, label, created) VALUES (?, ?, ?, ?, ?)",
                (key.id, _hash(secret), " ".join(chosen), label, key.created.isoformat()),
            )
            seal_row(connection, "api_keys", id=key.id)
        return key, f"vp_{key.id}_{secret}"

    def check(self) -> None:
        """Raise ServerError if the keys cannot be read."""
        with self._state.reading() as connection:
            connection.execute("SELECT count(*) FROM api_keys").fetchone()

    def find(self, presented: str) -> ApiKey | None:
        """Return the key that was presented, or None if there is no such key or it was revoked.

        ServerError if the key's row is damaged. The secret has 256 random bits, so one SHA-256 keeps it:
        nothing can be guessed from the hash. Hashes are compared in constant time.
        """
        match = _KEY.fullmatch(presented)
        key_id, secret = match.groups() if match else ("", "")
        with self._state.reading() as connection:
            row = connection.execute(f"{_KEYS} WHERE id = ?", (key_id,)).fetchone()
        stored = None if row is None else row["secret_sha256"]
        same = hmac.compare_digest(_hash(secret), stored if isinstance(stored, bytes) else _NOBODY)
        if row is None or not same:
            return None
        key = _read(row)
        if key is None:
            raise _damaged([key_id])
        return key if key.revoked is None else None

    def revoke(self, key_id: str) -> None:
        """Refuse a key, in every process from its next request on; ServerError if there is no such key.

        A key whose row is damaged is refused already; its row is deleted.
        """
        with self._state.writing() as connection:
            row = connection.execute(f"{_KEYS} WHERE id = ?", (key_id,)).fetchone()
            if row is None:
                raise ServerError(f"there is no key {key_id!r}; `voiceprint keys list` shows which there are")
            if _read(row) is None:
                connection.execute("DELETE FROM api_keys WHERE id = ?", (key_id,))
            elif row["revoked"] is None:
                now = datetime.now(UTC).isoformat()
                connection.execute("UPDATE api_keys SET revoked = ? WHERE id = ?", (now, key_id))
                seal_row(connection, "api_keys", id=key_id)

    def all(self) -> list[ApiKey]:
        """Return all keys, the oldest first, revoked ones too; ServerError names those that are damaged."""
        found = [(str(row["id"]), _read(row)) for row in self._rows()]
        damaged = [key_id for key_id, key in found if key is None]
        if damaged:
            raise _damaged(damaged)
        return [key for _, key in found if key is not None]

    def damaged(self) -> list[str]:
        """Return the ids of keys whose rows are not as they were written: they are refused."""
        return [str(row["id"]) for row in self._rows() if _read(row) is None]

    def _rows(self) -> list[sqlite3.Row]:
        with self._state.reading() as connection:
            return connection.execute(f"{_KEYS} ORDER BY created, id").fetchall()


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()


def _read(row: sqlite3.Row) -> ApiKey | None:
    """Read a row; None if it is not as `KeyRing` wrote it, for which its columns are looked at, too.

    They may have been damaged before rows had checksums.
    """
    if not row["sound"]:
        return None
    named = row["scopes"].split()
    if not named or set(named) - set(SCOPES):
        return None
    try:
        created = datetime.fromisoformat(row["created"])
        revoked = None if row["revoked"] is None else datetime.fromisoformat(row["revoked"])
    except ValueError:
        return None
    scopes = tuple(scope for scope in SCOPES if scope in named)
    return ApiKey(id=row["id"], scopes=scopes, label=row["label"], created=created, revoked=revoked)


def _damaged(ids: Iterable[str]) -> ServerError:
    return ServerError(
        f"the row of key {', '.join(map(repr, ids))} is damaged, and the key refused: restore the server's "
        "state from a backup, or delete the row with `voiceprint keys revoke`"
    )
