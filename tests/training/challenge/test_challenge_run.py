"""A word checker's run from corpora to the folder that ships."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from benchmarks.challenge import main
from benchmarks.synthetic_speech import VOICES
from voiceprint.challenge import LENGTH, WORDS, WordChecker
from voiceprint.challenge.checker import CLASSES
from voiceprint.corpus import read_manifest
from voiceprint.errors import ConfigError, RunExistsError, TrainingError
from voiceprint.training.augment import RoomBank
from voiceprint.training.challenge.network import OrderLoss, WordNetwork, WordNetworkConfig
from voiceprint.training.challenge.recipe import SequenceConfig, WordData, read_word_recipe
from voiceprint.training.challenge.run import train_challenge
from voiceprint.training.challenge.speech import WordSpeech, joined, said_orders, spoken_part
from voiceprint.training.run.checkpoint import read_checkpoint

Floats = NDArray[np.float32]
DATA = WordData(words="words", sentences="sentences", others=("others",))
ROOT = Path(__file__).parents[3]
RECIPE = """
[data]
words = "words"
sentences = "sentences"
others = ["others"]
[sequences]
per_batch = 2
batches = 3
words = [2, 2]
validation = 1
[augment]
babble = 0.0
[network]
channels = 4
dilations = [1]
[trainer]
steps = 4
validate_every = 2
checkpoint_every = 2
precision = "float32"
"""


@pytest.fixture(scope="module")
def corpora(
    tmp_path_factory: pytest.TempPathFactory, voice: Callable[..., Floats], wav: Callable[..., Path]
) -> Path:
    """Two people a split who say all words, a sentence, other speech, and noise."""
    root = tmp_path_factory.mktemp("corpora")
    lines: dict[str, list[str]] = {"words": [], "sentences": [], "others": []}
    for number, (split, name) in enumerate(zip(("train", "train", "dev", "dev"), VOICES, strict=False)):
        for place, word in enumerate(WORDS):
            wav(root / "words" / f"{number}-{word}.wav", voice(name, place, 0.6))
            lines["words"].append(f"{number}-{word}.wav,s{number},{split},0.6,{word}")
        for corpus, text in (("sentences", "WE WENT UP TO ZERO"), ("others", "")):
            wav(root / corpus / f"{number}.wav", voice(name, 20, 1.2))
            lines[corpus].append(f"{number}.wav,s{number},{split},1.2,{text}")
    for corpus, rows in lines.items():
        (root / corpus / "manifest.csv").write_text(
            "\n".join(["path,speaker,split,seconds,text", *rows]) + "\n"
        )
    hiss = (0.05 * np.random.default_rng(0).standard_normal(32_000)).astype(np.float32)
    wav(root / "noise" / "hiss.wav", hiss)
    (root / "noise" / "manifest.csv").write_text("path,speaker,seconds\nhiss.wav,hiss,2.0\n")
    return root


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    path = tmp_path / "recipe.toml"
    path.write_text(RECIPE)
    return path


@pytest.fixture(autouse=True)
def _few_rooms(monkeypatch: pytest.MonkeyPatch) -> None:
    responses = np.zeros((1, 2, 64), np.float32)
    responses[..., 0] = 1.0
    monkeypatch.setattr(RoomBank, "open", lambda folder, **given: RoomBank(responses=responses))


def test_a_run_that_was_stopped_ends_as_one_that_was_not(tmp_path: Path, recipe: Path, corpora: Path) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    read = read_word_recipe(recipe)
    assert train_challenge(read, corpora=corpora, folder=whole)

    def stop(done: object) -> None:
        if done.step == 3:  # type: ignore[attr-defined]
            signal.raise_signal(signal.SIGTERM)

    train_challenge(read, corpora=corpora, folder=parts, report=stop)
    with pytest.raises(RunExistsError):
        train_challenge(read, corpora=corpora, folder=parts)
    assert train_challenge(read, corpora=corpora, folder=parts, resume=True)
    ours, _ = read_checkpoint(parts / "checkpoints/last.safetensors")
    theirs, state = read_checkpoint(whole / "checkpoints/last.safetensors")
    assert state["step"] == 4
    for name, tensor in theirs.items():
        torch.testing.assert_close(ours[name], tensor, msg=name)


def test_the_commands_train_and_export_a_folder_that_opens(
    tmp_path: Path, recipe: Path, corpora: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run, target = tmp_path / "run", tmp_path / "model"
    given = ["--corpora", str(corpora)]
    assert main([str(recipe), "-o", str(run), *given]) == 0
    assert main(["-o", str(run), "--export", str(target), *given]) == 0
    assert "'threshold'" in capsys.readouterr().out
    checker = WordChecker.open(target)
    assert checker.card.trained_on == ("words", "sentences", "others")
    assert 0 <= checker.card.measured["dev_wrong_passed"] <= 0.01
    assert checker.log_probabilities(np.ones(16_000, np.float32)).shape == (51, len(CLASSES))
    assert main(["-o", str(run), *given]) == 2
    assert main(["-o", str(tmp_path / "none"), "--export", str(target), *given]) == 2


def test_a_recipe_that_cannot_be_is_refused(recipe: Path) -> None:
    for change in ("sequences.words=[3, 2]", "sequences.other=2", "network.kernel=4", "data.more=1"):
        with pytest.raises(ConfigError, match=change.split("=", maxsplit=1)[0].split(".")[-1]):
            read_word_recipe(recipe, (change,))


def test_the_recipe_that_ships_can_be_read() -> None:
    assert read_word_recipe(ROOT / "configs/challenge.toml").data.words == "speech_commands"


def test_corpora_that_lack_a_word_are_refused(tmp_path: Path, corpora: Path) -> None:
    for name in ("words", "sentences", "others"):
        lines = (corpora / name / "manifest.csv").read_text().splitlines()
        (tmp_path / name).mkdir()
        kept = [line for line in lines if not line.endswith(",cat")]
        (tmp_path / name / "manifest.csv").write_text("\n".join(kept) + "\n")
    with pytest.raises(TrainingError, match="lack words"):
        WordSpeech.open(DATA, tmp_path)


def test_sequences_hold_what_they_say_and_other_words_once(corpora: Path) -> None:
    speech, generator = WordSpeech.open(DATA, corpora), np.random.default_rng(0)
    words = SequenceConfig(sentence=0.0, other=0.0)
    for count in (1, 4):
        samples, classes = speech.draw(words, count, generator)
        assert len(classes) == count and all(1 <= each <= len(WORDS) for each in classes)
        assert len(samples) > 1000
    _, classes = speech.draw(SequenceConfig(sentence=1.0), 1, generator)
    other = len(CLASSES) - 1
    assert classes == [other, CLASSES.index("up"), other, CLASSES.index("zero")]
    _, classes = speech.draw(SequenceConfig(sentence=0.0, other=1.0), 4, generator)
    assert classes == [other]


def test_everybody_says_different_words_of_their_own(corpora: Path) -> None:
    dev = [each for each in read_manifest(corpora / "words" / "manifest.csv") if each.split == "dev"]
    said = [*said_orders(dev, np.random.default_rng(0), words=LENGTH, each=3)]
    assert [speaker for speaker, _, _ in said] == ["s2"] * 3 + ["s3"] * 3
    assert all(len(set(words)) == LENGTH for _, words, _ in said)
    assert len({words for _, words, _ in said}) > 3


def test_a_word_is_cut_out_of_its_silence() -> None:
    clip = np.random.default_rng(0).normal(0.0, 1e-4, 16_000).astype(np.float32)
    clip[5000:9000] += np.sin(0.3 * np.arange(4000)).astype(np.float32)
    word = spoken_part(clip)
    assert abs(word.start - 5000) < 500 and abs(word.stop - 9000) < 500
    assert spoken_part(clip[:1000]) == slice(0, 1000)
    assert len(joined([clip, clip[:10]], np.array([0.1, 0.0]))) == 16_000 + 1600 + 10


def test_the_loss_falls_as_the_words_grow_likelier() -> None:
    labels = torch.tensor([[3, 5], [7, 0]])
    found = torch.full((2, 6, len(CLASSES)), -3.0)
    losses = []
    for gain in (0.0, 2.0, 4.0):
        likelier = found.clone()
        likelier[0, 1, 3] += gain
        likelier[0, 4, 5] += gain
        likelier[1, 2, 7] += gain
        losses.append(float(OrderLoss()(likelier.log_softmax(2), labels).total))
    assert losses[0] > losses[1] > losses[2]


def test_neither_level_nor_microphone_changes_what_is_heard() -> None:
    network = WordNetwork(WordNetworkConfig(channels=4, dilations=(1,))).eval()
    spoken = torch.from_numpy(np.random.default_rng(0).standard_normal((1, 16_000)).astype(np.float32))
    with torch.inference_mode():
        torch.testing.assert_close(network(0.01 * spoken), network(0.1 * spoken), atol=1e-3, rtol=0.0)
