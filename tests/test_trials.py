from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from voiceprint.corpus import Corpus, Utterance
from voiceprint.errors import TrialError
from voiceprint.trials import (
    EnrollmentModel,
    ScoredTrials,
    Style,
    TrialList,
    make_trials,
    read_enrollments,
    read_scores,
    read_trials,
    write_enrollments,
    write_scores,
    write_trials,
)


def written(folder: Path, text: str) -> Path:
    path = folder / "trials.txt"
    path.write_text(text, encoding="utf-8")
    return path


def facts(trials: TrialList) -> list[tuple[tuple[str, ...], str, bool]]:
    return [(trial.enroll.clips, trial.test, trial.target) for trial in trials]


def corpus(*speakers_sessions_genders: tuple[str, str, str]) -> Corpus:
    return Corpus(
        Utterance(
            path=Path(f"/x/{i}"),
            id=f"{speaker}{i}",
            speaker=speaker,
            session=session,
            gender=gender,
            seconds=1,
        )
        for i, (speaker, session, gender) in enumerate(speakers_sessions_genders)
    )


@pytest.mark.parametrize(
    "text",
    [
        "1 a.wav b.wav\n0 a.wav c.wav\n",
        "\na.wav b.wav target\na.wav\tc.wav\tnontarget\r\n",
        "test,target,enroll,note\nb.wav,1,a.wav,\nc.wav,nontarget,a.wav,far\n",
        '\n"enroll", test ,target\na.wav, b.wav, 1\n"a.wav", c.wav, 0\n',
    ],
)
def test_every_style_reads_the_same(tmp_path: Path, text: str) -> None:
    trials = read_trials(written(tmp_path, text))
    assert facts(trials) == [(("a.wav",), "b.wav", True), (("a.wav",), "c.wav", False)]
    assert trials.clips == ("a.wav", "b.wav", "c.wav")
    assert trials.left_out == ()


def test_models_of_several_clips(tmp_path: Path) -> None:
    (tmp_path / "models").write_text("ada: a1 a2\nbob b1 b2 b3\n")
    enrollments = read_enrollments(tmp_path / "models")
    trials = read_trials(written(tmp_path, "ada a3 target\nbob a3 nontarget\n"), enrollments=enrollments)
    assert facts(trials) == [(("a1", "a2"), "a3", True), (("b1", "b2", "b3"), "a3", False)]
    assert trials.clips == ("a1", "a2", "b1", "b2", "b3", "a3")
    assert facts(read_trials(written(tmp_path, "enroll,test,target\na1;a2,a3,1\n"))) == [
        (("a1", "a2"), "a3", True)
    ]


@pytest.mark.parametrize("style", ["voxceleb", "kaldi", "csv"])
def test_lists_survive_writing_and_reading(tmp_path: Path, style: Style) -> None:
    trials = make_trials(corpus(*[(s, "", "") for s in "aaaabbbb"]), n_enroll=2, seed=1)
    write_trials(trials, tmp_path / "trials", style=style)
    write_enrollments(trials.models, tmp_path / "models")
    enrollments = None if style == "csv" else read_enrollments(tmp_path / "models")
    again = read_trials(tmp_path / "trials", enrollments=enrollments)
    assert facts(again) == facts(trials)


