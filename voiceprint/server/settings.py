"""ServerSettings: everything that can be chosen about the server, in one value that processes can pass on."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

from voiceprint.arguments import check_count, check_number, check_rate
from voiceprint.calibration import DEFAULT_FAR
from voiceprint.errors import ServerError
from voiceprint.files.user_folders import user_folder
from voiceprint.store import default_store_path, is_url

LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
"""Addresses that only programs on this machine reach."""

_ORIGIN = re.compile(r"https?://[^/?#@A-Z\s*]+")  # compared with what a browser sends, letter for letter


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerSettings:
    """The settings of a server.

    Parameters
    ----------
    store : str or None
        The enrollment store, a folder or a URL, which may hold a password; None: the default one.
    model : str or None
        The model folder or a name, as `SpeakerModel.open` takes it; None: the one in use.
    state : str or None
        The folder of keys, audit log and idempotency keys; None: `state_folder` says where.
    host, port : str, int
        Where to listen.
    processes : int
        Server processes, which share the store; one per core makes the most of a machine.
    keyless : bool
        Ask for no API key. Only on loopback.
    origins : tuple of str
        Origins of other web sites that browsers may call from (CORS); none unless named.
    rate : float
        Requests a second that each key may make in the long run; a burst of twice that is let through.
    max_body : int
        Largest request body in bytes.
    max_seconds : float
        Longest clip in seconds, whatever its file's size: what unpacks to more is refused early.
    max_clips : int
        Most clips in one request.
    max_audio : float
        Seconds of audio that one request may hold, and half of what all requests of a key may hold at once. A
        second with more than 96,000 samples over all channels counts as more.
    max_uploads : int
        Bodies that one key may be sending to a process at once.
    max_recording : float
        Seconds of the longest recording that is diarized.
    max_recording_body : int
        Bytes of such a recording.
    max_jobs : int
        Recordings of one key that a process holds, or the answers to them, at once.
    job_seconds : float
        How long an answer about a recording is kept.
    body_seconds : float
        How long a client may take to send a body, or its next message.
    max_listeners : int
        WebSockets of one key that a process listens to at once.
    max_waiting : int
        Requests of one key that may wait for the encoder in each process; more are refused with 503, and
        fewer may wait where work is slow.
    drain_seconds : float
        How long requests in flight may take after SIGTERM.
    far_max : float
        The highest false-accept rate that a request may ask for.
    allow_threshold : bool
        Let requests give the lowest score to accept themselves.
    proxies : tuple of str
        Addresses of reverse proxies, whose X-Forwarded-For is believed.
    log_json : bool
        Write the log as JSON, a line each.
    adapt : bool
        Let ``verify`` add clips that it accepted clearly to the voiceprint, where the request asks for it.
    allow_replay : bool
        Accept recordings that were enrolled, or accepted before, and remember none.
    spoof_far : float or None
        Ask whether somebody speaks live, as `Verifier` does; requests can neither change it nor leave it out.
    countermeasure : str or None
        The folder of the network that is asked; None: the one that comes with the package.
    challenge : bool
        Verify nobody who has not answered a challenge: the words that `POST /v1/challenges` gives.
    metrics : str or None
        Folder in which processes that serve together count; `voiceprint serve` makes one.

    Raises
    ------
    ServerError
        If keys are given up for an address that other machines reach, or no browser sends such an origin.
    ArgumentError
        If a number is out of range.
    """

    store: str | None = field(default=None, repr=False)
    model: str | None = None
    state: str | None = None
    host: str = "127.0.0.1"
    port: int = 8765
    processes: int = 1
    keyless: bool = False
    origins: tuple[str, ...] = ()
    rate: float = 50.0
    max_body: int = 16 << 20
    max_seconds: float = 120.0
    max_clips: int = 20
    max_audio: float = 600.0
    max_uploads: int = 64
    max_listeners: int = 8
    max_recording: float = 4 * 3600.0
    max_recording_body: int = 256 << 20
    max_jobs: int = 8
    job_seconds: float = 900.0
    body_seconds: float = 15.0
    max_waiting: int = 16
    drain_seconds: float = 20.0
    far_max: float = DEFAULT_FAR
    allow_threshold: bool = False
    proxies: tuple[str, ...] = ()
    log_json: bool = False
    adapt: bool = False
    allow_replay: bool = False
    spoof_far: float | None = None
    countermeasure: str | None = None
    challenge: bool = False
    metrics: str | None = None

    def __post_init__(self) -> None:
        if self.keyless and self.host not in LOOPBACK:
            raise ServerError(
                f"--no-keys is for this machine alone, but --host {self.host} is open to others; "
                "leave out one of the two"
            )
        check_count("processes", self.processes)
        for name in ("rate", "max_seconds", "max_audio", "max_recording"):
            check_number(name, getattr(self, name), above=0.0)
        check_rate("far_max", self.far_max, most=0.5)
        for origin in self.origins:
            if not _ORIGIN.fullmatch(origin):
                raise ServerError(
                    f"--origin {origin!r} is not what browsers send: https://example.com, in lower case, "
                    "with a port where it has one, and with no slash at the end"
                )

    @property
    def state_folder(self) -> Path:
        """Where keys and audit log lie: unless named, in the store's folder, or the user's data."""
        if self.state is not None:
            return Path(self.state)
        store = default_store_path() if self.store is None else self.store
        beside = user_folder("data") if is_url(store) else Path(store)
        return beside / "server"

    def to_json(self) -> str:
        """Write it down for another process."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read what `to_json` wrote."""
        values = json.loads(text).items()
        fields: dict[str, Any] = {name: tuple(it) if isinstance(it, list) else it for name, it in values}
        return cls(**fields)
