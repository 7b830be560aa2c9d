"""The engine in a browser tab beside the engine in Python, on clips of the open corpora.

Both get the same samples. They enroll the same people from the same clips, and decide the same claims and
searches.
"""

from __future__ import annotations

import csv
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.program import ROOT
from benchmarks.web.files import FileParity, compare_files
from benchmarks.web.page_scripts import run_script
from benchmarks.web.replays import ReplayParity, compare_replays
from benchmarks.web.static_server import StaticServer, serving_files
from voiceprint.audio import read_audio
from voiceprint.audio.clips import read_clip
from voiceprint.countermeasure import LivenessCheck
from voiceprint.engine.verifier import Verifier
from voiceprint.errors import EnrollmentError
from voiceprint.model import SpeakerModel
from voiceprint.web.assets import find_runtime
from voiceprint.web.model_files import Weights, write_model_files

LIBRARY = ROOT / "web" / "dist" / "bundle" / "voiceprint-web.js"
_CORPORA = ("speechocean762", "voxforge")
_PER_SPEAKER = 5  # of whose clips three enroll
_ENROLLED = 3
_IN_FILES = 6  # clips that are read from files of every format
_REPLAYED = 10  # people whose recordings are played again

_LOAD = """const { Verifier, readAudio } = await import('/voiceprint-web.js');
    window.readAudio = readAudio;
    const began = performance.now();
    window.verifier = await Verifier.open({ model: '/model', runtime: values[0] });
    return performance.now() - began;"""

_HEAR = """const samples = new Float32Array(await (await fetch(values[0])).arrayBuffer());
    const began = performance.now();
    const clip = { samples, sample_rate: 16000 };
    const embedding = await verifier.embed(clip);
    const milliseconds = performance.now() - began;
    const quality = await verifier.quality(clip);
    return { embedding: Array.from(embedding), milliseconds, quality };"""

_ENROLL = """const [name, addresses] = values;
    const clips = await Promise.all(addresses.map(async (address) => ({
        samples: new Float32Array(await (await fetch(address)).arrayBuffer()), sample_rate: 16000,
    })));
    const statuses = ({ clips }) => clips.map(({ status }) => status);
    return verifier.enroll(name, clips).then(statuses, ({ code }) => code);"""

_DECIDE = """const [claim, address] = values;
    const samples = new Float32Array(await (await fetch(address)).arrayBuffer());
    const clip = { samples, sample_rate: 16000 };
    const again = { allow_replay: true };
    return [await verifier.verify(claim, clip, again), await verifier.identify(clip, again)];"""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Parity:
    """How alike two engines answer.

    Attributes
    ----------
    cosines : ndarray of shape (clips,)
        Of the embeddings of a clip.
    off_in_seconds : ndarray of shape (clips,)
        Difference in seconds of speech.
    milliseconds : ndarray of shape (clips,)
        For a clip in the tab: speech found and embedded.
    milliseconds_in_python : ndarray of shape (clips,)
    seconds : ndarray of shape (clips,)
        Length of the clips.
    load : float
        Milliseconds until the engine is ready, its files on this machine.
    off_in_thresholds : ndarray of shape (decisions,)
    decisions : int
        Claims and searches that were decided.
    other_decisions : tuple of str
        Those that were decided otherwise, and how.
    files : tuple of FileParity
        The same for files in several formats.
    replays : ReplayParity
        How recordings are known again.
    """

    cosines: NDArray[np.float64]
    off_in_seconds: NDArray[np.float64]
    milliseconds: NDArray[np.float64]
    milliseconds_in_python: NDArray[np.float64]
    seconds: NDArray[np.float64]
    load: float
    off_in_thresholds: NDArray[np.float64]
    decisions: int
    other_decisions: tuple[str, ...]
    files: tuple[FileParity, ...]
    replays: ReplayParity


