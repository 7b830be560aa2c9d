"""Draw a conversation of dev speakers as a time line with names, for the README.

    VOICEPRINT_CORPORA=corpora scripts/draw_time_line -o docs/images/time-line.svg

Four speakers of one corpus talk, by simulation; three of them are enrolled under other names, by clips that
they do not say in it. The lanes show what the diarizer found, the thin lines beneath them what is true.
The conversation was chosen for its picture: docs/how-to/diarization.md has the figures.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

import numpy as np

from benchmarks.diarization.measure import sum_errors
from benchmarks.diarization.scenes import clips_of, part_person
from benchmarks.program import add_corpora, make_parser
from voiceprint.audio import SAMPLE_RATE, Waveform
from voiceprint.diarization.diarizer import Diarization, Diarizer
from voiceprint.diarization.turns import SpeakerTurn
from voiceprint.engine.verifier import Verifier
from voiceprint.training.run.task import read_corpora
from voiceprint.training.segmentation.conversations import Conversation, simulate
from voiceprint.training.segmentation.phrases import Person, PhraseBank

_NAMES = ("Ada", "Ben", "Cleo")
_SPEAKERS = 4
_LEFT, _WIDTH, _TOP, _LANE = 110, 880, 14, 44

_STYLE = """
text { font: 15px -apple-system, "Segoe UI", Roboto, sans-serif; fill: #1b1f27 }
.small { font-size: 12px; fill: #59606d }
.lane { fill: #8b8675; opacity: .16 } .truth { fill: #59606d }
.t0 { fill: #24478f } .t1 { fill: #17693f } .t2 { fill: #a82a1d } .t3 { fill: #7a4f00 } .t4 { fill: #3f5673 }
@media (prefers-color-scheme: dark) {
  text { fill: #edeff3 } .small { fill: #a6aebb } .truth { fill: #a6aebb }
  .t0 { fill: #93b6ff } .t1 { fill: #64d59c } .t2 { fill: #ff9487 } .t3 { fill: #f0c064 }
  .t4 { fill: #a9bdd6 }
}
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Simulate, diarize, draw."""
    options = _parser().parse_args(arguments)
    generator = np.random.default_rng(options.seed)
    with tempfile.TemporaryDirectory() as folder:
        cache = Path(folder) if options.cache is None else options.cache
        bank = PhraseBank.open(cache, read_corpora(options.corpora, (options.corpus,), split="dev"))
        people = [
            person for person in bank.people if len(person.clips) > len(_NAMES) and person.seconds > 20.0
        ]
        chosen = generator.choice(len(people), size=_SPEAKERS, replace=False)
        halves = [part_person(people[place], generator) for place in chosen]
        said = [half for half, _ in halves]
        talk = simulate(bank, said, seconds=options.seconds, generator=generator)
        kept = {name: half for name, (_, half) in zip(_NAMES, halves, strict=False)}
        found = _diarized(talk, bank, kept, Path(folder) / "store", options.model)
    called = {half.name: name for name, half in kept.items()}
    options.output.write_text(draw_time_line(found, talk.turns, called), encoding="utf-8")
    error = sum_errors([(talk.turns, found.turns, found.seconds)], collar=0.0)
    print(f"{options.output}: {len(found.speakers)} speakers in {found.seconds:.0f} s, DER {error.rate:.1%}")
    return 0


def draw_time_line(found: Diarization, truth: Sequence[SpeakerTurn], called: Mapping[str, str]) -> str:
    """Return an SVG of lanes.

    Parameters
    ----------
    found : Diarization
    truth : sequence of SpeakerTurn
        What was simulated; each speaker's is drawn beneath the lane of that name.
    called : Mapping of str to str
        Names of those who are enrolled, by what they are called in `truth`.
    """
    numbered = iter(speaker.name for speaker in found.speakers if not speaker.identified)
    strangers = dict.fromkeys(turn.speaker for turn in truth if turn.speaker not in called)
    lane_of = {**called, **dict(zip(strangers, numbered, strict=False))}
    height = _TOP + _LANE * len(found.speakers) + 34
    parts = []
    for place, speaker in enumerate(found.speakers):
        top = _TOP + _LANE * place
        parts.append(f'<text x="0" y="{top + 19}">{escape(speaker.name)}</text>')
        parts.append(f'<rect class="lane" x="{_LEFT}" y="{top}" width="{_WIDTH}" height="28" rx="5"/>')
        own = [turn for turn in found.turns if turn.speaker == speaker.name]
        parts += [_bar(turn, found.seconds, top + 2, 24, f"t{place % 5}") for turn in own]
        real = [turn for turn in truth if lane_of.get(turn.speaker) == speaker.name]
        parts += [_bar(turn, found.seconds, top + 31, 3, "truth") for turn in real]
    parts += _scale(found.seconds, _TOP + _LANE * len(found.speakers) + 18)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_LEFT + _WIDTH + 10} {height}" role="img" '
        f'aria-label="Who speaks when, by name"><style>{_STYLE}</style>\n' + "\n".join(parts) + "\n</svg>\n"
    )


def _bar(turn: SpeakerTurn, seconds: float, top: float, height: float, kind: str) -> str:
    left = _LEFT + _WIDTH * turn.start / seconds
    width = max(1.0, _WIDTH * turn.seconds / seconds)
    return f'<rect class="{kind}" x="{left:.1f}" y="{top}" width="{width:.1f}" height="{height}" rx="1.5"/>'


def _scale(seconds: float, top: float) -> list[str]:
    step = 10 if seconds <= 90 else 30
    return [
        f'<text class="small" x="{_LEFT + _WIDTH * at / seconds:.1f}" y="{top}" text-anchor="middle">'
        f"{at // 60}:{at % 60:02d}</text>"
        for at in range(0, int(seconds) + 1, step)
    ]


def _diarized(
    talk: Conversation, bank: PhraseBank, kept: Mapping[str, Person], store: Path, model: str | None
) -> Diarization:
    waveform = Waveform(samples=talk.samples, source="conversation", original_rate=SAMPLE_RATE)
    with Verifier(store, model=model) as verifier:
        for name, person in kept.items():
            verifier.enroll(name, clips_of(bank, person), sample_rate=SAMPLE_RATE)
        return Diarizer(verifier).diarize(waveform)


def _parser() -> argparse.ArgumentParser:
    parser = make_parser(__doc__)
    add_corpora(parser)
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="FILE", help="the SVG")
    parser.add_argument("--corpus", default="speechocean762", help="whose dev speakers")
    parser.add_argument("--seconds", type=float, default=75.0, help="of conversation (default: 75)")
    parser.add_argument("--seed", type=int, default=6)
    parser.add_argument("--cache", type=Path, help="keep the phrases here")
    parser.add_argument("--model", help="model folder or name (default: the one in use)")
    return parser
