"""How well the countermeasure tells people from machines and loudspeakers that no training saw.

    scripts/prepare_spoofs -o runs/spoof
    scripts/benchmark_countermeasure --banks runs/spoof --split dev

Clips are those of `scripts/prepare_spoofs`: only what is spoken, all at one level. Where people and machines
are compared, both went through the same codec.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from benchmarks.program import make_parser
from benchmarks.spoof.cues import CUES, cue_rate
from benchmarks.spoof.tandem import tandem_table
from benchmarks.tables import markdown_table
from benchmarks.timing import processor_name, repeat
from voiceprint.audio import SAMPLE_RATE
from voiceprint.audio.conditions import standard_telephone
from voiceprint.audio.degrade import add_background, narrowband, opus, pink_noise
from voiceprint.audio.degrade.loudspeakers import Loudspeaker
from voiceprint.countermeasure import Countermeasure
from voiceprint.metrics import accuracy_interval, det_curve, draw_speakers, eer_interpolated
from voiceprint.training.countermeasure.bank import ClipBank
from voiceprint.training.countermeasure.batches import SpoofBanks
from voiceprint.training.countermeasure.devices import (
    DEV_LOUDSPEAKERS,
    TEST_LOUDSPEAKERS,
    held_out_replay,
)
from voiceprint.training.countermeasure.run import open_speech

Samples = NDArray[np.float32]

_KBPS = 24.0  # of the codec that both sides go through
_FARS = (0.01, 0.1)  # shares of people that may be rejected
_DRAWS = 300
_NEURAL = "neural-voices"


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """Clips of one origin, and what the countermeasure says of them.

    Parameters
    ----------
    scores : ndarray of shape (n,), float64
    live : ndarray of shape (n, 2), bool
        Whether each passes at 1 and at 10 % asked.
    speakers : tuple of str
    """

    name: str
    clips: tuple[Samples, ...]
    scores: NDArray[np.float64]
    live: NDArray[np.bool_]
    speakers: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What is measured.

    Parameters
    ----------
    banks : Path
        What `scripts/prepare_spoofs` made.
    split : str
        ``dev`` or ``test``.
    clips : int
        Clips of each corpus.
    seed : int
        Of what is drawn.
    model : Path or None
        The countermeasure's folder; None: the one that comes with the package.
    """

    banks: Path
    split: str
    clips: int
    seed: int
    model: Path | None


def main() -> None:
    """Print all tables."""
    parser = make_parser(__doc__)
    parser.add_argument("--banks", type=Path, default=Path("runs/spoof"), help="folder (runs/spoof)")
    parser.add_argument("--split", choices=["dev", "test"], default="test", help="whose speakers (test)")
    parser.add_argument("--clips", type=int, default=60, help="clips of each corpus (60)")
    parser.add_argument("--seed", type=int, default=0, help="of what is drawn (0)")
    parser.add_argument("--model", type=Path, help="a countermeasure's folder (the one of the package)")
    print(_tables(Options(**vars(parser.parse_args()))))


def _tables(options: Options) -> str:
    judge = Countermeasure.open(options.model)
    speech = open_speech(options.banks / options.split)
    generator = np.random.default_rng(options.seed)
    people = [_judged(judge, bank, generator, options.clips, _encoded) for bank in speech.live]
    machines = [_judged(judge, bank, generator, 2 * options.clips, _encoded) for bank in speech.machines]
    machines.append(_replayed(judge, speech, options, generator))
    return "\n\n".join(
        [
            f"{options.split} speakers, at most {options.clips} clips of each corpus, seed {options.seed}, "
            f"countermeasure {judge.card.version} ({judge.card.sha256[:12]}), people and machines at "
            f"{_KBPS:g} kbit/s Opus",
            _machine_table(people, machines, generator),
            _people_table(judge, speech, generator),
            _ablation_table(judge, people, machines, generator),
            _cue_table(people, machines),
            tandem_table(judge, speech, devices=_devices(options), seed=options.seed),
            speed_line(judge),
        ]
    )


def speed_line(judge: Countermeasure, *, seconds: float = 3.0) -> str:
    """Measure how long one core takes to score a clip, and say it."""
    noise = np.random.default_rng(0).normal(0.0, 0.05, round(seconds * SAMPLE_RATE)).astype(np.float32)
    took = np.median(repeat(lambda: judge.score(noise)))
    return f"{seconds:g} s of speech take {1000 * took:.1f} ms of one core, {processor_name()}"


def _judged(
    judge: Countermeasure,
    bank: ClipBank,
    generator: Generator,
    most: int,
    change: Callable[[Samples, Generator], Samples],
) -> Judged:
    places = sorted(generator.permutation(len(bank))[:most].tolist())
    clips = tuple(change(bank.clip(place), generator) for place in places)
    return _of(judge, bank.name, clips, tuple(bank.speakers[place] for place in places))


def _of(judge: Countermeasure, name: str, clips: Sequence[Samples], speakers: Sequence[str]) -> Judged:
    scores = np.array([judge.score(clip).score for clip in clips])
    asked = [[judge.card.threshold(far, seconds=clip.size / SAMPLE_RATE) for far in _FARS] for clip in clips]
    return Judged(
        name=name,
        clips=tuple(clips),
        scores=scores,
        live=scores[:, None] >= np.array(asked),
        speakers=tuple(speakers),
    )


