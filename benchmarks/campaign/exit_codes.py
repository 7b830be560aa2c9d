"""The exit codes that an undisturbed command may end with, as docs/commands.md lists them."""

from __future__ import annotations

from collections.abc import Sequence

from voiceprint.cli.process import ERROR, PARTLY

__all__ = ["NO", "exit_codes"]

NO = 1
"""A verdict of no, or a check that found something."""

_WITH_VERDICTS = frozenset(
    {
        "verify",
        "identify",
        "compare",
        "classify predict",
        "corpus check",
        "trials check",
        "audit verify",
    }
)
_OF_MANY_INPUTS = frozenset({"diarize", "embed", "score", "corpus scan", "classify predict"})


def exit_codes(arguments: Sequence[str]) -> tuple[int, ...]:
    """Return the codes that a command may end with unless something ends it.

    Parameters
    ----------
    arguments : sequence of str
        Those of ``voiceprint``, the command's name first.

    Examples
    --------
    >>> exit_codes(["list"])
    (0, 2)
    >>> exit_codes(["enroll", "--from", "people"])
    (0, 2, 3)
    """
    names = {" ".join(arguments[:1]), " ".join(arguments[:2])}
    many = bool(names & _OF_MANY_INPUTS) or ("enroll" in names and "--from" in arguments)
    return (0, *([NO] if names & _WITH_VERDICTS else []), ERROR, *([PARTLY] if many else []))
