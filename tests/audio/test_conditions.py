from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from sounds import tone

from voiceprint.audio.conditions import CONDITIONS, degrade
from voiceprint.corpus import Corpus
from voiceprint.errors import AudioError
from voiceprint.evaluation import EmbeddingCache, corpus_files, embed_clips, embed_degraded
from voiceprint.model import SpeakerModel

RATE = 16_000
Samples = NDArray[np.float32]


def worse(name: str, samples: Samples, *, clip: str = "a.wav", seed: int = 0) -> Samples:
    others = [np.random.default_rng(i).standard_normal(9000).astype(np.float32) for i in range(5)]
    condition = CONDITIONS[name]
    return degrade(samples, condition, clip=clip, others=others[: condition.others], seed=seed)


def power(samples: Samples) -> float:
    return float(np.mean(np.square(samples, dtype=np.float64)))


@pytest.mark.parametrize("name", CONDITIONS)
def test_a_condition_gives_the_same_samples_every_time_and_changes_them(name: str) -> None:
    clip = tone()
    once, again = worse(name, clip), worse(name, clip)
    np.testing.assert_array_equal(once, again)
    assert once.shape == clip.shape
    assert once.dtype == np.float32
    assert np.abs(once).max() <= 1.0
    assert not np.array_equal(once, clip)


@pytest.mark.parametrize("name", ["noise 10 dB", "babble 10 dB", "room 0.4 s"])
def test_what_is_drawn_depends_on_clip_and_seed(name: str) -> None:
    clip = tone()
    assert not np.array_equal(worse(name, clip), worse(name, clip, clip="b.wav"))
    assert not np.array_equal(worse(name, clip), worse(name, clip, seed=1))


@pytest.mark.parametrize("kind", ["noise", "babble"])
@pytest.mark.parametrize("snr", [20.0, 10.0, 5.0])
def test_the_background_has_the_power_that_the_name_says(kind: str, snr: float) -> None:
    speech = tone(amplitude=0.3)
    clip = np.concatenate([np.zeros(RATE, np.float32), speech, np.zeros(RATE, np.float32)])
    background = worse(f"{kind} {snr:g} dB", clip) - clip
    # Pauses do not count: the ratio is to the level of the speech alone.
    assert 10 * np.log10(power(speech) / power(background)) == pytest.approx(snr, abs=1e-2)


def test_pink_noise_is_as_strong_in_every_octave() -> None:
    clip = tone(30.0)
    spectrum = np.abs(np.fft.rfft((worse("noise 20 dB", clip) - clip).astype(np.float64))) ** 2
    hertz = np.fft.rfftfreq(len(clip), 1 / RATE)
    octaves = [spectrum[(hertz >= low) & (hertz < 2 * low)].sum() for low in (125, 500, 2000)]
    assert max(octaves) / min(octaves) < 1.1


@pytest.mark.parametrize(
    ("hertz", "kept"), [(100.0, False), (1000.0, True), (3900.0, False), (6000.0, False)]
)
def test_the_telephone_passes_its_band_only(hertz: float, kept: bool) -> None:
    clip = tone(hertz=hertz)
    ratio = power(worse("telephone", clip)) / power(clip)
    assert ratio == pytest.approx(1.0, abs=0.05) if kept else ratio < 0.02


def test_gsm_has_nothing_above_4_khz() -> None:
    assert power(worse("GSM", tone(hertz=6000.0))) < 1e-3 * power(tone(hertz=6000.0))
    assert power(worse("GSM", tone(hertz=1000.0))) > 0.5 * power(tone(hertz=1000.0))


def test_an_echo_lasts_after_the_sound_and_falls_by_60_db() -> None:
    clip = np.zeros(2 * RATE, dtype=np.float32)
    clip[0] = 0.5
    heard = worse("room 0.8 s", clip)
    early, late = heard[1600:3200], heard[8000:9600]  # 0.4 s apart: half of 60 dB
    assert 10 * np.log10(power(early) / power(late)) == pytest.approx(30.0, abs=1.5)
    assert power(heard) == pytest.approx(power(clip), rel=1e-5)


def test_babble_without_voices_is_refused() -> None:
    with pytest.raises(AudioError, match="babble 5 dB takes 5 clips of other people, not 0"):
        degrade(tone(), CONDITIONS["babble 5 dB"], clip="a.wav")


def test_degraded_clips_are_embedded_once_and_found_again(
    corpus: Corpus, model: SpeakerModel, tmp_path: Path
) -> None:
    names = ("noise 5 dB", "babble 5 dB")
    told: list[tuple[int, int]] = []
    with EmbeddingCache(tmp_path, model_id=model.id, dim=model.dim) as cache:
        first = embed_degraded(corpus, model, names, cache=cache, jobs=1, progress=lambda *d: told.append(d))
        count = len(told)
        again = embed_degraded(corpus, model, names, cache=cache, jobs=1, progress=lambda *d: told.append(d))
    assert told[-1] == (2 * len(corpus), 2 * len(corpus))
    assert count == len(told) == 2 * len(corpus)
    clean = embed_clips(corpus_files(corpus), model, jobs=1)
    for name in names:
        assert first[name].names == clean.names
        np.testing.assert_array_equal(first[name].embeddings, again[name].embeddings)
        agreement = np.einsum("nd,nd->n", first[name].embeddings, clean.embeddings)
        assert (agreement < 0.999).all()
