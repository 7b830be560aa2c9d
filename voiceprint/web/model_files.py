"""A model folder as the static files that a browser loads: JSON for TOML, and no NumPy files."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from voiceprint.arguments import check_choice
from voiceprint.audio import SAMPLE_RATE
from voiceprint.audio.vad.network import build_network
from voiceprint.countermeasure import LivenessCheck
from voiceprint.countermeasure.card import NETWORK_FILE
from voiceprint.errors import ModelError
from voiceprint.files.whole import write_whole
from voiceprint.model import SpeakerModel
from voiceprint.model.card import ENCODER_FILE, ModelCard
from voiceprint.onnx_runtime import Embed, graph_embedder
from voiceprint.scoring import cosine, normalize

Weights = Literal["int8", "original"]
"""How the encoder's weights are stored: in 8 bits, or as in the model folder."""

LEAST_COSINE = 0.99
"""Of what an encoder in 8 bits makes of a sound and what the original makes of it; below, it is refused."""

FORMAT = 1
CARD, SPEECH, _COHORT = "model.json", "speech.onnx", "cohort.f32"
_TABLES = ("model", "encoder", "decision", "calibration", "open_set", "measured")
_PEOPLE = ("LICENSE", "NOTICE")  # what the licence of the weights asks to go along
_TRIED, _SECONDS = 8, (1, 2, 3, 5)  # sounds that an encoder in 8 bits is compared on, and their lengths


def write_model_files(
    model: SpeakerModel, folder: Path, *, weights: Weights = "int8", liveness: LivenessCheck | None = None
) -> dict[str, Any]:
    """Write what a browser needs of a model.

    Parameters
    ----------
    folder : Path
        It must exist.
    weights : {"int8", "original"}
        With 8 bits the voiceprints still count as the original model's: thresholds and stores are its own.
    liveness : LivenessCheck, optional
        By which it is also asked whether somebody speaks live; its network lies in the folder, too.

    Returns
    -------
    dict
        The contents of ``model.json``.

    Raises
    ------
    ModelError
        If the encoder in 8 bits gives other embeddings than the original, or the folder cannot be written.
    """
    check_choice("weights", weights, get_args(Weights))
    encoder, least = (model.folder / ENCODER_FILE).read_bytes(), None
    if weights == "int8":
        encoder, least = _in_8_bits(model.folder / ENCODER_FILE)
    files = {ENCODER_FILE: encoder, SPEECH: build_network()}
    if model.cohort is not None:
        files[_COHORT] = model.cohort.astype("<f4").tobytes()
    if liveness is not None:
        files[NETWORK_FILE] = _countermeasure(liveness.countermeasure.folder / NETWORK_FILE, weights)
    card = _card(model.card, files, weights={"kind": weights, "least_cosine": least})
    if liveness is not None:
        card["countermeasure"] = _deciding(liveness)
    try:
        for name, content in files.items():
            write_whole(folder / name, content)
        write_whole(folder / CARD, json.dumps(card, separators=(",", ":"), allow_nan=False))
        for name in _PEOPLE:
            if (model.folder / name).is_file():
                shutil.copyfile(model.folder / name, folder / name)
        if liveness is not None and (notice := liveness.countermeasure.folder / "NOTICE").is_file():
            shutil.copyfile(notice, folder / "NOTICE-countermeasure")
    except OSError as error:
        raise ModelError(f"{folder}: cannot be written: {error.strerror}", path=str(folder)) from error
    return card


def _card(card: ModelCard, files: dict[str, bytes], *, weights: dict[str, Any]) -> dict[str, Any]:
    """The card's tables that recognising needs, with the hashes of the files as they are served."""
    tables = card.to_dict()
    return {
        "format": FORMAT,
        "id": card.id,
        "weights": weights,
        "files": {name: hashlib.sha256(content).hexdigest() for name, content in files.items()},
        **{name: tables[name] for name in _TABLES if name in tables},
    }


def _countermeasure(path: Path, weights: Weights) -> bytes:
    """Return the network of a countermeasure, its weights stored as the encoder's are."""
    if weights == "original":
        return path.read_bytes()
    import onnx  # noqa: PLC0415  of the extra models

    from voiceprint.catalog.int8 import WEIGHTED, quantize_weights  # noqa: PLC0415  onnx

    graph = onnx.load(path)
    quantize_weights(graph, operators=WEIGHTED)
    content: bytes = graph.SerializeToString()
    return content


def _deciding(liveness: LivenessCheck) -> dict[str, Any]:
    """Where a countermeasure decides, and the rate that was asked for."""
    card = liveness.countermeasure.card
    named = (
        "name",
        "version",
        "sha256",
        "slope",
        "offset",
        "per_log_second",
        "rates",
        "seconds",
        "thresholds",
    )
    return {name: getattr(card, name) for name in named} | {"spoof_far": liveness.spoof_far}


def _in_8_bits(path: Path) -> tuple[bytes, float]:
    """Store an encoder's weights in 8 bits; returns the file, and the least cosine of its embeddings."""
    import onnx  # noqa: PLC0415  of the extra models

    from voiceprint.catalog.int8 import WEIGHTED, quantize_weights  # noqa: PLC0415  onnx

    graph = onnx.load(path)
    quantize_weights(graph, operators=WEIGHTED)
    content: bytes = graph.SerializeToString()
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / ENCODER_FILE
        made.write_bytes(content)
        least = least_cosine(path, graph_embedder(made))
    if least < LEAST_COSINE:
        raise ModelError(
            f"{path}: in 8 bits its embeddings differ from the original's (cosine {least:.3f}, at least "
            f"{LEAST_COSINE} is needed); keep the original weights",
            path=str(path.parent),
        )
    return content, least


def least_cosine(original: Path, embed: Embed) -> float:
    """Compare an encoder with another form of it on sounds that are made up.

    Parameters
    ----------
    original : Path
        Its ONNX file.
    embed : callable
        The other form: waveforms (1, samples) -> embeddings (1, dim).

    Returns
    -------
    float
        The least cosine of their embeddings.
    """
    first, generator = graph_embedder(original), np.random.default_rng(0)
    sounds = [_sound(generator, _SECONDS[number % len(_SECONDS)])[None] for number in range(_TRIED)]
    return min(float(cosine(normalize(first(sound)), normalize(embed(sound)))[0]) for sound in sounds)


def _sound(generator: np.random.Generator, seconds: int) -> NDArray[np.float32]:
    """Make a buzz with formants and noise, which rises and falls as syllables do: (n,) at 16 kHz."""
    time = np.arange(seconds * SAMPLE_RATE) / SAMPLE_RATE
    pitch = generator.uniform(80.0, 260.0) * (
        1.0 + 0.1 * np.sin(2 * np.pi * generator.uniform(0.3, 1.5) * time)
    )
    phase = 2 * np.pi * np.cumsum(pitch) / SAMPLE_RATE
    formants = generator.uniform([300, 900, 2200], [800, 2000, 3200])
    sound = np.zeros_like(time)
    for harmonic in range(1, 30):
        frequency = harmonic * pitch.mean()
        strength = sum(np.exp(-(((frequency - formant) / 150.0) ** 2)) for formant in formants)
        sound += (strength + 0.02) / harmonic * np.sin(harmonic * phase)
    envelope = 0.55 + 0.45 * np.sin(2 * np.pi * generator.uniform(2.0, 5.0) * time)
    noisy = sound * envelope + 0.02 * generator.standard_normal(len(time))
    level: NDArray[np.float32] = (0.3 * noisy / np.abs(noisy).max()).astype(np.float32)
    return level
