"""Several processes on one store, and processes that are killed."""

import multiprocessing
import os
import random
import signal
import time
from pathlib import Path

import numpy as np
from store_voices import churn, clips, enroll_until_killed, open_store, traces, vector

from voiceprint.scoring import centroid
from voiceprint.store import EnrolledUtterance, EnrollmentStore

# A fork server imports the stores once, so that each process starts in milliseconds.
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(
    ["store_voices", "faiss", "voiceprint.store.sqlite.backend", "voiceprint.store.postgres.backend"]
)

WORKERS = 8
ROUNDS = 8
KILLS = 12


def test_eight_processes_change_one_store_at_once(place: str) -> None:
    workers = [PROCESSES.Process(target=churn, args=(place, number, ROUNDS)) for number in range(WORKERS)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(timeout=120)
    assert [worker.exitcode for worker in workers] == [0] * WORKERS
    people = [1000 * worker + number for worker in range(WORKERS) for number in range(0, ROUNDS, 2)]
    with open_store(place) as store:
        assert store.problems() == []
        assert store.names() == sorted(f"kept {person}" for person in people)
        assert store.stats().n_utterances == 3 * len(people)
        for person in people:
            assert store.search(vector(person, 1), top=1)[0].name == f"kept {person}"
    assert left_behind(place, clips(1001, 3)) == []


def test_a_killed_process_loses_nothing_it_reported_and_leaves_nothing_half_done(
    place: str, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    rng = random.Random(7)
    open_store(place).close()
    log.touch()
    for attempt in range(KILLS):
        worker = PROCESSES.Process(target=enroll_until_killed, args=(place, log, 1000 * attempt))
        worker.start()
        _wait_for_lines(log, len(log.read_text().splitlines()) + rng.randint(1, 9))
        time.sleep(rng.uniform(0.0, 0.01))
        assert worker.pid is not None
        os.kill(worker.pid, signal.SIGKILL)
        worker.join()
        _check_against(place, log.read_text().splitlines())
    assert log.read_text().count("added") > KILLS


def _wait_for_lines(log: Path, number: int) -> None:
    deadline = time.monotonic() + 60
    while log.read_bytes().count(b"\n") < number:
        assert time.monotonic() < deadline, "the process does not get on"
        time.sleep(0.0005)


def _check_against(place: str, lines: list[str]) -> None:
    """Compare the store with what was reported; of the step that was cut off, both outcomes are right."""
    last = {int(line.split()[1]): line.split()[0] for line in lines}
    wanted: dict[str, set[str | None]] = {
        "adding": {None, "first"},
        "added": {"first"},
        "removing": {None, "first"},
        "removed": {None},
        "replacing": {"first", "second"},
        "replaced": {"second"},
    }
    with open_store(place) as store:
        assert store.problems() == []
        for person, step in last.items():
            assert _voice(store, person) in wanted[step], (person, step)
    for person, step in last.items():
        if step in ("removed", "replaced"):
            assert left_behind(place, clips(person)) == []


def left_behind(place: str, utterances: list[EnrolledUtterance]) -> list[str]:
    """What a folder's files hold of clips that were removed; a database's are looked at elsewhere."""
    return traces(Path(place), "nobody", utterances) if Path(place).is_dir() else []


def _voice(store: EnrollmentStore, person: int) -> str | None:
    """Which voiceprint a person has: their first, their second, or none; anything else fails."""
    name = f"person {person}"
    if name not in store:
        return None
    voice = np.stack([utterance.embedding for utterance in store.utterances(name)])
    np.testing.assert_array_equal(store.get(name).centroid, centroid(voice))
    for which, numbers in {"first": (0, 1), "second": (7, 8, 9)}.items():
        if np.array_equal(voice, [vector(person, number) for number in numbers]):
            assert store.search(voice[0], top=1)[0].name == name
            return which
    raise AssertionError(f"{name} has half a voiceprint")
