"""Slow, greedy and odd clients of a server, and a polite one among them who must be answered rightly."""

from __future__ import annotations

import io
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from urllib.parse import quote, urlencode

import numpy as np
import soundfile as sf

from benchmarks.campaign.core import Attempt, BrokenPromiseError, Case
from benchmarks.campaign.mutation import mutate_bytes
from benchmarks.campaign.serving import Answer, Server, form_of, serving
from benchmarks.campaign.world import IMPOSTOR, VICTIM, World

Rudeness = Callable[[Server, np.random.Generator, ExitStack], None]
"""What a rude client does; connections that stay open are closed with the stack."""


@contextmanager
def clients(world: World, folder: Path) -> Iterator[Attempt]:
    """Lend the attack on one server that all cases share."""
    target, impostor = world.clip(VICTIM).read_bytes(), world.clip(IMPOSTOR).read_bytes()
    with serving(world.copy_store(folder), folder) as server:

        def attempt(case: Case) -> str:
            draw = case.generator()
            name = list(_RUDE)[int(draw.integers(len(_RUDE)))]
            with ExitStack() as stack:
                rude = threading.Thread(target=_quietly, args=(_RUDE[name], server, draw, stack))
                rude.start()
                time.sleep(float(case.generator().uniform(0.0, 0.3)))
                begin = time.monotonic()
                _require_right(server, target, "accepted")
                _require_right(server, impostor, "rejected")
                waited = time.monotonic() - begin
                rude.join(120)
            if rude.is_alive():
                raise BrokenPromiseError(f"the server keeps a client for over 120 s: {name}")
            return f"{name}: {'at once' if waited < 2 else 'in 10 s' if waited < 10 else 'late'}"

        def attempt_odd(case: Case) -> str:
            return _ask_oddly(server, case.generator(), impostor)

        yield lambda case: attempt_odd(case) if case.number % 10 else attempt(case)


def _require_right(server: Server, clip: bytes, decision: str) -> None:
    answer = server.ask_politely("POST", f"/v1/speakers/{VICTIM}/verify", clip)
    if answer.status != 200 or answer.json()["decision"] != decision:
        raise BrokenPromiseError(f"a polite client is not {decision}: {answer.status} {answer.body[:300]!r}")


def _quietly(rude: Rudeness, server: Server, draw: np.random.Generator, stack: ExitStack) -> None:
    with suppress(OSError):  # the server has had enough of it, as it should
        rude(server, draw, stack)


def _opened(server: Server, stack: ExitStack, begin: bytes, count: int) -> list[socket.socket]:
    opened = []
    for _ in range(count):
        connection = stack.enter_context(server.connect())
        connection.sendall(begin)
        opened.append(connection)
    return opened


def _head(server: Server, length: int) -> bytes:
    return (
        f"POST /v1/speakers/{VICTIM}/verify HTTP/1.1\r\nHost: localhost:{server.port}\r\n"
        f"Authorization: Bearer {server.other_key}\r\nContent-Type: audio/wav\r\n"
        f"Content-Length: {length}\r\n\r\n"
    ).encode()


def _unfinished_headers(server: Server, draw: np.random.Generator, stack: ExitStack) -> None:
    _opened(server, stack, b"POST /v1/identify HTTP/1.1\r\nHost: loc", int(draw.integers(20, 400)))


def _half_bodies(server: Server, draw: np.random.Generator, stack: ExitStack) -> None:
    _opened(server, stack, _head(server, 1_000_000) + bytes(500), int(draw.integers(10, 60)))


def _silent_connections(server: Server, draw: np.random.Generator, stack: ExitStack) -> None:
    _opened(server, stack, b"", int(draw.integers(20, 400)))


def _dripping_body(server: Server, draw: np.random.Generator, stack: ExitStack) -> None:
    opened = _opened(server, stack, _head(server, 1000), int(draw.integers(5, 30)))
    for _ in range(20):
        time.sleep(0.05)
        for connection in opened:
            connection.sendall(b"x")


def _never_reading(server: Server, draw: np.random.Generator, stack: ExitStack) -> None:
    request = f"GET /openapi.json HTTP/1.1\r\nHost: localhost:{server.port}\r\n\r\n".encode()
    _opened(server, stack, request * 20, int(draw.integers(5, 40)))


def _huge_headers(server: Server, draw: np.random.Generator, stack: ExitStack) -> None:
    _opened(server, stack, b"GET / HTTP/1.1\r\nX: " + b"x" * int(2 ** draw.uniform(12, 22)), 3)


