"""Listening: a WebSocket into which somebody speaks; sound comes in, events go out, until it is decided."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, TypeVar

import numpy as np
from fastapi import WebSocket, WebSocketDisconnect
from fastapi.security import HTTPAuthorizationCredentials
from pydantic_core import to_jsonable_python

from voiceprint.engine.decisions import Identification, Verification
from voiceprint.engine.events import Decided, Event, Scored, event_name
from voiceprint.engine.session import Session
from voiceprint.errors import SpeakerNotFoundError
from voiceprint.server.access import Caller, check_still
from voiceprint.server.bodies import refuse_too_much, to_fields
from voiceprint.server.deciding import fields_of, identification_fields, log_decision, not_enrolled
from voiceprint.server.engine import Engine
from voiceprint.server.fields import ListenFields
from voiceprint.server.parameters import addressable, check_point
from voiceprint.server.problems import Problem
from voiceprint.server.schemas import IdentificationAnswer, VerificationAnswer
from voiceprint.server.weighing import weighed

MAX_MESSAGE = 64 << 10
"""Bytes of a message: 0.7 s of sound at 48 kHz. A longer one closes the WebSocket with 1009."""

Result = TypeVar("Result")

_STEP = 0.5  # seconds of sound after which others have their turn
_AHEAD = 16  # messages that are read before they are listened to; then whoever sends has to wait
_END = {"end": True}


class Listening:
    """What is said on one WebSocket: a question, then sound, and ``{"end": true}`` where it ends.

    A claim is over once it is decided; without one, every turn is. Sound is listened to in the threads of the
    voices, where it waits its turn like clips. What comes faster stays with whoever sends it.

    Parameters
    ----------
    socket : WebSocket
        Accepted.
    engine : Engine
    caller : Caller
    credentials : HTTPAuthorizationCredentials or None
        By which the caller was known; they are looked at again as long as sound comes.
    """

    def __init__(
        self,
        socket: WebSocket,
        engine: Engine,
        caller: Caller,
        credentials: HTTPAuthorizationCredentials | None,
    ) -> None:
        self._socket, self._engine, self._caller, self._credentials = socket, engine, caller, credentials
        self._request_id: str = socket.state.request_id
        self._inbox: asyncio.Queue[dict[str, Any] | Problem] = asyncio.Queue(_AHEAD)
        self._over = asyncio.get_running_loop().time() + engine.settings.max_audio
        self._question = ListenFields.model_validate({})
        self._seconds = 0.0
        self._score: float | None = None
        self._decided = self._gone = False

    async def run(self) -> None:
        """Listen until it is over.

        Raises
        ------
        Problem, VoiceprintError
            If the question or the sound cannot be used, or a limit is reached.
        """
        reading = asyncio.create_task(self._read())
        try:
            await self._answer()
        except WebSocketDisconnect:
            pass  # whoever spoke has left, or the server ends
        finally:
            reading.cancel()

    async def _answer(self) -> None:
        await self._ask()
        facts = {**self._caller.facts(self._request_id), "speaker": self._question.claim}
        await self._engine.decided.append("listen", **facts, outcome="begun")
        try:
            reason = await self._listen()
        finally:
            # Scores were sent while it went on, also where nothing was decided.
            progress = {"elapsed": round(self._seconds, 1), "score": self._score}
            await self._engine.decided.append("listen", **facts, outcome="ended", **progress)
        await self._socket.close(1000, reason=reason)

    async def _ask(self) -> None:
        """Read the question."""
        message = await self._next()
        text = message.get("text")
        if text is None:
            raise Problem(422, "request-invalid", "the first message is the question, as JSON; sound follows")
        self._question = to_fields(text.encode(), ListenFields)
        check_point(self._engine.settings, far=self._question.far)
        if self._engine.settings.challenge and self._question.claim is not None:
            detail = "no claim is taken while somebody speaks: record a challenge's words, and verify them"
            raise Problem(403, "challenge-needed", detail)
        if self._question.claim is not None:
            self._question = self._question.model_copy(update={"claim": addressable(self._question.claim)})

    async def _listen(self) -> str:
        """Pass sound on until there is no more, or a claim is decided; returns why it ends."""
        claim = self._question.claim
        try:
            session = await self._step(self._session)
            last = False
            while not last:
                sound, last = await self._sound()
                check_still(self._engine, self._credentials)
                for piece, final in self._pieces(sound, last):
                    feed = partial(self._feed, session, piece, final)
                    for event in await self._step(feed, audio=piece):
                        await self._tell(event)
                        if claim is not None and self._decided:
                            return "decided"
        except SpeakerNotFoundError:
            if claim is None:
                raise
            await self._decide(not_enrolled(self._engine, claim), elapsed=self._seconds)
            return "decided"
        return "ended"

    def _session(self) -> Session:
        question = self._question
        return self._engine.verifier.session(
            claim=question.claim,
            among=question.among,
            far=question.far,
            allow_replay=self._engine.settings.allow_replay,
        )

    def _pieces(self, sound: bytes, last: bool) -> Iterator[tuple[bytes, bool]]:
        """Divide sound, and say of each piece whether it ends it."""
        size = 2 * round(_STEP * self._question.sample_rate)
        for start in range(0, max(1, len(sound)), size):
            if self._gone:
                raise WebSocketDisconnect
            yield sound[start : start + size], last and start + size >= len(sound)

    def _feed(self, session: Session, sound: bytes, last: bool) -> tuple[Event, ...]:
        samples = np.frombuffer(sound, dtype="<i2")
        events = session.feed(samples, sample_rate=self._question.sample_rate)
        return (*events, *session.finish()) if last else events

    async def _step(self, work: Callable[[], Result], *, audio: bytes = b"") -> Result:
        """Do something in a thread of the voices, as long as it may be."""
        rate = self._question.sample_rate
        self._seconds += len(audio) / 2 / rate
        weight = weighed(len(audio) / 2 / rate, samples_a_second=rate)
        refuse_too_much(weighed(self._seconds, samples_a_second=rate), self._engine.settings.max_audio)
        return await self._engine.pool.run(work, caller=self._caller.id, weight=weight)

    async def _sound(self) -> tuple[bytes, bool]:
        """Return the samples that came since, and whether they were the last."""
        sound = b""
        while True:
            message = await self._next()
            text, data = message.get("text"), message.get("bytes") or b""
            if text is not None:
                _check_end(text)
                return sound, True
            if len(data) % 2:
                detail = f"a message has {len(data)} bytes; samples have two each, little-endian"
                raise Problem(422, "request-invalid", detail)
            sound += data
            if self._inbox.empty():
                return sound, False

    async def _next(self) -> dict[str, Any]:
        if asyncio.get_running_loop().time() > self._over:
            detail = f"a connection is listened to for {self._engine.settings.max_audio:g} s; open another"
            raise Problem(408, "listened-too-long", detail)
        message = await self._inbox.get()
        if isinstance(message, Problem):
            raise message
        if message["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(message["code"])
        return message

    async def _read(self) -> None:
        """Read a little ahead. What is not read fills the connection, and holds up whoever sends."""
        seconds = self._engine.settings.body_seconds
        kind = ""
        try:
            while kind != "websocket.disconnect":
                async with asyncio.timeout(seconds):
                    message = dict(await self._socket.receive())
                kind = message["type"]
                self._gone = kind == "websocket.disconnect"
                await self._inbox.put(message)
        except TimeoutError:
            detail = f"no sound came for {seconds:g} s; send silence where nobody speaks"
            await self._inbox.put(Problem(408, "sound-missing", detail))

    async def _tell(self, event: Event) -> None:
        if isinstance(event, Decided):
            await self._decide(self._fields(event.answer), elapsed=event.elapsed)
            return
        if isinstance(event, Scored):
            self._score = event.score
        await self._send(event_name(event), to_jsonable_python(event, inf_nan_mode="null"))

    def _fields(self, answer: Verification | Identification) -> dict[str, Any]:
        if isinstance(answer, Verification):
            return fields_of(answer)
        return identification_fields(answer, watched=self._question.among is not None)

    async def _decide(self, answer: dict[str, Any], *, elapsed: float) -> None:
        """Log a decision, then send it in the words of `verify` or `identify`."""
        self._decided = True
        facts = self._caller.facts(self._request_id)
        await log_decision(self._engine, "listen", answer, **facts, speaker=answer["name"])
        schema = IdentificationAnswer if self._question.claim is None else VerificationAnswer
        found = schema.model_validate({**answer, "request_id": self._request_id})
        await self._send("decided", {"elapsed": elapsed, "answer": found.model_dump(mode="json")})

    async def _send(self, event: str, document: dict[str, Any]) -> None:
        await self._socket.send_text(json.dumps({"event": event, **document}, ensure_ascii=False))


def _check_end(text: str) -> None:
    """Refuse a text after the question that does not end the sound."""
    try:
        ends = json.loads(text) == _END
    except ValueError:
        ends = False
    if not ends:
        raise Problem(422, "request-invalid", f"after the question comes sound, and then {json.dumps(_END)}")