@contextmanager
def serving_library(
    model: SpeakerModel, weights: Weights, *, liveness: LivenessCheck | None = None
) -> Iterator[tuple[StaticServer, Path]]:
    """Serve the package as one script, a model, and an empty page; gives the folder too."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "model").mkdir()
        write_model_files(model, folder / "model", weights=weights, liveness=liveness)
        runtime = find_runtime()
        (folder / runtime.name).write_bytes(runtime.content)
        shutil.copyfile(LIBRARY, folder / LIBRARY.name)
        (folder / "blank.html").write_text('<!doctype html><link rel="icon" href="data:,">')
        with serving_files(folder) as server:
            yield server, folder


def open_engine(driver: Any, server: StaticServer) -> float:
    """Open an engine with nobody enrolled in a page, as `verifier`; returns the milliseconds it took."""
    driver.get(f"{server.url}/blank.html")
    return float(run_script(driver, _LOAD, f"{server.url}/{find_runtime().name}"))


def compare_engines(driver: Any, corpora: Path, *, weights: str, clips: int = 200) -> Parity:
    """Ask both engines the same.

    Parameters
    ----------
    driver : selenium.webdriver.Chrome
    corpora : Path
    weights : {"int8", "original"}
        Of the encoder in the tab.
    clips : int
        How many; five of each speaker.
    """
    model = SpeakerModel.open("default")
    people = choose_people(corpora, clips // _PER_SPEAKER)
    with serving_library(model, weights) as (server, folder), tempfile.TemporaryDirectory() as store:  # type: ignore[arg-type]
        for number, clip in enumerate(clip for paths in people.values() for clip in paths):
            read_audio(clip).samples.astype("<f4").tofile(folder / f"{number}.f32")
        driver.set_script_timeout(600)
        load = open_engine(driver, server)
        with Verifier(Path(store) / "store", model=model) as verifier:
            verifier.model.embed(np.ones(16_000, np.float32))  # loads it
            measured = [_measure(driver, verifier, f"/{number}.f32", folder) for number in range(clips)]
            decided = list(_decide(driver, verifier, people, folder))
            some = [clips[0] for clips in people.values()][:_IN_FILES]
            files = compare_files(driver, verifier.model, some, folder, server.url)
        replays = _compare_replays(driver, model, people, folder)
    thresholds = [pair for pair, _ in decided]
    off = [abs(one - other) for one, other in thresholds if one is not None and other is not None]
    return Parity(
        load=load,
        files=tuple(files),
        replays=replays,
        decisions=len(decided),
        off_in_thresholds=np.array(off),
        other_decisions=tuple(how for _, how in decided if how),
        **{name: np.array([each[name] for each in measured]) for name in measured[0]},
    )


def _compare_replays(
    driver: Any, model: SpeakerModel, people: Mapping[str, Sequence[Path]], folder: Path
) -> ReplayParity:
    """Play the recordings of some people again, whom neither side knows yet."""
    run_script(driver, "await verifier.store.forgetEverything();")
    some = dict(list(people.items())[:: max(1, len(people) // _REPLAYED)][:_REPLAYED])
    with tempfile.TemporaryDirectory() as store, Verifier(Path(store) / "store", model=model) as verifier:
        return compare_replays(driver, verifier, some, folder)


def choose_people(corpora: Path, count: int) -> dict[str, list[Path]]:
    """Choose speakers and five clips of each, half of them of either corpus."""
    found: dict[str, list[Path]] = {}
    for place, corpus in enumerate(_CORPORA):
        with (corpora / corpus / "manifest.csv").open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        speakers: dict[str, list[Path]] = {}
        for row in rows:
            speakers.setdefault(row["speaker"], []).append(corpora / corpus / row["path"])
        enough = [(name, clips) for name, clips in sorted(speakers.items()) if len(clips) >= _PER_SPEAKER]
        wanted = count // 2 if place else count - count // 2
        chosen = enough[:: max(1, len(enough) // wanted)][:wanted]
        found |= {f"{corpus} {name}": clips[:_PER_SPEAKER] for name, clips in chosen}
    return found


def _measure(driver: Any, verifier: Verifier, address: str, folder: Path) -> dict[str, float]:
    samples = np.fromfile(folder / address[1:], dtype="<f4")
    found = run_script(driver, _HEAR, address)
    began = time.perf_counter()
    clip = read_clip(samples, sample_rate=16_000)
    embedding = verifier.model.embed(clip.speech) if len(clip.speech) else None
    milliseconds = 1000.0 * (time.perf_counter() - began)
    ours = np.array(found["embedding"])
    return {
        "cosines": 1.0 if embedding is None else float(ours @ embedding),
        "off_in_seconds": abs(found["quality"]["seconds_of_speech"] - clip.quality.seconds_of_speech),
        "milliseconds": found["milliseconds"],
        "milliseconds_in_python": milliseconds,
        "seconds": len(samples) / 16_000,
    }


def _decide(
    driver: Any, verifier: Verifier, people: Mapping[str, Sequence[Path]], folder: Path
) -> Iterator[tuple[tuple[float | None, float | None], str]]:
    """Enroll everybody from three clips, and ask about the others: claims, right and wrong, and searches."""
    numbers = {name: [_PER_SPEAKER * i + k for k in range(_PER_SPEAKER)] for i, name in enumerate(people)}
    enrolled = []
    for name, clips in numbers.items():
        theirs = run_script(driver, _ENROLL, name, [f"/{clip}.f32" for clip in clips[:_ENROLLED]])
        try:
            report = verifier.enroll(
                name, [_samples(folder, clip) for clip in clips[:_ENROLLED]], sample_rate=16_000
            )
        except EnrollmentError as error:
            yield (None, None), "" if theirs == error.code else f"enrolling {name}: {theirs}, {error.code}"
            continue
        ours = [clip.status for clip in report.clips]
        yield (None, None), "" if theirs == ours else f"enrolling {name}: {theirs}, {ours}"
        enrolled.append(name)
    for place, name in enumerate(enrolled):
        for clip in numbers[name][_ENROLLED:]:
            claim = enrolled[(place + clip % 2) % len(enrolled)]  # every second one is of the next person
            verification, identification = run_script(driver, _DECIDE, claim, f"/{clip}.f32")
            samples = _samples(folder, clip)
            pairs = (
                (verification, verifier.verify(claim, samples, sample_rate=16_000, allow_replay=True)),
                (identification, verifier.identify(samples, sample_rate=16_000, allow_replay=True)),
            )
            for theirs, answer in pairs:
                same = (theirs["decision"], theirs["name"]) == (answer.decision, answer.name)
                how = "" if same else f"{claim}, clip {clip}: {theirs['reason']}, in Python: {answer.reason}"
                yield (theirs["threshold"], answer.threshold), how


def _samples(folder: Path, clip: int) -> NDArray[np.float32]:
    return np.fromfile(folder / f"{clip}.f32", dtype="<f4")
