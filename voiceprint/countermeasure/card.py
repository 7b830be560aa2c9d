"""CountermeasureCard: what a countermeasure's folder says about itself, and where it decides."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from voiceprint.arguments import check_number
from voiceprint.calibration.plain import check_keys, read_number, read_sequence
from voiceprint.errors import CalibrationError, ModelError
from voiceprint.files.text import read_text
from voiceprint.files.whole import write_whole

CARD_FILE = "countermeasure.toml"
NETWORK_FILE = "countermeasure.onnx"

_TABLES = ("name", "version", "licence", "sha256", "calibration", "trained_on", "measured")
_CALIBRATION = ("slope", "offset", "per_log_second", "rates", "seconds", "thresholds")


@dataclass(frozen=True, slots=True, kw_only=True)
class CountermeasureCard:
    """The data of a countermeasure's card.

    Parameters
    ----------
    sha256 : str
        Of the network.
    slope, offset, per_log_second : float
        A score's log-likelihood ratio is ``slope * score + per_log_second * log(seconds) + offset``.
    rates : tuple of float
        Shares of people rejected for which thresholds were fitted, rising.
    seconds : tuple of float
        Lengths of speech for which they were, rising: the less speech, the wider scores lie.
    thresholds : tuple of tuple of float
        For each length those of the rates; a clip is taken as live if ``score >= threshold``.
    trained_on : tuple of str
        The corpora and the machines.
    measured : Mapping
        What was measured of it, as it stands in the file.
    """

    name: str
    version: str
    licence: str
    sha256: str
    slope: float
    offset: float
    per_log_second: float
    rates: tuple[float, ...]
    seconds: tuple[float, ...]
    thresholds: tuple[tuple[float, ...], ...]
    trained_on: tuple[str, ...] = ()
    measured: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        rising = all(a < b for row in (self.rates, self.seconds) for a, b in pairwise(row))
        shaped = len(self.thresholds) == len(self.seconds) and all(
            len(row) == len(self.rates) for row in self.thresholds
        )
        if not (self.rates and self.seconds and rising and shaped):
            raise CalibrationError(
                f"{self.name}: {len(self.thresholds)} rows of thresholds, lengths {list(self.seconds)} and "
                f"rates {list(self.rates)}; both must rise, with one row for each length"
            )

    @property
    def title(self) -> str:
        """Name and version, as people read them."""
        return f"{self.name} {self.version}"

    def check_rate(self, spoof_far: float) -> None:
        """Refuse a share of people rejected that no threshold was fitted for.

        Raises
        ------
        ArgumentError
            If it is no number, or out of the range of the card's rates.
        """
        check_number("spoof_far", spoof_far, least=self.rates[0], most=self.rates[-1])

    def threshold(self, spoof_far: float, *, seconds: float) -> float:
        """Return the score below which a clip is not taken as live.

        Parameters
        ----------
        spoof_far : float
            Share of people rejected, from the lowest to the highest rate of the card; between two of its
            rates, and two of its lengths, thresholds are interpolated over the logarithm.
        seconds : float
            Length of the speech.

        Raises
        ------
        ArgumentError
            If the rate is not one that thresholds were fitted for.
        """
        self.check_rate(spoof_far)
        of_rate = [float(np.interp(np.log(spoof_far), np.log(self.rates), row)) for row in self.thresholds]
        return float(np.interp(np.log(max(seconds, 1e-3)), np.log(self.seconds), of_rate))

    def llr(self, score: float, *, seconds: float) -> float:
        """Return how much likelier a score is of somebody who speaks than of a machine, as a logarithm."""
        length = float(np.log(np.clip(seconds, self.seconds[0], self.seconds[-1])))
        return self.slope * score + self.per_log_second * length + self.offset


def read_countermeasure_card(folder: Path) -> CountermeasureCard:
    """Read the card of a countermeasure's folder.

    Raises
    ------
    ModelError
        If it is missing, or not such a card.
    """
    path = folder / CARD_FILE
    try:
        table = tomllib.loads(read_text(path))
        check_keys(table, _TABLES, CARD_FILE)
        calibration = table.pop("calibration")
        check_keys(calibration, _CALIBRATION, "calibration")
        fitted: dict[str, Any] = {key: read_number(calibration[key], key) for key in _CALIBRATION[:3]}
        fitted |= {key: _row(calibration[key], key) for key in ("rates", "seconds")}
        fitted["thresholds"] = tuple(
            _row(row, "thresholds") for row in read_sequence(calibration["thresholds"], "thresholds")
        )
        table["trained_on"] = tuple(table["trained_on"])
        return CountermeasureCard(**table, **fitted)
    except (OSError, ValueError, CalibrationError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise ModelError(f"{path}: is no card of a countermeasure ({reason})", path=str(path)) from error


def write_card(folder: Path, card: CountermeasureCard) -> None:
    """Write the card of a countermeasure's folder."""
    import tomli_w  # noqa: PLC0415  only writing needs it

    table = {key: value for key, value in asdict(card).items() if key not in _CALIBRATION}
    calibration = {key: asdict(card)[key] for key in _CALIBRATION}
    write_whole(folder / CARD_FILE, tomli_w.dumps(table | {"calibration": calibration}))


def _row(value: Any, where: str) -> tuple[float, ...]:
    return tuple(read_number(number, where) for number in read_sequence(value, where))
