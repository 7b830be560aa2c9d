"""The comparison encoders: their published sizes, what they hear, and that ONNX gives what torch gives."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn.functional import cosine_similarity

from benchmarks.synthetic_speech import Speechlike
from voiceprint.errors import ConfigError
from voiceprint.onnx_runtime import PARITY
from voiceprint.training.encoders import (
    ENCODERS,
    BiLSTM,
    BiLSTMConfig,
    ConvBiLSTM,
    ConvBiLSTMConfig,
    EncoderConfig,
    KerasFFT,
    KerasFFTConfig,
    ResNet34Mel,
    ResNet34MelConfig,
    SpectrogramCNN,
    SpectrogramCNNConfig,
    Voicemap,
    VoicemapConfig,
    make_encoder,
)
from voiceprint.training.encoders.features import MelConfig, MFCCConfig
from voiceprint.training.encoders.keras_fft import SecondSpectrum
from voiceprint.training.encoders.voicemap import Decimate
from voiceprint.training.export.graph import parity_distance, write_onnx
from voiceprint.training.losses.classification import SoftmaxLoss
from voiceprint.training.run.precision import choose_precision

FEW_MELS = MelConfig(n_mels=20)
SMALL: tuple[EncoderConfig, ...] = (
    KerasFFTConfig(dim=6, filters=(4, 8), convolutions=(2, 3), hidden=10),
    SpectrogramCNNConfig(dim=6, filters=(4, 8, 8), features=FEW_MELS),
    SpectrogramCNNConfig(dim=6, bands=("mel",), filters=(4, 8), features=FEW_MELS),
    ResNet34MelConfig(dim=6, channels=4, features=FEW_MELS),
    VoicemapConfig(dim=6, filters=8),
    BiLSTMConfig(hidden=3, layers=2, features=MFCCConfig(n_mfcc=12, n_mels=20)),
    ConvBiLSTMConfig(
        dim=6,
        channels=8,
        blocks=1,
        hidden=3,
        attention=4,
        spectrum=(4, 6),
        features=MFCCConfig(n_mfcc=12, n_mels=20),
    ),
)
OF_EACH = pytest.mark.parametrize("config", SMALL, ids=lambda config: config.kind)


def parameters(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def used(config: EncoderConfig, clips: torch.Tensor) -> nn.Module:
    """An encoder whose batch normalisations have seen ``clips``."""
    encoder = make_encoder(config, seed=0).train()
    with torch.no_grad():
        for _ in range(20):
            encoder(clips)
    return encoder.eval()


def tone(hertz: float, seconds: float = 1.0) -> torch.Tensor:
    """A sine of amplitude 1, (1, samples)."""
    turns = hertz * torch.arange(int(16_000 * seconds)).double() / 16_000
    return torch.sin(2 * math.pi * turns).float()[None]


# ---- every encoder --------------------------------------------------------------------------------------


def test_every_encoder_is_tested_here() -> None:
    assert {type(config) for config in SMALL} == set(ENCODERS)


@OF_EACH
@pytest.mark.parametrize("samples", [1_600, 8_000, 16_000, 37_123])
def test_any_length_gives_dim_numbers(config: EncoderConfig, samples: int) -> None:
    encoder = make_encoder(config, seed=0).eval()
    with torch.inference_mode():
        assert encoder(torch.randn(3, samples)).shape == (3, config.dim) == (3, 6)


@OF_EACH
def test_company_does_not_change_an_embedding(config: EncoderConfig, speechlike: Speechlike) -> None:
    clips = torch.stack([torch.from_numpy(speechlike(seed, 1.2)) for seed in range(3)])
    encoder = used(config, clips)
    with torch.inference_mode():
        torch.testing.assert_close(encoder(clips)[:1], encoder(clips[:1]), rtol=1e-3, atol=1e-5)


@OF_EACH
def test_the_graph_gives_what_torch_gives_at_any_length(
    config: EncoderConfig, speechlike: Speechlike, tmp_path: Path
) -> None:
    clips = torch.stack([torch.from_numpy(speechlike(seed, 1.2)) for seed in range(3)])
    encoder = used(config, clips)
    write_onnx(encoder, tmp_path / "encoder.onnx")
    speech = speechlike(7, 3.7)
    cuts = [speech[: int(seconds * 16_000)] for seconds in (0.1, 0.5, 1.0, 1.99, 3.7)]
    assert parity_distance(encoder, tmp_path / "encoder.onnx", cuts) <= PARITY


@OF_EACH
def test_bf16_leaves_the_front_end_alone(config: EncoderConfig, speechlike: Speechlike) -> None:
    clips = torch.stack([torch.from_numpy(speechlike(seed, 1.2)) for seed in range(3)])
    encoder = used(config, clips)
    with torch.inference_mode():
        exact = encoder(clips)
    try:
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
            rough = encoder(clips)
    except RuntimeError as error:  # processors without AVX-512 have no bf16 LSTM: training then takes float32
        assert "primitive descriptor" in str(error)
        assert choose_precision(encoder, clips)[0] == "float32"
        return
    assert rough.dtype == torch.float32
    assert float(cosine_similarity(exact, rough).min()) > 0.99


# ---- keras_fft ------------------------------------------------------------------------------------------


def test_keras_fft_has_the_published_number_of_parameters() -> None:
    config = KerasFFTConfig()
    head = SoftmaxLoss(dim=config.dim, n_classes=5, generator=torch.Generator())
    assert parameters(KerasFFT(config)) + parameters(head) == 3_088_597


def test_the_spectrum_of_a_second_is_that_of_the_fourier_transform() -> None:
    seconds = torch.randn(2, 16_000, generator=torch.Generator().manual_seed(0))
    expected = torch.fft.rfft(seconds.double())[:, :8_000].abs()
    # Bins of some 100: float32 sums of 16,000 terms are right to about 1e-4.
    torch.testing.assert_close(SecondSpectrum()(seconds).double(), expected, rtol=0, atol=1e-3)
    magnitudes = SecondSpectrum()(tone(440))[0]
    assert int(magnitudes.argmax()) == 440 and float(magnitudes[440]) == pytest.approx(8_000, rel=1e-4)


def test_keras_fft_takes_the_mean_over_whole_seconds_and_fills_up_short_clips() -> None:
    encoder = make_encoder(SMALL[0], seed=0).eval()
    clip = torch.randn(1, 40_000, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        first, second = encoder(clip[:, :16_000]), encoder(clip[:, 16_000:32_000])
        torch.testing.assert_close(encoder(clip), (first + second) / 2)
        torch.testing.assert_close(encoder(clip[:, :17_000]), first)
        silence = torch.zeros(1, 11_000)
        torch.testing.assert_close(
            encoder(clip[:, :5_000]), encoder(torch.cat([clip[:, :5_000], silence], dim=1))
        )


def test_keras_fft_trains_on_digital_silence() -> None:
    encoder = make_encoder(SMALL[0], seed=0)
    encoder(torch.zeros(2, 16_000)).sum().backward()
    assert all(torch.isfinite(p.grad).all() for p in encoder.parameters() if p.grad is not None)


def test_keras_fft_needs_a_number_of_convolutions_for_each_block() -> None:
    with pytest.raises(ConfigError, match=r"encoder.convolutions: 1 numbers for 2 blocks"):
        KerasFFTConfig(filters=(4, 8), convolutions=(2,))


# ---- voicemap -------------------------------------------------------------------------------------------


def test_voicemap_has_the_published_layers() -> None:
    layers = [layer for layer in Voicemap(VoicemapConfig()).modules() if isinstance(layer, nn.Conv1d)]
    assert [(layer.out_channels, *layer.kernel_size) for layer in layers] == [
        (128, 32), (256, 3), (384, 3), (512, 3)
    ]  # fmt: skip
    assert parameters(Voicemap(VoicemapConfig())) == (
        (32 * 128 + 128) + (128 * 3 * 256 + 256) + (256 * 3 * 384 + 384) + (384 * 3 * 512 + 512)
        + 2 * (128 + 256 + 384 + 512)  # batch normalisation
        + 512 * 64 + 64
    )  # fmt: skip


def effective(x: torch.Tensor) -> float:
    """Root mean square away from the edges."""
    return float(x[:, 200:-200].square().mean().sqrt())


def test_decimation_keeps_what_lies_below_half_the_new_rate_and_nothing_above() -> None:
    decimate = Decimate()
    assert decimate(torch.zeros(2, 1_601)).shape == (2, 401)
    below = decimate(tone(1_000))
    torch.testing.assert_close(below[:, 50:-50], tone(1_000)[:, ::4][:, 50:-50], rtol=0, atol=1e-3)
    assert effective(decimate(tone(1_500))) == pytest.approx(0.5**0.5, rel=1e-2)
    for above in (2_100, 3_000, 5_000, 7_900):  # 3 kHz would come back as 1 kHz
        assert effective(decimate(tone(above))) < 1e-4  # -77 dB


def test_level_and_offset_say_nothing_to_voicemap(speechlike: Speechlike) -> None:
    clip = torch.from_numpy(speechlike(0, 1.0))[None]
    encoder = used(VoicemapConfig(dim=6, filters=8), clip)
    with torch.inference_mode():
        torch.testing.assert_close(encoder(0.1 * clip), encoder(clip), rtol=1e-3, atol=1e-4)
        # The decimator's zeros before and after the clip keep the offset from going entirely.
        assert float(cosine_similarity(encoder(clip + 0.01), encoder(clip))) > 0.99
        assert torch.isfinite(encoder(torch.zeros(1, 8_000))).all()


# ---- spectrograms and cepstra ---------------------------------------------------------------------------


def test_a_tone_lies_in_its_linear_and_in_its_mel_band() -> None:
    features = MelConfig(n_mels=64, f_min=0.0, f_max=8_000.0)
    images = SpectrogramCNN(SpectrogramCNNConfig(features=features)).images(tone(4_000))
    linear, mel = images[0].mean(dim=2)
    assert images.shape == (1, 2, 64, 101)
    # Linear bands are centred at 8000 * (1 + i) / 65 Hz: 3938 Hz for i = 31, 4062 Hz for i = 32.
    assert int(linear.argmax()) in {31, 32}
    # Slaney's scale: 15 mels to 1 kHz, then 27 to each factor of 6.4; 4 kHz is mel 35.16 of 45.25.
    assert int(mel.argmax()) == pytest.approx(65 * 35.16 / 45.25 - 1, abs=1)


def test_what_a_fixed_microphone_adds_is_taken_off_unless_asked_to_stay(speechlike: Speechlike) -> None:
    waveforms = torch.from_numpy(speechlike(3, 1.0))[None]
    small = {"dim": 6, "channels": 8, "blocks": 1, "hidden": 4, "attention": 4}
    features = MFCCConfig(n_mfcc=12, n_mels=20)
    microphone = torch.linspace(-6, 6, 20)  # dB in each band

    def change(encoder: ConvBiLSTM | ResNet34Mel) -> float:
        with torch.inference_mode():
            log_mels = encoder.eval().log_mels(waveforms)
            coloured = encoder.embed_log_mels(log_mels + microphone)
            return 1 - float(cosine_similarity(coloured, encoder.embed_log_mels(log_mels)))

    kept = ConvBiLSTMConfig(**small, features=features, mean_normalization=False)  # type: ignore[arg-type]
    taken_off = ConvBiLSTMConfig(**small, features=features)  # type: ignore[arg-type]
    torch.manual_seed(0)
    assert change(ConvBiLSTM(taken_off)) < 1e-5
    assert change(ResNet34Mel(ResNet34MelConfig(dim=6, channels=4, features=FEW_MELS))) < 1e-5
    assert change(ConvBiLSTM(kept)) > 1e-3


def test_resnet34_has_34_layers_and_a_width_to_choose() -> None:
    thin, usual = (ResNet34Mel(ResNet34MelConfig(channels=channels)) for channels in (16, 32))
    weighted = [layer for layer in thin.modules() if isinstance(layer, nn.Conv2d | nn.Linear)]
    shortcuts = [layer for layer in weighted if getattr(layer, "kernel_size", None) == (1, 1)]
    assert len(weighted) - len(shortcuts) == 34
    assert parameters(usual.stages) == pytest.approx(4 * parameters(thin.stages), rel=0.01)


def test_the_bilstm_averages_its_outputs_over_time() -> None:
    config = BiLSTMConfig()
    encoder = make_encoder(config, seed=0).eval()
    assert isinstance(encoder, BiLSTM)
    waveforms = torch.randn(2, 16_000, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        features = encoder.front_end(waveforms)
        outputs, _ = encoder.lstm(encoder.scale(features).transpose(1, 2))
        torch.testing.assert_close(encoder(waveforms), outputs.mean(dim=1))
    assert features.shape == (2, 40, 32) and outputs.shape == (2, 32, config.dim) == (2, 32, 128)
    assert encoder.lstm.num_layers == 3
