"""Processes that ask each other about recordings."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from voiceprint.server.neighbours import Neighbours

pytestmark = pytest.mark.skipif(not hasattr(asyncio, "start_unix_server"), reason="needs Unix sockets")


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder of a short path, as sockets need."""
    with TemporaryDirectory(prefix="vp-") as made:
        yield Path(made)


async def answer(question: dict[str, str]) -> dict[str, Any]:
    return {"asked": question["id"]}


def test_a_process_answers_another(folder: Path) -> None:
    async def ask() -> dict[str, Any] | None:
        one, other = Neighbours(folder, "aaaaaaaa", answer), Neighbours(folder, "bbbbbbbb", answer)
        await one.open()
        await other.open()
        try:
            return await one.ask("bbbbbbbb", {"id": "7"})
        finally:
            one.close()
            other.close()

    assert asyncio.run(ask()) == {"asked": "7"}
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("said", [b"", b'{"asked": '])
def test_a_process_that_ends_while_it_answers_is_gone(folder: Path, said: bytes) -> None:
    async def end(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.write(said)
        writer.close()

    async def ask() -> dict[str, Any] | None:
        one = Neighbours(folder, "aaaaaaaa", answer)
        await one.open()
        dying = await asyncio.start_unix_server(end, folder / "bbbbbbbb.jobs")
        try:
            return await one.ask("bbbbbbbb", {"id": "7"})
        finally:
            one.close()
            dying.close()

    assert asyncio.run(ask()) is None
