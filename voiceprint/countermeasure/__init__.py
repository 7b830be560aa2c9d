"""The countermeasure: whether somebody speaks, or a machine does (see countermeasure.md)."""

from voiceprint.countermeasure.card import CountermeasureCard, read_countermeasure_card
from voiceprint.countermeasure.detector import (
    KINDS,
    Countermeasure,
    SpoofScore,
    log_odds,
    packaged_countermeasure,
)
from voiceprint.countermeasure.liveness import DEFAULT_SPOOF_FAR, Liveness, LivenessCheck

__all__ = [
    "DEFAULT_SPOOF_FAR",
    "KINDS",
    "Countermeasure",
    "CountermeasureCard",
    "Liveness",
    "LivenessCheck",
    "SpoofScore",
    "log_odds",
    "packaged_countermeasure",
    "read_countermeasure_card",
]
