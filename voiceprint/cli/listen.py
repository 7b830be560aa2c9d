"""``voiceprint listen``: who is speaking, now; from the microphone or a pipe."""

from __future__ import annotations

import json
import queue
import sys
import threading
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO

import typer

from voiceprint.cli.commands import examples
from voiceprint.cli.decide import EXIT_CODES, decision_words
from voiceprint.cli.liveness import LivenessOptions
from voiceprint.cli.options import AllowReplayOption, FarOption, ModelOption, StoreOption
from voiceprint.cli.record import input_device, interruptible
from voiceprint.cli.terminal import clock, json_value, number, plain
from voiceprint.errors import VoiceprintError

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from voiceprint.engine.events import Event
    from voiceprint.engine.session import Session

_WAITING = 50  # chunks that may wait; then whoever writes to the pipe waits
_PATIENCE = 0.1  # seconds between two looks at whether Ctrl-C was pressed


@dataclass(frozen=True, slots=True, kw_only=True)
class SoundOptions:
    """Where the sound comes from."""

    device: Annotated[
        str | None, typer.Option("--device", help="Microphone: its number or a part of its name.")
    ] = None
    rate: Annotated[
        int, typer.Option("--rate", help="Sample rate of raw 16-bit samples, in Hz; WAV carries its own.")
    ] = 16_000
    channel: Annotated[
        int, typer.Option("--channel", metavar="N", help="Channel of a WAV with several, from 1 on.")
    ] = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class TestOptions:
    """When a speaker is decided."""

    far: FarOption = None
    miss: Annotated[
        float,
        typer.Option("--miss", help="How often a right claim may be rejected early, as a fraction."),
    ] = 0.05
    latest: Annotated[
        float, typer.Option("--latest", help="Seconds of speech at which it is decided in any case.")
    ] = 10.0
    min_speech: Annotated[
        float, typer.Option("--min-speech", help="Seconds of speech before which nothing is decided.")
    ] = 1.0


@examples(
    "voiceprint listen",
    "voiceprint listen --claim ada --far 0.001",
    "arecord -q -f S16_LE -r 16000 | voiceprint listen - --json",
)
def listen(
    *,
    source: Annotated[
        Path | None,
        typer.Argument(
            metavar="FILE",
            help="WAV, or raw 16-bit samples in one channel; - is standard input.",
            show_default="the microphone",
        ),
    ] = None,
    claim: Annotated[
        str | None, typer.Option("--claim", metavar="NAME", help="Who the speaker is said to be.")
    ] = None,
    among: Annotated[
        list[str] | None, typer.Option("--among", metavar="NAME", help="Look for them only; may be repeated.")
    ] = None,
    sound: SoundOptions,
    test: TestOptions,
    live: LivenessOptions,
    allow_replay: AllowReplayOption = False,
    store: StoreOption = None,
    model: ModelOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document an event.")] = False,
) -> None:
    """Say who is speaking, as soon as the speech suffices; Ctrl-C ends it.

    With --claim it ends with the verdict: 0 if accepted, 1 if rejected, replayed or spoofed, 2 if there is
    none. Without, it goes on until the sound ends. With --liveness, the speech of a turn up to its decision
    must sound live.
    """
    if source is not None and sound.device is not None:
        raise typer.BadParameter(
            "--device is of the microphone: leave it out, or leave out " + plain(str(source))
        )
    with live.verifier(store, model) as verifier:
        session = verifier.session(
            claim=claim,
            among=among,
            far=test.far,
            miss=test.miss,
            latest=test.latest,
            min_speech=test.min_speech,
            allow_replay=allow_replay,
        )
        _listen(session, source, sound, show=_print_json if as_json else _print, once=claim is not None)
    if claim is not None and session.answer is not None:
        raise typer.Exit(EXIT_CODES[session.answer.decision])


def _listen(
    session: Session, source: Path | None, sound: SoundOptions, *, show: Callable[[Event], None], once: bool
) -> None:
    """Feed a session, and show its events, until it is decided (`once`), the sound ends or Ctrl-C."""
    with interruptible() as interrupted:
        for rate, block in _until(interrupted, _blocks(source, sound)):
            for event in session.feed(block, sample_rate=rate):
                show(event)
            if once and session.answer is not None:
                return
    if once and interrupted():
        raise KeyboardInterrupt  # no verdict was waited for
    for event in session.finish():
        show(event)


def _blocks(source: Path | None, sound: SoundOptions) -> Generator[tuple[int, NDArray[Any]], None, None]:
    """Yield the rate and the samples (n,) of what comes."""
    from voiceprint.audio import SAMPLE_RATE, recording
    from voiceprint.audio.pcm_stream import PcmStream

    if source is None:
        typer.echo("Listening; Ctrl-C ends it.", err=True)
        with closing(recording.microphone(device=input_device(sound.device))) as blocks:
            for block in blocks:
                yield SAMPLE_RATE, block
        return
    piped = str(source) == "-"
    with _standard_input() if piped else source.open("rb", buffering=0) as stream:
        name = "standard input" if piped else str(source)
        pcm = PcmStream(stream, sample_rate=sound.rate, channel=sound.channel, name=name)
        for block in pcm.blocks():
            yield pcm.sample_rate, block


@contextmanager
def _standard_input() -> Iterator[BinaryIO]:
    """Give it without a buffer, whose lock a read that waits would hold when the program ends."""
    yield getattr(sys.stdin.buffer, "raw", sys.stdin.buffer)


def _until(
    interrupted: Callable[[], bool], blocks: Generator[tuple[int, NDArray[Any]], None, None]
) -> Iterator[tuple[int, NDArray[Any]]]:
    """Pass blocks on until Ctrl-C, which a read that waits for sound would not notice."""
    waiting: queue.Queue[tuple[int, NDArray[Any]] | BaseException | None] = queue.Queue(_WAITING)

    def read() -> None:
        try:
            with closing(blocks):
                for block in blocks:
                    waiting.put(block)
            waiting.put(None)
        except (VoiceprintError, OSError, ValueError) as error:
            waiting.put(error)

    threading.Thread(target=read, daemon=True).start()
    while not interrupted():
        try:
            block = waiting.get(timeout=_PATIENCE)
        except queue.Empty:
            continue
        if block is None:
            return
        if isinstance(block, BaseException):
            raise block
        yield block


def _print_json(event: Event) -> None:
    from voiceprint.engine.events import event_name

    document = {"event": event_name(event), **json_value(event)}
    typer.echo(json.dumps(document, allow_nan=False))
    sys.stdout.flush()


def _print(event: Event) -> None:
    line = _line(event)
    if line:
        typer.echo(f"{clock(event.elapsed, digits=1)}  {line}")
        sys.stdout.flush()


def _line(event: Event) -> str:
    from voiceprint.engine.events import Decided, SpeakerChanged, SpeechBegan, SpeechEnded

    match event:
        case SpeechBegan():
            return f"speech from {clock(event.start, digits=1)}"
        case SpeechEnded():
            return f"pause from {clock(event.stop, digits=1)}"
        case SpeakerChanged():
            return f"another speaker from {clock(event.start, digits=1)}"
        case Decided():
            answer = event.answer
            who = f"{plain(answer.name)}: " if answer.name else ""
            explained = answer.threshold is None  # else the reason does not say how much speech there was
            seconds = "" if explained else f", {number(answer.seconds_of_speech, 1)} s"
            return f"{who}{decision_words(answer.decision)} ({plain(answer.reason)}{seconds})"
    return ""
