"""Enrolled people: create, list, show, add clips, replace, delete."""

from __future__ import annotations

import unicodedata
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query, Response

from voiceprint.server.access import may
from voiceprint.server.bodies import Clips, clips_named
from voiceprint.server.changes import Change, answered, changing
from voiceprint.server.engine import EngineDependency
from voiceprint.server.idempotency import Answer
from voiceprint.server.openapi import clip_body
from voiceprint.server.parameters import PROBLEMS, Name, Place, TermsQuery, addressable, location_of
from voiceprint.server.schemas import (
    ClipAnswer,
    ConsentAnswer,
    EnrolledClip,
    EnrollmentAnswer,
    EnrollmentsAnswer,
    QualityAnswer,
    SpeakerAnswer,
    SpeakersAnswer,
)
from voiceprint.store import Enrollment
from voiceprint.verifier import EnrollmentReport

__all__ = ["router"]

router = APIRouter(prefix="/v1/speakers", tags=["speakers"], responses=PROBLEMS)

ENROLLING = may("enroll")
SeveralClips = Annotated[Clips, Depends(clips_named("clips", several=True))]
Notes = Annotated[
    str, Query(max_length=1000, pattern=r"^[^\x00]*$", description="Kept beside the voiceprint.")
]
MinSpeech = Annotated[
    float, Query(ge=0.5, le=3600.0, description="Seconds of speech that a voiceprint needs in all.")
]


@router.get("", dependencies=[ENROLLING, Place])
async def list_speakers(
    engine: EngineDependency,
    after: Annotated[str, Query(max_length=200, description="The name that the page follows.")] = "",
    limit: Annotated[int, Query(ge=1, le=1000, description="People on a page.")] = 100,
    search: Annotated[
        str, Query(max_length=200, description="Part of a name; case and accents do not matter.")
    ] = "",
) -> SpeakersAnswer:
    """List the enrolled people, or those whose names contain the search, in the order of their names."""

    def work() -> SpeakersAnswer:
        names = [name for name in engine.verifier.speakers() if _plain(search) in _plain(name)]
        later = [name for name in names if name > after]
        people = [engine.verifier.show(name) for name in later[:limit]]
        return SpeakersAnswer(
            speakers=[speaker_answer(person) for person in people],
            next=later[limit - 1] if len(later) > limit else None,
            total=len(names),
        )

    return await engine.run(work)


@router.post(
    "",
    status_code=201,
    response_model=EnrollmentAnswer,
    dependencies=[ENROLLING, Place],
    openapi_extra=clip_body("clips", several=True),
)
async def create_speaker(
    engine: EngineDependency,
    change: Annotated[Change, changing("enroll")],
    body: SeveralClips,
    name: Annotated[str, Query(description="1 to 200 printable characters.", examples=["ada"])],
    terms: TermsQuery,
    notes: Notes = "",
    min_speech: MinSpeech = 3.0,
) -> Response:
    """Enroll somebody from clips of their voice; clips that cannot be used are set aside and reported."""
    name = addressable(name)

    def work() -> Answer:
        report = engine.verifier.enroll(
            name,
            body.clips,
            notes=notes,
            min_speech=min_speech,
            consent=terms.consent,
            expires=terms.expires,
        )
        return _enrolled(report, change, status=201)

    return await answered(engine, change, "enroll", name, work, digest=body.digest)


@router.get("/{name}", dependencies=[ENROLLING, Place])
async def show_speaker(engine: EngineDependency, name: Name) -> SpeakerAnswer:
    """Show an enrolled person."""
    return speaker_answer(await engine.run(lambda: engine.verifier.show(name)))


@router.delete("/{name}", status_code=204, dependencies=[may("admin"), Place])
async def delete_speaker(
    engine: EngineDependency, change: Annotated[Change, changing("admin")], name: Name
) -> Response:
    """Erase somebody's voiceprint; no byte of it stays in the store's files."""

    def work() -> Answer:
        engine.verifier.remove(name)
        engine.idempotency.forget(name)
        return Answer(status=204)

    return await answered(engine, change, "remove", name, work)


@router.put("/{name}/consent", response_model=SpeakerAnswer, dependencies=[ENROLLING, Place])
async def set_consent(
    engine: EngineDependency,
    change: Annotated[Change, changing("enroll")],
    name: Name,
    terms: TermsQuery,
) -> Response:
    """Note what somebody agreed to and until when, in the place of what was noted before."""

    def work() -> Answer:
        person = engine.verifier.store.set_terms(name, consent=terms.consent, expires=terms.expires)
        return Answer(status=200, body=speaker_answer(person).model_dump_json().encode())

    return await answered(engine, change, "consent", name, work)


@router.get("/{name}/enrollments", dependencies=[ENROLLING, Place])
async def list_enrollments(engine: EngineDependency, name: Name) -> EnrollmentsAnswer:
    """List the clips that a voiceprint is made of."""
    clips = await engine.run(lambda: engine.verifier.store.utterances(name))
    return EnrollmentsAnswer(
        name=name,
        clips=[
            EnrolledClip(
                sha256=clip.clip_sha256,
                source=clip.source,
                added=clip.added,
                quality=QualityAnswer.model_validate(clip.quality),
            )
            for clip in clips
        ],
    )


@router.post(
    "/{name}/enrollments",
    response_model=EnrollmentAnswer,
    dependencies=[ENROLLING, Place],
    openapi_extra=clip_body("clips", several=True, bare=True),
)
async def add_enrollments(
    engine: EngineDependency,
    change: Annotated[Change, changing("enroll")],
    name: Name,
    body: SeveralClips,
    terms: TermsQuery,
    mode: Annotated[
        Literal["add", "replace"], Query(description="Add to the voiceprint, or make a new one.")
    ] = "add",
    notes: Notes = "",
    min_speech: MinSpeech = 3.0,
) -> Response:
    """Add clips to somebody's voiceprint, or replace it."""

    def work() -> Answer:
        engine.verifier.show(name)
        report = engine.verifier.enroll(
            name,
            body.clips,
            mode=mode,
            notes=notes,
            min_speech=min_speech,
            consent=terms.consent,
            expires=terms.expires,
        )
        return _enrolled(report, change, status=200)

    return await answered(engine, change, f"enroll-{mode}", name, work, digest=body.digest)


def _plain(text: str) -> str:
    """Return text without case and accents, to search in."""
    parts = unicodedata.normalize("NFKD", text.casefold())
    return "".join(part for part in parts if not unicodedata.combining(part))


def speaker_answer(person: Enrollment) -> SpeakerAnswer:
    """Say what the server tells about an enrolled person."""
    return SpeakerAnswer(
        name=person.name,
        clips=person.n_utterances,
        seconds_of_speech=person.seconds_of_speech,
        created=person.created,
        updated=person.updated,
        notes=person.notes,
        model=person.model_id,
        consent=None if person.consent is None else ConsentAnswer.model_validate(person.consent),
        expires=person.expires,
        expired=person.expired,
    )


def _enrolled(report: EnrollmentReport, change: Change, *, status: int) -> Answer:
    body = EnrollmentAnswer(
        speaker=speaker_answer(report.enrollment),
        clips=[ClipAnswer.model_validate(clip) for clip in report.clips],
        request_id=change.request_id,
    )
    return Answer(
        status=status, body=body.model_dump_json().encode(), location=location_of(report.enrollment.name)
    )
