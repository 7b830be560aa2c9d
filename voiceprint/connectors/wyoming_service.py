"""A service of the Wyoming protocol (Home Assistant, Rhasspy) that answers who spoke. Extra ``wyoming``.

The protocol has no event for a speaker, and Home Assistant asks for transcripts alone. So the service stands
where speech recognition is asked for: it takes the sound, says who spoke, and passes the sound on to the
service that transcribes. The transcript that comes back goes to whoever asked, with the speaker beside it.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import numpy as np
from numpy.typing import NDArray
from wyoming.asr import Transcribe, Transcript
from wyoming.audio import AudioChunk, AudioStart, AudioStop
from wyoming.client import AsyncClient
from wyoming.error import Error
from wyoming.event import Event
from wyoming.info import AsrModel, AsrProgram, Attribution, Describe, Info
from wyoming.ping import Ping, Pong
from wyoming.server import AsyncEventHandler, AsyncServer
from wyoming.user_event import UserEvent

import voiceprint
from voiceprint.engine.decisions import Identification
from voiceprint.engine.verifier import Verifier
from voiceprint.errors import ArgumentError, VoiceprintError

__all__ = ["SPEAKER_EVENT", "WyomingSettings", "serve_wyoming"]

SPEAKER_EVENT = "speaker"
"""The name of the user-event that says who spoke, before the transcript does."""

_MOST = 120.0  # seconds of one utterance
_TYPES = {2: np.int16, 4: np.int32}  # of samples, by their bytes
_CONNECT, _ANSWER = 5.0, 120.0  # seconds for the service that transcribes


@dataclass(frozen=True, slots=True, kw_only=True)
class WyomingSettings:
    """What the service does with what it hears.

    Parameters
    ----------
    asr : str or None
        The Wyoming service that transcribes; None: the transcript is the speaker's name.
    tag : bool
        Write the name in front of the transcript, as ``[ada] turn on the light``.
    known_only : bool
        Give an empty transcript unless somebody enrolled is identified, so that nothing is done.
    far : float or None
        How often an out-of-set speaker may be given any name.
    languages : tuple of str
        What the service says it understands where nobody transcribes.

    Raises
    ------
    ArgumentError
        If the address of the service that transcribes is none.
    """

    asr: str | None = None
    tag: bool = False
    known_only: bool = False
    far: float | None = None
    languages: tuple[str, ...] = ("en",)

    def __post_init__(self) -> None:
        if self.asr is not None:
            _check_uri("asr", self.asr)


async def serve_wyoming(
    uri: str, verifier: Verifier, settings: WyomingSettings, *, ready: Callable[[], None] = lambda: None
) -> None:
    """Serve until SIGTERM.

    Parameters
    ----------
    uri : str
        Where to listen: ``tcp://host:port`` or ``unix://path``.
    verifier : Verifier
        Whoever is enrolled in its store may be named.
    ready : callable
        Called once the service listens.

    Raises
    ------
    ArgumentError
        If the address is none.
    OSError
        If it is in use.
    """
    _check_uri("uri", uri)
    stopped = asyncio.Event()
    # Not in a thread, nor on Windows, where Ctrl-C ends it.
    with suppress(NotImplementedError, RuntimeError, ValueError):
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    # One at a time: an encoder takes a core, and a household speaks in turns.
    with ThreadPoolExecutor(max_workers=1) as voices:
        server = AsyncServer.from_uri(uri)
        await server.start(partial(_SpeakerHandler, verifier, settings, voices))
        try:
            ready()
            await stopped.wait()
        finally:
            await server.stop()


def _check_uri(argument: str, uri: str) -> None:
    address = urlsplit(uri)
    try:
        tcp = address.scheme == "tcp" and bool(address.hostname and address.port)
    except ValueError:  # the port is no number
        tcp = False
    if not tcp and not (address.scheme == "unix" and address.path):
        raise ArgumentError(argument, uri, "an address such as tcp://127.0.0.1:10700")


class _SpeakerHandler(AsyncEventHandler):
    """One connection: an utterance comes in chunks, and is answered when it stops."""

    def __init__(
        self,
        verifier: Verifier,
        settings: WyomingSettings,
        voices: ThreadPoolExecutor,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        super().__init__(reader, writer)
        self._verifier, self._settings, self._voices = verifier, settings, voices
        self._asked = Transcribe()
        self._chunks: list[AudioChunk] = []
        self._seconds = 0.0

    async def handle_event(self, event: Event) -> bool:
        """Take an event; False closes the connection, which is how whoever waits learns of an error."""
        try:
            await self._take(event)
        except VoiceprintError as error:
            await self.write_event(Error(text=str(error), code=error.code).event())
            return False
        except (KeyError, TypeError, ValueError) as error:
            await self.write_event(Error(text=f"{event.type}: {error!r}", code="malformed").event())
            return False
        except OSError as error:
            text = f"{self._settings.asr} does not transcribe: {error or type(error).__name__}"
            await self.write_event(Error(text=text, code="asr").event())
            return False
        return True

    async def _take(self, event: Event) -> None:
        if Describe.is_type(event.type):
            await self.write_event((await self._info()).event())
        elif Ping.is_type(event.type):
            await self.write_event(Pong(text=Ping.from_event(event).text).event())
        elif Transcribe.is_type(event.type):
            self._asked = Transcribe.from_event(event)
        elif AudioStart.is_type(event.type):
            self._chunks, self._seconds = [], 0.0
        elif AudioChunk.is_type(event.type):
            self._add(AudioChunk.from_event(event))
        elif AudioStop.is_type(event.type):
            await self._answer()

    def _add(self, chunk: AudioChunk) -> None:
        if chunk.width not in _TYPES or min(chunk.rate, chunk.channels) < 1:
            form = f"{chunk.rate} Hz, {chunk.width} bytes a sample, {chunk.channels} channels"
            raise ValueError(f"{form}; send samples of 2 or 4 bytes")
        if len(chunk.audio) % (chunk.width * chunk.channels):
            raise ValueError("it holds a part of a sample")
        self._seconds += chunk.seconds
        if self._seconds > _MOST:
            raise ValueError(f"an utterance may have {_MOST:g} s")
        self._chunks.append(chunk)

    async def _answer(self) -> None:
        chunks, self._chunks, self._seconds = self._chunks, [], 0.0
        if not chunks:
            raise ValueError("no sound came before it")
        loop = asyncio.get_running_loop()
        speaking = loop.run_in_executor(self._voices, partial(self._identify, chunks))
        answer, transcript = await asyncio.gather(speaking, self._transcribe(chunks))
        await self.write_event(UserEvent(name=SPEAKER_EVENT, data=_facts(answer)).event())
        await self.write_event(self._worded(answer, transcript).event())

    def _identify(self, chunks: list[AudioChunk]) -> Identification:
        samples: NDArray[Any] = np.concatenate(
            [
                np.frombuffer(each.audio, dtype=_TYPES[each.width]).reshape(-1, each.channels)
                for each in chunks
            ]
        )
        return self._verifier.identify(samples, sample_rate=chunks[0].rate, far=self._settings.far)

    async def _transcribe(self, chunks: list[AudioChunk]) -> Transcript | None:
        """Let the other service transcribe; None where there is none."""
        if self._settings.asr is None:
            return None
        first = chunks[0]
        async with AsyncClient.from_uri(self._settings.asr, _CONNECT, _ANSWER) as client:
            await client.write_event(self._asked.event())
            start = AudioStart(rate=first.rate, width=first.width, channels=first.channels)
            await client.write_event(start.event())
            for chunk in chunks:
                await client.write_event(chunk.event())
            await client.write_event(AudioStop().event())
            while (event := await client.read_event()) is not None:
                if Transcript.is_type(event.type):
                    return Transcript.from_event(event)
        raise ConnectionError("it closed the connection without a transcript")

    def _worded(self, answer: Identification, transcript: Transcript | None) -> Transcript:
        """Return the transcript that is given: of the other service, or the name alone."""
        name = answer.name or ""
        text = name if transcript is None else transcript.text
        if self._settings.known_only and not name:
            text = ""
        elif self._settings.tag and name and transcript is not None:
            text = f"[{name}] {text}"
        language = self._asked.language if transcript is None else transcript.language
        context = {} if transcript is None else transcript.context or {}
        return Transcript(text=text, language=language, context={**context, SPEAKER_EVENT: _facts(answer)})

    async def _info(self) -> Info:
        languages = [*self._settings.languages]
        if self._settings.asr is not None:
            async with AsyncClient.from_uri(self._settings.asr, _CONNECT, _ANSWER) as client:
                await client.write_event(Describe().event())
                while (event := await client.read_event()) is not None:
                    if Info.is_type(event.type):
                        programs = Info.from_event(event).asr
                        languages = sorted(
                            {each for it in programs for model in it.models for each in model.languages}
                        )
                        break
        card = self._verifier.model.card
        about: dict[str, Any] = {
            "attribution": Attribution(name="voiceprint", url=""),
            "installed": True,
            "version": voiceprint.__version__,
        }
        model = AsrModel(name=card.name, description=card.description, languages=languages, **about)
        program = AsrProgram(name="voiceprint", description="Who spoke", models=[model], **about)
        return Info(asr=[program])


def _facts(answer: Identification) -> dict[str, Any]:
    """Say who spoke, as JSON has it."""
    matches = [asdict(match) for match in answer.matches]
    return {
        "name": answer.name,
        "decision": answer.decision,
        "reason": answer.reason,
        "seconds_of_speech": answer.seconds_of_speech,
        "matches": matches,
    }
