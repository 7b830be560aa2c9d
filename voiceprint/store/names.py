"""The one form in which people's names are stored and looked up."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

from voiceprint.arguments import check_type
from voiceprint.errors import InvalidNameError

MAX_NAME_LENGTH = 200

_JOINERS = frozenset("\u200c\u200d") | {chr(code) for code in range(0xE0020, 0xE0080)}
"""Invisible characters that Persian and Indic names, joined emoji and regional flags are spelled with."""


def normalize_name(name: str) -> str:
    """Bring a person's name into the one form that is stored and looked up.

    Unicode NFC, without surrounding white space. Upper and lower case stay different people.

    Parameters
    ----------
    name : str
        1 to 200 printable characters after normalising; slashes, emoji and inner spaces are fine.

    Raises
    ------
    InvalidNameError
        If the name is no text, empty, too long, or holds control, invisible or unassigned characters.

    Examples
    --------
    >>> normalize_name("  Ada Lovelace ")
    'Ada Lovelace'
    """
    given: object = name
    if not isinstance(given, str):
        kind = type(given).__name__
        raise InvalidNameError(
            f"a name is text, and this is of type {kind}; names come before clips", name=""
        )
    normal = unicodedata.normalize("NFC", name).strip()
    if len(normal) > MAX_NAME_LENGTH:
        raise InvalidNameError(
            f"the name {normal[:20]!r}... has {len(normal)} characters; use at most {MAX_NAME_LENGTH}",
            name=name,
        )
    for position, character in enumerate("" if normal.isprintable() else normal, start=1):
        if not _allowed(character):
            raise InvalidNameError(
                f"the name {normal!r} holds U+{ord(character):04X} at position {position}, "
                "which cannot be printed; leave it out",
                name=name,
            )
    if not any(unicodedata.category(character)[0] in "LNPS" for character in normal):
        raise InvalidNameError("the name is empty; give 1 to 200 printable characters", name=name)
    return normal


def normalize_names(argument: str, names: Iterable[str]) -> list[str]:
    """Bring one name or several, which an argument holds, into the form of `normalize_name`.

    Examples
    --------
    >>> normalize_names("among", ["  ada ", "bert"])
    ['ada', 'bert']
    """
    check_type(argument, names, Iterable, "a name or several")
    return [normalize_name(name) for name in ([names] if isinstance(names, str) else names)]


# What identify and classify answer where they name nobody; a person of such a name would read like it.
_RESERVED = frozenset({"unknown", "not enough speech", "not_enough_speech"})


def refuse_reserved(name: str) -> None:
    """Refuse a new name that is an answer, or looks like one; InvalidNameError."""
    letters = "".join(character for character in name if character not in _JOINERS)
    if " ".join(unicodedata.normalize("NFKC", letters).casefold().split()) in _RESERVED:
        raise InvalidNameError(
            f"the name {name!r} is what is answered where nobody is named; give another", name=name
        )


def _allowed(character: str) -> bool:
    # str.isprintable() refuses every space but U+0020; Japanese names are written with U+3000.
    return character.isprintable() or character in _JOINERS or unicodedata.category(character) == "Zs"
