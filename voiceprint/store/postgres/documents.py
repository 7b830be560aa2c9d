"""The texts beside the voiceprints of a database, which all its servers share."""

from __future__ import annotations

from contextlib import closing

from voiceprint.store.postgres.database import PostgresDatabase

__all__ = ["read_document", "write_document"]


def read_document(url: str, name: str) -> str | None:
    """Return a text; None if there is none of that name."""
    with closing(PostgresDatabase(url, read_only=True)) as database, database.reading() as connection:
        row = connection.execute("SELECT content FROM documents WHERE name = %s", (name,)).fetchone()
        return None if row is None else str(row["content"])


def write_document(url: str, name: str, text: str | None) -> None:
    """Keep a text; None removes it."""
    with closing(PostgresDatabase(url, read_only=False)) as database, database.writing() as connection:
        connection.execute("DELETE FROM documents WHERE name = %s", (name,))
        if text is not None:
            connection.execute("INSERT INTO documents VALUES (%s, %s)", (name, text))
