from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from sounds import RATE, band_power, hiss, tone

from benchmarks.synthetic_speech import Speechlike
from voiceprint.errors import ConfigError, TrainingError
from voiceprint.training.augment import (
    AugmentConfig,
    Augmenter,
    NoiseBank,
    RoomBank,
    spec_augment,
)
from voiceprint.training.augment.colour import draw_colour

EFFECTS = ("reverberation", "noise", "babble", "colour", "gain", "clipping")
LINES = ("telephone", "narrowband", "gsm", "mp3", "opus")
Samples = NDArray[np.float32]


def as_often(probability: float, *effects: str) -> dict[str, Any]:
    """The settings that give all these effects one probability."""
    return dict.fromkeys(effects, probability)


OFF = AugmentConfig(**as_often(0.0, *EFFECTS, *LINES))


def echo_rooms() -> RoomBank:
    """One room of two places: nothing but the direct sound, and one echo 100 samples later."""
    responses = np.zeros((1, 2, 400), np.float32)
    responses[0, :, 0] = 1
    responses[0, 1, 100] = 0.5
    return RoomBank(responses=responses)


def augmenter(config: AugmentConfig) -> Augmenter:
    noise = NoiseBank.from_arrays([(hiss(i, 9000) * 32767).astype(np.int16) for i in range(3)])
    return Augmenter(
        config, noise=noise, babble=lambda g, n: hiss(int(g.integers(100)), n), rooms=echo_rooms()
    )


# --- noise


def test_a_bank_gives_back_its_clips_without_silent_ends() -> None:
    bank = NoiseBank.from_arrays([np.array([0, 0, 16384, 0, 8192, 0], np.int16), np.zeros(5, np.int16)])
    assert len(bank) == 1
    assert bank.excerpt(np.random.default_rng(0), 3).tolist() == [0.5, 0.0, 0.25]


def test_short_clips_go_round_in_a_loop() -> None:
    bank = NoiseBank.from_arrays([np.array([16384, -16384], np.int16)])
    excerpt = bank.excerpt(np.random.default_rng(0), 5)
    assert np.abs(excerpt).tolist() == [0.5] * 5
    assert (excerpt[1:] == -excerpt[:-1]).all()


def test_every_clip_of_a_bank_is_drawn() -> None:
    bank = NoiseBank.from_arrays(
        [np.full(size, value, np.int16) for size, value in ((10, 1), (50, 2), (99, 3))]
    )
    drawn = {round(float(bank.excerpt(np.random.default_rng(seed), 10)[0] * 32768)) for seed in range(30)}
    assert drawn == {1, 2, 3}


def test_a_bank_of_nothing_is_refused() -> None:
    with pytest.raises(ConfigError, match="at least one clip"):
        NoiseBank.from_arrays([np.zeros(100, np.int16)])


@pytest.mark.parametrize("effect", ["noise", "babble"])
@pytest.mark.parametrize("reverberation", [0.0, 1.0])
def test_the_augmenter_adds_noise_and_babble_at_the_asked_snr(effect: str, reverberation: float) -> None:
    settings: dict[str, Any] = {effect: 1.0, f"{effect}_snr_db": (6.0, 6.0), "reverberation": reverberation}
    config = replace(OFF, **settings)
    # The echo comes after a whole period of the tone, so the room leaves the tone a tone.
    speech = tone(2.0, hertz=160, amplitude=0.1)
    noisy = augmenter(config)(speech, np.random.default_rng(3))[1600:]
    kept = speech[1600:] * np.dot(noisy, speech[1600:]) / np.dot(speech[1600:], speech[1600:])
    snr = 10 * np.log10(np.mean(kept**2) / np.mean((noisy - kept) ** 2))
    assert snr == pytest.approx(6.0, abs=0.3)


