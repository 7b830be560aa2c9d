"""Enrolled people: create, list, show, add clips, replace, delete."""

from __future__ import annotations

import unicodedata
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response

from voiceprint.engine.enrollment import EnrollmentReport
from voiceprint.engine.verifier import Verifier
from voiceprint.server.access import Caller, Room, may
from voiceprint.server.bodies import Body, clips_named, json_of
from voiceprint.server.changes import Change, answered, changing
from voiceprint.server.engine import EngineDependency
from voiceprint.server.enrolling import Enrolling
from voiceprint.server.fields import AddFields, EnrollFields, SearchFields, TermsFields
from voiceprint.server.idempotency import Answer
from voiceprint.server.parameters import PROBLEMS, Name, addressable, location_of
from voiceprint.server.schemas import (
    ClipAnswer,
    ConsentAnswer,
    EnrolledClip,
    EnrollmentAnswer,
    EnrollmentsAnswer,
    QualityAnswer,
    ResemblanceAnswer,
    SpeakerAnswer,
    SpeakersAnswer,
)
from voiceprint.store import Enrollment

router = APIRouter(prefix="/v1/speakers", tags=["speakers"], responses=PROBLEMS)

ENROLLING = may("enroll")
May = Annotated[Caller, ENROLLING]


@router.get("", dependencies=[ENROLLING, Room])
async def list_speakers(
    engine: EngineDependency,
    caller: May,
    after: Annotated[int, Query(ge=0, description="How many people come before the page.")] = 0,
    limit: Annotated[int, Query(ge=1, le=1000, description="People on a page.")] = 100,
) -> SpeakersAnswer:
    """List the enrolled people, in the order of their names."""
    return await engine.run(caller.id, lambda: _page(engine.verifier, after=after, limit=limit))


@router.post("/search", dependencies=[ENROLLING, Room])
async def search_speakers(
    engine: EngineDependency,
    caller: May,
    body: Annotated[Body[SearchFields], Depends(json_of(SearchFields))],
) -> SpeakersAnswer:
    """List the people whose names contain the search, in the order of their names."""
    fields = body.fields
    return await engine.run(caller.id, lambda: _page(engine.verifier, **fields.model_dump()))


@router.post("", status_code=201, response_model=EnrollmentAnswer, dependencies=[ENROLLING, Room])
async def create_speaker(
    engine: EngineDependency,
    change: Annotated[Change, changing("enroll")],
    body: Annotated[Body[EnrollFields], Depends(clips_named("clips", several=True, fields=EnrollFields))],
) -> Response:
    """Enroll somebody from clips of their voice; clips that cannot be used are set aside and reported."""
    name = addressable(body.fields.name)
    enrolling = Enrolling(
        engine.verifier, name, body.clips, body.fields, mode="new", settings=engine.settings
    )

    def work() -> Answer:
        return _enrolled(enrolling.finish(), change, status=201)

    return await answered(
        engine, change, "enroll", name, work, digest=body.digest, audio=body.audio, before=enrolling.measure
    )


@router.get("/{name}", dependencies=[ENROLLING, Room])
async def show_speaker(engine: EngineDependency, caller: May, name: Name) -> SpeakerAnswer:
    """Show an enrolled person."""
    return speaker_answer(await engine.run(caller.id, lambda: engine.verifier.show(name)))


@router.delete("/{name}", status_code=204, dependencies=[may("admin"), Room])
async def delete_speaker(
    engine: EngineDependency, change: Annotated[Change, changing("admin")], name: Name
) -> Response:
    """Erase somebody's voiceprint; no byte of it stays in the store's files."""

    def work() -> Answer:
        engine.verifier.remove(name)
        return Answer(status=204)

    return await answered(engine, change, "remove", name, work)


@router.put("/{name}/consent", response_model=SpeakerAnswer, dependencies=[ENROLLING, Room])
async def set_consent(
    engine: EngineDependency,
    change: Annotated[Change, changing("enroll")],
    name: Name,
    body: Annotated[Body[TermsFields], Depends(json_of(TermsFields))],
) -> Response:
    """Note what somebody agreed to and until when, in the place of what was noted before.

    What leaves the person with less (no consent, or an earlier end) needs the scope admin.
    """
    terms = body.fields

    def work() -> Answer:
        before = engine.verifier.show(name)
        refuse_shortening(change.caller, before, terms, replacing_all=True)
        person = engine.verifier.store.set_terms(name, consent=terms.consent, expires=terms.expires)
        return Answer(status=200, body=speaker_answer(person).model_dump_json().encode())

    return await answered(engine, change, "consent", name, work, digest=body.digest)


@router.get("/{name}/enrollments", dependencies=[ENROLLING, Room])
async def list_enrollments(engine: EngineDependency, caller: May, name: Name) -> EnrollmentsAnswer:
    """List the clips that a voiceprint is made of."""
    clips = await engine.run(caller.id, lambda: engine.verifier.store.utterances(name))
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


@router.post("/{name}/enrollments", response_model=EnrollmentAnswer, dependencies=[ENROLLING, Room])
async def add_enrollments(
    engine: EngineDependency,
    change: Annotated[Change, changing("enroll")],
    name: Name,
    body: Annotated[Body[AddFields], Depends(clips_named("clips", several=True, fields=AddFields))],
) -> Response:
    """Add clips to somebody's voiceprint, or replace it, which needs the scope admin."""
    fields = body.fields
    if fields.mode == "replace":
        change.caller.require("admin", "to replace a voiceprint")
    enrolling = Enrolling(
        engine.verifier, name, body.clips, fields, mode=fields.mode, settings=engine.settings
    )

    def work() -> Answer:
        refuse_shortening(change.caller, engine.verifier.show(name), fields)
        return _enrolled(enrolling.finish(), change, status=200)

    return await answered(
        engine,
        change,
        f"enroll-{fields.mode}",
        name,
        work,
        digest=body.digest,
        audio=body.audio,
        before=enrolling.measure,
    )


def _page(verifier: Verifier, *, after: int, limit: int, search: str = "") -> SpeakersAnswer:
    names = [name for name in verifier.speakers() if _plain(search) in _plain(name)]
    end = after + limit
    people = [verifier.show(name) for name in names[after:end]]
    return SpeakersAnswer(
        speakers=[speaker_answer(person) for person in people],
        next=end if len(names) > end else None,
        total=len(names),
    )


def _plain(text: str) -> str:
    """Return text without case and accents, to search in."""
    parts = unicodedata.normalize("NFKD", text.casefold())
    return "".join(part for part in parts if not unicodedata.combining(part))


def speaker_answer(person: Enrollment) -> SpeakerAnswer:
    """Return what the server answers about an enrolled person."""
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
        resembles=[ResemblanceAnswer.model_validate(each) for each in report.resembles],
        request_id=change.request_id,
    )
    return Answer(
        status=status, body=body.model_dump_json().encode(), location=location_of(report.enrollment.name)
    )


def refuse_shortening(
    caller: Caller, person: Enrollment, terms: TermsFields, *, replacing_all: bool = False
) -> None:
    """Raise Problem 403 where a change leaves a person with less, unless the caller is an administrator.

    To end a voiceprint's time is to remove it, so both take the same scope.

    Parameters
    ----------
    replacing_all : bool
        What is not said is taken back; otherwise it stays as it is.
    """
    if replacing_all and person.consent is not None and terms.consent is None:
        caller.require("admin", "to take consent back")
    if terms.expires is not None and (person.expires is None or terms.expires < person.expires):
        caller.require("admin", "to let a voiceprint expire earlier")
