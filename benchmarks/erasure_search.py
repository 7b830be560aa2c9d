"""Take people out of a store, thousands of times, and search every byte of its files for them after each.

    scripts/search_erased --changes 20000 --writers 1 4

Prints how many changes of each kind were searched for, and what was found. The exit code is 1 if
anything was.
"""

from __future__ import annotations

import hashlib
import random
import struct
import tempfile
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.program import make_parser
from voiceprint.audio.quality import ClipQuality
from voiceprint.store import AcceptedRecording, Consent, EnrolledUtterance, EnrollmentStore

MODEL = "a" * 64
PIECE = 32
"""Bytes of an embedding that count as a trace: eight of its numbers."""


def main() -> int:
    """Search with each number of writers; 1 where traces were found."""
    parser = make_parser(__doc__)
    parser.add_argument("--changes", type=int, default=1000, help="for each number of writers (1000)")
    parser.add_argument("--writers", type=int, nargs="+", default=[1, 4], help="processes at once (1 4)")
    parser.add_argument("--dim", type=int, default=192, help="numbers of an embedding (192)")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    traces = 0
    for writers in options.writers:
        with tempfile.TemporaryDirectory() as folder:
            counts = search_after_changes(
                Path(folder) / "store",
                changes=options.changes,
                writers=writers,
                dim=options.dim,
                seed=options.seed,
            )
        found = {what: number for what, number in counts.items() if what.startswith("traces")}
        changes = ", ".join(f"{counts[what]} {what}" for what in sorted(counts) if what not in found)
        print(f"{writers} at once: {changes}; {sum(found.values())} traces", flush=True)
        for what, number in sorted(found.items()):
            print(f"  {number} {what}")
        traces += sum(found.values())
    return 1 if traces else 0


@dataclass(slots=True)
class Person:
    """What a store was given about somebody, and what it may hold of them."""

    name: str
    clips: list[EnrolledUtterance] = field(default_factory=list)
    centroids: list[NDArray[np.float32]] = field(default_factory=list)
    words: dict[str, str] = field(default_factory=dict)
    accepted: list[AcceptedRecording] = field(default_factory=list)


