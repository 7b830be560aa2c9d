"""Measure how often an out-of-set speaker is given a name, with 1 to 150 people enrolled.

    VOICEPRINT_CORPORA=corpora scripts/measure_strangers
    VOICEPRINT_CORPORA=corpora scripts/measure_strangers --corpus speechocean762 --split test --clips 5
    VOICEPRINT_CORPORA=corpora scripts/measure_strangers --figure docs/images/open-set.svg

In each draw some speakers of the corpora are enrolled with a few clips each; every clip of the others, and
every other clip of theirs, is identified at --far, the rate at which an out-of-set speaker may be given any
name. Clips without half a second of speech take no part. The interval is for other out-of-set speakers like
these (bootstrap over speakers, 95 %). Where fewer people have clips enough, a row is left out.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.program import add_corpora, make_parser
from benchmarks.tables import markdown_table
from voiceprint.audio.clips import MIN_SPEECH
from voiceprint.calibration import DEFAULT_FAR
from voiceprint.corpus import Corpus, read_manifest
from voiceprint.errors import TrialError
from voiceprint.evaluation import EmbeddedClips, EmbeddingCache, corpus_files, embed_clips
from voiceprint.evaluation.cache import default_cache_path
from voiceprint.evaluation.identification import measure_out_of_set
from voiceprint.evaluation.results import OutOfSetRate
from voiceprint.files.whole import write_whole
from voiceprint.model import SpeakerModel
from voiceprint.percent import percent, percent_with_range
from voiceprint.reports.charts.canvas import DASHES, Axis, Plot

CORPORA = ("speechocean762", "common_voice", "librispeech", "speech_commands", "arabic_speech_commands")
SIZES = (1, 2, 5, 10, 20, 50, 100, 150, 200)

_MOST_CLIPS = 12  # of a person: corpora differ in how many they have

_STYLE = (
    "text{font:12px sans-serif;fill:#444}.grid{stroke:#ddd;fill:none}.line{fill:none;stroke-width:2}"
    ".s1{stroke:#1b6ca8}.s2{stroke:#b5482a}.band{stroke:none;fill:#b5482a;opacity:.2}"
)


def main() -> None:
    """Measure each number of enrolled people."""
    options = _parser().parse_args()
    model, corpus = SpeakerModel.open(options.model), _read(options)
    rates = measure_sizes(corpus, model, options)
    found = {
        "corpora": options.corpus,
        "split": options.split,
        "model": model.id,
        "speakers": len(corpus.speakers),
        "enrollment_clips": options.clips,
        "draws": options.draws,
        "seed": options.seed,
        "rates": [asdict(rate) for rate in rates],
    }
    if options.figure is not None:
        write_whole(options.figure, draw_rates(rates))
    print(json.dumps(found, indent=2) if options.json else _as_text(found, rates))


def _parser() -> argparse.ArgumentParser:
    parser = make_parser(__doc__)
    add_corpora(parser)
    parser.add_argument("--corpus", nargs="+", default=CORPORA, help="folders below the root of the corpora")
    parser.add_argument("--split", default="dev", help="their split (default: dev)")
    parser.add_argument("--model", type=Path, help="model folder (default: the packaged one)")
    parser.add_argument("--cache", type=Path, help="of embeddings (default: VOICEPRINT_CACHE)")
    parser.add_argument("--clips", type=int, default=3, help="enrollment clips of a person (default: 3)")
    parser.add_argument("--enrolled", type=int, nargs="+", default=SIZES, help="how many people")
    parser.add_argument("--draws", type=int, default=20, help="of who is enrolled (default: 20)")
    parser.add_argument("--far", type=float, default=DEFAULT_FAR, help="(default: 0.01)")
    parser.add_argument("--seed", type=int, default=0, help="of every draw (default: 0)")
    parser.add_argument("--jobs", type=int, help="processes (default: one for each processor)")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument("--figure", type=Path, help="also draw the rates, as SVG")
    return parser


def _read(options: argparse.Namespace) -> Corpus:
    """Read the clips of all corpora, named by their corpora; a dozen of each person, drawn."""
    clips = []
    for name in options.corpus:
        corpus = read_manifest(options.corpora / name).filter(split=options.split)
        for indices in corpus.by_speaker.values():
            order = np.random.default_rng(options.seed).permutation(indices)
            drawn = [corpus[i] for i in order[:_MOST_CLIPS]]
            clips += [replace(clip, id=f"{name}/{clip.id}") for clip in drawn]
    return Corpus(clips)


def measure_sizes(corpus: Corpus, model: SpeakerModel, options: argparse.Namespace) -> list[OutOfSetRate]:
    """Measure every number of enrolled people for which there are people enough."""
    with EmbeddingCache(options.cache or default_cache_path(), model_id=model.id, dim=model.dim) as cache:
        clips = embed_clips(corpus_files(corpus), model, cache=cache, jobs=options.jobs)
    spoken = np.flatnonzero(clips.seconds >= MIN_SPEECH)
    clips = EmbeddedClips(
        names=tuple(clips.names[row] for row in spoken),
        embeddings=clips.embeddings[spoken],
        seconds=clips.seconds[spoken],
        snr_db=None if clips.snr_db is None else clips.snr_db[spoken],
    )
    speaker_of = {utterance.id: utterance.speaker_id for utterance in corpus}
    speakers = np.array([speaker_of[name] for name in clips.names])
    rates: list[OutOfSetRate] = []
    for size in options.enrolled:
        try:
            rates += measure_out_of_set(
                clips,
                speakers,
                model.decider(),
                n_enroll=options.clips,
                seed=options.seed,
                enrolled=size,
                rates=(options.far,),
                draws=options.draws,
            )
        except TrialError as error:
            print(f"{size} enrolled: {error}")
    return rates


def draw_rates(rates: Sequence[OutOfSetRate]) -> str:
    """Draw the shares of enrolled and of out-of-set clips that are named, against how many are enrolled."""
    sizes = [rate.enrolled for rate in rates]
    ticks = [(float(size), str(size)) for size in sizes]
    plot = Plot(
        x=Axis(
            label="enrolled", low=min(sizes), high=max(sizes), ticks=ticks, warp=lambda n: float(np.log(n))
        ),
        y=Axis.linear("named, % of clips", 0.0, 1.0, text=lambda share: f"{100 * share:g}"),
        title="Open-set identification",
        description="Share of enrolled people's clips named rightly, and of out-of-set clips given any name.",
    )
    plot.band(sizes, [r.named.low for r in rates], [r.named.high for r in rates], style="s2")
    plot.line([(r.enrolled, r.found) for r in rates], style="s1", tip="enrolled, named rightly")
    plot.line(
        [(r.enrolled, r.named.value) for r in rates], style="s2", dash=DASHES[1], tip="out of set, named"
    )
    middle = rates[len(rates) // 2]
    plot.text(middle.enrolled, middle.found, "enrolled people, named rightly", dx=0.0, dy=-8.0)
    plot.text(
        middle.enrolled, middle.named.value, f"out of set, named ({percent(middle.asked)} asked)", dx=0.0
    )
    head, rest = plot.render().split(">", 1)
    return f'{head} xmlns="http://www.w3.org/2000/svg"><style>{_STYLE}</style>{rest}\n'


def _as_text(found: Mapping[str, Any], rates: list[OutOfSetRate]) -> str:
    title = (
        f"{', '.join(found['corpora'])}, {found['split']}: {found['speakers']} speakers, "
        f"{found['enrollment_clips']} clips each to enroll, {found['draws']} draws; "
        f"model {found['model'][:12]}\n\n"
    )
    heads = ("enrolled", "asked", "out-of-set clips named", "enrolled people named rightly")
    rows = [
        (
            str(rate.enrolled),
            percent(rate.asked),
            percent_with_range(rate.named.value, rate.named.low, rate.named.high),
            percent(rate.found),
        )
        for rate in rates
    ]
    return title + markdown_table(heads, rows)
