"""Encoders: sizes, shapes, what must not change an embedding, and names that checkpoints rely on."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch.nn.functional import cosine_similarity

from benchmarks.synthetic_speech import Speechlike
from voiceprint.config import build
from voiceprint.errors import ConfigError
from voiceprint.training.encoders import (
    ENCODERS,
    ConvBiLSTM,
    ConvBiLSTMConfig,
    make_encoder,
)
from voiceprint.training.encoders.conv_bilstm import AttentiveStatistics
from voiceprint.training.encoders.features import MFCCConfig
from voiceprint.training.encoders.spectrum import SpectrumConvolutions

SMALL = ConvBiLSTMConfig(
    dim=8, channels=12, blocks=1, hidden=6, attention=4, features=MFCCConfig(n_mfcc=20, n_mels=24)
)
WITH_SPECTRUM = replace(SMALL, spectrum=(4, 6))


def test_default_size() -> None:
    encoder = ConvBiLSTM(ConvBiLSTMConfig())
    assert sum(parameter.numel() for parameter in encoder.parameters()) <= 2_000_000


@pytest.mark.parametrize("config", [SMALL, WITH_SPECTRUM])
@pytest.mark.parametrize("samples", [1_600, 8_000, 16_123])
def test_any_length_gives_dim_numbers(samples: int, config: ConvBiLSTMConfig) -> None:
    encoder = make_encoder(config, seed=0).eval()
    assert encoder(torch.randn(3, samples)).shape == (3, 8)


@pytest.mark.parametrize("config", [SMALL, WITH_SPECTRUM])
def test_level_and_company_do_not_change_an_embedding(
    config: ConvBiLSTMConfig, speechlike: Speechlike
) -> None:
    clips = torch.stack([torch.from_numpy(speechlike(seed, 0.8)) for seed in range(3)])
    encoder = make_encoder(config, seed=0).eval()
    with torch.inference_mode():
        together, alone, softer = encoder(clips), encoder(clips[:1]), encoder(clips * 0.5)
    torch.testing.assert_close(together[:1], alone, rtol=1e-4, atol=1e-5)
    assert float(cosine_similarity(together, softer).min()) > 0.9999


def test_equal_seeds_give_equal_weights_and_no_global_generator_moves() -> None:
    torch.manual_seed(7)
    expected = torch.rand(1)
    torch.manual_seed(7)
    first, second, other = (make_encoder(SMALL, seed=seed).state_dict() for seed in (1, 1, 2))
    assert torch.equal(torch.rand(1), expected)
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert not torch.equal(first["projection.weight"], other["projection.weight"])


def test_parameters_keep_the_names_that_checkpoints_hold() -> None:
    names = {".".join(name.split(".")[:2]) for name in ConvBiLSTM(SMALL).state_dict()}
    assert names == {
        "scale.weight", "scale.bias", "scale.running_mean", "scale.running_var", "scale.num_batches_tracked",
        "convolutions.0", "convolutions.1", "convolutions.2",
        "lstm.weight_ih_l0", "lstm.weight_hh_l0", "lstm.bias_ih_l0", "lstm.bias_hh_l0",
        "lstm.weight_ih_l0_reverse", "lstm.weight_hh_l0_reverse",
        "lstm.bias_ih_l0_reverse", "lstm.bias_hh_l0_reverse",
        "pooling.score",
        "normalization.weight", "normalization.bias", "normalization.running_mean",
        "normalization.running_var", "normalization.num_batches_tracked",
        "projection.weight", "projection.bias",
    }  # fmt: skip
    more = {name for name in ConvBiLSTM(WITH_SPECTRUM).state_dict() if name.startswith("spectrum.")}
    assert {".".join(name.split(".")[1:3]) for name in more} == {
        "scale.weight", "scale.bias", "scale.running_mean", "scale.running_var", "scale.num_batches_tracked",
        "stem.0", "stem.1", "blocks.0", "blocks.1",
    }  # fmt: skip


def test_pooling_with_equal_attention_is_mean_and_standard_deviation() -> None:
    pooling = AttentiveStatistics(2, 3)
    scores = pooling.score[2]
    assert isinstance(scores, torch.nn.Conv1d)
    torch.nn.init.zeros_(scores.weight)  # every frame scores alike
    x = torch.tensor([[[1.0, 3.0, 5.0, 7.0], [2.0, 2.0, 2.0, 2.0]]])
    # Of 1, 3, 5, 7: mean 4, variance 5. A constant's variance is floored at 1e-5.
    expected = torch.tensor([[4.0, 2.0, 5.0**0.5, 1e-5**0.5]])
    torch.testing.assert_close(pooling(x), expected, rtol=1e-5, atol=1e-5)


def test_convolutions_over_the_spectrum_follow_a_voice_that_moves_up() -> None:
    """Moved by as many bands as all strides take, the planes move by one, away from the edges."""
    convolutions = SpectrumConvolutions((4, 6), bands=64).eval()
    spectrum = torch.zeros(1, 64, 20)
    spectrum[:, 24:32] = torch.randn(1, 8, 20)
    planes, moved = (convolutions(x).reshape(6, 16, 10) for x in (spectrum, spectrum.roll(4, dims=1)))
    torch.testing.assert_close(moved[:, 4:12], planes[:, 3:11], rtol=1e-4, atol=1e-5)
    assert float((moved - planes).detach().abs().max()) > 1e-3


def test_log_mels_on_the_way_are_what_forward_uses() -> None:
    encoder = ConvBiLSTM(SMALL).eval()
    waveforms = torch.randn(2, 8000)
    torch.testing.assert_close(encoder.embed_log_mels(encoder.log_mels(waveforms)), encoder(waveforms))


@pytest.mark.parametrize(
    ("kind", "field", "value", "message"),
    [
        *(("conv_bilstm", name, -4, f"encoder.{name}: -4; give more than 0") for name in ("dim", "channels")),
        ("conv_bilstm", "stem", 0, "encoder.stem: 0; give more than 0"),
        ("conv_bilstm", "blocks", -1, "encoder.blocks: -1; give 0 or more"),
        ("conv_bilstm", "spectrum", [8, 0], "encoder.spectrum: 0; give more than 0"),
        ("bilstm", "layers", 0, "encoder.layers: 0; give more than 0"),
        ("keras_fft", "filters", [16, 0, 64, 128, 128], "encoder.filters: 0; give more than 0"),
        ("resnet34_mel", "channels", 0, "encoder.channels: 0; give more than 0"),
        ("spectrogram_cnn", "filters", [], "encoder.filters: is empty; give at least one"),
        ("spectrogram_cnn", "bands", [], "encoder.bands: is empty; give linear, mel or both"),
        ("voicemap", "dim", 0, "encoder.dim: 0; give more than 0"),
    ],
)
def test_sizes_that_make_no_encoder(kind: str, field: str, value: object, message: str) -> None:
    (config,) = [each for each in ENCODERS if each().kind == kind]
    with pytest.raises(ConfigError, match=message):
        build(config, {field: value}, where="encoder")
