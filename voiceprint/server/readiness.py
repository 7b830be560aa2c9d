"""Readiness: whether this server can answer at all, and why not."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

from voiceprint.server.engine import Engine
from voiceprint.server.problems import Problem
from voiceprint.store import is_url

NEEDED = 16 << 20
"""Bytes without which a disk counts as full: decisions are logged before they are answered."""


def check_disk(engine: Engine) -> None:
    """Read the store and the server's file, and look for room on their disks.

    Raises
    ------
    Problem
        503 if a disk is full.
    StoreError, ServerError
        If one of them cannot be read.
    """
    len(engine.verifier.store)
    engine.keys.check()
    for what, folder in _folders(engine):
        if shutil.disk_usage(folder).free < NEEDED:
            detail = f"the disk of {what} is full; make room"
            raise Problem(503, "disk-full", detail, headers={"Retry-After": "30"})


def _folders(engine: Engine) -> Iterator[tuple[str, Path]]:
    yield "the server's keys and audit log", engine.settings.state_folder
    store = engine.verifier.store_path
    if not is_url(store):
        yield "the voiceprints", Path(store)
