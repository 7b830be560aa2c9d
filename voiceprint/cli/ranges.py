"""The options by which a part of a recording is taken instead of all of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from voiceprint.audio.clips import ClipSource


@dataclass(frozen=True, slots=True, kw_only=True)
class EndOptions:
    """Up to where a recording is the clip, or which speaker of it."""

    stop: Annotated[
        str | None,
        typer.Option("--to", metavar="TIME", help="Take a recording up to here: seconds, m:s or h:m:s."),
    ] = None
    turns: Annotated[
        str | None,
        typer.Option(
            "--turns",
            metavar="RTTM:SPEAKER",
            help="Take what one speaker says alone, by a file that diarize --rttm wrote.",
        ),
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RangeOptions(EndOptions):
    """Which part of a recording is the clip."""

    start: Annotated[
        str | None,
        typer.Option("--from", metavar="TIME", help="Take a recording from here: seconds, m:s or h:m:s."),
    ] = None


def clips_in(
    paths: Sequence[Path], *, start: str | None = None, stop: str | None = None, turns: str | None = None
) -> list[ClipSource]:
    """Return the clips that paths and ranges name; BadParameter for a range of several files, or none."""
    if start is None and stop is None and turns is None:
        return [*paths]
    if len(paths) != 1 or paths[0].is_dir():
        raise typer.BadParameter("--from, --to and --turns are of one recording: name one file")
    from voiceprint.audio.excerpt import Excerpt
    from voiceprint.diarization.excerpts import excerpts_of
    from voiceprint.diarization.turns import read_rttm

    if turns is None:
        begin = None if start is None else seconds_of("--from", start)
        end = None if stop is None else seconds_of("--to", stop)
        if end is not None and end <= (begin or 0.0):
            raise typer.BadParameter("--to must lie behind --from")
        return [Excerpt.between(paths[0], begin, end)]
    if start is not None or stop is not None:
        raise typer.BadParameter("give --turns, or --from and --to, not both")
    file, colon, speaker = turns.rpartition(":")
    if not colon or not speaker:
        raise typer.BadParameter('--turns is an RTTM file and a speaker, such as meeting.rttm:"speaker 2"')
    return [*excerpts_of(paths[0], read_rttm(file), speaker)]


def seconds_of(option: str, text: str) -> float:
    """Read a time: seconds, or minutes and seconds, or hours too, parted by colons."""
    parts = text.split(":")
    try:
        numbers = [float(part) for part in parts]
    except ValueError:
        numbers = [-1.0]
    if len(numbers) > 3 or not all(0.0 <= number < 1e6 for number in numbers):
        raise typer.BadParameter(f"{option} is {text!r}; give seconds, such as 12.5, or m:s, or h:m:s")
    seconds = 0.0
    for number in numbers:
        seconds = 60.0 * seconds + number
    return seconds