def test_babble_sums_as_many_voices_as_asked_all_equally_loud() -> None:
    asked = []

    def voice(generator: np.random.Generator, length: int) -> Samples:
        asked.append(length)
        return tone(length / RATE, hertz=500 * len(asked), amplitude=0.1 * len(asked))

    config = replace(OFF, babble=1.0, babble_voices=(3, 3))
    speech = tone(hertz=200, amplitude=0.3)
    added = Augmenter(config, babble=voice)(speech, np.random.default_rng(0)) - speech
    assert asked == [RATE] * 3
    powers = [band_power(added, hertz - 50, hertz + 50) for hertz in (500, 1000, 1500)]
    assert powers == pytest.approx([powers[0]] * 3, rel=0.01)


# --- rooms


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, RoomBank]:
    folder = tmp_path_factory.mktemp("rooms")
    return folder, RoomBank.open(folder, rooms=3, places=3, seed=5)


def test_rendered_responses_begin_with_the_direct_sound_and_have_unit_energy(
    rendered: tuple[Path, RoomBank],
) -> None:
    responses = rendered[1].responses
    assert responses.shape == (3, 3, 9600)
    assert np.sum(responses**2, axis=-1) == pytest.approx(np.ones((3, 3)), rel=1e-4)
    # The direct sound is one tap, far above its neighbours, which only a misaligned cut would put there.
    assert (np.abs(responses[..., 0]) > 5 * np.abs(responses[..., 1])).all()
    assert (responses[..., 0] > 0.05).all()


def test_rendered_rooms_ring_and_fade(rendered: tuple[Path, RoomBank]) -> None:
    energy = np.sum(rendered[1].responses.reshape(3, 3, 6, 1600) ** 2, axis=-1)  # in stretches of 0.1 s
    assert (energy[..., 0] > energy[..., 1]).all()
    assert (energy[..., 1] > energy[..., 5]).all()


def test_a_bank_is_rendered_once_and_the_same_for_a_seed(
    rendered: tuple[Path, RoomBank], tmp_path: Path
) -> None:
    folder, bank = rendered
    calls: list[tuple[int, int]] = []
    again = RoomBank.open(folder, rooms=3, places=3, seed=5, progress=lambda *done: calls.append(done))
    assert calls == []
    assert np.array_equal(again.responses, bank.responses)
    fewer = RoomBank.open(
        tmp_path / "new", rooms=1, places=3, seed=5, progress=lambda *done: calls.append(done)
    )
    assert calls == [(1, 1)]
    assert np.array_equal(fewer.responses[0], bank.responses[0])
    assert [path.suffix for path in (tmp_path / "new").iterdir()] == [".npy"]


def test_a_damaged_bank_and_a_folder_that_is_none_are_told(tmp_path: Path) -> None:
    path = tmp_path / "rooms-v1-1x2-seed0.npy"
    path.write_bytes(b"not responses")
    with pytest.raises(TrainingError, match="delete it"):
        RoomBank.open(tmp_path, rooms=1, places=2)
    with pytest.raises(TrainingError, match="cannot be written"):
        RoomBank.open(path, rooms=1, places=2)


def test_two_different_places_are_drawn() -> None:
    rooms = echo_rooms()
    for seed in range(10):
        pair = rooms.draw(np.random.default_rng(seed))
        assert sorted(pair[:, 100].tolist()) == [0.0, 0.5]


@pytest.mark.parametrize("shape", [(4, 100), (1, 1, 100)])
def test_a_bank_of_another_shape_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ConfigError, match="two places"):
        RoomBank(responses=np.ones(shape, np.float32))


# --- microphone, input, lines


def test_colouring_changes_the_spectrum_and_keeps_the_level() -> None:
    speech = hiss(0, 2 * RATE)
    coloured = augmenter(replace(OFF, colour=1.0))(speech, np.random.default_rng(1))
    ratios = [
        10 * np.log10(band_power(coloured, low, low + 500) / band_power(speech, low, low + 500))
        for low in range(0, 8000, 500)
    ]
    assert max(ratios) - min(ratios) > 6
    assert np.mean(coloured**2) == pytest.approx(np.mean(speech**2), rel=0.02)


