"""The page of a server that verifies nobody without a challenge."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from browser import BROWSER, DRIVER, MISSING, Page, serving
from selenium.webdriver import Chrome

from voiceprint.challenge import LENGTH, WORDS
from voiceprint.engine.verifier import Verifier

pytestmark = pytest.mark.skipif(BROWSER is None or DRIVER is None, reason=MISSING)


@pytest.fixture
def challenging(driver: Chrome, tmp_path: Path, model_folder: Path, people: Path) -> Iterator[Page]:
    store = tmp_path / "store"
    with Verifier(store, model=model_folder) as verifier:
        verifier.enroll("ada", [people / "ada" / f"{clip}.wav" for clip in range(3)])
    options = ["--no-keys", "--challenge", "--store", str(store), "--model", str(model_folder)]
    with serving(*options) as served:
        page = Page(driver, served.url)
        page.open()
        yield page


def test_words_are_shown_before_a_recording_begins_and_other_words_are_refused(challenging: Page) -> None:
    page = challenging
    page.go("verify")
    page.fill("[name=name]", "ada")
    shown = []
    for _ in range(2):
        page.part("record").click()
        page.wait(lambda: page.clock() >= 2, "a recording")
        shown.append(re.sub(r"[^a-z ]", "", page.part("say").text.removeprefix("Say in English:")).split())
        page.stop()
        page.wait(lambda: page.verdict() == "Other words", "the refusal")
        assert "not the words that were asked for" in page.text()
    assert shown[0] != shown[1]
    for words in shown:
        assert len(words) == LENGTH and set(words) <= set(WORDS)


def test_a_file_that_was_made_before_is_no_answer(challenging: Page, people: Path) -> None:
    page = challenging
    page.go("verify")
    page.fill("[name=name]", "ada")
    page.choose(people / "ada" / "3.wav")
    page.wait(lambda: "The words have to be said now" in page.text(), "the refusal")
