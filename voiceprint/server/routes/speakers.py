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
from voiceprint.server.parameters import PROBLEMS, Name, addressable, location_of
from voiceprint.server.schemas import (
    EnrollmentAnswer,
    EnrollmentsAnswer,
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
    return await answered(
        engine,
        change,
        "enroll",
        name,
        lambda: _enrolled(enrolling.finish(), change),
        body=body,
        before=enrolling.measure,
        status=201,
        location=location_of(name),
    )


@router.get("/{name}", dependencies=[ENROLLING, Room])
async def show_speaker(engine: EngineDependency, caller: May, name: Name) -> SpeakerAnswer:
    """Show an enrolled person."""
    return SpeakerAnswer.model_validate(await engine.run(caller.id, lambda: engine.verifier.show(name)))


@router.delete("/{name}", status_code=204, dependencies=[may("admin"), Room])
async def delete_speaker(
    engine: EngineDependency, change: Annotated[Change, changing("admin")], name: Name
) -> Response:
    """Erase somebody's voiceprint; no byte of it stays in the store's files."""
    return await answered(engine, change, "remove", name, lambda: engine.verifier.remove(name))


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

    def work() -> SpeakerAnswer:
        before = engine.verifier.show(name)
        refuse_shortening(change.caller, before, terms, replacing_all=True)
        person = engine.verifier.store.set_terms(name, consent=terms.consent, expires=terms.expires)
        return SpeakerAnswer.model_validate(person)

    return await answered(engine, change, "consent", name, work, body=body)


@router.get("/{name}/enrollments", dependencies=[ENROLLING, Room])
async def list_enrollments(engine: EngineDependency, caller: May, name: Name) -> EnrollmentsAnswer:
    """List the clips that a voiceprint is made of."""
    clips = await engine.run(caller.id, lambda: engine.verifier.store.utterances(name))
    return EnrollmentsAnswer.model_validate({"name": name, "clips": clips})


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

    def work() -> EnrollmentAnswer:
        refuse_shortening(change.caller, engine.verifier.show(name), fields)
        return _enrolled(enrolling.finish(), change)

    return await answered(
        engine,
        change,
        f"enroll-{fields.mode}",
        name,
        work,
        body=body,
        before=enrolling.measure,
        location=location_of(name),
    )


def _page(verifier: Verifier, *, after: int, limit: int, search: str = "") -> SpeakersAnswer:
    names = [name for name in verifier.speakers() if _plain(search) in _plain(name)]
    end = after + limit
    people = [verifier.show(name) for name in names[after:end]]
    return SpeakersAnswer(
        speakers=[SpeakerAnswer.model_validate(person) for person in people],
        next=end if len(names) > end else None,
        total=len(names),
    )


def _plain(text: str) -> str:
    """Return text without case and accents, to search in."""
    parts = unicodedata.normalize("NFKD", text.casefold())
    return "".join(part for part in parts if not unicodedata.combining(part))


def _enrolled(report: EnrollmentReport, change: Change) -> EnrollmentAnswer:
    return EnrollmentAnswer.model_validate(
        {
            "speaker": report.enrollment,
            "clips": report.clips,
            "resembles": report.resembles,
            "request_id": change.request_id,
        }
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
