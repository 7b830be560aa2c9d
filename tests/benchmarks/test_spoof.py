"""The benchmark of replays, on a handful of synthetic recordings."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.spoof.parts import Options
from benchmarks.spoof.replaying import REPLAYS
from benchmarks.spoof.seen import seen_before


@pytest.fixture
def corpora(tmp_path: Path, voice: Callable[..., NDArray[np.float32]], wav: Callable[..., Path]) -> Path:
    """Two corpora: other words each time, and three takes of one word, of which two are one recording."""
    for corpus, text, seeds in (("common_voice", "", (1, 2)), ("arabic_speech_commands", "one", (3, 4, 4))):
        lines = ["path,speaker,session,split,seconds,gender,text"]
        for number, seed in enumerate(seeds):
            wav(tmp_path / corpus / f"{number}.wav", voice("ada", seed, 2.0))
            lines.append(f"{number}.wav,ada,,test,2.0,f,{text}")
        (tmp_path / corpus / "manifest.csv").write_text("\n".join(lines), encoding="utf-8")
    return tmp_path


def test_replays_are_counted_and_other_takes(corpora: Path) -> None:
    page = seen_before(Options(corpora=corpora, split="test", clips=2, seed=0))
    assert re.search(r"^\| as is: as it is \| 4 \| 100\.0 \| 0 \| - \|$", page, re.MULTILINE)
    assert re.search(r"^\| \*\*telephone\*\* \| \d+ \| \d+\.\d \| ", page, re.MULTILINE)
    assert re.search(r"^\| arabic_speech_commands \| 3 \| 1 \| \d+\.\d+ \|$", page, re.MULTILINE)
    assert re.search(r"^\| \*\*all\*\* \| 3 \| 1 \|", page, re.MULTILINE)
    assert "| free_spoken_digits | 0 | 0 | - |" in page
    assert page == seen_before(Options(corpora=corpora, split="test", clips=2, seed=0))


@pytest.mark.parametrize("name", REPLAYS)
def test_every_replay_is_sound_at_16_khz(name: str, voice: Callable[..., NDArray[np.float32]]) -> None:
    played = REPLAYS[name].change(voice("ada", 1, 2.0), voice("ada", 2, 2.0), np.random.default_rng(0))
    assert played.dtype == np.float32 and played.ndim == 1
    assert 8_000 < len(played) < 80_000 and np.abs(played).max() <= 1.0
