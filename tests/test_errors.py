"""What every exception promises: a stable code, its fields, and that it survives a process border."""

from __future__ import annotations

import pickle
from collections import Counter
from collections.abc import Iterator

import pytest

import voiceprint.server.idempotency
import voiceprint.server.limits  # both define errors of their own
from voiceprint import errors
from voiceprint.errors import (
    ArgumentError,
    EnrollmentError,
    NotCalibratedError,
    SpeakerExistsError,
    VoiceprintError,
)


def family(kind: type[VoiceprintError]) -> Iterator[type[VoiceprintError]]:
    yield kind
    for child in kind.__subclasses__():
        yield from family(child)


def test_each_class_has_a_code_of_its_own() -> None:
    counts = Counter(kind.code for kind in family(VoiceprintError))
    assert [code for code, count in counts.items() if count > 1] == []
    assert all(code.replace("_", "").islower() for code in counts)


def test_the_list_of_errors_is_whole_and_sorted() -> None:
    here = {kind.__name__ for kind in family(VoiceprintError) if kind.__module__ == errors.__name__}
    assert list(errors.__all__) == sorted(here)
    assert all(f" {name} " in (errors.__doc__ or "") for name in here - {"VoiceprintError"})


def test_the_message_is_the_fact_and_the_advice() -> None:
    error = SpeakerExistsError("ada is enrolled already", advice="choose another name", name="ada")
    assert str(error) == "ada is enrolled already; choose another name"
    assert (error.fact, error.advice, error.name) == (
        "ada is enrolled already",
        "choose another name",
        "ada",
    )
    assert str(SpeakerExistsError("ada is enrolled already", name="ada")) == "ada is enrolled already"


@pytest.mark.parametrize(
    "error",
    [
        ArgumentError("mode", "append", "new, add or replace"),
        EnrollmentError("too little speech", advice="give more", name="ada", clips=("a",)),
        NotCalibratedError(path="models/x"),
    ],
)
def test_an_error_survives_the_way_between_processes(error: VoiceprintError) -> None:
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is type(error)
    assert str(again) == str(error)
    assert again.__dict__ == error.__dict__


def test_a_wrong_argument_is_a_value_error_too() -> None:
    with pytest.raises(ValueError, match="mode is 'append'; it must be new, add or replace"):
        raise ArgumentError("mode", "append", "new, add or replace")


def test_a_code_is_the_class_in_snake_case() -> None:
    assert (SpeakerExistsError.code, NotCalibratedError.code) == ("speaker_exists", "not_calibrated")
    assert voiceprint.server.limits.OverloadedError.code == "overloaded"
