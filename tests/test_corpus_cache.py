from __future__ import annotations

import os
import pickle
from pathlib import Path

import numpy as np
import pytest
import soundfile

from voiceprint.corpus import AudioCache, Corpus, Utterance, read_manifest
from voiceprint.errors import CorpusError


def clip(folder: Path, name: str, samples: np.ndarray) -> Path:
    path = folder / name
    soundfile.write(path, samples, 16000, subtype="PCM_16")
    return path


def pcm(seed: int, length: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(-32768, 32768, length).astype(np.int16)


def corpus_of(*paths: Path) -> Corpus:
    return Corpus(
        Utterance(path=path, speaker="ada", seconds=0.5, id=f"{i}-{path.name}")
        for i, path in enumerate(paths)
    )


@pytest.mark.parametrize("workers", [1, 3])
def test_every_sample_comes_back_bit_for_bit(tmp_path: Path, workers: int) -> None:
    clips = [pcm(seed, 8000 + seed) for seed in range(40)]
    corpus = corpus_of(*(clip(tmp_path, f"{i}.wav", samples) for i, samples in enumerate(clips)))
    told: list[tuple[int, int]] = []
    cache = AudioCache.build(
        corpus, tmp_path / "cache", workers=workers, progress=lambda *done: told.append(done)
    )
    assert cache.lengths.tolist() == [len(samples) for samples in clips]
    assert all(np.array_equal(cache.read(i), samples) for i, samples in enumerate(clips))
    assert np.array_equal(cache.read(7, 100, 300), clips[7][100:300])
    assert cache.read(7).dtype == np.int16
    assert told == [(done, 40) for done in range(1, 41)]


def test_a_built_cache_is_opened_and_not_decoded_again(tmp_path: Path) -> None:
    corpus = corpus_of(clip(tmp_path, "a.wav", pcm(1, 8000)))
    AudioCache.build(corpus, tmp_path / "cache")
    corpus[0].path.unlink()
    assert AudioCache.build(corpus, tmp_path / "cache").lengths.tolist() == [8000]
    assert sorted(path.suffix for path in (tmp_path / "cache").iterdir()) == [".i16", ".npz"]


def test_another_corpus_gets_files_of_its_own(tmp_path: Path) -> None:
    one, two = clip(tmp_path, "a.wav", pcm(1, 8000)), clip(tmp_path, "b.wav", pcm(2, 9000))
    AudioCache.build(corpus_of(one), tmp_path / "cache")
    both = AudioCache.build(corpus_of(one, two), tmp_path / "cache")
    assert both.lengths.tolist() == [8000, 9000]
    with pytest.raises(CorpusError, match="holds no decoded audio of this corpus"):
        AudioCache.open(corpus_of(two, one), tmp_path / "cache")


def test_another_process_maps_the_file_itself(tmp_path: Path) -> None:
    cache = AudioCache.build(corpus_of(clip(tmp_path, "a.wav", pcm(1, 160000))), tmp_path / "cache")
    message = pickle.dumps(cache)
    assert len(message) < 2000
    assert np.array_equal(pickle.loads(message).read(0), pcm(1, 160000))


def test_stretches_of_a_recording(tmp_path: Path) -> None:
    path = clip(tmp_path, "long.wav", pcm(3, 32000))
    corpus = Corpus(
        Utterance(path=path, speaker="ada", seconds=0.5, id=f"u{start}", start=start, stop=start + 0.5)
        for start in (0.0, 1.0)
    )
    cache = AudioCache.build(corpus, tmp_path / "cache")
    assert np.array_equal(cache.read(0), pcm(3, 32000)[:8000])
    assert np.array_equal(cache.read(1), pcm(3, 32000)[16000:24000])


def test_unreadable_clips_are_listed_and_left_out(tmp_path: Path) -> None:
    good, bad = clip(tmp_path, "a.wav", pcm(1, 8000)), tmp_path / "b.wav"
    bad.write_bytes(b"not audio")
    beyond = Utterance(path=good, speaker="ada", seconds=1.0, id="beyond", start=3.0, stop=4.0)
    corpus = corpus_of(bad, good) + Corpus([beyond])
    cache = AudioCache.build(corpus, tmp_path / "cache", max_unreadable=0.7)
    assert list(cache.corpus) == [corpus[1]]
    assert np.array_equal(cache.read(0), pcm(1, 8000))
    assert [u.utterance for u in cache.unreadable] == [corpus[0], beyond]
    assert "b.wav" in cache.unreadable[0].reason
    assert "holds nothing from 3.0 to 4.0 s" in cache.unreadable[1].reason


def test_too_many_unreadable_clips_are_refused_and_leave_nothing(tmp_path: Path) -> None:
    good, gone = clip(tmp_path, "a.wav", pcm(1, 8000)), tmp_path / "gone.wav"
    with pytest.raises(CorpusError, match=r"1 of 2 utterances cannot be read, more than 1%: .*gone\.wav"):
        AudioCache.build(corpus_of(good, gone), tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []


def test_damage_is_noticed(tmp_path: Path) -> None:
    corpus = corpus_of(clip(tmp_path, "a.wav", pcm(1, 8000)))
    AudioCache.build(corpus, tmp_path / "cache")
    audio, index = sorted((tmp_path / "cache").iterdir())
    os.truncate(audio, 100)
    with pytest.raises(CorpusError, match="has 100 bytes where its index says 16000"):
        AudioCache.open(corpus, tmp_path / "cache")
    whole = index.read_bytes()
    for damaged in (b"", b"x", whole[:200]):
        index.write_bytes(damaged)
        with pytest.raises(CorpusError, match="index of decoded audio is damaged"):
            AudioCache.open(corpus, tmp_path / "cache")


def test_samples_outside_an_utterance_are_refused(tmp_path: Path) -> None:
    cache = AudioCache.build(corpus_of(clip(tmp_path, "a.wav", pcm(1, 8000))), tmp_path / "cache")
    for start, stop in ((0, 8001), (-1, 10), (10, 10)):
        with pytest.raises(ValueError, match="are not within utterance 0 of 8000 samples"):
            cache.read(0, start, stop)


@pytest.mark.corpora
def test_a_real_corpus_has_the_lengths_of_its_manifest(tmp_path: Path, corpora: Path) -> None:
    corpus = read_manifest(corpora / "free_spoken_digits")
    cache = AudioCache.build(corpus, tmp_path / "cache", workers=2)
    assert cache.unreadable == ()
    np.testing.assert_allclose(cache.lengths / 16000, [u.seconds for u in corpus], atol=0.011)
    assert all(np.abs(cache.read(i)).max() > 100 for i in range(0, len(cache), 50))