def test_a_curve_stays_within_its_range() -> None:
    for seed in range(20):
        magnitudes = draw_colour(np.random.default_rng(seed), range_db=10.0)
        assert 20 * np.log10(magnitudes.max()) < 10 * (3 + 0.8)
        assert (draw_colour(np.random.default_rng(seed), range_db=0.0) <= 1.0).all()


@pytest.mark.parametrize("gain_db", [-20.0, 5.0])
def test_gain_is_as_asked(gain_db: float) -> None:
    speech = tone(hertz=440, amplitude=0.2)
    louder = augmenter(replace(OFF, gain=1.0, gain_db=(gain_db, gain_db)))(speech, np.random.default_rng(0))
    assert louder == pytest.approx(speech * 10 ** (gain_db / 20), rel=1e-5)


def test_gain_beyond_full_scale_does_not_clip() -> None:
    speech = tone(hertz=440, amplitude=0.8)
    loudest = augmenter(replace(OFF, gain=1.0, gain_db=(20.0, 20.0)))(speech, np.random.default_rng(0))
    assert loudest == pytest.approx(speech / speech.max(), rel=1e-5)


def test_clipping_cuts_at_the_drawn_depth_below_the_peak() -> None:
    speech = tone(hertz=440, amplitude=0.8)
    clipped = augmenter(replace(OFF, clipping=1.0, clipping_db=(6.0, 6.0)))(speech, np.random.default_rng(0))
    limit = 0.8 * 10 ** (-6 / 20)
    assert np.abs(clipped).max() == pytest.approx(limit, rel=1e-4)
    low = np.abs(speech) < limit
    assert np.array_equal(clipped[low], speech[low])


# --- the whole


@pytest.mark.parametrize("samples", [0, 1, 5000, 32_000])
def test_with_every_effect_off_a_clip_comes_back_equal(samples: int) -> None:
    speech = hiss(0, samples)
    assert np.array_equal(Augmenter(OFF)(speech, np.random.default_rng(0)), speech)


@pytest.mark.parametrize("effect", [*EFFECTS, *LINES])
def test_every_effect_alone_changes_the_clip_the_same_for_the_same_seed(
    effect: str, speechlike: Speechlike
) -> None:
    speech = speechlike(2, 1.0)
    before = speech.copy()
    augment = augmenter(replace(OFF, **as_often(1.0, effect)))
    first, second, other = (augment(speech, np.random.default_rng(seed)) for seed in (7, 7, 8))
    assert np.array_equal(speech, before)
    assert not np.array_equal(first, speech)
    assert np.array_equal(first, second)
    assert effect == "gsm" or effect == "reverberation" or not np.array_equal(first, other)


@pytest.mark.parametrize("samples", [1, 100, 6400, 20_001, 48_000])
def test_everything_at_once_keeps_length_type_and_full_scale(samples: int) -> None:
    everything = replace(OFF, **as_often(1.0, *EFFECTS), **as_often(0.2, *LINES))
    augment = augmenter(everything)
    speech = np.clip(hiss(0, samples, amplitude=0.5), -1, 1)
    for seed in range(6):
        clip = augment(speech, np.random.default_rng(seed))
        assert clip.shape == (samples,)
        assert clip.dtype == np.float32
        assert np.isfinite(clip).all()
        assert np.abs(clip).max() <= 1
        assert clip.any()


def test_silence_comes_back_as_silence() -> None:
    augment = augmenter(replace(OFF, **as_often(1.0, *EFFECTS), telephone=1.0))
    assert not augment(np.zeros(8000, np.float32), np.random.default_rng(0)).any()


def test_a_clip_does_not_depend_on_what_was_augmented_before_it() -> None:
    augment = augmenter(AugmentConfig())
    clips = [hiss(i, 4000 + 333 * i) for i in range(12)]
    forwards = [augment(clip, np.random.default_rng(i)) for i, clip in enumerate(clips)]
    backwards = [augmenter(AugmentConfig())(clips[i], np.random.default_rng(i)) for i in reversed(range(12))]
    assert all(np.array_equal(a, b) for a, b in zip(forwards, reversed(backwards), strict=True))


