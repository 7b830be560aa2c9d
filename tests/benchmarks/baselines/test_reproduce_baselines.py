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
from baseline_records import MEASURED, record, tables
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
    Record,
    fingerprint,
    trained_at,
)
from benchmarks.baselines.report import NOT_YET
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


class QuickRuns:
    """Rows at tiny size, on one folder for all tests."""

    def __init__(self, corpora: Path, folder: Path) -> None:
        options = ["--corpora", str(corpora), "--quick", "--folder", str(folder)]
        self.folder, self.arguments = folder, program.parse_arguments(options)
        self._bench = program.make_bench(self.arguments)

    def run(self, row: Row) -> bool:
        return program.run_row(row, self._bench, again=False)


@pytest.fixture(scope="module")
def quick(tiny_corpora: Path, tmp_path_factory: pytest.TempPathFactory) -> QuickRuns:
    return QuickRuns(tiny_corpora, tmp_path_factory.mktemp("rows"))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_a_row_runs_and_is_kept(quick: QuickRuns, row: Row) -> None:
    quick.run(row)
    kept = Record.read(quick.folder, row.name)
    assert kept is not None and kept.quick
    measured = {figure.what for figure in kept.measured.figures}
    assert EXPECTED.keys() >= row.measures
    for kind in row.measures - {"groups"}:
        assert EXPECTED[kind] <= measured
    assert bool(kept.measured.groups) == ("groups" in row.measures)
    of_pairs = [f for f in kept.measured.figures if "voxforge" in row.measures and f.what.startswith("eer")]
    assert all(len(figure.drawn) == 50 for figure in of_pairs)
    assert not quick.run(row), "it is not measured again"


def test_every_row_stands_on_the_page(quick: QuickRuns, capsys: pytest.CaptureFixture[str]) -> None:
    for row in ROWS:  # those that no test has run yet
        quick.run(row)
    capsys.readouterr()
    assert program.run_rows(quick.arguments) == 0
    assert [line.split(" at ")[0] for line in capsys.readouterr().out.splitlines()] == [
        f"{row.name}: measured" for row in ROWS
    ]
    page = (quick.folder / "baselines.md").read_text(encoding="utf-8")
    assert not any(NOT_YET in line for table in tables(page) for line in table)
    assert f": {NOT_YET}" not in page
    assert "quick trials at tiny size, no results" in page
    for kind in ("random", "blocks"):
        assert (quick.folder / "images" / f"baselines-confusions-{kind}.png").stat().st_size < 100_000


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
    assert recipe.trainer.steps * 128 == default_clips()

    def converged(step: int, *, steps: int = recipe.trainer.steps, finished: bool = True) -> bool:
        ended = Outcome(folder=tmp_path, step=step, steps=steps, finished=finished, criterion="EER", best=0.1)
        return learned_all_it_can(ended, recipe)

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
