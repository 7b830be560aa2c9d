from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from small_corpus import write_small_corpus

from voiceprint.errors import CorpusError, TrainingError
from voiceprint.training.augment import NoiseBank, RoomBank
from voiceprint.training.segmentation.conversations import Acoustics, Conversation, draw_people, simulate
from voiceprint.training.segmentation.phrases import PhraseBank, find_phrases

Floats = NDArray[np.float32]
DRY = Acoustics(room=0.0, calls=0.0, level_db=0.0, colour=0.0, noise=0.0, gain_db=(0.0, 0.0), telephone=0.0)


@pytest.fixture(scope="module")
def bank(tmp_path_factory: pytest.TempPathFactory, voice: Callable[..., Floats]) -> PhraseBank:
    root = tmp_path_factory.mktemp("phrases")
    corpus = write_small_corpus(root / "corpus", voice, clips=3, seconds=4.0)
    three = corpus.filter(lambda utterance: utterance.speaker in {"ada", "bert", "cleo"})
    return PhraseBank.open(root / "bank", three)


def talk(
    bank: PhraseBank, seed: int = 0, *, people: int = 3, seconds: float = 60.0, **given: object
) -> Conversation:
    generator = np.random.default_rng(seed)
    return simulate(
        bank,
        draw_people(bank, generator, people),
        seconds=seconds,
        generator=generator,
        **given,  # type: ignore[arg-type]
    )


def test_phrases_are_parted_by_pauses(voice: Callable[..., Floats]) -> None:
    pause = np.zeros(16_000, np.float32)
    said = np.concatenate([voice("ada", 1, 2.0), pause, voice("ada", 2, 2.0)])
    phrases = find_phrases(said)
    assert len(phrases) >= 2
    assert all(b <= c for (_, b), (c, _) in itertools.pairwise(phrases))
    gaps = [c - b for (_, b), (c, _) in itertools.pairwise(phrases)]
    assert max(gaps) > 12_000
    assert find_phrases(pause) == ()


def test_the_turns_are_where_the_sound_is(bank: PhraseBank) -> None:
    found = talk(bank, acoustics=DRY)
    active = np.zeros(len(found.samples), dtype=np.bool_)
    for turn in found.turns:
        active[round(turn.start * 16_000) : round(turn.stop * 16_000)] = True
    assert len(found.samples) == 60 * 16_000
    assert np.abs(found.samples[~active]).max() < 1e-4  # the rounding of Fourier transforms
    assert np.sqrt(np.mean(found.samples[active] ** 2)) > 0.02


def test_equal_seeds_give_equal_conversations_and_others_do_not(bank: PhraseBank) -> None:
    first, again, other = talk(bank, 1), talk(bank, 1), talk(bank, 2)
    np.testing.assert_array_equal(first.samples, again.samples)
    assert first.turns == again.turns != other.turns


def test_nobody_overlaps_with_themselves_and_people_do_with_each_other(bank: PhraseBank) -> None:
    shares = []
    for seed in range(6):
        found = talk(bank, seed, acoustics=DRY)
        speaking = np.zeros((3, 6000), dtype=int)
        names = sorted({turn.speaker for turn in found.turns})
        for turn in found.turns:
            speaking[names.index(turn.speaker), int(turn.start * 100) : int(turn.stop * 100)] += 1
        assert speaking.max() == 1
        shares.append((speaking.sum(axis=0) > 1).sum() / (speaking.sum(axis=0) > 0).sum())
    assert 0.02 < np.mean(shares) < 0.4
    assert len(set(shares)) > 1


def test_one_person_alone_never_overlaps(bank: PhraseBank) -> None:
    found = talk(bank, 3, people=1)
    assert len({turn.speaker for turn in found.turns}) == 1


def test_rooms_and_noise_leave_the_turns_as_they_are(bank: PhraseBank) -> None:
    responses = np.zeros((1, 2, 400), np.float32)
    responses[..., 0], responses[..., 300] = 0.8, 0.6
    noise = NoiseBank.from_arrays([np.random.default_rng(0).integers(-3000, 3000, 32_000).astype(np.int16)])
    loud = Acoustics(room=1.0, calls=0.0, noise=1.0, telephone=0.0)
    wet = talk(bank, 4, rooms=RoomBank(responses=responses), noise=noise, acoustics=loud)
    dry = talk(bank, 4, acoustics=DRY)
    assert wet.turns == dry.turns
    assert np.abs(wet.samples).max() <= 1.0
    silent = np.ones(len(dry.samples), dtype=np.bool_)
    for turn in dry.turns:
        silent[round(turn.start * 16_000) : round(turn.stop * 16_000)] = False
    assert wet.samples[silent].std() > 0.0


def test_a_bank_is_made_once_and_is_of_one_corpus(tmp_path: Path, voice: Callable[..., Floats]) -> None:
    corpus = write_small_corpus(tmp_path / "corpus", voice)
    told: list[int] = []
    first = PhraseBank.open(tmp_path / "bank", corpus, progress=lambda done, total: told.append(done))
    again = PhraseBank.open(tmp_path / "bank", corpus, progress=lambda done, total: pytest.fail("made again"))
    assert told[-1] == len(corpus)
    assert first.people == again.people
    assert {person.name for person in first.people} == set(corpus.speakers)
    with pytest.raises(TrainingError, match="another corpus"):
        PhraseBank.open(tmp_path / "bank", corpus.filter(lambda utterance: utterance.speaker != "ada"))


def test_silence_makes_no_bank(tmp_path: Path) -> None:
    corpus = write_small_corpus(tmp_path / "corpus", lambda *given: np.zeros(32_000, np.float32), clips=1)
    with pytest.raises(CorpusError, match="nobody says anything"):
        PhraseBank.open(tmp_path / "bank", corpus)
