"""ModelCard: what a model folder says about itself, read from and written to ``model.toml``.

The layout is documented in docs/reference/model-folder.md.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from voiceprint.audio import SAMPLE_RATE
from voiceprint.calibration import Calibration, OpenSet, OperatingPoint
from voiceprint.errors import CalibrationError, ModelError
from voiceprint.files.text import read_text

FORMAT = 1
"""The version of the model.toml layout that this code reads and writes."""

CARD_FILE = "model.toml"
PAGE_FILE = "README.md"
ENCODER_FILE = "encoder.onnx"
WEIGHTS_FILE = "weights.safetensors"
COHORT_FILE = "cohort.npz"

_Part = TypeVar("_Part")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_KNOWN_TABLES = (
    "format",
    "model",
    "encoder",
    "training",
    "files",
    "calibration",
    "open_set",
    "decision",
    "measured",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelCard:
    """The data of a model's card.

    Attributes
    ----------
    name, version, description, licence : str
        What the model is called, which release it is, one sentence about it, the licence of its weights.
    files : Mapping[str, str]
        File name -> sha256 in hexadecimal; holds at least ``encoder.onnx``.
    sample_rate : int
        Rate in Hz of the waveforms the encoder takes; always 16000.
    calibration : Calibration or None
        Scores -> log-likelihood ratios and thresholds. A model without one still embeds and compares.
    open_set : OpenSet or None
        Where a search among several people decides, with the voices of ``cohort.npz``; None where each of N
        people is decided on by the Nth part of the rate.
    decision : OperatingPoint
        Where to decide unless told otherwise.
    min_seconds : float
        The shortest waveform the encoder takes; shorter ones are repeated up to it.
    encoder, training, measured : Mapping[str, Any]
        The tables of these names, as they stand: architecture and features, corpora and steps, error rates.
    extra : Mapping[str, Any]
        Every other table, kept so that rewriting a card loses nothing.

    Examples
    --------
    >>> model.card.dim
    192
    """

    name: str
    version: str
    dim: int
    files: Mapping[str, str]
    description: str = ""
    licence: str = ""
    sample_rate: int = SAMPLE_RATE
    calibration: Calibration | None = field(default=None, repr=False)
    open_set: OpenSet | None = field(default=None, repr=False)
    decision: OperatingPoint = field(default_factory=OperatingPoint)
    min_seconds: float = 0.1
    encoder: Mapping[str, Any] = field(default_factory=dict, repr=False)
    training: Mapping[str, Any] = field(default_factory=dict, repr=False)
    measured: Mapping[str, Any] = field(default_factory=dict, repr=False)
    extra: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @property
    def id(self) -> str:
        """The sha256 of encoder.onnx, which is what a voiceprint belongs to.

        Examples
        --------
        >>> model.card.id == model.id
        True
        """
        return self.files[ENCODER_FILE]

    @property
    def title(self) -> str:
        """Name and version, for people.

        Examples
        --------
        >>> model.card.title == f"{model.card.name} {model.card.version}"
        True
        """
        return f"{self.name} {self.version}"

    def to_dict(self) -> dict[str, Any]:
        """Return the tables of model.toml.

        Examples
        --------
        >>> model.card.to_dict()["model"]["dim"]
        192
        """
        model = {
            "name": self.name,
            "version": self.version,
            "description": self.description,
            "licence": self.licence,
            "dim": self.dim,
            "sample_rate": self.sample_rate,
        }
        tables: dict[str, Any] = {
            "format": FORMAT,
            "model": model,
            "encoder": {**self.encoder, "min_seconds": self.min_seconds},
            "training": dict(self.training),
            "files": dict(self.files),
            "measured": dict(self.measured),
            "decision": self.decision.to_dict(),
            **self.extra,
        }
        if self.calibration is not None:
            tables["calibration"] = self.calibration.to_dict()
        if self.open_set is not None:
            tables["open_set"] = self.open_set.to_dict()
        return tables


def read_model_card(folder: str | os.PathLike[str]) -> ModelCard:
    """Read and check ``model.toml`` of a model folder.

    Raises
    ------
    ModelError
        If the folder or its card is missing, not TOML, of another format, or says something impossible.

    Examples
    --------
    >>> from voiceprint.model import PACKAGED_MODEL
    >>> read_model_card(PACKAGED_MODEL).dim
    192
    """
    return _CardReader(Path(folder)).read()


class _CardReader:
    """Turns the tables of one model.toml into a ModelCard, naming the file in every complaint."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / CARD_FILE

    def read(self) -> ModelCard:
        tables = self._parse()
        if tables.get("format") != FORMAT:
            raise self._error(
                f"format = {tables.get('format')!r}, but this version of voiceprint reads format {FORMAT}; "
                "update voiceprint, or export the model again"
            )
        model, encoder = self._table(tables, "model"), self._table(tables, "encoder")
        return ModelCard(
            name=self._text(model, "name"),
            version=self._text(model, "version"),
            description=self._text(model, "description", default=""),
            licence=self._text(model, "licence", default=""),
            dim=self._dim(model),
            sample_rate=self._sample_rate(model),
            files=self._files(tables),
            calibration=self._calibrated(tables, "calibration", Calibration.from_dict)
            if "calibration" in tables
            else None,
            open_set=self._open_set(tables),
            decision=self._calibrated(tables, "decision", OperatingPoint.from_dict, wrong="wrong"),
            min_seconds=self._min_seconds(encoder),
            encoder={key: value for key, value in encoder.items() if key != "min_seconds"},
            training=self._table(tables, "training"),
            measured=self._table(tables, "measured"),
            extra={key: value for key, value in tables.items() if key not in _KNOWN_TABLES},
        )

    def _parse(self) -> dict[str, Any]:
        if not self.folder.is_dir():
            raise ModelError(
                f"{self.folder}: no such model folder; give one that holds {CARD_FILE} and {ENCODER_FILE}",
                path=str(self.folder),
            )
        try:
            return tomllib.loads(read_text(self.path))
        except FileNotFoundError as error:
            raise ModelError(
                f"{self.folder}: not a model folder: it holds no {CARD_FILE}", path=str(self.folder)
            ) from error
        except OSError as error:
            raise self._error(f"cannot be read: {error.strerror}") from error
        except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise self._error(f"not a TOML file: {error}") from error

    def _error(self, message: str) -> ModelError:
        return ModelError(f"{self.path}: {message}", path=str(self.folder))

    def _table(self, tables: Mapping[str, Any], key: str) -> dict[str, Any]:
        table = tables.get(key, {})
        if not isinstance(table, dict):
            raise self._error(f"{key} = {table!r} is not a table")
        return table

    def _text(self, model: Mapping[str, Any], key: str, *, default: str | None = None) -> str:
        value = model.get(key, default)
        if not isinstance(value, str):
            raise self._error(f"[model] {key} = {value!r} is not text")
        return value

    def _dim(self, model: Mapping[str, Any]) -> int:
        dim = model.get("dim")
        if not isinstance(dim, int) or isinstance(dim, bool) or dim < 1:
            raise self._error(f"[model] dim = {dim!r} is not a positive whole number")
        return dim

    def _sample_rate(self, model: Mapping[str, Any]) -> int:
        rate = model.get("sample_rate", SAMPLE_RATE)
        if rate != SAMPLE_RATE:
            raise self._error(f"[model] sample_rate = {rate!r}, but encoders take {SAMPLE_RATE} Hz")
        return SAMPLE_RATE

    def _min_seconds(self, encoder: Mapping[str, Any]) -> float:
        seconds = encoder.get("min_seconds", 0.1)
        if not isinstance(seconds, int | float) or not 0 < seconds <= 10:
            raise self._error(f"[encoder] min_seconds = {seconds!r} is not a number in (0, 10]")
        return float(seconds)

    def _files(self, tables: Mapping[str, Any]) -> dict[str, str]:
        files = self._table(tables, "files")
        if ENCODER_FILE not in files:
            raise self._error(f'[files] does not give the sha256 of "{ENCODER_FILE}"')
        for name, digest in files.items():
            if not isinstance(digest, str) or not _SHA256.fullmatch(digest):
                raise self._error(f'[files] "{name}" = {digest!r} is not a sha256 in lower-case hexadecimal')
        return files

    def _open_set(self, tables: Mapping[str, Any]) -> OpenSet | None:
        if "open_set" not in tables:
            return None
        if COHORT_FILE not in self._table(tables, "files"):
            raise self._error(f'[open_set] goes with a cohort, and [files] does not name "{COHORT_FILE}"')
        return self._calibrated(tables, "open_set", OpenSet.from_dict)

    def _calibrated(
        self, tables: Mapping[str, Any], key: str, read: Callable[[Any], _Part], *, wrong: str = "damaged"
    ) -> _Part:
        try:
            return read(self._table(tables, key))
        except CalibrationError as error:
            raise self._error(f"[{key}] is {wrong}: {error}") from error
