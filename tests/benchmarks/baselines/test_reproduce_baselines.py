"""The table of baselines: rows run, are kept, and make the page, whose tables have their shape."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from benchmarks.baselines import command as program
from benchmarks.baselines.bench import (
    Bench,
    clips_a_batch,
    default_clips,
    five_speakers,
    small_corpora,
)
from benchmarks.baselines.models import equal_error_rate, outputs_of, pair_distances
from benchmarks.baselines.networks import Stopwatch, learned_all_it_can, train_capped
from benchmarks.baselines.records import (
    Accuracy,
    Confusion,
    Costs,
    GroupFigure,
    Measured,
    Record,
    fingerprint,
    trained_at,
)
from benchmarks.baselines.report import NOT_YET, markdown, verdicts, write_report
from benchmarks.baselines.rows import ROWS, Row
from benchmarks.program import run as run_program
from benchmarks.synthetic_speech import VOICES, synthesize
from voiceprint.corpus import Corpus, Utterance, read_manifest, write_manifest
from voiceprint.metrics import SpeakerTrials
from voiceprint.training.run.callbacks import Callbacks
from voiceprint.training.run.launch import Outcome
from voiceprint.training.run.recipe import Recipe
from voiceprint.training.run.trainer import StepReport

# Speakers and clips of each split.
SHAPES = {
    "speechocean762": {"train": (6, 3), "dev": (5, 3), "test": (5, 6)},
    "voxforge": {"test": (5, 6)},
    "five_speakers": {"train": (5, 20), "dev": (5, 6), "test": (5, 6)},
    "librispeech": {"train": (2, 1), "dev": (5, 2)},
    "arabic_speech_commands": {"train": (2, 1), "dev": (5, 2)},
    "synthetic_voices": {"train": (2, 1)},
    "noise": {"environment": (1, 4), "five_speakers_noise": (1, 4)},
}


@pytest.fixture(scope="module")
def tiny_corpora(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every corpus that rows ask for, of a few synthetic voices."""
    root = tmp_path_factory.mktemp("all")
    for name, splits in SHAPES.items():
        clips = [clip for split, shape in splits.items() for clip in _clips(root / name, split, *shape)]
        write_manifest(Corpus(clips), root / name / "manifest.csv")
    return root


def _clips(folder: Path, split: str, people: int, count: int) -> Iterator[Utterance]:
    everywhere = folder.name == "five_speakers"
    seconds = 1.8 if split == "test" else 0.7  # those of groups are cut into seconds
    for number, voice in enumerate(list(VOICES)[:people]):
        name = voice if everywhere else f"{split}-{voice}"
        (folder / name).mkdir(parents=True, exist_ok=True)
        for clip in range(count):
            path = folder / name / f"{split}-{clip}.wav"
            start = 4000 * clip
            soundfile.write(path, _talk(voice)[start : start + round(16000 * seconds)], 16000)
            yield Utterance(
                path=path,
                speaker=name,
                seconds=seconds,
                id=f"{name}/{split}-{clip}.wav",
                split=split,
                gender="fm"[number % 2],
                corpus=folder.name,
            )


@cache
def _talk(voice: str) -> NDArray[np.float32]:
    """Eight seconds of a voice, of which clips are stretches that overlap: enough to see that rows run."""
    return synthesize(7, 8.0, *VOICES[voice])


def tables(page: str) -> list[list[str]]:
    """The tables of a page, each a list of lines."""
    found: list[list[str]] = [[]]
    for line in page.splitlines():
        if line.startswith("|"):
            found[-1].append(line)
        elif found[-1]:
            found.append([])
    return [table for table in found if table]


def record(row: str, measured: Measured) -> Record:
    return Record(row=row, fingerprint="f", commit="abc", date="2026-01-01", quick=False, measured=measured)


