"""What names a store: a folder, or the URL of a PostgreSQL database, which may hold a password."""

from __future__ import annotations

import os
from importlib import import_module
from pathlib import Path
from types import ModuleType

from voiceprint.arguments import check_type
from voiceprint.errors import StoreError
from voiceprint.store.backend import Backend

StoreAddress = str | os.PathLike[str]
"""A folder, or ``postgresql://user@host/database``."""

_SCHEMES = ("postgresql", "postgres")


def is_url(address: StoreAddress) -> bool:
    """Whether a store is named by a URL; ArgumentError if it is no address at all.

    Examples
    --------
    >>> is_url("enrollments"), is_url("postgresql://ada@host/voices")
    (False, True)
    """
    check_type("store", address, (str, os.PathLike), "a path or a URL")
    return "://" in os.fspath(address)


def shown(address: StoreAddress) -> str:
    """Name a store in messages and logs: a URL stands there without its password.

    Raises
    ------
    StoreError
        If the URL cannot be read, or the extra ``postgres`` is not installed.

    Examples
    --------
    >>> shown("postgresql://ada:secret@host/voices")
    'postgresql://ada@host/voices'
    """
    if not is_url(address):
        return os.fspath(address)
    named: str = postgres("url", address).read_url(os.fspath(address)).shown
    return named


def open_backend(address: StoreAddress, *, read_only: bool) -> Backend:
    """Open the database that an address names; StoreError if it cannot be used, or the extra is missing."""
    if is_url(address):
        backend: Backend = postgres("backend", address).PostgresBackend(
            os.fspath(address), read_only=read_only
        )
        return backend
    from voiceprint.store.sqlite.backend import SqliteBackend  # noqa: PLC0415  a server may need the other alone

    return SqliteBackend(Path(address), read_only=read_only)


def postgres(module: str, address: StoreAddress) -> ModuleType:
    """Import a module of ``voiceprint.store.postgres``, which needs the extra, for a URL of a known kind."""
    scheme = os.fspath(address).split("://")[0]
    if scheme not in _SCHEMES:
        raise StoreError(
            f"a store cannot be opened by {scheme}://; name a folder or postgresql://user@host/database",
            path=f"{scheme}://",
        )
    try:
        return import_module(f"voiceprint.store.postgres.{module}")
    except ImportError as error:
        raise StoreError(
            "a store in PostgreSQL needs psycopg and pgvector; install them with: "
            "pip install 'voiceprint-engine[postgres]'",
            path=f"{scheme}://",
        ) from error
