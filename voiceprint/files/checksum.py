"""Hashes: of what is stored, so that damage to it shows, and of whole files."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

__all__ = ["checksum", "sha256_of"]


def sha256_of(path: str | os.PathLike[str]) -> str:
    """Return the sha256 of a file in hexadecimal; OSError if it cannot be read."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def checksum(facts: Sequence[object], content: bytes | memoryview = b"") -> bytes:
    """Hash facts in their order, and bytes that stand beside them: BLAKE2b, 8 bytes.

    Parameters
    ----------
    facts : list or tuple
        Text, numbers, bytes or None; what is hashed is its ``repr``, so that 1, 1.0 and "1" differ, as do a
        list and a tuple of the same.

    Returns
    -------
    bytes
        It detects accidents. Whoever may write the facts may write their checksum, too.

    Examples
    --------
    >>> checksum(("ada", None)).hex()
    '2c373855408abab9'
    >>> checksum(("ada", None)) == checksum(("ada", "None"))
    False
    """
    digest = hashlib.blake2b(repr(facts).encode(), digest_size=8)
    digest.update(content)
    return digest.digest()
