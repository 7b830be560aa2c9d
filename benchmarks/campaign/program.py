"""The command line as its user has it: a process of its own, with its output, its exit code and its limits.

Starting Python and importing the packages would take most of the time, so a fork server has imported them.
"""

from __future__ import annotations

import multiprocessing
import os
import resource
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess
from pathlib import Path

from benchmarks.campaign.core import BrokenPromiseError
from voiceprint.cli.process import ERROR, PARTLY

PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["benchmarks.campaign.preloaded"])
# Python 3.11's fork server looks for what it preloads on the environment's path alone.
os.environ["PYTHONPATH"] = os.pathsep.join(
    filter(None, (str(Path(__file__).resolve().parents[2]), os.environ.get("PYTHONPATH")))
)

TIMEOUT = 120.0
"""Seconds after which a command counts as stuck; none takes a tenth of it."""

MOST_MEMORY = 1_500
"""MB that a command may take, whatever it is given."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """How a command ended.

    Attributes
    ----------
    code : int
        The exit code; negative for a signal.
    megabytes : float or None
        The most memory it took; None if it was killed.
    """

    arguments: tuple[str, ...]
    code: int
    out: str
    err: str
    megabytes: float | None

    def __str__(self) -> str:
        return (
            f"voiceprint {' '.join(self.arguments)!s}: exit {self.code}\n{self.out[-800:]}{self.err[-2000:]}"
        )


class Program:
    """A running command.

    Parameters
    ----------
    folder : Path
        Where it writes its output; its working folder too.
    environment : mapping, optional
        Changes to the environment; None removes a variable.
    limits : mapping of int to int, optional
        Limits of `resource`, of the process.
    prepare : callable, optional
        Called in the process before the command; it must be importable by name.
    """

    def __init__(
        self,
        arguments: Sequence[str | Path],
        *,
        folder: Path,
        environment: Mapping[str, str | None] | None = None,
        limits: Mapping[int, int] | None = None,
        prepare: Callable[[], None] | None = None,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.arguments = tuple(map(str, arguments))
        self._folder = folder
        begins, beginning = PROCESSES.Pipe(duplex=False)
        self._process: ForkServerProcess = PROCESSES.Process(
            target=_command,
            args=(self.arguments, folder, beginning),
            kwargs={"environment": environment or {}, "limits": limits or {}, "prepare": prepare},
        )
        self._process.start()
        beginning.close()
        # A signal that comes before the command begins would end this harness, not the command.
        begins.poll(TIMEOUT)
        begins.close()
        self.begun = time.monotonic()

    @property
    def pid(self) -> int:
        """Of the process; of its group as well."""
        pid = self._process.pid
        if pid is None:
            raise RuntimeError("the process was not started")
        return pid

    def signal(self, number: int) -> None:
        """Send a signal to the process alone."""
        with suppress(ProcessLookupError):  # it has ended
            os.kill(self.pid, number)

    def wait(self, timeout: float = TIMEOUT) -> Finished:
        """Wait for the end; a command that does not end is a broken promise."""
        self._process.join(timeout)
        stuck = self._process.is_alive()
        _kill_group(self.pid, wait=0.0 if stuck else 10.0)
        self._process.join()
        finished = self._finished()
        if stuck:
            raise BrokenPromiseError(f"still running after {timeout:g} s: {finished}")
        return finished

    def _finished(self) -> Finished:
        memory = self._folder / ".memory"  # empty, if it was ended while it wrote this
        return Finished(
            arguments=self.arguments,
            code=self._process.exitcode or 0,
            out=_text(self._folder / ".out"),
            err=_text(self._folder / ".err"),
            megabytes=float(memory.read_text()) if memory.exists() and memory.stat().st_size else None,
        )


def run(arguments: Sequence[str | Path], *, folder: Path, **options: object) -> Finished:
    """Run a command to its end; `options` are those of `Program`."""
    return Program(arguments, folder=folder, **options).wait()  # type: ignore[arg-type]


_NO_VERDICTS = ("not enough speech", "expired", "opted out")


def require_clean(finished: Finished, *, codes: Sequence[int] | None = None) -> None:
    """Break the promise unless a command ended with a known code, without a traceback, and in bounds.

    Parameters
    ----------
    codes : sequence of int, optional
        Those that it may end with; by default all that its documentation lists.
    """
    codes = exit_codes(finished.arguments) if codes is None else codes
    if "Traceback (most recent call last)" in finished.err or "Exception ignored" in finished.err:
        raise BrokenPromiseError(f"a traceback: {finished}")
    if finished.code not in codes:
        raise BrokenPromiseError(f"exit code {finished.code}, not one of {list(codes)}: {finished}")
    no_verdict = any(words in finished.out.replace("_", " ") for words in _NO_VERDICTS)
    if finished.code == ERROR and "Error" not in finished.err and not no_verdict:
        raise BrokenPromiseError(f"exit code 2 without a word: {finished}")
    if finished.code == PARTLY and not finished.err.strip():
        raise BrokenPromiseError(f"exit code 3, and nothing is named: {finished}")
    if finished.megabytes is not None and finished.megabytes > MOST_MEMORY:
        raise BrokenPromiseError(f"took {finished.megabytes:.0f} MB: {finished}")


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="backslashreplace") if path.exists() else ""


def _kill_group(group: int, *, wait: float) -> None:
    """End what is left of a command's processes; `wait` seconds in which they may end by themselves."""
    deadline = time.monotonic() + wait
    while _alive(group) and time.monotonic() < deadline:
        time.sleep(0.01)
    if not _alive(group):
        return
    os.killpg(group, signal.SIGKILL)
    if wait:
        raise BrokenPromiseError(
            f"processes of group {group} are left {wait:g} s after the command has ended"
        )


