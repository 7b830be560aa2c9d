"""A countermeasure's run from banks to the folder that ships."""

from __future__ import annotations

import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from safetensors.torch import load

from benchmarks.countermeasure import main
from benchmarks.synthetic_speech import VOICES
from voiceprint.countermeasure import Countermeasure
from voiceprint.countermeasure.card import NETWORK_FILE
from voiceprint.errors import ConfigError, RunExistsError, TrainingError
from voiceprint.onnx_runtime import open_session
from voiceprint.training.augment import RoomBank
from voiceprint.training.countermeasure.bank import LIVE, SYNTHETIC, BankClip, ClipBank
from voiceprint.training.countermeasure.batches import SpoofBanks
from voiceprint.training.countermeasure.export import export_countermeasure
from voiceprint.training.countermeasure.network import (
    CountermeasureConfig,
    CountermeasureNetwork,
    KindLoss,
    TwoTowers,
)
from voiceprint.training.countermeasure.recipe import CountermeasureRecipe, read_countermeasure_recipe
from voiceprint.training.countermeasure.run import (
    load_countermeasure_run,
    open_pairs,
    open_speech,
    train_countermeasure,
)
from voiceprint.training.run.checkpoint import read_checkpoint

Floats = NDArray[np.float32]
ROOT = Path(__file__).parents[3]
RECIPE = """
[data]
banks = "{banks}"
[pairs]
per_batch = 2
seconds = [0.7, 1.0]
workers = 0
validation = 2
[augment]
babble = 0.0
[network]
channels = [2, 3]
hidden = 4
[trainer]
steps = 4
validate_every = 2
checkpoint_every = 2
precision = "float32"
"""
LONGER = ("trainer.steps=40", "trainer.validate_every=40", "optimizer.lr=0.02", "optimizer.warmup=1")


@pytest.fixture(scope="module")
def banks(tmp_path_factory: pytest.TempPathFactory, voice: Callable[..., Floats]) -> Path:
    root = tmp_path_factory.mktemp("banks")
    for split in ("train", "dev"):
        clips = [
            BankClip(samples=voice(name, seed, 2.0), speaker=name, source=f"{name}-{seed}")
            for seed in range(2)
            for name in VOICES
        ]
        live = ClipBank.write(root / split, "live-people", kind=LIVE, clips=clips)
        made = [
            BankClip(
                samples=np.sign(live.clip(place)) * np.float32(0.05),
                speaker=live.speakers[place],
                source=live.sources[place],
                is_cut=True,
            )
            for place in range(4)
        ]
        ClipBank.write(root / split, "square", kind=SYNTHETIC, clips=made)
    return root


@pytest.fixture(scope="module")
def corpora(tmp_path_factory: pytest.TempPathFactory, wav: Callable[..., Path]) -> Path:
    root = tmp_path_factory.mktemp("corpora")
    hiss = (0.05 * np.random.default_rng(0).standard_normal(32_000)).astype(np.float32)
    wav(root / "noise" / "hiss.wav", hiss)
    (root / "noise" / "manifest.csv").write_text("path,speaker,seconds\nhiss.wav,hiss,2.0\n")
    return root


@pytest.fixture
def recipe(tmp_path: Path, banks: Path) -> Path:
    path = tmp_path / "recipe.toml"
    path.write_text(RECIPE.format(banks=banks))
    return path


@pytest.fixture(autouse=True)
def _few_rooms(monkeypatch: pytest.MonkeyPatch) -> None:
    responses = np.zeros((1, 2, 64), np.float32)
    responses[..., 0] = 1.0
    monkeypatch.setattr(RoomBank, "open", lambda folder, **given: RoomBank(responses=responses))


