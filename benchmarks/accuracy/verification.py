"""Enroll the speakers of a split with five clips each, and verify every other clip against all of them.

    VOICEPRINT_CORPORA=corpora scripts/measure_verification
    VOICEPRINT_CORPORA=corpora scripts/measure_verification --split dev --json
    VOICEPRINT_CORPORA=corpora scripts/measure_verification --all-pairs

Clips are measured, people enrolled and trials decided by the library's own functions; every clip is embedded
once, and its scores against all voiceprints come from that. Rates are counted over all trials at the
thresholds of the model's card. Intervals are for other speakers like these (bootstrap over speakers, 95 %): a
promise is broken where the rate that was asked for lies below one.
With --all-pairs nobody is enrolled: the EER is that of all pairs of whole clips, as encoders are published.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np

from benchmarks.accuracy.all_pairs import measure_pairs
from benchmarks.accuracy.people import (
    ClipsOf,
    TestClips,
    Voiceprints,
    make_accuracy_parser,
    measure_people,
    open_corpus,
)
from voiceprint.calibration import OperatingPoint
from voiceprint.corpus import Corpus
from voiceprint.engine.enrollment import CandidateClip
from voiceprint.engine.verifier import Verifier
from voiceprint.errors import EnrollmentError
from voiceprint.metrics import SpeakerTrials, eer_hull, pair_rate_interval, rate_interval, speaker_bootstrap
from voiceprint.model import SpeakerModel
from voiceprint.percent import percent, percent_range, percent_with_range
from voiceprint.scoring import cosine_matrix

RATES = (0.05, 0.01)
"""False-accept rates at which decisions are counted."""


def main() -> None:
    """Measure one split, and print its rates."""
    parser = make_accuracy_parser(__doc__)
    parser.add_argument("--all-pairs", action="store_true", help="the EER over all pairs of whole clips")
    options = parser.parse_args()
    corpus = open_corpus(options)
    if options.all_pairs:
        _print_all_pairs(corpus, options)
        return
    rng = np.random.default_rng(options.seed)
    with tempfile.TemporaryDirectory() as folder, Verifier(folder, model=options.model) as verifier:
        clips, without_decision = measure_people(corpus, verifier.model, jobs=options.jobs)
        tests, refused = enroll_everybody(verifier, clips, options.clips, rng)
        found = measure_trials(verifier, TestClips.of(tests), rng) | {
            "corpus": options.corpus,
            "split": options.split,
            "model": verifier.model.id,
            "enrollment_clips": options.clips,
            "speakers": len(verifier.store),
            "refused": refused,
            "not_enough_speech": without_decision,
            "seed": options.seed,
        }
    print(json.dumps(found, indent=2) if options.json else _as_text(found))


def _print_all_pairs(corpus: Corpus, options: argparse.Namespace) -> None:
    model = SpeakerModel.open(options.model)
    eer = measure_pairs(corpus, model, jobs=options.jobs)
    about = {"corpus": options.corpus, "split": options.split, "model": model.id, "clips": len(corpus)}
    if options.json:
        print(json.dumps({**about, "eer": asdict(eer)}, indent=2))
    else:
        shown = percent_with_range(eer.value, eer.low, eer.high)
        print(f"{options.corpus} {options.split}: EER {shown} over all pairs of {len(corpus)} clips")


def enroll_everybody(
    verifier: Verifier, people: ClipsOf, n: int, rng: np.random.Generator
) -> tuple[dict[str, list[CandidateClip]], list[str]]:
    """Enroll everybody with `n` drawn clips.

    Returns
    -------
    dict of str to list of CandidateClip
        The other clips of everybody who was enrolled.
    list of str
        Who could not be enrolled, and why.
    """
    left: dict[str, list[CandidateClip]] = {}
    refused: list[str] = []
    for name, clips in people.items():
        drawn = set(rng.permutation(len(clips))[:n].tolist())
        if len(clips) <= n:
            refused.append(f"{name} has {len(clips)} clips")
            continue
        try:
            verifier.enroll_measured(name, [clips[index] for index in sorted(drawn)])
        except EnrollmentError as error:
            refused.append(str(error))
            continue
        left[name] = [clip for index, clip in enumerate(clips) if index not in drawn]
    return left, refused


def measure_trials(verifier: Verifier, tests: TestClips, rng: np.random.Generator) -> dict[str, Any]:
    """Score every test against every voiceprint, and count errors at the card's thresholds."""
    voiceprints = Voiceprints.of(verifier)
    scores = cosine_matrix(tests.embeddings, voiceprints.centroids)  # (tests, voiceprints)
    target = tests.speakers[:, None] == voiceprints.names
    rows, columns = np.indices(scores.shape).reshape(2, -1)
    (eer,) = speaker_bootstrap(
        SpeakerTrials(scores=scores.ravel(), enroll=voiceprints.names[columns], test=tests.speakers[rows]),
        [eer_hull],
        generator=rng,
    )
    decider, shape = verifier.model.decider(), tests.against(voiceprints)
    # (tests, voiceprints) -> (voiceprints, voiceprints), for whoever is tested is enrolled
    by_speaker = (voiceprints.names[:, None] == tests.speakers).astype(np.float64)
    chances = by_speaker @ np.ones(scores.shape)
    rates = {}
    for rate in RATES:
        accepted = by_speaker @ decider.accepts(scores, shape, OperatingPoint.far(rate))
        claims = np.diag(chances)
        rates[str(rate)] = {
            "false_accepts": asdict(pair_rate_interval(accepted, chances, generator=rng)),
            "false_rejects": asdict(rate_interval(claims - np.diag(accepted), claims, generator=rng)),
        }
    return {
        "target_trials": int(target.sum()),
        "nontarget_trials": int((~target).sum()),
        "eer": asdict(eer),
        "at": rates,
    }


def _as_text(found: Mapping[str, Any]) -> str:
    eer = found["eer"]
    lines = [
        f"{found['corpus']} {found['split']}: {found['speakers']} speakers enrolled with "
        f"{found['enrollment_clips']} clips each; {found['target_trials']} true and "
        f"{found['nontarget_trials']} false claims; model {found['model'][:12]}",
        "",
        f"EER                            {percent(eer['value']):>7}   ({eer['level']:.0%} interval over "
        f"speakers: {percent_range(eer['low'], eer['high'])})",
    ]
    lines += [
        f"threshold for {float(rate):3.0%} false accepts: of false claims "
        f"{_with_range(measured['false_accepts'])} accepted, of true ones "
        f"{_with_range(measured['false_rejects'])} rejected"
        for rate, measured in found["at"].items()
    ]
    lines.append(f"clips without a decision       {found['not_enough_speech']:>5}     (too little speech)")
    return "\n".join([*lines, *(f"not enrolled: {reason}" for reason in found["refused"])])


def _with_range(interval: Mapping[str, float]) -> str:
    return percent_with_range(interval["value"], interval["low"], interval["high"])
