"""WordCard: what the folder of a word checker says about itself, and where it decides."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from voiceprint.arguments import check_number
from voiceprint.calibration.plain import check_keys, read_number
from voiceprint.errors import CalibrationError, ModelError
from voiceprint.files.text import read_text
from voiceprint.files.whole import write_whole

CARD_FILE = "challenge.toml"
NETWORK_FILE = "challenge.onnx"

_KEYS = ("name", "version", "licence", "sha256", "threshold", "trained_on", "measured")


@dataclass(frozen=True, slots=True, kw_only=True)
class WordCard:
    """The data of a word checker's card.

    Parameters
    ----------
    sha256 : str
        Of the network.
    threshold : float
        The lowest score of an order that counts as said.
    trained_on : tuple of str
        The corpora.
    measured : Mapping
        What was measured of it, as it stands in the file.
    """

    name: str
    version: str
    licence: str
    sha256: str
    threshold: float
    trained_on: tuple[str, ...] = ()
    measured: Mapping[str, Any] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """Name and version, as people read them."""
        return f"{self.name} {self.version}"


def read_word_card(folder: Path) -> WordCard:
    """Read the card of a word checker's folder.

    Raises
    ------
    ModelError
        If it is missing, or not such a card.
    """
    path = folder / CARD_FILE
    try:
        table = tomllib.loads(read_text(path))
        check_keys(table, _KEYS, CARD_FILE)
        table["threshold"] = check_number("threshold", read_number(table["threshold"], "threshold"))
        table["trained_on"] = tuple(table["trained_on"])
        return WordCard(**table)
    except (OSError, ValueError, CalibrationError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise ModelError(f"{path}: is no card of a word checker ({reason})", path=str(path)) from error


def write_word_card(folder: Path, card: WordCard) -> None:
    """Write the card of a word checker's folder."""
    import tomli_w  # noqa: PLC0415  only writing needs it

    write_whole(folder / CARD_FILE, tomli_w.dumps(asdict(card)))
