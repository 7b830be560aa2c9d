"""Files and arrays go in everywhere, one or many, and integers are scaled."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile as sf

from voiceprint.audio import SAMPLE_RATE, Waveform, find_audio, read_audio
from voiceprint.engine.verifier import Verifier
from voiceprint.errors import (
    ArgumentError,
    AudioError,
    InvalidNameError,
)
from voiceprint.model import SpeakerModel
from voiceprint.workers import embed_files

CLIP = "ada/3.wav"


KINDS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "float32": lambda samples: samples.astype(np.float32),
    "float64": lambda samples: samples.astype(np.float64),
    "int16": lambda samples: np.round(samples * 32767).astype(np.int16),
    "int32": lambda samples: np.round(samples * (2**31 - 1)).astype(np.int32),
    "stereo": lambda samples: np.stack([samples, samples], axis=1),
}


@pytest.mark.parametrize("kind", KINDS)
def test_arrays_are_clips(verifier: Verifier, people: Path, kind: str) -> None:
    path = people / CLIP
    array, expected = KINDS[kind](sf.read(path)[0]), verifier.verify("ada", path)
    options: dict[str, Any] = {"sample_rate": SAMPLE_RATE}
    assert verifier.verify("ada", array, **options).score == pytest.approx(expected.score, abs=1e-3)
    assert verifier.verify("ada", [array], **options).score == pytest.approx(expected.score, abs=1e-3)
    assert verifier.identify(array, **options, allow_replay=True).name == "ada"
    assert verifier.compare(array, path, **options)
    assert verifier.quality(array, **options).seconds == pytest.approx(sf.info(path).duration)
    assert len(verifier.enroll("one", array, min_speech=0.5, **options).used) == 1
    assert len(verifier.enroll("two", [array, people / "ada/0.wav"], **options).used) == 2
    assert not verifier.adapt("bert", array, **options)


def test_the_rate_of_an_array_is_used(verifier: Verifier, people: Path) -> None:
    samples, rate = sf.read(people / CLIP)
    doubled = np.repeat(samples, 2)
    assert verifier.quality(doubled, sample_rate=2 * rate).seconds == pytest.approx(len(samples) / rate)


@pytest.mark.parametrize("verb", ["enroll", "verify", "identify", "compare", "quality"])
def test_an_array_needs_its_rate_and_a_file_has_one(verifier: Verifier, people: Path, verb: str) -> None:
    array, path = sf.read(people / CLIP)[0], people / CLIP
    first: tuple[Any, ...] = ("ada",) if verb in ("enroll", "verify") else ()
    options = {"mode": "add"} if verb == "enroll" else {}
    twice = 2 if verb == "compare" else 1
    with pytest.raises(ArgumentError, match="sample_rate is None; it must be given for arrays"):
        getattr(verifier, verb)(*first, *[array] * twice, **options)
    with pytest.raises(ArgumentError, match="sample_rate is 16000; it must be left out"):
        getattr(verifier, verb)(*first, *[path] * twice, sample_rate=16000, **options)
    with pytest.raises((ArgumentError, AudioError), match=r"sample.rate"):
        getattr(verifier, verb)(*first, *[array] * twice, sample_rate=-1, **options)


@pytest.mark.parametrize("rate", [0, -1, 16_000.5, True, float("nan")])
def test_a_rate_is_a_whole_number(verifier: Verifier, people: Path, rate: Any) -> None:
    samples = sf.read(people / CLIP)[0]
    for ask in (read_audio, partial(verifier.verify, "ada"), verifier.session(claim="ada").feed):
        with pytest.raises(ArgumentError, match=f"sample_rate is {rate}; it must be a whole number"):
            ask(samples, sample_rate=rate)


@pytest.mark.parametrize("numbers", [[0.1, 0.2], (np.float32(0.1), 16000), [1, 2, 3]])
def test_numbers_are_no_clips(verifier: Verifier, numbers: Any) -> None:
    with pytest.raises(ArgumentError, match="samples come as an array with sample_rate"):
        verifier.enroll("bob", numbers)
    with pytest.raises(ArgumentError, match="samples come as an array with sample_rate"):
        verifier.verify("ada", numbers)
    with pytest.raises(ArgumentError, match="samples come as an array with sample_rate"):
        verifier.model.embed(numbers)


def test_a_waveform_is_made_of_float32(people: Path) -> None:
    with pytest.raises(AudioError, match=r"\(int16\) is not a row of float32 samples"):
        Waveform(samples=np.zeros(16000, dtype=np.int16), source="mine", original_rate=16000)


def test_the_model_embeds_one_clip_or_several_of_any_kind(model: SpeakerModel, people: Path) -> None:
    path = people / CLIP
    waveform = read_audio(path)
    integers = np.round(waveform.samples * 32768).clip(-32768, 32767).astype(np.int16)
    one = model.embed(waveform.samples)
    assert one.shape == (model.dim,)
    for clip in (path, str(path), path.read_bytes(), waveform, integers, waveform.samples.astype(np.float64)):
        np.testing.assert_allclose(model.embed(clip), one, atol=1e-3)
        np.testing.assert_allclose(model.embed([clip, clip]), [one, one], atol=1e-3)
    at_8k = waveform.samples[::2].astype(np.float64)
    assert model.embed(at_8k, sample_rate=8000) @ model.embed(read_audio(at_8k, sample_rate=8000)) > 0.999
    assert model.embed([]).shape == (0, model.dim)
    with pytest.raises(AudioError, match="has samples up to"):
        model.embed(waveform.samples.astype(np.float64) * 32767)


def test_one_name_or_path_is_not_its_letters(verifier: Verifier, people: Path, tmp_path: Path) -> None:
    assert [record.name for record in verifier.store.export_records("ada")] == ["ada"]
    assert find_audio(str(people / CLIP)) == [people / CLIP]
    assert [Path(found.path) for found in embed_files(str(people / CLIP), verifier.model)] == [people / CLIP]


def test_integers_are_not_taken_for_floats_anywhere(model: SpeakerModel) -> None:
    with pytest.raises(AudioError, match="samples of int16 are not floats"):
        model.encode([np.ones(16000, dtype=np.int16)])


@pytest.mark.parametrize("verb", ["enroll", "verify"])
def test_clips_in_the_place_of_the_name_are_told_apart(verifier: Verifier, people: Path, verb: str) -> None:
    with pytest.raises(InvalidNameError, match="names come before clips"):
        getattr(verifier, verb)(people / CLIP, "ada")