def _replayed(judge: Countermeasure, speech: SpoofBanks, options: Options, generator: Generator) -> Judged:
    clips, speakers = list[Samples](), list[str]()
    for bank in speech.live:
        for place in generator.permutation(len(bank))[: options.clips // 2].tolist():
            played = held_out_replay(bank.clip(place), generator, loudspeakers=_devices(options))
            clips.append(_encoded(played, generator))
            speakers.append(bank.speakers[place])
    return _of(judge, "replay", clips, speakers)


def _devices(options: Options) -> Sequence[Loudspeaker]:
    return DEV_LOUDSPEAKERS if options.split == "dev" else TEST_LOUDSPEAKERS


def _encoded(clip: Samples, generator: Generator) -> Samples:
    return opus(clip, kbps=_KBPS)


def _machine_table(people: Sequence[Judged], machines: Sequence[Judged], generator: Generator) -> str:
    """EER of all people against each machine, and how many of its clips pass."""
    everybody = _joined("people", people)
    held_out = [each for each in machines if each.name not in (_NEURAL, "replay")]
    rows = []
    for spoof in [*machines, _joined("**synthesizers and vocoders together**", held_out)]:
        low, rate, high = _interval(everybody, spoof, generator)
        rows.append(
            [
                spoof.name,
                f"{len(spoof.scores)} of {len(set(spoof.speakers))}",
                f"{100 * rate:.1f} ({100 * low:.1f} to {100 * high:.1f})",
                " / ".join(f"{100 * passing:.0f}" for passing in spoof.live.mean(axis=0)),
            ]
        )
    heads = [
        f"against {len(everybody.scores)} clips of people",
        "clips of voices",
        "EER %",
        "pass at 1 / 10 % asked, %",
    ]
    return markdown_table(heads, rows)


def _joined(name: str, parts: Sequence[Judged]) -> Judged:
    return Judged(
        name=name,
        clips=tuple(clip for part in parts for clip in part.clips),
        scores=np.concatenate([part.scores for part in parts]),
        live=np.concatenate([part.live for part in parts]),
        speakers=tuple(speaker for part in parts for speaker in part.speakers),
    )


def _interval(people: Judged, spoofs: Judged, generator: Generator) -> tuple[float, float, float]:
    """EER with an interval over speakers of both sides."""
    sides = [(side.scores, np.unique(side.speakers, return_inverse=True)[1]) for side in (people, spoofs)]
    drawn = [draw_speakers(int(codes.max()) + 1, generator=generator, draws=_DRAWS) for _, codes in sides]
    rates = []
    for counts in zip(*drawn, strict=True):
        live, made = (np.repeat(s, count[c]) for (s, c), count in zip(sides, counts, strict=True))
        rates.append(eer_interpolated(det_curve(live, made)))
    rate = eer_interpolated(det_curve(people.scores, spoofs.scores))
    low, high = np.quantile(rates, [0.025, 0.975])
    return float(low), rate, float(high)


def _people_table(judge: Countermeasure, speech: SpoofBanks, generator: Generator) -> str:
    """How many real clips, as they are, are rejected."""
    rows = []
    for bank in speech.live:
        found = _judged(judge, bank, generator, len(bank), lambda clip, _: clip)
        interval = accuracy_interval(found.speakers, ~found.live[:, 0], generator=generator)
        rows.append(
            [
                bank.name.removeprefix("live-"),
                f"{len(found.scores)} of {len(set(found.speakers))}",
                f"{100 * interval.value:.1f} ({100 * interval.low:.1f} to {100 * interval.high:.1f})",
                f"{100 * np.mean(~found.live[:, 1]):.1f}",
            ]
        )
    return markdown_table(
        ["people, clips as they are", "clips of speakers", "rejected at 1 % asked, %", "at 10 %"], rows
    )


_CHANGES: Mapping[str, Callable[[Samples, Generator], Samples]] = {
    "as above": lambda clip, _: clip,
    "the middle second only": lambda clip, _: _middle(clip, SAMPLE_RATE),
    "both encoded again, Opus 12 kbit/s": lambda clip, _: opus(clip, kbps=12.0),
    "nothing above 3.7 kHz": lambda clip, _: narrowband(clip, high=3700.0),
    "over a telephone": lambda clip, _: standard_telephone(clip),
    "noise at 20 dB behind both": lambda clip, generator: add_background(
        clip, pink_noise(clip.size, generator), snr_db=20.0
    ),
}


def _middle(clip: Samples, length: int) -> Samples:
    start = max(0, (clip.size - length) // 2)
    return clip[start : start + length]


def _ablation_table(
    judge: Countermeasure, people: Sequence[Judged], machines: Sequence[Judged], generator: Generator
) -> str:
    """EERs where a cue is taken from both sides."""
    kinds = {
        "synthesizers and vocoders": [each for each in machines if each.name not in (_NEURAL, "replay")],
        "neural voices": [each for each in machines if each.name == _NEURAL],
        "replay": [each for each in machines if each.name == "replay"],
    }
    rows = []
    for name, change in _CHANGES.items():
        live = _scores(judge, people, change, generator)
        rates = [
            f"{100 * eer_interpolated(det_curve(live, _scores(judge, some, change, generator))):.1f}"
            if some
            else "-"
            for some in kinds.values()
        ]
        rows.append([name, *rates])
    return markdown_table(["EER %, all clips", *kinds], rows)


def _scores(
    judge: Countermeasure,
    parts: Sequence[Judged],
    change: Callable[[Samples, Generator], Samples],
    generator: Generator,
) -> list[float]:
    """Scores of every other clip, changed."""
    return [judge.score(change(clip, generator)).score for part in parts for clip in part.clips[::2]]


def _cue_table(people: Sequence[Judged], machines: Sequence[Judged]) -> str:
    """EER of single cues, in the place of the countermeasure."""
    live = [clip for part in people for clip in part.clips]
    rows = [[cue, *(f"{100 * cue_rate(cue, live, spoof.clips):.0f}" for spoof in machines)] for cue in CUES]
    return markdown_table(["EER % of one cue alone", *(spoof.name for spoof in machines)], rows)
