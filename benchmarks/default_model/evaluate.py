"""Measure the model that comes along on every open test split, with its peers beside it.

    VOICEPRINT_CORPORA=corpora scripts/evaluate_default
    VOICEPRINT_CORPORA=corpora scripts/evaluate_default --split dev --limit 5 -o reports/dev

Writes the report (reports/default/report.html and .json). On the test splits it also writes
docs/evaluation.json, and from it the tables of docs/explanation/accuracy.md; a test holds the two together.
Peers come from the embeddings that scripts/compare_peers kept under runs/peers; without them the page has
ours alone. On five_speakers, where everybody is in every split, a classifier is trained on the embeddings of
each system.

**Every run on the test splits is a look at them**: note it in docs/development/experiments.md, and tune
nothing on it.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import sys
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from benchmarks.default_model.accuracy_tables import accuracy_table, out_of_set_table, summarize
from benchmarks.peers.command import DEFAULT_CACHE
from benchmarks.peers.environment import DEFAULT_ENVIRONMENT
from benchmarks.peers.kept import classifiers, embedded_by_peers, row_of
from benchmarks.peers.systems import PeerSystem, peer_systems
from benchmarks.program import ROOT, add_corpora, make_parser
from benchmarks.tables import put_between
from voiceprint.corpus import read_manifest
from voiceprint.evaluation import (
    Confusion,
    EmbeddedCorpus,
    EmbeddingCache,
    MeasureSettings,
    Report,
    SetReport,
    default_cache_path,
    describe_environment,
    describe_model,
    embed_corpus,
    fitted_note,
    limit_clips,
    measure_set,
)
from voiceprint.model import SpeakerModel
from voiceprint.reports import write_report
from voiceprint.workers import count_processes

DATA = ROOT / "docs" / "evaluation.json"
PAGE = ROOT / "docs" / "explanation" / "accuracy.md"


@dataclass(frozen=True, slots=True, kw_only=True)
class TestSet:
    """A corpus, how many clips people enroll with, and what a reader must know of it."""

    name: str
    splits: tuple[str, ...]
    n_enroll: int = 5
    note: str = ""


SETS = (
    TestSet(
        name="speechocean762",
        splits=("dev", "test"),
        note="Sentences read in English by Mandarin speakers, adults and children, on telephones.",
    ),
    TestSet(
        name="librispeech",
        splits=("dev",),
        note="English audiobooks; six readers are too few for fine print.",
    ),
    TestSet(
        name="voxforge",
        splits=("test",),
        note="Volunteers with their own microphones, many on several days; none of it was trained on.",
    ),
    TestSet(
        name="common_voice",
        splits=("dev", "test"),
        n_enroll=3,
        note="Sentences read in 60 languages, a person each, on microphones of their own.",
    ),
    TestSet(
        name="speech_commands",
        splits=("dev", "test"),
        n_enroll=3,
        note="Single English words of a second, on hundreds of microphones.",
    ),
    TestSet(
        name="arabic_speech_commands",
        splits=("dev", "test"),
        note="Single words of under a second: shorter than what `verify` should be asked with.",
    ),
    TestSet(
        name="free_spoken_digits",
        splits=("test",),
        n_enroll=10,
        note="Digits of 0.4 s recorded at 8 kHz; enrolled with ten, for five hold too little speech.",
    ),
    TestSet(
        name="five_speakers",
        splits=("dev", "test"),
        note="Five politicians, one long recording each, cut into seconds: who speaks and where are one.",
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What came of one set.

    Attributes
    ----------
    confusions : tuple of Confusion
        Of classifiers, where everybody is in every split.
    peers : tuple of str
        Titles of the peers whose embeddings were kept.
    """

    report: SetReport
    confusions: tuple[Confusion, ...]
    peers: tuple[str, ...]


