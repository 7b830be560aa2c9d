"""Embeddings on disk, so that a second evaluation takes seconds."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from voiceprint.files.user_folders import named_folder, user_folder

_SCHEMA = """
CREATE TABLE IF NOT EXISTS embeddings (
    key TEXT PRIMARY KEY,       -- hash of the audio file, and what was done to it
    seconds REAL NOT NULL,      -- of speech
    embedding BLOB NOT NULL     -- (dim,) float32, little-endian
) WITHOUT ROWID
"""
_SNR_SCHEMA = """
CREATE TABLE IF NOT EXISTS snr (
    key TEXT PRIMARY KEY,       -- as in embeddings
    snr_db REAL NOT NULL
) WITHOUT ROWID
"""
_KEYS_A_QUERY = 500


def default_cache_path() -> Path:
    """Return ``VOICEPRINT_CACHE`` where it is set, else the user's cache folder (NoHomeError)."""
    variable = "VOICEPRINT_CACHE"
    return named_folder(variable) or user_folder("cache", variable=variable)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CachedEmbedding:
    """An embedding (dim,) float32 of unit length, the seconds of speech it is made of, and the clip's SNR."""

    embedding: NDArray[np.float32]
    seconds: float
    snr_db: float | None = None


class EmbeddingCache:
    """Embeddings by one model, in one SQLite file named after the model's id; a context manager.

    The embeddings are of people's voices: the file is its owner's alone, and may be deleted at any time.

    A cache saves time and decides nothing, so it never ends the work. Where the file cannot be opened, read
    or written, or is no such cache, nothing is found and nothing is cached from then on: see `trouble`.

    Parameters
    ----------
    folder : path
        Where the file lies; made where missing.
    model_id : str
        The model's id: another encoder never sees these embeddings.

    Attributes
    ----------
    trouble : str
        Why nothing is cached; empty while the cache works.
    """

    def __init__(self, folder: str | os.PathLike[str], *, model_id: str, dim: int) -> None:
        self._dim = dim
        self._path = Path(folder) / f"embeddings-{model_id[:16]}.sqlite"
        self.trouble = ""
        self._database: sqlite3.Connection | None = None
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            os.close(os.open(self._path, os.O_CREAT | os.O_RDWR, 0o600))
            self._database = sqlite3.connect(self._path, timeout=60.0)
        except (OSError, sqlite3.Error) as error:
            self._give_up(f"cannot be opened: {_reason(error)}")
            return
        try:
            self._database.execute("PRAGMA journal_mode = WAL")
            self._database.execute(_SCHEMA)
            self._database.execute(_SNR_SCHEMA)
        except sqlite3.DatabaseError as error:
            self._give_up(f"cannot be used as an embedding cache ({error}); delete it")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        if self._database is not None:
            self._database.close()
            self._database = None

    def get(self, keys: Sequence[str]) -> dict[str, CachedEmbedding]:
        """Look embeddings up.

        Parameters
        ----------
        keys : sequence of str
            Any number.
        """
        found: dict[str, CachedEmbedding] = {}
        for start in range(0, len(keys), _KEYS_A_QUERY):
            part = keys[start : start + _KEYS_A_QUERY]
            query = (
                "SELECT key, seconds, embedding, snr_db FROM embeddings LEFT JOIN snr USING (key) "
                f"WHERE key IN ({','.join('?' * len(part))})"
            )
            for key, seconds, blob, snr_db in self._run(query, part):
                embedding = np.frombuffer(blob, dtype="<f4").astype(np.float32)
                if embedding.shape == (self._dim,):
                    found[key] = CachedEmbedding(embedding=embedding, seconds=seconds, snr_db=snr_db)
        return found

    def put(self, embeddings: Mapping[str, CachedEmbedding]) -> None:
        """Keep embeddings, all or none; one that is there already is replaced."""
        if self._database is None:
            return
        rows = [(key, e.seconds, e.embedding.astype("<f4").tobytes()) for key, e in embeddings.items()]
        noise = [(key, e.snr_db) for key, e in embeddings.items() if e.snr_db is not None]
        try:
            with self._database:
                self._database.executemany("INSERT OR REPLACE INTO embeddings VALUES (?, ?, ?)", rows)
                self._database.executemany("INSERT OR REPLACE INTO snr VALUES (?, ?)", noise)
        except sqlite3.Error as error:
            self._give_up(f"cannot be written: {error}")

    def _run(self, query: str, values: Sequence[str]) -> list[tuple[str, float, bytes, float | None]]:
        if self._database is None:
            return []
        try:
            return self._database.execute(query, values).fetchall()
        except sqlite3.Error as error:
            self._give_up(f"cannot be read ({error}); delete it")
            return []

    def _give_up(self, why: str) -> None:
        self.trouble = f"{self._path}: {why}"
        with suppress(sqlite3.Error):
            self.close()


def _reason(error: OSError | sqlite3.Error) -> str:
    return str((isinstance(error, OSError) and error.strerror) or error)
