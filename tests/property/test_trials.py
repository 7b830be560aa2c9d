from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voiceprint.errors import TrialError
from voiceprint.trials import (
    EnrollmentModel,
    ScoredTrials,
    Style,
    TrialList,
    read_scores,
    read_trials,
    write_scores,
    write_trials,
)

Trial = tuple[str, str, bool]  # name, test clip, target

words = st.text(st.characters(codec="utf-8", exclude_categories=["Z", "C"]), min_size=1, max_size=8)
names = words.filter(
    lambda name: not set(name) & set(";,\"'") and name not in {"0", "1", "target", "nontarget"}
)
lists = st.lists(
    st.tuples(names, names, st.booleans()), min_size=1, max_size=12, unique_by=lambda trial: trial[:2]
)


def trial_list(trials: list[Trial]) -> TrialList:
    models = list(dict.fromkeys(enroll for enroll, _, _ in trials))
    tests = list(dict.fromkeys(test for _, test, _ in trials))
    return TrialList(
        models=tuple(EnrollmentModel(name=name, clips=(name,)) for name in models),
        tests=tuple(tests),
        enroll=np.array([models.index(enroll) for enroll, _, _ in trials], dtype=np.int32),
        test=np.array([tests.index(test) for _, test, _ in trials], dtype=np.int32),
        target=np.array([target for _, _, target in trials]),
    )


def facts(trials: TrialList) -> list[tuple[tuple[str, ...], str, bool]]:
    return [(trial.enroll.clips, trial.test, trial.target) for trial in trials]


@pytest.mark.parametrize("style", ["voxceleb", "kaldi", "csv"])
@settings(max_examples=40, deadline=None)
@given(trials=lists)
def test_any_list_comes_back(
    tmp_path_factory: pytest.TempPathFactory, style: Style, trials: list[Trial]
) -> None:
    path = tmp_path_factory.mktemp("list") / "trials"
    made = trial_list(trials)
    write_trials(made, path, style=style)
    assert facts(read_trials(path)) == facts(made)


@pytest.mark.parametrize("style", ["kaldi", "csv"])
@settings(max_examples=40, deadline=None)
@given(trials=lists, data=st.data())
def test_any_scores_come_back(
    tmp_path_factory: pytest.TempPathFactory, style: Style, trials: list[Trial], data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("scores") / "scores"
    made = trial_list(trials)
    number = st.floats(-1, 1, width=32)
    scores = np.array(data.draw(st.lists(number, min_size=len(made), max_size=len(made))))
    write_scores(ScoredTrials(trials=made, scores=scores), path, style=style)
    np.testing.assert_array_equal(
        read_scores(path, made).scores.astype(np.float32), scores.astype(np.float32)
    )


@settings(max_examples=150, deadline=None)
@given(text=st.one_of(st.text(max_size=60), st.lists(words, max_size=8).map(" ".join)))
def test_any_text_is_a_list_or_a_trial_error(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path: Path = tmp_path_factory.mktemp("text") / "trials"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    for content in (path, path.with_name("csv")):
        if content.name == "csv":
            content.write_bytes(b"enroll,test,target\n" + path.read_bytes())
        try:
            assert len(read_trials(content)) > 0
        except TrialError as error:
            assert str(content) in str(error)
