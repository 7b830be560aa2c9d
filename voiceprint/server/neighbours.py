"""Neighbours: the processes of one server, which ask each other about the recordings that one of them has.

A client comes by another connection each time, and so to any process. They talk over sockets in a folder that
only they may enter, a line of JSON each way; nothing is written to the disk.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path
from typing import Any

_log = logging.getLogger(__name__)

TAG_LENGTH = 8
"""Characters by which the id of a job begins, and which name its process."""

_PATIENCE = 10.0  # seconds
_LONGEST = 64 << 20  # bytes of an answer: hours of turns

Answering = Callable[[dict[str, str]], Awaitable[dict[str, Any]]]


class Neighbours:
    """One process among those of a server.

    Parameters
    ----------
    folder : Path or None
        Which they share; None: there is only this one.
    tag : str
        Of this process.
    answer : coroutine function
        Answers what another process asks.
    """

    def __init__(self, folder: Path | None, tag: str, answer: Answering) -> None:
        self._folder, self._tag, self._answer = folder, tag, answer
        self._server: asyncio.Server | None = None

    async def open(self) -> None:
        """Listen to the others; where the system cannot, each process knows its own recordings only."""
        if self._folder is None or not hasattr(asyncio, "start_unix_server"):
            return
        path = _socket(self._folder, self._tag)
        try:
            self._server = await asyncio.start_unix_server(self._serve, path, limit=_LONGEST)
        except OSError as error:  # such as a path that is longer than sockets may have
            _log.error("processes cannot ask each other about recordings: %s", error)

    async def ask(self, tag: str, question: dict[str, str]) -> dict[str, Any] | None:
        """Ask the process of a tag; None where there is none."""
        if self._server is None or self._folder is None or tag == self._tag or not tag.isalnum():
            return None
        try:
            async with asyncio.timeout(_PATIENCE):
                path = _socket(self._folder, tag)
                reader, writer = await asyncio.open_unix_connection(path, limit=_LONGEST)
                with closing(writer):
                    writer.write(json.dumps(question).encode() + b"\n")
                    line = await reader.readline()
        except (OSError, TimeoutError):
            return None
        if not line.endswith(b"\n"):  # it ended while it answered
            return None
        answer: dict[str, Any] = json.loads(line)
        return answer

    def close(self) -> None:
        """Leave."""
        if self._server is not None and self._folder is not None:
            self._server.close()
            _socket(self._folder, self._tag).unlink(missing_ok=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(_PATIENCE):
                line = await reader.readline()
                writer.write(json.dumps(await self._answer(json.loads(line))).encode() + b"\n")
                await writer.drain()
        except (OSError, TimeoutError):
            pass  # it has gone
        finally:
            writer.close()


def _socket(folder: Path, tag: str) -> Path:
    return folder / f"{tag}.jobs"