def test_effects_happen_as_often_as_asked() -> None:
    augment = augmenter(replace(OFF, clipping=0.25))
    speech = tone(0.1, hertz=300)
    changed = sum(
        not np.array_equal(augment(speech, np.random.default_rng(seed)), speech) for seed in range(400)
    )
    assert 70 <= changed <= 130


def test_peak_noise_is_added_at_a_share_of_the_speechs_peak() -> None:
    clip = tone(hertz=440, amplitude=0.4)
    added = augmenter(replace(OFF, peak_noise=1.0))(clip, np.random.default_rng(0)) - clip
    assert np.max(np.abs(added)) == pytest.approx(0.5 * 0.4, rel=1e-4)
    again = augmenter(replace(OFF, peak_noise=1.0))(clip, np.random.default_rng(0)) - clip
    assert np.array_equal(added, again)
    quarter = augmenter(replace(OFF, peak_noise=1.0, peak_noise_scale=(0.25, 0.25)))
    assert np.max(np.abs(quarter(clip, np.random.default_rng(0)) - clip)) == pytest.approx(0.1, rel=1e-4)


def test_peak_noise_that_is_off_changes_no_draw() -> None:
    clip, loud = tone(hertz=440), replace(OFF, noise=0.5, gain=1.0)
    assert np.array_equal(
        augmenter(loud)(clip, np.random.default_rng(3)),
        augmenter(replace(loud, peak_noise_scale=(2.0, 3.0)))(clip, np.random.default_rng(3)),
    )


@pytest.mark.parametrize("key", ["noise", "babble", "reverberation", "peak_noise"])
def test_an_effect_without_its_material_is_refused(key: str) -> None:
    with pytest.raises(ConfigError, match=f"augment.{key} is 0.5"):
        Augmenter(replace(OFF, **as_often(0.5, key)))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"noise": 1.5}, "augment.noise is 1.5"),
        ({"colour": -0.1}, "augment.colour is -0.1"),
        ({"colour_db": -3.0}, "decibels of 0 or more"),
        ({"noise_snr_db": (20.0, 0.0)}, r"augment.noise_snr_db is \(20.0, 0.0\)"),
        ({"opus_kbps": (2.0, 8.0)}, "within 6 to 256"),
        ({"telephone_high": (3000.0, 5000.0)}, "within 1500 to 4000"),
        ({"telephone": 0.9, "gsm": 0.3}, "at most 1"),
        ({"peak_noise": 2.0}, "augment.peak_noise is 2"),
        ({"peak_noise_scale": (-0.5, 0.5)}, "within 0 to inf"),
    ],
)
def test_a_configuration_that_makes_no_sense_is_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        AugmentConfig(**values)


# --- SpecAugment


def features() -> torch.Tensor:
    return torch.arange(2 * 20 * 100, dtype=torch.float32).reshape(2, 20, 100) + 1


def test_spec_augment_masks_whole_bands_no_wider_than_asked() -> None:
    masked = spec_augment(
        features(), generator=torch.Generator().manual_seed(3), max_time=10, max_frequency=4
    )
    for before, after in zip(features(), masked, strict=True):
        changed = before != after
        times, bands = changed.all(dim=0), changed.all(dim=1)
        assert torch.equal(changed, times[None, :] | bands[:, None])
        assert int(times.sum()) <= 10
        assert int(bands.sum()) <= 4
        assert torch.allclose(after[changed], before.mean())
    assert not torch.equal(masked, features())


def test_spec_augment_draws_the_same_for_the_same_seed_and_apart_for_each_clip() -> None:
    same = features()[:1].expand(8, -1, -1)
    first, second = (spec_augment(same, generator=torch.Generator().manual_seed(0)) for _ in range(2))
    assert torch.equal(first, second)
    assert not torch.equal(first[0], first[1])


def test_spec_augment_without_masks_changes_nothing() -> None:
    generator = torch.Generator().manual_seed(0)
    assert torch.equal(
        spec_augment(features(), generator=generator, time_masks=0, frequency_masks=0), features()
    )
