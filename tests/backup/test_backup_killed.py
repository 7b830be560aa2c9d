"""Backups and restores that are killed at any moment."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from killing import killed_at, steps_of
from store_voices import open_store

from voiceprint.backup import restore_backup, write_backup

MOMENTS = 8


def names(folder: Path) -> list[str]:
    with open_store(folder) as store:
        assert store.problems() == []
        return store.names()


def left_behind(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir() if path.name.startswith(".")]


def moments(steps: int) -> list[int]:
    return [1 + (steps - 1) * part // MOMENTS for part in range(MOMENTS)]


def test_a_killed_backup_leaves_the_old_one_or_the_new_one(place: Path, tmp_path: Path) -> None:
    folder = tmp_path / "backups"
    folder.mkdir()
    path = folder / "a"
    write_backup(path, store=place)
    with open_store(place) as store:
        store.rename("cleo", "dora")
    steps = steps_of(write_backup, folder / "b", store=place)
    for moment in moments(steps):
        killed_at(moment, write_backup, path, store=place, overwrite=True)
        restore_backup(path, store=tmp_path / "there", overwrite=True)
        assert names(tmp_path / "there") in (["ada", "bert", "cleo"], ["ada", "bert", "dora"])
    write_backup(path, store=place, overwrite=True)
    assert left_behind(folder) == []


@pytest.mark.parametrize("there", ["another state", "nothing", "damage"])
def test_a_killed_restore_leaves_one_state_or_the_other_and_can_be_repeated(
    place: Path, tmp_path: Path, there: str
) -> None:
    path, kept = tmp_path / "a", tmp_path / "kept"
    write_backup(path, store=place)
    with open_store(place) as store:
        store.rename("cleo", "dora")
    if there == "damage":
        (place / "voiceprints.sqlite3").write_bytes(b"x" * 10_000)
    elif there == "nothing":
        shutil.rmtree(place)
        place.mkdir()
    shutil.copytree(place, kept)
    steps = steps_of(restore_backup, path, store=place, overwrite=True)
    for moment in moments(steps):
        shutil.rmtree(place)
        shutil.copytree(kept, place)
        killed_at(moment, restore_backup, path, store=place, overwrite=True)
        if there == "another state":
            assert names(place) in (["ada", "bert", "cleo"], ["ada", "bert", "dora"])
        restore_backup(path, store=place, overwrite=True)
        assert names(place) == ["ada", "bert", "cleo"]
        assert left_behind(place) == []
