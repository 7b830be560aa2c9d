"""Whether an engine in a tab keeps to its memory: many clips, and sound that goes on for minutes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from benchmarks.web.page_scripts import run_script

_WATCH = """window.memories = [];
const Real = WebAssembly.Memory;
WebAssembly.Memory = function (given) {
    const made = new Real(given);
    window.memories.push(made);
    return made;
};
WebAssembly.Memory.prototype = Real.prototype;
for (const name of ["instantiate", "instantiateStreaming"]) {
    const real = WebAssembly[name];
    WebAssembly[name] = async (...given) => {
        const found = await real(...given);
        const { exports } = found.instance ?? found;
        window.memories.push(...Object.values(exports).filter((each) => each instanceof Real));
        return found;
    };
}"""
_WASM = "return window.memories.reduce((sum, { buffer }) => sum + buffer.byteLength, 0);"

_CLIPS = """const [address, first, count] = values;
    const sound = new Float32Array(await (await fetch(address)).arrayBuffer());
    const cut = (start, seconds) => {
        return { samples: sound.slice(start, start + 16000 * seconds), sample_rate: 16000 };
    };
    if (!first) await verifier.enroll("somebody", cut(0, 6), { min_speech: 1 });
    const anybody = { threshold: -1 };
    for (let number = first; number < first + count; number += 1) {
        const clip = cut((number * 9973) % (sound.length - 160000), 2 + (number % 9));
        await verifier.verify("somebody", clip, anybody);
        await verifier.identify(clip, { ...anybody, allow_replay: true });
    }
    return null;"""

_LIVE = """const [address, rounds] = values;
    const sound = new Float32Array(await (await fetch(address)).arrayBuffer());
    window.session ??= verifier.session({ allow_replay: true });
    for (let round = 0; round < rounds; round += 1) {
        for (let at = 0; at < sound.length; at += 800) await session.feed(sound.slice(at, at + 800));
    }
    return null;"""


@dataclass(frozen=True, slots=True, kw_only=True)
class TabMemory:
    """What a tab holds, in megabytes, once its garbage is collected.

    Attributes
    ----------
    wasm : float
        The memory of WebAssembly, which never shrinks: the most that the networks ever took.
    heap : float
        What scripts hold, without their buffers.
    """

    wasm: float
    heap: float


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryFigures:
    """A tab's memory before and after.

    Attributes
    ----------
    loaded : TabMemory
        Once the engine is ready.
    clips : tuple of two TabMemory
        After a round of clips, and after a second one.
    live : tuple of two TabMemory
        After long sound in one session, and after as much again.
    """

    loaded: TabMemory
    clips: tuple[TabMemory, TabMemory]
    live: tuple[TabMemory, TabMemory]


@contextmanager
def watching_memory(driver: Any) -> Iterator[None]:
    """Let pages that are loaded until the block ends note their memory."""
    made = driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": _WATCH})
    try:
        yield
    finally:
        driver.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", made)


def measure_memory(driver: Any, sound: str, *, clips: int, rounds: int) -> MemoryFigures:
    """Give an engine work, and look at what it holds.

    Parameters
    ----------
    driver : selenium.webdriver.Chrome
        In whose page `verifier` is there, with nobody enrolled, and whose memory is watched.
    sound : str
        Address of samples (float32 at 16 kHz) of over 10 s, which begin with one person's.
    clips : int
        In each of two rounds, of 2 to 10 s, cut out of it; each is verified and identified.
    rounds : int
        How often one session gets all of it, and then as often again.
    """
    loaded = _look(driver)
    after_clips, after_sound = [], []
    for part in range(2):
        run_script(driver, _CLIPS, sound, part * clips, clips)
        after_clips.append(_look(driver))
    for _ in range(2):
        run_script(driver, _LIVE, sound, rounds)
        after_sound.append(_look(driver))
    return MemoryFigures(
        loaded=loaded,
        clips=(after_clips[0], after_clips[1]),
        live=(after_sound[0], after_sound[1]),
    )


def _look(driver: Any) -> TabMemory:
    for _ in range(2):  # buffers go in a second collection
        driver.execute_cdp_cmd("HeapProfiler.collectGarbage", {})
    heap = driver.execute_cdp_cmd("Runtime.getHeapUsage", {})["usedSize"]
    return TabMemory(wasm=run_script(driver, _WASM) / 1e6, heap=heap / 1e6)
