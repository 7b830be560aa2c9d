"""Rendering: a corpus becomes shards, each whole or not there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

from voiceprint.corpus import Corpus, Utterance
from voiceprint.errors import CorpusError, ModelError
from voiceprint.training.pool import Pool
from voiceprint.training.rendering import label_shard, prepare_pool, render_shard
from voiceprint.training.voices import DrawnVoice, Voice

OWN = {"c/a": DrawnVoice(), "c/b": DrawnVoice()}


def clip(number: int) -> np.ndarray:
    return np.random.default_rng(number).integers(-9000, 9000, 1600 + 16 * number).astype(np.int16)


@pytest.fixture
def corpus(tmp_path: Path) -> Corpus:
    utterances = []
    for number in range(4):
        path = tmp_path / f"{number}.wav"
        sf.write(path, clip(number), 16_000)
        utterances.append(
            Utterance(path=path, speaker="ab"[number % 2], seconds=0.1, id=f"{number}.wav", corpus="c")
        )
    return Corpus(utterances)


def test_the_own_voice_comes_back_bit_for_bit(corpus: Corpus, tmp_path: Path) -> None:
    ticks: list[int] = []
    render_shard(corpus, tmp_path / "pool", 0, voices=OWN, advance=lambda: ticks.append(1))
    pool = Pool(tmp_path / "pool", voices=1)
    assert [utterance.id for utterance in pool.utterances] == [f"c/{number}.wav" for number in range(4)]
    for number in range(4):
        assert np.array_equal(pool.read(number) * 32768, clip(number))
    assert len(ticks) == 4


def test_a_faster_voice_is_shorter(corpus: Corpus, tmp_path: Path) -> None:
    render_shard(corpus, tmp_path, 1, voices={"c/a": DrawnVoice(speed=1.25), "c/b": DrawnVoice(speed=0.8)})
    lengths = [len(clip(number)) for number in range(4)]
    render_shard(corpus, tmp_path, 0, voices=OWN)
    rendered = [utterance.samples for utterance in Pool(tmp_path, voices=2).utterances[4:]]
    expected = [length / (1.25, 0.8)[number % 2] for number, length in enumerate(lengths)]
    assert rendered == pytest.approx(expected, abs=2)


def test_a_file_in_a_hundred_may_be_unreadable_and_two_may_not(corpus: Corpus, tmp_path: Path) -> None:
    def many(broken: int) -> Corpus:
        good = corpus[0]
        missing = tmp_path / "missing.wav"
        return Corpus(
            Utterance(
                path=missing if number < broken else good.path,
                speaker="a",
                seconds=0.1,
                id=f"{number}",
                corpus="c",
            )
            for number in range(100)
        )

    (left_out,) = render_shard(many(1), tmp_path / "pool", 0, voices=OWN)
    assert "missing.wav" in left_out.reason
    assert len(Pool(tmp_path / "pool", voices=1)) == 99
    with pytest.raises(CorpusError, match="2 of 100 utterances cannot be read"):
        render_shard(many(2), tmp_path / "other", 0, voices=OWN)
    assert list((tmp_path / "other").iterdir()) == []


def test_labels_are_the_teachers_answers_in_order(corpus: Corpus, tmp_path: Path) -> None:
    render_shard(corpus, tmp_path, 0, voices=OWN)
    label_shard(tmp_path, 0, teacher=lambda samples: np.array([len(samples), 0], dtype=np.float32))
    labels = np.load(tmp_path / "voice-0.teacher.npy")
    assert labels.tolist() == [[len(clip(number)), 0] for number in range(4)]


def test_preparing_renders_what_is_missing_and_leaves_the_rest(corpus: Corpus, tmp_path: Path) -> None:
    heard: list[tuple[int, int]] = []
    prepare_pool(
        corpus, tmp_path / "pool", voices=[Voice(speed=(1.1, 1.2))], progress=lambda *now: heard.append(now)
    )
    first = (tmp_path / "pool" / "voice-0.pcm").stat().st_mtime_ns
    assert heard[-1] == (8, 8)
    own, other = np.split(np.array([u.voice.speed for u in Pool(tmp_path / "pool", voices=2).utterances]), 2)
    assert (own == 1.0).all() and (other >= 1.1).all() and (other <= 1.2).all()
    (tmp_path / "pool" / "voice-1.json").unlink()
    assert prepare_pool(corpus, tmp_path / "pool", voices=[Voice(speed=(1.1, 1.2))]) == ()
    assert len(Pool(tmp_path / "pool", voices=2)) == 8
    assert (tmp_path / "pool" / "voice-0.pcm").stat().st_mtime_ns == first


def test_a_teacher_that_is_no_model_is_refused_before_rendering(corpus: Corpus, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no such model folder"):
        prepare_pool(corpus, tmp_path / "pool", teacher=tmp_path / "nothing")
    assert not (tmp_path / "pool").exists()
