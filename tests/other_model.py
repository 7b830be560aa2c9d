"""Another model than the tiny one: it scores alike, with other embeddings, so that none may be mixed up."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper

from voiceprint.files.checksum import sha256_of
from voiceprint.model.card import ENCODER_FILE, read_model_card
from voiceprint.model.folder import write_model_card


def write_other_model(folder: Path, tiny: Path, *, dim: int = 16) -> Path:
    """Turn the tiny model's embeddings about, in a space of other dimensions; returns the folder."""
    folder.mkdir(parents=True)
    encoder = onnx.load(tiny / ENCODER_FILE)
    turn, _ = np.linalg.qr(np.random.default_rng(dim).standard_normal((dim, dim)))
    for tensor in encoder.graph.initializer:
        if tensor.name in ("weight", "bias"):
            value = numpy_helper.to_array(tensor)
            turned = value @ turn[: value.shape[-1]].astype(np.float32)
            tensor.CopyFrom(numpy_helper.from_array(turned.astype(np.float32), tensor.name))
    onnx.save(encoder, folder / ENCODER_FILE)
    card = replace(
        read_model_card(tiny), name="other", dim=dim, files={ENCODER_FILE: sha256_of(folder / ENCODER_FILE)}
    )
    write_model_card(folder, card)
    return folder
