"""Files appear whole or not at all, with the permissions asked for, and leave nothing beside them."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from voiceprint.whole_file import whole_file, write_whole


def test_text_and_bytes_replace_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "note"
    write_whole(path, "naïve\n")
    assert path.read_bytes() == "naïve\n".encode()
    write_whole(path, b"\x00\x01")
    assert path.read_bytes() == b"\x00\x01"
    assert list(tmp_path.iterdir()) == [path]


def test_nobody_sees_the_new_file_before_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "note"
    write_whole(path, "old")
    with whole_file(path) as file:
        file.write(b"new")
        file.flush()
        assert path.read_text() == "old"
    assert path.read_text() == "new"


@pytest.mark.parametrize("failure", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_what_fails_leaves_the_old_file_and_nothing_else(tmp_path: Path, failure: BaseException) -> None:
    path = tmp_path / "note"
    write_whole(path, "old")
    with pytest.raises(type(failure)), whole_file(path) as file:
        file.write(b"half")
        raise failure
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_private_file_is_never_open_to_others(tmp_path: Path) -> None:
    with whole_file(tmp_path / "note", mode=0o600, temporary=tmp_path / "part"):
        assert stat.S_IMODE((tmp_path / "part").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "note").stat().st_mode) == 0o600


def test_a_planted_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "part").symlink_to(tmp_path / "elsewhere")
    with (
        pytest.raises(OSError, match="symbolic links"),
        whole_file(tmp_path / "note", temporary=tmp_path / "part"),
    ):
        pytest.fail("the link was opened")
    assert not (tmp_path / "elsewhere").exists()
