"""``voiceprint transcript``: the names of speakers in what a transcriber wrote."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from voiceprint.cli.commands import examples
from voiceprint.cli.options import JsonOption
from voiceprint.cli.terminal import clock, plain, print_json


@examples(
    "voiceprint transcript whisper.json --turns who.json",
    "voiceprint transcript whisper.json --turns meeting.rttm --json",
)
def transcript(
    document: Annotated[Path, typer.Argument(metavar="TRANSCRIPT", help="JSON, as Whisper writes it.")],
    turns: Annotated[
        Path,
        typer.Option("--turns", metavar="FILE", help="What `diarize --json` printed, or RTTM."),
    ],
    nearest: Annotated[
        float, typer.Option("--nearest", help="Seconds from a turn within which a word belongs to it.")
    ] = 1.0,
    as_json: JsonOption = False,
) -> None:
    """Put the names of speakers into a transcript, by the times of who speaks when.

    It reads the JSON of Whisper, faster-whisper, WhisperX and whisper.cpp. With --json the same document is
    printed, with a speaker in each segment and each word; a segment in which the speaker changes is divided.
    """
    from voiceprint.diarization.transcript import name_transcript, read_transcript, read_turns

    named = name_transcript(read_transcript(document), read_turns(turns), nearest=nearest)
    if as_json:
        print_json(named)
        return
    for segment in named.get("transcription", named.get("segments", ())):
        typer.echo(_line(segment))


def _line(segment: dict[str, Any]) -> str:
    start = segment["offsets"]["from"] / 1000 if "offsets" in segment else segment["start"]
    who = segment["speaker"] or "somebody"
    return f"{clock(float(start), digits=1)}  {plain(who)}: {plain(str(segment.get('text', '')).strip())}"
