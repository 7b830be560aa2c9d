"""Measure how often an out-of-set speaker is given a name, with 5, 10 and 20 people enrolled.

    VOICEPRINT_CORPORA=corpora scripts/measure_strangers
    VOICEPRINT_CORPORA=corpora scripts/measure_strangers --split dev --draws 20

In each draw some speakers of the split are enrolled with five clips each; every clip of the others, and every
other clip of theirs, is identified at --far, the rate at which an out-of-set speaker may be given any name.
The interval is for other out-of-set speakers like these (bootstrap over speakers, 95 %).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np

from benchmarks.accuracy.people import make_accuracy_parser, open_corpus
from benchmarks.tables import markdown_table
from voiceprint.calibration import DEFAULT_FAR
from voiceprint.evaluation import corpus_files, embed_clips
from voiceprint.evaluation.identification import measure_out_of_set
from voiceprint.evaluation.results import OutOfSetRate
from voiceprint.model import SpeakerModel
from voiceprint.percent import percent, percent_with_range

__all__ = ["main"]


def main() -> None:
    """Measure each number of enrolled people."""
    parser = make_accuracy_parser(__doc__)
    parser.add_argument("--enrolled", type=int, nargs="+", default=[5, 10, 20], help="how many people")
    parser.add_argument("--draws", type=int, default=50, help="of who is enrolled (default: 50)")
    parser.add_argument("--far", type=float, default=DEFAULT_FAR, help="(default: 0.01)")
    options = parser.parse_args()
    model, corpus = SpeakerModel.open(options.model), open_corpus(options)
    clips = embed_clips(corpus_files(corpus), model, jobs=options.jobs)
    speaker_of = {utterance.id: utterance.speaker_id for utterance in corpus}
    speakers = np.array([speaker_of[name] for name in clips.names])
    rates = [
        rate
        for size in options.enrolled
        for rate in measure_out_of_set(
            clips,
            speakers,
            model.decider(),
            n_enroll=options.clips,
            seed=options.seed,
            enrolled=size,
            rates=(options.far,),
            draws=options.draws,
        )
    ]
    found = {
        "corpus": options.corpus,
        "split": options.split,
        "model": model.id,
        "speakers": len(corpus.speakers),
        "enrollment_clips": options.clips,
        "draws": options.draws,
        "seed": options.seed,
        "rates": [asdict(rate) for rate in rates],
    }
    print(json.dumps(found, indent=2) if options.json else _as_text(found, rates))


def _as_text(found: Mapping[str, Any], rates: list[OutOfSetRate]) -> str:
    title = (
        f"{found['corpus']} {found['split']}: {found['speakers']} speakers, {found['enrollment_clips']} "
        f"clips each to enroll, {found['draws']} draws; model {found['model'][:12]}\n\n"
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
