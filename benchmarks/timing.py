"""What work costs: seconds by the clock and of the processor, and memory.

This imports the standard library alone: programs in the environments of peers use it as well.
"""

from __future__ import annotations

import platform
import re
import resource
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """What some work took.

    Attributes
    ----------
    seconds : float
        By the clock.
    processor : float
        Seconds of the processor, which other work beside it hardly changes.
    """

    seconds: float
    processor: float


def spent(work: Callable[[], object]) -> Spent:
    """Do some work once, and return what it took."""
    processor, start = time.process_time(), time.perf_counter()
    work()
    return Spent(seconds=time.perf_counter() - start, processor=time.process_time() - processor)


def repeat(work: Callable[[], object], *, times: int = 60, warm_up: float = 1.0) -> list[float]:
    """Return the processor seconds of each repetition, after ``warm_up`` seconds that do not count.

    The first calls of a process are slower. The warm-up is as long for everybody, so that a fast system has
    not made fewer calls than a slow one.
    """
    warm = time.process_time() + warm_up
    while time.process_time() < warm:
        work()
    return [spent(work).processor for _ in range(times)]


def resident_bytes(pid: int | str = "self") -> int:
    """Memory of a process, what it shares with others included (Linux)."""
    pages = Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]
    return int(pages) * resource.getpagesize()


def peak_bytes() -> int:
    """Return the most memory of this process: since it was started by another, where the system says so."""
    status = Path("/proc/self/status")
    if status.exists():
        most = re.search(r"VmHWM:\s+(\d+)", status.read_text(encoding="utf-8"))
        if most is not None:
            return 1024 * int(most[1])
    return peak_bytes_of(resource.getrusage(resource.RUSAGE_SELF))


def peak_bytes_of(usage: resource.struct_rusage) -> int:
    """Return the most memory that a process had; on Linux not less than its parent had."""
    return usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def processor_name() -> str:
    """Name the processor, as far as the system says."""
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()
