"""Decide while somebody speaks: speech needed, error rates, changes of speaker, and what it costs.

    VOICEPRINT_CORPORA=corpora scripts/benchmark_live
    VOICEPRINT_CORPORA=corpora scripts/benchmark_live --corpus common_voice --json
    scripts/benchmark_live --hours 24

People are enrolled by three clips (or half of theirs); the others are joined, six at a time, into talks. Each
talk is claimed to be of everybody. The sequential test decides as a session does. Beside it: one decision at
a length fixed before, and peeking, which accepts at the first look whose score reaches the same threshold.
Intervals are for other speakers like these (bootstrap over speakers, 95 %).

With --hours, synthetic talk is fed in fast motion instead, and memory is printed at the start and after each
tenth.

**Every run on a test split is a look at it**: note it in docs/development/experiments.md.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.live.looks import clips_by_speaker, join_clips, measure_people
from benchmarks.live.stopping import Outcome, Rule, at_length, measure_rule, sequentially, while_peeking
from benchmarks.program import BenchmarkError, add_corpora, make_parser
from benchmarks.synthetic_speech import VOICES, synthesize
from benchmarks.tables import markdown_table
from benchmarks.timing import resident_bytes, spent
from voiceprint.audio import SAMPLE_RATE
from voiceprint.corpus import Utterance, read_manifest
from voiceprint.engine.events import Event, SpeakerChanged, SpeechEnded
from voiceprint.engine.sequential import LATEST, LEAST_SPEECH, SequentialTest
from voiceprint.engine.verifier import Verifier
from voiceprint.metrics import Interval
from voiceprint.model import SpeakerModel
from voiceprint.percent import percent_with_range

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
    add_corpora(parser, needed=False)  # with --hours no corpus is read
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
    if options.corpora is None:
        raise BenchmarkError("name the root of the corpora: --corpora, or VOICEPRINT_CORPORA")
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
        f"as spoken; memory at the start and after each tenth, MB: {memory}"
    )


_WARMING = 10  # seconds
_SAID = 4  # sentences of each voice, said over and over


@dataclass(frozen=True, slots=True, kw_only=True)
class Endured:
    """How much sound there was, and what it took.

    Attributes
    ----------
    megabytes : tuple of float
        Resident memory at the start and after each tenth of the sound.
    times_real_time : float
        How many times as fast as it would have been spoken.
    """

    hours: float
    events: int
    megabytes: tuple[float, ...]
    times_real_time: float


def listen_for_hours(verifier: Verifier, hours: float, *, seed: int = 0) -> Endured:
    """Feed a session synthetic talk, pauses and noise, and look at the memory eleven times."""
    session, events, memory, fed = verifier.session(), 0, list[float](), 0
    sound, wanted = _talk(np.random.default_rng(seed)), round(3600 * hours * SAMPLE_RATE)

    def listen(until: int) -> None:
        nonlocal fed, events
        while fed < until:
            part = next(sound)
            events += len(session.feed(part))
            fed += len(part)

    listen(SAMPLE_RATE * _WARMING)  # by then everything is loaded
    memory.append(resident_bytes() / 1e6)
    seconds = 0.0
    for tenth in range(1, 11):
        seconds += spent(lambda until=wanted * tenth // 10: listen(until)).seconds  # type: ignore[misc]
        memory.append(resident_bytes() / 1e6)
    return Endured(
        hours=hours,
        events=events,
        megabytes=tuple(memory),
        times_real_time=fed / SAMPLE_RATE / seconds,
    )


def _talk(generator: np.random.Generator) -> Iterator[NDArray[np.float32]]:
    """Sentences of several voices, pauses between them, now and then a minute of silence or of noise."""
    sentences = [synthesize(seed, 4.0, *voice) for voice in VOICES.values() for seed in range(_SAID)]
    while True:
        yield sentences[generator.integers(len(sentences))]
        seconds, level = (60.0, 0.1) if generator.random() < 0.02 else (generator.uniform(0.1, 2.0), 1e-3)
        yield (level * generator.standard_normal(round(seconds * SAMPLE_RATE))).astype(np.float32)


_CHUNK = SAMPLE_RATE // 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """How well changes of speaker are detected.

    Attributes
    ----------
    conversations, missed : int
        With one change each; in which none was detected after it.
    false_per_minute : float
        Changes detected before it, a minute of speech.
    median, p90 : float
        Seconds of sound from the change until it was detected.
    """

    conversations: int
    missed: int
    false_per_minute: float
    median: float
    p90: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What a chunk of 100 ms costs."""

    milliseconds: float
    most: float

    @property
    def real_time_factor(self) -> float:
        """As a share of the 100 ms."""
        return self.milliseconds / 100.0


def measure_changes(
    clips: Mapping[str, Sequence[Utterance]],
    verifier: Verifier,
    generator: np.random.Generator,
    *,
    before: int = 3,
    after: int = 2,
) -> Changes:
    """Let everybody speak, and somebody else after them; `before` and `after` are clips of each."""
    names = [name for name, own in clips.items() if len(own) >= max(before, after)]
    delays, false, speech, missed = list[float](), 0, 0.0, 0
    for place, name in enumerate(names):
        other = names[(place + int(generator.integers(1, len(names)))) % len(names)]
        first, second = join_clips(clips[name][:before]), join_clips(clips[other][-after:])
        change = len(first) / SAMPLE_RATE
        events = _listen(verifier, np.concatenate([first, second]))
        detected = [event.elapsed for event in events if isinstance(event, SpeakerChanged)]
        ended = [event for event in events if isinstance(event, SpeechEnded) and event.stop <= change]
        speech += sum(event.stop - event.start for event in ended)
        false += sum(time <= change for time in detected)
        late = [time - change for time in detected if time > change]
        missed += not late
        delays += late[:1]
    return Changes(
        conversations=len(names),
        missed=missed,
        false_per_minute=60 * false / speech,
        median=float(np.median(delays)),
        p90=float(np.percentile(delays, 90)),
    )


def measure_cost(samples: NDArray[np.float32], verifier: Verifier, *, times: int = 5) -> Cost:
    """Feed samples (n,) to a session, 100 ms a time.

    Other work on the machine takes processor time too, so that the least of several `times` counts.
    """
    chunks = [samples[start : start + _CHUNK] for start in range(0, len(samples), _CHUNK)]
    took = np.min([_feed(verifier, chunks) for _ in range(times)], axis=0)
    return Cost(milliseconds=float(took.mean()), most=float(took.max()))


def _feed(verifier: Verifier, chunks: Sequence[NDArray[np.float32]]) -> list[float]:
    """Return the milliseconds of the processor that each chunk takes; the first loads what is used."""
    session = verifier.session()
    session.feed(chunks[0])
    return [1000 * spent(lambda chunk=chunk: session.feed(chunk)).processor for chunk in chunks[1:]]  # type: ignore[misc]


def _listen(verifier: Verifier, samples: NDArray[np.float32]) -> list[Event]:
    session = verifier.session()
    return [*session.feed(samples), *session.finish()]
