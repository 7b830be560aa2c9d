"""Thresholds of one store, fitted to the people who are enrolled in it: read and written.

A card's thresholds hold for people and microphones like those it was fitted to. What `fit_tuning` finds of
others lies in a file of the store: a shift, which is added to every threshold of the card.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from voiceprint.calibration import Calibration
from voiceprint.errors import TuningDamagedError
from voiceprint.files.checksum import checksum
from voiceprint.store import EnrollmentStore
from voiceprint.store.journal import reporting

__all__ = [
    "TUNING_FILE",
    "StoreTuning",
    "read_tuning",
    "remove_tuning",
    "write_tuning",
]

TUNING_FILE = "tuning.toml"
"""The name of the text beside the voiceprints."""

_FORMAT = 2
_WITHOUT_CHECKSUM = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreTuning:
    """What the people of a store say of their model's thresholds.

    Attributes
    ----------
    calibration : str
        Fingerprint of the card's calibration that was tuned: with another one, the shift means nothing.
    shift : float
        Added to every threshold of the card: the end of the interval that is nearest to 0, or 0 inside it.
    estimate, low, high : float
        The shift found, and where that of other people like these lies, with 95 %.
    rate : float
        The false-accept rate at which it was measured, the lowest that the clips are enough for.
    found : float
        The false-accept rate found there with the card's thresholds.
    misses, misses_tuned : float
        False-reject rates at a false-accept rate of 1 %, by the card's thresholds and by tuned ones.
    left_out : int
        People who took no part: with too few clips, or with a recording of somebody who did.
    generation : int
        The store's, so that it is known how much has changed since.
    """

    model_id: str
    calibration: str
    shift: float
    estimate: float
    low: float
    high: float
    rate: float
    found: float
    misses: float
    misses_tuned: float
    n_people: int
    n_clips: int
    left_out: int
    generation: int

    def fits(self, *, model_id: str, calibration: Calibration) -> bool:
        """Whether it was made for this model and this calibration."""
        return self.model_id == model_id and self.calibration == calibration.fingerprint

    @property
    def is_sure(self) -> bool:
        """Whether other people like these would move the thresholds the same way; if not, nothing moves."""
        return self.shift != 0.0


def write_tuning(store: EnrollmentStore, tuning: StoreTuning) -> None:
    """Write a tuning beside the store's voiceprints."""
    import tomli_w  # noqa: PLC0415  only writing needs it

    with reporting(store.path, "tune", shift=tuning.shift):
        facts = asdict(tuning)
        document = {"format": _FORMAT, "checksum": _checksum_of(facts), **facts}
        store.write_document(TUNING_FILE, tomli_w.dumps(document))


def read_tuning(store: EnrollmentStore) -> StoreTuning | None:
    """Read a store's tuning, None where it has none; TuningDamagedError if it is not what it should be."""
    path = f"{store.path}/{TUNING_FILE}"
    try:
        text = store.read_document(TUNING_FILE)
        if text is None:
            return None
        data = tomllib.loads(text)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise _damaged(path, str(error)) from error
    version = data.pop("format", None)
    if version not in (_WITHOUT_CHECKSUM, _FORMAT):
        raise _damaged(path, f"it is not of format {_FORMAT}")
    if version == _FORMAT and data.pop("checksum", None) != _checksum_of(data):
        raise _damaged(path, "its checksum is wrong")
    for name, value in data.items():
        wanted = str if name in ("model_id", "calibration") else (int, float)
        if not isinstance(value, wanted) or (isinstance(value, float) and not math.isfinite(value)):
            raise _damaged(path, f"{name} = {value!r}")
    try:
        return StoreTuning(**data)
    except TypeError as error:  # a value is missing, or there is one too many
        raise _damaged(path, str(error)) from error


def remove_tuning(store: EnrollmentStore) -> bool:
    """Go back to the card's thresholds; returns whether there was a tuning."""
    try:
        existed = store.read_document(TUNING_FILE) is not None
    except UnicodeDecodeError:  # damaged, and so to be removed all the more
        existed = True
    with reporting(store.path, "tune", shift=0.0):
        store.write_document(TUNING_FILE, None)
    return existed


def _checksum_of(facts: Mapping[str, object]) -> str:
    return checksum(sorted(facts.items())).hex()


def _damaged(path: str, why: str) -> TuningDamagedError:
    return TuningDamagedError(f"{path}: is damaged ({why})", advice="remove it, and tune again")
