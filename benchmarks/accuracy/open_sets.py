"""Compare ways to put the best score of a search in proportion, and ways to score several sessions, on dev.

    VOICEPRINT_CORPORA=corpora scripts/compare_open_sets --model mymodel

The first table: stores of dev speakers of one corpus or of all, recorded alike or each person on a channel
of their own (clean, telephone, noise, a far room, a low bit rate). From the best score a part of the rivals'
mean is subtracted; one threshold for all stores names 1 % of out-of-set clips over all of them together. A
cell is that rate in the store, and how many enrolled people's clips are named rightly.

The second table: everybody is enrolled in two sessions, one as recorded and one on another channel, with two
clips each; tests come from either channel. Rates are EER, and misses at a false-accept rate of 1 %.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.accuracy.identification import CORPORA
from benchmarks.program import BenchmarkError, add_corpora, make_parser
from benchmarks.tables import markdown_table
from voiceprint.audio.clips import MIN_SPEECH
from voiceprint.calibration import mean_of_nearest
from voiceprint.corpus import Corpus, read_manifest
from voiceprint.evaluation import EmbeddedClips, EmbeddingCache, corpus_files, embed_clips
from voiceprint.evaluation.cache import default_cache_path
from voiceprint.evaluation.cohort import CHANNELS
from voiceprint.evaluation.degraded import embed_degraded
from voiceprint.metrics import det_curve, eer_hull
from voiceprint.model import SpeakerModel
from voiceprint.scoring import centroid, cosine_matrix

CLEAN, EVERYBODY = "as recorded", "all"
EVERY = (CLEAN, *CHANNELS)
RATE = 0.01

_MOST_CLIPS = 12
_ENROLLED = 3
_FEWEST, _FEWEST_CLIPS = 30, 5

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """A dev speaker: the corpus, and the same clips (n, dim) on every channel."""

    corpus: str
    clips: Mapping[str, Floats]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Searches:
    """Searches in one kind of store; one entry a clip.

    Attributes
    ----------
    best : ndarray of shape (n,)
    others : ndarray of shape (n, 5)
        The next nearest.
    cohort : ndarray of shape (n, 5)
        The highest scores of the cohort.
    known, right : ndarray of bool, shape (n,)
        Whether the speaker is enrolled, and is the nearest.
    """

    best: Floats
    others: Floats
    cohort: Floats
    known: NDArray[np.bool_]
    right: NDArray[np.bool_]


def main() -> None:
    """Print both tables."""
    parser = make_parser(__doc__)
    add_corpora(parser)
    parser.add_argument("--model", type=Path, help="model folder with a cohort (default: the packaged one)")
    parser.add_argument("--cache", type=Path, help="of embeddings (default: VOICEPRINT_CACHE)")
    parser.add_argument("--draws", type=int, default=10, help="of who is enrolled (default: 10)")
    parser.add_argument("--seed", type=int, default=0, help="of every draw (default: 0)")
    parser.add_argument("--jobs", type=int, help="processes (default: one for each processor)")
    options = parser.parse_args()
    model = SpeakerModel.open(options.model)
    if model.cohort is None:
        raise BenchmarkError(f"{model.folder} has no cohort: calibrate it with --cohort")
    people = read_people(options, model)
    print(f"{model.card.title}, {len(people)} dev speakers, {options.draws} draws\n")
    print(_table_of_stores(people, model.cohort, options))
    print(_table_of_sessions(people, np.random.default_rng(options.seed)))


def read_people(options: argparse.Namespace, model: SpeakerModel) -> list[Person]:
    """Embed a dozen clips of each dev speaker on every channel, but those with too little speech."""
    people: list[Person] = []
    folder = options.cache or default_cache_path()
    with EmbeddingCache(folder, model_id=model.id, dim=model.dim) as cache:
        for name in CORPORA:
            corpus = read_manifest(options.corpora / name).filter(split="dev")
            drawn = [
                np.random.default_rng(options.seed).permutation(indices)[:_MOST_CLIPS].tolist()
                for indices in corpus.by_speaker.values()
            ]
            kept = Corpus([corpus[i] for i in sorted(i for clips in drawn for i in clips)])
            found = {CLEAN: embed_clips(corpus_files(kept), model, cache=cache, jobs=options.jobs)}
            found |= embed_degraded(kept, model, CHANNELS, cache=cache, jobs=options.jobs)
            people += _people(kept, found)
    return people


def _people(corpus: Corpus, found: Mapping[str, EmbeddedClips]) -> list[Person]:
    """Those with clips enough that are spoken in and embedded on every channel."""
    rows = {channel: clips.rows for channel, clips in found.items()}
    spoken = {name for name, row in rows[CLEAN].items() if found[CLEAN].seconds[row] >= MIN_SPEECH}
    people = []
    for indices in corpus.by_speaker.values():
        names = [corpus[i].id for i in indices]
        good = [name for name in names if name in spoken and all(name in of for of in rows.values())]
        if len(good) > _ENROLLED:
            clips = {c: found[c].embeddings[[rows[c][name] for name in good]] for c in EVERY}
            people.append(Person(corpus=corpus[indices[0]].corpus, clips=clips))
    return people


def search(
    people: Sequence[Person], size: int, channels: Sequence[str], cohort: Floats, rng: np.random.Generator
) -> Searches:
    """Enroll some, each person on one channel, and search with everybody's other clips on that channel."""
    order = rng.permutation(len(people))
    voiceprints, tests, who = [], [], []
    for place, number in enumerate(order):
        clips = people[number].clips[channels[int(rng.integers(len(channels)))]]
        clips = clips[rng.permutation(len(clips))]
        if place < size:
            voiceprints.append(centroid(clips[:_ENROLLED]))
        rest = clips[_ENROLLED:]
        tests.append(rest)
        who.append(np.full(len(rest), place if place < size else -1))
    embeddings, speakers = np.concatenate(tests), np.concatenate(who)
    scores = cosine_matrix(embeddings, np.stack(voiceprints))
    ranked = -np.sort(-scores, axis=1)[:, :6]
    return Searches(
        best=ranked[:, 0],
        others=ranked[:, 1:],
        cohort=np.sort(cosine_matrix(embeddings, cohort), axis=1)[:, -5:],
        known=speakers >= 0,
        right=scores.argmax(axis=1) == speakers,
    )


