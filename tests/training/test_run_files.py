"""The files of runs that go on: written by hand here, as runs begun earlier hold them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile as sf
import torch
from safetensors.torch import save_file

from voiceprint.corpus import read_manifest
from voiceprint.errors import ConfigError, CorpusError
from voiceprint.training.data.voices import Voice
from voiceprint.training.export.from_run import export_run, load_encoder
from voiceprint.training.run.launch import train
from voiceprint.training.run.metrics_log import read_metrics
from voiceprint.training.run.recipe import read_saved_recipe

CHANNELS, HIDDEN, ATTENTION, SQUEEZE, DIM, CEPSTRA = 6, 5, 3, 4, 8, 20
GATES, WIDTH = 4 * HIDDEN, CHANNELS + 2 * HIDDEN
TEACHER_DIM, SPEAKERS, VOICES = DIM, 12, 2


def normalization(name: str, width: int) -> dict[str, tuple[int, ...]]:
    vectors = ("weight", "bias", "running_mean", "running_var")
    return {f"{name}.{vector}": (width,) for vector in vectors} | {f"{name}.num_batches_tracked": ()}


ENCODER: dict[str, tuple[int, ...]] = {
    **normalization("scale", CEPSTRA),
    "convolutions.0.0.weight": (CHANNELS, CEPSTRA, 5),
    **normalization("convolutions.0.1", CHANNELS),
    "convolutions.1.0.weight": (CHANNELS, CHANNELS, 3),
    **normalization("convolutions.1.1", CHANNELS),
    "convolutions.2.convolution.0.weight": (CHANNELS, CHANNELS, 3),
    **normalization("convolutions.2.convolution.1", CHANNELS),
    "convolutions.2.gate.weigh.0.weight": (SQUEEZE, CHANNELS),
    "convolutions.2.gate.weigh.0.bias": (SQUEEZE,),
    "convolutions.2.gate.weigh.2.weight": (CHANNELS, SQUEEZE),
    "convolutions.2.gate.weigh.2.bias": (CHANNELS,),
    **{
        f"lstm.{kind}_l0{direction}": shape
        for direction in ("", "_reverse")
        for kind, shape in {
            "weight_ih": (GATES, CHANNELS),
            "weight_hh": (GATES, HIDDEN),
            "bias_ih": (GATES,),
            "bias_hh": (GATES,),
        }.items()
    },
    "pooling.score.0.weight": (ATTENTION, WIDTH, 1),
    "pooling.score.0.bias": (ATTENTION,),
    "pooling.score.2.weight": (WIDTH, ATTENTION, 1),
    "pooling.score.2.bias": (WIDTH,),
    **normalization("normalization", 2 * WIDTH),
    "projection.weight": (DIM, 2 * WIDTH),
    "projection.bias": (DIM,),
}
"""Name and shape of everything in the state of the packaged model's kind of encoder."""

LOSS = {"losses.triplet.steps": (), "losses.aam_softmax.centres": (SPEAKERS * VOICES, 1, DIM)}


def whole_numbers(name: str) -> bool:
    return name.endswith(("num_batches_tracked", ".steps"))


def values(shapes: dict[str, tuple[int, ...]], prefix: str) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(len(prefix))
    return {
        f"{prefix}{name}": torch.tensor(4)
        if whole_numbers(name)
        else 0.5 + 0.1 * torch.rand(shape, generator=generator)
        for name, shape in shapes.items()
    }


def moments() -> dict[str, torch.Tensor]:
    """AdamW's state: first of all matrices, then of all vectors, of the encoder and then of the loss."""
    learned = {
        **{name: shape for name, shape in ENCODER.items() if "running" not in name},
        "loss.centres": LOSS["losses.aam_softmax.centres"],
    }
    shapes = [shape for name, shape in learned.items() if not whole_numbers(name)]
    ordered = [shape for shape in shapes if len(shape) > 1] + [shape for shape in shapes if len(shape) == 1]
    return {
        f"optimizer.{index}.{name}": value
        for index, shape in enumerate(ordered)
        for name, value in {
            "step": torch.tensor(4.0),
            "exp_avg": torch.zeros(shape),
            "exp_avg_sq": torch.full(shape, 1e-4),
        }.items()
    }


def loss_table(name: str, **settings: Any) -> dict[str, Any]:
    keys = ("margin", "scale", "sub_centres", "mining", "distance", "pairs", "temperature")
    return {"name": name, **dict.fromkeys(keys), **settings}


