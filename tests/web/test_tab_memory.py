"""A tab that is used for long keeps to its memory."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from browser import BROWSER, DRIVER, MISSING
from numpy.typing import NDArray
from selenium.webdriver import Chrome

from benchmarks.web.memory import measure_memory, watching_memory
from benchmarks.web.parity import open_engine, serving_library
from voiceprint.model import SpeakerModel

pytestmark = pytest.mark.skipif(BROWSER is None or DRIVER is None, reason=MISSING)


def test_many_clips_and_long_sound_take_no_more_memory_than_the_first(
    driver: Chrome, site: Path, model: SpeakerModel, voice: Callable[..., NDArray[np.float32]]
) -> None:
    sound = np.concatenate([voice(name, seed, 8.0) for seed in range(2) for name in ("ada", "bert")])
    with serving_library(model, "original") as (server, folder):  # `site` skips where scripts are not built
        sound.astype("<f4").tofile(folder / "speech.f32")
        with watching_memory(driver):
            open_engine(driver, server)
        found = measure_memory(driver, "/speech.f32", clips=30, rounds=2)
    assert found.loaded.wasm > 0
    for before, after in (found.clips, found.live):
        assert after.wasm == before.wasm
        assert after.heap < before.heap + 2.0
