"""Made-up voiceprints for the tests of the store, and what several test processes do with them."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import numpy as np

from voiceprint.audio.quality import ClipQuality
from voiceprint.store import EnrolledUtterance, EnrollmentStore

MODEL = "a" * 64
DIM = 32


def vector(*key: int, dim: int = DIM) -> np.ndarray:
    """A random unit vector, always the same for a key; those of one person (its first part) are close."""
    voice = np.random.default_rng(key[0]).standard_normal(dim)
    values = voice + 0.3 * np.random.default_rng(key).standard_normal(dim)
    return (values / np.linalg.norm(values)).astype(np.float32)


def clip(*key: int, dim: int = DIM, source: str = "clip.wav", speech: float = 2.0) -> EnrolledUtterance:
    """An utterance with the embedding `vector(*key)`."""
    return EnrolledUtterance(
        embedding=vector(*key, dim=dim),
        clip_sha256=hashlib.sha256(repr(key).encode()).hexdigest(),
        source=source,
        quality=ClipQuality(
            seconds=speech + 1, seconds_of_speech=speech, level_dbfs=-20.5, clipped=0.25, snr_db=None
        ),
    )


def clips(person: int, n: int = 2) -> list[EnrolledUtterance]:
    """The first `n` clips of a person."""
    return [clip(person, number) for number in range(n)]


def open_store(
    place: str | Path, *, model_id: str = MODEL, dim: int = DIM, read_only: bool = False
) -> EnrollmentStore:
    return EnrollmentStore.open(place, model_id=model_id, dim=dim, read_only=read_only)


def bytes_of(path: Path) -> bytes:
    """Everything in every file of a store."""
    return b"".join(file.read_bytes() for file in sorted(path.rglob("*")) if file.is_file())


def traces(path: Path, name: str, utterances: list[EnrolledUtterance]) -> list[str]:
    """What of a person can be found in any file of a store."""
    everything = bytes_of(path)
    found = ["name"] if name.encode() in everything else []
    for utterance in utterances:
        embedding = np.asarray(utterance.embedding, dtype="<f4").tobytes()
        # A quarter of an embedding is enough to call it a trace.
        quarter = len(embedding) // 4
        pieces = [embedding[start : start + quarter] for start in range(0, len(embedding), quarter)]
        found += ["embedding"] * any(piece in everything for piece in pieces)
        digest = bytes.fromhex(utterance.clip_sha256)
        found += ["hash"] * (digest in everything or digest.hex().encode() in everything)
    return found


def churn(place: str | Path, worker: int, rounds: int) -> None:
    """One of several processes: change and read the store; every other of its people stays, renamed."""
    with open_store(place) as store:
        for number in range(rounds):
            person = 1000 * worker + number
            store.add(f"{person}", clips(person))
            assert store.search(vector(person, 0), top=1)[0].name == f"{person}"
            store.add(f"{person}", [clip(person, 2)], mode="add")
            if number % 2:
                store.remove(f"{person}")
            else:
                store.rename(f"{person}", f"kept {person}")
            assert store.get(f"kept {1000 * worker}").n_utterances == 3
            names = store.names()
            assert len(names) == len(set(names))


def enroll_until_killed(place: str | Path, log: Path, first: int) -> None:
    """Enroll, replace and remove without end; note in `log` what is begun and what is reported as done."""
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def note(what: str, person: int) -> None:
        os.write(descriptor, f"{what} {person}\n".encode())

    for person in range(first, first + 10_000):
        with open_store(place) as store:
            note("adding", person)
            store.add(f"person {person}", clips(person))
            note("added", person)
            store.search(vector(person, 0), top=1)
        with open_store(place) as store:
            if person % 3 == 1:
                note("removing", person)
                store.remove(f"person {person}")
                note("removed", person)
            if person % 3 == 2:
                note("replacing", person)
                second = [clip(person, number) for number in (7, 8, 9)]
                store.add(f"person {person}", second, mode="replace")
                note("replaced", person)
