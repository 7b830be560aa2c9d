"""Formats of an encoder side by side: how alike, how often wrong, how large, how fast.

    scripts/measure_formats --corpora corpora
    scripts/measure_formats --corpora corpora --classifier mymodel

The error rate is of every pair of clips of the test speakers of speechocean762. Core ML runs only on
Apple's systems, and is not among them. Of a classifier of the corpus five_speakers, its probabilities for
the test clips are compared.
"""

from __future__ import annotations

import csv
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.program import make_parser
from benchmarks.tables import markdown_table
from voiceprint.audio import SAMPLE_RATE, read_audio
from voiceprint.audio.clips import samples_to_embed
from voiceprint.classification import ClassifierModel, EncoderClassifier
from voiceprint.classification.head_graph import PROBABILITIES
from voiceprint.errors import ModelError
from voiceprint.litert.running import litert_runner
from voiceprint.metrics import det_curve, eer_interpolated
from voiceprint.model import SpeakerModel
from voiceprint.model.card import ENCODER_FILE
from voiceprint.onnx_runtime import open_session
from voiceprint.scoring import cosine, normalize
from voiceprint.web.runtimes import RuntimeFormat, convert_model, encoder_embedder

Embed = Callable[[NDArray[np.float32]], NDArray[np.float32]]

_RUN_HERE: tuple[RuntimeFormat, ...] = ("ort", "onnx-int8", "tflite")
_SHORTEST = 1600  # samples that the encoder takes


@dataclass(frozen=True, slots=True, kw_only=True)
class FormatFigures:
    """Of one format.

    Attributes
    ----------
    least_cosine : float
        Of an embedding and that of the original.
    eer : float
        Equal error rate over all pairs of clips.
    megabytes : float
        Of the encoder's file.
    milliseconds : float
        For a clip, median.
    """

    name: str
    least_cosine: float
    eer: float
    megabytes: float
    milliseconds: float


def compare_formats(corpora: Path, *, model: SpeakerModel, clips: int) -> list[FormatFigures]:
    """Embed the same clips by every format that runs here.

    Parameters
    ----------
    corpora : Path
    model : SpeakerModel
    clips : int
        How many of each test speaker.
    """
    speakers, sounds = _test_clips(corpora / "speechocean762", clips)
    original = model.folder / ENCODER_FILE
    with tempfile.TemporaryDirectory() as scratch:
        files = {"original": original}
        for kind in _RUN_HERE:
            made = convert_model(model, Path(scratch) / kind, runtime_format=kind)
            files[kind] = made.folder / made.encoder
        embedded = {name: _embed(encoder_embedder(path), sounds) for name, path in files.items()}
        return [
            FormatFigures(
                name=name,
                least_cosine=float(cosine(found, embedded["original"][0]).min()),
                eer=_eer(found, speakers),
                megabytes=files[name].stat().st_size / 1e6,
                milliseconds=milliseconds,
            )
            for name, (found, milliseconds) in embedded.items()
        ]


def compare_classifier(corpora: Path, folder: Path) -> list[tuple[str, int, float, int]]:
    """Classify the first second of every test clip by every format.

    Returns
    -------
    list of tuple
        Format, clips, largest difference of a probability, and clips that are named otherwise.
    """
    corpus, classifier = corpora / "five_speakers", ClassifierModel.open(folder).classifier
    if not isinstance(classifier, EncoderClassifier):
        raise ModelError(f"{folder}: is no classifier with an encoder", path=str(folder))
    with (corpus / "manifest.csv").open(encoding="utf-8", newline="") as file:
        paths = [corpus / row["path"] for row in csv.DictReader(file) if row["split"] == "test"]
    sounds = [read_audio(path).samples[:SAMPLE_RATE] for path in paths]
    wanted = np.stack([classifier.classify_whole([sound]).probabilities[0] for sound in sounds])
    rows: list[tuple[str, int, float, int]] = []
    for kind in _RUN_HERE:
        with tempfile.TemporaryDirectory() as scratch:
            made = convert_model(SpeakerModel.open(folder), Path(scratch) / kind, runtime_format=kind)
            classify = _classifier(made.folder / made.encoder)
            found = np.stack([classify(sound[None])[0] for sound in sounds])
        others = int((found.argmax(axis=1) != wanted.argmax(axis=1)).sum())
        rows.append((kind, len(sounds), float(np.abs(found - wanted).max()), others))
    return rows


def _classifier(path: Path) -> Embed:
    if path.suffix == ".tflite":
        run = litert_runner(path)
        return lambda waveforms: run(waveform=waveforms)[PROBABILITIES]
    session = open_session(path)
    return lambda waveforms: np.asarray(session.run([PROBABILITIES], {"waveform": waveforms})[0])


def _test_clips(corpus: Path, clips: int) -> tuple[list[str], list[NDArray[np.float32]]]:
    with (corpus / "manifest.csv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["split"] == "test"]
    speakers, sounds, taken = [], [], dict[str, int]()
    for row in rows:
        taken[row["speaker"]] = taken.get(row["speaker"], 0) + 1
        if taken[row["speaker"]] <= clips:
            sound = samples_to_embed(read_audio(corpus / row["path"]))
            speakers.append(row["speaker"])
            sounds.append(np.resize(sound, max(_SHORTEST, len(sound))))
    return speakers, sounds


def _embed(embed: Embed, sounds: Sequence[NDArray[np.float32]]) -> tuple[NDArray[np.float32], float]:
    """Embed one clip after the other; returns embeddings (n, dim) and milliseconds for a clip, median."""
    rows, times = [], []
    for sound in sounds:
        began = time.perf_counter()
        rows.append(embed(sound[None])[0])
        times.append(1000.0 * (time.perf_counter() - began))
    return normalize(np.stack(rows)), float(np.median(times))


def _eer(embeddings: NDArray[np.float32], speakers: Sequence[str]) -> float:
    first, second = np.triu_indices(len(speakers), k=1)
    names = np.array(speakers)
    same = names[first] == names[second]
    scores = (embeddings @ embeddings.T)[first, second]
    return float(eer_interpolated(det_curve(scores[same], scores[~same])))


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table."""
    parser = make_parser(__doc__)
    parser.add_argument("--corpora", type=Path, required=True, help="folder of the open corpora")
    parser.add_argument("--model", default="default", help="name or folder of a model (default)")
    parser.add_argument("--clips", type=int, default=100, help="clips of each test speaker (all)")
    parser.add_argument("--classifier", type=Path, help="folder of a classifier of five_speakers, instead")
    options = parser.parse_args(arguments)
    if options.classifier is not None:
        compared = [
            (kind, str(clips), f"{off:.6f}", str(others))
            for kind, clips, off, others in compare_classifier(options.corpora, options.classifier)
        ]
        heads = ("format", "clips", "probabilities apart, at most", "named otherwise")
        sys.stdout.write(markdown_table(heads, compared) + "\n")
        return 0
    rows = [
        (
            each.name,
            f"{each.least_cosine:.6f}",
            f"{100 * each.eer:.3f} %",
            f"{each.megabytes:.1f} MB",
            f"{each.milliseconds:.0f} ms",
        )
        for each in compare_formats(
            options.corpora, model=SpeakerModel.open(options.model), clips=options.clips
        )
    ]
    columns = ("format", "least cosine", "EER", "size", "a clip")
    sys.stdout.write(markdown_table(columns, rows) + "\n")
    return 0
