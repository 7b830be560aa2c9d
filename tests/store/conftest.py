"""Places for stores of each kind."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from store_voices import open_store

from voiceprint.store import EnrollmentStore

NewPlace = Callable[..., str]


@pytest.fixture(params=["folder", "postgres"])
def new_place(request: pytest.FixtureRequest, tmp_path: Path) -> NewPlace:
    """``new_place()``: an empty place for a store, of one kind for all of a test."""
    if request.param == "postgres":
        databases: NewPlace = request.getfixturevalue("new_database")
        return databases
    numbers = itertools.count()
    return lambda made=True: str(tmp_path / f"store {next(numbers)}")


@pytest.fixture
def place(new_place: NewPlace) -> str:
    return new_place()


@pytest.fixture
def store(place: str) -> Iterator[EnrollmentStore]:
    with open_store(place) as opened:
        yield opened
