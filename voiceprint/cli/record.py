"""``voiceprint record``: enroll somebody from the microphone, or write a clip to standard output."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from voiceprint.cli.commands import examples
from voiceprint.cli.enroll import (
    AddOption,
    NotesOption,
    ReplaceOption,
    chosen_mode,
    enrollment_json,
    print_enrollment,
)
from voiceprint.cli.liveness import LivenessOptions
from voiceprint.cli.options import JsonOption, ModelOption, StoreOption
from voiceprint.cli.terminal import print_json

if TYPE_CHECKING:
    from collections.abc import Callable

    from voiceprint.audio import Waveform

_QUIETEST, _LOUDEST = -60.0, 0.0  # dBFS, the ends of the level meter
_METER_WIDTH = 30


@examples(
    "voiceprint record ada",
    "voiceprint record ada --seconds 20 --add",
    "voiceprint record ada --liveness",
    "voiceprint record - --seconds 4 | voiceprint verify ada -",
)
def record(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="Whom to enroll; - writes the clip to standard output.")
    ],
    seconds: Annotated[
        float, typer.Option("--seconds", "-s", help="How long to record; Ctrl-C ends it.")
    ] = 10.0,
    device: Annotated[
        str | None, typer.Option("--device", help="Input device: its number or a part of its name.")
    ] = None,
    add: AddOption = False,
    replace: ReplaceOption = False,
    notes: NotesOption = "",
    *,
    live: LivenessOptions,
    store: StoreOption = None,
    model: ModelOption = None,
    as_json: JsonOption = False,
) -> None:
    """Record from the microphone, and enroll the speaker."""
    mode = chosen_mode(add=add, replace=replace)
    if name == "-":
        sys.stdout.buffer.write(_as_wav(_record(seconds, device)))
        return
    from voiceprint.store import normalize_name  # numpy and the audio libraries

    with live.verifier(store, model, create=True) as verifier:
        verifier.check_enrolling(normalize_name(name), mode)
        report = verifier.enroll(name, _record(seconds, device), mode=mode, notes=notes)
    print_json(enrollment_json(report)) if as_json else print_enrollment(report)


def _record(seconds: float, device: str | None) -> Waveform:
    """Record with a level meter on standard error; Ctrl-C ends the recording early and keeps it."""
    from voiceprint.audio import recording

    chosen = input_device(device)
    with interruptible() as interrupted, _meter(seconds) as show:

        def on_block(done: float, level: float) -> bool:
            show(done, level)
            return not interrupted()

        return recording.record(seconds, device=chosen, on_block=on_block)


def input_device(device: str | None) -> int | str | None:
    """Return what was typed for a microphone as its number, where it is one."""
    return int(device) if device is not None and device.isdigit() else device


@contextmanager
def interruptible() -> Iterator[Callable[[], bool]]:
    """Give a function that says whether Ctrl-C was pressed, which then does no more than that."""
    import signal

    pressed: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _frame: pressed.append(number))
    try:
        yield lambda: bool(pressed)
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def _meter(seconds: float) -> Iterator[Callable[[float, float], None]]:
    """Give a function that shows the time and the level, where standard error is a terminal."""
    if not sys.stderr.isatty():
        yield lambda _done, _level: None
        return

    def show(done: float, level: float) -> None:
        typer.echo(f"\r{done:5.1f} of {seconds:g} s  {meter_line(level)}", nl=False, err=True)

    yield show
    typer.echo(err=True)


def meter_line(level: float) -> str:
    """Return a bar of 30 characters for a level in dBFS, with a word on it where it is not good."""
    filled = round(_METER_WIDTH * (min(max(level, _QUIETEST), _LOUDEST) - _QUIETEST) / (_LOUDEST - _QUIETEST))
    word = "too quiet" if level < -50 else "too loud" if level > -6 else ""
    return f"[{'#' * filled}{'.' * (_METER_WIDTH - filled)}] {level:4.0f} dB {word:9}"


def _as_wav(waveform: Waveform) -> bytes:
    import soundfile

    buffer = io.BytesIO()
    soundfile.write(buffer, waveform.samples, waveform.original_rate, format="WAV", subtype="PCM_16")
    return buffer.getvalue()
