"""Is this installation sound? Versions, model, store, and a self-test on synthetic audio."""

from __future__ import annotations

import io
import os
import platform
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

import numpy as np
import soundfile as sf
from numpy.typing import NDArray

from voiceprint.audio import SAMPLE_RATE, read_audio
from voiceprint.audio.clips import samples_to_embed
from voiceprint.challenge import WordChecker
from voiceprint.countermeasure import Countermeasure, packaged_countermeasure
from voiceprint.diarization.segmentation import Segmentation
from voiceprint.engine.verifier import Verifier
from voiceprint.errors import ModelError, VoiceprintError
from voiceprint.model import SpeakerModel
from voiceprint.percent import percent
from voiceprint.scoring import cosine
from voiceprint.store import default_store_path, is_url, shown

__all__ = ["Check", "examine", "hum"]

_PACKAGES = ("voiceprint-engine", "numpy", "soundfile", "soxr", "onnxruntime", "typer", "rich")


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that was looked at.

    Attributes
    ----------
    detail : str
        What was found, or what is wrong and what to do.
    """

    name: str
    ok: bool
    detail: str


def examine(
    *, store: str | os.PathLike[str] | None = None, model: str | os.PathLike[str] | None = None
) -> Iterator[Check]:
    """Look at everything that enrolling and verifying need.

    Parameters
    ----------
    store : path or URL, optional
        The enrollment store; by default the default one. A folder need not exist.
    model : path, optional
        The model folder or a name, as `SpeakerModel.open` takes it; by default the one in use.

    Yields
    ------
    Check
        One for each thing, as it is found.
    """
    yield Check(
        name="python", ok=True, detail=f"{platform.python_version()}, {sys.platform}, {platform.machine()}"
    )
    for package in _PACKAGES:
        yield _package(package)
    yield _checked("model", lambda: _describe_model(SpeakerModel.open(model)))
    yield _checked("countermeasure", _describe_countermeasure)
    yield _checked("segmentation", _describe_segmentation)
    yield _checked("word checker", _describe_word_checker)
    yield _checked("store", lambda: _describe_store(store, model))
    yield _checked("self-test", lambda: _test(SpeakerModel.open(model)))


def hum(seconds: float = 3.0, *, pitch: float = 120.0, seed: int = 0) -> NDArray[np.float32]:
    """Render a hum, float32 (seconds * 16000,).

    A trembling pitch with falling harmonics, swelling three times a second.

    Parameters
    ----------
    pitch : float
        Its fundamental in Hz.
    seed : int
        Of the tremble and the breath.
    """
    rng = np.random.default_rng(seed)
    n = round(seconds * SAMPLE_RATE)
    tremble = 1 + 0.02 * np.cumsum(rng.standard_normal(n)) / np.sqrt(n)
    phase = 2 * np.pi * np.cumsum(pitch * tremble) / SAMPLE_RATE
    harmonics = np.arange(1, int(3500 / pitch))
    voice = sum(np.sin(k * phase) / k for k in harmonics)
    swell = 0.6 + 0.4 * np.sin(2 * np.pi * 3 * np.arange(n) / SAMPLE_RATE)
    return (0.1 * (swell * voice + 0.05 * rng.standard_normal(n))).astype(np.float32)


def _package(name: str) -> Check:
    try:
        return Check(name=name, ok=True, detail=version(name))
    except PackageNotFoundError:
        return Check(name=name, ok=False, detail=f"is not installed; pip install {name}")


def _checked(name: str, check: Callable[[], str]) -> Check:
    try:
        return Check(name=name, ok=True, detail=check())
    except VoiceprintError as error:
        return Check(name=name, ok=False, detail=str(error))


def _describe_model(model: SpeakerModel) -> str:
    calibrated = "calibrated" if model.card.calibration else "without thresholds"
    return f"{model.card.title}, {model.id[:12]}, {model.dim} dimensions, {calibrated}, in {model.folder}"


def _describe_countermeasure() -> str:
    folder = packaged_countermeasure()
    if folder is None:
        return "none comes with this version; whether somebody speaks live takes the folder of one"
    card = Countermeasure(folder).card
    rates = f"{percent(card.rates[0])} to {percent(card.rates[-1])}"
    return f"{card.title}, {card.sha256[:12]}, people rejected: {rates}, in {folder}"


def _describe_segmentation() -> str:
    network = Segmentation.packaged()
    if network is None:
        return "none comes with this version; diarization does without"
    return f"of `diarize`, in {network.path}"


def _describe_word_checker() -> str:
    checker = WordChecker.open()
    return f"{checker.card.title}, {checker.card.sha256[:12]}, of challenges, in {checker.folder}"


def _describe_store(store: str | os.PathLike[str] | None, model: str | os.PathLike[str] | None) -> str:
    path = default_store_path() if store is None else store
    named = shown(path)
    if not is_url(path) and not os.path.lexists(path):
        return f"{named} does not exist yet; the first enrollment makes it"
    with Verifier(path, model=model, read_only=True, create=False) as opened:
        problems = opened.store.problems()
        if problems:
            raise VoiceprintError(f"{named}: {'; '.join(problems)}")
        return f"{len(opened)} enrolled in {named}"


def _test(model: SpeakerModel) -> str:
    """Decode, find speech in, embed and compare synthetic audio, as verifying does with a clip."""
    clips = [hum(pitch=pitch) for pitch in (110.0, 110.0, 220.0)]
    started = time.perf_counter()
    waveforms = [read_audio(_as_flac(clip)) for clip in clips]
    embeddings = model.embed([samples_to_embed(waveform) for waveform in waveforms])
    milliseconds = 1000 * (time.perf_counter() - started) / len(clips)
    again = model.embed([samples_to_embed(waveforms[0])])[0]
    same, other = (float(cosine(again, embeddings[index])) for index in (1, 2))
    if abs(same - 1.0) > 1e-4:
        raise ModelError(
            f"equal clips score {same:.5f}, not 1; install onnxruntime anew", path=str(model.folder)
        )
    if other > same - 1e-3:
        raise ModelError(
            f"different hums score {other:.5f}; the model hears no difference", path=str(model.folder)
        )
    return f"a clip of 3 s is read and embedded in {milliseconds:.0f} ms"


def _as_flac(samples: NDArray[np.float32]) -> bytes:
    buffer = io.BytesIO()
    sf.write(buffer, samples, SAMPLE_RATE, format="FLAC")
    return buffer.getvalue()
