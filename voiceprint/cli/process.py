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

ERROR = 2
"""An error, or no verdict; nothing was done, or nothing was answered."""

PARTLY = 3
"""Of many inputs, each with an answer of its own, some have none: they are named on standard error."""

INTERRUPTED = 130
"""After Ctrl-C: 128 and the number of SIGINT, as shells count."""

TERMINATED = 143
"""After SIGTERM, as of ``timeout`` or a container that is stopped: 128 and its number."""

BROKEN_PIPE = 141
"""The reader of the output has left, as ``head`` does: 128 and the number of SIGPIPE."""


_AGAIN = 0.01  # seconds until an interrupt that a finalizer swallowed is raised once more


def run_process(work: Callable[[], object]) -> None:
    """Do the work of a command and exit.

    Parameters
    ----------
    work : callable
        The command line. It may raise SystemExit; an error that it raises is a mistake of ours, and shown.
    """
    _open_missing_streams()
    ending = _Ending()
    try:
        work()
        code: str | int | None = 0
    except SystemExit as end:
        code = end.code
    except OSError as error:  # of the streams; the command line said the others itself
        code = _code_of(error)
    except BaseException:
        if ending.code is None:  # else it is what became of KeyboardInterrupt on its way, as in an import
            raise
        code = ending.code
    if ending.code is not None and code != 0:
        code = ending.code
    sys.exit(_flushed() or code)


class _Ending:
    """Raises KeyboardInterrupt on Ctrl-C and SIGTERM, so that half-written files go; keeps the exit code."""

    def __init__(self) -> None:
        self.code: int | None = None
        # Whoever started the process may have said that a signal is not for it, as nohup and shells do.
        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            signal.signal(signal.SIGINT, self._come)
        if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
            signal.signal(signal.SIGTERM, self._come)
        if hasattr(signal, "setitimer"):  # not on Windows
            sys.unraisablehook = self._come_again

    def _come(self, number: int, frame: FrameType | None) -> None:
        self.code = INTERRUPTED if number == signal.SIGINT else TERMINATED
        raise KeyboardInterrupt

    def _come_again(self, unraisable: sys.UnraisableHookArgs) -> None:
        """Raise an interrupt once more that Python swallowed, as it does of all errors in a finalizer."""
        if unraisable.exc_type is not KeyboardInterrupt or self.code is None:
            sys.__unraisablehook__(unraisable)
            return
        signal.signal(signal.SIGALRM, signal.default_int_handler)
        signal.setitimer(signal.ITIMER_REAL, _AGAIN)


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
