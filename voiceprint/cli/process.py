"""How the process of a command begins and ends: its standard streams, Ctrl-C, a reader that leaves.

Exit code 1 is a verdict of no. Nothing that befalls the process may end in it, or in a traceback.
"""

from __future__ import annotations

import errno
import os
import signal
import sys
from collections.abc import Callable
from types import FrameType

__all__ = ["BROKEN_PIPE", "ERROR", "INTERRUPTED", "PARTLY", "run_process"]

ERROR = 2
"""An error, or no verdict; nothing was done, or nothing was answered."""

PARTLY = 3
"""Of many inputs, each with an answer of its own, some have none: they are named on standard error."""

INTERRUPTED = 130
"""After Ctrl-C: 128 and the number of SIGINT, as shells count."""

BROKEN_PIPE = 141
"""Whoever read the output has left, as ``head`` does: 128 and the number of SIGPIPE."""


def run_process(work: Callable[[], object]) -> None:
    """Do the work of a command and exit.

    Parameters
    ----------
    work : callable
        The command line. It may raise SystemExit; an error that it raises is a mistake of ours, and shown.
    """
    _open_missing_streams()
    interrupt = _Interrupt()
    try:
        work()
        code: str | int | None = 0
    except SystemExit as end:
        code = end.code
    except OSError as error:  # of the streams, for of all else the command line has told there
        code = _code_of(error)
    except BaseException:
        if not interrupt.came:  # else it is what became of KeyboardInterrupt on its way, as in an import
            raise
        code = INTERRUPTED
    if interrupt.came and code != 0:
        code = INTERRUPTED
    sys.exit(_flushed() or code)


class _Interrupt:
    """Raises KeyboardInterrupt on Ctrl-C, as Python does, and remembers it."""

    def __init__(self) -> None:
        self.came = False
        # Whoever started the process may have said that Ctrl-C is not for it, as nohup and shells do.
        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            signal.signal(signal.SIGINT, self._come)

    def _come(self, number: int, frame: FrameType | None) -> None:
        self.came = True
        raise KeyboardInterrupt


def _open_missing_streams() -> None:
    """Put the null device where a standard stream is closed.

    The next file to be opened, such as a database, would otherwise be the standard output.
    """
    for descriptor, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest free number, which is this one
            setattr(sys, name, os.fdopen(descriptor, mode, encoding="utf-8"))


def _flushed() -> int:
    """Write out what is left; return an exit code where that cannot be, and 0 where it can."""
    code = 0
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError as error:
            # Python would try again when it exits, and complain.
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
            code = _code_of(error)
    return code


def _code_of(error: OSError) -> int:
    return BROKEN_PIPE if error.errno == errno.EPIPE else ERROR
