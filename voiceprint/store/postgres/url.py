"""The URL of a database: read as libpq reads it, and shown without its password."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from psycopg import Error
from psycopg.conninfo import conninfo_to_dict

from voiceprint.errors import StoreError

_DEFAULTS: dict[str, int | str] = {
    # A server that vanished is noticed in seconds, not in the hours that TCP allows.
    "connect_timeout": 5,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 15_000,
    "application_name": "voiceprint",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseUrl:
    """A database and how to reach it.

    Parameters
    ----------
    shown : str
        The URL for people: user, host, port and database.
    parameters : dict
        What libpq connects with; the password may be among them, so it is in no ``repr``.
    """

    shown: str
    parameters: dict[str, int | str] = field(repr=False)


def read_url(url: str) -> DatabaseUrl:
    """Read the URL of a database.

    Parameters
    ----------
    url : str
        ``postgresql://user@host:port/database?sslmode=verify-full`` and whatever else libpq understands.

    Raises
    ------
    StoreError
        If it cannot be read; the message does not repeat it, for there may be a password in it.
    """
    try:
        given = {key: value for key, value in conninfo_to_dict(url).items() if value is not None}
    except Error:
        given = {"port": "unreadable"}
    host, port, database = (str(given.get(key, "")) for key in ("host", "port", "dbname"))
    # A password with an unescaped @, / or ? moves into what should be the host, the port or the database.
    if "@" in host + database or not re.fullmatch(r"[0-9,]*", port):
        raise StoreError(
            "the store's URL cannot be read; write it as postgresql://user@host:port/database, with @, /, ? "
            "and % in a password as %40, %2F, %3F and %25, or the password in PGPASSWORD or ~/.pgpass",
            path="postgresql://",
        ) from None
    return DatabaseUrl(
        shown=_shown(str(given.get("user", "")), host, port, database), parameters=_DEFAULTS | given
    )


def _shown(user: str, host: str, port: str, database: str) -> str:
    socket = host.startswith("/")
    authority = (f"{user}@" if user else "") + ("" if socket else host) + (f":{port}" if port else "")
    return f"postgresql://{authority}/{database}" + (f"?host={host}" if socket else "")
