"""A client that makes requests at a given rate, and the answers it got.

Just enough HTTP/1.1: a full client would take the servers' processor time, for all share one machine.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

BOUNDARY = "a-boundary-that-no-clip-holds"
PATIENCE = 10.0  # seconds after which a client gives up
GOOD = ("200", "201")
_CLIENTS = 32  # that share the requests; more come where these still wait


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """One answer.

    Attributes
    ----------
    outcome : str
        The status; ``timeout``, or ``broken`` where the connection ended.
    seconds : float
        Since the request was due, whether or not it could be sent then.
    retry_after : bool
        Whether it says when to come back.
    """

    outcome: str
    seconds: float
    retry_after: bool = False


class Connection:
    """A connection that stays open from request to request."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._reader: asyncio.StreamReader | None = None

    async def ask(self, request: bytes, *, due: float) -> Answered:
        """Send a request and wait for its answer."""
        try:
            async with asyncio.timeout(PATIENCE):
                head = await self._exchange(request)
        except TimeoutError:
            self.close()
            return Answered(outcome="timeout", seconds=time.perf_counter() - due)
        except (OSError, asyncio.IncompleteReadError):
            self.close()
            return Answered(outcome="broken", seconds=time.perf_counter() - due)
        if b"connection: close" in head:
            self.close()
        return Answered(
            outcome=head.split(b" ", 2)[1].decode(),
            seconds=time.perf_counter() - due,
            retry_after=b"\r\nretry-after: " in head,
        )

    async def _exchange(self, request: bytes) -> bytes:
        if self._reader is None:
            self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
        self._writer.write(request)
        head = (await self._reader.readuntil(b"\r\n\r\n")).lower()
        await self._reader.readexactly(int(head.split(b"content-length: ")[1].split(b"\r\n")[0]))
        return head

    def close(self) -> None:
        """Hang up; the next request connects again."""
        if self._reader is not None:
            self._writer.close()
            self._reader = None


def form(path: str, field: str, clips: Sequence[bytes], key: str, **texts: str) -> bytes:
    """Write a request with clips as the files of a form, and texts as its fields."""
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{field}"; filename="clip.wav"\r\n\r\n'
    fields = (
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{text}\r\n'
        for name, text in texts.items()
    )
    files = (head.encode() + clip + b"\r\n" for clip in clips)
    body = "".join(fields).encode() + b"".join(files) + f"--{BOUNDARY}--\r\n".encode()
    lines = [
        f"POST {path} HTTP/1.1",
        "Host: 127.0.0.1",
        f"Authorization: Bearer {key}",
        f"Content-Type: multipart/form-data; boundary={BOUNDARY}",
        f"Content-Length: {len(body)}",
    ]
    return "\r\n".join([*lines, "", ""]).encode() + body


async def closed(
    port: int,
    requests: Sequence[bytes],
    *,
    count: int,
    connections: int,
    every: int = 0,
    then: Callable[[], None] = lambda: None,
) -> list[Answered]:
    """Make ``count`` requests over some connections, each as soon as the last was answered.

    After every ``every`` answers ``then`` is called.
    """
    places = iter(range(count))
    answers: list[Answered] = []

    async def keep_asking() -> None:
        connection = Connection(port)
        for place in places:
            request = requests[place % len(requests)]
            answers.append(await connection.ask(request, due=time.perf_counter()))
            if every and len(answers) % every == 0:
                then()
        connection.close()

    await asyncio.gather(*(keep_asking() for _ in range(connections)))
    return answers


async def arriving(
    port: int, requests: Sequence[bytes], *, rate: float, seconds: float, seed: int
) -> list[Answered]:
    """Ask at random times (Poisson) at a rate, whether or not the answers keep up.

    Times count from when a request was due, so that a server which stalls is charged for all who came
    meanwhile. The answers are in the order of the requests, which are asked in turn.
    """
    generator = np.random.default_rng(seed)
    times = np.cumsum(generator.exponential(1 / rate, round(rate * seconds))).tolist()
    # In turn: many clients reach all processes, and the newest connection would always meet the same one.
    idle = deque(Connection(port) for _ in range(_CLIENTS))
    start = time.perf_counter() + 0.2

    async def ask(place: int, due: float) -> Answered:
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        connection = idle.popleft() if idle else Connection(port)
        answer = await connection.ask(requests[place % len(requests)], due=due)
        idle.append(connection)
        return answer

    answers = await asyncio.gather(*(ask(place, start + after) for place, after in enumerate(times)))
    for connection in idle:
        connection.close()
    return answers


def summary(answers: Sequence[Answered]) -> dict[str, Any]:
    """Count outcomes, and take percentiles of the time that good answers took."""
    good = [1000 * answer.seconds for answer in answers if answer.outcome in GOOD]
    p50, p99 = np.percentile(good, [50, 99]).tolist() if good else (None, None)
    return {
        "requests": len(answers),
        "outcomes": dict(sorted(Counter(answer.outcome for answer in answers).items())),
        "p50_ms": None if p50 is None else round(p50, 1),
        "p99_ms": None if p99 is None else round(p99, 1),
    }
