"""The checksum of what is stored: damage to it shows, whatever it says after that."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

__all__ = ["checksum"]


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
