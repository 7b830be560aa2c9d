"""The fields of request bodies: what says something of a person travels there, for proxies log queries."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints, model_validator

from voiceprint.engine.enrollment import MIN_ENROLL_SPEECH
from voiceprint.store import Consent

_MOST_NAMES = 1000

Notes = Annotated[str, StringConstraints(max_length=1000, pattern=r"^[^\x00]*$")]


class NoFields(BaseModel):
    """A form of clips alone."""

    model_config = ConfigDict(extra="forbid")


class ClipFields(NoFields):
    """A form of clips, and how to read them."""

    channel: int | None = Field(
        None, description="Which channel to take, from 1 on, where each holds another voice."
    )


class ClaimFields(ClipFields):
    """A clip, and the challenge that it answers."""

    challenge: str | None = Field(
        None, max_length=100, description="Id of the challenge whose words the clip holds."
    )


class TermsFields(NoFields):
    """What a person agrees to with a request."""

    consent_by: str | None = Field(None, description="Who agrees that the voice is stored.")
    consent_purpose: str | None = Field(None, description="What they agree to.")
    consent_given: AwareDatetime | None = Field(
        None, description="When they did, with its zone; now unless said."
    )
    expires: AwareDatetime | None = Field(
        None, description="From when on the voiceprint is not used any more."
    )

    @model_validator(mode="after")
    def _both_or_none(self) -> Self:
        given = self.consent_by is not None, self.consent_purpose is not None
        if given == (True, True) or (given == (False, False) and self.consent_given is None):
            return self
        raise ValueError("give consent_by and consent_purpose together")

    @property
    def consent(self) -> Consent | None:
        """Who agreed, when and for what; None where nothing is said."""
        if self.consent_by is None or self.consent_purpose is None:
            return None
        given = self.consent_given or datetime.now(UTC)
        return Consent(by=self.consent_by, purpose=self.consent_purpose, given=given)


class _Enrolling(ClipFields, TermsFields):
    notes: Notes = Field("", description="Kept beside the voiceprint.")
    min_speech: float = Field(
        MIN_ENROLL_SPEECH,
        ge=MIN_ENROLL_SPEECH,
        description="Seconds of speech that a voiceprint needs in all; more than the usual, never less.",
    )
    keep_audio: bool = Field(
        False, description="Keep the speech, to move to another model later; needs consent, now or before."
    )


class EnrollFields(_Enrolling):
    """Who is enrolled, and what they agree to."""

    name: str = Field(description="1 to 200 printable characters.", examples=["ada"])


class AddFields(_Enrolling):
    """What is done with more clips of somebody."""

    mode: Literal["add", "replace"] = Field(
        "add", description="Add to the voiceprint, or make a new one (scope admin)."
    )
    force: bool = Field(
        False, description="Replace even by a voice that disagrees with the old one; needs new consent."
    )


class IdentifyFields(ClipFields):
    """Whom a clip is compared with."""

    among: list[str] | None = Field(
        None,
        max_length=_MOST_NAMES,
        description="A watch list: compare with these people only; repeat it.",
    )


class DiarizeFields(ClipFields):
    """A recording, and what is known of it."""

    speakers: int | None = Field(None, description="How many people speak, where that is known.")
    min_speakers: int | None = Field(None, description="At least so many speak.")
    max_speakers: int | None = Field(None, description="At most so many speak.")
    names: bool = Field(True, description="Whether to look for the enrolled.")


class ListenFields(NoFields):
    """What is asked of speech that is still to come."""

    claim: str | None = Field(None, description="Who the speaker is said to be.")
    among: list[str] | None = Field(
        None, max_length=_MOST_NAMES, description="A watch list, instead of a claim."
    )
    sample_rate: int = Field(
        16_000, ge=8_000, le=192_000, strict=True, description="Of the samples that follow, in Hz."
    )
    far: float | None = Field(
        None, description="How often an impostor may be accepted; no more than the server allows."
    )


class SearchFields(NoFields):
    """Whom to look for."""

    search: str = Field(max_length=200, description="Part of a name; case and accents do not matter.")
    after: int = Field(0, ge=0, description="How many people come before the page.")
    limit: int = Field(100, ge=1, le=1000, description="People on a page.")
