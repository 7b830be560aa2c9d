"""Origins: the models that a run learned from, stored beside its recipe and named on its model's card."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

from voiceprint.config import build
from voiceprint.errors import ConfigError
from voiceprint.files.whole import write_whole
from voiceprint.model.card import read_model_card
from voiceprint.model.registry import resolve_model

__all__ = [
    "UNKNOWN",
    "Origins",
    "SourceModel",
    "licence_after",
    "origins_table",
    "read_origins",
    "read_record",
    "save_origins",
    "save_record",
    "source_of",
]

_FILE = "origins.json"

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceModel:
    """A model, or a pack of speech, that something was learned from.

    Parameters
    ----------
    id : str
        The sha256 of its ``encoder.onnx``, of a pack that of its ``pack.json``.
    licence : str
        Of its weights, as its card says; empty where that says nothing.
    """

    title: str
    id: str
    licence: str = ""


UNKNOWN = SourceModel(title="unknown", id="unknown")
"""A model that was not written down."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Origins:
    """What a run learned from beside its speech.

    Parameters
    ----------
    init : SourceModel or None
        The model whose weights it started from; None where it started from random ones.
    teacher : SourceModel or None
        The model whose embeddings it distils; `UNKNOWN` where its pool does not say, None without.
    pack : SourceModel or None
        The pack whose speech it began with; None where that was decoded from the corpora.
    speakers : str
        The sha256 of the names of those it is trained on; empty of older runs.
    """

    init: SourceModel | None = None
    teacher: SourceModel | None = None
    pack: SourceModel | None = None
    speakers: str = ""

    def require_continued(self, before: Origins) -> None:
        """Refuse to continue a run that was begun from ``before`` with other models, speech or speakers.

        A model that is not given again, or is unknown on either side, is no other. A run that was begun on a
        pack may go on with the speech that was packed: every pack holds all speakers.

        Raises
        ------
        ConfigError
            The run was begun with another model, another pack or none, or other speakers.
        """
        _require_same("init", before.init, self.init)
        _require_same("teacher", before.teacher, self.teacher)
        _require_same("pool", before.pack, self.pack, kind="pack")
        if before.speakers and before.speakers != self.speakers:
            raise ConfigError(
                "corpora: the run was begun with other speakers, and its classes would be taken for one "
                "another; continue it with the corpora that it was begun with, or train into another folder"
            )


def _require_same(
    argument: str, before: SourceModel | None, now: SourceModel | None, *, kind: str = "model"
) -> None:
    if now is None or UNKNOWN in (before, now) or (before is not None and before.id == now.id):
        return
    begun = f"no {kind}" if before is None else f"{before.title} (id {before.id[:12]})"
    raise ConfigError(
        f"{argument}: the run was begun with {begun}, not with {now.title} (id {now.id[:12]}); continue it "
        "with what it was begun with, or train into another folder"
    )


def source_of(model: str | os.PathLike[str]) -> SourceModel:
    """What the card of a model says: a folder, a registered name, or ``default``.

    Raises
    ------
    ModelError
        There is no such model.
    """
    card = read_model_card(resolve_model(model))
    return SourceModel(title=card.title, id=card.id, licence=card.licence)


def save_origins(origins: Origins, run: Path) -> None:
    """Write ``origins.json`` of a run."""
    save_record(origins, run / _FILE)


def read_origins(run: Path) -> Origins | None:
    """What a run wrote down of its origins; None where it is older than that file.

    Raises
    ------
    ConfigError
        The file is damaged.
    """
    path = run / _FILE
    return read_record(path, Origins) if path.exists() else None


def licence_after(licence: str, origins: Origins | None) -> str:
    """The licence of a run's model: that which its recipe names, else that of the model it started from."""
    inherited = "" if origins is None or origins.init is None else origins.init.licence
    return licence or inherited


def origins_table(origins: Origins | None, *, licence: str, teacher: str, history: str) -> dict[str, Any]:
    """What the table ``[training]`` of a card says of the models that a run learned from.

    Returns
    -------
    dict
        ``teacher`` and ``history``, for people, the recipe's words first; ``init`` and ``teacher_model``,
        each with title, id and licence.
    """
    origins = origins or Origins()
    models = {"init": origins.init, "teacher_model": origins.teacher}
    if origins.init is not None:
        history = f"{history} {_started_from(origins.init, licence)}".strip()
    if origins.pack is not None:
        history = f"{history} Training began with {origins.pack.title}.".strip()
    if origins.teacher is not None and not teacher:
        known = origins.teacher != UNKNOWN
        teacher = f"The teacher is {_titled(origins.teacher)}." if known else "The teacher is not known."
    said = {"teacher": teacher, "history": history}
    return {key: text for key, text in said.items() if text} | {
        key: asdict(model) for key, model in models.items() if model is not None
    }


def _started_from(init: SourceModel, licence: str) -> str:
    text = f"Training started from the weights of {_titled(init)}."
    if not licence or licence == init.licence:
        return text
    if not init.licence:
        return f"{text} Find out under which terms those are."
    return f"{text} Those terms hold beside {licence}: what is stricter in either binds."


def _titled(model: SourceModel) -> str:
    return f"{model.title} ({model.licence or 'whose licence is not recorded'})"


def save_record(record: Origins | SourceModel, path: Path) -> None:
    """Write what is known of models to a file."""
    write_whole(path, json.dumps(asdict(record), indent=2) + "\n")


def read_record(path: Path, kind: type[T]) -> T:
    """Read what `save_record` wrote of that kind.

    Raises
    ------
    ConfigError
        The file is damaged.
    """
    try:
        table = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"{path}: cannot be read ({error}); it says which models were learned from"
        ) from error
    if not isinstance(table, dict):
        raise ConfigError(f"{path}: is no list of models that were learned from")
    return build(kind, table)
