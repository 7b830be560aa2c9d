"""Named, versioned model folders under one root, and the one that is used where none is named.

A registered model lies in ``ROOT/NAME/VERSION/``, name and version being those of its card. The file
``ROOT/used`` names the one in use; without it, that is the model which comes with the package.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from voiceprint.arguments import check_type
from voiceprint.errors import ModelError, ModelExistsError, NoHomeError
from voiceprint.files.checksum import sha256_of
from voiceprint.files.user_folders import named_folder, user_folder
from voiceprint.files.whole import write_whole
from voiceprint.model.card import ModelCard, read_model_card

PACKAGED_MODEL = Path(__file__).parents[1] / "models" / "default"
"""The model folder that comes with the package."""

PACKAGED = "default"
"""What `Registry.use` takes for the packaged model."""

_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,99}")


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisteredModel:
    """A model folder of a registry."""

    folder: Path
    card: ModelCard
    used: bool

    @property
    def title(self) -> str:
        """How it is named on the command line: ``NAME@VERSION``."""
        return f"{self.card.name}@{self.card.version}"


class Registry:
    """The models under one root.

    Parameters
    ----------
    root : Path, optional
        The root; `default_models_path` where left out. It need not exist. A user without a home folder has
        the packaged model alone.
    """

    def __init__(self, root: Path | None = None) -> None:
        self._root = root

    @property
    def root(self) -> Path:
        """The root; NoHomeError if none was given, and the user has no home folder."""
        return default_models_path() if self._root is None else self._root

    def models(self) -> list[RegisteredModel]:
        """All registered models, by name and version; ModelError if a folder is damaged."""
        used = self.used()
        try:
            folders = sorted(card.parent for card in self.root.glob("*/*/model.toml"))
        except NoHomeError:
            return []
        return [
            RegisteredModel(folder=folder, card=read_model_card(folder), used=folder == used)
            for folder in folders
            if not folder.parent.name.startswith(".")
        ]

    def find(self, title: str) -> RegisteredModel:
        """The model called ``NAME@VERSION``, or ``NAME`` where there is one version of it.

        Raises
        ------
        ModelError
            There is none, or there are several.
        """
        models = self.models()
        found = [model for model in models if title in {model.title, model.card.name}]
        if len(found) == 1:
            return found[0]
        problem = "has several versions" if found else "is not registered"
        choice = [model.title for model in found] or [PACKAGED, *(model.title for model in models)]
        raise ModelError(f"model {title!r} {problem}; there are: {', '.join(choice)}", path=title)

    def add(self, folder: Path) -> RegisteredModel:
        """Copy a model folder into the registry, under the name and version of its card.

        Raises
        ------
        ModelError
            The folder is no sound model folder, or its name or version cannot name a folder.
        ModelExistsError
            A model of that name and version is there already.
        """
        card = read_model_card(folder)
        for word in (card.name, card.version):
            if not _WORD.fullmatch(word):
                raise ModelError(
                    f"{folder}: {word!r} cannot name a folder; use letters, digits and . _ + -",
                    path=str(folder),
                )
        _check_files(folder, card)
        place = self.root / card.name / card.version
        if place.exists():
            raise _taken(place, card)
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=self.root, prefix=".adding-") as temporary:
                shutil.copytree(folder, Path(temporary) / "model")
                (Path(temporary) / "model").replace(place)
        except OSError as error:
            if error.errno in {errno.ENOTEMPTY, errno.EEXIST}:  # another process was faster
                raise _taken(place, card) from error
            raise ModelError(
                f"{self.root}: the model cannot be registered ({error.strerror})", path=str(self.root)
            ) from error
        return RegisteredModel(folder=place, card=card, used=False)

    def use(self, title: str) -> Path:
        """Make a registered model, or ``default`` for the packaged one, the one in use; return its folder."""
        note = self.root / "used"
        if title == PACKAGED:
            note.unlink(missing_ok=True)
            return PACKAGED_MODEL
        folder = self.find(title).folder
        write_whole(note, folder.relative_to(self.root).as_posix() + "\n")
        return folder

    def used(self) -> Path:
        """The folder of the model in use."""
        try:
            noted = (self.root / "used").read_text(encoding="utf-8").strip()
        except (FileNotFoundError, NotADirectoryError, NoHomeError):  # HOME=/dev/null is usual for services
            return PACKAGED_MODEL
        return self.root / noted


def default_models_path() -> Path:
    """``VOICEPRINT_MODELS`` where it is set, else ``models`` in the user's data directory."""
    variable = "VOICEPRINT_MODELS"
    named = named_folder(variable)
    return user_folder("data", variable=variable) / "models" if named is None else named


def resolve_model(model: str | os.PathLike[str] | None) -> Path:
    """The folder meant by a path, by a registered model's name, by ``default``, or by None: the one in use.

    A folder that exists goes before a registered model of the same name, and before ``default``: the model
    that comes along, whichever is in use.

    Raises
    ------
    ModelError
        A registered name with several versions is given without one.
    ArgumentError
        It is neither text nor a path.
    """
    registry = Registry()
    if model is None:
        return registry.used()
    check_type("model", model, (str, os.PathLike), "a model folder or a registered name")
    folder = Path(model)
    if folder.exists() or len(folder.parts) != 1:
        return folder
    if os.fspath(model) == PACKAGED:
        return PACKAGED_MODEL
    known = any(os.fspath(model) in {each.title, each.card.name} for each in registry.models())
    return registry.find(os.fspath(model)).folder if known else folder


def find_model(model_id: str, *, noted: str = "") -> Path | None:
    """Find the model folder with an id: where it was noted, in the package, or registered; None if nowhere.

    Parameters
    ----------
    noted : str
        The folder where it was; empty if that is not known.
    """
    places = [Path(noted)] if noted else []
    places.append(PACKAGED_MODEL)
    with suppress(ModelError):
        places += [model.folder for model in Registry().models()]
    for folder in places:
        with suppress(ModelError):
            if read_model_card(folder).id == model_id:
                return folder
    return None


def _taken(place: Path, card: ModelCard) -> ModelExistsError:
    return ModelExistsError(
        f"{place}: {card.title} is registered already",
        advice="give the new one another version",
        path=str(place),
    )


def _check_files(folder: Path, card: ModelCard) -> None:
    for name, digest in card.files.items():
        path = folder / name
        if path.exists() and sha256_of(path) != digest:
            raise ModelError(
                f"{path}: is not the file that the card describes; copy the model folder again",
                path=str(folder),
            )
        if not path.exists() and name == "encoder.onnx":
            raise ModelError(f"{path}: is missing; copy the model folder again", path=str(folder))
