"""Encoders in ONNX become model folders whose embeddings are those of the original code."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Literal

import kaldi_native_fbank
import numpy as np
import pytest
import soundfile
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from typer.testing import CliRunner

from benchmarks.synthetic_speech import Speechlike
from voiceprint.catalog.encoder_input import EncoderInput, FbankConfig
from voiceprint.catalog.front_end import front_end_graph
from voiceprint.catalog.importing import import_onnx, read_description
from voiceprint.cli import app
from voiceprint.corpus import Corpus, Utterance, write_manifest
from voiceprint.errors import ConfigError, ModelError
from voiceprint.model import SpeakerModel
from voiceprint.model.card import read_model_card
from voiceprint.model.folder import write_model_card
from voiceprint.onnx_runtime import load_runtime

BINS, DIM = 24, 6
Clips = list[NDArray[np.float32]]


class Toy(nn.Module):
    """Features (batch, frames, bins) -> a map of their mean and spread over time."""

    def __init__(self) -> None:
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.map = nn.Linear(2 * BINS, DIM)

    def forward(self, features: Tensor) -> Tensor:
        mean = features.mean(dim=1)
        spread = (features - mean[:, None]).square().mean(dim=1)
        embeddings: Tensor = self.map(torch.cat([mean, spread], dim=1))
        return embeddings


class OfWaveforms(nn.Module):
    """16-bit numbers (batch, samples) -> an embedding of their 80-sample blocks."""

    def forward(self, waveforms: Tensor) -> Tensor:
        blocks = nn.functional.avg_pool1d(waveforms.abs()[:, None], 80)[:, 0]
        return torch.stack([blocks.mean(1), blocks.square().mean(1), blocks.amax(1), blocks.amin(1)], dim=1)


class BinsFirst(nn.Module):
    """The toy, with (batch, bins, frames)."""

    def __init__(self, toy: Toy) -> None:
        super().__init__()
        self.toy = toy

    def forward(self, features: Tensor) -> Tensor:
        embeddings: Tensor = self.toy(features.transpose(1, 2))
        return embeddings


class OneClip(nn.Module):
    """An encoder whose graph holds the batch that it was exported with."""

    def __init__(self) -> None:
        super().__init__()
        self.map = nn.Linear(8 * BINS, DIM)

    def forward(self, features: Tensor) -> Tensor:
        embeddings: Tensor = self.map(features[:, :8].reshape(1, 8 * BINS))
        return embeddings


def write_onnx(module: nn.Module, path: Path, example: Tensor, axes: dict[int, str], opset: int = 14) -> None:
    torch.onnx.export(
        module.eval(),
        (example,),
        str(path),
        dynamo=False,
        opset_version=opset,
        input_names=["x"],
        output_names=["y"],
        dynamic_axes={"x": axes, "y": {0: "batch"}} if axes else None,
    )


def kaldi(samples: NDArray[np.float32], *, bins: int = BINS, window: str = "povey", **frame: float) -> Tensor:
    """Filterbank (frames, bins) by Kaldi's own code."""
    options = kaldi_native_fbank.FbankOptions()
    options.frame_opts.dither = 0.0
    options.frame_opts.window_type = window
    options.mel_opts.num_bins = bins
    bank = kaldi_native_fbank.OnlineFbank(options)
    bank.accept_waveform(16000, samples.tolist())
    bank.input_finished()
    return torch.from_numpy(np.array([bank.get_frame(i) for i in range(bank.num_frames_ready)]))


def bank(taken: EncoderInput, waveforms: NDArray[np.float32], *, opset: int = 17) -> NDArray[np.float32]:
    """Run a front end: (batch, samples) -> features."""
    graph = front_end_graph(taken, opset=opset)
    graph.ir_version = 8
    session = load_runtime().InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"])
    features: NDArray[np.float32] = session.run(None, {"waveform": waveforms})[0]
    return features


@pytest.fixture(scope="module")
def clips(speechlike: Speechlike) -> Clips:
    return [speechlike(1, 0.7), speechlike(2, 2.0, 200.0)]


def write_reference(path: Path, pairs: list[tuple[NDArray[np.float32], NDArray[np.float32]]]) -> None:
    waveforms = {f"waveform_{i}": waveform for i, (waveform, _) in enumerate(pairs)}
    embeddings = {f"embedding_{i}": embedding for i, (_, embedding) in enumerate(pairs)}
    np.savez(path, **waveforms, **embeddings)  # type: ignore[arg-type]  # its stub takes them for `allow_pickle`