def test_a_run_that_was_stopped_ends_as_one_that_was_not(tmp_path: Path, recipe: Path, corpora: Path) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    read = read_countermeasure_recipe(recipe)
    assert train_countermeasure(read, corpora=corpora, folder=whole)
    train_countermeasure(read, corpora=corpora, folder=parts, report=_stop_after(3))
    with pytest.raises(RunExistsError):
        train_countermeasure(read, corpora=corpora, folder=parts)
    assert train_countermeasure(read, corpora=corpora, folder=parts, resume=True)
    ours, _ = read_checkpoint(parts / "checkpoints/last.safetensors")
    theirs, state = read_checkpoint(whole / "checkpoints/last.safetensors")
    assert state["step"] == 4
    for name, tensor in theirs.items():
        torch.testing.assert_close(ours[name], tensor, msg=name)


def _stop_after(step: int) -> Callable[[object], None]:
    def report(done: object) -> None:
        if done.step == step:  # type: ignore[attr-defined]
            signal.raise_signal(signal.SIGTERM)

    return report


def test_a_batch_made_ahead_is_the_one_made_at_once(tmp_path: Path, recipe: Path, corpora: Path) -> None:
    read = read_countermeasure_recipe(recipe, ("pairs.batches=9",))
    given = [str(recipe), "-o", str(tmp_path / "run"), "--corpora", str(corpora)]
    assert main([*given, "--render", "7", "9"]) == 0
    assert sorted(path.name for path in (tmp_path / "run/batches").iterdir()) == ["7.npz", "8.npz"]
    ahead = open_pairs(read, corpora=corpora, folder=tmp_path / "run")
    at_once = open_pairs(read, corpora=corpora, folder=tmp_path / "other")
    assert torch.equal(ahead[7].waveforms, at_once[7].waveforms)
    assert torch.equal(ahead[7].seeds, at_once[7].seeds)
    assert torch.equal(ahead[7].waveforms, ahead[16].waveforms)  # it comes again, with other masks
    assert not torch.equal(ahead[7].seeds, ahead[16].seeds)


def test_a_machines_clip_stands_beside_the_clip_that_it_was_made_of(banks: Path) -> None:
    speech = open_speech(banks / "train")
    generator = np.random.default_rng(0)
    for _ in range(8):
        live, made = speech.draw_pair(generator, spoken=0.5)
        assert live.size == made.size
        assert np.mean(np.sign(live) == np.sign(made)) > 0.9


def test_who_spoke_a_text_is_drawn_as_often_as_asked(tmp_path: Path, voice: Callable[..., Floats]) -> None:
    people, copies, texts = (
        [BankClip(samples=voice(name, seed, 1.0), speaker=name, source=source) for name in list(VOICES)[:2]]
        for seed, source in enumerate(("someone", "someone", ""))
    )
    live = ClipBank.write(tmp_path, "live-people", kind=LIVE, clips=people)
    machines = [
        ClipBank.write(tmp_path, name, kind=SYNTHETIC, clips=clips)
        for name, clips in (("copier", copies), ("reader", texts))
    ]
    speech = SpoofBanks([live, *machines])
    for spoken, machine in ((0.0, machines[0]), (1.0, machines[1])):
        for seed in range(5):
            made = speech.draw_pair(np.random.default_rng(seed), spoken=spoken)[1]
            assert any(np.array_equal(made, machine.clip(place)) for place in range(len(machine)))


@pytest.mark.parametrize("key", ["replayed", "spoken", "encoded"])
def test_a_share_of_pairs_is_a_probability(recipe: Path, key: str) -> None:
    with pytest.raises(ConfigError, match=rf"pairs.{key}: 1.5 is a probability, from 0 to 1"):
        read_countermeasure_recipe(recipe, (f"pairs.{key}=1.5",))


