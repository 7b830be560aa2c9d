"""The engine in the tab beside the engine in Python: embeddings, speech and decisions are the same."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from browser import BROWSER, DRIVER, MISSING, Page
from numpy.typing import NDArray

from benchmarks.web.parity import Parity, compare_engines
from voiceprint.audio import read_audio
from voiceprint.calibration import Decider, OperatingPoint, TrialShape
from voiceprint.engine.events import Decided, Scored, event_name
from voiceprint.engine.verifier import Verifier
from voiceprint.model import SpeakerModel

pytestmark = pytest.mark.skipif(BROWSER is None or DRIVER is None, reason=MISSING)

CLIPS = {"original": 200, "int8": 50}


@pytest.fixture(scope="module")
def compared(request: pytest.FixtureRequest, started_browser: Any, corpora: Path) -> Callable[[str], Parity]:
    known: dict[str, Parity] = {}

    def of(weights: str) -> Parity:
        request.getfixturevalue("site")  # skips where the scripts are not built
        if weights not in known:
            known[weights] = compare_engines(started_browser, corpora, weights=weights, clips=CLIPS[weights])
        return known[weights]

    return of


@pytest.mark.corpora
def test_the_original_weights_give_the_same_answers(compared: Callable[[str], Parity]) -> None:
    found = compared("original")
    assert len(found.cosines) == CLIPS["original"]
    assert found.cosines.min() >= 0.9999
    assert found.off_in_seconds.max() <= 0.05
    assert found.other_decisions == ()
    assert found.off_in_thresholds.max() < 1e-3
    assert {each.name: each.least for each in found.files if each.least < 0.999} == {}


@pytest.mark.corpora
@pytest.mark.parametrize("weights", ["original", "int8"])
def test_the_same_recordings_are_known_again(compared: Callable[[str], Parity], weights: str) -> None:
    found = compared(weights).replays
    assert found.other_decisions == ()
    assert found.replayed > 0.8 * found.decisions
    assert found.other_prints == 0
    assert found.bits_apart < 0.001 * found.bits


@pytest.mark.corpora
def test_weights_in_8_bits_cost_next_to_nothing(compared: Callable[[str], Parity]) -> None:
    found = compared("int8")
    assert found.cosines.min() >= 0.995
    assert found.off_in_seconds.max() <= 0.05
    assert len(found.other_decisions) <= 0.02 * found.decisions


POINTS = (
    OperatingPoint.far(0.01),
    OperatingPoint.far(0.0001),
    OperatingPoint.eer(),
    OperatingPoint.cost(p_target=0.1, c_fa=5.0),
)

DECIDE = """const [data, trials] = values;
    const { ModelCard, Decider } = await import('/voiceprint-web.js');
    const card = new ModelCard(data);
    const decider = new Decider(card.calibration, card.openSet, []);
    return trials.map(({ score, shape, point }) => ({
        threshold: decider.threshold(shape, point),
        llr: decider.llr(score, shape),
        p_miss: decider.pMiss(shape, point),
        shortfall: decider.shortfall(shape, point),
    }));"""


def test_every_threshold_is_the_one_of_python(tab: Page, library: str) -> None:
    model = SpeakerModel.open("default")
    card, generator = model.card, np.random.default_rng(0)
    decider = Decider(
        calibration=card.calibration, open_set=card.open_set, cohort=np.zeros((0, card.dim), np.float32)
    )
    trials, wanted = [], []
    for number in range(400):
        point = POINTS[number % len(POINTS)].among(int(generator.choice([1, 2, 7, 100])))
        snr = None if number % 3 == 0 else float(generator.uniform(-10, 60))
        rivals = None if number % 2 else float(generator.uniform(0.1, 0.6))
        seconds, score = float(generator.uniform(0.3, 20.0)), float(generator.uniform(-0.2, 0.9))
        shape = TrialShape(
            n_enroll=int(generator.integers(1, 12)), seconds=seconds, snr_db=snr, rivals=rivals
        )
        trials.append(
            {"score": score, "shape": _fields(shape), "point": {**point.to_dict(), "people": point.people}}
        )
        wanted.append((decider, score, shape, point))
    page = Page(tab.driver, library)
    page.driver.get(f"{library}/blank.html")
    data = {**card.to_dict(), "id": card.id, "weights": {}}
    for found, (decider, score, shape, point) in zip(page.run(DECIDE, data, trials), wanted, strict=True):
        assert found["threshold"] == pytest.approx(float(decider.thresholds(shape, point)), abs=1e-9)
        assert found["llr"] == pytest.approx(float(decider.llrs(score, shape)), abs=1e-9)  # type: ignore[arg-type]
        miss, shortfall = decider.p_miss(shape, point), decider.shortfall(shape, point)
        assert found["p_miss"] == (None if miss is None else pytest.approx(float(miss), abs=1e-9))
        assert found["shortfall"] == (
            None if shortfall is None else {field: getattr(shortfall, field) for field in shortfall.__slots__}
        )


def _fields(shape: TrialShape) -> dict[str, Any]:
    return {field: getattr(shape, field) for field in ("n_enroll", "seconds", "snr_db", "rivals")}


LISTEN = """const { loadEngine } = await import('/home.js');
    const engine = await loadEngine();
    await engine.importPeople(values[0]);
    const samples = Float32Array.from(values[1]);
    const session = await engine.session(values[2]);
    const events = [];
    for (let at = 0; at < samples.length; at += 700) {
        events.push(...(await session.feed(samples.slice(at, at + 700), 16000)));
    }
    return [...events, ...(await session.finish())];"""


@pytest.mark.parametrize("question", [{}, {"claim": "ada"}], ids=["search", "claim"])
def test_a_session_tells_what_it_tells_in_python(
    tab: Page, model_folder: Path, people: Path, tmp_path: Path, question: dict[str, str]
) -> None:
    from voiceprint.store import write_export  # noqa: PLC0415

    clips = [people / name / f"{number}.wav" for name in ("ada", "bert") for number in (3, 4)]
    samples: NDArray[np.float32] = np.concatenate([read_audio(clip).samples for clip in clips])
    with Verifier(tmp_path / "store", model=model_folder) as verifier:
        for name in ("ada", "bert"):
            verifier.enroll(name, [people / name / f"{number}.wav" for number in range(3)])
        session = verifier.session(**question)  # type: ignore[arg-type]
        wanted = [*session.feed(samples), *session.finish()]
        path = tmp_path / "export.json"
        write_export(
            path, verifier.store.export_records(), model_id=verifier.model.id, dim=verifier.model.dim
        )
    found = tab.run(LISTEN, path.read_text(encoding="utf-8"), samples.tolist(), question)
    assert [(each["event"], each["elapsed"]) for each in found] == [
        (event_name(each), each.elapsed) for each in wanted
    ]
    for ours, theirs in zip(found, wanted, strict=True):
        if isinstance(theirs, Scored):
            assert (ours["name"], ours["threshold"]) == (
                theirs.name,
                pytest.approx(theirs.threshold, abs=1e-5),
            )
        if isinstance(theirs, Decided):
            answer = theirs.answer
            assert (ours["answer"]["decision"], ours["answer"]["name"]) == (answer.decision, answer.name)
            assert ours["answer"]["reason"] == answer.reason
            assert json.loads(json.dumps(ours["answer"]["quality_notes"])) == [
                {"code": note.code, "text": note.text} for note in answer.quality_notes
            ]
