"""Folders for files on their way: private, gone afterwards, and swept where a killed process left one."""

from __future__ import annotations

import stat
import tempfile
from pathlib import Path
from typing import Any

import pytest

from voiceprint.files.workspace import private_workspace


def test_a_workspace_is_private_and_gone_afterwards(tmp_path: Path) -> None:
    with private_workspace(tmp_path, prefix=".moving-") as folder:
        (folder / "voiceprints").write_bytes(b"of somebody")
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        with private_workspace(tmp_path, prefix=".moving-") as other:
            assert other != folder and folder.is_dir(), "one that is in use is left"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("left", [[], ["claim"], ["claim", "voiceprints"]])
def test_what_a_killed_process_left_is_swept_by_the_next(tmp_path: Path, left: list[str]) -> None:
    folder, other = tmp_path / ".moving-abc", tmp_path / ".restoring-abc"
    folder.mkdir()
    other.mkdir()
    for name in left:
        (folder / name).touch()
    with private_workspace(tmp_path, prefix=".moving-"):
        assert not folder.exists()
    assert list(tmp_path.iterdir()) == [other]


def test_a_folder_that_is_swept_away_before_it_is_claimed_is_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make = tempfile.mkdtemp
    swept: list[Path] = []

    def make_and_sweep(*given: Any, **named: Any) -> str:
        made: str = make(*given, **named)
        if not swept:
            swept.append(Path(made))
            swept[0].rmdir()
        return made

    monkeypatch.setattr(tempfile, "mkdtemp", make_and_sweep)
    with private_workspace(tmp_path, prefix=".moving-") as folder:
        assert folder.is_dir() and folder not in swept
    assert list(tmp_path.iterdir()) == []