@pytest.fixture(scope="module")
def described(tmp_path_factory: pytest.TempPathFactory, clips: Clips) -> Path:
    """The toy in ONNX as published: 16-bit scale, Hamming window, its own code's embeddings."""
    folder = tmp_path_factory.mktemp("published")
    toy = Toy().eval()
    with pytest.warns(DeprecationWarning):
        write_onnx(toy, folder / "toy.onnx", torch.zeros(1, 50, BINS), {0: "batch", 1: "time"})
    pairs = []
    for clip in clips:
        features = kaldi(clip * 32768, window="hamming")
        with torch.inference_mode():
            pairs.append((clip, toy((features - features.mean(0))[None])[0].numpy()))
    write_reference(folder / "reference.npz", pairs)
    path = folder / "toy.toml"
    path.write_text(
        'name = "toy"\nversion = "1"\nlicence = "CC0-1.0"\nfile = "toy.onnx"\nreference = "reference.npz"\n'
        f'input = "fbank"\n[fbank]\nbins = {BINS}\nwindow = "hamming"\nscale = 32768.0\n'
    )
    return path


@pytest.mark.parametrize(("window", "scale"), [("povey", 1.0), ("hamming", 32768.0)])
def test_the_filterbank_is_kaldis(clips: Clips, window: Literal["povey", "hamming"], scale: float) -> None:
    config = FbankConfig(window=window, scale=scale, subtract_mean=False)
    for clip in clips:
        ours = torch.from_numpy(bank(EncoderInput(input="fbank", fbank=config), clip[None])[0])
        theirs = kaldi(clip * np.float32(scale), bins=80, window=window)
        # Kaldi sums in single precision: in near silence the logarithm shows it.
        torch.testing.assert_close(ours, theirs, atol=2e-2, rtol=0)


def test_the_filterbank_gives_as_many_frames_as_fit_whole() -> None:
    for samples, frames in ((400, 1), (559, 1), (560, 2), (1600, 8)):
        clips = np.ones((2, samples), dtype=np.float32)
        assert bank(EncoderInput(input="fbank"), clips).shape == (2, frames, 80)
        assert bank(EncoderInput(input="fbank", bins_first=True), clips).shape == (2, 80, frames)


@pytest.mark.parametrize("opset", [9, 13, 18, 21])
def test_the_filterbank_is_the_same_in_every_operator_set(clips: Clips, opset: int) -> None:
    taken = EncoderInput(input="fbank")
    np.testing.assert_array_equal(bank(taken, clips[0][None], opset=opset), bank(taken, clips[0][None]))


def test_the_graph_of_the_filterbank_is_the_same_on_every_machine() -> None:
    """Voiceprints belong to a model's id, which is the hash of its graph."""
    graph = front_end_graph(EncoderInput(input="fbank"), opset=17)
    constants = b"".join(tensor.raw_data for tensor in graph.graph.initializer)
    assert hashlib.sha256(constants).hexdigest() == (
        "6c4b89474dbeb8eb04d2534f8c90286b28195b33e915643aba1ed307e755b76e"
    )


def test_a_mean_is_taken_off_every_filter(clips: Clips) -> None:
    features = bank(EncoderInput(input="fbank"), clips[0][None])
    np.testing.assert_allclose(features.mean(axis=1), np.zeros((1, 80)), atol=1e-4)


def test_an_encoder_of_filterbanks_becomes_a_model(described: Path, clips: Clips, tmp_path: Path) -> None:
    imported = import_onnx(described, tmp_path / "toy")
    assert imported.clips == 2
    assert imported.parity < 1e-6
    model = SpeakerModel.open(tmp_path / "toy")
    assert (model.card.name, model.card.licence, model.dim) == ("toy", "CC0-1.0", DIM)
    assert model.card.min_seconds == 0.1
    assert model.card.encoder["fbank"]["window"] == "hamming"
    alone, together = model.embed([clips[0]])[0], model.embed([clips[1], clips[0], clips[0]])[1]
    np.testing.assert_allclose(alone, together, atol=1e-6)


def test_an_encoder_of_waveforms_becomes_a_model(clips: Clips, tmp_path: Path) -> None:
    toy = OfWaveforms()
    with pytest.warns(DeprecationWarning):
        write_onnx(toy, tmp_path / "toy.onnx", torch.zeros(1, 8000), {0: "batch", 1: "samples"})
    write_reference(
        tmp_path / "pairs.npz",
        [(clip, toy(torch.from_numpy(clip * 32768)[None])[0].numpy()) for clip in clips],
    )
    (tmp_path / "toy.toml").write_text(
        'name = "toy"\nversion = "1"\nfile = "toy.onnx"\nreference = "pairs.npz"\ninput = "waveform"\n'
        "scale = 32768.0\n"
    )
    imported = import_onnx(tmp_path / "toy.toml", tmp_path / "model")
    assert imported.parity < 1e-6
    assert imported.card.dim == 4


