"""A model folder in its place, whole or not at all: it is written beside it, and renamed into it."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from voiceprint.errors import FolderExistsError, ModelError
from voiceprint.files.whole import write_whole
from voiceprint.model.card import CARD_FILE, PAGE_FILE, ModelCard
from voiceprint.model.card_page import render_card

_INSTALLED = {"site-packages", "dist-packages"}


@contextmanager
def staged_folder(folder: Path, *, overwrite: bool = False) -> Iterator[Path]:
    """An empty folder to write a model into, which takes its place when the block has ended well.

    Where the block fails, or the new model cannot be moved in, ``folder`` is what it was. A process killed
    between the two renames that replace a model leaves both whole, the old and the new one, in a hidden
    folder ``.NAME-*`` beside the place.

    Parameters
    ----------
    folder : Path
        The model's place; what leads there is made.
    overwrite : bool
        Whether a model folder that exists may be replaced. One inside an installed package never is, and
        neither is a folder that holds something else.

    Yields
    ------
    Path
        An empty folder on the same file system.

    Raises
    ------
    ModelError
        The place is taken, or cannot be written.
    """
    place = folder.resolve()  # a link to a model goes on leading to it
    try:
        _check_place(folder, overwrite=overwrite)
        place.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=place.parent, prefix=f".{place.name}-") as scratch:
            staged = Path(scratch) / "new"
            staged.mkdir()
            yield staged
            _move(staged, place, aside=Path(scratch) / "old")
    except OSError as error:
        raise ModelError(
            f"{folder}: cannot be written: {error.strerror or error}", path=str(folder)
        ) from error


def _move(staged: Path, place: Path, *, aside: Path) -> None:
    if not place.exists():
        staged.rename(place)
        return
    try:
        place.rename(aside)
        staged.rename(place)
    except BaseException:  # an interrupt, too, must not leave the place empty
        if not place.exists():
            aside.rename(place)
        raise


def _check_place(folder: Path, *, overwrite: bool) -> None:
    if _INSTALLED & set(folder.absolute().resolve().parts):
        raise ModelError(
            f"{folder}: belongs to an installed package, which is never changed; name another folder",
            path=str(folder),
        )
    if folder.exists() and not overwrite:
        raise FolderExistsError(
            f"{folder}: exists already", advice="name another folder, or overwrite it", path=str(folder)
        )
    if folder.exists() and not (folder / CARD_FILE).is_file() and any(folder.iterdir()):
        raise ModelError(f"{folder}: is no model folder, and is not replaced by one", path=str(folder))


def write_model_card(folder: str | os.PathLike[str], card: ModelCard) -> None:
    """Write ``model.toml`` into a model folder, and ``README.md``, the same for people.

    In one step: a reader sees the old card or the new one.

    Parameters
    ----------
    folder : path
        The model folder; it must exist.

    Raises
    ------
    ModelError
        If the folder cannot be written.
    """
    import tomli_w  # noqa: PLC0415  only writing needs it

    _replace(Path(folder) / CARD_FILE, tomli_w.dumps(card.to_dict()))
    _replace(Path(folder) / PAGE_FILE, render_card(card))


def _replace(path: Path, text: str) -> None:
    try:
        write_whole(path, text)
    except OSError as error:
        raise ModelError(
            f"{path}: cannot write the model card: {error.strerror}", path=str(path.parent)
        ) from error