RECIPE: dict[str, Any] = {
    "name": "earlier",
    "loss": [
        loss_table("triplet", weight=0.3, scale=5.0, mining="batch_hard", distance="euclidean"),
        loss_table("aam_softmax", weight=0.3, margin=0.2, scale=30.0, sub_centres=1),
        loss_table("distillation", weight=4.0),
    ],
    "data": {
        "train": ["tiny"],
        "dev": ["tiny"],
        "noise": "",
        "noise_split": "",
        "voices": [{"speed": [1.2, 1.3], "formants": [1.0, 1.0]}],
        "teacher_mix": 0.5,
        "teacher": "The teacher is another model.",
    },
    "version": "1.0",
    "description": "A speaker encoder.",
    "licence": "CC-BY-4.0",
    "history": "",
    "seed": 3,
    "encoder": {
        "kind": "conv_bilstm",
        "dim": DIM,
        "stem": CHANNELS,
        "channels": CHANNELS,
        "blocks": 1,
        "squeeze": SQUEEZE,
        "hidden": HIDDEN,
        "attention": ATTENTION,
        "mean_normalization": True,
        "features": {
            "n_mels": 32,
            "window": 400,
            "hop": 200,
            "f_min": 20.0,
            "f_max": 7600.0,
            "top_db": 80.0,
            "n_mfcc": CEPSTRA,
        },
    },
    "batches": {
        "seconds": [0.4, 0.8],
        "own_voice": 0.6,
        "workers": 0,
        "kind": "speakers",
        "speakers": 4,
        "utterances": 2,
        "balance": 0.3,
        "shares": [{"corpus": "tiny", "share": 1.0}],
    },
    "augment": {
        "reverberation": 0.0,
        "reverberant_noise": 0.5,
        "noise": 0.0,
        "noise_snr_db": [0.0, 20.0],
        "babble": 0.2,
        "babble_snr_db": [5.0, 20.0],
        "babble_voices": [3, 7],
        "peak_noise": 0.0,
        "peak_noise_scale": [0.5, 0.5],
        "colour": 0.45,
        "colour_db": 10.0,
        "gain": 1.0,
        "gain_db": [-20.0, 5.0],
        "clipping": 0.05,
        "clipping_db": [2.0, 12.0],
        "telephone": 0.14,
        "telephone_low": [200.0, 400.0],
        "telephone_high": [3000.0, 3700.0],
        "telephone_peak_db": [-30.0, 0.0],
        "narrowband": 0.06,
        "narrowband_high": [3400.0, 3900.0],
        "gsm": 0.0,
        "mp3": 0.0,
        "mp3_kbps": [8.0, 32.0],
        "opus": 0.0,
        "opus_kbps": [8.0, 32.0],
    },
    "spec_augment": {"time_masks": 0, "max_time": 20, "frequency_masks": 0, "max_frequency": 8},
    "optimizer": {
        "lr": 0.0015,
        "weight_decay": 0.02,
        "warmup": 10,
        "schedule": "cosine",
        "floor": 0.01,
        "patience": 2,
    },
    "trainer": {
        "steps": 6,
        "validate_every": 2,
        "checkpoint_every": 2,
        "accumulate": 1,
        "clip_norm": 5.0,
        "precision": "auto",
        "average": 0.999,
        "margin_warmup": 2000,
        "stop_after": 0,
    },
    "validation": {
        "conditions": ["clean", "0.4s", "telephone", "babble"],
        "clips_per_speaker": 4,
        "shares": [{"corpus": "tiny", "share": 1.0}],
        "ways": 0,
        "shots": 1,
        "criterion": "eer",
    },
}

TEACHER = {"title": "another 1", "id": "ab" * 32, "licence": "Apache-2.0"}


