"""What the library promises of verdicts and enrollment, asked of the tab and of Python alike."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from browser import BROWSER, DRIVER, MISSING, Page
from numpy.typing import NDArray
from selenium.webdriver import Chrome
from tiny_countermeasure import inverted, write_tiny_countermeasure

from benchmarks.web.parity import serving_library
from voiceprint import Verifier
from voiceprint.audio.degrade import opus
from voiceprint.countermeasure import LivenessCheck
from voiceprint.engine.decisions import Comparison, Identification, Verification
from voiceprint.engine.enrollment import EnrollmentReport
from voiceprint.errors import VoiceprintError
from voiceprint.model import SpeakerModel
from voiceprint.store import Enrollment
from voiceprint.web.assets import find_runtime

pytestmark = pytest.mark.skipif(BROWSER is None or DRIVER is None, reason=MISSING)

Samples = NDArray[np.float32]
Voice = Callable[..., Samples]
Step = tuple[str, list[str], list[list[str]], dict[str, Any]]

LATER = datetime.now(UTC) + timedelta(days=365)
ENDED = datetime(2020, 1, 1, tzinfo=UTC)

ASK = """const { Verifier } = await import('/voiceprint-web.js');
    const verifier = await Verifier.open({ model: '/model', runtime: values[1] });
    const clip = async (name) => {
        const answer = await fetch(`/${encodeURIComponent(name)}.f32`);
        return { samples: new Float32Array(await answer.arrayBuffer()), sample_rate: 16000 };
    };
    const told = [];
    for (const [method, names, clips, options] of values[0]) {
        const sides = await Promise.all(clips.map((side) => Promise.all(side.map(clip))));
        const target = method in verifier ? verifier : verifier.store;
        const others = Object.keys(options).length ? [options] : [];
        const asked = async () => target[method](...names, ...sides, ...others);
        told.push(await asked().then((value) => value ?? null, ({ code }) => ({ error: code })));
    }
    return told;"""

METHODS = {"setTerms": "set_terms", "optOut": "opt_out"}


def step(method: str, *arguments: str | list[str], **options: Any) -> Step:
    """One question; names of people come first, then lists of names of clips."""
    names = [each for each in arguments if isinstance(each, str)]
    return method, names, [each for each in arguments if isinstance(each, list)], options


ENROLLING: list[Step] = [
    step("enroll", "ada", ["ada 0", "ada 1", "ada 2"]),
    step("enroll", "bert", ["bert 0", "bert 1", "bert 2"]),
    step("enroll", "ada", ["ada 3"]),  # is there already
    step("enroll", "Unknown", ["cleo 0", "cleo 1"]),  # reads like an answer
    step("enroll", " ", ["cleo 0", "cleo 1"]),
    step("enroll", "cleo", ["cleo 0"]),  # too little
    step("enroll", "clio", ["cleo 0", "cleo 0 in opus", "a syllable"], min_speech=1.0),
    step("enroll", "cleo", ["cleo 0", "cleo 1"], min_speech=0.1),
    step("enroll", "cleo", ["cleo 0", "cleo 1", "ada 5"]),  # one of another person
    step("enroll", "dmitri", ["dmitri 0", "ada 6"]),  # which of the two?
    step("enroll", "dmitri", ["ada and bert", "dmitri 0", "dmitri 1"]),
    step("enroll", "adele", ["ada 7", "ada 1 in opus"]),  # sounds like ada, and shares a recording
    step("enroll", "nobody", ["ada 8"], mode="add"),
    step("enroll", "ada", ["bert 5"], mode="add"),
    step("enroll", "ada", ["ada 1 in opus"], mode="add"),
    step("enroll", "ada", ["ada 8", "bert 5"], mode="add"),
    step("show", "ada"),
]
DECIDING: list[Step] = [
    step("enroll", "ada", ["ada 0", "ada 1", "ada 2"]),
    step("enroll", "bert", ["bert 0", "bert 1", "bert 2"]),
    step("enroll", "cleo", ["cleo 0", "cleo 1", "cleo 2"]),
    *(step("verify", "ada", [clip]) for clip in ("ada 3", "ada 3", "ada 3 in opus", "ada 0", "bert 3")),
    *(step("verify", "ada", [clip], threshold=-1.0) for clip in ("ada 3 in opus", "ada 1 in part", "cleo 4")),
    step("verify", "ada", ["ada 3"], allow_replay=True),
    *(
        step("verify", "ada", [clip])
        for clip in ("a syllable", "silence", "half a second", "clipped", "quiet")
    ),
    step("verify", "ada", ["noisy"]),
    step("verify", "ada", ["ada 4"], far=0.0001),
    step("verify", "ada", ["ada 4"], far=0.3),
    step("verify", "ada", ["half a second"], min_speech=2.0),
    step("verify", "ada", ["ada 5", "ada 6"]),
    step("verify", "ada", ["ada 5", "ada 9"]),
    step("verify", "ada", ["ada 9", "ada 9"]),
    step("verify", "nobody", ["ada 4"]),
    step("verify", "ada", ["ada 4"], threshold=1.5),
    step("verify", "ada", ["ada 4"], threshold=0.5, far=0.01),
    step("verify", "ada", [], far=0.01),
    *(
        step("identify", [clip])
        for clip in ("ada 7", "ada 7", "bert 3", "dmitri 0", "silence", "half a second")
    ),
    step("identify", ["ada 8"], among=["bert", " cleo "], top=1),
    step("identify", ["bert 4"], among="bert"),
    step("identify", ["ada 8"], among=[]),
    step("identify", ["ada 8"], among=["nobody"]),
    step("identify", ["ada 8"], threshold=-1.0, top=2),
    step("compare", ["ada 3"], ["ada 4"]),
    step("compare", ["ada 3", "ada 5"], ["bert 4"]),
    step("compare", ["ada 3"], ["half a second"], far=0.0001),
    step("compare", ["ada 3"], ["silence"]),
    step("setTerms", "bert", consent=None, expires=ENDED),
    step("verify", "bert", ["bert 6"]),
    step("identify", ["bert 6"]),
    step("enroll", "bert", ["bert 7"], mode="add"),
    step("optOut", "cleo"),
    step("verify", "cleo", ["cleo 3"]),
    step("identify", ["cleo 3"]),
    step("enroll", "cleo", ["cleo 0", "cleo 1", "cleo 2"]),
    step("rename", "ada", "adele"),
    step("verify", "adele", ["ada 3"]),
    step("setTerms", "adele", consent=None, expires=LATER),
    step("verify", "ada", ["ada 3"]),
]


SPOOFED: list[Step] = [
    step("enroll", "ada", ["ada 0", "ada 1", "ada 2"]),
    step("enroll", "bert", ["bert 0", "bert 1", "bert 2", "bert 5 turned"]),
    step("verify", "ada", ["ada 3 turned"], threshold=-1.0),
    step("verify", "ada", ["ada 3 turned"], threshold=-1.0),  # was not remembered
    step("verify", "ada", ["ada 3"]),
    step("verify", "ada", ["ada 3 turned"], threshold=-1.0),  # and now it was heard before
    step("verify", "ada", ["ada 5", "ada 5 turned"], threshold=-1.0),
    step("verify", "ada", ["bert 3"]),
    step("verify", "ada", ["a syllable"], min_speech=0.1, threshold=-1.0),
    step("verify", "ada", ["ada at length"]),
    step("verify", "ada", ["ada turned at length"], threshold=-1.0, allow_replay=True),
    step("identify", ["bert 3 turned"], threshold=-1.0),
    step("identify", ["bert 4"]),
    step("identify", ["dmitri 0"]),
]


@pytest.fixture
def clips(voice: Voice) -> dict[str, Samples]:
    """Clips by name."""
    found = {
        f"{name} {number}": voice(name, number, 2.0)
        for name in ("ada", "bert", "cleo", "dmitri")
        for number in range(10)
    }
    noise = np.random.default_rng(0).normal(0.0, 1.0, 32_000).astype(np.float32)
    pause = np.zeros(16_000, np.float32)
    return found | {
        "ada 1 in opus": opus(found["ada 1"], kbps=24),
        "ada 3 in opus": opus(found["ada 3"], kbps=24),
        "cleo 0 in opus": opus(found["cleo 0"], kbps=24),
        "ada 1 in part": found["ada 1"][8_000:-4_000],
        "ada and bert": np.concatenate([voice("ada", 20, 6.0), voice("bert", 20, 6.0)]),
        "a syllable": np.concatenate([pause, voice("ada", 21, 0.3), pause]),
        "half a second": np.concatenate([pause, voice("ada", 22, 0.7), pause]),
        "silence": np.zeros(32_000, np.float32),
        "clipped": np.clip(8 * found["ada 4"], -0.9, 0.9),
        "quiet": np.float32(0.003) * found["ada 4"],
        "noisy": np.concatenate([pause, found["ada 9"]]) + 0.05 * np.resize(noise, 48_000),
    }


@pytest.fixture
def liveness() -> LivenessCheck | None:
    """Nobody asks whether somebody speaks live."""
    return None


@pytest.fixture
def ask_the_tab(
    driver: Chrome,
    site: Path,
    model: SpeakerModel,
    clips: Mapping[str, Samples],
    liveness: LivenessCheck | None,
) -> Iterator[Callable[[Sequence[Step]], list[Any]]]:
    """Ask a Verifier with nobody enrolled, in a page; `site` skips where the scripts are not built."""
    with serving_library(model, "original", liveness=liveness) as (server, folder):
        for name, samples in clips.items():
            samples.astype("<f4").tofile(folder / f"{name}.f32")
        page = Page(driver, server.url)
        driver.set_script_timeout(600)  # all steps are one script
        driver.get(f"{server.url}/blank.html")
        yield lambda steps: page.run(ASK, _plain(steps), f"{server.url}/{find_runtime().name}")


@pytest.mark.parametrize("steps", [ENROLLING, DECIDING], ids=["enrolling", "deciding"])
def test_the_tab_answers_as_python_does(
    steps: list[Step],
    ask_the_tab: Callable[[Sequence[Step]], list[Any]],
    clips: Mapping[str, Samples],
    model: SpeakerModel,
    tmp_path: Path,
) -> None:
    told = ask_the_tab(steps)
    with Verifier(tmp_path / "store", model=model) as verifier:
        for asked, theirs in zip(steps, told, strict=True):
            assert _shown(theirs) == _shown(_ask(verifier, asked, clips)), asked


class TestLiveness:
    """Machines: the clips of the tiny countermeasure stand upside down."""

    @pytest.fixture
    def countermeasure(self, tmp_path: Path) -> Path:
        return write_tiny_countermeasure(tmp_path / "countermeasure")

    @pytest.fixture
    def liveness(self, countermeasure: Path) -> LivenessCheck:
        return LivenessCheck.open(countermeasure, spoof_far=0.02)

    @pytest.fixture
    def clips(self, clips: dict[str, Samples]) -> dict[str, Samples]:
        turned = {f"{name} turned": inverted(clips[name]) for name in ("ada 3", "ada 5", "bert 3", "bert 5")}
        long = np.concatenate([clips[f"ada {number}"] for number in range(4, 10)])
        return clips | turned | {"ada at length": long, "ada turned at length": inverted(long)}

    def test_machines_are_refused_as_in_python(
        self,
        ask_the_tab: Callable[[Sequence[Step]], list[Any]],
        clips: Mapping[str, Samples],
        model: SpeakerModel,
        countermeasure: Path,
        tmp_path: Path,
    ) -> None:
        told = ask_the_tab(SPOOFED)
        opened = Verifier(tmp_path / "store", model=model, spoof_far=0.02, countermeasure=countermeasure)
        with opened as verifier:
            for asked, theirs in zip(SPOOFED, told, strict=True):
                assert _shown(theirs) == _shown(_ask(verifier, asked, clips)), asked
        assert {each["decision"] for each in told if each and "decision" in each} == {
            *("accepted", "rejected", "replayed", "spoofed", "not_enough_speech", "identified", "unknown"),
        }
        assert {clip["status"] for each in told if "clips" in each for clip in each["clips"]} == {
            *("used", "spoofed"),
        }


def test_the_two_lists_meet_every_answer_there_is(
    ask_the_tab: Callable[[Sequence[Step]], list[Any]],
) -> None:
    told = ask_the_tab(DECIDING)
    assert {each["decision"] for each in told if each and "decision" in each} == {
        *("accepted", "rejected", "replayed", "not_enough_speech", "expired", "opted_out"),
        *("identified", "unknown", "same", "different"),
    }
    notes = {note["code"] for each in told if each for note in _flat(each.get("quality_notes", []))}
    assert notes >= {"short", "clipped", "noisy", "quiet"}
    enrolled = [each for each in ask_the_tab(ENROLLING) if each and "clips" in each]
    assert {clip["status"] for each in enrolled for clip in each["clips"]} == {
        *("used", "disagrees", "two_voices", "too_short", "duplicate"),
    }


def _plain(steps: Sequence[Step]) -> list[list[Any]]:
    """Steps as JSON holds them."""
    return [
        [
            method,
            names,
            sides,
            {
                key: value.isoformat() if isinstance(value, datetime) else value
                for key, value in options.items()
            },
        ]
        for method, names, sides, options in steps
    ]


def _ask(verifier: Verifier, asked: Step, clips: Mapping[str, Samples]) -> Any:
    """Ask Python; returns the fields of the answer, as the tab has them."""
    method, names, sides, options = asked
    arrays = [[clips[name] for name in side] for side in sides]
    rate = {"sample_rate": 16_000} if any(sides) else {}
    try:
        answer = getattr(verifier, METHODS.get(method, method))(*names, *arrays, **options, **rate)
    except VoiceprintError as error:
        return {"error": error.code}
    if isinstance(answer, Verification | Identification | Comparison):
        return {key: value for key, value in asdict(answer).items() if key != "words"}  # a tab asks for none
    if isinstance(answer, EnrollmentReport):
        return {
            "enrollment": {"n_utterances": answer.enrollment.n_utterances},
            "clips": [asdict(clip) for clip in answer.clips],
            "resembles": [asdict(other) for other in answer.resembles],
        }
    return {"n_utterances": answer.n_utterances} if isinstance(answer, Enrollment) else answer


def _shown(answer: Any) -> Any:
    """What of an answer must be alike: numbers to three digits, moments left out."""
    if isinstance(answer, bool) or answer is None:
        return answer
    if isinstance(answer, float | int):
        return pytest.approx(answer, abs=2e-3)
    if isinstance(answer, str):
        return re.sub(r"on \d{4}-\d\d-\d\d at \d\d:\d\d UTC", "then", answer)
    if isinstance(answer, Mapping):
        if "enrollment" in answer:
            answer = {**answer, "enrollment": {"n_utterances": answer["enrollment"]["n_utterances"]}}
        if "n_utterances" in answer and "centroid" in answer:
            return {"n_utterances": answer["n_utterances"]}
        return {key: _shown(value) for key, value in answer.items() if key != "at"}
    return [_shown(each) for each in answer]


def _flat(notes: Sequence[Any]) -> list[Any]:
    """Notes of one clip, or of two."""
    return [note for each in notes for note in (each if isinstance(each, list) else [each])]