MEASURED = Measured(
    parameters=1234567,
    clips_seen=None,
    training_minutes=90.04,
    ms_per_clip=1.25,
    converged=False,
    figures=(
        Accuracy(what="accuracy/blocks", value=0.9, low=0.85, high=0.951),
        Accuracy(what="5-shot 10-way/speechocean762", value=0.5, low=0.4, high=0.6),
    ),
    groups=(
        GroupFigure(
            corpus="voxforge",
            size=3,
            gender="same",
            groups=20,
            speakers=30,
            accuracy=Accuracy(what="3/same/voxforge", value=0.7, low=0.6, high=0.8),
            lowest=0.3,
            highest=1.0,
        ),
    ),
    confusions=(Confusion(title="blocks", names=("a", "b"), counts=((3, 1), (0, 4))),),
)


class QuickRun:
    def __init__(self, corpora: Path, folder: Path) -> None:
        self.folder = folder
        self._options = ["--corpora", str(corpora), "--quick", "--folder", str(folder)]

    def __call__(self, *options: str) -> int:
        return program.run_rows(program.parse_arguments([*self._options, *options]))


@pytest.fixture(scope="module")
def run(tiny_corpora: Path, tmp_path_factory: pytest.TempPathFactory) -> QuickRun:
    """``run(*options)``: run the script at tiny size, on one folder for all tests: ``run.folder``."""
    return QuickRun(tiny_corpora, tmp_path_factory.mktemp("rows"))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_a_row_runs_and_is_kept(run: QuickRun, row: Row, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--rows", row.name) == 0, capsys.readouterr().err
    kept = Record.read(run.folder, row.name)
    assert kept is not None and kept.quick
    measured = {figure.what for figure in kept.measured.figures}
    assert EXPECTED.keys() >= row.measures
    for kind in row.measures - {"groups"}:
        assert EXPECTED[kind] <= measured
    assert bool(kept.measured.groups) == ("groups" in row.measures)
    of_pairs = [f for f in kept.measured.figures if "voxforge" in row.measures and f.what.startswith("eer")]
    assert all(len(figure.drawn) == 50 for figure in of_pairs)
    capsys.readouterr()
    assert run("--rows", row.name) == 0
    assert capsys.readouterr().out.startswith(f"{row.name}: measured at"), "it is not measured again"


def test_every_row_stands_on_the_page(run: QuickRun) -> None:
    for row in ROWS:  # those that no test has run yet
        assert run("--rows", row.name) == 0
    page = (run.folder / "baselines.md").read_text(encoding="utf-8")
    assert not any(NOT_YET in line for table in tables(page) for line in table)
    assert f": {NOT_YET}" not in page
    assert "quick trials at tiny size, no results" in page
    for kind in ("random", "blocks"):
        assert (run.folder / "images" / f"baselines-confusions-{kind}.png").stat().st_size < 100_000


EXPECTED = {
    "accuracy": {"accuracy/random", "accuracy/blocks"},
    "first-epoch": {"first-epoch"},
    "clips": {"centroid/1/random", "svm/5/blocks"},
    "eer": {"eer/speechocean762"},
    "voxforge": {"eer/voxforge", "1-shot 2-way/voxforge"},
    "svm": {"accuracy/random", "accuracy/blocks"},
    "distance": {"eer-distance/speechocean762", "yes-no-distance/voxforge", "1-shot 2-way-distance/voxforge"},
    "groups": set[str](),
}
"""Some of the figures that the rows of each table must have."""


def test_the_page_alone_needs_no_corpora(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    record("svm", MEASURED).write(tmp_path)
    monkeypatch.delenv("VOICEPRINT_CORPORA", raising=False)
    command = ["reproduce_baselines", "--page-only", "--folder", str(tmp_path), "-o", str(tmp_path / "docs")]
    monkeypatch.setattr(sys, "argv", command)
    assert program.main() == 0
    assert f"1 of {len(ROWS)} rows have run" in (tmp_path / "docs" / "baselines.md").read_text(
        encoding="utf-8"
    )


def test_a_corpus_that_is_missing_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    command = ["reproduce_baselines", "--quick", "--corpora", str(tmp_path), "--folder", str(tmp_path / "x")]
    monkeypatch.setattr(sys, "argv", command)
    with pytest.raises(SystemExit) as ended:
        run_program(program.__name__)
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert said.startswith("Error: ") and said.count("\n") == 1


def test_an_unknown_row_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        program.parse_arguments(["--corpora", "x", "--rows", "gmm,gnn"])
    assert "'gnn' is not one of five-speakers" in capsys.readouterr().err


def test_every_table_has_a_cell_for_every_column_and_every_row_stands_somewhere() -> None:
    for records in ({}, {row.name: record(row.name, MEASURED) for row in ROWS}):
        page = markdown(records, {})
        assert "{{" not in page
        for table in tables(page):
            assert len({line.count("|") for line in table}) == 1, table[0]
        for row in ROWS:
            assert f"`{row.name}`" in page, row.name
        assert any(NOT_YET in line for table in tables(page) for line in table) == (not records)


def test_what_did_not_run_is_said_and_nothing_else_is_claimed() -> None:
    page = markdown({}, {})
    assert "No row has run yet." in page
    first = next(table for table in tables(page) if "(`keras-fft`)" in "".join(table))
    assert all(NOT_YET in line for line in first[2:])


def test_rows_that_had_less_time_are_named() -> None:
    records = {
        "voicemap": record("voicemap", MEASURED),
        "svm": record("svm", replace(MEASURED, training_minutes=1.0, converged=True)),
        "lstm-triplet": record("lstm-triplet", replace(MEASURED, training_minutes=17.2)),
    }
    assert "with the rest: `lstm-triplet`; the same command" in markdown(records, {})
    header = verdicts(records).splitlines()[0]
    assert "`default` beats `lstm-triplet` (so far: 17 minutes) |" in header
    assert "`default` beats `voicemap` |" in header
    del records["lstm-triplet"]
    assert "with the rest" not in markdown(records, {})


def test_figures_stand_with_interval_cost_and_commit() -> None:
    page = markdown({"keras-fft": record("keras-fft", MEASURED)}, {})
    (line,) = [line for line in page.splitlines() if "(`keras-fft`)" in line]
    assert "| - | 90.0 (85.0 to 95.1) | 1,234,567 | - | 90.0, **unconverged** | 1.2 | `abc` |" in line


def test_where_nobody_was_missed_wilsons_interval_stands() -> None:
    right = Confusion(title="random", names=("a", "b"), counts=((50, 0), (0, 50)))
    sure = Accuracy(what="accuracy/random", value=1.0, low=1.0, high=1.0)
    page = markdown(
        {"keras-fft": record("keras-fft", replace(MEASURED, figures=(sure,), confusions=(right,)))}, {}
    )
    (line,) = [line for line in page.splitlines() if "(`keras-fft`)" in line]
    assert "| 100.0 (96.3 to 100.0) | - |" in line  # n / (n + z^2)


def test_a_users_choice_without_training_stands_with_the_classifiers() -> None:
    near = Accuracy(what="centroid/20/blocks", value=0.8, low=0.7, high=0.9)
    page = markdown({"centroids": record("centroids", replace(MEASURED, figures=(near,)))}, {})
    table = next(table for table in tables(page) if "(`keras-fft`)" in "".join(table))
    (line,) = [line for line in table if "20 clips" in line]
    assert "| - | 80.0 (70.0 to 90.0) |" in line


def test_what_was_trained_elsewhere_has_no_minutes() -> None:
    elsewhere = replace(MEASURED, training_minutes=None, clips_seen=640, converged=True)
    page = markdown({"default": record("default", elsewhere)}, {})
    lines = [line for line in page.splitlines() if "(`default`)" in line]
    assert len(lines) == 2 and all("| 1,234,567 | 640 | 0.0 | - | 1.2 |" in line for line in lines)


def test_verification_by_mixtures_has_costs_of_its_own() -> None:
    apart = Costs(parameters=777, clips_seen=None, training_minutes=3.0, ms_per_clip=9.0)
    page = markdown({"gmm-ubm": record("gmm-ubm", replace(MEASURED, verification=apart))}, {})
    closed, verification = [line for line in page.splitlines() if "(`gmm-ubm`)" in line]
    assert "| 1,234,567 | - | 90.0, **unconverged** | 1.2 |" in closed
    assert "| 777 | - | - | 3.0, **unconverged** | 9.0 |" in verification


def test_clips_stand_with_their_share_of_the_defaults() -> None:
    half = replace(MEASURED, clips_seen=default_clips() // 2)
    page = markdown({"voicemap": record("voicemap", half)}, {})
    lines = [line for line in page.splitlines() if "(`voicemap`)" in line]
    assert any(f"| {default_clips() // 2:,} | 50 |" in line for line in lines)
    few = record("voicemap", replace(MEASURED, clips_seen=default_clips() // 500))
    assert f"| {default_clips() // 500:,} | 0.2 |" in markdown({"voicemap": few}, {})


def test_the_default_beats_another_system_where_margin_or_intervals_say_so() -> None:
    spread = np.linspace(-1, 1, 101)  # of draws, from the lower end of an interval to the upper

    def of(row: str, *figures: tuple[str, float, float]) -> Record:
        known = [
            Accuracy(
                what=what,
                value=(low + high) / 2,
                low=low,
                high=high,
                drawn=tuple((low + high) / 2 + (high - low) / 2 * spread),
            )
            for what, low, high in figures
        ]
        return record(row, replace(MEASURED, figures=tuple(known)))

    shots = "1-shot 5-way/voxforge"
    records = {
        "default": of("default", ("eer/speechocean762", 0.02, 0.04), (shots, 0.9, 0.95)),
        "voicemap": of("voicemap", ("eer/speechocean762", 0.1, 0.2), (shots, 0.8, 0.91)),
        "lstm-triplet": of("lstm-triplet", ("eer/speechocean762", 0.1, 0.2), (shots, 0.7, 0.89)),
    }
    cells = {tuple(line.split(" | ")[:2]): line.split(" | ")[2:5] for line in verdicts(records).splitlines()}
    # Speakers who are hard for one are as hard for the other: the margin is 12 points, give or take 4.
    assert cells["| EER", "speechocean762"] == [margin := "yes, by 12.0 (8.2 to 15.8)", NOT_YET, margin]
    assert cells["| 1-shot 5-way", "voxforge"] == ["no", NOT_YET, "yes"]
    assert cells["| EER", "voxforge"] == ["-", NOT_YET, "-"]
    kept = [replace(figure, drawn=()) for figure in records["voicemap"].measured.figures]
    undrawn = {**records, "voicemap": record("voicemap", replace(MEASURED, figures=tuple(kept)))}
    assert f"| EER | speechocean762 | - | {NOT_YET} | yes, by" in verdicts(undrawn)
    # By the distance that it was trained by it may be better than by cosines.
    records["voicemap"] = of(
        "voicemap",
        *(("eer/speechocean762", 0.1, 0.2), ("eer-distance/speechocean762", 0.03, 0.1)),
        *((shots, 0.5, 0.6), ("1-shot 5-way-distance/voxforge", 0.85, 0.95)),
    )
    assert "| EER | speechocean762 | yes, by 3.5 (1.1 to 5.9) † |" in verdicts(records)
    records["default"] = of("default", ("eer/speechocean762", 0.05, 0.07), (shots, 0.9, 0.95))
    assert "| EER | speechocean762 | no, by 0.5 (-1.9 to 2.9) † |" in verdicts(records)
    assert "| 1-shot 5-way | voxforge | no |" in verdicts(records)


def test_groups_stand_with_their_spread() -> None:
    page = markdown({"svm": record("svm", MEASURED)}, {})
    (line,) = [line for line in page.splitlines() if line.startswith("| 3 | voxforge | same | 33 |")]
    assert "70.0 (60.0 to 80.0); groups 30 to 100" in line


def test_curves_and_matrices_are_drawn(tmp_path: Path) -> None:
    write_report({"default": record("default", MEASURED)}, tmp_path / "page.md", tmp_path / "images")
    page = (tmp_path / "page.md").read_text(encoding="utf-8")
    assert "](images/baselines-shots.png)" in page
    for image in ("baselines-shots.png", "baselines-confusions-blocks.png"):
        assert (tmp_path / "images" / image).read_bytes().startswith(b"\x89PNG")


def test_a_record_comes_back_as_it_was(tmp_path: Path) -> None:
    written = record("svm", MEASURED)
    assert Record.read(tmp_path, "svm") is None
    written.write(tmp_path)
    assert Record.read(tmp_path, "svm") == written
    assert [path.name for path in tmp_path.iterdir()] == ["svm.json"]


def test_a_fingerprint_is_of_the_recipe(tmp_path: Path) -> None:
    bench = Bench(corpora=tmp_path, folder=tmp_path)
    prints = {row.name: row.fingerprint(bench) for row in ROWS}
    assert len(set(prints.values())) == len(ROWS)
    assert fingerprint(bench.gmm()) == fingerprint(bench.gmm())
    assert fingerprint(bench.gmm()) != fingerprint(bench.gmm("seed=2"))
    assert ROWS[0].fingerprint(replace(bench, cap_minutes=5.0)) != prints[ROWS[0].name]


def test_no_row_sees_more_clips_than_the_default(tmp_path: Path) -> None:
    bench = Bench(corpora=tmp_path, folder=tmp_path)
    default = bench.network("default")
    most = default.trainer.steps * clips_a_batch(default.batches)
    for name in ("voicemap", "lstm-triplet", "default-triplet", "spectrogram-cnn-speakers"):
        recipe = bench.network(name)
        assert recipe.trainer.steps * clips_a_batch(recipe.batches) <= most
        assert recipe.data.train == default.data.train


@pytest.fixture
def sigint() -> Iterator[None]:
    """Ctrl-C raises KeyboardInterrupt: a shell starts what runs in its background with SIGINT ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_a_run_is_stopped_by_the_clock_as_by_ctrl_c(tmp_path: Path, sigint: None) -> None:
    report = StepReport(step=5, loss=1.0, parts={}, lr=0.1)
    patient, late = Stopwatch(tmp_path, cap_minutes=1.0), Stopwatch(tmp_path, cap_minutes=1.0)
    patient.starting(4, 10)
    patient.stepped(report)
    assert not patient.capped
    # The steps of an earlier part of the run count as well.
    (tmp_path / "metrics.jsonl").write_text('{"step": 4, "seconds": 61.0}\n', encoding="utf-8")
    late.starting(4, 10)
    with pytest.raises(KeyboardInterrupt):
        late.stepped(report)
    assert late.capped


def test_a_run_that_the_clock_stopped_ends_with_a_validation(tmp_path: Path) -> None:
    recipe = Bench(corpora=tmp_path, folder=tmp_path).network("voicemap", "trainer.steps=10")
    asked: list[int] = []

    def go_on(recipe: Recipe, callbacks: Callbacks) -> Outcome:
        asked.append(recipe.trainer.steps)
        clock = isinstance(callbacks, Stopwatch)
        if isinstance(callbacks, Stopwatch):
            callbacks.capped = True
        step = 7 if clock else recipe.trainer.steps
        return Outcome(
            folder=tmp_path,
            step=step,
            steps=recipe.trainer.steps,
            finished=not clock,
            criterion="EER",
            best=None if clock else 0.1,
        )

    ended = train_capped(go_on, recipe, tmp_path, cap_minutes=1.0)
    assert asked == [10, 8], "the last step of a recipe is validated"
    assert (ended.step, ended.steps, ended.finished, ended.best) == (8, 10, False, 0.1)


def test_a_record_names_the_commits_that_its_network_was_trained_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def steps(run: Path, first: int, commit: str) -> tuple[str, ...]:
        monkeypatch.setattr("benchmarks.baselines.records.commit", lambda: commit)
        watch = Stopwatch(run, cap_minutes=1.0)
        watch.starting(first - 1, 10)
        for step in (first, first + 1):
            watch.stepped(StepReport(step=step, loss=1.0, parts={}, lr=0.1))
        return trained_at(run)

    assert steps(tmp_path, 1, "aaa") == ("aaa",)
    assert steps(tmp_path, 3, "aaa") == ("aaa",), "resumed at the same commit"
    (tmp_path / "old").hardlink_to(tmp_path / "commits.txt")
    assert steps(tmp_path, 5, "bbb") == ("aaa", "bbb")
    assert (tmp_path / "old").read_text() == "aaa\n", "what is cut short loses none"
    assert steps(tmp_path, 1, "bbb") == ("bbb",), "begun anew"
    assert steps(tmp_path / "older", 7, "bbb") == ("?", "bbb")


def test_a_row_measured_later_names_both_commits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    row = replace(ROWS[0], run=lambda _: replace(MEASURED, commits=("aaa", "bbb")), recipe=lambda _: 1)
    bench = Bench(corpora=tmp_path, folder=tmp_path)
    for now, named in (("bbb", "aaa…bbb"), ("ccc", "aaa…bbb…ccc")):
        monkeypatch.setattr(program, "commit", lambda now=now: now)
        assert program.run_row(row, bench, again=True)
        kept = Record.read(tmp_path, row.name)
        assert kept is not None and kept.commit == named


def test_a_run_is_converged_by_its_clips_or_its_patience_alone(tmp_path: Path) -> None:
    bench = Bench(corpora=tmp_path, folder=tmp_path)
    recipe = bench.network("voicemap")
    assert recipe.trainer.steps * 128 == bench.most_clips

    def converged(step: int, *, steps: int = recipe.trainer.steps, finished: bool = True) -> bool:
        ended = Outcome(folder=tmp_path, step=step, steps=steps, finished=finished, criterion="EER", best=0.1)
        return learned_all_it_can(ended, recipe, bench)

    assert converged(recipe.trainer.steps)
    assert converged(250), "validations stopped improving"
    assert not converged(250, finished=False), "cut off by the clock"
    assert not converged(250, steps=250), "a recipe that asks for less"


def test_distances_are_euclidean_between_outputs_as_they_come(
    tmp_path: Path, wav: Callable[..., Path]
) -> None:
    lengths = {"a": [3.0, 4.0], "b": [9.0]}
    clips = [
        Utterance(
            path=wav(
                tmp_path / f"{name}{n}.wav", np.resize([value / 16, -value / 16], 16_000).astype(np.float32)
            ),
            speaker=name,
            seconds=1.0,
            id=f"{name}{n}",
        )
        for name, values in lengths.items()
        for n, value in enumerate(values)
    ]

    class Loudness:
        def encode(self, waveforms: list[NDArray[np.float32]]) -> NDArray[np.float32]:
            return np.array([[16 * waveform.max(), 0] for waveform in waveforms], dtype=np.float32)

    trials = pair_distances(outputs_of(Corpus(clips), Loudness()))  # type: ignore[arg-type]
    assert trials.scores == pytest.approx([-1, -6, -5], abs=1e-3)
    assert trials.is_target.tolist() == [True, False, False]


def test_speakers_are_drawn_alike_for_every_row(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    people = np.repeat(["a", "b", "c", "d", "e", "f"], 6)
    first, second = np.triu_indices(len(people), k=1)
    scores = rng.normal(people[first] == people[second], 1.0)
    bench = Bench(corpora=tmp_path, folder=tmp_path, quick=True)

    def measured(scores: NDArray[np.float64]) -> Accuracy:
        trials = SpeakerTrials(scores=scores, enroll=people[first], test=people[second])
        return equal_error_rate("eer/voxforge", trials, bench)

    cosines = measured(scores)
    assert cosines.low < cosines.value < cosines.high and len(set(cosines.drawn)) > 25
    assert measured(3 * scores - 1) == cosines, "another scale ranks alike, so draws of it are as hard"
    assert measured(rng.permutation(scores)).drawn != cosines.drawn


def test_small_corpora_point_at_the_same_files(tiny_corpora: Path, tmp_path: Path) -> None:
    small = small_corpora(tiny_corpora, tmp_path)
    corpus = read_manifest(small / "speechocean762")
    assert {u.path for u in corpus} <= {u.path for u in read_manifest(tiny_corpora / "speechocean762")}
    assert len(corpus.filter(split="test")) == 5 * 6


def test_both_splits_hold_out_what_they_say(tiny_corpora: Path) -> None:
    random, blocks = (five_speakers(tiny_corpora, kind) for kind in ("random", "blocks"))
    assert len(random.filter(split="dev")) == len(random) // 10
    assert len(blocks.filter(split="test")) == 30
