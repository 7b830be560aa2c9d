"""Servers that meet the load: started, watched from outside, ended."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.program import ONE_THREAD, BenchmarkError

__all__ = ["Server", "running"]

_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")
_SETTLE_SECONDS = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A server with all its processes."""

    port: int
    pid: int

    @property
    def pids(self) -> list[int]:
        """Of the program that was started, and of its children."""
        return [self.pid, *map(int, Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split())]

    @property
    def cpu_seconds(self) -> float:
        """Processor time so far."""
        fields = [Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split() for pid in self.pids]
        return sum(int(each[11]) + int(each[12]) for each in fields) / _TICKS

    @property
    def memory_mib(self) -> float:
        """Resident memory; what processes share counts in each."""
        pages = (int(Path(f"/proc/{pid}/statm").read_text().split()[1]) for pid in self.pids)
        return round(sum(pages) * _PAGE / 2**20, 1)


@contextmanager
def running(command: Sequence[str]) -> Iterator[Server]:
    """Run a server on a free port until the block ends.

    Libraries of mathematics use one thread a process: there is a process for each core.
    """
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    environment = os.environ | ONE_THREAD
    process = subprocess.Popen([*command, "--port", str(port)], start_new_session=True, env=environment)
    server = Server(port=port, pid=process.pid)
    try:
        _wait_until_settled(server, process, command)
        yield server
    finally:
        _end(process)


def _wait_until_settled(server: Server, process: subprocess.Popen[bytes], command: Sequence[str]) -> None:
    """Wait until it listens and all its processes have done what they do at the start."""
    deadline = time.monotonic() + _SETTLE_SECONDS
    quiet = 0
    while quiet < 3:
        if process.poll() is not None:
            raise BenchmarkError(f"the server ended: {' '.join(command)}")
        if time.monotonic() > deadline:
            raise BenchmarkError(f"the server is not ready after {_SETTLE_SECONDS:g} s")
        before = server.cpu_seconds
        time.sleep(0.5)
        busy = server.cpu_seconds - before > 0.05 or not _listens(server.port)
        quiet = 0 if busy else quiet + 1


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ask it to end; one that still works off what clients have given up on is killed."""
    os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(30)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(30)
