"""The Wyoming service over loopback, asked by the protocol's own client as an assistant does."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile as sf
from tiny_countermeasure import inverted
from wyoming.asr import Transcribe, Transcript
from wyoming.audio import AudioChunk, AudioStart, AudioStop
from wyoming.client import AsyncClient
from wyoming.error import Error
from wyoming.event import Event
from wyoming.info import AsrModel, AsrProgram, Attribution, Describe, Info
from wyoming.ping import Ping, Pong
from wyoming.server import AsyncEventHandler, AsyncTcpServer
from wyoming.user_event import UserEvent

from voiceprint.connectors.wyoming_service import WyomingSettings, serve_wyoming
from voiceprint.engine.verifier import Verifier
from voiceprint.errors import ArgumentError

HEARD = "turn on the light"


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


@pytest.fixture(scope="module")
def verifier(
    tmp_path_factory: pytest.TempPathFactory, model_folder: Path, people: Path
) -> Iterator[Verifier]:
    """Ada and bert are enrolled."""
    store = tmp_path_factory.mktemp("wyoming") / "store"
    with Verifier(store, model=model_folder) as made:
        for name in ("ada", "bert"):
            made.enroll(name, [people / name / f"{clip}.wav" for clip in range(3)])
    # It remembers no recording, so that a clip may be said again.
    with Verifier(store, model=model_folder, read_only=True) as opened:
        yield opened


@asynccontextmanager
async def serving(verifier: Verifier, settings: WyomingSettings) -> AsyncIterator[str]:
    uri, listening = f"tcp://127.0.0.1:{free_port()}", asyncio.Event()
    task = asyncio.create_task(serve_wyoming(uri, verifier, settings, ready=listening.set))
    await asyncio.wait_for(listening.wait(), 60)
    try:
        yield uri
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@asynccontextmanager
async def transcribing(answer: Transcript | None) -> AsyncIterator[tuple[str, list[Event]]]:
    """A service that transcribes everything alike, or hangs up; and what it was sent."""
    sent: list[Event] = []
    about: dict[str, Any] = {"attribution": Attribution(name="x", url=""), "installed": True, "version": "1"}
    model = AsrModel(name="m", description="", languages=["de", "nl"], **about)
    info = Info(asr=[AsrProgram(name="p", description="", models=[model], **about)])

    class Handler(AsyncEventHandler):
        async def handle_event(self, event: Event) -> bool:
            sent.append(event)
            if Describe.is_type(event.type):
                await self.write_event(info.event())
            if AudioStop.is_type(event.type):
                if answer is None:
                    return False
                await self.write_event(answer.event())
            return True

    port = free_port()
    server = AsyncTcpServer("127.0.0.1", port)
    await server.start(Handler)
    yield f"tcp://127.0.0.1:{port}", sent
    await server.stop()


async def say(client: AsyncClient, path: Path, *, width: int = 2, channels: int = 1) -> list[Event]:
    """Send a clip as an assistant does, and return what comes back up to the transcript, or the end."""
    samples, rate = sf.read(path, dtype="int16" if width == 2 else "int32")
    sound = np.repeat(samples[:, None], channels, axis=1).tobytes()
    await client.write_event(Transcribe(language="nl").event())
    await client.write_event(AudioStart(rate=rate, width=width, channels=channels).event())
    step = 1024 * width * channels
    for start in range(0, len(sound), step):
        chunk = AudioChunk(rate=rate, width=width, channels=channels, audio=sound[start : start + step])
        await client.write_event(chunk.event())
    await client.write_event(AudioStop().event())
    return await answers(client)


async def answers(client: AsyncClient) -> list[Event]:
    found: list[Event] = []
    while (event := await asyncio.wait_for(client.read_event(), 60)) is not None:
        found.append(event)
        if Transcript.is_type(event.type):
            break
    return found


def ask(
    verifier: Verifier, settings: WyomingSettings, questions: Callable[[AsyncClient], Awaitable[Any]]
) -> Any:
    async def run() -> Any:
        async with serving(verifier, settings) as uri, AsyncClient.from_uri(uri) as client:
            return await questions(client)

    return asyncio.run(run())


def test_who_spoke_is_an_event_and_the_transcript(verifier: Verifier, people: Path) -> None:
    async def questions(client: AsyncClient) -> list[list[Event]]:
        return [await say(client, people / name / "3.wav") for name in ("ada", "bert", "cleo")]

    for events, name in zip(ask(verifier, WyomingSettings(), questions), ("ada", "bert", None), strict=True):
        told, transcript = UserEvent.from_event(events[0]), Transcript.from_event(events[1])
        assert told.name == "speaker"
        assert told.data is not None
        assert (told.data["name"], told.data["decision"]) == (name, "identified" if name else "unknown")
        assert transcript.text == (name or "")
        assert transcript.language == "nl"
        assert transcript.context == {"speaker": told.data}


@pytest.mark.parametrize(("width", "channels"), [(4, 1), (2, 2)])
def test_samples_may_be_longer_and_of_several_channels(
    verifier: Verifier, people: Path, width: int, channels: int
) -> None:
    def questions(client: AsyncClient) -> Awaitable[list[Event]]:
        return say(client, people / "ada" / "3.wav", width=width, channels=channels)

    events = ask(verifier, WyomingSettings(), questions)
    assert Transcript.from_event(events[-1]).text == "ada"


@pytest.mark.parametrize(
    ("options", "who", "text"),
    [
        ({}, "ada", HEARD),
        ({"tag": True}, "ada", f"[ada] {HEARD}"),
        ({"tag": True}, "cleo", HEARD),
        ({"known_only": True}, "cleo", ""),
        ({"known_only": True, "tag": True}, "bert", f"[bert] {HEARD}"),
    ],
)
def test_a_transcript_comes_from_another_service(
    verifier: Verifier, people: Path, options: dict[str, Any], who: str, text: str
) -> None:
    async def run() -> tuple[list[Event], list[Event]]:
        heard = Transcript(text=HEARD, language="de", context={"session": 1})
        async with transcribing(heard) as (asr, sent):
            settings = WyomingSettings(asr=asr, **options)
            async with serving(verifier, settings) as uri, AsyncClient.from_uri(uri) as client:
                return await say(client, people / who / "3.wav"), sent

    events, sent = asyncio.run(run())
    transcript = Transcript.from_event(events[-1])
    assert (transcript.text, transcript.language) == (text, "de")
    assert transcript.context is not None
    assert (transcript.context["session"], set(transcript.context)) == (1, {"session", "speaker"})
    assert Transcribe.from_event(sent[0]).language == "nl"
    sound = b"".join(event.payload or b"" for event in sent)
    assert sound == sf.read(people / who / "3.wav", dtype="int16")[0].tobytes()


def test_a_service_that_does_not_transcribe_is_an_error_and_the_end(verifier: Verifier, people: Path) -> None:
    async def run(gone: bool) -> list[Event]:
        async with transcribing(None) as (asr, _):
            settings = WyomingSettings(asr=f"tcp://127.0.0.1:{free_port()}" if gone else asr)
            async with serving(verifier, settings) as uri, AsyncClient.from_uri(uri) as client:
                return await say(client, people / "ada" / "3.wav")

    for gone in (True, False):
        (event,) = asyncio.run(run(gone))
        assert Error.from_event(event).code == "asr"


def test_an_assistant_is_told_what_the_service_is(verifier: Verifier) -> None:
    async def run() -> tuple[Info, Info]:
        async with transcribing(Transcript(text="")) as (asr, _):
            found = []
            for settings in (WyomingSettings(), WyomingSettings(asr=asr)):
                async with serving(verifier, settings) as uri, AsyncClient.from_uri(uri) as client:
                    await client.write_event(Describe().event())
                    event = await asyncio.wait_for(client.read_event(), 60)
                    assert event is not None
                    found.append(Info.from_event(event))
            return found[0], found[1]

    alone, between = asyncio.run(run())
    assert [program.name for program in alone.asr] == ["voiceprint"]
    assert alone.asr[0].models[0].languages == ["en"]
    assert between.asr[0].models[0].languages == ["de", "nl"]


def test_a_ping_is_answered(verifier: Verifier) -> None:
    async def questions(client: AsyncClient) -> Event | None:
        await client.write_event(Ping(text="x").event())
        return await asyncio.wait_for(client.read_event(), 60)

    assert Pong.from_event(ask(verifier, WyomingSettings(), questions)).text == "x"


@pytest.mark.parametrize(
    ("events", "code"),
    [
        ([AudioStop().event()], "malformed"),
        ([Event(type="audio-chunk", data={}, payload=b"xx")], "malformed"),
        ([AudioChunk(rate=16_000, width=1, channels=1, audio=b"x").event()], "malformed"),
        ([AudioChunk(rate=16_000, width=2, channels=1, audio=b"xyz").event()], "malformed"),
        ([AudioChunk(rate=0, width=2, channels=1, audio=b"xx").event()], "malformed"),
        ([AudioChunk(rate=8_000, width=2, channels=0, audio=b"xx").event()], "malformed"),
        ([AudioChunk(rate=100, width=2, channels=1, audio=bytes(40_000)).event()], "malformed"),
        ([AudioChunk(rate=1000, width=2, channels=1, audio=bytes(40)).event(), AudioStop().event()], "audio"),
    ],
)
def test_what_is_no_sound_is_an_error_and_the_end(verifier: Verifier, events: list[Event], code: str) -> None:
    async def questions(client: AsyncClient) -> list[Event]:
        for event in events:
            await client.write_event(event)
        return await answers(client)

    (event,) = ask(verifier, WyomingSettings(), questions)
    assert Error.from_event(event).code == code


def test_two_assistants_are_answered_at_once(verifier: Verifier, people: Path) -> None:
    async def run() -> list[list[Event]]:
        async with (
            serving(verifier, WyomingSettings()) as uri,
            AsyncClient.from_uri(uri) as one,
            AsyncClient.from_uri(uri) as two,
        ):
            told = await asyncio.gather(
                *(say(client, people / name / "3.wav") for client, name in ((one, "ada"), (two, "bert")))
            )
            return [*told]

    assert [Transcript.from_event(events[-1]).text for events in asyncio.run(run())] == ["ada", "bert"]


@pytest.mark.parametrize(
    "uri", ["nonsense", "tcp://localhost", "http://localhost:1", "tcp://x:y", "tcp://:1"]
)
def test_an_address_that_is_none_is_refused(verifier: Verifier, uri: str) -> None:
    with pytest.raises(ArgumentError, match="uri"):
        asyncio.run(serve_wyoming(uri, verifier, WyomingSettings()))
    with pytest.raises(ArgumentError, match="asr"):
        WyomingSettings(asr=uri)


@pytest.fixture
def machine(people: Path, tmp_path: Path) -> Path:
    """Ada's clip, as a machine says it to the tests' countermeasure."""
    path = tmp_path / "machine.wav"
    sf.write(path, inverted(sf.read(people / "ada" / "3.wav", dtype="float32")[0]), 16_000)
    return path


@pytest.fixture
def places(verifier: Verifier, tmp_path: Path) -> list[str]:
    """Options that name a store of its own, for a command remembers whom it accepted."""
    store = shutil.copytree(verifier.store_path, tmp_path / "store")
    return ["--store", str(store), "--model", str(verifier.model.folder)]


@contextmanager
def commanded(uri: str, *options: str) -> Iterator[None]:
    """Run the command until it is left, and hold it against what SIGTERM promises."""
    process = subprocess.Popen(
        [sys.executable, "-m", "voiceprint", "wyoming", "--uri", uri, *options],
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    with process.stderr as told:
        try:
            assert told.readline() == f"listening on {uri}\n"
            yield
        finally:
            process.send_signal(signal.SIGTERM)
            rest, ended = told.read(), process.wait(60)
    assert (rest, ended) == ("", 0)


async def say_to(uri: str, *paths: Path) -> list[list[Event]]:
    async with AsyncClient.from_uri(uri) as client:
        return [await say(client, path) for path in paths]


@pytest.mark.skipif(os.name != "posix", reason="SIGTERM is POSIX's")
def test_the_command_serves_until_sigterm(places: list[str], people: Path) -> None:
    uri = f"tcp://127.0.0.1:{free_port()}"
    with commanded(uri, *places):
        (events,) = asyncio.run(say_to(uri, people / "ada" / "3.wav"))
    assert Transcript.from_event(events[-1]).text == "ada"


@pytest.mark.skipif(os.name != "posix", reason="Unix sockets")
def test_a_machine_is_nobody_where_the_command_asks_for_liveness(
    places: list[str], people: Path, machine: Path, countermeasure: Path, tmp_path: Path
) -> None:
    uri = f"unix://{tmp_path / 'socket'}"
    with commanded(uri, *places, "--liveness", "--countermeasure", str(countermeasure)):
        made, live = asyncio.run(say_to(uri, machine, people / "ada" / "3.wav"))
    told = [UserEvent.from_event(events[0]).data or {} for events in (live, made)]
    assert [(each["decision"], each["name"]) for each in told] == [("identified", "ada"), ("spoofed", None)]
    assert [Transcript.from_event(events[-1]).text for events in (live, made)] == ["ada", ""]


def test_what_a_machine_says_is_passed_on_without_a_name_or_not_at_all(
    verifier: Verifier, model_folder: Path, countermeasure: Path, machine: Path
) -> None:
    async def run(cautious: Verifier, *, known_only: bool) -> str:
        async with transcribing(Transcript(text=HEARD)) as (asr, _):
            settings = WyomingSettings(asr=asr, tag=True, known_only=known_only)
            async with serving(cautious, settings) as uri:
                (events,) = await say_to(uri, machine)
                return Transcript.from_event(events[-1]).text

    with Verifier(
        verifier.store_path,
        model=model_folder,
        read_only=True,
        spoof_far=0.01,
        countermeasure=countermeasure,
    ) as cautious:
        said = [asyncio.run(run(cautious, known_only=known_only)) for known_only in (False, True)]
    assert said == [HEARD, ""]
