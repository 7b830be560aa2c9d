"""SeenRecording: which recordings of a person were enrolled or accepted, so that they count only once."""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Literal

from voiceprint.store.accepted import AcceptedRecording
from voiceprint.store.records import EnrolledUtterance, VoiceprintRecord

MOST_ACCEPTED = 100
"""Accepted recordings of a person that are remembered; a new one takes the place of the oldest."""

MOST_BYTES = 128 << 10
"""Of the fingerprints of a person's accepted recordings together; the oldest go first."""

_LENGTH = struct.Struct("<I")


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenRecording:
    """A recording that was enrolled or accepted. It holds no sound.

    Attributes
    ----------
    kind : {"enrolled", "accepted"}
    at : datetime
        When, UTC.
    sha256 : str
        Of its samples.
    source : str
        The name of the file that was enrolled; empty of an accepted one.
    fingerprint : bytes
        Of `voiceprint.audio.fingerprint`; empty where none is known.

    Examples
    --------
    >>> {recording.kind for recording in verifier.store.seen("ada")}
    {'enrolled'}
    >>> _ = verifier.verify("ada", "door.wav")
    >>> sorted({recording.kind for recording in verifier.store.seen("ada")})
    ['accepted', 'enrolled']
    """

    kind: Literal["enrolled", "accepted"]
    at: datetime
    sha256: str
    source: str = ""
    fingerprint: bytes = field(default=b"", repr=False)

    @classmethod
    def all_of(cls, record: VoiceprintRecord) -> tuple[SeenRecording, ...]:
        """List the recordings of a person: those enrolled, and those accepted, the newest last."""
        enrolled = (
            cls(
                kind="enrolled",
                at=clip.added or record.updated,
                sha256=clip.clip_sha256,
                source=clip.source,
                fingerprint=clip.fingerprint,
            )
            for clip in record.utterances
        )
        accepted = (
            cls(kind="accepted", at=each.at, sha256=each.sha256, fingerprint=each.fingerprint)
            for each in record.accepted
        )
        return (*enrolled, *accepted)


def with_accepted(record: VoiceprintRecord, fresh: Sequence[AcceptedRecording]) -> VoiceprintRecord:
    """Remember more recordings of a person, and forget the oldest beyond what is remembered."""
    kept: list[AcceptedRecording] = []
    size = 0
    for each in reversed((*record.accepted, *fresh)):
        size += len(each.fingerprint)
        if len(kept) == MOST_ACCEPTED or (kept and size > MOST_BYTES):
            break
        kept.append(each)
    return replace(record, accepted=tuple(reversed(kept)))


def to_bytes(record: VoiceprintRecord) -> bytes:
    """Write down by what a person's recordings are known; empty where there is nothing."""
    enrolled = [clip for clip in record.utterances if clip.fingerprint]
    if not enrolled and not record.accepted:
        return b""
    facts = {
        "enrolled": [[clip.clip_sha256, len(clip.fingerprint)] for clip in enrolled],
        "accepted": [
            [each.sha256, each.at.astimezone(UTC).isoformat(), len(each.fingerprint)]
            for each in record.accepted
        ],
    }
    text = json.dumps(facts, separators=(",", ":")).encode()
    prints = [clip.fingerprint for clip in enrolled] + [each.fingerprint for each in record.accepted]
    return _LENGTH.pack(len(text)) + text + b"".join(prints)


def from_bytes(record: VoiceprintRecord, content: bytes | memoryview) -> VoiceprintRecord:
    """Give a person's record back what `to_bytes` wrote of it; ValueError if it is something else."""
    if not content:
        return record
    begin = _LENGTH.size + _LENGTH.unpack_from(content)[0]
    facts = json.loads(bytes(content[_LENGTH.size : begin]))
    prints = _split(content[begin:], [each[-1] for each in (*facts["enrolled"], *facts["accepted"])])
    of_clips = dict(zip((sha for sha, _ in facts["enrolled"]), prints, strict=False))
    of_accepted = prints[len(facts["enrolled"]) :]
    return replace(
        record,
        utterances=tuple(_with_print(clip, of_clips) for clip in record.utterances),
        accepted=tuple(
            AcceptedRecording(at=datetime.fromisoformat(at), sha256=sha, fingerprint=fingerprint)
            for (sha, at, _), fingerprint in zip(facts["accepted"], of_accepted, strict=True)
        ),
    )


def _with_print(clip: EnrolledUtterance, prints: dict[str, bytes]) -> EnrolledUtterance:
    found = prints.get(clip.clip_sha256)
    return clip if found is None else replace(clip, fingerprint=found)


def _split(content: bytes | memoryview, sizes: Sequence[int]) -> list[bytes]:
    if sum(sizes) != len(content):
        raise ValueError("the fingerprints of recordings are not as long as noted")
    parts, begin = [], 0
    for size in sizes:
        parts.append(bytes(content[begin : begin + size]))
        begin += size
    return parts