def test_names_with_spaces_need_csv(tmp_path: Path) -> None:
    trials = TrialList(
        models=(EnrollmentModel(name="a b", clips=("a b",)),),
        tests=("c d",),
        enroll=np.zeros(1, np.int32),
        test=np.zeros(1, np.int32),
        target=np.ones(1, np.bool_),
    )
    with pytest.raises(TrialError, match=r"'a b' holds white space.*csv"):
        write_trials(trials, tmp_path / "trials", style="kaldi")
    assert list(tmp_path.iterdir()) == []
    write_trials(trials, tmp_path / "trials", style="csv")
    assert facts(read_trials(tmp_path / "trials")) == [(("a b",), "c d", True)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"trials.txt: holds no trials"),
        ("a b\n", r"trials.txt:1: 'a b' is no trial"),
        ("1 a b\n2 a c\n", r"trials.txt:2: label '2' is not '1' or '0'"),
        ("a b target\na c x\n", r"trials.txt:2: label 'x' is not 'target' or 'nontarget'"),
        ("a b target\na c\n", r"trials.txt:2: has 2 fields and not 3"),
        ("a b target\n\na b nontarget\n", r"trials.txt:3: 'a' against 'b' contradicts line 1"),
        ("enroll,test,target\n", r"trials.txt: holds no trials"),
        ('\nenroll,test,target\na,"b"c,1\n', r"trials.txt:3: is not CSV"),
        ("enroll,test,target\na,b\n", r"trials.txt:2: the line does not have the fields"),
        ("enroll,test,target\na,b,maybe\n", r"trials.txt:2: label 'maybe' is not"),
    ],
)
def test_wrong_lists_are_named_with_file_and_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(TrialError, match=message):
        read_trials(written(tmp_path, text))


def test_files_that_are_no_text_are_refused(tmp_path: Path) -> None:
    with pytest.raises(TrialError, match="there is no such file"):
        read_trials(tmp_path / "none")
    (tmp_path / "bytes").write_bytes(b"\xff\xfe\xfd")
    with pytest.raises(TrialError, match="cannot be read as text"):
        read_trials(tmp_path / "bytes")


def test_repeated_trials_count_once_and_are_told(tmp_path: Path) -> None:
    trials = read_trials(written(tmp_path, "1 a b\n1 a b\n0 a c\n1 a b\n"))
    assert len(trials) == 2
    assert trials.left_out == ("2 trials were there more than once and count once",)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "defines no model"),
        ("ada:\n", r"models:1: 'ada:' is not of the form"),
        ("ada: a\nada: b\n", r"models:2: model 'ada' is defined twice"),
    ],
)
def test_wrong_enrollment_lists_are_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "models").write_text(text)
    with pytest.raises(TrialError, match=message):
        read_enrollments(tmp_path / "models")


def test_a_model_that_is_not_enrolled_is_named(tmp_path: Path) -> None:
    with pytest.raises(TrialError, match=r"trials.txt:2: model 'bob' is not in the enrollment list"):
        read_trials(written(tmp_path, "1 ada x\n0 bob x\n"), enrollments={"ada": ("a1",)})


def test_all_pairs_once() -> None:
    trials = make_trials(corpus(("a", "", ""), ("a", "", ""), ("b", "", ""), ("b", "", "")))
    assert facts(trials) == [
        (("a0",), "a1", True),
        (("b2",), "b3", True),
        (("a0",), "b2", False),
        (("a0",), "b3", False),
        (("a1",), "b2", False),
        (("a1",), "b3", False),
    ]
    assert trials.self_trials == 0


def test_a_model_never_meets_its_own_clips() -> None:
    trials = make_trials(corpus(*[(s, "", "") for s in "aaaabbbbc"]), n_enroll=3, seed=7)
    assert [len(model.clips) for model in trials.models] == [3, 3]
    assert trials.target.sum() == 2  # the fourth clip of each
    assert (~trials.target).sum() == 2 * 5
    assert trials.self_trials == 0
    assert trials.left_out == ("1 speakers have 3 utterances or fewer and no model: c",)


def test_same_gender_leaves_unknown_out() -> None:
    trials = make_trials(
        corpus(("a", "", "f"), ("a", "", "f"), ("b", "", "f"), ("c", "", "m"), ("d", "", "")),
        same_gender=True,
    )
    assert [(t.enroll.name, t.test) for t in trials if not t.target] == [("a0", "b2"), ("a1", "b2")]


