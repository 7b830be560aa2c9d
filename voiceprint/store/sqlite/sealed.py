"""One person's data as one piece of bytes: with a checksum, and in such a size that it can be erased.

SQLite moves rows between pages when it balances its trees, and old copies stay in the unused part of a page,
where ``secure_delete`` does not look. It never moves an overflow page, which holds the end of a long row, and
zeroes it whole when the row goes. So whatever is about a person is in a blob that is the last column of its
row and fills overflow pages exactly. Padding stands before it, so that none of it is in the row's first part.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from voiceprint.files.checksum import checksum

_HEAD = struct.Struct("<8sIII")
"""Checksum; bytes of the body, of the key and of the text."""

_POINTER = 4
"""Bytes with which each overflow page names the next one."""


class DamagedContentError(ValueError):
    """A piece of content is not as it was written."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sealed:
    """What was sealed.

    Attributes
    ----------
    key : str
        What it is looked up by, such as a person's name.
    body : memoryview
        Numbers or bytes.
    """

    key: str
    text: str
    body: memoryview


def padding(page_size: int) -> int:
    """Return how many bytes have to stand before a row's content, so that none of it is on a shared page.

    SQLite keeps at least ``(page_size - 12) * 32 / 255 - 23`` bytes of a long row on the page that it shares
    with others (https://www.sqlite.org/fileformat.html, "Cell Payload Overflow Pages").
    """
    return (page_size - 12) * 32 // 255 - 23


def seal(facts: tuple[object, ...], *, key: str, text: str, body: bytes, page_size: int) -> bytes:
    """Make content for the last column of a row, of a length that fills overflow pages.

    `facts` are the row's other columns, which the checksum covers as well.
    """
    name, words = key.encode(), text.encode()
    content = struct.pack("<III", len(body), len(name), len(words)) + body + name + words
    sealed = checksum(facts, content) + content
    return sealed + bytes(-len(sealed) % (page_size - _POINTER))


def unseal(facts: tuple[object, ...], content: object) -> Sealed:
    """Read what `seal` made; DamagedContentError if content or facts are not as they were written."""
    if not isinstance(content, bytes) or len(content) < _HEAD.size:
        raise DamagedContentError("a row's content is not what it should be")
    noted, body_size, key_size, text_size = _HEAD.unpack_from(content)
    key = _HEAD.size + body_size
    text = key + key_size
    end = text + text_size
    view = memoryview(content)
    if end > len(content) or noted != checksum(facts, view[len(noted) : end]):
        raise DamagedContentError("a row's checksum is wrong")
    return Sealed(
        key=str(view[key:text], "utf-8"), text=str(view[text:end], "utf-8"), body=view[_HEAD.size : key]
    )
