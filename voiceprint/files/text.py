"""Text files that users hand in: lists, tables, configurations, exports, as their editors wrote them."""

from __future__ import annotations

import codecs
import io
from pathlib import Path
from typing import IO, TextIO

__all__ = ["decode_text", "open_text", "read_text"]

# UTF-32 first: its little-endian mark begins as that of UTF-16 does.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def read_text(path: Path, *, errors: str = "strict") -> str:
    r"""Read a text file: UTF-8, with or without a byte order mark, or UTF-16 or UTF-32 with one.

    Windows PowerShell writes UTF-16 with a mark, and many editors UTF-8 with one.

    Parameters
    ----------
    errors : str
        What becomes of bytes that are no text, as for `open`.

    Returns
    -------
    str
        Without the mark, every line ending in ``\n``.

    Raises
    ------
    OSError
        If it cannot be read.
    UnicodeDecodeError
        If it is no text; a `ValueError`.
    """
    return decode_text(path.read_bytes(), errors=errors)


def decode_text(raw: bytes, *, errors: str = "strict") -> str:
    """Decode what a text file holds, as `read_text` does.

    Examples
    --------
    >>> decode_text("clip.wav".encode("utf-16"))
    'clip.wav'
    """
    return raw.decode(_encoding(raw), errors).replace("\r\n", "\n").replace("\r", "\n")


def open_text(file: IO[bytes]) -> TextIO:
    """Read the text of an open file piece by piece, decoded as by `read_text`; closing it closes the file.

    Raises
    ------
    OSError, UnicodeDecodeError
        Also while it is read.
    """
    buffered = io.BufferedReader(file)  # type: ignore[type-var]  # whatever has readinto
    return io.TextIOWrapper(buffered, encoding=_encoding(buffered.peek(4)))


def _encoding(head: bytes) -> str:
    return next((name for mark, name in _MARKS if head.startswith(mark)), "utf-8")
