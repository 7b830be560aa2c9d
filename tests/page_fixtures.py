"""One browser and one server for all tests of the page in a process; imported by conftest.py."""

from __future__ import annotations

import csv
import json
import urllib.request
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

import numpy as np
import pytest
import soundfile as sf
from browser import Page, Served, allow_microphone, chromium, serving
from selenium.webdriver import Chrome

from voiceprint.audio.quality import ClipQuality
from voiceprint.engine.verifier import Verifier
from voiceprint.store import Consent, EnrolledUtterance, EnrollmentStore

__all__ = ["CROWD", "driver", "microphone", "page", "same_page", "served", "speech", "started_browser"]

CROWD = 120
"""People of random voices in the server's store, besides ada and bert."""


@pytest.fixture(scope="session")
def microphone(tmp_path_factory: pytest.TempPathFactory, people: Path) -> Path:
    """The file that the microphone plays; each test may write its own speech into it."""
    path = tmp_path_factory.mktemp("microphone") / "microphone.wav"
    _let_ada_speak(path, people)
    return path


def _let_ada_speak(microphone: Path, people: Path) -> None:
    microphone.write_bytes((people / "ada" / "3.wav").read_bytes())


@pytest.fixture(scope="session")
def started_browser(microphone: Path) -> Iterator[Chrome]:
    """The browser of all tests; a test asks for ``driver``."""
    with chromium(microphone) as started:
        yield started


@pytest.fixture
def driver(started_browser: Chrome, microphone: Path, people: Path) -> Chrome:
    """A browser as each test finds it: its console empty, its microphone allowed and playing ada."""
    _let_ada_speak(microphone, people)
    allow_microphone(started_browser)
    Page(started_browser, "").complaints()
    return started_browser


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory, model_folder: Path, people: Path) -> Iterator[Served]:
    """A server without keys, on which ada, bert and a crowd are enrolled."""
    store = tmp_path_factory.mktemp("page") / "store"
    with Verifier(store, model=model_folder) as verifier:
        for name in ("ada", "bert"):
            consent = Consent(by=name, purpose="verification", given=datetime(2026, 1, 2, tzinfo=UTC))
            verifier.enroll(name, [people / name / f"{clip}.wav" for clip in range(3)], consent=consent)
        _enroll_crowd(verifier.store, verifier.model.card.dim)
    # The microphone of all tests plays the same few recordings.
    options = ["--no-keys", "--allow-replay", "--rate", "1000", "--store", str(store)]
    with serving(*options, "--model", str(model_folder)) as started:
        yield started


def _enroll_crowd(store: EnrollmentStore, dim: int) -> None:
    generator = np.random.default_rng(0)
    quality = ClipQuality(seconds=9.0, seconds_of_speech=7.0, level_dbfs=-22.0, clipped=0.0, snr_db=25.0)
    for number in range(CROWD):
        embedding = generator.standard_normal(dim).astype(np.float32)
        embedding /= np.linalg.norm(embedding)
        digest = f"{number:064x}"
        clip = EnrolledUtterance(embedding=embedding, clip_sha256=digest, source="x.wav", quality=quality)
        store.add(f"Person {number:03}", [clip])


@pytest.fixture
def page(driver: Chrome, served: Served) -> Iterator[Page]:
    """The page, just opened; whoever a test enrolls there is gone before the next."""
    found = Page(driver, served.url)
    found.open()
    found.complaints()
    before = _enrolled(served)
    yield found
    for name in _enrolled(served) - before:
        _ask(served, "DELETE", f"/v1/speakers/{quote(name, safe='')}")


def _enrolled(served: Served) -> set[str]:
    return {
        speaker["name"] for speaker in json.loads(_ask(served, "GET", "/v1/speakers?limit=1000"))["speakers"]
    }


def _ask(served: Served, method: str, path: str) -> bytes:
    request = urllib.request.Request(served.url + path, method=method)
    with urllib.request.urlopen(request, timeout=60) as answer:
        content: bytes = answer.read()
    return content


@pytest.fixture
def same_page(request: pytest.FixtureRequest, driver: Chrome, served: Served) -> Page:
    """The page, opened once for all cases of a table."""
    found, table = Page(driver, served.url), request.node.originalname
    if driver.execute_script("return window.table") != table:
        found.open()
        driver.execute_script("window.table = arguments[0]", table)
    return found


@pytest.fixture(scope="session")
def speech(corpora: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """``speech(who, first, last, path=None)``: some clips of a real speaker, one after the other, as wav."""
    folder = tmp_path_factory.mktemp("speech")
    with (corpora / "voxforge" / "manifest.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))

    def write(who: str, first: int, last: int, path: Path | None = None) -> Path:
        clips = [row["path"] for row in rows if row["speaker"] == who][first:last]
        samples = np.concatenate([sf.read(corpora / "voxforge" / clip, dtype="float32")[0] for clip in clips])
        path = path or folder / f"{who}-{first}.wav"
        sf.write(path, samples, 16_000, subtype="PCM_16")
        return path

    return write
