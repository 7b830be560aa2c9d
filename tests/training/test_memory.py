"""What a training process keeps: freed memory, and kernels."""

from __future__ import annotations

import os
import platform
import subprocess
import sys

import pytest
import torch

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


# Convolves more lengths than oneDNN keeps kernels of, twice; its log says which it had to write.
_KERNELS = """
import sys, torch
from voiceprint.training.run.memory import keep_kernels
if sys.argv[1] == "keep":
    keep_kernels()
torch.set_num_threads(1)
weight = torch.ones(16, 16, 5)
for again in range(2):
    print("pass", again, flush=True)
    for frames in range(8, 1308):
        torch.conv1d(torch.ones(17, 16, frames), weight)
"""


@pytest.mark.skipif(not torch._C._has_mkldnn, reason="this torch has no oneDNN")
@pytest.mark.parametrize(("how", "written"), [("keep", False), ("forget", True)])
def test_kernels_of_every_length_are_written_once(how: str, written: bool) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ONEDNN_")}
    done = subprocess.run(
        [sys.executable, "-c", _KERNELS, how],
        env=environment | {"ONEDNN_VERBOSE": "profile_create"},
        capture_output=True,
        text=True,
        check=True,
    )
    first, second = done.stdout.split("pass 1")
    assert "create:cache_miss" in first
    assert ("create:cache_miss" in second) is written