def main() -> None:
    """Measure every set of the split, and write the report."""
    options = _parse()
    model = SpeakerModel.open(options.model)
    settings = MeasureSettings(repetitions=options.repetitions)
    if options.no_conditions:
        settings = replace(settings, conditions=())
    peers = peer_systems(DEFAULT_ENVIRONMENT)
    chosen = [
        each
        for each in SETS
        if options.split in each.splits and (not options.sets or each.name in options.sets)
    ]
    jobs = min(len(chosen), count_processes(options.jobs))
    with ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context("spawn")) as pool:
        measured = list(pool.map(partial(_measure, peers=peers, settings=settings, options=options), chosen))
    seen = {name for each in measured for name in each.peers}
    report = Report(
        title=model.card.title,
        models={
            model.card.title: describe_model(model),
            **{peer.title: {"title": peer.title, "id": peer.id} for peer in peers if peer.title in seen},
        },
        sets=tuple(each.report for each in measured),
        environment=describe_environment(),
        seeds={"all draws": settings.seed},
        confusions=tuple(confusion for each in measured for confusion in each.confusions),
    )
    page, _ = write_report(report, options.output / "report.html")
    print(f"{page} was written")
    if options.split == "test" and not options.sets:
        _quote(report)


def _parse() -> argparse.Namespace:
    parser = make_parser(__doc__)
    add_corpora(parser)
    parser.add_argument("--model", type=Path, help="a model folder (the one that comes along)")
    parser.add_argument("--split", choices=["dev", "test"], default="test", help="(test)")
    parser.add_argument("--sets", nargs="*", choices=[each.name for each in SETS], help="only these")
    parser.add_argument("--limit", type=int, default=40, help="clips per speaker (40)")
    parser.add_argument("--repetitions", type=int, default=1000, help="draws of speakers (1000)")
    parser.add_argument("--no-conditions", action="store_true", help="leave degraded clips out")
    parser.add_argument("--peers", type=Path, default=DEFAULT_CACHE, help="what compare_peers kept")
    parser.add_argument("--jobs", type=int, help="sets measured at once (one for each processor)")
    parser.add_argument(
        "-o", "--output", type=Path, default=ROOT / "reports" / "default", help="folder of the report"
    )
    return parser.parse_args()


def _measure(
    each: TestSet, *, peers: list[PeerSystem], settings: MeasureSettings, options: argparse.Namespace
) -> Measured:
    model = SpeakerModel.open(options.model)
    corpus = read_manifest(options.corpora / each.name).filter(split=options.split)
    corpus = limit_clips(corpus, options.limit, seed=settings.seed)
    print(f"{each.name} {options.split}: {corpus}", file=sys.stderr, flush=True)
    with EmbeddingCache(default_cache_path(), model_id=model.id, dim=model.dim) as cache:
        ours = embed_corpus(corpus, model, settings, name=model.card.title, cache=cache, jobs=1)
    theirs: list[EmbeddedCorpus] = []
    confusions: list[Confusion] = []
    row = row_of(each.name, options.split)
    if row is not None:
        theirs = embedded_by_peers(peers, corpus, row, corpora=options.corpora, cache=options.peers)
    if row is not None and row.measure == "accuracy":
        confusions = classifiers(
            options.model, peers, row, options.split, corpora=options.corpora, cache=options.peers
        )
    report = measure_set(
        corpus,
        [ours, *theirs],
        replace(settings, n_enroll=each.n_enroll),
        note=f"{each.note} {fitted_note(model, corpus)}".strip(),
    )
    return Measured(report=report, confusions=tuple(confusions), peers=tuple(peer.name for peer in theirs))


def _quote(report: Report) -> None:
    """Keep the figures that docs/explanation/accuracy.md quotes, and write them into it."""
    summary = summarize(report)
    lines = (f"{json.dumps(key)}: {json.dumps(value)}" for key, value in summary.items())
    DATA.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
    text = PAGE.read_text(encoding="utf-8")
    text = put_between(text, "accuracy", accuracy_table(summary))
    PAGE.write_text(put_between(text, "out-of-set", out_of_set_table(summary)), encoding="utf-8")
    print(f"{DATA.relative_to(ROOT)} and the tables of {PAGE.relative_to(ROOT)} were written")
