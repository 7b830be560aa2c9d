"""MFCCs: equal to torchaudio's, whatever the length, the level and the rest of the batch."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from benchmarks.synthetic_speech import Speechlike
from voiceprint.errors import ConfigError
from voiceprint.training.encoders.features import MFCC, LogMel, MelConfig, MFCCConfig
from voiceprint.training.encoders.torchaudio_parts import MFCC as REFERENCE
from voiceprint.training.encoders.torchaudio_parts import linear_fbanks


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("samples", [8_000, 16_001, 23_999])
@pytest.mark.parametrize(("window", "hop"), [(400, 160), (400, 200), (1024, 512), (512, 128)])
def test_equal_to_torchaudio_clip_by_clip(
    speechlike: Speechlike, samples: int, window: int, hop: int, *, training: bool
) -> None:
    config = MFCCConfig(window=window, hop=hop)
    reference = REFERENCE(
        sample_rate=16_000,
        n_mfcc=config.n_mfcc,
        melkwargs={
            "n_fft": config.window,
            "hop_length": config.hop,
            "n_mels": config.n_mels,
            "f_min": config.f_min,
            "f_max": config.f_max,
            "mel_scale": "slaney",
        },
    )
    clip = torch.from_numpy(speechlike(1, samples / 16_000))
    ours, theirs = MFCC(config).train(training)(clip[None])[0], reference(clip)
    assert ours.shape == theirs.shape == (80, samples // hop + 1)
    # In decibels; float32 sums in another order.
    assert torch.max(torch.abs(ours - theirs)) < 0.01


@pytest.mark.parametrize(("f_min", "f_max", "bands"), [(0.0, 8000.0, 40), (500.0, 700.0, 3)])
def test_leaving_out_what_no_filter_hears_loses_nothing(f_min: float, f_max: float, bands: int) -> None:
    noise = torch.randn(2, 4000, generator=torch.Generator().manual_seed(0))
    log_mel = LogMel(MelConfig(f_min=f_min, f_max=f_max, n_mels=bands))
    for filters in (log_mel.filters, linear_fbanks(201, f_min, f_max, bands, 16_000)):
        whole = log_mel.train().energies(noise, filters)  # by a library's FFT, of all frequencies
        torch.testing.assert_close(log_mel.eval().energies(noise, filters), whole, rtol=1e-3, atol=1e-3)
        assert float(whole.amin(dim=(0, 1)).min()) > 0.1, "every band hears something"


def test_a_loud_neighbour_in_the_batch_changes_nothing(speechlike: Speechlike) -> None:
    clip = torch.from_numpy(speechlike(2, 0.5))
    mfcc = MFCC(MFCCConfig())
    together = mfcc(torch.stack([clip * 0.01, clip]))
    torch.testing.assert_close(together[0], mfcc(clip[None] * 0.01)[0], rtol=0, atol=2e-3)


def test_a_level_is_a_constant_in_the_log_mels() -> None:
    clip = torch.sin(torch.arange(8000) * 0.3)[None]
    mfcc = MFCC(MFCCConfig())
    louder, softer = mfcc.log_mel(clip), mfcc.log_mel(clip / 10)
    torch.testing.assert_close(louder - softer, torch.full_like(louder, 20.0), rtol=0, atol=0.01)


def test_nothing_lies_further_below_the_loudest_filter_than_top_db() -> None:
    clip = torch.sin(torch.arange(8000) * 0.3)[None]
    log_mels = MFCC(MFCCConfig(top_db=30.0)).log_mel(clip)
    assert float(log_mels.max() - log_mels.min()) == pytest.approx(30.0, abs=1e-4)


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"n_mels": 0}, "features.n_mels: 0; give more than 0"),
        ({"n_mfcc": -1}, "features.n_mfcc: -1; give more than 0"),
        ({"n_mfcc": 41, "n_mels": 40}, "features.n_mfcc: 41 is more than n_mels, 40"),
        ({"hop": 0}, "features.hop: 0; give more than 0"),
        ({"hop": 161}, "features.window: 400 and hop 161; the hop must be even"),
        ({"hop": 150}, "a multiple of 4 and of half the hop"),
        ({"hop": 400}, "the window at least twice the hop"),
        ({"window": 402, "hop": 134}, "a multiple of 4 and of half the hop"),
        ({"window": 3200}, "features.window: 3200; give at most 3196"),
        ({"f_max": 8000.5}, "must rise, from 0 to 8000 Hz"),
        ({"f_min": 500.0, "f_max": 400.0}, "features.f_min: 500 and f_max 400 must rise"),
        ({"top_db": 0.0}, "features.top_db: 0; give more than 0"),
    ],
)
def test_sizes_that_make_no_features(sizes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        MFCCConfig(**sizes)


def test_the_longest_window_fits_the_shortest_clip() -> None:
    mfcc = MFCC(MFCCConfig(window=3196, hop=94, n_mfcc=8, n_mels=8)).eval()
    assert torch.isfinite(mfcc(torch.ones(1, 1600))).all()
