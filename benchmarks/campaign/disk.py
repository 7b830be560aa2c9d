"""Change a store on a disk that is full: nothing is lost, it is said, and what is there can be read."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.campaign.changes import Change, changes_of, check_store
from benchmarks.campaign.core import Attempt, BrokenPromiseError, Case
from benchmarks.campaign.program import Finished, require_clean, run
from benchmarks.campaign.world import World, state_of


@contextmanager
def full_disks(world: World, folder: Path) -> Iterator[Attempt]:
    """Lend the attack: files that may not grow, and where this process may mount one, a disk of a few kB."""
    changes, may_mount = changes_of(world), _may_mount(folder)

    def attempt(case: Case) -> str:
        draw = case.generator()
        change = changes.draw(draw)
        if may_mount and draw.random() < 0.5:
            with _small_disk(
                case.folder / "disk", world.store, slack=int(2 ** draw.uniform(10, 20))
            ) as store:
                finished = run([*change.arguments, "--store", store], folder=case.folder / "work")
                _require_readable(store, case.folder / "reading")
                shutil.copytree(store, case.folder / "store")
        else:
            store = world.copy_store(case.folder)
            limits = {resource.RLIMIT_FSIZE: int(2 ** draw.uniform(12, 20))}
            finished = run([*change.arguments, "--store", store], folder=case.folder / "work", limits=limits)
        require_clean(finished)
        return _judge(case.folder, change, finished)

    yield attempt


def _judge(folder: Path, change: Change, finished: Finished) -> str:
    if "othing was changed" in finished.err and state_of(folder / "store") != change.states[0]:
        raise BrokenPromiseError(f"it says that nothing was changed, and it was: {finished}")
    return check_store(folder / "store", folder / "work", change, finished)


def _require_readable(store: Path, folder: Path) -> None:
    """Break the promise unless people can be listed while the disk is full."""
    finished = run(["list", "--store", store], folder=folder)
    if finished.code != 0:
        raise BrokenPromiseError(f"on a full disk nothing can be read: {finished}")


def _may_mount(folder: Path) -> bool:
    if os.geteuid() != 0:
        return False
    try:
        with _small_disk(folder / "trial", None, slack=1 << 16):
            return True
    except subprocess.CalledProcessError:
        return False


@contextmanager
def _small_disk(folder: Path, store: Path | None, *, slack: int) -> Iterator[Path]:
    """Mount a disk in memory that holds a copy of a store and `slack` bytes more."""
    folder.mkdir()
    pages = sum(-(-path.stat().st_size // 4096) + 1 for path in store.rglob("*")) + 4 if store else 4
    size = f"size={4096 * pages + slack}"
    subprocess.run(["mount", "-t", "tmpfs", "-o", size, "tmpfs", folder], check=True, capture_output=True)
    try:
        yield Path(shutil.copytree(store, folder / "store")) if store else folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)
