"""What a decision says of itself."""

from __future__ import annotations

import pytest

from voiceprint.engine.decisions import ThresholdSource, Verdict


def reason(
    *, score: float, llr: float | None, needed: float | None = 2.0, source: ThresholdSource = "model"
) -> str:
    return Verdict(
        accepted=score >= 0.5,
        score=score,
        llr=llr,
        threshold=0.5,
        threshold_source=source,
        needed_llr=needed,
        point="false-accept rate 1 %",
    ).reason


def test_where_score_and_likelihood_agree_the_reason_is_short() -> None:
    assert reason(score=0.6, llr=3.0) == "score 0.600 reaches the threshold 0.500"
    assert reason(score=0.4, llr=-1.0) == "score 0.400 is below the threshold 0.500"
    assert reason(score=0.4, llr=None, needed=None) == "score 0.400 is below the threshold 0.500"


def test_a_rejection_of_the_likelier_person_says_why() -> None:
    assert reason(score=0.45, llr=1.2) == (
        "score 0.450 is below the threshold 0.500; it is likelier the same person than another "
        "(log-likelihood ratio +1.2), but the operating point (false-accept rate 1 %) asks for +2.0 or more"
    )


def test_an_acceptance_of_the_less_likely_person_says_why() -> None:
    said = reason(score=0.55, llr=-0.5, needed=-1.0)
    assert "it is likelier another person than the same (log-likelihood ratio -0.5)" in said
    assert said.endswith("asks for -1.0 or more")


@pytest.mark.parametrize(
    ("source", "who"), [("given", "this threshold asks"), ("store", "this store's tuned threshold asks")]
)
def test_it_says_whose_threshold_it_is(source: ThresholdSource, who: str) -> None:
    assert who in reason(score=0.45, llr=1.2, source=source)