@pytest.fixture
def pool(tiny_corpora: Path, tmp_path: Path) -> Path:
    """Rendered speech: every clip in the speaker's voice and in another, with a teacher's embeddings."""
    folder = tmp_path / "pool"
    folder.mkdir()
    speech = read_manifest(tiny_corpora / "tiny").filter(split="train")
    samples = [sf.read(utterance.path, dtype="int16")[0] for utterance in speech]
    for number, speed in enumerate([1.0, 1.25]):
        rows, offset = [], 0
        for utterance, clip in zip(speech, samples, strict=True):
            ids = {"id": f"tiny/{utterance.id}", "speaker": f"tiny/{utterance.speaker}"}
            place = {"offset": offset, "samples": len(clip)}
            rows.append({**ids, "voice": {"speed": speed, "formants": 1.0}, **place})
            offset += len(clip)
        drawn = {"voice": {"speed": [1.2, 1.3], "formants": [1.0, 1.0]}, "seed": 3} if number else None
        (folder / f"voice-{number}.json").write_text(json.dumps({"utterances": rows, "drawn": drawn}))
        (folder / f"voice-{number}.pcm").write_bytes(np.concatenate(samples).astype("<i2").tobytes())
        teacher = np.random.default_rng(number).standard_normal((len(rows), TEACHER_DIM), dtype=np.float32)
        np.save(folder / f"voice-{number}.teacher.npy", teacher)
    (folder / "teacher.json").write_text(json.dumps(TEACHER))
    (folder / "unreadable.json").write_text("[]")
    return folder


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run of six steps that was stopped after four."""
    folder = tmp_path / "run"
    (folder / "checkpoints").mkdir(parents=True)
    (folder / "recipe.json").write_text(json.dumps(RECIPE))
    (folder / "origins.json").write_text(json.dumps({"init": None, "teacher": TEACHER}))
    lines: list[dict[str, float]] = [
        {"step": step, "loss": 3.6, "triplet": 0.1, "aam_softmax": 1.1, "distillation": 2.4, "lr": 1e-3}
        for step in range(1, 5)
    ]
    lines[3] |= {"spread/within": 0.5, "seconds": 42.1, "eer": 0.25, "eer/tiny/clean": 0.2}
    (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    tensors = {
        **values(ENCODER, "encoder."),
        **values(ENCODER, "average."),
        **values(LOSS, "loss."),
        **values(LOSS, "average_loss."),
        **moments(),
    }
    state = {"step": 4, "best": 0.25, "since_best": 0, "plateau_factor": 1.0}
    for name in ("last", "best"):
        path = folder / "checkpoints" / f"{name}.safetensors"
        save_file(tensors, path, metadata={"state": json.dumps(state)})
    return folder


def test_an_earlier_run_is_read(run: Path) -> None:
    recipe = read_saved_recipe(run)
    assert recipe.data.voices == (Voice(speed=(1.2, 1.3)),)
    assert [loss.name for loss in recipe.loss] == ["triplet", "aam_softmax", "distillation"]
    assert [line["step"] for line in read_metrics(run)] == [1, 2, 3, 4]
    found = load_encoder(run)
    expected = values(ENCODER, "average.")
    assert found.step == 4
    assert found.encoder.state_dict().keys() == ENCODER.keys()
    for name, tensor in found.encoder.state_dict().items():
        assert torch.equal(tensor, expected[f"average.{name}"])


def test_an_earlier_run_goes_on_and_is_exported(
    run: Path, pool: Path, tiny_corpora: Path, tmp_path: Path
) -> None:
    outcome = train(read_saved_recipe(run), corpora=tiny_corpora, pool=pool, folder=run, resume=True)
    assert (outcome.finished, outcome.step) == (True, 6)
    lines = read_metrics(run)
    assert [line["step"] for line in lines] == [1, 2, 3, 4, 5, 6]
    assert {"loss", "triplet", "aam_softmax", "distillation", "lr", "seconds", "eer"} <= lines[-1].keys()
    card = export_run(run, tmp_path / "model", corpora=tiny_corpora, checkpoint="last", wccn=pool)
    assert (card.title, card.dim, card.training["steps"]) == ("earlier 1.0", DIM, 6)
    assert card.training["teacher_model"]["title"] == "another 1"
    assert set(card.training["wccn"]) == {"shrinkage", "batches"}


def test_a_pool_whose_teachers_embeddings_are_damaged_is_refused(
    run: Path, pool: Path, tiny_corpora: Path
) -> None:
    (pool / "voice-1.teacher.npy").write_bytes(b"half of it")
    with pytest.raises(CorpusError, match=r"voice-1.teacher.npy: is damaged \(no file of an array"):
        train(read_saved_recipe(run), corpora=tiny_corpora, pool=pool, folder=run, resume=True)


def test_an_earlier_run_is_not_continued_by_another_recipe(run: Path, pool: Path, tiny_corpora: Path) -> None:
    changed = replace(read_saved_recipe(run), seed=4)
    with pytest.raises(ConfigError, match=r"seed: the run .* was begun with 3, the recipe says 4"):
        train(changed, corpora=tiny_corpora, pool=pool, folder=run, resume=True)
