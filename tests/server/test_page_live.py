"""The page while somebody speaks: the gauge moves, and recording stops when it is decided."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import soundfile as sf
from browser import BROWSER, DRIVER, MISSING, Page, serving, silence_before
from selenium.webdriver import Chrome

from voiceprint.engine.verifier import Verifier
from voiceprint.server.audit import AuditLog
from voiceprint.server.keys import KeyRing
from voiceprint.server.settings import ServerSettings
from voiceprint.server.state import StateFile

pytestmark = pytest.mark.skipif(BROWSER is None or DRIVER is None, reason=MISSING)

READER, OTHER = "becz03", "Ara"  # speakers of voxforge, for demonstration

WATCH = """window.turns = [];
    const place = document.querySelector(".view:not([hidden]) .answer");
    new MutationObserver(() => {
      const needle = place.querySelector("[data-part='needle']")?.getAttribute("transform");
      const moved = needle && window.turns.at(-1) !== needle;
      if (place.dataset.state === "live" && moved) window.turns.push(needle);
    }).observe(place, { subtree: true, childList: true, attributes: true });"""
"""Notes every place of the needle while somebody speaks."""


def uploads(page: Page) -> list[str]:
    """The requests for a decision that were sent as recordings."""
    found: list[str] = page.run("return performance.getEntriesByType('resource').map((each) => each.name)")
    return [name for name in found if "/verify" in name or "/identify" in name]


def speak_until_decided(page: Page) -> str:
    """Press the button, and do no more."""
    page.part("record").click()
    heading = page.verdict_after_speaking()
    page.wait(lambda: not page.recording(), "the recording to stop")
    return heading


@pytest.mark.corpora
def test_a_claim_is_decided_while_somebody_speaks(
    driver: Chrome, microphone: Path, speech: Callable[..., Path], tmp_path: Path
) -> None:
    store = tmp_path / "store"
    with Verifier(store) as verifier:
        verifier.enroll("Bea", [speech(READER, number, number + 1) for number in range(3)])
        state = StateFile(ServerSettings(store=str(store)).state_folder)
        _, secret = KeyRing(state).create(["verify"])
    with serving("--store", str(store)) as served:
        page = Page(driver, served.url)
        page.open()
        page.fill("[name=secret]", secret)
        page.find("[type=submit]").click()
        page.wait(lambda: page.view() == "verify", "the key to be taken")
        page.fill("[name=name]", "Bea")
        speech(READER, 6, 8, microphone)
        page.run(WATCH)
        assert speak_until_decided(page) == "Accepted"
        assert page.clock() <= 8
        assert len(page.run("return window.turns")) >= 1
        assert page.part("reading").text.endswith("alike than needed")

        speech(OTHER, 3, 9, microphone)
        assert speak_until_decided(page) == "Rejected"
        assert uploads(page) == []

        page.go("identify")
        speech(READER, 8, 10, microphone)
        assert speak_until_decided(page) == "Identified"
        assert page.find(".matches .who").text == "Bea"
        assert uploads(page) == []
        assert page.complaints() == []
    decided = [record.entry for record in AuditLog(state).records() if '"decision"' in record.entry]
    state.close()
    assert len(decided) == 3


def test_the_needle_moves_while_it_is_not_decided(page: Page, microphone: Path, people: Path) -> None:
    """A voice between two others is looked at again and again."""
    ada, rate = sf.read(people / "ada" / "3.wav")
    bert, _ = sf.read(people / "bert" / "3.wav")
    length = min(len(ada), len(bert))
    sf.write(microphone, (0.5 * ada[:length] + 0.5 * bert[:length]), rate, subtype="PCM_16")
    page.fill("[name=name]", "ada")
    page.run(WATCH)
    page.part("record").click()
    page.wait(lambda: page.run("return window.turns.length") >= 1 or not page.recording(), "the needle")
    page.wait(lambda: page.clock() >= 2 or not page.recording(), "two seconds")
    page.stop()
    assert page.verdict_after_speaking() in ("Accepted", "Rejected", "Not enough speech")
    assert page.run("return window.turns.length") >= 1
    assert page.complaints() == []


@pytest.mark.parametrize(
    "broken",
    [
        "window.WebSocket = class { constructor() { throw new DOMException('none here', 'SyntaxError'); } };",
        "delete window.WebSocket;",
        "window.WebSocket = class extends WebSocket { constructor() { super('/v1/nowhere'); } };",
        "window.WebSocket = class { readyState = 0; close() {} send() {} };",
        """const send = WebSocket.prototype.send;
           WebSocket.prototype.send = function (what) {
             send.call(this, what);
             if (typeof what !== 'string') this.close();
           };""",
    ],
    ids=["refused", "missing", "not there", "silent", "lost meanwhile"],
)
def test_where_the_socket_fails_the_recording_is_sent(page: Page, broken: str) -> None:
    with page.prepared(broken):
        page.open()
        page.fill("[name=name]", "ada")
        page.record(2)
        assert page.verdict_after_speaking() == "Accepted"
        assert len(uploads(page)) == 1
    assert [line for line in page.complaints() if "WebSocket" not in line] == []


def test_another_name_while_somebody_speaks_is_asked_about_when_it_is_recorded(
    page: Page, microphone: Path
) -> None:
    silence_before(microphone, 8.0)
    page.fill("[name=name]", "bert")
    page.part("record").click()
    page.wait(lambda: page.clock() >= 1, "a second that is listened to as bert's")
    page.fill("[name=name]", "ada")
    page.wait(lambda: page.clock() >= 12, "the speech")
    page.stop()
    assert page.verdict_after_speaking() == "Accepted"
    assert "like ada" in page.find(".verdict").text


def test_who_leaves_while_speaking_leaves_no_question_behind(page: Page, microphone: Path) -> None:
    silence_before(microphone, 8.0)
    page.go("identify")
    page.part("record").click()
    page.wait(page.recording, "the microphone")
    page.go("people")
    page.go("identify")
    assert not page.recording()
    assert not page.answered()
    page.record(2)
    page.verdict_after_speaking()
    assert page.complaints() == []
