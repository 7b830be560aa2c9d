from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from voiceprint.audio import Waveform, read_audio
from voiceprint.corpus import Unreadable, Utterance, read_manifest
from voiceprint.corpus import reading as module
from voiceprint.corpus.reading import read_utterances, require_readable
from voiceprint.errors import CorpusError


def clip(folder: Path, name: str, samples: NDArray[np.int16]) -> Path:
    path = folder / name
    soundfile.write(path, samples, 16000, subtype="PCM_16")
    return path


def pcm(seed: int, length: int) -> NDArray[np.int16]:
    return np.random.default_rng(seed).integers(-32768, 32768, length).astype(np.int16)


def sixteen_bit(read: NDArray[np.float32] | Unreadable) -> NDArray[np.float32]:
    """Scale what was read to the range of 16-bit numbers."""
    assert not isinstance(read, Unreadable)
    return read * np.float32(32768)


def stretch(path: Path, id_: str, start: float | None = None, stop: float | None = None) -> Utterance:
    return Utterance(path=path, speaker="ada", seconds=0.5, id=id_, start=start, stop=stop)


def test_every_sample_comes_back_bit_for_bit_and_in_order(tmp_path: Path) -> None:
    clips = [pcm(seed, 8000 + seed) for seed in range(5)]
    paths = [clip(tmp_path, f"{i}.wav", samples) for i, samples in enumerate(clips)]
    read = list(read_utterances([stretch(path, path.name) for path in paths]))
    assert all(np.array_equal(sixteen_bit(a), b) for a, b in zip(read, clips, strict=True))


def test_stretches_of_a_recording_decode_it_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, other = clip(tmp_path, "long.wav", pcm(3, 32000)), clip(tmp_path, "b.wav", pcm(4, 8000))
    decoded: list[Path] = []

    def noted(path: Path) -> Waveform:
        decoded.append(path)
        return read_audio(path)

    monkeypatch.setattr(module, "read_audio", noted)
    first, second, rest, last = read_utterances(
        [
            stretch(path, "u", 0.0, 0.5),
            stretch(path, "v", 1.0, 1.5),
            stretch(path, "w", 1.5),
            stretch(other, "x"),
        ]
    )
    assert decoded == [path, other]
    assert np.array_equal(sixteen_bit(first), pcm(3, 32000)[:8000])
    assert np.array_equal(sixteen_bit(second), pcm(3, 32000)[16000:24000])
    assert np.array_equal(sixteen_bit(rest), pcm(3, 32000)[24000:])
    assert len(sixteen_bit(last)) == 8000
    # A stretch that is kept does not keep its recording.
    assert isinstance(first, np.ndarray) and first.base is None


def test_what_cannot_be_read_is_named_in_its_place(tmp_path: Path) -> None:
    good, bad = clip(tmp_path, "a.wav", pcm(1, 8000)), tmp_path / "b.wav"
    bad.write_bytes(b"not audio")
    utterances = [stretch(bad, "bad"), stretch(good, "good"), stretch(good, "beyond", 3.0, 4.0)]
    broken, whole, beyond = read_utterances(utterances)
    assert isinstance(broken, Unreadable) and broken.utterance == utterances[0]
    assert "b.wav" in broken.reason
    assert np.array_equal(sixteen_bit(whole), pcm(1, 8000))
    assert isinstance(beyond, Unreadable) and beyond.utterance == utterances[2]
    assert "a.wav: holds nothing from 3.0 to 4.0 s (utterance 'beyond'); it is 0.50 s long" in beyond.reason


def test_one_in_a_hundred_may_be_unreadable() -> None:
    bad = Unreadable(utterance=stretch(Path("/x/gone.wav"), "gone"), reason="gone.wav: is not there")
    require_readable([bad], total=100)
    require_readable([], total=0)
    with pytest.raises(CorpusError, match=r"^1 of 99 utterances cannot be read, more than 1%: gone\.wav: is"):
        require_readable([bad], total=99)
    with pytest.raises(CorpusError, match=r"^2 of 4 dev clips cannot be read, more than 40%: "):
        require_readable([bad, bad], total=4, limit=0.4, what="dev clips")


@pytest.mark.corpora
def test_a_real_corpus_has_the_lengths_of_its_manifest(corpora: Path) -> None:
    corpus = read_manifest(corpora / "free_spoken_digits")
    clips = [read for read in read_utterances(corpus) if not isinstance(read, Unreadable)]
    np.testing.assert_allclose([len(read) / 16000 for read in clips], [u.seconds for u in corpus], atol=0.011)
    assert all(np.abs(read).max() > 0.003 for read in clips[::50])
