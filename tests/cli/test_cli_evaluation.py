from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from small_corpus import write_small_corpus
from typer.testing import CliRunner

from voiceprint.cli import app
from voiceprint.corpus import read_manifest

runner = CliRunner()


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory, voice: Callable[..., object]) -> Path:
    folder = tmp_path_factory.mktemp("corpora") / "small"
    write_small_corpus(folder, voice)
    return folder


@pytest.fixture(autouse=True)
def _places(
    tmp_path_factory: pytest.TempPathFactory, model_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Use the tiny model, and one embedding cache for this module alone."""
    monkeypatch.setenv("VOICEPRINT_MODEL", str(model_folder))
    monkeypatch.setenv("VOICEPRINT_CACHE", str(tmp_path_factory.getbasetemp() / "embeddings"))


def run(*arguments: object, code: int = 0) -> str:
    result = runner.invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == code, result.output
    return result.stdout


@pytest.fixture
def trials(tmp_path: Path, small: Path) -> Path:
    run("trials", "make", small, "-o", tmp_path / "trials.txt")
    return tmp_path / "trials.txt"


def test_make_and_check_trials(tmp_path: Path, small: Path, trials: Path) -> None:
    assert len(trials.read_text().splitlines()) == 24 * 23 // 2
    checked = json.loads(run("trials", "check", trials, "--root", small, "--json"))
    assert (checked["targets"], checked["nontargets"], checked["clips"]) == (36, 240, 24)
    assert checked["missing"] == []
    assert "missing clips: 24" in run("trials", "check", trials, code=1)
    sampled = ("trials", "make", small, "-o", tmp_path / "some.csv", "--style", "csv", "--nontargets", 10)
    found = json.loads(run(*sampled, "--same-gender", "--cross-session", "--json"))
    assert (found["targets"], found["nontargets"]) == (24, 10)


def test_models_of_several_clips_need_a_definition(tmp_path: Path, small: Path) -> None:
    command = ("trials", "make", small, "-o", tmp_path / "trials.txt", "--n-enroll", 3)
    run(*command, code=2)
    run(*command, "--models", tmp_path / "models.txt")
    options = ("--enrollments", tmp_path / "models.txt", "--corpus", small)
    assert "models: 6" in run("trials", "check", tmp_path / "trials.txt", *options)
    report = json.loads(run("evaluate", tmp_path / "trials.txt", *options, "--repetitions", 20, "--json"))
    assert (report["metrics"]["n_target"], report["metrics"]["n_nontarget"]) == (6, 120)


def test_evaluate_prints_what_it_measured(small: Path, trials: Path) -> None:
    shown = run("evaluate", trials, "--corpus", small, "--repetitions", 20)
    assert "36 target and 240 nontarget trials of 6 speakers; 0 could not be scored" in shown
    for words in (
        "EER (ROC convex hull)",
        "minDCF (P_target 0.01)",
        "actual",
        "threshold at EER",
        "promised FAR",
    ):
        assert words in shown
    report = json.loads(run("evaluate", trials, "--root", small, "--json"))
    assert report["eer_method"] == "ROC convex hull"
    assert 0.0 <= report["metrics"]["eer"] < 0.2
    assert report["eer_interval"] is None
    assert "who speaks" in report["notes"][0]


def test_scores_can_be_written_and_measured_later(tmp_path: Path, small: Path, trials: Path) -> None:
    run("score", trials, "-o", tmp_path / "scores.txt", "--root", small, "--no-cache", "--jobs", 1)
    later = json.loads(run("evaluate", trials, "--scores", tmp_path / "scores.txt", "--json"))
    at_once = json.loads(run("evaluate", trials, "--root", small, "--json"))
    assert later["metrics"]["eer"] == at_once["metrics"]["eer"]
    assert later["metrics"]["cllr"] is None


def test_clips_that_cannot_be_scored_are_named(tmp_path: Path, small: Path, trials: Path) -> None:
    shutil.copytree(small, tmp_path / "damaged")
    (tmp_path / "damaged/ada/0.wav").write_bytes(b"no audio")
    command = ("score", trials, "-o", tmp_path / "scores.txt", "--root", tmp_path / "damaged")
    scored = json.loads(run(*command, "--json", code=3))
    assert (scored["scored"], len(scored["unscored"])) == (276 - 23, 23)
    assert "ada/0.wav" in scored["unscored"][0]["reason"]
    assert len((tmp_path / "scores.txt").read_text().splitlines()) == 276 - 23
    shown = run("evaluate", trials, "--root", tmp_path / "damaged")
    assert "23 could not be scored" in shown
    for options in ((), ("--json",)):
        asked = runner.invoke(app, [*map(str, command), *options])
        assert "not scored: ada/0.wav against ada/1.wav" in asked.stderr


def test_where_no_trial_can_be_scored_there_is_an_error(tmp_path: Path, small: Path) -> None:
    (tmp_path / "trials.txt").write_text("1 missing/0.wav missing/1.wav\n")
    command = ("score", tmp_path / "trials.txt", "-o", tmp_path / "scores.txt", "--root", small)
    asked = runner.invoke(app, [*map(str, command)])
    assert asked.exit_code == 2
    assert asked.stderr.startswith("Error: none of the 1 trials can be scored")
    assert not (tmp_path / "scores.txt").exists()


def test_a_cohort_may_not_share_speakers(tmp_path: Path, small: Path, trials: Path) -> None:
    corpus = read_manifest(small)
    lines = (small / "manifest.csv").read_text().splitlines()
    half = set(corpus.speakers[:4])
    for name, keep in (("trials", half), ("cohort", set(corpus.speakers) - half)):
        rows = [line for line in lines[1:] if f"small/{line.split(',')[1]}" in keep]
        text = "\n".join([lines[0], *rows]) + "\n"
        (small / f"{name}.csv").write_text(text)
    run("trials", "make", small / "trials.csv", "-o", tmp_path / "few.txt")
    command = ("evaluate", tmp_path / "few.txt", "--corpus", small / "trials.csv", "--cohort")
    report = json.loads(run(*command, small / "cohort.csv", "--json"))
    assert report["metrics"]["cllr"] is None
    refused = runner.invoke(app, [str(a) for a in (*command, small)])
    assert refused.exit_code == 2
    assert "speakers are in the cohort and in the trials" in refused.stderr


def test_one_kind_of_trial_is_refused(tmp_path: Path, small: Path) -> None:
    (tmp_path / "targets.txt").write_text("1 ada/0.wav ada/1.wav\n")
    refused = runner.invoke(app, ["evaluate", str(tmp_path / "targets.txt"), "--root", str(small)])
    assert refused.exit_code == 2
    assert "there are no nontarget trials" in refused.stderr


def test_benchmark_prints_every_kind_of_episode(small: Path, model_folder: Path) -> None:
    command = ("benchmark", model_folder, small, "--n", "1-2", "--k", "2,5", "--lengths", "0.5,full")
    shown = run(*command, "--episodes", 200)
    assert "0.5 s of speech: 24 clips, 0 left out" in shown
    assert "whole clips: 24 clips" in shown
    assert "open set, 3 enrolled with 2 clips: rank-1" in shown
    found = json.loads(run(*command, "--episodes", 200, "--across-sessions", "--json"))
    (only,) = found["models"]
    episodes = only["lengths"][1]["episodes"]
    assert [(each["n"], each["k"]) for each in episodes] == [(1, 2), (1, 5), (2, 2), (2, 5)]
    assert all(each["low"] <= each["accuracy"] <= each["high"] for each in episodes)
    assert episodes[2]["accuracy"] > 0.8


def test_benchmark_draws_several_models_into_one_figure(
    tmp_path: Path, small: Path, model_folder: Path
) -> None:
    other = tmp_path / "other"
    shutil.copytree(model_folder, other)
    page = tmp_path / "shots.html"
    command = ("benchmark", model_folder, other, small, "--n", "1,2", "--k", "2,3", "--lengths", "0.5,full")
    shown = run(*command, "--episodes", 50, "--figure", page)
    assert shown.count("open set") == 4
    figures = page.read_text().split('<figure class="chart">')[1:]
    # A row of charts for each length, a chart for each n, a line for each model.
    assert [re.findall("<h3>(.*?)</h3>", each)[0] for each in figures] == [
        f"Naming one of k people known by {clips}, {cut}"
        for cut in ("0.5 s of speech", "whole clips")
        for clips in ("one clip", "2 clips")
    ]
    for each in figures:
        assert f"({model_folder.name})</li>" in each
        assert "(other)</li>" in each


@pytest.mark.parametrize("options", [("--n", "0"), ("--k", "20-2"), ("--k", "two"), ("--lengths", "0.01")])
def test_benchmark_refuses_what_is_no_number(
    small: Path, model_folder: Path, options: tuple[str, str]
) -> None:
    refused = runner.invoke(app, ["benchmark", str(model_folder), str(small), *options])
    assert refused.exit_code == 2
    assert "is not like" in refused.stderr


def test_benchmark_says_when_there_are_too_few_people(small: Path, model_folder: Path) -> None:
    refused = runner.invoke(app, ["benchmark", str(model_folder), str(small), "--k", "7", "--n", "1"])
    assert refused.exit_code == 2
    assert "k is 7, but only 6 of 6 speakers" in refused.stderr