def test_cross_session_leaves_unknown_out() -> None:
    trials = make_trials(
        corpus(("a", "1", ""), ("a", "1", ""), ("a", "2", ""), ("a", "", ""), ("b", "1", "")),
        cross_session=True,
    )
    assert [(t.enroll.name, t.test) for t in trials if t.target] == [("a0", "a2"), ("a1", "a2")]


def test_drawn_trials_are_distinct_and_follow_the_seed() -> None:
    many = corpus(*[(s, "", "") for s in "aaabbbcccddd"])
    drawn = make_trials(many, targets=5, nontargets=20, seed=3)
    assert len(set(facts(drawn))) == 25
    assert set(facts(drawn)) < set(facts(make_trials(many)))
    assert facts(drawn) == facts(make_trials(many, targets=5, nontargets=20, seed=3))
    assert facts(drawn) != facts(make_trials(many, targets=5, nontargets=20, seed=4))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"targets": 3}, "makes 2 target trials under these rules, 3 are needed"),
        ({"same_gender": True}, "same_gender needs genders, and the corpus has none"),
        ({"cross_session": True}, "cross_session needs sessions, and the corpus has none"),
        ({"n_enroll": 2}, "no speaker has more than 2 utterances"),
    ],
)
def test_what_a_corpus_cannot_give_is_said(options: dict[str, int], message: str) -> None:
    with pytest.raises(TrialError, match=message):
        make_trials(corpus(*[(s, "", "") for s in "aabb"]), **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("style", ["kaldi", "csv"])
def test_scores_survive_writing_and_reading(tmp_path: Path, style: Style) -> None:
    trials = read_trials(written(tmp_path, "1 a b\n0 a c\n0 b c\n"))
    scores = np.array([0.1234567, -1.0, 0.5], dtype=np.float32).astype(np.float64)
    write_scores(ScoredTrials(trials=trials, scores=scores), tmp_path / "scores", style=style)
    again = read_scores(tmp_path / "scores", trials)
    assert np.array_equal(again.scores.astype(np.float32), scores.astype(np.float32))
    assert facts(again.trials) == facts(trials)
    assert again.unscored == ()


def test_a_trial_without_score_is_named_and_gets_none(tmp_path: Path) -> None:
    trials = read_trials(written(tmp_path, "1 a b\n0 a c\n"))
    (tmp_path / "scores").write_text("a b 0.5\n")
    scored = read_scores(tmp_path / "scores", trials)
    assert scored.scores.tolist() == scored.target_scores.tolist() == [0.5]
    assert scored.nontarget_scores.tolist() == []
    assert [(u.trial.enroll.name, u.trial.test) for u in scored.unscored] == [("a", "c")]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a b 0.5\na d 1\n", r"scores:2: 'a' against 'd' is not in the trial list"),
        ("a b 0.5\na b 0.5\n", r"scores:2: 'a' against 'b' has a score already"),
        ("a b nan\n", r"scores:1: score 'nan' is not a finite number"),
        ("a b high\n", r"scores:1: score 'high' is not a finite number"),
        ("a b\n", r"scores:1: has 2 fields and not 3"),
    ],
)
def test_wrong_score_files_are_named_with_file_and_line(tmp_path: Path, text: str, message: str) -> None:
    trials = read_trials(written(tmp_path, "1 a b\n0 a c\n"))
    (tmp_path / "scores").write_text(text)
    with pytest.raises(TrialError, match=message):
        read_scores(tmp_path / "scores", trials)


def test_scores_that_are_no_numbers_are_refused(tmp_path: Path) -> None:
    trials = read_trials(written(tmp_path, "1 a b\n0 a c\n"))
    with pytest.raises(TrialError, match="'a' against 'c' is not a finite number"):
        ScoredTrials(trials=trials, scores=np.array([0.0, np.nan]))
    with pytest.raises(TrialError, match=r"2 trials have scores of shape \(1,\)"):
        ScoredTrials(trials=trials, scores=np.array([0.0]))
