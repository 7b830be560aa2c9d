"""The load that a server meets: a steady rate, many requests, and four times too much."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from benchmarks.program import ONE_THREAD, ROOT, BenchmarkError
from benchmarks.server.client import GOOD, Answered, arriving, closed, form, summary
from benchmarks.server.clips import People
from benchmarks.timing import resident_bytes
from voiceprint.model import SpeakerModel
from voiceprint.server.keys import SCOPES, KeyRing
from voiceprint.server.settings import ServerSettings
from voiceprint.server.state import StateFile
from voiceprint.store import EnrollmentStore

Figures = dict[str, Any]

OVERLOAD = 4
"""How many times the steady rate is too much."""

ENROLL_EVERY = 10
"""In the overload one request of this many enrolls somebody."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """How much is asked.

    Attributes
    ----------
    seconds : float
        Of each phase at a rate.
    requests : int
        Of the phase that watches memory.
    """

    processes: int
    rate: float
    seconds: float
    requests: int
    seed: int


def measure_ours(store: Path, people: People, load: Load, *, model: Path | None = None) -> Figures:
    """Enroll people, load the server, and look for everybody whose enrollment was acknowledged."""
    state = StateFile(ServerSettings(store=str(store)).state_folder)
    _, key = KeyRing(state).create(SCOPES)
    state.close()
    serve = "from voiceprint.cli import main; main()"
    command = [sys.executable, "-c", serve, "serve", "--rate", "1e6", "--allow-threshold"]
    command += ["--allow-replay"]  # the same clips are sent again and again
    command += ["--processes", str(load.processes), "--store", str(store)]
    command += [] if model is None else ["--model", str(model)]
    with running(command) as server:
        figures: Figures = {"enrolled": _enroll(server, people, key)}
        requests = _verifications(people, key, model)
        warm = 20 * load.processes
        asyncio.run(closed(server.port, requests, count=warm, connections=4 * load.processes))
        figures |= {"steady": _steady(server, requests, load), "many": _many(server, requests, load)}
        figures["overload"], acknowledged = _overload(server, requests, people, key, load)
    with EnrollmentStore.open(store) as opened:
        figures["overload"]["enrollments_lost"] = len(set(acknowledged) - set(opened.names()))
        figures["overload"]["store_problems"] = [str(problem) for problem in opened.problems()]
    return figures


def measure_peer(environment: Path, people: People, load: Load) -> Figures:
    """Let the naive wrapper meet the same rates; first, how much it can do at all."""
    application = ["benchmarks.peers.programs.naive_server:app", "--app-dir", str(ROOT)]
    command = [str(environment / "bin" / "python"), "-m", "uvicorn", *application]
    command += ["--workers", str(load.processes), "--log-level", "error"]
    requests = [form("/verify", "clips", [clips[0], clips[-1]], "") for clips in people.values()]
    with running(command) as server:
        asyncio.run(closed(server.port, requests, count=2 * len(requests), connections=load.processes))
        start = time.perf_counter()
        answers = asyncio.run(closed(server.port, requests, count=200, connections=2 * load.processes))
        can = {**summary(answers), "a_second": round(200 / (time.perf_counter() - start), 1)}
        figures = {"many": can, "steady": _steady(server, requests, load)}
    with running(command) as server:  # anew: the last one still works off what was given up
        figures["overload"] = _steady(server, requests, load, times=OVERLOAD)
    return figures


def _enroll(server: Server, people: People, key: str) -> int:
    requests = [form("/v1/speakers", "clips", clips[:-1], key, name=name) for name, clips in people.items()]
    answers = asyncio.run(closed(server.port, requests, count=len(requests), connections=1))
    refused = [answer.outcome for answer in answers if answer.outcome != "201"]
    if refused:
        raise BenchmarkError(f"{len(refused)} of {len(answers)} people were not enrolled: {refused[0]}")
    return len(answers)


def _verifications(people: People, key: str, model: Path | None) -> list[bytes]:
    # A model without thresholds can be timed with a given one.
    calibrated = SpeakerModel.open(model).card.calibration is not None
    point = "" if calibrated else "?threshold=0.5"
    return [
        form(f"/v1/speakers/{quote(name, safe='')}/verify{point}", "clip", clips[-1:], key)
        for name, clips in people.items()
    ]


def _steady(server: Server, requests: Sequence[bytes], load: Load, *, times: float = 1.0) -> Figures:
    """Make requests at a multiple of the rate."""
    rate = times * load.rate
    busy, own = server.cpu_seconds, time.process_time()
    answers = asyncio.run(arriving(server.port, requests, rate=rate, seconds=load.seconds, seed=load.seed))
    busy, own = server.cpu_seconds - busy, time.process_time() - own
    return {
        "rate": rate,
        **summary(answers),
        "server_cpu_ms_each": round(1000 * busy / len(answers), 2),
        "generator_cpu_ms_each": round(1000 * own / len(answers), 2),
    }


def _many(server: Server, requests: Sequence[bytes], load: Load) -> Figures:
    """Make many requests, as fast as they are answered, and watch the memory."""
    memory: list[float] = []
    start = time.perf_counter()
    answers = asyncio.run(
        closed(
            server.port,
            requests,
            count=load.requests,
            connections=2 * load.processes,
            every=max(1, load.requests // 10),
            then=lambda: memory.append(server.memory_mib),
        )
    )
    took = time.perf_counter() - start
    return {**summary(answers), "a_second": round(len(answers) / took, 1), "memory_mib": memory}


def _overload(
    server: Server, verifies: Sequence[bytes], people: People, key: str, load: Load
) -> tuple[Figures, list[str]]:
    """Ask four times the rate; also return whose enrollment was acknowledged."""
    clips = next(iter(people.values()))[:-1]
    rate = OVERLOAD * load.rate
    names = {place: f"late {place}" for place in range(0, round(rate * load.seconds), ENROLL_EVERY)}
    requests = [
        form("/v1/speakers", "clips", clips, key, name=names[place])
        if place in names
        else verifies[place % len(verifies)]
        for place in range(round(rate * load.seconds))
    ]
    answers = asyncio.run(arriving(server.port, requests, rate=rate, seconds=load.seconds, seed=load.seed))
    acknowledged = [name for place, name in names.items() if answers[place].outcome == "201"]
    verified = [answer for place, answer in enumerate(answers) if place not in names]
    enrolled = [answer for place, answer in enumerate(answers) if place in names]
    return {
        "rate": rate,
        **summary(answers),
        "verified_p99_ms": summary(verified)["p99_ms"],
        "enrolled_p99_ms": summary(enrolled)["p99_ms"],
        **_refusals(answers, load),
    }, acknowledged


def _refusals(answers: Sequence[Answered], load: Load) -> Figures:
    good = sum(answer.outcome in GOOD for answer in answers)
    refused = [answer for answer in answers if answer.outcome == "503"]
    return {
        "good_a_second": round(good / load.seconds, 1),
        "refused_without_retry_after": sum(not answer.retry_after for answer in refused),
    }


_TICKS = os.sysconf("SC_CLK_TCK")
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
        return round(sum(map(resident_bytes, self.pids)) / 2**20, 1)


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
