"""Whoever was refused stands in the audit log, however often they try."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

from starlette.testclient import TestClient

from voiceprint.server.refusals import Refusals


def entries(client: TestClient) -> list[dict[str, Any]]:
    audit = client.app.state.engine.audit  # type: ignore[attr-defined]
    return [json.loads(record.entry) for record in audit.records()]


def test_who_has_no_key_or_not_its_scope_stands_in_the_log(client: TestClient) -> None:
    key, secret = client.app.state.engine.keys.create(["metrics"])  # type: ignore[attr-defined]
    client.get("/v1/model", headers={"Authorization": "Bearer vp_wrong"})
    client.get("/v1/model", headers={"Authorization": f"Bearer {secret}"})
    found = [(entry["action"], entry["why"], entry["key"], entry["address"]) for entry in entries(client)]
    assert found == [
        ("refused", "key-needed", None, "testclient"),
        ("refused", "scope-missing", key.id, "testclient"),
    ]


def test_decisions_and_changes_name_the_address(ada: TestClient, clip: Any) -> None:
    ada.post("/v1/speakers/ada/verify", content=clip("ada", 3))
    assert {entry["address"] for entry in entries(ada)} == {"testclient"}


def noted(ask: Callable[[Refusals, list[float]], Any]) -> list[dict[str, Any]]:
    written: list[dict[str, Any]] = []
    now = [0.0]

    async def append(action: str, **facts: Any) -> None:
        written.append(facts)

    asyncio.run(ask(Refusals(append, clock=lambda: now[0]), now))
    return written


def test_the_same_refusal_is_written_once_a_minute_with_its_number() -> None:
    async def ask(refusals: Refusals, now: list[float]) -> None:
        for second in (0, 1, 2, 61):
            now[0] = float(second)
            await refusals.note("1.2.3.4", None, "key-needed")
        await refusals.note("1.2.3.4", None, "key-needed")
        await refusals.flush()

    assert [each["times"] for each in noted(ask)] == [1, 3, 1]


def test_thousands_of_addresses_do_not_fill_the_disk() -> None:
    async def ask(refusals: Refusals, now: list[float]) -> None:
        for number in range(5000):
            await refusals.note(f"2001:db8::{number:x}", None, "key-needed")
        await refusals.flush()

    written = noted(ask)
    assert len(written) == 1002
    assert sum(each["times"] for each in written) == 5000
