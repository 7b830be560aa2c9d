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
from voiceprint.server.state import StateFile

__all__ = ["SCOPES", "ApiKey", "KeyRing", "Scope"]

Scope = Literal["verify", "enroll", "admin", "metrics"]
"""verify: decide. enroll: see and make voiceprints. admin: remove, opt out. metrics: read /metrics.

None includes another."""

SCOPES: tuple[Scope, ...] = get_args(Scope)

_KEY = re.compile(r"vp_([0-9a-f]{12})_([\w-]{43})", re.ASCII)
_NOBODY = bytes(32)  # compared with where no such key exists, so that both cases take as long


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """What is known of a key; never the key itself.

    Attributes
    ----------
    id : str
        12 hexadecimal digits, the middle part of the key; logs name it.
    scopes : tuple of str
        What it allows.
    label : str
        Whose it is, in words.
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
    """The keys of a server.

    Parameters
    ----------
    state : StateFile
    """

    def __init__(self, state: StateFile) -> None:
        self._state = state

    def create(self, scopes: Iterable[str], *, label: str = "") -> tuple[ApiKey, str]:
        """Make a key.

        Parameters
        ----------
        scopes : iterable of {"verify", "enroll", "admin", "metrics"}
            At least one.
        label : str

        Returns
        -------
        key : ApiKey
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
                "INSERT INTO api_keys VALUES (?, ?, ?, ?, ?, NULL)",
                (key.id, _hash(secret), " ".join(chosen), label, key.created.isoformat()),
            )
        return key, f"vp_{key.id}_{secret}"

    def check(self) -> None:
        """Raise ServerError if the keys cannot be read."""
        with self._state.reading() as connection:
            connection.execute("SELECT count(*) FROM api_keys").fetchone()

    def find(self, presented: str) -> ApiKey | None:
        """Return the key that was presented, or None if there is no such key or it was revoked.

        The secret has 256 random bits, so one SHA-256 keeps it: nothing can be guessed from the hash. Hashes
        are compared in constant time.
        """
        match = _KEY.fullmatch(presented)
        key_id, secret = match.groups() if match else ("", "")
        with self._state.reading() as connection:
            row = connection.execute("SELECT * FROM api_keys WHERE id = ?", (key_id,)).fetchone()
        same = hmac.compare_digest(_hash(secret), _NOBODY if row is None else row["secret_sha256"])
        return _key(row) if same and row is not None and row["revoked"] is None else None

    def revoke(self, key_id: str) -> ApiKey:
        """Refuse a key from now on; every process does so with its next request.

        Raises
        ------
        ServerError
            If there is no such key.
        """
        with self._state.writing() as connection:
            connection.execute(
                "UPDATE api_keys SET revoked = coalesce(revoked, ?) WHERE id = ?",
                (datetime.now(UTC).isoformat(), key_id),
            )
            row = connection.execute("SELECT * FROM api_keys WHERE id = ?", (key_id,)).fetchone()
        if row is None:
            raise ServerError(f"there is no key {key_id!r}; `voiceprint keys list` shows which there are")
        return _key(row)

    def all(self) -> list[ApiKey]:
        """Return all keys, the oldest first, revoked ones too."""
        with self._state.reading() as connection:
            return [_key(row) for row in connection.execute("SELECT * FROM api_keys ORDER BY created, id")]


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()


def _key(row: sqlite3.Row) -> ApiKey:
    """Read a row; one that is not as `KeyRing.create` wrote it allows nothing, and is logged."""
    named = row["scopes"].split()
    try:
        created = datetime.fromisoformat(row["created"])
        revoked = None if row["revoked"] is None else datetime.fromisoformat(row["revoked"])
    except ValueError:
        created = None
    if created is None or not named or set(named) - set(SCOPES):
        raise ServerError(
            f"the row of key {row['id']!r} is damaged: restore the server's state from a backup"
        )
    return ApiKey(
        id=row["id"],
        scopes=tuple(scope for scope in SCOPES if scope in named),
        label=row["label"],
        created=created,
        revoked=revoked,
    )
