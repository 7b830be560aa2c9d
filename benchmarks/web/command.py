"""Measure the engine in a browser tab: how alike it answers, how fast, and within which memory.

    scripts/measure_browser --corpora corpora

It is compared with the engine in Python on the same clips, once for each kind of weights.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, get_args

import numpy as np

from benchmarks.program import make_parser
from benchmarks.web.first_load import LoadFigures, measure_first_load
from benchmarks.web.memory import MemoryFigures, TabMemory, measure_memory, watching_memory
from benchmarks.web.parity import Parity, choose_people, compare_engines, open_engine, serving_library
from voiceprint.audio import read_audio
from voiceprint.model import SpeakerModel
from voiceprint.web import Weights

_MINUTE = 60 * 16_000  # samples


def main(arguments: Sequence[str] | None = None) -> int:
    """Print what was measured, one part for each kind of weights."""
    parser = make_parser(__doc__)
    parser.add_argument("--corpora", type=Path, required=True, help="folder of the open corpora")
    parser.add_argument("--clips", type=int, default=200, help="how many clips are compared (200)")
    parser.add_argument("--weights", choices=get_args(Weights), nargs="+", default=["original", "int8"])
    parser.add_argument("--rounds", type=int, default=4, help="of a minute of live sound, twice (4)")
    parser.add_argument("--json", action="store_true", help="print figures as JSON")
    options = parser.parse_args(arguments)
    model = SpeakerModel.open("default")
    found: dict[str, dict[str, Any]] = {}
    for weights in options.weights:
        with _headless() as driver:
            load = _load_figures(measure_first_load(driver, model, weights=weights))
        memory = _measure_memory(
            model, weights, options.corpora, clips=options.clips // 2, rounds=options.rounds
        )
        with _headless() as driver:
            compared = compare_engines(driver, options.corpora, weights=weights, clips=options.clips)
        load_average = f"{os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"
        found[weights] = {
            **_figures(compared),
            **load,
            **_memory_figures(memory),
            "load average": load_average,
        }
    if options.json:
        sys.stdout.write(json.dumps(found, indent=2) + "\n")
        return 0
    for weights, figures in found.items():
        sys.stdout.write(f"{weights}\n" + "".join(f"  {name}: {value}\n" for name, value in figures.items()))
    return 0


def _measure_memory(
    model: SpeakerModel, weights: Weights, corpora: Path, *, clips: int, rounds: int
) -> MemoryFigures:
    """Measure with a minute of speech of several people."""
    people = choose_people(corpora, 8)
    sound = np.concatenate([read_audio(path).samples for paths in people.values() for path in paths])
    with _headless() as driver, serving_library(model, weights) as (server, folder):
        sound[:_MINUTE].astype("<f4").tofile(folder / "speech.f32")
        driver.set_script_timeout(3600)
        with watching_memory(driver):
            open_engine(driver, server)
        return measure_memory(driver, "/speech.f32", clips=clips, rounds=rounds)


def _figures(parity: Parity) -> dict[str, Any]:
    near = np.abs(parity.seconds - 3.0) < 0.5
    return {
        "clips": len(parity.cosines),
        "least cosine": round(float(parity.cosines.min()), 6),
        "mean cosine": round(float(parity.cosines.mean()), 6),
        "most seconds of speech apart": round(float(parity.off_in_seconds.max()), 4),
        "decisions": parity.decisions,
        "decided otherwise": list(parity.other_decisions),
        "recordings played again": parity.replays.decisions,
        "refused in Python": parity.replays.replayed,
        "refused otherwise": list(parity.replays.other_decisions),
        "signs of fingerprints apart": f"{parity.replays.bits_apart} of {parity.replays.bits}",
        "ms of a clip of 3 s, median": round(float(np.median(parity.milliseconds[near])), 1),
        "ms of it in Python": round(float(np.median(parity.milliseconds_in_python[near])), 1),
        "ms to load": round(parity.load),
        "files, least cosine": {
            each.name: f"{each.least:.5f}, resampled by the browser {each.least_by_browser:.5f}"
            for each in parity.files
        },
    }


def _load_figures(load: LoadFigures) -> dict[str, Any]:
    return {
        "MB of the first visit": round(load.megabytes, 1),
        "ms of the first visit until it is ready": round(load.first),
        "ms of the next visit": round(load.next),
        "files that it asks of the server": load.asked_again,
    }


def _memory_figures(memory: MemoryFigures) -> dict[str, Any]:
    def said(held: TabMemory) -> str:
        return f"{held.wasm:.1f} MB of WebAssembly, {held.heap:.1f} MB of scripts"

    return {
        "memory when loaded": said(memory.loaded),
        "after half of the clips": said(memory.clips[0]),
        "after all clips": said(memory.clips[1]),
        "after half of the live sound": said(memory.live[0]),
        "after all of it": said(memory.live[1]),
    }


@contextmanager
def _headless() -> Iterator[Any]:
    from selenium.webdriver import Chrome, ChromeOptions  # noqa: PLC0415  of the extra dev
    from selenium.webdriver.chrome.service import Service  # noqa: PLC0415

    options = ChromeOptions()
    for flag in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"):
        options.add_argument(flag)
    options.binary_location = shutil.which("chromium") or shutil.which("google-chrome") or ""
    driver = Chrome(options=options, service=Service(shutil.which("chromedriver")))
    try:
        yield driver
    finally:
        driver.quit()
