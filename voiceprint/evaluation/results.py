"""What was measured of models on sets of clips: every figure of a report is a field here and in its JSON."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from voiceprint.errors import TrialError
from voiceprint.evaluation.benchmark import EpisodeResult
from voiceprint.evaluation.report import EvaluationReport
from voiceprint.files.text import read_text
from voiceprint.html import card, grid
from voiceprint.metrics import ConfusionMatrix, Interval, ReliabilityBin
from voiceprint.percent import percent


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionRate:
    """What a model's thresholds do.

    Parameters
    ----------
    p_fa, p_miss : Interval
        The rates found; intervals draw speakers anew.
    resolved : bool
        Whether the card's trials were enough to measure the rate.
    """

    asked: float
    p_fa: Interval
    p_miss: Interval
    false_accepts: int
    n_nontarget: int
    misses: int
    n_target: int
    resolved: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class OutOfSetRate:
    """How often ``identify`` names out-of-set speakers, at a model's thresholds.

    Parameters
    ----------
    asked : float
        The rate that was asked for: of an out-of-set speaker to be given any name.
    found : float
        Clips of enrolled people that are given the right name.
    enrolled, n_out_of_set, n_known : int
        People enrolled in a draw; clips of out-of-set speakers and of enrolled people, over all draws.
    """

    asked: float
    named: Interval
    found: float
    enrolled: int
    n_out_of_set: int
    n_known: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DetLine:
    """Misses against false accepts, with the band in which the curve of other speakers like these lies.

    Parameters
    ----------
    band_p_fa, band_low, band_high : tuple of float
        Miss rates at some false-accept rates, with 95 %; empty where there are too few speakers.
    """

    p_fa: tuple[float, ...]
    p_miss: tuple[float, ...]
    band_p_fa: tuple[float, ...] = ()
    band_low: tuple[float, ...] = ()
    band_high: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Histogram:
    """Shares of scores between edges (n + 1), of the same person and of different people (n each)."""

    edges: tuple[float, ...]
    target: tuple[float, ...]
    nontarget: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Protocol:
    """Verification with voiceprints of so many clips.

    Parameters
    ----------
    decisions : tuple of DecisionRate
        Empty for a model without calibration, as is `reliability`.
    """

    n_enroll: int
    evaluation: EvaluationReport
    det: DetLine
    histogram: Histogram
    decisions: tuple[DecisionRate, ...]
    reliability: tuple[ReliabilityBin, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LengthRow:
    """Verification with test clips cut to a length.

    Parameters
    ----------
    seconds : float or None
        Of speech; None is the whole clip.
    eer : Interval or None
        None where fewer than five speakers have clips so long, or there are no trials.
    decision : DecisionRate or None
        At a false-accept rate of 1 %.
    n_clips, n_speakers : int
        Test clips that are so long, and whose they are.
    """

    seconds: float | None
    eer: Interval | None
    decision: DecisionRate | None
    n_clips: int
    n_speakers: int


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupRow:
    """Verification within a group of people, or under a condition.

    Parameters
    ----------
    kind : str
        What divides the groups: ``gender``, ``age``, ``session``, or the kind of a condition.
    eer : Interval or None
        None where the group is too small.
    decision : DecisionRate or None
        At a false-accept rate of 1 %; None without calibration or where the group is too small.
    """

    kind: str
    name: str
    eer: Interval | None
    decision: DecisionRate | None
    n_speakers: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WorstTrial:
    """A trial that went most wrong.

    Parameters
    ----------
    target : bool
        Whether it is one person: then it scored too low, else too high.
    enroll, test : str
        The voiceprint's clips, joined by spaces, and the test clip.
    enroll_path, test_path : str
        The first of the enrolled files, and the test file.
    """

    target: bool
    enroll: str
    test: str
    enroll_speaker: str
    test_speaker: str
    enroll_path: str
    test_path: str
    score: float
    llr: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddingMap:
    """Clips on a plane, near where their embeddings are near.

    Parameters
    ----------
    x, y : tuple of float (n,)
    speakers, genders : tuple of str (n,)
        Who speaks, and ``f``, ``m`` or empty.
    """

    method: str
    x: tuple[float, ...]
    y: tuple[float, ...]
    speakers: tuple[str, ...]
    genders: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Confusion:
    """What a classifier of a closed set of people answered.

    Examples
    --------
    >>> from voiceprint.evaluation import Confusion
    >>> from voiceprint.metrics import ConfusionMatrix
    >>> matrix = ConfusionMatrix(names=("ada", "bert"), counts=((3, 1), (0, 4)))
    >>> Confusion(title="five speakers", matrix=matrix).matrix.accuracy
    0.875
    """

    title: str
    matrix: ConfusionMatrix


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemReport:
    """What one model does on one set of clips.

    Parameters
    ----------
    protocols : tuple of Protocol
        By number of enrolled clips; the last is the one that the other figures use.
    failed : mapping of str to str
        Clips without an embedding, and why.
    """

    name: str
    protocols: tuple[Protocol, ...]
    out_of_set: tuple[OutOfSetRate, ...] = ()
    shots: tuple[EpisodeResult, ...] = ()
    lengths: tuple[LengthRow, ...] = ()
    groups: tuple[GroupRow, ...] = ()
    conditions: tuple[GroupRow, ...] = ()
    map: EmbeddingMap | None = None
    worst: tuple[WorstTrial, ...] = ()
    failed: Mapping[str, str] = field(default_factory=dict)

    @property
    def main(self) -> Protocol:
        """The protocol that the other figures use."""
        return self.protocols[-1]


@dataclass(frozen=True, slots=True, kw_only=True)
class SetReport:
    """One set of clips, and what every model does on it; the first model is the one reported on.

    Parameters
    ----------
    note : str
        What a reader must know of these recordings.
    """

    name: str
    split: str
    n_speakers: int
    n_utterances: int
    hours: float
    fingerprint: str
    systems: tuple[SystemReport, ...]
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A whole report.

    Parameters
    ----------
    models : mapping of str to mapping
        Facts about each model: title, id, licence, description.

    Examples
    --------
    >>> from voiceprint.evaluation import Report
    >>> report = Report(title="Ours", models={}, sets=(), environment={"python": "3.13"}, seeds={})
    >>> report.title, report.sets
    ('Ours', ())
    """

    title: str
    models: Mapping[str, Mapping[str, str]]
    sets: tuple[SetReport, ...]
    environment: Mapping[str, str]
    seeds: Mapping[str, int]
    confusions: tuple[Confusion, ...] = ()

    def _repr_html_(self) -> str:
        """Return what a notebook shows: of each set the first model, as people are enrolled."""
        rows = [
            (measured.name, percent(protocol.evaluation.metrics.eer), asked, p_fa, p_miss)
            for measured in self.sets
            for protocol in measured.systems[0].protocols[-1:]
            for asked, p_fa, p_miss in _rates(protocol)
        ]
        return card(self.title, grid(["recordings", "EER", "asked", "FAR", "FRR"], rows))


