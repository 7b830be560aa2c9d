"""What a model's card says, as rows of a table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from voiceprint.cli.terminal import count

if TYPE_CHECKING:
    from voiceprint.model.card import ModelCard

__all__ = ["card_rates", "cell_rates", "flat_table", "open_card"]


def open_card(model: str) -> ModelCard:
    """Read the card of a model by its name or folder."""
    from voiceprint.model.card import read_model_card
    from voiceprint.model.registry import resolve_model

    return read_model_card(resolve_model(model))


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
