"""What of a voiceprint stands in its sealed row: facts as JSON, and all vectors, the centroid first."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from voiceprint.audio.quality import ClipQuality
from voiceprint.store.accepted import AcceptedClaims
from voiceprint.store.records import (
    Consent,
    EnrolledUtterance,
    Enrollment,
    VoiceprintRecord,
    file_name,
    quality_numbers,
)
from voiceprint.store.sqlite.sealed import Sealed

FLOAT32 = np.dtype("<f4")

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def to_text(record: VoiceprintRecord) -> str:
    """Write down everything of a voiceprint but its name and vectors."""
    consent = record.consent
    return _encode(
        {
            "notes": record.notes,
            "created": _said(record.created),
            "updated": _said(record.updated),
            "consent": None if consent is None else [consent.by, consent.purpose, _said(consent.given)],
            "expires": None if record.expires is None else _said(record.expires),
            **_claims_text(record.claims),
            "clips": [
                [clip.clip_sha256, file_name(clip.source), _said(clip.added or record.updated)]
                + [float(value) if value is not None else None for value in quality_numbers(clip.quality)]
                for clip in record.utterances
            ],
        }
    )


def to_record(sealed: Sealed, embeddings: NDArray[np.float32]) -> VoiceprintRecord:
    """Read a whole voiceprint, with its embeddings (n, dim)."""
    facts = json.loads(sealed.text)
    return VoiceprintRecord(
        name=sealed.key,
        utterances=tuple(
            EnrolledUtterance(
                embedding=embedding,
                clip_sha256=digest,
                source=source,
                added=datetime.fromisoformat(added),
                quality=ClipQuality(**dict(zip(ClipQuality.__slots__, quality, strict=True))),
            )
            for embedding, (digest, source, added, *quality) in zip(embeddings, facts["clips"], strict=True)
        ),
        **_terms(facts),
    )


def to_enrollment(sealed: Sealed, vectors: NDArray[np.float32], *, model_id: str) -> Enrollment:
    """Read who is enrolled, with the vectors (1 + n, dim) of their row."""
    facts = json.loads(sealed.text)
    seconds = ClipQuality.__slots__.index("seconds_of_speech") + 3
    return Enrollment(
        name=sealed.key,
        n_utterances=len(vectors) - 1,
        seconds_of_speech=sum(clip[seconds] for clip in facts["clips"]),
        model_id=model_id,
        centroid=vectors[0],
        **_terms(facts),
    )


def _terms(facts: dict[str, Any]) -> dict[str, Any]:
    consent = facts["consent"]
    return {
        "notes": facts["notes"],
        "created": datetime.fromisoformat(facts["created"]),
        "updated": datetime.fromisoformat(facts["updated"]),
        "consent": None
        if consent is None
        else Consent(by=consent[0], purpose=consent[1], given=datetime.fromisoformat(consent[2])),
        "expires": None if facts["expires"] is None else datetime.fromisoformat(facts["expires"]),
        "claims": _claims(facts.get("claims")),
    }


def _claims_text(claims: AcceptedClaims | None) -> dict[str, Any]:
    if claims is None:
        return {}
    return {"claims": [claims.weight, claims.total, claims.squares, _said(claims.latest)]}


def _claims(facts: list[Any] | None) -> AcceptedClaims | None:
    if facts is None:
        return None
    weight, total, squares, latest = facts
    return AcceptedClaims(weight=weight, total=total, squares=squares, latest=datetime.fromisoformat(latest))


def _said(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat()
