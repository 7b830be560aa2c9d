"""A process that is killed (SIGKILL) at a chosen step of its work, so that tests need no clock."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from collections.abc import Callable
from typing import Any

# A fork server imports what is used once, so that each process starts in milliseconds.
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(
    ["voiceprint.backup", "voiceprint.engine.verifier", "voiceprint.store.sqlite.backend"]
)


def steps_of(work: Callable[..., Any], *args: Any, **options: Any) -> int:
    """Count the steps of some work: lines of voiceprint that are run; the work is done, in this process."""
    count = 0

    def step() -> None:
        nonlocal count
        count += 1

    _traced(step, work, args, options)
    return count


def killed_at(number: int, work: Callable[..., Any], *args: Any, **options: Any) -> None:
    """Do some work in another process, which is killed at a step of that number."""
    process = PROCESSES.Process(target=_until, args=(number, work, args, options))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL, f"the work ended before step {number}"


def _until(number: int, work: Callable[..., Any], args: Any, options: Any) -> None:
    left = number

    def step() -> None:
        nonlocal left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    _traced(step, work, args, options)


def _traced(step: Callable[[], None], work: Callable[..., Any], args: Any, options: Any) -> None:
    def trace(frame: Any, event: str, argument: Any) -> Any:
        if "/voiceprint/" not in frame.f_code.co_filename:
            return None
        if event == "line":
            step()
        return trace

    sys.settrace(trace)
    try:
        work(*args, **options)
    finally:
        sys.settrace(None)
