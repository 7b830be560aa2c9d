"""Rendering: a corpus becomes shards, each whole or not there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from filelock import FileLock

from voiceprint.corpus import Corpus, Utterance
from voiceprint.errors import CorpusError, ModelError
from voiceprint.training.data.pool import Pool, VoiceDraw
from voiceprint.training.data.rendering import label_shard, prepare_pool, render_shard
from voiceprint.training.data.voices import DrawnVoice, Voice, draw_voices
from voiceprint.training.locks import POOL_LOCK
from voiceprint.training.origins import SourceModel, read_record, save_record, source_of

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


def test_what_a_killed_rendering_left_is_cleared_away(corpus: Corpus, tmp_path: Path) -> None:
    left = tmp_path / "voice-0.pcm.4711.part"
    left.write_bytes(b"half a shard")
    prepare_pool(corpus, tmp_path, voices=[])
    assert not left.exists()
    assert len(Pool(tmp_path, voices=1)) == 4


def test_a_teacher_that_is_no_model_is_refused_before_rendering(corpus: Corpus, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no such model folder"):
        prepare_pool(corpus, tmp_path / "pool", teacher=tmp_path / "nothing")
    assert not (tmp_path / "pool").exists()


# ---- a pool that is there already -----------------------------------------------------------------------


@pytest.fixture
def rendered(corpus: Corpus, tmp_path: Path) -> Path:
    """A pool of the own voice and a faster one, drawn by seed 3."""
    folder, faster = tmp_path / "pool", Voice(speed=(1.1, 1.2))
    (drawn,) = draw_voices(list(OWN), [faster], seed=3)
    render_shard(corpus, folder, 0, voices=OWN)
    render_shard(corpus, folder, 1, voices=drawn, drawn=VoiceDraw(voice=faster, seed=3))
    return folder


def test_a_pool_is_used_again_by_the_recipe_that_it_was_rendered_for(corpus: Corpus, rendered: Path) -> None:
    assert prepare_pool(corpus, rendered, voices=[Voice(speed=(1.1, 1.2))], seed=3) == ()
    assert prepare_pool(corpus, rendered, seed=8) == ()  # with no voice drawn, the seed draws none


@pytest.mark.parametrize(
    ("voice", "seed", "asked"),
    [
        (Voice(speed=(1.1, 1.2)), 4, r"asks for speed \[1.1, 1.2\], formants \[1.0, 1.0\] by seed 4"),
        (Voice(speed=(1.1, 1.3)), 3, r"asks for speed \[1.1, 1.3\]"),
    ],
)
def test_other_voices_are_refused_before_anything_is_rendered(
    corpus: Corpus, rendered: Path, voice: Voice, seed: int, asked: str
) -> None:
    with pytest.raises(CorpusError, match=f"voice 1 was drawn from .* by seed 3; .* {asked}.*; name another"):
        prepare_pool(corpus, rendered, voices=[voice, Voice()], seed=seed)
    assert not (rendered / "voice-2.json").exists()


def test_a_part_of_the_speech_is_there_and_adds_no_voice_to_the_pool(corpus: Corpus, rendered: Path) -> None:
    prepare_pool(corpus[:2], rendered, voices=[Voice(speed=(1.1, 1.2))], seed=3)
    with pytest.raises(CorpusError, match=r"holds 2 utterances that the recipe does not train on"):
        prepare_pool(corpus[:2], rendered, voices=[Voice(speed=(1.1, 1.2)), Voice()], seed=3)
    assert not (rendered / "voice-2.json").exists()


def label(folder: Path, *numbers: int) -> None:
    for number in numbers:
        label_shard(folder, number, teacher=lambda samples: np.ones(2, dtype=np.float32))


def test_the_teacher_is_written_down_and_another_refused(
    corpus: Corpus, rendered: Path, model_folder: Path, tmp_path: Path
) -> None:
    (rendered / "voice-1.json").unlink()
    prepare_pool(corpus, rendered, teacher=model_folder)
    assert read_record(rendered / "teacher.json", SourceModel) == source_of(model_folder)
    prepare_pool(corpus, rendered, teacher=model_folder)
    save_record(replace(source_of(model_folder), title="large 2", id="ab" * 32), rendered / "teacher.json")
    with pytest.raises(CorpusError, match=r"another teacher, large 2 \(id abababababab\), than tiny 1 "):
        prepare_pool(corpus, rendered, teacher=model_folder)


def render_first(pool: Path, render: Callable[[], object]) -> Callable[[], None]:
    """Stands for another process: it has locked the pool, and renders when it is waited for."""
    pool.mkdir()
    lock = FileLock(pool / POOL_LOCK)
    lock.acquire()

    def waiting() -> None:
        render()
        lock.release()

    return waiting


def test_what_another_process_rendered_meanwhile_is_not_rendered_again(
    corpus: Corpus, tmp_path: Path
) -> None:
    pool = tmp_path / "pool"
    waiting = render_first(pool, lambda: render_shard(corpus, pool, 0, voices=OWN))
    done: list[tuple[int, int]] = []
    prepare_pool(corpus, pool, progress=lambda *counts: done.append(counts), waiting=waiting)
    assert done == []
    assert len(Pool(pool, voices=1)) == 4
    assert not (pool / POOL_LOCK).exists()


def test_two_teachers_at_once_are_not_mixed(corpus: Corpus, model_folder: Path, tmp_path: Path) -> None:
    pool = tmp_path / "pool"
    other = replace(source_of(model_folder), title="large 2", id="ab" * 32)

    def render() -> None:
        render_shard(corpus, pool, 0, voices=OWN)
        save_record(other, pool / "teacher.json")
        label(pool, 0)

    with pytest.raises(CorpusError, match="another teacher, large 2"):
        prepare_pool(
            corpus,
            pool,
            voices=[Voice(speed=(1.1, 1.2))],
            teacher=model_folder,
            waiting=render_first(pool, render),
        )
    assert read_record(pool / "teacher.json", SourceModel) == other
    assert not (pool / "voice-1.json").exists()


def test_embeddings_of_a_teacher_that_is_not_known_are_not_added_to(
    corpus: Corpus, rendered: Path, model_folder: Path
) -> None:
    label(rendered, 0)
    prepare_pool(corpus, rendered, teacher=model_folder)
    assert not (rendered / "teacher.json").exists()
    with pytest.raises(CorpusError, match=r"does not say which teacher .* voice 1 has none yet; delete"):
        prepare_pool(corpus, rendered, voices=[Voice(speed=(1.1, 1.2))], seed=3, teacher=model_folder)


def test_what_was_left_out_is_told_by_every_run(corpus: Corpus, tmp_path: Path) -> None:
    good = corpus[0]
    many = Corpus(
        replace(good, id=f"{number}", path=tmp_path / "missing.wav" if number == 7 else good.path)
        for number in range(100)
    )
    render_shard(many, tmp_path / "pool", 0, voices=OWN)
    (left_out,) = prepare_pool(many, tmp_path / "pool")
    assert left_out.utterance == many[7]
    assert "missing.wav" in left_out.reason
    without = Corpus(utterance for utterance in many if utterance.id != "7")
    assert prepare_pool(without, tmp_path / "pool") == ()
    (tmp_path / "pool" / "unreadable.json").write_text("{")
    with pytest.raises(CorpusError, match=r"unreadable.json: is no list of unreadable utterances"):
        prepare_pool(many, tmp_path / "pool")
