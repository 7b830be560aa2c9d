"""``voiceprint verify``, ``identify`` and ``compare``: the three answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from voiceprint.cli.commands import examples
from voiceprint.cli.liveness import LivenessOptions
from voiceprint.cli.options import (
    AllowReplayOption,
    ChannelOption,
    FarOption,
    JsonOption,
    MinSpeechOption,
    ModelOption,
    StoreOption,
    ThresholdOption,
)
from voiceprint.cli.ranges import RangeOptions, clips_in
from voiceprint.cli.terminal import json_value, number, plain, print_json, print_table

if TYPE_CHECKING:
    from voiceprint.audio.quality import QualityNote
    from voiceprint.engine.decisions import Comparison, Identification, Verification

EXIT_CODES = {
    "accepted": 0,
    "same": 0,
    "identified": 0,
    "rejected": 1,
    "replayed": 1,
    "spoofed": 1,
    "different": 1,
    "unknown": 1,
    "not_enough_speech": 2,
    "expired": 2,
    "opted_out": 2,
}
_COLOURS = {0: typer.colors.GREEN, 1: typer.colors.RED, 2: typer.colors.YELLOW}

ClipArgument = Annotated[Path, typer.Argument(metavar="CLIP", help="Audio file; - is standard input.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class DemandOptions(LivenessOptions):
    """What is demanded of a recording before its voice counts."""

    min_speech: MinSpeechOption = 0.5
    allow_replay: AllowReplayOption = False


@examples(
    "voiceprint verify ada clip.wav",
    "voiceprint verify ada hello.wav goodbye.wav --far 0.001",
    "voiceprint verify ada clip.wav --liveness",
    "arecord -d 4 -f cd | voiceprint verify ada - --json",
)
def verify(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The person it is said to be.")],
    clips: Annotated[
        list[Path],
        typer.Argument(metavar="CLIP...", help="Audio files of one speaker; - is standard input."),
    ],
    part: RangeOptions,
    demands: DemandOptions,
    channel: ChannelOption = None,
    threshold: ThresholdOption = None,
    far: FarOption = None,
    store: StoreOption = None,
    model: ModelOption = None,
    as_json: JsonOption = False,
) -> None:
    """Answer whether a clip is of the person it is said to be; several clips are one claim.

    A recording counts once: one that was enrolled, or accepted before, is "replayed". With --liveness, what
    sounds like a machine or a loudspeaker is "spoofed". Exits with 0 if accepted, 1 if rejected, replayed or
    spoofed, 2 if there is no verdict.
    """
    sources = clips_in(clips, start=part.start, stop=part.stop, turns=part.turns)
    with demands.verifier(store, model) as verifier:
        answer = verifier.verify(
            name,
            sources,
            channel=channel,
            threshold=threshold,
            far=far,
            min_speech=demands.min_speech,
            allow_replay=demands.allow_replay,
        )
        drift = verifier.drift(name) if answer.decision in ("accepted", "rejected") else None
    if as_json:
        print_json(json_value(answer) | {"drift": drift})
    else:
        _print_verification(answer)
        if drift is not None and drift.drifted:
            typer.echo(drift.advice)
    raise typer.Exit(EXIT_CODES[answer.decision])


@dataclass(frozen=True, slots=True, kw_only=True)
class NearestOptions:
    """How the enrolled are searched, and how many are shown."""

    top: Annotated[int, typer.Option("--top", help="How many of the nearest people to show.")] = 5
    exact: Annotated[
        bool,
        typer.Option("--exact", help="Compare with everybody, without a large store's index."),
    ] = False


@examples(
    "voiceprint identify clip.wav",
    "voiceprint identify clip.wav --top 10 --far 0.05",
    "voiceprint identify clip.wav --json",
)
def identify(
    clip: ClipArgument,
    part: RangeOptions,
    nearest: NearestOptions,
    demands: DemandOptions,
    far: Annotated[
        float | None,
        typer.Option(
            "--far",
            help="How often an out-of-set speaker may be given any name, as a fraction.",
            show_default="the model's, mostly 0.01",
        ),
    ] = None,
    channel: ChannelOption = None,
    threshold: ThresholdOption = None,
    store: StoreOption = None,
    model: ModelOption = None,
    as_json: JsonOption = False,
) -> None:
    """Answer which enrolled person a clip is of, or "unknown".

    A recording counts once, and --liveness asks whether somebody speaks, as with verify. Exits with 0 if
    somebody was identified, 1 if unknown, replayed or spoofed, 2 if there is no verdict.
    """
    sources = clips_in([clip], start=part.start, stop=part.stop, turns=part.turns)
    with demands.verifier(store, model) as verifier:
        answer = verifier.identify(
            sources,
            channel=channel,
            top=nearest.top,
            far=far,
            threshold=threshold,
            min_speech=demands.min_speech,
            exact=nearest.exact,
            allow_replay=demands.allow_replay,
        )
    if as_json:
        print_json(answer)
    else:
        _print_identification(answer)
    raise typer.Exit(EXIT_CODES[answer.decision])


@examples("voiceprint compare monday.wav tuesday.wav", "voiceprint compare a.wav b.wav --far 0.001 --json")
def compare(
    first: Annotated[Path, typer.Argument(metavar="A", help="Audio file.")],
    second: Annotated[Path, typer.Argument(metavar="B", help="Audio file.")],
    channel: ChannelOption = None,
    threshold: ThresholdOption = None,
    far: FarOption = None,
    min_speech: MinSpeechOption = 0.5,
    model: ModelOption = None,
    as_json: JsonOption = False,
) -> None:
    """Answer whether two clips hold the same voice; nobody needs to be enrolled.

    Exits with 0 if they do, 1 if not, 2 if there is no verdict.
    """
    from voiceprint.engine.verifier import Verifier  # numpy and the audio libraries

    with Verifier(model=model, read_only=True) as verifier:
        answer = verifier.compare(
            first, second, channel=channel, threshold=threshold, far=far, min_speech=min_speech
        )
    if as_json:
        print_json(answer)
    else:
        _print_comparison(answer)
    raise typer.Exit(EXIT_CODES[answer.decision])


def _print_verification(answer: Verification) -> None:
    _print_decision(answer.decision, f"{plain(answer.name)}: ")
    typer.echo(plain(answer.reason))
    if answer.seconds_of_speech is not None:
        _print_evidence(answer.llr, answer.seconds_of_speech)
    _print_liveness(answer)
    _print_advice(answer)


def _print_identification(answer: Identification) -> None:
    _print_decision(answer.decision, f"{plain(answer.name)}: " if answer.name else "")
    if answer.matches:
        rows = [(match.name, number(match.score, 3), number(match.llr, 1)) for match in answer.matches]
        print_table(["name", "score", "LLR"], rows, right=["score", "LLR"])
        typer.echo(plain(answer.reason))
    elif answer.decision == "unknown":
        typer.echo("Nobody is enrolled in this store yet.")
    elif answer.shortfall is not None:
        typer.echo(answer.reason)
    typer.echo(f"speech: {answer.seconds_of_speech:.1f} s")
    if answer.expected is not None:
        named = f"{100 * answer.expected:.0f} of 100 such clips of enrolled people"
        typer.echo(f"expect: {named} named rightly in a store of this size")
    _print_liveness(answer)
    _print_advice(answer)


def _print_comparison(answer: Comparison) -> None:
    _print_decision(answer.decision, "")
    typer.echo(answer.reason)
    _print_evidence(answer.llr, min(answer.seconds_of_speech))
    for which, notes in zip(("first", "second"), answer.quality_notes, strict=True):
        _print_notes(answer.decision, notes, f"the {which} clip")


def decision_words(decision: str) -> str:
    """Return a decision in words, in the colour of its exit code."""
    return typer.style(decision.replace("_", " "), fg=_COLOURS[EXIT_CODES[decision]], bold=True)


def _print_decision(decision: str, who: str) -> None:
    typer.echo(who + decision_words(decision))


def _print_notes(decision: str, notes: Sequence[QualityNote], clip: str = "the clip") -> None:
    if EXIT_CODES[decision]:
        for note in notes:
            typer.echo(f"{clip}: {note.text}")


def _print_liveness(answer: Verification | Identification) -> None:
    """Say whether somebody speaks live, where it was asked and is not the reason itself."""
    if answer.spoof is not None and answer.decision != "spoofed":
        typer.echo(answer.spoof.reason)


def _print_advice(answer: Verification | Identification) -> None:
    if answer.replay is not None:
        typer.echo("To try a recording again, give --allow-replay.")
    else:
        _print_notes(answer.decision, answer.quality_notes)


def _print_evidence(llr: float | None, seconds: float) -> None:
    evidence = "" if llr is None else f"log-likelihood ratio {llr:+.1f}, "
    typer.echo(f"{evidence}speech {seconds:.1f} s")
