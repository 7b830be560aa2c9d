from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from voiceprint.errors import AudioError, ModelError
from voiceprint.files.checksum import sha256_of
from voiceprint.model import SpeakerModel
from voiceprint.model.card import ENCODER_FILE, read_model_card
from voiceprint.model.folder import write_model_card
from voiceprint.model.speaker_model import MAX_WINDOW
from voiceprint.scoring import centroid

Voice = Callable[..., NDArray[np.float32]]


@pytest.fixture
def copied(model_folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(model_folder, tmp_path / "copied"))


def noise(seconds: float, seed: int = 0) -> NDArray[np.float32]:
    return 0.1 * np.random.default_rng(seed).standard_normal(round(16_000 * seconds)).astype(np.float32)


def test_embeddings_are_unit_length_float32(model: SpeakerModel) -> None:
    embeddings = model.embed([noise(1.0), noise(2.0)])
    assert embeddings.dtype == np.float32
    assert embeddings.shape == (2, model.dim)
    np.testing.assert_allclose(np.linalg.norm(embeddings, axis=1), 1.0, atol=1e-6)


def test_nothing_gives_no_embeddings(model: SpeakerModel) -> None:
    assert model.embed([]).shape == (0, model.dim)


def test_an_embedding_is_the_same_alone_and_in_any_batch(model: SpeakerModel) -> None:
    lengths = [1.0, 0.3, 1.0, 2.5, 0.3, 1.0, 0.1, 31.0] + [0.5] * 40
    clips = [noise(seconds, seed) for seed, seconds in enumerate(lengths)]
    alone = np.concatenate([model.embed([clip]) for clip in clips])
    np.testing.assert_allclose(model.embed(clips), alone, atol=1e-5)
    np.testing.assert_allclose(model.embed(clips[::-1]), alone[::-1], atol=1e-5)


def test_the_encoders_own_output_has_the_direction_of_the_embedding_and_a_length(model: SpeakerModel) -> None:
    clips = [noise(1.0), noise(0.05 + 0.05), noise(2.0, 1)]
    outputs = model.encode(clips)
    lengths = np.linalg.norm(outputs, axis=1, keepdims=True)
    assert not np.allclose(lengths, 1.0, atol=0.01)
    np.testing.assert_allclose(outputs / lengths, model.embed(clips), atol=1e-5)
    with pytest.raises(AudioError, match=r"<array 0>: 31.0 s are too long to encode at once"):
        model.encode([noise(31.0)])


def test_one_voice_scores_higher_than_two(model: SpeakerModel, voice: Voice) -> None:
    ada, more_ada, bert = model.embed([voice("ada", 1), voice("ada", 2), voice("bert", 3)])
    assert ada @ more_ada > 0.8 > ada @ bert


def test_long_audio_is_the_centroid_of_equal_windows(model: SpeakerModel) -> None:
    long = noise(75.0)
    windows = np.split(long, 3)  # 25 s each
    np.testing.assert_allclose(model.embed([long])[0], centroid(model.embed(windows)), atol=1e-5)


def test_batches_are_bounded(model: SpeakerModel, monkeypatch: pytest.MonkeyPatch) -> None:
    shapes = []
    run = model._run

    def noting(batch: NDArray[np.float32]) -> NDArray[np.float32]:
        shapes.append(batch.shape)
        return run(batch)

    monkeypatch.setattr(model, "_run", noting)
    model.embed([noise(0.2)] * 70 + [noise(61.0)])
    assert max(length for _, length in shapes) <= MAX_WINDOW
    assert max(clips * length for clips, length in shapes) <= 2 * MAX_WINDOW
    assert sum(clips for clips, _ in shapes) == 70 + 3


def test_a_clip_shorter_than_the_encoder_takes_is_repeated(copied: Path) -> None:
    write_model_card(copied, replace(read_model_card(copied), min_seconds=0.5))
    model = SpeakerModel.open(copied)
    clip = noise(0.2)
    repeated = np.concatenate([clip, clip, clip[: len(clip) // 2]])
    np.testing.assert_allclose(model.embed([clip]), model.embed([repeated]), atol=1e-6)


@pytest.mark.parametrize(
    ("waveform", "message"),
    [
        (np.ones(1599, dtype=np.float32), r"<array 1>: 1599 samples are too few; give at least 1600"),
        (np.ones((1, 16_000), dtype=np.float32), r"shape \(1, 16000\) is not \(n_samples,\)"),
        (np.full(16_000, np.nan, dtype=np.float32), "not finite"),
        (np.full(16_000, np.inf, dtype=np.float32), "not finite"),
        (np.zeros(16_000, dtype=np.float32), "digital silence"),
    ],
)
def test_what_cannot_be_embedded_is_refused(
    model: SpeakerModel, waveform: NDArray[np.float32], message: str
) -> None:
    with pytest.raises(AudioError, match=message):
        model.embed([noise(1.0), waveform])


def test_the_id_is_the_hash_of_the_encoder(model: SpeakerModel, model_folder: Path) -> None:
    assert model.id == sha256_of(model_folder / ENCODER_FILE)


def test_a_changed_encoder_is_refused(copied: Path) -> None:
    with (copied / ENCODER_FILE).open("ab") as file:
        file.write(b"x")
    with pytest.raises(ModelError, match=r"sha256 is .* but model.toml says .* copy the model folder again"):
        SpeakerModel.open(copied)


def test_a_missing_encoder_is_named(copied: Path) -> None:
    (copied / ENCODER_FILE).unlink()
    with pytest.raises(ModelError, match=f"holds no {ENCODER_FILE}"):
        SpeakerModel.open(copied)


def with_encoder(folder: Path, content: bytes) -> SpeakerModel:
    (folder / ENCODER_FILE).write_bytes(content)
    card = read_model_card(folder)
    write_model_card(folder, replace(card, files={ENCODER_FILE: sha256_of(folder / ENCODER_FILE)}))
    return SpeakerModel.open(folder)


def test_an_encoder_that_is_no_onnx_file_is_refused(copied: Path) -> None:
    with pytest.raises(ModelError, match="the encoder cannot be loaded"):
        with_encoder(copied, b"not onnx").embed([noise(1.0)])


def test_an_encoder_of_other_dimensions_is_refused(copied: Path) -> None:
    write_model_card(copied, replace(read_model_card(copied), dim=7))
    with pytest.raises(ModelError, match=r"gave shape \(1, 12\) for 1 clips; the card says dim = 7"):
        SpeakerModel.open(copied).embed([noise(1.0)])


def test_threads_share_one_model(model_folder: Path) -> None:
    model = SpeakerModel.open(model_folder)
    clip = noise(0.5)
    with ThreadPoolExecutor(4) as pool:
        embeddings = list(pool.map(lambda _: model.embed([clip])[0], range(8)))
    np.testing.assert_allclose(embeddings, [embeddings[0]] * 8, atol=1e-6)


def test_opening_a_model_does_not_load_the_runtime(model_folder: Path) -> None:
    code = (
        "import sys; from voiceprint.model import SpeakerModel; "
        f"SpeakerModel.open({str(model_folder)!r}); print('onnxruntime' in sys.modules)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout == "False\n"
