"""What a model's card says, as rows of a table."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from voiceprint.cli.terminal import count

if TYPE_CHECKING:
    from voiceprint.countermeasure import CountermeasureCard
    from voiceprint.model.card import ModelCard


def open_card(model: str | Path | None) -> ModelCard:
    """Read the card of a model by its name or folder; None: of the one in use."""
    from voiceprint.model.card import read_model_card
    from voiceprint.model.registry import resolve_model

    return read_model_card(resolve_model(model))


def countermeasure_card(name: str) -> CountermeasureCard | None:
    """Read the card of a countermeasure, of a folder or the packaged one; None where there is no such."""
    from voiceprint.countermeasure import Countermeasure, read_countermeasure_card
    from voiceprint.countermeasure.card import CARD_FILE

    if name == "countermeasure":
        return Countermeasure.open().card
    folder = Path(name)
    return read_countermeasure_card(folder) if (folder / CARD_FILE).is_file() else None


def card_rates(card: ModelCard) -> dict[str, float]:
    """Every number of the table ``measured``, by its dotted key."""
    return {key: value for key, value in flat_table(dict(card.measured)).items() if isinstance(value, float)}


def cell_rates(card: ModelCard) -> dict[str, float]:
    """The equal error rates of the calibration, by what they are of."""
    cells = () if card.calibration is None else card.calibration.cells
    return {f"EER, {count(cell.n_enroll, 'clip')}, {cell.seconds:g} s": cell.eer for cell in cells}


def flat_table(table: dict[str, Any], where: str = "") -> dict[str, Any]:
    """Every value of nested tables, by its dotted key."""
    flat: dict[str, Any] = {}
    for key, value in table.items():
        flat |= flat_table(value, f"{where}{key}.") if isinstance(value, dict) else {f"{where}{key}": value}
    return flat
