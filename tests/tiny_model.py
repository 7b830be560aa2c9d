"""A tiny model folder for tests: log band energies, their mean and spread over time, and a fitted linear map.

It tells synthetic voices apart well and in milliseconds, so that everything around the encoder can be tested
without the real one.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from voiceprint.calibration import Calibration, CalibrationCell, MeasuredPoint
from voiceprint.files.checksum import sha256_of
from voiceprint.model.card import ENCODER_FILE, ModelCard
from voiceprint.model.folder import write_model_card
from voiceprint.onnx_runtime import load_runtime

Floats = NDArray[np.float32]

DIM = 12
_BANDS = np.geomspace(80, 4000, 40)  # Hz
_FRAME, _HOP = 512, 160  # samples
_VOICES, _CLIPS, _SECONDS = 24, 2, 0.8


def write_tiny_model(folder: Path, speak: Callable[..., Floats]) -> Path:
    """Write a calibrated model folder, fitted to voices of ``speak(seed, seconds, f0, formants)``."""
    folder.mkdir(parents=True, exist_ok=True)
    clips = _clips(speak)  # (voices, clips, samples)
    identity = np.eye(2 * len(_BANDS))
    statistics = _run(_encoder(identity, np.zeros(len(identity))), clips)
    encoder = _encoder(*_discriminant(statistics))
    onnx.save(encoder, folder / ENCODER_FILE)
    card = ModelCard(
        name="tiny",
        version="1",
        dim=DIM,
        files={ENCODER_FILE: sha256_of(folder / ENCODER_FILE)},
        description="A linear map of band energies, for tests.",
        licence="Apache-2.0",
        calibration=tiny_calibration(),
    )
    write_model_card(folder, card)
    return folder


def _clips(speak: Callable[..., Floats]) -> Floats:
    # Each pitch with a vocal tract that is not its neighbours': 7 runs through all 24 places in steps.
    voices = [
        (f0, 0.84 + 0.4 * (7 * place % _VOICES) / _VOICES)
        for place, f0 in enumerate(np.geomspace(85, 260, _VOICES))
    ]
    return np.array(
        [
            [speak(1000 * voice + clip, _SECONDS, f0, formants) for clip in range(_CLIPS)]
            for voice, (f0, formants) in enumerate(voices)
        ]
    )


def _encoder(weight: NDArray[np.floating], bias: NDArray[np.floating]) -> onnx.ModelProto:
    """Build waveform (batch, samples) -> mean and log variance of log band energies -> linear map."""
    window, time = np.hanning(_FRAME), np.arange(_FRAME) / 16_000
    waves = [wave(2 * np.pi * band * time) * window for band in _BANDS for wave in (np.cos, np.sin)]
    constants = {
        "kernels": np.stack(waves)[:, None],  # (2 bands, 1, frame)
        "sum_of_two": np.kron(np.eye(len(_BANDS)), [1.0, 1.0])[..., None],  # (bands, 2 bands, 1)
        "floor": np.array(1e-3),
        "weight": weight,
        "bias": bias,
    }
    nodes = [
        helper.make_node("Unsqueeze", ["waveform", "channel"], ["mono"]),
        helper.make_node("Conv", ["mono", "kernels"], ["waves"], strides=[_HOP]),
        helper.make_node("Mul", ["waves", "waves"], ["powers"]),
        helper.make_node("Conv", ["powers", "sum_of_two"], ["energies"]),
        helper.make_node("Add", ["energies", "floor"], ["floored"]),
        helper.make_node("Log", ["floored"], ["bands"]),
        helper.make_node("ReduceMean", ["bands"], ["mean"], axes=[2]),
        helper.make_node("Sub", ["bands", "mean"], ["centred"]),
        helper.make_node("Mul", ["centred", "centred"], ["deviations"]),
        helper.make_node("ReduceMean", ["deviations"], ["variance"], axes=[2]),
        helper.make_node("Add", ["variance", "floor"], ["variance_floored"]),
        helper.make_node("Log", ["variance_floored"], ["spread"]),
        helper.make_node("Concat", ["mean", "spread"], ["both"], axis=1),
        helper.make_node("Flatten", ["both"], ["statistics"]),
        helper.make_node("Gemm", ["statistics", "weight", "bias"], ["embedding"]),
    ]
    tensors = [numpy_helper.from_array(value.astype(np.float32), name) for name, value in constants.items()]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("waveform", TensorProto.FLOAT, ["batch", "samples"])],
        [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["batch", "dim"])],
        [*tensors, numpy_helper.from_array(np.array([1]), "channel")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def _run(encoder: onnx.ModelProto, clips: Floats) -> Floats:
    """Run an encoder: (voices, clips, samples) -> (voices, clips, dim)."""
    session = load_runtime().InferenceSession(encoder.SerializeToString(), providers=["CPUExecutionProvider"])
    return np.stack([session.run(None, {"waveform": voice})[0] for voice in clips])


def _discriminant(statistics: Floats) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Fit the linear discriminant (Fisher) of (voices, clips, d): weight (d, DIM) and bias (DIM,)."""
    means = statistics.mean(axis=1)
    within = (statistics - means[:, None]).reshape(-1, statistics.shape[-1])
    noise = np.cov(within.T) + 0.05 * np.eye(within.shape[1])
    values, vectors = np.linalg.eigh(noise)
    whiten = vectors / np.sqrt(values)
    _, _, directions = np.linalg.svd((means - means.mean(axis=0)) @ whiten, full_matrices=False)
    weight = whiten @ directions[:DIM].T
    return weight, -means.mean(axis=0) @ weight


def tiny_calibration() -> Calibration:
    """Return numbers for hand checks: EER 0.80, 5 % 0.82, 1 % 0.86, 0.1 % 0.90; all 0.02 up for 3 clips."""
    return Calibration(
        cells=tuple(
            _cell(n_enroll, seconds, lift=0.0 if n_enroll == 1 else 0.02)
            for n_enroll in (1, 3)
            for seconds in (1.0, 3.0)
        ),
        p_target=0.5,
        fingerprint="0" * 64,
    )


def _cell(n_enroll: int, seconds: float, *, lift: float) -> CalibrationCell:
    rates, thresholds = (0.05, 0.01, 0.001), (0.82, 0.86, 0.90)
    return CalibrationCell(
        n_enroll=n_enroll,
        seconds=seconds,
        slope=50.0,
        offset=-50.0 * (0.80 + lift),
        eer=0.02,
        eer_threshold=0.80 + lift,
        points=tuple(
            MeasuredPoint(p_fa=rate, p_miss=0.05, threshold=threshold + lift, resolved=True)
            for rate, threshold in zip(rates, thresholds, strict=True)
        ),
        tail=0.005,
        n_target=1000,
        n_nontarget=100_000,
        n_speakers=100,
        n_pairs=9900,
    )
