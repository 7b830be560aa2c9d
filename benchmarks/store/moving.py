"""Move a store of many people to another model while a server answers, and kill the move twice on the way.

    scripts/benchmark_moving --people 1000
    scripts/benchmark_moving --people 1000 --model campplus

The people are synthetic, with one clip each, whose speech is kept; of three it is not, so they have to come
again. Without --model the other model is the packaged one, its embeddings turned about: it scores alike, and
no embedding of one is near its own of the other. A client asks the server to verify and to identify all the
time. The exit code is 1 if an answer was wrong or missing, anything was lost, anybody else was not moved, or
the three were not named.
"""

from __future__ import annotations

import io
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import soundfile as sf
from numpy.typing import NDArray

from benchmarks.program import BenchmarkError, make_parser
from benchmarks.synthetic_speech import SAMPLE_RATE, synthesize
from voiceprint.audio.clips import read_clip
from voiceprint.audio.opus import encode_opus
from voiceprint.files.checksum import sha256_of
from voiceprint.model import SpeakerModel
from voiceprint.model.card import ENCODER_FILE, read_model_card
from voiceprint.model.folder import write_model_card
from voiceprint.model.registry import PACKAGED_MODEL
from voiceprint.store import Consent, EnrolledUtterance, EnrollmentStore

_SECONDS = 2.5
_WITHOUT_SPEECH = range(1, 4)  # people who cannot be moved
_ASKED = 5  # people whom the client asks about, one after the other, the three among them
_PATIENCE = 60.0  # s for an answer


