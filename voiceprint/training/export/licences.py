"""Under which terms the speech and the noise of a training run stand: from one TOML file to the model's card.

The file has a table for each corpus::

    [librispeech]
    licence = "CC BY 4.0"
    source = "https://www.openslr.org/12/"
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from voiceprint.config import build, read_toml
from voiceprint.errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class CorpusLicence:
    """Terms of a corpus.

    Parameters
    ----------
    licence : str
        Its name, or the terms in a few words.
    source : str
        Where the corpus comes from: an address, mostly.
    """

    licence: str
    source: str = ""


def read_licences(path: Path, corpora: Path) -> dict[str, CorpusLicence]:
    """Read the licences of corpora; they may be more than a run was trained on.

    Parameters
    ----------
    path : Path
        A TOML file with a table for each corpus.
    corpora : Path
        Root of the corpora, where each of them has to be.

    Raises
    ------
    ConfigError
        The file is missing or not TOML, a key is unknown or missing, or there is no such corpus.
    """
    tables = read_toml(path)
    known = sorted(manifest.parent.name for manifest in corpora.glob("*/manifest.csv"))
    for name, table in tables.items():
        if name not in known:
            close = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {close[0]!r}?" if close else f"there are: {', '.join(known) or 'none'}"
            raise ConfigError(f"{path}: [{name}]: no such corpus in {corpora}; {hint}")
        if not isinstance(table, Mapping):
            raise ConfigError(f"{path}: {name} = {table!r}: write a table [{name}] with its licence")
    return {name: build(CorpusLicence, table, where=name) for name, table in tables.items()}


def with_licences(training: Mapping[str, Any], licences: Mapping[str, CorpusLicence]) -> dict[str, Any]:
    """A card's table ``[training]`` with the licences of its speech and noise, where they are stated."""
    return {
        key: {name: {**facts, **_stated(licences.get(name))} for name, facts in value.items()}
        if key in {"speech", "noise"}
        else value
        for key, value in training.items()
    }


def _stated(licence: CorpusLicence | None) -> dict[str, str]:
    return {} if licence is None else {key: value for key, value in asdict(licence).items() if value}
