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
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.accuracy.all_pairs import measure_pairs
from benchmarks.program import add_corpora, make_parser
from voiceprint.calibration import OperatingPoint, TrialShape
from voiceprint.corpus import Corpus, read_manifest
from voiceprint.engine.enrollment import CandidateClip
from voiceprint.engine.measuring import measure_clip
from voiceprint.engine.verifier import Verifier
from voiceprint.errors import EnrollmentError
from voiceprint.metrics import SpeakerTrials, eer_hull, pair_rate_interval, rate_interval, speaker_bootstrap
from voiceprint.model import SpeakerModel
from voiceprint.percent import percent, percent_range, percent_with_range
from voiceprint.scoring import cosine_matrix
from voiceprint.store import Enrollment
from voiceprint.workers import count_processes, map_with_model

ClipsOf = Mapping[str, Sequence[CandidateClip]]
"""The clips of each speaker, in the manifest's order."""

RATES = (0.05, 0.01)
"""False-accept rates at which decisions are counted."""


def main() -> None:
    """Measure one split, and print its rates."""
    options = _parse()
    corpus = read_manifest(options.corpora / options.corpus).filter(split=options.split)
    if options.all_pairs:
        _print_all_pairs(corpus, options)
        return
    rng = np.random.default_rng(options.seed)
    with tempfile.TemporaryDirectory() as folder, Verifier(folder, model=options.model) as verifier:
        clips, without_decision = measure_people(corpus, verifier.model, jobs=options.jobs)
        tests, refused = enroll_everybody(verifier, clips, options.clips, rng)
        found = measure_trials(verifier, tests, rng) | {
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


def _parse() -> argparse.Namespace:
    parser = make_parser(__doc__)
    add_corpora(parser)
    parser.add_argument("--corpus", default="speechocean762", help="folder below the root of the corpora")
    parser.add_argument("--split", default="test", help="its split (default: test)")
    parser.add_argument("--model", type=Path, help="model folder, or name (default: the one in use)")
    parser.add_argument("--clips", type=int, default=5, help="enrollment clips of a person (default: 5)")
    parser.add_argument("--seed", type=int, default=0, help="of every draw (default: 0)")
    parser.add_argument("--jobs", type=int, help="processes (default: one for each processor)")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument("--all-pairs", action="store_true", help="the EER over all pairs of whole clips")
    return parser.parse_args()


def _print_all_pairs(corpus: Corpus, options: argparse.Namespace) -> None:
    model = SpeakerModel.open(options.model)
    eer = measure_pairs(corpus, model, jobs=options.jobs)
    about = {"corpus": options.corpus, "split": options.split, "model": model.id, "clips": len(corpus)}
    if options.json:
        print(json.dumps({**about, "eer": asdict(eer)}, indent=2))
    else:
        shown = percent_with_range(eer.value, eer.low, eer.high)
        print(f"{options.corpus} {options.split}: EER {shown} over all pairs of {len(corpus)} clips")


def measure_people(
    corpus: Corpus, model: SpeakerModel, *, jobs: int | None = None
) -> tuple[dict[str, list[CandidateClip]], int]:
    """Read, search and embed every clip of a corpus, once.

    Returns
    -------
    dict of str to list of CandidateClip
        The clips of each speaker that have enough speech for a decision.
    int
        How many clips hold too little speech, or cannot be read.
    """
    paths = [str(utterance.path) for utterance in corpus]
    clips: dict[str, list[CandidateClip]] = {speaker: [] for speaker in corpus.speakers}
    measured = map_with_model(_measure, paths, model, jobs=count_processes(jobs))
    without_decision = 0
    for done, (utterance, clip) in enumerate(zip(corpus, measured, strict=True), start=1):
        if clip.embedding is None:
            without_decision += 1
        else:
            clips[utterance.speaker_id].append(clip)
        if sys.stderr.isatty():
            print(f"\r{done} of {len(corpus)} clips", end="", file=sys.stderr)
    return clips, without_decision


def _measure(model: SpeakerModel, path: str) -> CandidateClip:
    return measure_clip(path, model)


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


def measure_trials(verifier: Verifier, tests: ClipsOf, rng: np.random.Generator) -> dict[str, Any]:
    """Score every test against every voiceprint, and count errors at the card's thresholds."""
    enrolled = [verifier.show(name) for name in verifier.speakers()]
    clips = [clip for of_speaker in tests.values() for clip in of_speaker]
    speakers = np.repeat(list(tests), [len(of_speaker) for of_speaker in tests.values()])
    names = np.array([enrollment.name for enrollment in enrolled])
    scores = cosine_matrix(  # (tests, voiceprints)
        np.stack([clip.embedding for clip in clips if clip.embedding is not None]),
        np.stack([enrollment.centroid for enrollment in enrolled]),
    )
    target = speakers[:, None] == names
    rows, columns = np.indices(scores.shape).reshape(2, -1)
    (eer,) = speaker_bootstrap(
        SpeakerTrials(scores=scores.ravel(), enroll=names[columns], test=speakers[rows]),
        [eer_hull],
        generator=rng,
    )
    decider, shape = verifier.model.decider(), _shape(clips, enrolled)
    # (tests, voiceprints) -> (voiceprints, voiceprints), for whoever is tested is enrolled
    by_speaker = (names[:, None] == speakers).astype(np.float64)
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


def _shape(clips: Sequence[CandidateClip], enrolled: Sequence[Enrollment]) -> TrialShape:
    """The shape of every trial, (clips, voiceprints)."""
    qualities = [clip.report.quality for clip in clips]
    snr_db = [None if quality is None else quality.snr_db for quality in qualities]
    return TrialShape(
        n_enroll=np.array([enrollment.n_utterances for enrollment in enrolled]),
        seconds=np.array([[clip.seconds_of_speech] for clip in clips]),
        snr_db=np.array(snr_db, dtype=np.float64)[:, None],
    )


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
