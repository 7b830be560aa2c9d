"""Files appear whole or not at all, with the permissions asked for, and leave nothing beside them."""

from __future__ import annotations

import errno
import os
import signal
import stat
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from voiceprint.files.whole import sync_folder, whole_file, write_whole


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


def test_what_is_planted_at_the_temporary_name_gets_nothing(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "open").touch(mode=0o666)
    (tmp_path / "spy").hardlink_to(tmp_path / "open")
    for planted in ("link", "open"):
        with whole_file(tmp_path / "note", mode=0o600, temporary=tmp_path / planted) as file:
            file.write(b"secret")
        assert (tmp_path / "note").read_bytes() == b"secret"
        assert stat.S_IMODE((tmp_path / "note").stat().st_mode) == 0o600
    assert (tmp_path / "spy").read_bytes() == b""
    assert sorted(path.name for path in tmp_path.iterdir()) == ["note", "spy"]


def test_of_two_that_write_at_once_one_is_there_whole(tmp_path: Path) -> None:
    path = tmp_path / "note"
    with whole_file(path) as first:
        first.write(b"the first")
        first.flush()
        with whole_file(path) as second:
            second.write(b"2nd")
        assert path.read_bytes() == b"2nd"
    assert path.read_bytes() == b"the first"
    assert list(tmp_path.iterdir()) == [path]


def test_a_killed_process_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "note"
    write_whole(path, "old")
    program = """if True:
        import os, pathlib, signal, sys
        from voiceprint.files.whole import whole_file
        with whole_file(pathlib.Path(sys.argv[1])) as file:
            file.write(b"half")
            file.flush()
            os.kill(os.getpid(), signal.SIGKILL)
    """
    killed = subprocess.run([sys.executable, "-c", program, str(path)], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert path.read_text() == "old"
    write_whole(path, "new")
    assert path.read_text() == "new"


def test_a_link_is_replaced_and_what_it_leads_to_is_left(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_text("theirs")
    (tmp_path / "note").symlink_to(tmp_path / "elsewhere")
    write_whole(tmp_path / "note", "ours")
    assert not (tmp_path / "note").is_symlink()
    assert (tmp_path / "note").read_text() == "ours"
    assert (tmp_path / "elsewhere").read_text() == "theirs"


def test_no_file_takes_the_place_of_a_pipe_or_a_folder(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    for name in ("pipe", "folder"):
        with pytest.raises(OSError, match="no ordinary file is there"):
            write_whole(tmp_path / name, "new")
    assert (tmp_path / "pipe").is_fifo()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder", "pipe"]


def test_an_error_names_the_file_that_was_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "missing" / "note"
    with pytest.raises(FileNotFoundError) as caught:
        write_whole(path, "new")
    assert caught.value.filename == str(path)


def test_a_file_name_of_another_encoding_is_an_error_and_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "list"
    write_whole(path, "old")
    name = os.fsdecode(b"caf\xe9.wav")
    with pytest.raises(OSError, match=r"'2,caf.*\.wav' holds a file name that is not UTF-8; rename"):
        write_whole(path, f"1,tea.wav\n2,{name}\n3,milk.wav\n")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(("number", "excused"), [(errno.EINVAL, True), (errno.EIO, False)])
def test_only_a_file_system_that_cannot_sync_folders_is_excused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, *, excused: bool
) -> None:
    def refuse(_descriptor: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("voiceprint.files.whole.os.fsync", refuse)
    with nullcontext() if excused else pytest.raises(OSError, match=os.strerror(number)):
        sync_folder(tmp_path)


@pytest.mark.parametrize("written", [b"half", b""])
def test_what_a_killed_process_left_is_removed_by_the_next_that_writes_the_file(
    tmp_path: Path, written: bytes
) -> None:
    path = tmp_path / "tuning.toml"
    write = (
        "import os, signal, sys\nfrom pathlib import Path\nfrom voiceprint.files.whole import whole_file\n"
        "with whole_file(Path(sys.argv[1])) as file:\n"
        f"    file.write({written!r})\n    file.flush()\n    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    subprocess.run([sys.executable, "-c", write, str(path)], check=False)
    (left,) = tmp_path.iterdir()
    assert left.read_bytes() == written
    other = tmp_path / f".other.toml.{left.name[-8:]}"
    other.write_bytes(b"of another file")
    write_whole(path, "whole")
    assert sorted(tmp_path.iterdir()) == sorted([other, path])


def test_what_another_process_is_writing_is_left_to_it(tmp_path: Path) -> None:
    path = tmp_path / "tuning.toml"
    with whole_file(path) as file:
        file.write(b"first")
        file.flush()
        write_whole(path, "second")
    assert path.read_text() == "first"


def test_a_file_that_is_swept_away_before_it_is_claimed_is_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "tuning.toml"
    create = os.open
    swept: list[Path] = []

    def open_and_sweep(*given: Any) -> int:
        descriptor = create(*given)
        if not swept:
            swept.append(Path(given[0]))
            swept[0].unlink()
        return descriptor

    with monkeypatch.context() as patched:
        patched.setattr(os, "open", open_and_sweep)
        write_whole(path, "whole")
    assert swept and [entry.name for entry in tmp_path.iterdir()] == ["tuning.toml"]
    assert path.read_text() == "whole"
