"""Recipes: the ones that ship, the ones saved beside runs, and a run from nothing that learns."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

from training.conftest import tiny_recipe, tiny_table
from voiceprint.config import read_toml
from voiceprint.corpus import Corpus, Unreadable, Utterance, read_manifest, write_manifest
from voiceprint.errors import ConfigError, CorpusError, ModelError, TrainingError
from voiceprint.model.card import ModelCard, read_model_card
from voiceprint.model.folder import write_model_card
from voiceprint.model.registry import PACKAGED_MODEL
from voiceprint.training.encoders import ConvBiLSTMConfig, make_encoder
from voiceprint.training.export.from_run import export_run
from voiceprint.training.origins import Origins, SourceModel, read_origins
from voiceprint.training.run.assembly import make_trainer, weights_of
from voiceprint.training.run.callbacks import Callbacks
from voiceprint.training.run.checkpoint import read_checkpoint, write_checkpoint
from voiceprint.training.run.launch import Outcome, prepare, train
from voiceprint.training.run.metrics_log import read_metrics
from voiceprint.training.run.recipe import read_recipe, read_saved_recipe, save_recipe
from voiceprint.training.run.task import read_noise, verification_task

FOLDER = Path(__file__).parents[2] / "configs"
DEFAULT = FOLDER / "default.toml"
# Recipes of classic systems name their kind; the others train an encoder. What has no name is no recipe.
TABLES = {path: read_toml(path) for path in FOLDER.glob("*.toml")}
CONFIGS = sorted(path for path, table in TABLES.items() if "name" in table and "kind" not in table)


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_every_recipe_that_ships_can_be_read_and_saved(path: Path, tmp_path: Path) -> None:
    recipe = read_recipe(path)
    save_recipe(recipe, tmp_path)
    assert read_saved_recipe(tmp_path) == recipe


@pytest.mark.parametrize("path", [path for path in CONFIGS if path != DEFAULT], ids=lambda path: path.stem)
def test_a_recipe_is_called_as_its_file_and_names_no_teacher_that_it_has_not(path: Path) -> None:
    recipe = read_recipe(path)
    assert recipe.name == path.stem
    assert recipe.description != read_recipe(DEFAULT).description
    assert bool(recipe.data.teacher) == any(loss.name == "distillation" for loss in recipe.loss)


@pytest.mark.parametrize(
    "name",
    [
        path.stem
        for path in CONFIGS
        if path.stem.startswith(("default-", "voicemap", "lstm", "resnet34-mel-"))
    ],
)
def test_systems_to_compare_hear_what_the_default_hears(name: str) -> None:
    recipe, default = read_recipe(FOLDER / f"{name}.toml"), read_recipe(DEFAULT)
    assert recipe.augment == default.augment
    assert recipe.data == replace(default.data, teacher="")
    assert recipe.validation.conditions == default.validation.conditions
    # The rows of the default's encoder were trained before it was narrowed.
    assert isinstance(default.encoder, ConvBiLSTMConfig)
    wide = replace(default.encoder, hidden=128, attention=96)
    assert (recipe.encoder == wide) == name.startswith("default-")


def test_overrides_reach_the_recipe() -> None:
    recipe = read_recipe(DEFAULT, ["optimizer.lr=3e-4", "batches.seconds=[1, 2]", "version=7b"])
    assert (recipe.optimizer.lr, recipe.batches.seconds, recipe.version) == (3e-4, (1.0, 2.0), "7b")


def test_a_mistyped_key_names_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"optimizer.learning: unknown key; known here: lr"):
        read_recipe(DEFAULT, ["optimizer.learning=3e-4"])
    with pytest.raises(ConfigError, match=r"trainer.step: unknown key; did you mean 'steps'"):
        read_recipe(DEFAULT, ["trainer.step=3"])


def test_a_recipe_saved_before_there_were_kinds_is_of_the_first(tmp_path: Path) -> None:
    save_recipe(tiny_recipe(), tmp_path)
    table = json.loads((tmp_path / "recipe.json").read_text())
    for name in ("encoder", "batches"):
        del table[name]["kind"]
    for name in ("spec_augment", "version", "licence", "description"):
        del table[name]
    (tmp_path / "recipe.json").write_text(json.dumps(table))
    assert read_saved_recipe(tmp_path) == tiny_recipe()
    assert isinstance(read_saved_recipe(tmp_path).encoder, ConvBiLSTMConfig)


def test_a_folder_that_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is no training run"):
        read_saved_recipe(tmp_path)


def test_a_run_from_nothing_halves_the_dev_error(tiny_corpora: Path, tiny_pool: Path, tmp_path: Path) -> None:
    recipe = tiny_recipe(trainer={"steps": 120, "validate_every": 60, "checkpoint_every": 60})
    trainer = make_trainer(recipe, corpora=tiny_corpora, pool=tiny_pool, folder=tmp_path)
    before = trainer.validate(trainer.encoder.eval())["eer"]
    trainer.run()
    assert before > 0.15
    assert trainer.best is not None and trainer.best <= before / 2


# ---- continuing and starting from a model ---------------------------------------------------------------

FEW = {"steps": 4, "validate_every": 4, "checkpoint_every": 2}


def run(corpora: Path, pool: Path, folder: Path, **options: Any) -> Outcome:
    changes = options.pop("changes", {})
    recipe = tiny_recipe(trainer={**FEW, **options.pop("trainer", {})}, **changes)
    return train(recipe, corpora=corpora, pool=pool, folder=folder, **options)


def test_a_run_is_not_overwritten_and_is_continued_with_its_own_recipe(
    tiny_corpora: Path, tiny_pool: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "metrics.jsonl").write_text('{"step": 1, "seconds": 90.0}\n')  # killed before any checkpoint
    outcome = run(tiny_corpora, tiny_pool, folder, resume=True)  # nothing to continue: from the beginning
    assert (outcome.step, outcome.finished) == (4, True)
    assert [line["step"] for line in read_metrics(folder)] == [1, 2, 3, 4], "no step counts twice"
    with pytest.raises(TrainingError, match="holds a run; resume it"):
        run(tiny_corpora, tiny_pool, folder)
    with pytest.raises(ConfigError, match=r"optimizer.lr: the run in .* was begun with 0.004, .* says 0.1"):
        run(tiny_corpora, tiny_pool, folder, resume=True, changes={"optimizer": {"lr": 0.1}})
    assert run(tiny_corpora, tiny_pool, folder, resume=True, trainer={"steps": 6}).step == 6


@pytest.fixture
def parent(tmp_path: Path) -> Path:
    """A model folder with the weights of a tiny encoder; its graph is not needed."""
    folder = tmp_path / "parent"
    weights = make_encoder(tiny_recipe().encoder, seed=77).state_dict()
    write_checkpoint(folder / "weights.safetensors", weights, {})
    write_model_card(
        folder,
        ModelCard(
            name="large", version="2", dim=24, files={"encoder.onnx": "ab" * 32}, licence="CC-BY-SA-4.0"
        ),
    )
    return folder


def test_training_starts_from_a_models_weights(
    tiny_corpora: Path, tiny_pool: Path, tmp_path: Path, parent: Path
) -> None:
    weights = read_checkpoint(parent / "weights.safetensors")[0]
    run = tmp_path / "run"
    make = partial(make_trainer, corpora=tiny_corpora, pool=tiny_pool, folder=run, init=parent)
    trainer = make(tiny_recipe())
    for found in (trainer.encoder.state_dict(), trainer.average):
        assert all(torch.equal(found[name], weights[name]) for name in weights)
    with pytest.raises(TrainingError, match="but the recipe makes it"):
        make(tiny_recipe(encoder={"dim": 16}))


def test_a_model_to_start_from_may_be_named(
    tmp_path: Path, parent: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VOICEPRINT_MODELS", str(tmp_path / "models"))
    folder = tmp_path / "models" / "large" / "2"
    shutil.copytree(parent, folder)
    assert weights_of(Path("large@2")) == folder / "weights.safetensors"
    assert weights_of(Path("default")) == PACKAGED_MODEL / "weights.safetensors"


def test_a_model_without_weights_is_refused_before_anything_is_rendered(tmp_path: Path, parent: Path) -> None:
    (parent / "weights.safetensors").unlink()
    for model, message in ((parent, "large 2 has no weights.safetensors"), (Path("none"), "no such model")):
        with pytest.raises(ModelError, match=message):
            run(tmp_path, tmp_path / "pool", tmp_path / "run", init=model)
    assert not (tmp_path / "pool").exists()


def test_a_run_says_which_model_it_started_from_and_is_continued_with_it(
    tiny_corpora: Path, tiny_pool: Path, tmp_path: Path, parent: Path
) -> None:
    folder = tmp_path / "run"
    run(tiny_corpora, tiny_pool, folder, init=parent)
    init = SourceModel(title="large 2", id="ab" * 32, licence="CC-BY-SA-4.0")
    origins = read_origins(folder)
    assert origins is not None
    assert origins == Origins(init=init, speakers=origins.speakers)
    card = export_run(folder, tmp_path / "model", corpora=tiny_corpora)
    assert card.licence == "CC-BY-SA-4.0"
    assert card.training["init"] == {"title": "large 2", "id": "ab" * 32, "licence": "CC-BY-SA-4.0"}
    assert card.training["history"] == "Training started from the weights of large 2 (CC-BY-SA-4.0)."
    assert run(tiny_corpora, tiny_pool, folder, resume=True, trainer={"steps": 5}).step == 5
    assert read_origins(folder) == origins
    write_model_card(parent, replace(read_model_card(parent), files={"encoder.onnx": "cd" * 32}))
    with pytest.raises(
        ConfigError, match=r"init: the run was begun with large 2 \(id abababababab\), not with"
    ):
        run(tiny_corpora, tiny_pool, folder, resume=True, init=parent, trainer={"steps": 6})


# ---- bad input ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("loss", "batches", "message"),
    [
        ({"name": "triplet", "mining": "given"}, {}, r"loss.mining: 'given' .* 'triplets', not 'speakers'"),
        ({"name": "siamese", "pairs": "adjacent"}, {}, r"loss.pairs: 'adjacent' .* 'pairs', not 'speakers'"),
        (
            {"name": "contrastive", "pairs": "adjacent"},
            {"kind": "triplets"},
            r"loss.pairs: 'adjacent' of contrastive .* 'pairs', not 'triplets'",
        ),
        ({"name": "ge2e"}, {"utterances": 1}, r"batches.utterances: 1 of each speaker; ge2e compares"),
    ],
)
def test_a_loss_needs_batches_of_the_rows_that_it_compares(
    loss: dict[str, Any], batches: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        tiny_recipe(loss=[loss], batches=batches)


def test_losses_and_batches_that_belong_together() -> None:
    tiny_recipe(loss=[{"name": "triplet", "mining": "given"}], batches={"kind": "triplets"})
    tiny_recipe(loss=[{"name": "siamese", "pairs": "adjacent"}], batches={"kind": "pairs"})
    tiny_recipe(loss=[{"name": "softmax"}], batches={"utterances": 1})


@pytest.mark.parametrize("seed", [-1, 2**63])
def test_a_seed_that_is_none(seed: int) -> None:
    with pytest.raises(ConfigError, match=f"seed: {seed}; give a whole number from 0"):
        tiny_recipe(seed=seed)


def test_losses_are_counted_before_anything_is_rendered() -> None:
    with pytest.raises(ConfigError, match="needs at least one"):
        tiny_recipe(loss=[])
    with pytest.raises(ConfigError, match="triplet is listed 2 times"):
        tiny_recipe(loss=[{"name": "triplet"}, {"name": "triplet"}])


def test_the_voices_of_another_seed_are_refused(tiny_corpora: Path, tiny_pool: Path, tmp_path: Path) -> None:
    voices = {"voices": [{"speed": [1.2, 1.3]}]}
    make = partial(make_trainer, corpora=tiny_corpora, pool=tiny_pool, folder=tmp_path / "run")
    make(tiny_recipe(data=voices))
    with pytest.raises(CorpusError, match=r"voice 1 was drawn from .* by seed 3; .* by seed 4; name another"):
        make(tiny_recipe(data=voices, seed=4))


def test_distillation_needs_a_teacher(tiny_corpora: Path, tiny_pool: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="has no teacher's embeddings; name a teacher's"):
        make_trainer(
            tiny_recipe(loss=[{"name": "distillation"}]),
            corpora=tiny_corpora,
            pool=tiny_pool,
            folder=tmp_path,
        )


def test_the_pool_of_other_speech_is_refused(tiny_corpora: Path, tiny_pool: Path, tmp_path: Path) -> None:
    corpus = read_manifest(tiny_corpora / "tiny")
    (tmp_path / "tiny").mkdir()
    moved = [replace(clip, id=f"moved/{clip.id}") if clip.split == "train" else clip for clip in corpus]
    write_manifest(Corpus(moved), tmp_path / "tiny" / "manifest.csv")
    with pytest.raises(CorpusError, match="name another folder for the pool"):
        run(tmp_path, tiny_pool, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_speaker_to_train_and_to_validate_on_is_refused(tiny_corpora: Path, tmp_path: Path) -> None:
    text = (tiny_corpora / "tiny" / "manifest.csv").read_text()
    (tmp_path / "tiny").mkdir()
    # One clip of a dev speaker is put under a training speaker's name.
    moved = text.replace("dev0/0.wav,dev0", "dev0/0.wav,train0")
    assert moved != text
    (tmp_path / "tiny" / "manifest.csv").write_text(moved)
    with pytest.raises(CorpusError, match="'tiny/train0' is in the splits"):
        prepare(tiny_recipe(), corpora=tmp_path, pool=tmp_path / "pool")


def test_one_speaker_is_no_training_set(tiny_corpora: Path, tmp_path: Path) -> None:
    corpus = read_manifest(tiny_corpora / "tiny")
    (tmp_path / "tiny").mkdir()
    kept = corpus.filter(lambda u: u.split == "dev" or u.speaker == "train0")
    write_manifest(kept, tmp_path / "tiny" / "manifest.csv")
    with pytest.raises(CorpusError, match="at least 2 speakers"):
        run(tmp_path, tmp_path / "pool", tmp_path / "run")


def test_a_missing_corpus(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="there is no such manifest"):
        run(tmp_path, tmp_path / "pool", tmp_path / "run")


def test_noise_that_is_not_there_can_be_done_without(
    tiny_corpora: Path, tiny_pool: Path, tmp_path: Path
) -> None:
    with pytest.raises(CorpusError, match=r"nothing/manifest.csv: .*; or train without: data.noise = "):
        make_trainer(
            tiny_recipe(data={"noise": "nothing"}),
            corpora=tiny_corpora,
            pool=tiny_pool,
            folder=tmp_path / "run",
        )


def test_dev_speech_that_makes_no_trials_is_refused_before_anything_is_rendered(
    tiny_corpora: Path, tmp_path: Path
) -> None:
    corpus = read_manifest(tiny_corpora / "tiny")
    (tmp_path / "tiny").mkdir()
    kept = corpus.filter(lambda u: u.split == "train" or u.speaker == "dev0")
    write_manifest(kept, tmp_path / "tiny" / "manifest.csv")
    with pytest.raises(CorpusError, match=r"^tiny: no dev error rate can be measured"):
        run(tmp_path, tmp_path / "pool", tmp_path / "run")
    assert not (tmp_path / "pool").exists()


# ---- noise ----------------------------------------------------------------------------------------------


def write_noise(root: Path, count: int, *, broken: int = 0) -> None:
    """A corpus ``hum``: seconds of one recording, the n-th of level n + 10, the first of a lost one."""
    levels = np.repeat(np.arange(10, count + 10, dtype=np.int16), 16_000)
    (root / "hum").mkdir()
    soundfile.write(root / "hum" / "all.wav", levels, 16_000, subtype="PCM_16")
    stretches = (
        Utterance(
            path=root / "hum" / ("lost.wav" if n < broken else "all.wav"),
            speaker="hum",
            seconds=1.0,
            id=f"{n}",
            corpus="hum",
            start=float(n),
            stop=n + 1.0,
        )
        for n in range(count)
    )
    write_manifest(Corpus(stretches), root / "hum" / "manifest.csv")


def test_noise_is_read_by_its_stretches_and_every_fifth_is_kept_for_validation(tmp_path: Path) -> None:
    write_noise(tmp_path, 10)
    heard = read_noise(tiny_recipe(data={"noise": "hum"}), tmp_path)
    assert heard.held_out is None and heard.training is not None
    assert [clip.size for clip in heard.training.clips] == [16_000] * 10
    kept = read_noise(
        tiny_recipe(data={"noise": "hum"}, validation={"conditions": ["clean", "noise"]}), tmp_path
    )
    assert kept.training is not None and kept.held_out is not None
    # Samples are scaled by 32767 / 32768 and cut off, so that level n is stored as n - 1.
    assert set(np.concatenate(kept.held_out.clips)) == {9, 14}
    assert set(np.concatenate(kept.training.clips)) == {10, 11, 12, 13, 15, 16, 17, 18}


def test_a_recording_of_noise_in_a_hundred_may_be_unreadable_and_two_may_not(
    tiny_corpora: Path, tiny_pool: Path, tmp_path: Path
) -> None:
    class Listener(Callbacks):
        def __init__(self) -> None:
            self.heard: list[Unreadable] = []

        def left_out(self, unreadable: tuple[Unreadable, ...]) -> None:
            self.heard += unreadable

    for broken in (1, 2):
        root = tmp_path / f"{broken}"
        (root / "tiny").mkdir(parents=True)
        write_manifest(read_manifest(tiny_corpora / "tiny"), root / "tiny" / "manifest.csv")
        write_noise(root, 100, broken=broken)
    recipe, listener = tiny_recipe(data={"noise": "hum"}), Listener()
    prepare(recipe, corpora=tmp_path / "1", pool=tiny_pool, callbacks=listener)
    assert ["lost.wav" in bad.reason for bad in listener.heard] == [True]
    with pytest.raises(CorpusError, match="2 of 100 recordings of noise cannot be read, more than 1%"):
        prepare(recipe, corpora=tmp_path / "2", pool=tmp_path / "pool")
    assert not (tmp_path / "pool").exists()


def test_noise_and_dev_clips_that_cannot_be_read_are_named_together(
    tiny_corpora: Path, tmp_path: Path
) -> None:
    corpus = read_manifest(tiny_corpora / "tiny")
    dev = [
        replace(u, id=f"{u.id} {quarter}", start=quarter / 4, stop=(quarter + 1) / 4)
        for u in corpus.filter(split="dev")
        for quarter in range(4)
    ]
    dev[5] = replace(dev[5], path=tmp_path / "gone.wav")
    (tmp_path / "tiny").mkdir()
    write_manifest(Corpus([*corpus.filter(split="train"), *dev]), tmp_path / "tiny" / "manifest.csv")
    write_noise(tmp_path, 100, broken=1)
    recipe = tiny_recipe(data={"noise": "hum"}, validation={"clips_per_speaker": 0})
    task = verification_task(recipe, tmp_path)
    assert [bad.utterance.path.name for bad in task.unreadable] == ["lost.wav", "gone.wav"]


def test_the_recipe_of_a_classic_system_trains_no_encoder() -> None:
    with pytest.raises(ConfigError, match=r"gmm.toml: is the recipe of a classic system \(kind = 'gmm'\)"):
        read_recipe(FOLDER / "gmm.toml")


def test_people_of_ones_own_need_no_corpus_of_noise() -> None:
    people, five = (read_recipe(FOLDER / f"{name}.toml") for name in ("people", "five-speakers"))
    assert (people.data.noise, people.augment.noise, people.augment.peak_noise) == ("", 0, 0)
    assert isinstance(five.encoder, ConvBiLSTMConfig)
    assert people.encoder == replace(five.encoder, mean_normalization=True)


def test_no_corpus_at_all(tmp_path: Path) -> None:
    table = tiny_table(data={"train": []})
    assert table["data"]["train"] == []
    with pytest.raises(ConfigError, match="names no corpus"):
        run(tmp_path, tmp_path / "pool", tmp_path / "run", changes={"data": {"train": []}})
