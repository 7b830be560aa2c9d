"""The countermeasure: whether somebody speaks, or a machine does (see countermeasure.md)."""

from voiceprint.countermeasure.card import CountermeasureCard, read_countermeasure_card
from voiceprint.countermeasure.detector import KINDS, Countermeasure, SpoofScore, log_odds

__all__ = [
    "KINDS",
    "Countermeasure",
    "CountermeasureCard",
    "SpoofScore",
    "log_odds",
    "read_countermeasure_card",
]
