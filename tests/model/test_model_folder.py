"""A model takes its place whole, and where anything fails what was there is there still."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from voiceprint.errors import ModelError
from voiceprint.model.card import CARD_FILE
from voiceprint.model.folder import staged_folder


def write(folder: Path, text: str) -> None:
    (folder / CARD_FILE).write_text(text)
    (folder / "encoder.onnx").write_text(text)


def contents(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir()}


def model(text: str) -> dict[str, str]:
    return {CARD_FILE: text, "encoder.onnx": text}


@pytest.fixture
def place(tmp_path: Path) -> Path:
    folder = tmp_path / "models" / "mine"
    with staged_folder(folder) as staged:
        write(staged, "old")
        assert not folder.exists()
    return folder


def test_a_model_is_moved_in_whole_and_nothing_is_left_beside_it(place: Path) -> None:
    assert contents(place) == model("old")
    with staged_folder(place, overwrite=True) as staged:
        write(staged, "new")
        assert contents(place) == model("old")
    assert contents(place) == model("new")
    assert [path.name for path in place.parent.iterdir()] == ["mine"]


def test_a_failure_while_it_is_written_changes_nothing(place: Path) -> None:
    with pytest.raises(KeyboardInterrupt), staged_folder(place, overwrite=True) as staged:
        (staged / "encoder.onnx").write_text("half of it")
        raise KeyboardInterrupt
    assert contents(place) == model("old")
    assert [path.name for path in place.parent.iterdir()] == ["mine"]


@pytest.mark.parametrize("failure", [OSError(5, "Input/output error"), KeyboardInterrupt()])
@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("rename", [0, 1])
def test_a_failure_at_any_rename_leaves_a_whole_model(
    place: Path, monkeypatch: pytest.MonkeyPatch, rename: int, moment: str, failure: BaseException
) -> None:
    monkeypatch.setattr(Path, "rename", failing(Path.rename, at=rename, moment=moment, failure=failure))
    with (
        pytest.raises((ModelError, KeyboardInterrupt)),
        staged_folder(place, overwrite=True) as staged,
    ):
        write(staged, "new")
    assert contents(place) == model("new" if (rename, moment) == (1, "after") else "old")
    assert [path.name for path in place.parent.iterdir()] == ["mine"]


def failing(
    rename: Callable[..., Path], *, at: int, moment: str, failure: BaseException
) -> Callable[..., Path]:
    """A rename that fails the time ``at``, without doing anything or having done it."""
    calls = []

    def renamed(source: Path, target: Path) -> Path:
        calls.append(source)
        if len(calls) - 1 != at:
            return rename(source, target)
        if moment == "after":
            rename(source, target)
        raise failure

    return renamed


def test_a_place_that_is_taken_is_refused_before_anything_is_written(place: Path) -> None:
    with pytest.raises(ModelError, match="mine: exists already"), staged_folder(place):
        pytest.fail("nothing is to be written")
    (place.parent / "notes").write_text("keep me")
    with (
        pytest.raises(ModelError, match="notes: "),
        staged_folder(place.parent / "notes", overwrite=True),
    ):
        pytest.fail("nothing is to be written")


def test_a_link_to_a_model_goes_on_leading_to_it(place: Path) -> None:
    link = place.with_name("link")
    link.symlink_to(place)
    with staged_folder(link, overwrite=True) as staged:
        write(staged, "new")
    assert link.is_symlink()
    assert contents(place) == model("new")
