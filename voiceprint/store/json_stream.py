"""A JSON object that is read member by member, and a long array in it item by item."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, TextIO

_CHUNK = 1 << 20
_MOST = 1 << 26
"""Characters of a value at most: no person has so many clips, and a file that has no end is given up."""

_SPACE = re.compile(r"[ \t\n\r]*")


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is no number in JSON")


class JsonObject:
    """The one object in a text, in the order in which its members stand there.

    Parameters
    ----------
    text : TextIO
        Read in pieces; what was read is forgotten.

    Examples
    --------
    >>> import io
    >>> reader = JsonObject(io.StringIO('{"a": 1, "many": [2, 3]}'))
    >>> [list(reader.items()) if key == "many" else reader.value() for key in reader.members()]
    [1, [2, 3]]
    """

    def __init__(self, text: TextIO) -> None:
        self._text = text
        self._buffer, self._at, self._ended = "", 0, False
        self._decoder = json.JSONDecoder(parse_constant=_refuse)

    def members(self) -> Iterator[str]:
        """Yield the key of each member; `value` or `items` has to be read before the next.

        ValueError if the text is not one JSON object, or a key stands twice.
        """
        seen = set()
        self._expect("{")
        for _ in self._until("}"):
            key = self.value()
            if not isinstance(key, str) or key in seen:
                raise ValueError(f"the key {str(key)[:40]!r} stands twice or is no text")
            seen.add(key)
            self._expect(":")
            yield key
        if self._peek():
            raise ValueError("something follows the end of the object")

    def items(self) -> Iterator[Any]:
        """Yield the items of the array that stands here; ValueError if it is none, or one is too long."""
        self._expect("[")
        for _ in self._until("]"):
            yield self.value()

    def value(self) -> Any:
        """Read the value that stands here; ValueError if it is no JSON, or too long."""
        self._peek()
        while True:
            try:
                value, end = self._decoder.raw_decode(self._buffer, self._at)
            except json.JSONDecodeError:
                if self._ended:
                    raise
            else:
                # A number at the end of what was read may go on.
                if end < len(self._buffer) or self._ended:
                    self._at = end
                    return value
            self._read_more()

    def _until(self, end: str) -> Iterator[None]:
        """Step from one thing to the next between commas, until the end of them."""
        if self._peek() == end:
            self._at += 1
            return
        while True:
            yield
            if self._peek() == end:
                self._at += 1
                return
            self._expect(",")

    def _expect(self, character: str) -> None:
        actual = self._peek()
        if actual != character:
            raise ValueError(f"{character!r} is missing where {actual or 'the end'!r} stands")
        self._at += 1

    def _peek(self) -> str:
        """Return the next character that is no space, and go there; nothing at the end."""
        while True:
            space = _SPACE.match(self._buffer, self._at)
            self._at = space.end() if space else self._at
            if self._at < len(self._buffer):
                return self._buffer[self._at]
            if self._ended:
                return ""
            self._read_more()

    def _read_more(self) -> None:
        waiting = self._buffer[self._at :]
        if len(waiting) > _MOST:
            raise ValueError(f"one value is longer than {_MOST:,} characters")
        # As much again as waits: a long value is then parsed a few times, not once for each piece.
        more = self._text.read(max(_CHUNK, len(waiting)))
        self._ended = not more
        self._buffer, self._at = waiting + more, 0
