"""Client: the routes of a server as methods."""

from __future__ import annotations

import json
import ssl
import time
import uuid
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal, Self, TypeVar

from voiceprint.client.agreement import Agreement
from voiceprint.client.connection import Connection, Response, quoted
from voiceprint.client.decisions import (
    ChallengeReply,
    ComparisonReply,
    IdentificationReply,
    LivenessReply,
    VerificationReply,
)
from voiceprint.client.errors import UnreachableError
from voiceprint.client.forms import ClipFile, Form
from voiceprint.client.listening import LiveReply, listen_over
from voiceprint.client.reading import read_reply
from voiceprint.client.replies import (
    AccessReply,
    EnrollmentReply,
    EnrollmentsReply,
    MeasurementReply,
    ModelReply,
    OptOutsReply,
    RecordingReply,
    SpeakerReply,
    SpeakersReply,
)

if TYPE_CHECKING:
    from voiceprint.client.listening import Sound

Reply = TypeVar("Reply")

_POLLED = 1.0  # seconds between two looks at a recording


class Client:
    """A server, as `voiceprint serve` starts it, over HTTP.

    Clips are paths, the bytes of files, or files that are open for reading; they are sent piece by piece. A
    request that the server is too busy for is repeated when the server says, and so is one for which it could
    not be reached. A change carries an Idempotency-Key, so that it is made once however often it is sent.
    Threads may share a client.

    Parameters
    ----------
    url : str
        Where the server is.
    key : str, optional
        An API key, as ``voiceprint keys create`` prints it; a server without keys needs none.
    timeout : float
        Seconds without a byte of an answer after which a request is given up.
    patience : float
        Seconds for which a request is repeated; 0 for not at all.
    tls : ssl.SSLContext, optional
        Whom to trust over https; by default the system's certificates.

    Raises
    ------
    ArgumentError
        If an argument is not what it should be.

    Notes
    -----
    Every method may raise `ProblemError`, which holds what the server refuses and why, or `UnreachableError`.

    Examples
    --------
    >>> from voiceprint.client import Client
    >>> with Client(url, key=key) as client:  # of a running server; docs/how-to/client.md goes on
    ...     client.verify("ada", "door.wav").decision
    'accepted'
    """

    def __init__(
        self,
        url: str = "http://localhost:8765",
        *,
        key: str | None = None,
        timeout: float = 60.0,
        patience: float = 30.0,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._connection = Connection(url, key=key, timeout=timeout, patience=patience, tls=tls)

    def __repr__(self) -> str:
        return f"<Client of {self._connection.address.geturl()}>"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections that are kept for further requests."""
        self._connection.close()

    def enroll(
        self,
        name: str,
        clips: Iterable[ClipFile],
        *,
        agreement: Agreement | None = None,
        notes: str | None = None,
        min_speech: float | None = None,
        channel: int | None = None,
        idempotency_key: str | None = None,
    ) -> EnrollmentReply:
        """Enroll somebody: ``POST /v1/speakers``.

        Parameters
        ----------
        notes : str, optional
            Kept beside the voiceprint.
        min_speech : float, optional
            Seconds of speech that the voiceprint needs in all; more than the usual, never less.
        channel : int, optional
            Which channel to take, from 1 on, of clips that hold another voice in each.
        idempotency_key : str, optional
            By which a repeated request is known; a new one for each call unless given.
        """
        fields = {"name": name, "notes": notes, "min_speech": min_speech, "channel": channel}
        form = Form(fields | _agreed(agreement), [("clips", clip) for clip in clips])
        return self._change("POST", "/v1/speakers", idempotency_key, EnrollmentReply, body=form)

    def add_clips(
        self,
        name: str,
        clips: Iterable[ClipFile],
        *,
        mode: Literal["add", "replace"] = "add",
        force: bool = False,
        agreement: Agreement | None = None,
        notes: str | None = None,
        min_speech: float | None = None,
        channel: int | None = None,
        idempotency_key: str | None = None,
    ) -> EnrollmentReply:
        """Add clips to a voiceprint, or replace it: ``POST /v1/speakers/{name}/enrollments``.

        Parameters
        ----------
        mode : str
            ``add``, or ``replace``, which needs the scope admin.
        force : bool
            Replace even by a voice that disagrees with the old one; needs a new agreement.
        notes, min_speech, channel, idempotency_key : optional
            As in :meth:`enroll`.
        """
        fields = {"mode": mode, "force": force, "notes": notes, "min_speech": min_speech, "channel": channel}
        form = Form(fields | _agreed(agreement), [("clips", clip) for clip in clips])
        path = f"/v1/speakers/{quoted(name)}/enrollments"
        return self._change("POST", path, idempotency_key, EnrollmentReply, body=form)

    def speakers(self, *, after: int = 0, limit: int = 100) -> SpeakersReply:
        """List a page of the enrolled people: ``GET /v1/speakers``."""
        return self._ask("GET", "/v1/speakers", SpeakersReply, query={"after": after, "limit": limit})

    def search(self, search: str, *, after: int = 0, limit: int = 100) -> SpeakersReply:
        """List the people whose names contain something: ``POST /v1/speakers/search``."""
        body = {"search": search, "after": after, "limit": limit}
        return self._ask("POST", "/v1/speakers/search", SpeakersReply, body=body)

    def speaker(self, name: str) -> SpeakerReply:
        """Show an enrolled person: ``GET /v1/speakers/{name}``."""
        return self._ask("GET", f"/v1/speakers/{quoted(name)}", SpeakerReply)

    def enrollments(self, name: str) -> EnrollmentsReply:
        """List the clips that a voiceprint is made of: ``GET /v1/speakers/{name}/enrollments``."""
        return self._ask("GET", f"/v1/speakers/{quoted(name)}/enrollments", EnrollmentsReply)

    def set_agreement(
        self, name: str, agreement: Agreement, *, idempotency_key: str | None = None
    ) -> SpeakerReply:
        """Replace what somebody agreed to, and until when: ``PUT /v1/speakers/{name}/consent``."""
        body = json.loads(json.dumps(_agreed(agreement), default=datetime.isoformat))
        path = f"/v1/speakers/{quoted(name)}/consent"
        return self._change("PUT", path, idempotency_key, SpeakerReply, body=body)

    def remove(self, name: str, *, idempotency_key: str | None = None) -> None:
        """Erase somebody's voiceprint: ``DELETE /v1/speakers/{name}``."""
        self._make("DELETE", f"/v1/speakers/{quoted(name)}", idempotency_key)

    def challenge(self) -> ChallengeReply:
        """Ask for words that somebody has to say: ``POST /v1/challenges``."""
        return self._ask("POST", "/v1/challenges", ChallengeReply)

    def verify(
        self,
        name: str,
        clip: ClipFile,
        *,
        challenge: str | None = None,
        far: float | None = None,
        threshold: float | None = None,
        adapt: bool | None = None,
        channel: int | None = None,
    ) -> VerificationReply:
        """Answer whether a clip is of the person it is said to be: ``POST /v1/speakers/{name}/verify``.

        Parameters
        ----------
        challenge : str, optional
            Id of a :meth:`challenge` whose words the clip holds; it is used up.
        far : float, optional
            How often an impostor may be accepted; no more than the server allows.
        threshold : float, optional
            The lowest score to accept, where the server allows it.
        adapt : bool, optional
            Add a clearly accepted clip to the voiceprint, where the server allows it.
        channel : int, optional
            As in :meth:`enroll`.

        Returns
        -------
        VerificationReply
            Which is true exactly if the claim is accepted.
        """
        return self._ask(
            "POST",
            f"/v1/speakers/{quoted(name)}/verify",
            VerificationReply,
            query={"far": far, "threshold": threshold, "adapt": adapt},
            body=Form({"channel": channel, "challenge": challenge}, [("clip", clip)]),
        )

    def identify(
        self,
        clip: ClipFile,
        *,
        top: int | None = None,
        among: Iterable[str] | None = None,
        far: float | None = None,
        threshold: float | None = None,
        channel: int | None = None,
    ) -> IdentificationReply:
        """Answer which enrolled person a clip is of, if any: ``POST /v1/identify``.

        Parameters
        ----------
        top : int, optional
            How many of the nearest people to return; over 5 needs the scope enroll.
        among : iterable of str, optional
            A watch list: compare with these people only.
        far, threshold, channel : optional
            As in :meth:`verify`.

        Returns
        -------
        IdentificationReply
            Which is true exactly if somebody is identified.
        """
        watched = None if among is None else [*among]
        return self._ask(
            "POST",
            "/v1/identify",
            IdentificationReply,
            query={"top": top, "far": far, "threshold": threshold},
            body=Form({"channel": channel, "among": watched}, [("clip", clip)]),
        )

    def compare(
        self,
        a: ClipFile,
        b: ClipFile,
        *,
        far: float | None = None,
        threshold: float | None = None,
        channel: int | None = None,
    ) -> ComparisonReply:
        """Answer whether two clips hold the same voice: ``POST /v1/compare``; true if they do."""
        return self._ask(
            "POST",
            "/v1/compare",
            ComparisonReply,
            query={"far": far, "threshold": threshold},
            body=Form({"channel": channel}, [("a", a), ("b", b)]),
        )

    def liveness(self, clip: ClipFile, *, channel: int | None = None) -> LivenessReply:
        """Answer whether somebody speaks live in a clip: ``POST /v1/liveness``; true if somebody does."""
        form = Form({"channel": channel}, [("clip", clip)])
        return self._ask("POST", "/v1/liveness", LivenessReply, body=form)

    def quality(self, clip: ClipFile, *, channel: int | None = None) -> MeasurementReply:
        """Measure a clip: ``POST /v1/quality``."""
        form = Form({"channel": channel}, [("clip", clip)])
        return self._ask("POST", "/v1/quality", MeasurementReply, body=form)

    def diarize(
        self,
        recording: ClipFile,
        *,
        far: float | None = None,
        speakers: int | None = None,
        min_speakers: int | None = None,
        max_speakers: int | None = None,
        names: bool = True,
        channel: int | None = None,
    ) -> RecordingReply:
        """Find out who speaks when: ``POST /v1/diarize``.

        A recording that is no longer than a clip is over when this returns. Of a longer one, ask
        :meth:`recording` by its `id`, or let :meth:`wait` do so.

        Parameters
        ----------
        speakers, min_speakers, max_speakers : int, optional
            What is known of how many people speak.
        names : bool
            Whether to look for the enrolled.
        """
        known = {"speakers": speakers, "min_speakers": min_speakers, "max_speakers": max_speakers}
        form = Form({**known, "names": names, "channel": channel}, [("clip", recording)])
        return self._ask("POST", "/v1/diarize", RecordingReply, query={"far": far}, body=form)

    def recording(self, recording_id: str) -> RecordingReply:
        """Show how far a recording is, and what was found in it: ``GET /v1/diarize/{recording}``."""
        return self._ask("GET", f"/v1/diarize/{quoted(recording_id)}", RecordingReply)

    def forget_recording(self, recording_id: str) -> None:
        """Stop listening to a recording, and forget it: ``DELETE /v1/diarize/{recording}``."""
        self._connection.send("DELETE", f"/v1/diarize/{quoted(recording_id)}")

    def wait(self, recording: RecordingReply, *, seconds: float = 3600.0) -> RecordingReply:
        """Wait until a recording is over.

        Raises
        ------
        UnreachableError
            If it is not by then.
        """
        until = time.monotonic() + seconds
        while not recording.over:
            if time.monotonic() >= until:
                url = self._connection.address.geturl()
                raise UnreachableError(f"{recording.id} is not over after {seconds:g} s", url=url)
            time.sleep(_POLLED)
            recording = self.recording(recording.id)
        return recording

    def listen(
        self,
        chunks: Iterable[Sound],
        *,
        claim: str | None = None,
        among: Iterable[str] | None = None,
        sample_rate: int = 16_000,
        far: float | None = None,
    ) -> Iterator[LiveReply]:
        """Answer while somebody speaks: the WebSocket ``/v1/listen``. Needs the extra ``client``.

        Parameters
        ----------
        chunks : iterable of bytes or ndarray of int16
            16-bit samples of one channel, as they come. The events of one are told before the next is taken.
        claim : str, optional
            Who the speaker is said to be; without it, every turn is identified.
        among : iterable of str, optional
            A watch list, instead of a claim.
        sample_rate : int
            In Hz.

        Yields
        ------
        LiveReply
            What becomes known. A claim is over once it is decided.
        """
        watched = None if among is None else [*among]
        question = {"claim": claim, "among": watched, "sample_rate": sample_rate, "far": far}
        given = {name: value for name, value in question.items() if value is not None}
        return listen_over(self._connection, given, chunks)

    def model(self) -> ModelReply:
        """Show the model that scores: ``GET /v1/model``."""
        return self._ask("GET", "/v1/model", ModelReply)

    def access(self) -> AccessReply:
        """Tell what the key may do, and how much may be sent: ``GET /v1/access``."""
        return self._ask("GET", "/v1/access", AccessReply)

    def opt_outs(self) -> OptOutsReply:
        """List who does not want to be enrolled: ``GET /v1/opt-outs``."""
        return self._ask("GET", "/v1/opt-outs", OptOutsReply)

    def opt_out(self, name: str, *, idempotency_key: str | None = None) -> None:
        """Erase somebody, and refuse to enroll them from now on: ``PUT /v1/opt-outs/{name}``."""
        self._make("PUT", f"/v1/opt-outs/{quoted(name)}", idempotency_key)

    def opt_in(self, name: str, *, idempotency_key: str | None = None) -> None:
        """Let somebody be enrolled again: ``DELETE /v1/opt-outs/{name}``."""
        self._make("DELETE", f"/v1/opt-outs/{quoted(name)}", idempotency_key)

    def metrics(self) -> str:
        """Return the counters in Prometheus's text format: ``GET /metrics``."""
        return self._connection.send("GET", "/metrics").body.decode()

    def healthy(self) -> bool:
        """Whether the process runs: ``GET /healthz``; UnreachableError if it does not."""
        return self._connection.send("GET", "/healthz").status == 200

    def ready(self) -> bool:
        """Whether the store can be used: ``GET /readyz``; ProblemError says what is wrong otherwise."""
        return self._connection.send("GET", "/readyz").status == 200

    def _ask(
        self,
        method: str,
        path: str,
        kind: type[Reply],
        *,
        query: dict[str, Any] | None = None,
        body: Form | dict[str, Any] | None = None,
    ) -> Reply:
        return self._read(kind, path, self._connection.send(method, path, query=query, body=body))

    def _change(
        self, method: str, path: str, key: str | None, kind: type[Reply], *, body: Form | dict[str, Any]
    ) -> Reply:
        return self._read(kind, path, self._make(method, path, key, body=body))

    def _make(
        self, method: str, path: str, key: str | None, *, body: Form | dict[str, Any] | None = None
    ) -> Response:
        headers = {"Idempotency-Key": key or uuid.uuid4().hex}
        return self._connection.send(method, path, body=body, headers=headers)

    def _read(self, kind: type[Reply], path: str, response: Response) -> Reply:
        return read_reply(kind, response.body, url=self._connection.address.geturl().rstrip("/") + path)


def _agreed(agreement: Agreement | None) -> dict[str, Any]:
    return {} if agreement is None else agreement.fields