def test_bins_may_come_first(described: Path, tmp_path: Path) -> None:
    with pytest.warns(DeprecationWarning):
        write_onnx(BinsFirst(Toy()), tmp_path / "toy.onnx", torch.zeros(1, BINS, 50), {0: "batch", 2: "time"})
    (tmp_path / "reference.npz").write_bytes((described.parent / "reference.npz").read_bytes())
    (tmp_path / "toy.toml").write_text("bins_first = true\n" + described.read_text())
    assert import_onnx(tmp_path / "toy.toml", tmp_path / "model").parity < 1e-6


def test_another_front_end_than_the_original_is_refused(described: Path, tmp_path: Path) -> None:
    wrong = described.with_name("wrong.toml")
    wrong.write_text(described.read_text().replace("32768.0", "1.0"))
    with pytest.raises(ModelError, match=r"from those of the original code, more than 1e-05"):
        import_onnx(wrong, tmp_path / "toy")
    assert list(tmp_path.iterdir()) == []


def test_what_is_to_be_done_before_it_is_in_place_is_part_of_it(described: Path, tmp_path: Path) -> None:
    def renamed(folder: Path) -> None:
        assert not (tmp_path / "toy").exists()
        write_model_card(folder, replace(read_model_card(folder), version="2"))

    assert import_onnx(described, tmp_path / "toy", finish=renamed).card.version == "2"
    assert read_model_card(tmp_path / "toy").version == "2"


def test_an_import_whose_calibration_fails_leaves_nothing(
    described: Path, clips: Clips, tmp_path: Path
) -> None:
    people = []
    for name, clip in zip("ab", clips, strict=True):
        soundfile.write(tmp_path / f"{name}.wav", clip, 16_000)
        path = tmp_path / f"{name}.wav"
        people.append(
            Utterance(path=path, speaker=name, seconds=len(clip) / 16_000, id=name, split="dev", corpus="two")
        )
    write_manifest(Corpus(people), tmp_path / "manifest.csv")
    command = ["models", "import", described, "-o", tmp_path / "models" / "toy", "--jobs", "1"]
    result = CliRunner().invoke(app, [*map(str, command), "--corpus", str(tmp_path / "manifest.csv")])
    assert result.exit_code == 2, result.output
    assert result.stderr.splitlines()[-1].startswith("Error: ")
    assert "speaker" in result.stderr
    assert list((tmp_path / "models").iterdir()) == []


def test_a_graph_of_one_clip_at_a_time_is_refused(described: Path, tmp_path: Path) -> None:
    with pytest.warns(DeprecationWarning):
        write_onnx(OneClip(), described.with_name("fixed.onnx"), torch.zeros(1, 50, BINS), {})
    fixed = described.with_name("fixed.toml")
    fixed.write_text(described.read_text().replace("toy.onnx", "fixed.onnx"))
    with pytest.raises(ModelError, match=r"does not embed two clips .*(dynamic axes).*Reshape"):
        import_onnx(fixed, tmp_path / "toy")


def test_an_existing_folder_is_left_alone(described: Path, tmp_path: Path) -> None:
    (tmp_path / "toy").mkdir()
    with pytest.raises(ModelError, match="exists already"):
        import_onnx(described, tmp_path / "toy")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("toy.onnx", "none.onnx", r"none\.onnx: no such file"),
        ("toy.onnx", "toy.toml", r"toy\.toml: is not an ONNX model"),
        ("reference.npz", "toy.onnx", r"toy\.onnx: is not an npz file"),
    ],
)
def test_a_wrong_file_is_named(described: Path, tmp_path: Path, old: str, new: str, message: str) -> None:
    wrong = described.with_name("wrong-file.toml")
    wrong.write_text(described.read_text().replace(f'"{old}"', f'"{new}"'))
    with pytest.raises(ModelError, match=message):
        import_onnx(wrong, tmp_path / "toy")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('input = "fbank"', 'input = "mfcc"', "input: 'mfcc' is not one of"),
        ("bins =", "bin =", "did you mean 'bins'"),
        ('name = "toy"\n', "", "missing"),
    ],
)
def test_a_wrong_description_is_refused(
    described: Path, tmp_path: Path, old: str, new: str, message: str
) -> None:
    path = tmp_path / "wrong.toml"
    path.write_text(described.read_text().replace(old, new))
    with pytest.raises(ConfigError, match=message):
        read_description(path)


def test_a_missing_description_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.toml: no such file"):
        read_description(tmp_path / "none.toml")
