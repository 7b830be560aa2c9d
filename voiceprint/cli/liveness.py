"""``voiceprint liveness``, and the options by which other commands ask whether somebody speaks live."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from voiceprint.cli.commands import examples
from voiceprint.cli.each_clip import answer_each, end_with
from voiceprint.cli.options import ChannelOption, JsonOption
from voiceprint.cli.process import ERROR
from voiceprint.cli.ranges import RangeOptions, clips_in
from voiceprint.cli.terminal import json_value, number, plain, print_json, print_table

if TYPE_CHECKING:
    from voiceprint.countermeasure import Liveness
    from voiceprint.engine.verifier import Verifier

_RATE = 0.01  # as voiceprint.countermeasure.DEFAULT_SPOOF_FAR, which would be slow to import for --help
_EXIT_CODES = {"live": 0, "spoofed": 1, "not_enough_speech": ERROR}

SpoofFarOption = Annotated[
    float | None,
    typer.Option(
        "--spoof-far",
        help="How often somebody who speaks live may be rejected, as a fraction; implies --liveness.",
        show_default="0.01",
    ),
]

CountermeasureOption = Annotated[
    Path | None,
    typer.Option(
        "--countermeasure",
        metavar="FOLDER",
        help="The network that tells people from machines.",
        show_default="the one that comes with voiceprint",
    ),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class LivenessOptions:
    """Whether speech must sound spoken live, not made or played by a machine."""

    liveness: Annotated[
        bool,
        typer.Option("--liveness", help="Refuse what sounds made by a machine, or played by a loudspeaker."),
    ] = False
    spoof_far: SpoofFarOption = None
    countermeasure: CountermeasureOption = None

    @property
    def asked_far(self) -> float | None:
        """The rate that is asked for; None where liveness is not."""
        return _RATE if self.liveness and self.spoof_far is None else self.spoof_far

    def verifier(self, store: str | None, model: Path | None, *, create: bool = False) -> Verifier:
        """Open a store, and what asks for liveness."""
        from voiceprint.engine.verifier import Verifier  # numpy and the audio libraries

        far, countermeasure = self.asked_far, self.countermeasure
        return Verifier(store, model=model, create=create, spoof_far=far, countermeasure=countermeasure)


@examples(
    "voiceprint liveness clip.wav",
    "voiceprint liveness monday.wav tuesday.wav --spoof-far 0.03",
    "voiceprint liveness clip.wav --json",
)
def liveness(
    clips: Annotated[list[Path], typer.Argument(metavar="CLIP...", help="Audio files; - is standard input.")],
    part: RangeOptions,
    channel: ChannelOption = None,
    spoof_far: Annotated[
        float,
        typer.Option(
            "--spoof-far", help="How often somebody who speaks live may be rejected, as a fraction."
        ),
    ] = _RATE,
    countermeasure: CountermeasureOption = None,
    as_json: JsonOption = False,
) -> None:
    """Answer for each clip whether somebody speaks in it, or a machine or a loudspeaker.

    Whose voice it is, is not asked. Exits with 0 if every clip sounds live, with 1 if one does not, with 3 if
    some clips cannot be read or hold too little speech, and with 2 if all do.
    """
    from voiceprint.audio.clips import read_clip  # numpy and the audio libraries
    from voiceprint.countermeasure import LivenessCheck

    check = LivenessCheck.open(countermeasure, spoof_far=spoof_far)
    names = [*map(str, clips)]
    sources = clips_in(clips, start=part.start, stop=part.stop, turns=part.turns)
    named = dict(zip(names, sources, strict=True))
    answers, failed = answer_each(
        names, lambda name: (name, check.judge(read_clip(named[name], channel=channel)))
    )
    if as_json:
        documents = [{"clip": path, **json_value(answer)} for path, answer in answers]
        print_json({"spoof_far": spoof_far, "clips": documents, "failed": failed})
    elif answers:
        _print(answers)
    end_with([_EXIT_CODES[answer.decision] for _, answer in answers], clips=len(clips))


def _print(answers: Sequence[tuple[str, Liveness]]) -> None:
    rows = [_row(path, answer) for path, answer in answers]
    numbers = ["score", "threshold", "LLR", "speech s"]
    print_table(["clip", "decision", "sounds like", *numbers], rows, right=numbers)
    if len(rows) == 1:
        typer.echo(plain(answers[0][1].reason))


def _row(path: str, answer: Liveness) -> tuple[str, ...]:
    spoof, decision = answer.spoof, answer.decision.replace("_", " ")
    speech = number(answer.seconds_of_speech, 1)
    if spoof is None:
        return (path, decision, "-", "-", "-", "-", speech)
    figures = (number(spoof.score, 2), number(spoof.threshold, 2), number(spoof.llr, 1))
    return (path, decision, spoof.kind or "-", *figures, speech)