Margin = Callable[[Searches], NDArray[np.float64]]


def _less(gain: float, *rivals: str) -> Margin:
    """The best score less a part of the mean of its rivals."""

    def margin(searches: Searches) -> NDArray[np.float64]:
        every = np.hstack([getattr(searches, name) for name in rivals])
        return np.asarray(searches.best - gain * mean_of_nearest(every))

    return margin


WAYS: Mapping[str, Margin] = {
    "score alone": _less(0.0, "others"),
    "0.4 of rivals in the store": _less(0.4, "others"),
    "0.4 of the cohort": _less(0.4, "cohort"),
    **{f"{gain} of both": _less(gain, "others", "cohort") for gain in (0.2, 0.4, 0.6)},
}


def _draw_stores(
    people: Sequence[Person], cohort: Floats, options: argparse.Namespace
) -> dict[str, list[Searches]]:
    """Draw stores of every kind; corpora of fewer than 30 people have none of their own."""
    rng = np.random.default_rng(options.seed)
    stores: dict[str, list[Searches]] = {}
    for name in (*CORPORA, EVERYBODY):
        group = [person for person in people if name in (person.corpus, EVERYBODY)]
        for size in (46, 100, 150) if name == EVERYBODY else (len(group) // 2,):
            for called, channels in (("alike", (CLEAN,)), ("mixed", EVERY)):
                if len(group) >= _FEWEST:
                    stores[f"{name}, {size}, {called}"] = [
                        search(group, size, channels, cohort, rng) for _ in range(options.draws)
                    ]
    return stores


def _table_of_stores(people: Sequence[Person], cohort: Floats, options: argparse.Namespace) -> str:
    stores = {kind: _join(draws) for kind, draws in _draw_stores(people, cohort, options).items()}
    columns = {way: threshold_in(stores, margin) for way, margin in WAYS.items()}
    rows = [[kind, *(column[kind] for column in columns.values())] for kind in stores]
    return markdown_table(["store, enrolled, recorded", *columns], rows)


def threshold_in(stores: Mapping[str, Searches], margin: Margin) -> dict[str, str]:
    """What one threshold for all stores does in each: out-of-set named / enrolled named rightly, in %."""
    margins = {kind: margin(searches) for kind, searches in stores.items()}
    outside = {kind: margins[kind][~searches.known] for kind, searches in stores.items()}
    # Every store counts the same in what one threshold for all of them lets through.
    weights = np.concatenate([np.full(len(of), 1.0 / len(of) / len(stores)) for of in outside.values()])
    every = np.concatenate(list(outside.values()))
    order = np.argsort(-every)
    limit = every[order][np.searchsorted(np.cumsum(weights[order]), RATE)]
    cells = {}
    for kind, searches in stores.items():
        found = ((margins[kind] > limit) & searches.right)[searches.known]
        cells[kind] = f"{100 * np.mean(outside[kind] > limit):.1f} / {100 * found.mean():.0f}"
    return cells


def _join(draws: Sequence[Searches]) -> Searches:
    names = [field.name for field in fields(Searches)]
    return Searches(**{name: np.concatenate([getattr(each, name) for each in draws]) for name in names})


def _table_of_sessions(people: Sequence[Person], rng: np.random.Generator) -> str:
    """Score tests of either session against people enrolled in two."""
    able = [person for person in people if len(person.clips[CLEAN]) >= _FEWEST_CLIPS]
    others = [person.clips[CHANNELS[rng.integers(len(CHANNELS))]] for person in able]
    sessions = [(p.clips[CLEAN][:2], other[2:4]) for p, other in zip(able, others, strict=True)]
    tests = [np.concatenate([p.clips[CLEAN][4:], other[4:]]) for p, other in zip(able, others, strict=True)]
    who = np.repeat(np.arange(len(tests)), [len(of) for of in tests])
    corpora = np.array([person.corpus for person in able])
    rows = []
    for way, scores in _scores_of_sessions(np.concatenate(tests), sessions).items():
        cells = []
        for name in CORPORA:
            tested, enrolled = corpora[who] == name, np.flatnonzero(corpora == name)
            cells.append(_errors(scores[tested][:, enrolled], who[tested], enrolled))
        rows.append([way, *cells])
    return markdown_table(["score of a voiceprint of two sessions", *CORPORA], rows)


def _scores_of_sessions(tests: Floats, sessions: Sequence[tuple[Floats, Floats]]) -> dict[str, Floats]:
    """Scores (tests, people), by every way."""
    first, second = (np.stack([centroid(both[i]) for both in sessions]) for i in (0, 1))
    clips = [np.concatenate(both) for both in sessions]
    return {
        "centroid of all clips": cosine_matrix(tests, np.stack([centroid(of) for of in clips])),
        "mean of the clips' scores": tests @ np.stack([of.mean(axis=0) for of in clips]).T,
        "best session's centroid": np.maximum(cosine_matrix(tests, first), cosine_matrix(tests, second)),
    }


def _errors(scores: Floats, who: NDArray[np.int64], enrolled: NDArray[np.int64]) -> str:
    """EER / misses at the rate, in %."""
    target = who[:, None] == enrolled
    limit = np.quantile(scores[~target], 1.0 - RATE)
    eer = eer_hull(det_curve(scores[target], scores[~target]))
    return f"{100 * eer:.1f} / {100 * np.mean(scores[target] < limit):.1f}"