def _alive(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except (ProcessLookupError, PermissionError):
        return False
    return any(_group_of(entry) == group for entry in Path("/proc").glob("[0-9]*/stat"))


def _group_of(stat: Path) -> int | None:
    """Return the process group of a process that runs; None for one that has ended and waits to be reaped."""
    try:
        fields = stat.read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] == "Z" else int(fields[2])


def _command(
    arguments: tuple[str, ...],
    folder: Path,
    beginning: Connection,
    *,
    environment: Mapping[str, str | None],
    limits: Mapping[int, int],
    prepare: Callable[[], None] | None,
) -> None:
    """Be the command: in a process of the fork server. It closes `beginning` when the command begins."""
    os.setpgid(0, 0)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for name, value in environment.items():
        os.environ.pop(name, None) if value is None else os.environ.update({name: value})
    os.chdir(folder)
    for name, number in ((".out", 1), (".err", 2)):
        os.dup2(os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), number)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    # multiprocessing gave the child another standard input, which a process that this one starts cannot open.
    sys.stdin = os.fdopen(0, closefd=False)
    for limit, most in limits.items():
        resource.setrlimit(limit, (most, resource.getrlimit(limit)[1]))
    if prepare is not None:
        prepare()
    sys.argv = ["voiceprint", *arguments]
    from voiceprint.cli import main  # noqa: PLC0415  imported by the fork server already

    beginning.close()
    try:
        main()
    finally:
        for late in (signal.SIGINT, signal.SIGTERM):  # the command has ended
            signal.signal(late, signal.SIG_IGN)
        megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        (folder / ".memory").write_text(f"{megabytes:.0f}", encoding="ascii")


NO = 1
"""A verdict of no, or a check that found something."""

_WITH_VERDICTS = frozenset(
    {
        "verify",
        "identify",
        "compare",
        "liveness",
        "classify predict",
        "corpus check",
        "trials check",
        "audit verify",
    }
)
_OF_MANY_INPUTS = frozenset(
    {"diarize", "embed", "score", "liveness", "corpus scan", "classify predict", "store upgrade"}
)


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
