"""What a notebook shows of an answer: escaped, asking nobody, and without a background of its own."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from voiceprint import (
    Comparison,
    Consent,
    Diarization,
    Enrollment,
    Identification,
    Match,
    SpeakerModel,
    Verification,
    Verifier,
)
from voiceprint.classification import ClassificationReport
from voiceprint.corpus import Corpus
from voiceprint.diarization.diarizer import DiarizedSpeaker
from voiceprint.diarization.turns import SpeakerTurn
from voiceprint.evaluation import evaluate_scores
from voiceprint.evaluation.results import Report
from voiceprint.metrics import ConfusionMatrix, Interval
from voiceprint.trials import ScoredTrials, make_trials

HOSTILE = "<script>alert('&')</script>"
DECIDED: dict[str, Any] = {"score": 0.9, "llr": 9.0, "threshold": 0.5, "threshold_source": "model"}


class Tags(HTMLParser):
    """The tags of a piece of HTML, and what its attributes say."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.opened: list[str] = []
        self.closed: list[str] = []
        self.attributes: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.opened.append(tag)
        self.attributes += [f"{key}={value}" for key, value in attrs]

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += [f"{key}={value}" for key, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        self.closed.append(tag)


def enrollment() -> Enrollment:
    at = datetime(2030, 1, 31, tzinfo=UTC)
    return Enrollment(
        name=HOSTILE,
        n_utterances=3,
        seconds_of_speech=9.0,
        model_id="0" * 64,
        created=at,
        updated=at,
        notes="",
        centroid=np.ones(2, np.float32),
        consent=Consent(by=HOSTILE, given=at, purpose=HOSTILE),
        expires=datetime(2031, 1, 31, tzinfo=UTC),
    )


def diarization() -> Diarization:
    speaker = DiarizedSpeaker(
        name=HOSTILE, identified=True, seconds_of_speech=1.0, turns=1, embedding=np.ones(2, np.float32)
    )
    turn = SpeakerTurn(start=0.0, stop=1.0, speaker=HOSTILE)
    return Diarization(source=HOSTILE, seconds=2.0, turns=(turn,), speakers=(speaker,), model="")


SHOWN = {
    "verification": Verification(
        name=HOSTILE,
        accepted=True,
        decision="accepted",
        seconds_of_speech=3.0,
        model="",
        reason=HOSTILE,
        **DECIDED,
    ),
    "no verdict": Verification(
        name="ada",
        accepted=False,
        decision="not_enough_speech",
        seconds_of_speech=0.1,
        model="",
        reason="short",
    ),
    "replayed": Verification(
        name="ada", accepted=False, decision="replayed", seconds_of_speech=3.0, model="", reason="", **DECIDED
    ),
    "identification": Identification(
        decision="identified",
        name=HOSTILE,
        matches=(Match(name=HOSTILE, score=0.9, llr=None),),
        seconds_of_speech=3.0,
        threshold=0.5,
        model="",
        reason=HOSTILE,
    ),
    "nobody enrolled": Identification(decision="unknown", seconds_of_speech=3.0, model=""),
    "comparison": Comparison(
        same=False, decision="different", seconds_of_speech=(1.0, 2.0), model="", reason=HOSTILE, **DECIDED
    ),
    "enrollment": enrollment(),
    "diarization": diarization(),
    "classification": ClassificationReport(
        confusion=ConfusionMatrix(names=(HOSTILE, "bert"), counts=((3, 1), (0, 4))),
        accuracy=Interval(value=0.875, low=0.5, high=0.98, level=0.95),
        classes=(),
        not_enough_speech=0,
    ),
    "report": Report(title=HOSTILE, models={}, sets=(), environment={}, seeds={}),
}


@pytest.mark.parametrize("shown", SHOWN.values(), ids=SHOWN.keys())
def test_a_view_is_escaped_and_closes_what_it_opens(shown: object) -> None:
    tags = Tags(shown._repr_html_())  # type: ignore[attr-defined]
    assert sorted(tags.opened) == sorted(tags.closed)
    assert set(tags.opened) <= {"div", "strong", "svg", "table", "thead", "tbody", "tr", "th", "td"}
    # Text has the notebook's own colour, on its own background, in light and dark.
    assert not [
        given for given in tags.attributes if re.search(r"background|[;=\s]color:|https?:|url", given)
    ]


def test_views_say_what_was_decided() -> None:
    said = {name: shown._repr_html_() for name, shown in SHOWN.items()}  # type: ignore[attr-defined]
    assert ": accepted" in said["verification"]
    assert 'aria-label="score 0.90, threshold 0.50"' in said["verification"]
    assert "ada: not enough speech" in said["no verdict"]
    assert "svg" not in said["no verdict"]
    colours = [
        re.findall(r"border-left:4px solid (#\w+)", said[name])[0] for name in ("replayed", "comparison")
    ]
    assert colours == ["#d1495b"] * 2  # refused, though the score of one reaches the threshold
    assert "table" not in said["nobody enrolled"]
    assert "until 2031-01-31" in said["enrollment"]
    assert "1 speaker in 2.0 s" in said["diarization"]
    assert "87.5 % (50.0 % to 98.0 %) right" in said["classification"]


def test_what_enrolling_did_is_a_row_for_each_clip(
    tmp_path: Path, model: SpeakerModel, voice: Callable[..., NDArray[np.float32]]
) -> None:
    clips = [voice("ada", 1), voice("ada", 2), voice("ada", 2)]
    with Verifier(tmp_path / "store", model=model) as verifier:
        report = verifier.enroll("ada", clips, sample_rate=16_000)
    shown = report._repr_html_()
    assert "ada: 2 of 3 clips enrolled" in shown
    assert shown.count("<tr>") == 4


def test_an_evaluation_shows_its_error_rate_with_its_interval(corpus: Corpus) -> None:
    trials = make_trials(corpus, seed=1)
    scored = ScoredTrials(trials=trials, scores=np.where(trials.target, 1.0, 0.0))
    speakers = {utterance.id: utterance.speaker_id for utterance in corpus}
    shown = evaluate_scores(scored, speakers=speakers, repetitions=10)._repr_html_()
    assert "EER 0 % (0 % to " in shown
    assert f"{trials.target.sum()} target and {(~trials.target).sum()} nontarget trials" in shown
    assert "not calibrated" in shown
