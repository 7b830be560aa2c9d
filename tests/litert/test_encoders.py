"""Every encoder that can be trained here converts for LiteRT, by its recipe's own sizes, and CAM++ does."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from campplus_in_torch import BINS, small_campplus

from benchmarks.synthetic_speech import synthesize
from voiceprint.catalog.campplus import campplus_graph
from voiceprint.catalog.encoder_input import EncoderInput, FbankConfig
from voiceprint.catalog.front_end import front_end_graph
from voiceprint.catalog.graphs import join, opset_of
from voiceprint.litert import convert_graph, litert_embedder
from voiceprint.litert.running import litert_runner
from voiceprint.onnx_runtime import graph_embedder
from voiceprint.scoring import cosine, normalize
from voiceprint.training.encoders import make_encoder
from voiceprint.training.export.graph import halve, write_onnx
from voiceprint.training.run.recipe import read_recipe

CONFIGS = Path(__file__).parents[2] / "configs"
RECIPES = (
    "default",
    "five-speakers",
    "spectrogram-cnn",
    "keras-fft",
    "resnet34-mel",
    "voicemap",
    "lstm-triplet",
)


@pytest.mark.parametrize("recipe", RECIPES)
def test_an_encoder_embeds_alike_in_both_runtimes(recipe: str, tmp_path: Path) -> None:
    encoder = make_encoder(read_recipe(CONFIGS / f"{recipe}.toml").encoder, seed=0)
    statistics = torch.Generator().manual_seed(0)
    for name, values in encoder.named_buffers():
        if name.endswith(("running_mean", "running_var")):
            values.add_(0.3 * torch.rand(values.shape, generator=statistics))
    path, made = tmp_path / "encoder.onnx", tmp_path / "encoder.tflite"
    write_onnx(encoder.eval(), path)
    halve(path)
    made.write_bytes(convert_graph(path))
    first, second = graph_embedder(path), litert_embedder(made)
    for seed, samples in enumerate((16000, 16000, 23456, 48001)):
        clip = synthesize(seed, samples / 16000, 120.0, 1.0)[None, :samples]
        ours, theirs = normalize(first(clip)), normalize(second(clip))
        assert np.isfinite(theirs).all()
        assert cosine(ours, theirs)[0] > 0.9999


def test_campplus_embeds_alike_in_both_runtimes(tmp_path: Path) -> None:
    weights = {name: tensor.numpy() for name, tensor in small_campplus().state_dict().items()}
    network = campplus_graph(weights)
    taken = EncoderInput(input="fbank", fbank=FbankConfig(bins=BINS))
    path, made = tmp_path / "encoder.onnx", tmp_path / "encoder.tflite"
    onnx.save(join(front_end_graph(taken, opset=opset_of(network)), network, source=path), path)
    made.write_bytes(convert_graph(path))
    first, run = graph_embedder(path), litert_runner(made)
    # Of a second there are 49 steps; a segment holds 100, and the last one what is left.
    for seed, seconds in enumerate((1.0, 2.02, 2.04, 5.3)):
        clip = synthesize(seed, seconds, 120.0, 1.0)[None]
        theirs = run(front_waveform=clip)["encoder_embedding"]
        assert cosine(normalize(first(clip)), normalize(theirs))[0] > 0.9999