def _rates(protocol: Protocol) -> list[tuple[str, str, str]]:
    rates = [
        (percent(at.asked), percent(at.p_fa.value), percent(at.p_miss.value)) for at in protocol.decisions
    ]
    return rates or [("", "", "")]


def read_confusion(path: str | os.PathLike[str]) -> Confusion:
    """Read a classifier's confusion matrix.

    Parameters
    ----------
    path : path
        A JSON object as `ConfusionMatrix.from_dict` takes it: ``names`` and ``counts``, alone or under
        ``confusion``; with a ``title``, where it has one.

    Returns
    -------
    Confusion
        With the file's name for a title where it gives none.

    Raises
    ------
    TrialError
        If the file cannot be read or is no confusion matrix.
    """
    file = Path(path)
    try:
        data = json.loads(read_text(file))
        matrix = ConfusionMatrix.from_dict(data)
    except OSError as error:
        raise TrialError(f"{file}: cannot be read: {error.strerror}") from error
    except ValueError as error:  # not JSON, or not text
        raise TrialError(f"{file}: is not JSON: {error}") from error
    except TrialError as error:
        raise TrialError(f"{file}: {error}") from error
    title = data.get("title")
    return Confusion(title=title if isinstance(title, str) and title else file.stem, matrix=matrix)
