"""Decide while somebody speaks: speech needed, error rates, changes of speaker, and what it costs.

    VOICEPRINT_CORPORA=corpora scripts/benchmark_live
    VOICEPRINT_CORPORA=corpora scripts/benchmark_live --corpus common_voice --json
    scripts/benchmark_live --hours 24

People are enrolled by three clips (or half of theirs); the others are joined, six at a time, into talks. Each
talk is claimed to be of everybody. The sequential test decides as a session does. Beside it: one decision at
a length fixed before, and peeking, which accepts at the first look whose score reaches the same threshold.
Intervals are for other speakers like these (bootstrap over speakers, 95 %).

With --hours, synthetic talk is fed in fast motion instead, and memory is printed ten times.

**Every run on a test split is a look at it**: note it in docs/development/experiments.md.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np

from benchmarks.live.conversations import Changes, Cost, measure_changes, measure_cost
from benchmarks.live.endurance import Endured, listen_for_hours
from benchmarks.live.looks import clips_by_speaker, join_clips, measure_people
from benchmarks.live.stopping import Outcome, Rule, at_length, measure_rule, sequentially, while_peeking
from benchmarks.program import BenchmarkError, add_corpora, make_parser
from benchmarks.synthetic_speech import SAMPLE_RATE, VOICES, synthesize
from benchmarks.tables import markdown_table
from voiceprint.corpus import read_manifest
from voiceprint.engine.sequential import SequentialTest
from voiceprint.engine.session import LATEST, LEAST_SPEECH
from voiceprint.engine.verifier import Verifier
from voiceprint.metrics import Interval
from voiceprint.model import SpeakerModel
from voiceprint.percent import percent_with_range

__all__ = ["main", "make_rules"]

_LENGTHS = (1.0, 2.0, 3.0, 5.0, 10.0)


def main() -> None:
    """Measure what the options ask for, and print it."""
    options = _parse()
    model = SpeakerModel.open(options.model)
    with tempfile.TemporaryDirectory() as folder, Verifier(folder, model=model) as verifier:
        if options.hours:
            found: Mapping[str, Any] = {"endured": _endure(verifier, options)}
        else:
            found = _measure(verifier, options)
    print(json.dumps(found, indent=1, default=asdict) if options.json else _text(found, options))


def make_rules(far: float, miss: float, latest: float) -> dict[str, Rule]:
    """Return the rules that are compared, by what they are called."""
    test = SequentialTest(far=far, miss=miss)
    rules = {f"sequential test, {100 * far:g} % and {100 * miss:g} %": _sequential(test, latest)}
    rules |= {f"once, at {length:g} s": at_length(far, length) for length in _LENGTHS}
    return rules | {f"peeking, up to {length:g} s": while_peeking(far, length) for length in _LENGTHS}


def _sequential(test: SequentialTest, latest: float) -> Rule:
    return sequentially(test, latest=latest, min_speech=LEAST_SPEECH)


def _parse() -> argparse.Namespace:
    parser = make_parser(__doc__)
    parser.add_argument("--hours", type=float, help="of synthetic talk in fast motion, instead of a corpus")
    add_corpora(parser)
    parser.add_argument("--corpus", default="speechocean762", help="folder below the root of the corpora")
    parser.add_argument("--split", default="dev", help="its split (default: dev)")
    parser.add_argument("--model", help="model folder or name (default: the one in use)")
    parser.add_argument("--clips", type=int, default=3, help="enrollment clips of a person (default: 3)")
    parser.add_argument("--far", type=float, default=0.01, help="false-accept rate (default: 0.01)")
    parser.add_argument("--miss", type=float, default=0.05, help="miss rate (default: 0.05)")
    parser.add_argument("--latest", type=float, default=LATEST, help="latest moment (default: 10 s)")
    parser.add_argument("--seed", type=int, default=0, help="of every draw (default: 0)")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    return parser.parse_args()


def _measure(verifier: Verifier, options: argparse.Namespace) -> dict[str, Any]:
    corpus = read_manifest(options.corpora / options.corpus).filter(split=options.split)
    if len(corpus.speakers) < 2:
        raise BenchmarkError(f"{options.corpus}: the split {options.split} needs two speakers at least")
    generator = np.random.default_rng(options.seed)
    clips = clips_by_speaker(corpus, generator)
    model = verifier.model
    people = measure_people(clips, model, enrolled=options.clips)
    rules = make_rules(options.far, options.miss, options.latest)
    outcomes = {
        name: measure_rule(people, model.decider(), rule, seed=options.seed) for name, rule in rules.items()
    }
    for name in list(VOICES)[:3]:  # somebody has to be enrolled whom a session can look for
        verifier.enroll(
            name, [synthesize(seed, 2.0, *VOICES[name]) for seed in (0, 1)], sample_rate=SAMPLE_RATE
        )
    talk = join_clips(next(iter(clips.values()))[:8])
    return {
        "people": len(people.names),
        "talks": len(people.talks),
        "rules": outcomes,
        "changes": measure_changes(clips, verifier, generator),
        "cost": measure_cost(talk, verifier),
    }


def _endure(verifier: Verifier, options: argparse.Namespace) -> Endured:
    for name, voice in VOICES.items():
        verifier.enroll(name, [synthesize(seed, 2.0, *voice) for seed in (100, 101)], sample_rate=SAMPLE_RATE)
    return listen_for_hours(verifier, options.hours, seed=options.seed)


def _text(found: Mapping[str, Any], options: argparse.Namespace) -> str:
    if "endured" in found:
        return _endured_text(found["endured"])
    outcomes: Mapping[str, Outcome] = found["rules"]
    rows = [
        (name, _rate(one.p_fa), _rate(one.p_miss), f"{one.median:.2f}", f"{one.p90:.2f}")
        for name, one in outcomes.items()
    ]
    heads = ["decided", "impostors accepted", "right claims rejected", "s of speech, median", "90 %"]
    title = f"{options.corpus} {options.split}: {found['people']} people, {found['talks']} talks"
    table = markdown_table(heads, rows, numbers=True)
    return f"{title}\n\n{table}\n\n{_changes_text(found['changes'])}\n{_cost_text(found['cost'])}"


def _rate(interval: Interval) -> str:
    return percent_with_range(interval.value, interval.low, interval.high)


def _changes_text(changes: Changes) -> str:
    return (
        f"Changes of speaker: {changes.conversations - changes.missed} of {changes.conversations} detected, "
        f"after {changes.median:.1f} s (median; 90 %: {changes.p90:.1f} s); "
        f"{changes.false_per_minute:.2f} false ones a minute of speech"
    )


def _cost_text(cost: Cost) -> str:
    return (
        f"A chunk of 100 ms: {cost.milliseconds:.1f} ms of one core (mean; the dearest {cost.most:.0f} ms), "
        f"{cost.real_time_factor:.3f} of real time"
    )


def _endured_text(endured: Endured) -> str:
    memory = " ".join(f"{megabytes:.0f}" for megabytes in endured.megabytes)
    return (
        f"{endured.hours:g} h of sound, {endured.events} events, {endured.times_real_time:.0f} times as fast "
        f"as spoken; memory after each tenth, MB: {memory}"
    )
