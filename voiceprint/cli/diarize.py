"""``voiceprint diarize``: who speaks when in recordings, the enrolled by name."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from voiceprint.cli.commands import examples
from voiceprint.cli.options import ChannelOption, FarOption, JsonOption, ModelOption, StoreOption
from voiceprint.cli.process import PARTLY
from voiceprint.cli.terminal import (
    clock,
    count,
    new_console,
    number,
    plain,
    print_json,
    print_table,
    progress_bar,
)

if TYPE_CHECKING:
    from rich.progress import Progress as Bar

    from voiceprint.diarization.diarizer import Diarization, Diarizer
    from voiceprint.diarization.turns import SpeakerTurn

_SHOWN = 40  # turns of a recording that are listed where nothing else is asked for


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeakerOptions:
    """How many people there are."""

    speakers: Annotated[
        int | None, typer.Option("--speakers", metavar="N", help="How many people speak, if you know.")
    ] = None
    least: Annotated[int | None, typer.Option("--min", metavar="N", help="Fewest people who may speak.")] = (
        None
    )
    most: Annotated[int | None, typer.Option("--max", metavar="N", help="Most people who may speak.")] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputOptions:
    """What is written besides what is printed."""

    rttm: Annotated[Path | None, typer.Option("--rttm", metavar="FILE", help="Write the turns as RTTM.")] = (
        None
    )
    csv: Annotated[Path | None, typer.Option("--csv", metavar="FILE", help="Write the turns as CSV.")] = None
    html: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help="Write a page to look at and listen to.")
    ] = None
    audio: Annotated[
        Path | None, typer.Option("--audio", metavar="FOLDER", help="Write each speaker's speech as WAV.")
    ] = None


@examples(
    "voiceprint diarize meeting.wav",
    "voiceprint diarize meeting.wav --speakers 4 --rttm meeting.rttm --html meeting.html",
    "voiceprint diarize call.wav --channel 1 --no-names --json",
)
def diarize(
    recordings: Annotated[
        list[Path], typer.Argument(metavar="RECORDING...", help="Audio files; - is standard input.")
    ],
    expected: SpeakerOptions,
    output: OutputOptions,
    names: Annotated[bool, typer.Option("--names/--no-names", help="Look for the enrolled.")] = True,
    far: FarOption = None,
    channel: ChannelOption = None,
    store: StoreOption = None,
    model: ModelOption = None,
    as_json: JsonOption = False,
) -> None:
    """Find out who speaks when, and name those who are enrolled.

    The others are called speaker 1, speaker 2, ...; `voiceprint enroll NAME RECORDING --turns` names them
    for the next time. With several recordings --rttm, --csv, --html and --audio name folders, with a file or
    a folder for each. Exits with 3 where some recordings cannot be read, and with 2 where none can.
    """
    from voiceprint.diarization.diarizer import Diarizer
    from voiceprint.engine.verifier import Verifier
    from voiceprint.errors import AudioError, VoiceprintError

    bounds = _bounds(expected)
    _prepare(output, recordings)
    found: list[Diarization] = []
    refused: list[str] = []
    with Verifier(store, model=model, read_only=True) as verifier:
        names = names and _anybody_enrolled(verifier)
        diarizer = Diarizer(verifier)
        for path in recordings:
            options = {**bounds, "far": far, "channel": channel, "names": names}
            try:
                answer = _diarized(diarizer, path, options, quiet=as_json)
            except AudioError as error:
                if len(recordings) == 1:
                    raise
                refused.append(str(error))
                continue
            found.append(answer)
            _write(answer, path, output, channel, many=len(recordings) > 1)
            if not as_json:
                _print(answer)
    if as_json:
        documents = [_document(answer) for answer in found]
        print_json(documents[0] if len(recordings) == 1 else documents)
    for reason in refused:
        typer.echo(f"refused: {plain(reason)}", err=True)
    if refused and not found:
        raise VoiceprintError(f"none of {count(len(recordings), 'recording')} can be read")
    if refused:
        raise typer.Exit(PARTLY)


def _anybody_enrolled(verifier: Any) -> bool:
    """Whether there is a store to name people from; where there is none, say so and number the speakers."""
    from voiceprint.errors import StoreMissingError

    try:
        return len(verifier.store) > 0
    except StoreMissingError as error:
        typer.echo(f"nobody is named: {plain(error.fact)}", err=True)
        return False


def _bounds(expected: SpeakerOptions) -> dict[str, int | None]:
    if expected.speakers is not None and (expected.least is not None or expected.most is not None):
        raise typer.BadParameter("give --speakers, or --min and --max, not both")
    for option, value in (("speakers", expected.speakers), ("min", expected.least), ("max", expected.most)):
        if value is not None and value < 1:
            raise typer.BadParameter(f"--{option} is {value}; it must be a whole number of at least 1")
    if expected.least is not None and expected.most is not None and expected.least > expected.most:
        raise typer.BadParameter(f"--min is {expected.least}; it must be at most --max, {expected.most}")
    return {
        "speakers": expected.speakers,
        "min_speakers": expected.least,
        "max_speakers": expected.most,
    }


def _prepare(output: OutputOptions, recordings: Sequence[Path]) -> None:
    """Make the folders of what will be written, and refuse now what could not be written after an hour."""
    targets = [target for target in (output.rttm, output.csv, output.html, output.audio) if target]
    if not targets:
        return
    for path in recordings:
        if (output.html or output.audio) and (str(path) == "-" or (path.exists() and not path.is_file())):
            raise typer.BadParameter(
                f"--html and --audio read a recording twice: give a file instead of {plain(str(path))}"
            )
    many = len(recordings) > 1
    stems = [_stem(path) for path in recordings]
    for stem, path in zip(stems, recordings, strict=True):
        if stems.count(stem) > 1:
            raise typer.BadParameter(
                f"{plain(str(path))} is one of several recordings whose files would be called "
                f"{plain(stem)}; diarize them apart, or rename them"
            )
    for target in targets:
        folder = target if many or target is output.audio else target.parent
        folder.mkdir(parents=True, exist_ok=True)
        if not os.access(folder, os.W_OK):
            raise PermissionError(errno.EACCES, "nothing may be written there", str(folder))
        if folder is not target and target.is_dir():
            raise IsADirectoryError(errno.EISDIR, "is a folder; name a file", str(target))


def _stem(recording: Path) -> str:
    """Return what the files of a recording are called."""
    return "recording" if str(recording) == "-" else recording.stem


def _diarized(diarizer: Diarizer, path: Path, options: dict[str, Any], *, quiet: bool) -> Diarization:
    with progress_bar(quiet=quiet) as bar:
        return diarizer.diarize(path, progress=_teller(bar), **options)


def _teller(bar: Bar) -> Any:
    tasks: dict[str, Any] = {}

    def tell(stage: str, done: float, total: float) -> None:
        if stage not in tasks:
            tasks[stage] = bar.add_task(stage, total=None)
        bar.update(tasks[stage], completed=round(done), total=round(total))

    return tell


def _write(
    answer: Diarization, path: Path, output: OutputOptions, channel: int | None, *, many: bool
) -> None:
    from voiceprint.diarization.turns import rttm_lines
    from voiceprint.diarization.writing import csv_lines, write_speech
    from voiceprint.files.whole import write_whole

    stem = _stem(path)
    if output.rttm is not None:
        write_whole(_place(output.rttm, stem, ".rttm", many=many), rttm_lines(answer.turns, stem))
    if output.csv is not None:
        write_whole(_place(output.csv, stem, ".csv", many=many), csv_lines(answer.turns))
    if output.html is None and output.audio is None:
        return
    from voiceprint.reports.diarization import write_diarization_page

    with _reopened(path, channel) as recording:
        if output.html is not None:
            write_diarization_page(answer, recording, _place(output.html, stem, ".html", many=many))
        if output.audio is not None:
            write_speech(answer.turns, recording, output.audio / stem if many else output.audio)


@contextmanager
def _reopened(path: Path, channel: int | None) -> Iterator[Any]:
    from voiceprint.audio.spooled import SpooledRecording
    from voiceprint.diarization.diarizer import MAX_RECORDING

    with SpooledRecording.open(path, channel=channel, max_seconds=MAX_RECORDING) as recording:
        yield recording


def _place(target: Path, stem: str, suffix: str, *, many: bool) -> Path:
    return target / f"{stem}{suffix}" if many else target


def _document(answer: Diarization) -> dict[str, object]:
    return {
        "source": answer.source,
        "seconds": answer.seconds,
        "model": answer.model,
        "speakers": [
            {
                "name": each.name,
                "identified": each.identified,
                "seconds_of_speech": each.seconds_of_speech,
                "turns": each.turns,
                "score": each.score,
                "llr": each.llr,
                "threshold": each.threshold,
            }
            for each in answer.speakers
        ],
        "turns": answer.turns,
    }


def _print(answer: Diarization) -> None:
    if not answer.speakers:
        typer.echo(f"{plain(answer.source)}: nobody speaks in {clock(answer.seconds)}")
        return
    numbers = ["speech", "share", "turns", "LLR"]
    total = sum(each.seconds_of_speech for each in answer.speakers)
    rows = [
        (
            each.name,
            clock(each.seconds_of_speech),
            number(100.0 * each.seconds_of_speech / total, 0, " %"),
            str(each.turns),
            number(each.llr, 1),
        )
        for each in answer.speakers
    ]
    typer.echo(f"{plain(answer.source)}: {count(len(rows), 'speaker')} in {clock(answer.seconds)}")
    print_timeline(answer.turns, [each.name for each in answer.speakers], answer.seconds)
    print_table(["speaker", *numbers], rows, right=numbers)
    _print_turns(answer)


def _print_turns(answer: Diarization) -> None:
    rows: Iterable[Sequence[str]] = (
        (clock(turn.start, digits=1), clock(turn.stop, digits=1), turn.speaker)
        for turn in answer.turns[:_SHOWN]
    )
    print_table(["from", "to", "speaker"], rows, right=["from", "to"])
    left = len(answer.turns) - _SHOWN
    if left > 0:
        typer.echo(f"and {count(left, 'more turn')}: --csv, --rttm or --json has them all")


_COLOURS = ("cyan", "magenta", "yellow", "green", "blue", "red", "bright_cyan", "bright_magenta")
_NAME = 16  # letters of a name that are shown
_WIDTH = 100  # columns at most


def print_timeline(turns: Sequence[SpeakerTurn], speakers: Sequence[str], seconds: float) -> None:
    """Print a lane for each speaker, as wide as the terminal."""
    from rich.text import Text

    console = new_console(highlight=False)
    width = max(10, min(_WIDTH, console.width - _NAME - 2) if console.is_terminal else _WIDTH - _NAME)
    for place, speaker in enumerate(speakers):
        name = plain(speaker)
        shown = name if len(name) <= _NAME else name[: _NAME - 1] + "…"
        bar = lane([turn for turn in turns if turn.speaker == speaker], seconds, width)
        line = Text(f"{shown:{_NAME}} ")
        line.append(bar, style=_COLOURS[place % len(_COLOURS)])
        console.print(line, no_wrap=True, crop=False)


def lane(turns: Sequence[SpeakerTurn], seconds: float, width: int) -> str:
    """Draw one speaker's turns as `width` letters: full, half or no speech in each piece of the time."""
    covered = [0.0] * width
    piece = max(seconds, 1e-9) / width
    for turn in turns:
        first, last = int(turn.start / piece), min(width - 1, int(turn.stop / piece))
        for place in range(min(first, width - 1), last + 1):
            covered[place] += min(turn.stop, (place + 1) * piece) - max(turn.start, place * piece)
    return "".join("█" if part > 0.6 * piece else "▌" if part > 0.15 * piece else "·" for part in covered)
