"""What a server decides of voices, as values; the fields are those of its JSON."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from voiceprint.client.replies import NoteReply

ThresholdSource = Literal["given", "store", "model"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ShortfallReply:
    """A false-accept rate that is not promised for so short a clip."""

    far: float
    needed_seconds: float | None
    held_far: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayReply:
    """The earlier recording that a clip is, or holds a part of."""

    kind: Literal["enrolled", "accepted"]
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SpoofReply:
    """How much speech sounds spoken live; `kind` is what it sounds most like, None where it is live."""

    score: float
    llr: float
    threshold: float
    kind: Literal["synthetic", "loudspeaker"] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class WordsReply:
    """Whether the words of a challenge were said: if ``score >= threshold``."""

    score: float
    threshold: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ChallengeReply:
    """Words to say, in this order and nothing else, before it expires.

    Examples
    --------
    >>> len(client.challenge().words)
    4
    """

    id: str
    words: tuple[str, ...]
    expires: datetime
    request_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LivenessReply:
    """The answer to "does somebody speak here, and not a machine?"; true if somebody does.

    Examples
    --------
    >>> client.liveness("door.wav").seconds_of_speech > 1.0
    True
    """

    decision: Literal["live", "spoofed", "not_enough_speech"]
    live: bool
    spoof: SpoofReply | None
    seconds_of_speech: float
    spoof_far: float
    reason: str
    model: str
    request_id: str

    def __bool__(self) -> bool:
        """Whether somebody speaks live."""
        return self.live


@dataclass(frozen=True, slots=True, kw_only=True)
class VerificationReply:
    """The answer to "is this the person they claim to be?"; true if the claim is accepted.

    Examples
    --------
    >>> reply = client.verify("ada", "door.wav")
    >>> reply.decision, reply.score >= reply.threshold
    ('accepted', True)
    """

    name: str
    decision: Literal[
        "accepted",
        "rejected",
        "replayed",
        "spoofed",
        "wrong_words",
        "not_enough_speech",
        "not_enrolled",
        "expired",
        "opted_out",
    ]
    accepted: bool
    score: float | None
    llr: float | None
    threshold: float | None
    seconds_of_speech: float | None
    model: str
    threshold_source: ThresholdSource | None = None
    reason: str
    quality_notes: tuple[NoteReply, ...] = ()
    shortfall: ShortfallReply | None = None
    replay: ReplayReply | None = None
    spoof: SpoofReply | None = None
    words: WordsReply | None = None
    adapted: bool = False
    request_id: str

    def __bool__(self) -> bool:
        """Whether the claim is accepted."""
        return self.accepted


@dataclass(frozen=True, slots=True, kw_only=True)
class MatchReply:
    """A person beside the clip."""

    name: str
    score: float
    llr: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentificationReply:
    """The answer to "which enrolled person is this, if any?"; true if somebody is identified.

    Examples
    --------
    >>> client.identify("door.wav").name
    'ada'
    >>> client.identify("guest.wav").decision
    'unknown'
    """

    decision: Literal["identified", "unknown", "replayed", "spoofed", "not_enough_speech"]
    name: str | None
    matches: tuple[MatchReply, ...]
    flagged: bool
    seconds_of_speech: float
    threshold: float | None
    threshold_source: ThresholdSource | None = None
    reason: str = ""
    quality_notes: tuple[NoteReply, ...] = ()
    shortfall: ShortfallReply | None = None
    replay: ReplayReply | None = None
    spoof: SpoofReply | None = None
    expected: float | None = None
    model: str
    request_id: str

    def __bool__(self) -> bool:
        """Whether somebody is identified."""
        return self.decision == "identified"


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparisonReply:
    """The answer to "do two clips hold the same voice?"; true if they do.

    Examples
    --------
    >>> client.compare("ada-1.wav", "door.wav").decision
    'same'
    """

    decision: Literal["same", "different", "not_enough_speech"]
    same: bool
    score: float | None
    llr: float | None
    threshold: float | None
    seconds_of_speech: tuple[float, ...]
    threshold_source: ThresholdSource | None = None
    reason: str = ""
    quality_notes: tuple[tuple[NoteReply, ...], ...] = ((), ())
    shortfall: ShortfallReply | None = None
    model: str
    request_id: str

    def __bool__(self) -> bool:
        """Whether the voices are the same."""
        return self.same
