"""The programs that run in the peers' environment: with a peer that is made up, and without voiceprint."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from benchmarks.peers.clips import ClipSet
from benchmarks.peers.environment import peer_command
from benchmarks.peers.files import write_clips
from benchmarks.peers.systems import PeerSystem, embedded
from benchmarks.program import ROOT, BenchmarkError

# Embeds a clip as its length and its energy; its trimming removes what is silent.
PEER = """
import numpy as np
import soundfile

class hparams:
    audio_norm_target_dBFS = -30

class VoiceEncoder:
    def __init__(self, device, verbose):
        assert "voiceprint" not in __import__("sys").modules

    def embed_utterance(self, samples):
        if len(samples) == 7:
            raise ValueError("seven is an odd number")
        return np.array([1.0 + len(samples), np.square(samples).sum()], dtype=np.float32)

    def embed_speaker(self, clips):
        return np.mean([self.embed_utterance(clip) for clip in clips], axis=0)

def preprocess_wav(clip):
    samples = clip if isinstance(clip, np.ndarray) else soundfile.read(clip, dtype="float32")[0]
    return samples[samples != 0]
"""
AUDIO = "def normalize_volume(samples, target, increase_only):\n    return samples\n"


@pytest.fixture
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An environment whose Python is this one, with a package `resemblyzer` of a few lines."""
    folder = tmp_path / "peers"
    (folder / "bin").mkdir(parents=True)
    python = folder / "bin" / "python"
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n', encoding="utf-8")
    python.chmod(0o755)
    (folder / "resemblyzer").mkdir()
    (folder / "resemblyzer" / "__init__.py").write_text(PEER, encoding="utf-8")
    (folder / "resemblyzer" / "audio.py").write_text(AUDIO, encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(folder))
    return folder


@pytest.fixture
def clips(tmp_path: Path) -> ClipSet:
    path = tmp_path / "clips.npz"
    loud = np.full(4, 0.5, dtype=np.float32)
    write_clips(path, [loud, np.zeros(3, dtype=np.float32), np.full(7, 0.5, dtype=np.float32)])
    names = np.array(["a", "b", "c"])
    return ClipSet(path=path, ids=names, speakers=names, splits=names, fingerprint="0" * 64)


def peer(environment: Path, name: str = "resemblyzer") -> PeerSystem:
    return PeerSystem(title="A peer", id=name, name=name, environment=environment)


def test_a_peer_embeds_what_it_can_and_says_what_it_cannot(
    environment: Path, clips: ClipSet, tmp_path: Path
) -> None:
    found = embedded(peer(environment), clips, "three", tmp_path / "embeddings")
    assert found.answered.tolist() == [True, True, False]
    assert found.good.tolist() == [True, False, False]
    assert found.failed == {
        1: "nothing is left of it after trimming silence",
        2: "ValueError: seven is an odd number",
    }
    np.testing.assert_allclose(found.embeddings[0], np.array([5, 1]) / np.sqrt(26), rtol=1e-5)


def test_a_peer_may_be_left_untrimmed(environment: Path, clips: ClipSet, tmp_path: Path) -> None:
    found = embedded(peer(environment, "resemblyzer-untrimmed"), clips, "three", tmp_path / "embeddings")
    assert found.answered.tolist() == found.good.tolist() == [True, True, False]


def test_a_peer_is_timed(environment: Path) -> None:
    times = peer(environment).seconds(np.full(100, 0.5, dtype=np.float32))
    assert len(times) == 60 and min(times) >= 0


def test_a_peer_that_cannot_run_is_one_error(tmp_path: Path, clips: ClipSet) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python").write_text("#!/bin/sh\nexit 3\n", encoding="utf-8")
    (tmp_path / "bin" / "python").chmod(0o755)
    with pytest.raises(BenchmarkError, match="ended with 3"):
        embedded(peer(tmp_path), clips, "three", tmp_path / "embeddings")


def test_resemblyzer_enrolls_verifies_and_is_timed(environment: Path, tmp_path: Path) -> None:
    clip = tmp_path / "clip.wav"
    soundfile.write(clip, np.full(16_000, 0.5), 16_000)

    def run(*arguments: str) -> str:
        command = [*peer_command(environment, "resemblyzer_steps"), *arguments]
        return subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout

    run("enroll", str(tmp_path / "ada.npy"), str(clip), str(clip))
    assert np.load(tmp_path / "ada.npy")[0] == 16_001
    assert json.loads(run("verify", str(tmp_path / "ada.npy"), str(clip)))["accepted"] is True
    timed = json.loads(run("time", str(clip)))
    assert [len(timed[step]) for step in ("decode and find_speech", "embed")] == [30, 30]


def test_a_package_is_weighed_with_what_it_requires(environment: Path) -> None:
    command = [*peer_command(environment, "installed_size"), "soundfile"]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    found = json.loads(done.stdout)
    assert {"soundfile", "numpy"} <= set(found["largest"])
    assert found["bytes"] > sum(found["largest"].values()) / 2
