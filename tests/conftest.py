"""What the tests share: real-speech corpora where they are, and synthetic speech everywhere."""

# ruff: noqa: E402
from __future__ import annotations

import os
import sys

# One thread, set before anything loads a BLAS: results must not depend on the machine.
for _variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_variable, "1")

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import soundfile as sf
from numpy.typing import NDArray

from benchmarks.synthetic_speech import SAMPLE_RATE, VOICES, Speechlike, synthesize

if TYPE_CHECKING:
    from postgres_server import PostgresServer

    from voiceprint.corpus import Corpus
    from voiceprint.evaluation import EmbeddedCorpus
    from voiceprint.model import SpeakerModel


LONG = (
    "tests/benchmarks/baselines/test_reproduce_baselines.py",
    "tests/web/test_parity.py",
    "tests/cli/test_cli_settings.py",
    "tests/docs/test_pages.py",
    "tests/store/test_store_erasure.py",
    "tests/training/test_locks.py",
    "tests/docs/test_site.py",
)
"""Files that take longest. They begin first, so that no process is left with one of them at the end."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the longest files first; the order is otherwise kept."""
    rank = {name: place for place, name in enumerate(LONG)}
    items.sort(key=lambda item: rank.get(item.nodeid.partition("::")[0], len(LONG)))


@pytest.fixture(scope="session")
def speechlike() -> Speechlike:
    """The function ``speechlike(seed, seconds=3.0, f0=120.0, formants=1.0) -> float32 (n,)`` at 16 kHz."""
    return synthesize


@pytest.fixture(scope="session")
def voice() -> Callable[..., NDArray[np.float32]]:
    """The function ``voice(name, seed=0, seconds=3.0)``: a clip of a synthetic speaker in VOICES."""

    def speak(name: str, seed: int = 0, seconds: float = 3.0) -> NDArray[np.float32]:
        f0, formants = VOICES[name]
        return synthesize(seed, seconds, f0, formants)

    return speak


@pytest.fixture(scope="session")
def wav() -> Callable[..., Path]:
    """The function ``wav(path, samples, rate=16000, subtype="PCM_16") -> path``; makes the folder too."""

    def write(
        path: Path, samples: NDArray[np.float32], rate: int = SAMPLE_RATE, subtype: str | None = "PCM_16"
    ) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        sf.write(path, samples, rate, subtype=subtype)
        return path

    return write


@pytest.fixture(scope="session")
def corpora() -> Path:
    """The folder of real-speech corpora that VOICEPRINT_CORPORA names."""
    value = os.environ.get("VOICEPRINT_CORPORA")
    if not value:
        pytest.skip("VOICEPRINT_CORPORA is not set: no real speech to test on")
    folder = Path(value).resolve()
    if not folder.is_dir():
        pytest.fail(f"VOICEPRINT_CORPORA={value} is not a folder")
    return folder


@pytest.fixture(autouse=True)
def _own_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep every test away from the user's own store and models."""
    monkeypatch.setenv("VOICEPRINT_STORE", str(tmp_path / "enrollments"))
    monkeypatch.setenv("VOICEPRINT_MODELS", str(tmp_path / "models"))


@pytest.fixture(autouse=True)
def _denormal_numbers() -> Iterator[None]:
    """Give the process its denormal numbers back: a program that trains switches them off for all of it."""
    yield
    if "torch" in sys.modules:
        sys.modules["torch"].set_flush_denormal(False)


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A calibrated model folder that tells synthetic voices apart, for all tests to read."""
    from tiny_model import write_tiny_model  # noqa: PLC0415  onnx, which few tests need

    return write_tiny_model(tmp_path_factory.mktemp("models") / "tiny", synthesize)


@pytest.fixture(scope="session")
def countermeasure(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A countermeasure's folder, to which clips upside down are synthetic, for all tests to read."""
    from tiny_countermeasure import write_tiny_countermeasure  # noqa: PLC0415  onnx, which few tests need

    return write_tiny_countermeasure(tmp_path_factory.mktemp("countermeasures") / "tiny")


@pytest.fixture(scope="session")
def word_checker(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A word checker's folder, to which words are soft tones, for all tests to read."""
    from tiny_words import write_tiny_words  # noqa: PLC0415  onnx, which few tests need

    return write_tiny_words(tmp_path_factory.mktemp("words") / "tiny")


@pytest.fixture
def hears_tones(word_checker: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let the engine hear words in tones, instead of English ones."""
    from voiceprint.challenge import checker  # noqa: PLC0415  onnxruntime, which few tests need
    from voiceprint.engine import questions  # noqa: PLC0415

    monkeypatch.setattr(checker, "_PACKAGED", word_checker)
    questions._word_checker.cache_clear()
    yield
    questions._word_checker.cache_clear()


@pytest.fixture(scope="session")
def model(model_folder: Path) -> SpeakerModel:
    """The model of model_folder, open."""
    from voiceprint.model import SpeakerModel  # noqa: PLC0415  onnxruntime, which few tests need

    return SpeakerModel.open(model_folder)


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory, voice: Callable[..., object]) -> Corpus:
    """Six synthetic people of four clips each, for all tests to read."""
    from small_corpus import write_small_corpus  # noqa: PLC0415

    return write_small_corpus(tmp_path_factory.mktemp("corpora") / "small", voice)


@pytest.fixture(scope="session")
def embedded(corpus: Corpus, model: SpeakerModel) -> EmbeddedCorpus:
    """The clips of corpus, embedded as the system that is reported on."""
    from small_report import embed_small  # noqa: PLC0415

    return embed_small(corpus, model)


@pytest.fixture(scope="session")
def people(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four synthetic people, a folder each, with clips 0.wav to 4.wav of 2 s, for all tests to read."""
    folder = tmp_path_factory.mktemp("people")
    for name in ("ada", "bert", "cleo", "dmitri"):
        (folder / name).mkdir()
        for clip in range(5):
            sf.write(folder / name / f"{clip}.wav", synthesize(clip, 2.0, *VOICES[name]), SAMPLE_RATE)
    return folder


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """A running PostgreSQL with pgvector, for all tests to share."""
    from postgres_server import PostgresServer  # noqa: PLC0415  psycopg, which few tests need

    # Not in pytest's own folder, which is for its owner alone, and PostgreSQL does not run as root.
    with tempfile.TemporaryDirectory(prefix="voiceprint-") as folder:
        server = PostgresServer(Path(folder))
        yield server
        server.stop()


@pytest.fixture
def new_database(postgres_server: PostgresServer) -> Iterator[Callable[..., str]]:
    """``new_database()``: the URL of a database without voiceprints; ``made=False``: without tables too."""
    with postgres_server.lent() as lend:
        yield lend
