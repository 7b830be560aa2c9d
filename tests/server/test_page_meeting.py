"""Who speaks when, in the page: lanes of a recording, turns to hear, a speaker to enroll."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from browser import BROWSER, DRIVER, MISSING, Page, serving
from numpy.typing import NDArray
from selenium.webdriver import Chrome, Keys
from selenium.webdriver.common.by import By

from voiceprint.engine.verifier import Verifier

pytestmark = pytest.mark.skipif(BROWSER is None or DRIVER is None, reason=MISSING)

Floats = NDArray[np.float32]


@pytest.fixture(scope="session")
def meeting(
    tmp_path_factory: pytest.TempPathFactory, voice: Callable[..., Floats], wav: Callable[..., Path]
) -> Path:
    """Ada, a stranger, Ada and the stranger again, 4 s each."""
    pause = 1e-4 * np.random.default_rng(0).standard_normal(8_000).astype(np.float32)
    script = ("ada", "dmitri", "ada", "dmitri")
    parts = [part for number, who in enumerate(script) for part in (voice(who, 50 + number, 4.0), pause)]
    return wav(tmp_path_factory.mktemp("meeting") / "board meeting.wav", np.concatenate(parts))


def lanes(page: Page) -> list[str]:
    found = page.driver.find_elements(By.CSS_SELECTOR, "#view-meeting .lane [data-part='name']")
    return [lane.text for lane in found]


def listened(page: Page, meeting: Path) -> None:
    page.go("meeting")
    page.part("file").send_keys(str(meeting))
    page.wait(lambda: page.part("result").is_displayed(), "the lanes")


def test_a_recording_shows_lanes_and_a_turn_is_heard(page: Page, meeting: Path) -> None:
    listened(page, meeting)
    assert page.part("title").text == "2 people speak in board meeting.wav"
    assert page.focused() == "2 people speak in board meeting.wav"
    assert lanes(page) == ["ada", "speaker 1"]
    turns = page.driver.find_elements(By.CSS_SELECTOR, "#view-meeting .lane:nth-child(2) .turn")
    assert len(turns) >= 2
    assert turns[0].accessible_name.startswith("speaker 1, 0:04 to 0:")
    turns[0].click()
    page.wait(lambda: page.part("clock").text >= "0:05", "the turn to be played")
    page.wait(lambda: page.part("play").accessible_name == "Play", "the turn to end")
    assert page.part("clock").text < "0:10"
    turns[0].send_keys(Keys.ARROW_RIGHT)
    assert page.driver.switch_to.active_element == turns[1]
    assert page.complaints() == []


def test_a_speaker_is_enrolled_from_the_turns_and_then_called_by_name(page: Page, meeting: Path) -> None:
    listened(page, meeting)
    page.find(".lane:nth-child(2) [data-part='give']").click()
    page.wait(lambda: page.view() == "enroll", "the form")
    page.wait(lambda: len(page.driver.find_elements(By.CSS_SELECTOR, "#view-enroll .clip")) >= 1, "clips")
    page.wait(
        lambda: all(
            "of speech" in fact.text
            for fact in page.driver.find_elements(By.CSS_SELECTOR, "#view-enroll .clip [data-part='facts']")
        ),
        "the clips to be measured",
    )
    page.fill("[name=name]", "Cleo")
    page.find("[name=agreed]").click()
    page.part("submit").click()
    assert page.verdict() == "Enrolled"
    page.go("meeting")
    assert lanes(page) == ["ada", "Cleo"]
    page.part("file").send_keys(str(meeting))
    page.wait(lambda: not page.part("result").is_displayed(), "the old lanes to go")
    page.wait(lambda: page.part("result").is_displayed(), "the lanes")
    assert lanes(page) == ["ada", "Cleo"]
    assert page.complaints() == []


def test_a_speaker_is_not_called_by_the_name_of_whoever_is_enrolled_next(
    page: Page, meeting: Path, people: Path
) -> None:
    listened(page, meeting)
    page.find(".lane:nth-child(2) [data-part='give']").click()
    page.wait(lambda: page.view() == "enroll", "the form")
    page.go("people")
    page.wait(lambda: page.find(".person summary").is_displayed(), "the list")
    page.find(".person summary").click()
    page.part("add").click()
    page.wait(lambda: page.view() == "enroll", "the form")
    page.find("[data-part='choice'] button").click()  # somebody else
    page.choose(people / "cleo" / "0.wav", people / "cleo" / "1.wav", people / "cleo" / "2.wav")
    page.fill("[name=name]", "Dora")
    page.find("[name=agreed]").click()
    page.part("submit").click()
    assert page.verdict() == "Enrolled"
    page.go("meeting")
    assert lanes(page) == ["ada", "speaker 1"]
    assert page.complaints() == []


def test_a_long_recording_shows_how_far_it_is_and_can_be_stopped(
    driver: Chrome, tmp_path: Path, model_folder: Path, meeting: Path
) -> None:
    options = ("--no-keys", "--max-seconds", "5", "--rate", "1000", "--model", str(model_folder))
    with Verifier(tmp_path / "store", model=model_folder) as verifier:
        len(verifier.store)
    with serving(*options, "--store", str(tmp_path / "store")) as served:
        page = Page(driver, served.url)
        page.open("meeting")
        page.complaints()
        page.part("file").send_keys(str(meeting))
        page.wait(lambda: page.part("cancel").is_displayed(), "the button")
        page.wait(lambda: page.part("result").is_displayed(), "the lanes")
        assert lanes(page) == ["speaker 1", "speaker 2"]
        assert not page.part("cancel").is_displayed()
        samples, rate = sf.read(meeting)
        sf.write(tmp_path / "long.flac", np.tile(samples, 40), rate)
        page.part("file").send_keys(str(tmp_path / "long.flac"))
        page.wait(lambda: page.part("cancel").is_displayed(), "the button")
        page.part("cancel").click()
        assert page.part("state").text == "Stopped. Nothing of the recording was kept."
        assert not page.part("result").is_displayed()
        assert page.complaints() == []


def test_what_is_no_recording_is_told(page: Page, tmp_path: Path) -> None:
    page.go("meeting")
    (tmp_path / "empty.wav").write_bytes(b"")
    page.part("file").send_keys(str(tmp_path / "empty.wav"))
    page.wait(lambda: "is empty" in page.part("state").text, "the word")
    (tmp_path / "broken.wav").write_bytes(b"no sound at all")
    page.part("file").send_keys(str(tmp_path / "broken.wav"))
    assert page.notice().startswith("This recording cannot be used.")
    assert not page.part("result").is_displayed()
    assert all("422" in line for line in page.complaints())  # the browser's own, of fetch