def search_after_changes(
    folder: Path, *, changes: int, writers: int = 1, dim: int = 192, most: int = 40, seed: int = 0
) -> Counter[str]:
    """Make changes by several processes at once, each searching after each of its own.

    Parameters
    ----------
    changes : int
        Changes that take something out: removals, replacements, renames, opt-outs, other terms or notes.
    writers : int
        Processes; each makes its share.
    most : int
        People whom a writer has enrolled at once.

    Returns
    -------
    Counter
        How many changes of each kind were searched for, and under ``"traces ..."`` how many of them left
        something behind, and what.
    """
    EnrollmentStore.open(folder, model_id=MODEL, dim=dim).close()
    shares = [(folder, changes // writers, dim, most, seed * 1000 + writer) for writer in range(writers)]
    with ProcessPoolExecutor(writers, mp_context=get_context("spawn")) as processes:
        return sum(processes.map(_work, *zip(*shares, strict=True)), Counter[str]())


def _work(folder: Path, changes: int, dim: int, most: int, seed: int) -> Counter[str]:
    # Another process reads the files: a process that closes a file loses all of its locks on it, and SQLite's
    # locks are what keeps several writers apart.
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as reader:
        return _make_changes(_Writer(folder, dim, most, seed, reader), changes)


def _make_changes(writer: _Writer, changes: int) -> Counter[str]:
    folder, dim = writer.folder, writer.dim
    while sum(number for kind, number in writer.counts.items() if kind in _TAKES_OUT) < changes:
        # Opened and closed often: closing writes the index.
        with EnrollmentStore.open(folder, model_id=MODEL, dim=dim) as store:
            for _ in range(writer.random.randint(1, 30)):
                writer.change(store)
            if writer.random.random() < 0.3:
                store.search(writer.vector(), top=3)
    return writer.counts


class _Writer:
    def __init__(self, folder: Path, dim: int, most: int, seed: int, reader: Executor) -> None:
        self.folder, self.dim, self.most, self.seed = folder, dim, most, seed
        self.reader = reader
        self.random, self.numbers = random.Random(seed), np.random.default_rng(seed)
        self.people: list[Person] = []
        self.counts: Counter[str] = Counter()

    def change(self, store: EnrollmentStore) -> None:
        """Make one change, and search for what it took out."""
        fewer = len(self.people) >= self.most
        kind = self.random.choice(
            _TAKES_OUT if self.people and (fewer or self.random.random() < 0.5) else ["enroll"]
        )
        self.counts[kind] += 1
        gone: Person = getattr(self, f"_{kind}")(store)
        for what in self.reader.submit(find_traces, self.folder, gone).result():
            self.counts[f"traces of {what} after {kind}"] += 1

    def vector(self) -> NDArray[np.float32]:
        """Make a voice."""
        values = self.numbers.standard_normal(self.dim).astype(np.float32)
        return np.asarray(values / np.linalg.norm(values), dtype=np.float32)

    def _word(self) -> str:
        return f"w{self.random.getrandbits(80):020x}"

    def _clips(self) -> list[EnrolledUtterance]:
        return [
            EnrolledUtterance(
                embedding=self.vector(),
                clip_sha256=hashlib.sha256(self._word().encode()).hexdigest(),
                source=f"{self._word()}.wav",
                quality=ClipQuality(
                    seconds=3.0, seconds_of_speech=2.0, level_dbfs=-20.0, clipped=0.0, snr_db=None
                ),
                fingerprint=self._fingerprint(),
                audio=self._speech(),
            )
            for _ in range(self.random.choice([1, 1, 2, 2, 3, 6]))
        ]

    def _fingerprint(self) -> bytes:
        patches = self.random.choice([0, 20, 75, 2000])
        return struct.pack("<II", 0, patches) + self.numbers.bytes(3 * patches) if patches else b""

    def _speech(self) -> bytes | None:
        size = self.random.choice([0, 0, 300, 6000, 40_000])
        return self.numbers.bytes(size) if size else None

    def _consent(self, person: Person) -> Consent:
        person.words |= {"by": self._word(), "purpose": self._word()}
        return Consent(by=person.words["by"], purpose=person.words["purpose"], given=datetime.now(UTC))

    def _taken(self) -> Person:
        return self.people.pop(self.random.randrange(len(self.people)))

    def _enroll(self, store: EnrollmentStore) -> Person:
        person = Person(f"{self.seed} {self._word()}", self._clips(), words={"notes": self._word()})
        enrolled = store.add(
            person.name, person.clips, notes=person.words["notes"] * 20, consent=self._consent(person)
        )
        person.centroids = [enrolled.centroid]
        if self.random.random() < 0.5:
            person.words["kept"] = self._word()
            until = datetime.now(UTC) + timedelta(days=1)
            store.keep(person.name, self._word(), person.words["kept"].encode() * 10, until=until)
        if self.random.random() < 0.5:
            person.accepted = [self._accept(store, person.name) for _ in range(self.random.choice([1, 3]))]
        self.people.append(person)
        return Person("")

    def _accept(self, store: EnrollmentStore, name: str) -> AcceptedRecording:
        accepted = AcceptedRecording(
            at=datetime.now(UTC),
            sha256=hashlib.sha256(self._word().encode()).hexdigest(),
            fingerprint=self._fingerprint(),
        )
        store.note_accepted(name, recordings=[accepted])
        return accepted

    def _remove(self, store: EnrollmentStore) -> Person:
        gone = self._taken()
        store.remove(gone.name)
        return gone

    def _expire(self, store: EnrollmentStore) -> Person:
        gone = self._taken()
        store.set_terms(gone.name, consent=None, expires=datetime.now(UTC) - timedelta(seconds=1))
        # Another writer may be the one that removes them; then its own erasing may not have ended yet.
        store.remove_expired()
        store.erase()
        return gone

    def _opt_out(self, store: EnrollmentStore) -> Person:
        gone = self._taken()
        store.opt_out(gone.name)
        if self.random.random() < 0.5:
            store.opt_in(gone.name)
            return gone
        return Person("", gone.clips, gone.centroids, gone.words, gone.accepted)

    def _replace(self, store: EnrollmentStore) -> Person:
        person = self._taken()
        gone = Person("", person.clips, person.centroids, {"kept": person.words.pop("kept", "")})
        person.clips = self._clips()
        person.centroids = [store.add(person.name, person.clips, mode="replace").centroid]
        self.people.append(person)
        return gone

    def _adapt(self, store: EnrollmentStore) -> Person:
        person = self._taken()
        clips = self._clips()
        # The centroid of one clip is that clip, which stays.
        gone = Person("", [], person.centroids if len(person.clips) > 1 else [])
        person.centroids = [store.add(person.name, clips, mode="add").centroid]
        person.clips = person.clips + clips
        self.people.append(person)
        return gone

    def _rename(self, store: EnrollmentStore) -> Person:
        person = self._taken()
        gone = Person(person.name, words={"kept": person.words.pop("kept", "")})
        person.name = f"{self.seed} {self._word()}"
        store.rename(gone.name, person.name)
        self.people.append(person)
        return gone

    def _terms(self, store: EnrollmentStore) -> Person:
        person = self._taken()
        gone = Person("", words={key: person.words.pop(key, "") for key in ("by", "purpose", "kept")})
        store.set_terms(person.name, consent=self._consent(person), expires=None)
        self.people.append(person)
        return gone


def find_traces(folder: Path, gone: Person) -> list[str]:
    """Return what of a person is in which file of a store; call it where the store is not open."""
    found: set[str] = set()
    pieces = list(_pieces(gone))
    # One file after the other: two of them together would make up pieces that are in none.
    for file in [path for path in folder.rglob("*") if path.is_file()] if pieces else []:
        try:
            content = file.read_bytes()
        except FileNotFoundError:
            continue
        found |= {f"{what} in {file.name}" for what, piece in pieces if piece in content}
    return sorted(found)


_TAKES_OUT = [*["remove"] * 3, *["replace"] * 2, "adapt", "rename", "terms", "opt_out", "expire"]


def _pieces(gone: Person) -> Iterator[tuple[str, bytes]]:
    words = [gone.name, *gone.words.values(), *(clip.source for clip in gone.clips)]
    yield from (("a word", word.encode()) for word in words if word)
    hashes = [clip.clip_sha256 for clip in gone.clips] + [each.sha256 for each in gone.accepted]
    for digest in hashes:
        yield "a hash", digest.encode()
        yield "a hash", bytes.fromhex(digest)
    for known in [clip.fingerprint for clip in gone.clips] + [each.fingerprint for each in gone.accepted]:
        yield from _cut("a fingerprint", known[8:], every=2)
    for speech in [clip.audio for clip in gone.clips if clip.audio is not None]:
        yield from _cut("speech", speech, every=4)
    for vector in [*(clip.embedding for clip in gone.clips), *gone.centroids]:
        yield from _cut("an embedding", vector.astype("<f4").tobytes(), every=2)
        yield from _cut("a half", vector.astype("<f2").tobytes(), every=2)


def _cut(what: str, content: bytes, *, every: int) -> Iterator[tuple[str, bytes]]:
    """Every second or fourth whole piece of what was kept."""
    for start in range(0, max(len(content) - PIECE, 0) + bool(content), every * PIECE):
        yield what, content[start : start + PIECE]