def _long_clips(server: Server, _draw: np.random.Generator, _stack: ExitStack) -> None:
    noise = np.random.default_rng(0).integers(-3000, 3000, 8000 * 110).astype(np.int16)
    buffer = io.BytesIO()
    sf.write(buffer, noise, 8000, format="FLAC")
    body, kind = form_of(*[buffer.getvalue()] * 5, name="greedy")
    server.ask("POST", "/v1/speakers", body, kind=kind)


def _many_channels(server: Server, _draw: np.random.Generator, _stack: ExitStack) -> None:
    buffer = io.BytesIO()
    sf.write(buffer, np.zeros((192_000 * 30, 8), dtype=np.int16), 192_000, format="FLAC")
    server.ask("POST", f"/v1/speakers/{VICTIM}/verify", buffer.getvalue(), key=server.other_key)


def _flood(server: Server, _draw: np.random.Generator, _stack: ExitStack) -> None:
    clip = bytes(100_000)
    end = time.monotonic() + 2.0
    while time.monotonic() < end:
        server.ask("POST", f"/v1/speakers/{VICTIM}/verify", clip, key=server.other_key)


_RUDE: dict[str, Rudeness] = {
    "unfinished headers": _unfinished_headers,
    "half bodies": _half_bodies,
    "silent connections": _silent_connections,
    "dripping bodies": _dripping_body,
    "never reading": _never_reading,
    "huge headers": _huge_headers,
    "long clips": _long_clips,
    "many channels": _many_channels,
    "a flood": _flood,
}

_PATHS = (
    f"/v1/speakers/{VICTIM}/verify", "/v1/identify", "/v1/compare", "/v1/liveness", "/v1/quality",
    "/v1/speakers",
    f"/v1/speakers/{VICTIM}", f"/v1/speakers/{VICTIM}/enrollments", f"/v1/speakers/{VICTIM}/consent",
    "/v1/opt-outs", "/v1/opt-outs/x", "/v1/model", "/v1/access", "/metrics", "/openapi.json", "/healthz",
)  # fmt: skip
_FIELDS = (
    "threshold", "far", "min_speech", "top", "among", "name", "mode", "consent_by", "expires", "limit",
    "after", "adapt", "consent_given", "notes", "nothing",
)  # fmt: skip
_VALUES = (
    "-1", "0", "1", "0.5", "1e999", "nan", "-inf", "", "x", "\u0000", "9999999999999999999", "true",
    "replace", "1900-01-01T00:00:00Z", "..", "/etc/passwd", "\u202e", VICTIM, "é" * 300,
)  # fmt: skip
_METHODS = ("GET", "POST", "PUT", "DELETE", "HEAD", "PATCH", "OPTIONS")


def _ask_oddly(server: Server, draw: np.random.Generator, impostor: bytes) -> str:
    """Ask with the lesser key whatever may come; never an error of the server, never another accepted."""

    def one(choices: tuple[str, ...]) -> str:
        return choices[int(draw.integers(len(choices)))]

    method, path = one(_METHODS) if draw.random() < 0.4 else "POST", quote(one(_PATHS))
    query = urlencode([(one(_FIELDS), one(_VALUES)) for _ in range(int(draw.integers(4)))])
    clip = mutate_bytes(impostor, draw)[0] if draw.random() < 0.3 else impostor
    body, kind = form_of(clip) if draw.random() < 0.3 else (clip, "audio/wav")
    if draw.random() < 0.2:
        body = mutate_bytes(body, draw)[0]
    request = f"{method} {path}?{query}"
    answer = server.ask(method, f"{path}?{query}", body, kind=kind, key=server.other_key)
    _check_odd(request, answer)
    return f"{answer.status // 100}xx"


def _check_odd(request: str, answer: Answer) -> None:
    if answer.status >= 500 and answer.status != 503:
        raise BrokenPromiseError(f"an error of the server: {request}: {answer.status} {answer.body[:300]!r}")
    kind = answer.headers.get("content-type", "")
    if answer.status >= 400 and answer.body and "problem+json" not in kind:
        raise BrokenPromiseError(f"an error that is no problem+json: {request}: {answer.status} {kind}")
    if answer.status == 200 and kind == "application/json" and answer.body:
        found = answer.json()
        accepted = isinstance(found, dict) and found.get("decision") in ("accepted", "identified")
        if accepted and found.get("name") == VICTIM:  # the only voice that is far from the impostor's
            raise BrokenPromiseError(f"an impostor is accepted: {request}: {answer.body[:300]!r}")
