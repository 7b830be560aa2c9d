"""What is done to a store in processes of its own, as commands do it.

python -m benchmarks.store.processes VERB ARGUMENTS...
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.program import command_of, output_of
from benchmarks.timing import Spent, peak_bytes
from voiceprint.store import EnrollmentStore, read_export, write_export

MODEL = "0" * 64
"""The model that the voiceprints pretend to come from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Apart:
    """What a process took."""

    whole: Spent
    megabytes: float


def run_apart(verb: str, *arguments: str) -> Apart:
    """Run one of the verbs in a new process."""
    command = [*command_of(__name__), verb, *arguments]
    before, start = _processor_of_children(), time.perf_counter()
    peak = json.loads(output_of(command))
    seconds, processor = time.perf_counter() - start, _processor_of_children() - before
    return Apart(whole=Spent(seconds=seconds, processor=processor), megabytes=peak / 1e6)


def _processor_of_children() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def main() -> None:
    """Do what the command line says, and print the most bytes of memory that it took."""
    verb, *arguments = sys.argv[1:]
    _VERBS[verb](*arguments)
    print(json.dumps(peak_bytes()))


def _search(place: str, dim: str) -> None:
    query = np.eye(1, int(dim), dtype=np.float32)[0]
    with EnrollmentStore.open(place, model_id=MODEL, dim=int(dim)) as store:
        store.search(query, top=20)


def _remove(place: str, name: str) -> None:
    with EnrollmentStore.open(place) as store:
        store.remove(name)


def _export(place: str, file: str) -> None:
    with EnrollmentStore.open(place, read_only=True) as store:
        write_export(Path(file), store.export_records(), model_id=MODEL, dim=store.dim or 0)


def _import(file: str, place: str) -> None:
    with EnrollmentStore.open(place) as store:
        found = read_export(Path(file))
        store.import_records(found.records, model_id=found.model_id, dim=found.dim)


_VERBS: dict[str, Callable[..., None]] = {
    "search": _search,
    "remove": _remove,
    "export": _export,
    "import": _import,
}
