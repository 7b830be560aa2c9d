"""A small world to attack: synthetic people, a store of them, and what of it must never change by itself."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import soundfile as sf

from benchmarks.campaign.core import BrokenPromiseError
from benchmarks.synthetic_speech import SAMPLE_RATE, VOICES, synthesize
from voiceprint import SpeakerModel, Verifier
from voiceprint.errors import StoreError
from voiceprint.store import EnrollmentStore

VICTIM, IMPOSTOR = "ada", "farid"
"""Two voices that are far from each other; only the first is enrolled."""

ENROLLED = ("ada", "bert", "cleo", "dmitri", "edda")
CLIPS = 6
SECONDS = 3.0

Person = tuple[str, object, object, tuple[tuple[str, bytes], ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """Everything that a store says of people, but for times of change.

    Attributes
    ----------
    people : dict
        Of each name: notes, consent, expiry, and the clips with their embeddings.
    """

    people: dict[str, Person]
    opt_outs: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What the cases of an attack start from.

    Attributes
    ----------
    folder : Path
        Clips lie at ``folder/voices/NAME/NUMBER.wav``; the store at ``folder/store``, closed.
    """

    folder: Path
    model: SpeakerModel

    @property
    def store(self) -> Path:
        """The store that cases copy; nobody writes there."""
        return self.folder / "store"

    def clip(self, name: str, number: int = 5) -> Path:
        """Return a clip of somebody; the last one is in nobody's voiceprint."""
        return self.folder / "voices" / name / f"{number}.wav"

    def voice(self, name: str) -> Path:
        """Return the folder of somebody's clips."""
        return self.folder / "voices" / name

    def copy_store(self, folder: Path) -> Path:
        """Copy the store into a case's folder."""
        return Path(shutil.copytree(self.store, folder / "store"))

    @contextmanager
    def verifier(self, store: Path, *, read_only: bool = False) -> Iterator[Verifier]:
        """Lend a Verifier of a store."""
        with Verifier(store, model=self.model, read_only=read_only) as verifier:
            yield verifier


def new_world(folder: Path) -> World:
    """Synthesize the people and enroll some of them."""
    world = World(folder=folder, model=SpeakerModel.open())
    for name, (f0, formants) in VOICES.items():
        world.voice(name).mkdir(parents=True)
        for number in range(CLIPS):
            sf.write(world.clip(name, number), synthesize(number, SECONDS, f0, formants), SAMPLE_RATE)
    with world.verifier(world.store) as verifier:
        for name in ENROLLED:
            verifier.enroll(name, [world.clip(name, number) for number in range(3)], notes=f"notes on {name}")
        # This writes the index when it is closed.
        if verifier.identify(world.clip(VICTIM), allow_replay=True).name != VICTIM:
            raise BrokenPromiseError(f"{VICTIM} is not identified in a new store")
    return world


def state_of(store: Path) -> State:
    """Read all that a store says of people."""
    with EnrollmentStore.open(store) as opened:
        people: dict[str, Person] = {}
        for name in opened.names():
            person = opened.get(name)
            clips = tuple(
                sorted((clip.clip_sha256, clip.embedding.tobytes()) for clip in opened.utterances(name))
            )
            people[name] = (person.notes, person.consent, person.expires, clips)
        return State(people=people, opt_outs=tuple(opened.opt_outs()))


def require_sound(store: Path) -> None:
    """Break the promise unless a store opens and finds no fault in itself."""
    try:
        with EnrollmentStore.open(store) as opened:
            problems = opened.problems()
    except StoreError as error:
        raise BrokenPromiseError(f"the store does not open: {type(error).__name__}: {error}") from error
    if problems:
        raise BrokenPromiseError(f"the store finds faults in itself: {problems}")