@pytest.mark.parametrize("bursts", [0, 4])
def test_short_frames_see_every_band(bursts: int) -> None:
    network = CountermeasureNetwork(CountermeasureConfig(channels=(2, 3), hidden=4, bursts=bursts)).eval()
    noise = torch.from_numpy(np.random.default_rng(0).standard_normal((2, 16_000)).astype(np.float32))
    seen = network.log_mels(noise)
    assert seen.shape == (2, 16_000 // 200 + (bursts == 0), 80 * (1 + bursts))
    assert float(seen.std(dim=1).min()) > 0.05


def test_both_sides_of_a_pair_share_length_and_degradation(
    tmp_path: Path, recipe: Path, corpora: Path
) -> None:
    read = read_countermeasure_recipe(recipe, ("pairs.replayed=0.0",))
    batch = open_pairs(read, corpora=corpora, folder=tmp_path)[0]
    assert batch.labels.tolist() == [0, 1, 0, 1]
    assert batch.seeds.tolist()[::2] == batch.seeds.tolist()[1::2]
    assert float(batch.waveforms.abs().max()) <= 1.0


def test_the_folder_that_ships_scores_speech(
    tmp_path: Path, recipe: Path, corpora: Path, voice: Callable[..., Floats]
) -> None:
    run, target = tmp_path / "run", tmp_path / "model"
    train_countermeasure(read_countermeasure_recipe(recipe, LONGER), corpora=corpora, folder=run)
    found = export_countermeasure(run, target, checkpoint="last")
    assert found["steps"] == [40]
    judge = Countermeasure.open(target)
    assert judge.card.trained_on == ("live-people", "square")
    assert judge.card.licence == "CC BY 4.0"
    said = judge.score(voice("ada", 0, 2.0) if "ada" in VOICES else voice(next(iter(VOICES)), 0, 2.0))
    assert np.isfinite([said.score, said.llr, said.threshold]).all()


def test_two_runs_are_joined_in_one_network(
    tmp_path: Path, recipe: Path, corpora: Path, voice: Callable[..., Floats]
) -> None:
    runs = {"machines": tmp_path / "machines", "loudspeakers": tmp_path / "loudspeakers"}
    train_countermeasure(read_countermeasure_recipe(recipe, LONGER), corpora=corpora, folder=runs["machines"])
    played = read_countermeasure_recipe(recipe, ("pairs.replayed=1.0", _starts_from(runs["machines"])))
    train_countermeasure(played, corpora=corpora, folder=runs["loudspeakers"])
    target = tmp_path / "model"
    found = export_countermeasure(runs["machines"], target, loudspeakers=runs["loudspeakers"])
    assert len(found["steps"]) == 2  # type: ignore[arg-type]
    clip = voice(next(iter(VOICES)), 0, 2.0)[None]
    with torch.inference_mode():
        machines, loudspeakers = (
            load_countermeasure_run(run)[0](torch.from_numpy(clip))[0].numpy() for run in runs.values()
        )
    (logits,) = open_session((target / NETWORK_FILE).read_bytes()).run(None, {"waveform": clip})
    wanted = [0.0, machines[1] - machines[0], loudspeakers[2] - loudspeakers[0]]
    np.testing.assert_allclose(logits[0], wanted, atol=1e-3)


def test_a_run_begins_with_the_weights_of_another(tmp_path: Path, recipe: Path, corpora: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    train_countermeasure(read_countermeasure_recipe(recipe), corpora=corpora, folder=first)
    still = ("optimizer.lr=1e-12", "optimizer.weight_decay=0.0", _starts_from(first))
    train_countermeasure(read_countermeasure_recipe(recipe, still), corpora=corpora, folder=second)
    ours, theirs = (
        dict(load_countermeasure_run(run)[0].named_parameters())["stem.0.weight"] for run in (first, second)
    )
    torch.testing.assert_close(ours, theirs)


def _starts_from(run: Path) -> str:
    return f'data.network="{run / "checkpoints/best.safetensors"}"'


def test_towers_that_hear_other_bands_are_not_joined() -> None:
    towers = [
        CountermeasureNetwork(CountermeasureConfig(channels=(2, 3), hidden=4, bursts=n)) for n in (0, 4)
    ]
    with pytest.raises(ConfigError, match="differ in features or bursts"):
        TwoTowers(*towers)


def test_another_recipe_does_not_go_on_with_a_run(tmp_path: Path, recipe: Path, corpora: Path) -> None:
    read: CountermeasureRecipe = read_countermeasure_recipe(recipe, ("trainer.steps=1",))
    train_countermeasure(read, corpora=corpora, folder=tmp_path / "run")
    changed = read_countermeasure_recipe(recipe, ("network.hidden=8",))
    with pytest.raises(ConfigError, match=r"network.hidden: .* was begun with 4, the recipe says 8"):
        train_countermeasure(changed, corpora=corpora, folder=tmp_path / "run", resume=True)


def test_what_is_missing_is_said(tmp_path: Path, banks: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(TrainingError, match="0 banks of people"):
        open_speech(tmp_path)
    with pytest.raises(TrainingError, match="has no bank vits to leave out"):
        open_speech(banks / "train", without=("vits",))
    with pytest.raises(TrainingError, match="scripts/prepare_spoofs"):
        ClipBank.open(tmp_path, "nobody")
    assert main(["-o", str(tmp_path)]) == 2
    assert "no recipe is given" in capsys.readouterr().err


def test_a_clip_in_which_nothing_is_said_is_left_out(tmp_path: Path, voice: Callable[..., Floats]) -> None:
    silent = BankClip(samples=np.zeros(16_000, np.float32), speaker="nobody")
    with pytest.raises(TrainingError, match="nothing is spoken"):
        ClipBank.write(tmp_path, "silent", kind=LIVE, clips=[silent])
    spoken = BankClip(samples=voice(next(iter(VOICES)), 0, 2.0), speaker="somebody")
    bank = ClipBank.write(tmp_path, "both", kind=LIVE, clips=[silent, spoken])
    assert bank.speakers == ("somebody",)


def test_the_recipes_that_ship_are_read() -> None:
    machines, loudspeakers = (
        read_countermeasure_recipe(ROOT / f"configs/{name}.toml")
        for name in ("countermeasure", "countermeasure-replay")
    )
    assert machines.data == replace(loudspeakers.data, network="")
    assert machines.network == loudspeakers.network
    assert loudspeakers.pairs.replayed == 1.0


def test_the_packaged_weights_are_those_of_the_packaged_graph(voice: Callable[..., Floats]) -> None:
    packaged = ROOT / "voiceprint/models/countermeasure"
    recipes = ("countermeasure", "countermeasure-replay")
    network = TwoTowers(
        *(
            CountermeasureNetwork(read_countermeasure_recipe(ROOT / f"configs/{name}.toml").network)
            for name in recipes
        )
    )
    network.load_state_dict(load((packaged / "weights.safetensors").read_bytes()))
    clip = voice(next(iter(VOICES)), 0, 2.0)[None]
    (logits,) = open_session((packaged / NETWORK_FILE).read_bytes()).run(None, {"waveform": clip})
    with torch.inference_mode():
        np.testing.assert_allclose(logits, network.eval()(torch.from_numpy(clip)).numpy(), atol=1e-3)


def test_the_loss_falls_as_the_right_kind_becomes_likelier() -> None:
    labels = torch.tensor([0, 1, 0, 2])
    unsure, sure = KindLoss()(torch.zeros(4, 3), labels), KindLoss()(3 * torch.eye(3)[labels], labels)
    assert float(sure.total) < float(unsure.total) == pytest.approx(np.log(3) + np.log(2))


def test_the_loss_of_a_pair_hears_only_what_its_sides_differ_in() -> None:
    logits = torch.tensor([[2.0, 0.0, 0.0], [1.0, 0.0, 0.0]])
    both = torch.tensor([0, 1])
    apart = float(KindLoss()(logits, both).parts["pair"])
    assert apart == pytest.approx(np.log1p(np.exp(-1.0)))
    shifted = logits + torch.tensor([[5.0, 0.0, 0.0]])
    assert float(KindLoss()(shifted, both).parts["pair"]) == pytest.approx(apart)
