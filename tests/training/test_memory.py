"""Freed memory that a training process keeps."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

from voiceprint.training.run.memory import keep_freed_memory

# Pages that the kernel handed out while ten blocks of 16 MiB came and went: prints how many.
_FAULTS = """
import resource, sys
from voiceprint.training.run.memory import keep_freed_memory
if sys.argv[1] == "keep":
    keep_freed_memory()
b"x" * (16 << 20)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    b"x" * (16 << 20)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(how: str) -> int:
    done = subprocess.run([sys.executable, "-c", _FAULTS, how], capture_output=True, text=True, check=True)
    return int(done.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc can be asked")
def test_memory_that_was_freed_serves_again_without_the_kernel() -> None:
    assert faults("keep") < 100 < faults("give back")


def test_other_allocators_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "libc_ver", lambda: ("musl", "1.2"))
    assert not keep_freed_memory()