def main() -> int:
    """Make the store, serve it, move it with two kills, and print what happened."""
    parser = make_parser(__doc__)
    parser.add_argument("--people", type=int, default=1000, help="enrolled (1000)")
    parser.add_argument("--jobs", type=int, default=2, help="processes of the move (2)")
    parser.add_argument("--model", help="registered name or folder (default: the packaged one, turned)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        model = SpeakerModel.open(options.model or _turned_model(root / "turned"))
        _enroll(root / "store", options.people)
        before = _speech(root / "store")
        with _Server(root / "store") as server, _Client(server.url) as client:
            runs = _move(root / "store", model.folder, options.people, jobs=options.jobs)
            client.wait_for(2 * _ASKED)  # answers of the new model
        lost = before != _speech(root / "store")
        return _report(root / "store", model, client.answers, runs, options.people, lost=lost)


def _turned_model(folder: Path) -> Path:
    """Write the packaged model with an orthogonal map behind it."""
    import onnx  # noqa: PLC0415  the extra `models`
    from onnx import helper, numpy_helper  # noqa: PLC0415

    folder.mkdir()
    encoder = onnx.load(PACKAGED_MODEL / ENCODER_FILE)
    card = read_model_card(PACKAGED_MODEL)
    turn, _ = np.linalg.qr(np.random.default_rng(0).standard_normal((card.dim, card.dim)))
    (output,) = encoder.graph.output
    for node in encoder.graph.node:
        for place, name in enumerate(node.output):
            if name == output.name:
                node.output[place] = "before_turning"
    encoder.graph.initializer.append(numpy_helper.from_array(turn.astype(np.float32), "turn"))
    encoder.graph.node.append(helper.make_node("MatMul", ["before_turning", "turn"], [output.name]))
    onnx.save(encoder, folder / ENCODER_FILE)
    write_model_card(
        folder,
        replace(card, name="turned", files={ENCODER_FILE: sha256_of(folder / ENCODER_FILE)}, open_set=None),
    )
    return folder


def _voice(person: int, seed: int) -> NDArray[np.float32]:
    rng = np.random.default_rng(person)
    f0, formants = rng.uniform(85, 260), rng.uniform(0.82, 1.25)
    return synthesize(1000 * person + seed, _SECONDS, f0, formants)


def _wav(samples: NDArray[np.float32]) -> bytes:
    file = io.BytesIO()
    sf.write(file, samples, SAMPLE_RATE, format="WAV")
    return file.getvalue()


def _name(person: int) -> str:
    return f"person-{person:05d}"


def _enroll(place: Path, people: int) -> None:
    model = SpeakerModel.open(PACKAGED_MODEL)
    agreed = Consent(by="the person", purpose="this benchmark", given=datetime.now(UTC))
    with EnrollmentStore.open(place, model_id=model.id, dim=model.dim) as store:
        for person in range(people):
            clip = read_clip(_wav(_voice(person, 0)))
            utterance = EnrolledUtterance(
                embedding=model.embed(clip.speech),
                clip_sha256=clip.sha256,
                source="0.wav",
                quality=clip.quality,
                audio=None if person in _WITHOUT_SPEECH else encode_opus(clip.speech),
            )
            store.add(_name(person), [utterance], consent=agreed)


def _speech(place: Path) -> dict[str, dict[str, bytes]]:
    """Return everybody's kept speech."""
    with EnrollmentStore.open(place, read_only=True) as store:
        return {name: store.kept_audio(name) for name in store.names()}


class _Server:
    """`voiceprint serve` in a process of its own."""

    def __init__(self, store: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        arguments = ["serve", "--no-keys", "--port", str(port), "--rate", "100000"]
        # The model in use may be the one that the store is moved to.
        arguments += ["--store", str(store), "--model", str(PACKAGED_MODEL)]
        self._process = subprocess.Popen([*_VOICEPRINT, *arguments])

    def __enter__(self) -> _Server:
        while True:
            try:
                urllib.request.urlopen(f"{self.url}/readyz", timeout=_PATIENCE).read()
            except OSError as error:
                if self._process.poll() is not None:
                    raise BenchmarkError("the server ended; what it said stands above") from error
                time.sleep(0.1)
            else:
                return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait()


@dataclass(slots=True)
class _Answers:
    seconds: list[float] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    models: list[str] = field(default_factory=list)
    right: int = 0


class _Client(threading.Thread):
    """Asks about the same few people all the time, who they are and whether they are it."""

    def __init__(self, url: str) -> None:
        super().__init__(daemon=True)
        self._url, self._over = url, threading.Event()
        self.answers = _Answers()

    def __enter__(self) -> _Client:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self.join()

    def wait_for(self, more: int) -> None:
        """Wait until so many more answers have come."""
        wanted = len(self.answers.seconds) + more
        while len(self.answers.seconds) < wanted and self.is_alive():
            time.sleep(0.05)

    def run(self) -> None:
        """Ask until it is over."""
        turn = 0
        while not self._over.is_set():
            person, turn = turn % _ASKED, turn + 1
            claim = f"/v1/speakers/{_name(person)}/verify"
            answer = self._ask(claim, _wav(_voice(person, 2 * turn)))
            if answer.get("decision") not in ("accepted", "rejected"):
                self.answers.wrong.append(f"{claim}: {answer}")
            self.answers.models.append(str(answer.get("model")))
            found = self._ask("/v1/identify", _wav(_voice(person, 2 * turn + 1)))
            if found.get("decision") not in ("identified", "unknown"):
                self.answers.wrong.append(f"identify: {found}")
            self.answers.right += answer.get("decision") == "accepted"

    def _ask(self, path: str, clip: bytes) -> dict[str, Any]:
        request = urllib.request.Request(f"{self._url}{path}", clip, {"Content-Type": "audio/wav"})
        start = time.perf_counter()
        try:
            with urllib.request.urlopen(request, timeout=_PATIENCE) as response:
                answer: dict[str, Any] = json.load(response)
        except urllib.error.HTTPError as error:
            answer = {"status": error.code, "body": error.read().decode()}
        except OSError as error:
            answer = {"error": str(error)}
        self.answers.seconds.append(time.perf_counter() - start)
        return answer


_VOICEPRINT = [sys.executable, "-m", "voiceprint"]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Run:
    seconds: float
    waiting: int
    killed: bool
    left: tuple[str, ...]  # named as who could not be moved


def _move(store: Path, model: Path, people: int, *, jobs: int) -> list[_Run]:
    """Run the move three times; twice it is killed, at a third and at two thirds of the people."""
    command = [*_VOICEPRINT, "store", "upgrade", "--json", "--store", str(store), "--model", str(model)]
    runs = []
    for share in (people // 3, 2 * people // 3, None):
        start = time.perf_counter()
        with tempfile.TemporaryFile("w+", encoding="utf-8") as said:
            process = subprocess.Popen([*command, "--jobs", str(jobs)], stdout=said, start_new_session=True)
            while process.poll() is None and (share is None or _waiting(store, people) < share):
                time.sleep(0.2)
            killed = process.poll() is None
            if killed:
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            seconds = time.perf_counter() - start
            said.seek(0)
            left = () if killed else tuple(one["name"] for one in json.load(said)["left"])
        runs.append(_Run(seconds=seconds, waiting=_waiting(store, people), killed=killed, left=left))
    return runs


def _waiting(store: Path, people: int) -> int:
    with EnrollmentStore.open(store, read_only=True) as opened:
        return people - len(opened.unmoved()) if opened.models().upcoming is not None else 0


def _report(
    store: Path, model: SpeakerModel, answers: _Answers, runs: list[_Run], people: int, *, lost: bool
) -> int:
    for number, run in enumerate(runs, start=1):
        end = "killed (SIGKILL)" if run.killed else "ended"
        print(f"run {number}: {end} after {run.seconds:.1f} s, {run.waiting} people waiting")
    with EnrollmentStore.open(store, read_only=True) as opened:
        of_new = {person.name: person.model_id == model.id for person in opened.everybody()}
        problems = opened.problems()
    stayed = tuple(name for name, moved in of_new.items() if not moved)
    slowest, median = max(answers.seconds), float(np.median(answers.seconds))
    switched = sum(model_id == model.id for model_id in answers.models)
    print(f"{sum(of_new.values())} of {people} people moved to {model.card.name}, {len(problems)} problems")
    print(f"named as those who must come again: {', '.join(runs[-1].left)}")
    print(f"kept speech: {'LOST OR CHANGED' if lost else 'all there, to the byte'}")
    print(f"{len(answers.seconds)} answers meanwhile, median {median:.2f} s, slowest {slowest:.2f} s")
    print(f"{switched} of {len(answers.models)} claims answered by the new model, {answers.right} accepted")
    print(f"{len(answers.wrong)} requests without a decision")
    for wrong in answers.wrong[:3]:
        print(f"  {wrong}")
    whole = len(of_new) == people and not problems and not lost
    told = runs[-1].left == stayed == tuple(_name(person) for person in _WITHOUT_SPEECH)
    killed = all(run.killed for run in runs[:2])
    return 0 if whole and told and killed and switched and not answers.wrong else 1
