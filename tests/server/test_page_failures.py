"""What can go wrong in front of the page: each failure names its own cause, where the eye is."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from browser import BROWSER, DRIVER, MISSING, Page, allow_microphone, serving
from selenium.webdriver import ActionChains, Chrome, Keys
from selenium.webdriver.common.by import By

pytestmark = pytest.mark.skipif(BROWSER is None or DRIVER is None, reason=MISSING)

LOST = "The server does not answer"


def state_after_record(page: Page) -> str:
    """Press Record and wait for what is said of it."""
    page.part("record").send_keys(Keys.SPACE)
    page.wait(lambda: page.part("state").get_dom_attribute("data-tone") == "bad", "what went wrong")
    assert page.on_screen("[data-part='state']")
    assert page.part("record").text == "Record"
    return page.part("state").text


# The microphone


@pytest.mark.parametrize(
    ("name", "message", "words"),
    [
        ("NotAllowedError", "Permission denied", "does not let this page use the microphone"),
        ("NotAllowedError", "Permission dismissed", "got no answer"),
        ("NotAllowedError", "Permission denied by system", "privacy settings"),
        ("SecurityError", "", "does not let this page use the microphone"),
        ("NotFoundError", "", "No microphone was found"),
        ("OverconstrainedError", "", "No microphone was found"),
        ("NotReadableError", "", "Another program is using the microphone"),
        ("AbortError", "", "Another program is using the microphone"),
        ("TypeError", "x is not a function", "This browser cannot record"),
    ],
)
def test_each_failure_of_the_microphone_names_its_cause(
    same_page: Page, name: str, message: str, words: str
) -> None:
    same_page.run(
        """const [name, message] = values;
        navigator.mediaDevices.getUserMedia = async () => { throw new DOMException(message, name); };""",
        name,
        message,
    )
    same_page.go("identify")
    told = state_after_record(same_page)
    assert words in told
    assert "server" not in told
    assert message == "" or message not in told


def test_a_denied_microphone_is_told_and_a_file_serves_instead(page: Page, people: Path) -> None:
    allow_microphone(page.driver, "denied")
    try:
        page.go("identify")
        assert "does not let this page use the microphone" in state_after_record(page)
        page.choose(people / "dmitri" / "0.wav")
        assert page.verdict() == "Unknown voice"
        assert page.part("state").text == ""
    finally:
        allow_microphone(page.driver)
    assert page.complaints() == []


def test_an_insecure_address_is_told_before_the_microphone_is_asked(page: Page) -> None:
    page.run("Object.defineProperty(window, 'isSecureContext', { value: false });")
    page.go("identify")
    assert state_after_record(page).startswith("Browsers let a page record only over https")


def test_who_leaves_before_the_microphone_is_there_is_not_recorded(page: Page) -> None:
    page.run(
        """const real = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
        navigator.mediaDevices.getUserMedia = async (what) => {
          const stream = await real(what);
          window.stream = stream;
          return new Promise((resolve) => { window.release = () => resolve(stream); });
        };"""
    )
    page.go("identify")
    page.part("record").click()
    page.wait(lambda: page.run("return Boolean(window.release)"), "the microphone to be asked")
    page.go("people")
    page.run("window.release()")
    page.wait(lambda: page.run("return !window.stream.active"), "the microphone to be let go")
    page.go("identify")
    assert page.part("record").text == "Record"


# The server


def test_a_lost_server_is_told_and_the_recording_is_kept_until_it_is_back(
    driver: Chrome, tmp_path: Path, model_folder: Path
) -> None:
    options = ("--no-keys", "--store", str(tmp_path / "store"), "--model", str(model_folder))
    with serving(*options) as served:
        page = Page(driver, served.url)
        page.open("identify")
        page.record(3)
        assert page.verdict() == "Nobody is enrolled yet"
        assert page.complaints() == []
        served.kill()
        page.record(3)
        page.wait(lambda: page.verdict() == LOST, "the trouble")
        assert page.focused() == LOST
        assert "microphone" not in page.text()
        assert all(
            "ERR_CONNECTION_REFUSED" in line for line in page.complaints()
        )  # the browser's own, of fetch
        with serving(*options, port=served.port):
            page.find(".verdict button").click()
            page.wait(lambda: page.verdict() == "Nobody is enrolled yet", "the answer")
        assert page.complaints() == []


def test_a_server_that_is_lost_while_the_page_loads_is_not_blamed_on_the_microphone(page: Page) -> None:
    # What the browser does when the server is gone; a worklet's own requests cannot be cut off from here.
    unloaded = """const real = AudioWorklet.prototype.addModule;
        AudioWorklet.prototype.addModule = function (...what) {
          if (window.back) return real.apply(this, what);
          return Promise.reject(new DOMException('Unable to load a worklet module.', 'AbortError'));
        };"""
    with page.prepared(unloaded), page.cut_off("*/v1/*"):
        page.open("identify")
        assert page.notice().startswith(LOST)
        told = state_after_record(page)
        assert told.startswith(LOST)
        assert "microphone" not in told
    page.run("window.back = true")
    page.find("[data-part='notice'] button").click()
    page.wait(lambda: not page.part("notice").is_displayed(), "the server to be found")
    page.part("record").click()
    page.wait(lambda: page.clock() >= 1, "a recording")


def test_a_device_without_network_is_told_so(page: Page, people: Path) -> None:
    page.go("identify")
    with page.offline():
        page.choose(people / "ada" / "4.wav")
        assert page.verdict() == "This device is offline"
    page.find(".verdict button").click()
    page.wait(lambda: page.verdict() == "Identified", "the answer")


def test_a_key_that_was_withdrawn_is_told_and_the_recording_is_kept(page: Page, people: Path) -> None:
    page.go("identify")
    with page.answering("/v1/identify", 401, {"type": "urn:voiceprint:key-needed"}):
        page.choose(people / "ada" / "4.wav")
        assert page.verdict() == "The key is not accepted"
    page.find(".verdict button").click()
    page.wait(lambda: page.view() == "key", "where a key is entered")
    page.driver.back()
    page.wait(lambda: page.view() == "identify", "the way back")
    assert page.find(".clip strong").text == "4.wav"


@pytest.mark.parametrize("scope", ["verify", "enroll"])
def test_a_key_that_may_not_is_told_in_words_for_its_holder(page: Page, scope: str) -> None:
    source = f"""const real = window.fetch, scopes = ['{scope}'];
        window.fetch = async (url, options) => String(url).includes('/v1/access')
          ? Response.json({{ key_needed: true, key: 'k', scopes, max_seconds: 120, max_clips: 20 }})
          : real(url, options);"""
    with page.prepared(source):
        page.open("enroll" if scope == "verify" else "verify")
        assert page.notice().startswith("With this key you cannot")
        assert "scope" not in page.text()
        assert not page.part("record").is_enabled()


# Files


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("empty.wav", b"", "“empty.wav” is empty"),
        ("me.jpg", b"\xff\xd8\xff\xe0", "“me.jpg” holds no sound"),
        ("paper.pdf", b"%PDF-1.7", "“paper.pdf” holds no sound"),
        ("long.wav", b"RIFF" + bytes(17 << 20), "“long.wav” is too long. Choose a shorter one."),
    ],
)
def test_a_file_that_cannot_be_used_is_told_at_once(
    same_page: Page, tmp_path: Path, name: str, data: bytes, words: str
) -> None:
    (tmp_path / name).write_bytes(data)
    same_page.go("identify")
    same_page.choose(tmp_path / name)
    same_page.wait(lambda: words in same_page.part("state").text, words)


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("memo.m4a", b"\0\0\0\x20ftypM4A " + bytes(3000)),
        ("noise.wav", b"RIFF garbage"),
        ("voice.amr", b"#!AMR\n" + bytes(100)),
    ],
)
def test_a_recording_that_the_server_cannot_read_gets_no_advice_for_operators(
    same_page: Page, tmp_path: Path, name: str, data: bytes
) -> None:
    (tmp_path / name).write_bytes(data)
    same_page.go("identify")
    same_page.choose(tmp_path / name)
    same_page.wait(lambda: same_page.find(".clip strong").text == name, "the file")
    assert same_page.verdict() == "This recording cannot be used"
    assert re.findall(r"ffmpeg|convert|libsndfile|-ac 1|bytes", same_page.text()) == []


# Problems

HOSTILE = {"detail": "/var/lib/x: run ffmpeg -i x.m4a --scope admin", "request_id": "abc"}


@pytest.mark.parametrize(
    ("status", "code", "more", "words"),
    [
        (401, "key-needed", {}, "Ask whoever runs this server for a key"),
        (403, "scope-missing", {}, "Your key does not allow this"),
        (409, "consent-expired", {}, "note it under People"),
        (413, "body-too-large", {}, "Leave out a recording"),
        (422, "clip-unusable", {}, "choose another file"),
        (422, "consent-needed", {}, "tick the box under Consent"),
        (
            422,
            "enrollment-refused",
            {"clips": [{"status": "too_short"}]},
            "None of the recordings can be used",
        ),
        (422, "request-invalid", {}, "give them this number: abc"),
        (429, "too-many-requests", {}, "Wait 3 s"),
        (500, "internal", {}, "give them this number: abc"),
        (503, "overloaded", {}, "try again in a few seconds"),
        (503, "store-unavailable", {}, "cannot reach its voiceprints"),
        (418, "made-up", {}, "The server refused this"),
    ],
)
def test_every_problem_has_words_of_the_page_that_say_what_to_do(
    same_page: Page, status: int, code: str, more: dict[str, Any], words: str
) -> None:
    said = same_page.run(
        "return import('/words.js').then(({ troubleWords }) => troubleWords(values[0]));",
        {"status": status, "code": code, "problem": {**HOSTILE, **more}, "wait": 3},
    )
    assert words in f"{said['title']}. {said['text']}"
    assert re.findall(r"ffmpeg|/var|scope|--|\{", said["title"] + said["text"]) == []


# Whoever cannot see, point, or bear motion

CONTRAST = """
  const parse = (text) => (text.match(/[\\d.]+/g) ?? []).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((c) => c / 255)
    .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
    .reduce((sum, c, at) => sum + c * [0.2126, 0.7152, 0.0722][at], 0);
  const ground = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = parse(getComputedStyle(at).backgroundColor);
      if (colour.length === 3 || colour[3] === 1) return colour;
    }
    return [255, 255, 255];
  };
  const poor = [];
  for (const element of document.querySelectorAll('body *')) {
    const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
    if (!own || !element.checkVisibility() || element.closest('svg, :disabled, .unseen')) continue;
    const pair = [light(parse(getComputedStyle(element).color)), light(ground(element))];
    const ratio = (Math.max(...pair) + 0.05) / (Math.min(...pair) + 0.05);
    if (ratio < 4.5) poor.push(element.textContent.trim().slice(0, 40));
  }
  return poor;
"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_all_text_has_contrast_every_control_has_a_name_and_nothing_is_cut_off(
    page: Page, people: Path, scheme: str
) -> None:
    with page.emulating(width=320, height=700, prefers_color_scheme=scheme):
        for view in ("verify", "identify", "now", "meeting", "enroll", "people", "key"):
            page.open(view)
            if view == "identify":
                page.choose(people / "dmitri" / "0.wav")
                page.verdict()
                page.run("await Promise.all(document.getAnimations().map((one) => one.finished));")
            if view == "people":
                page.wait(lambda: page.driver.find_elements(By.CSS_SELECTOR, ".person"), "the list")
                page.find(".person summary").click()
            assert page.run(CONTRAST) == [], view
            for spacing in ("0.12em", ""):  # as readers may ask for (WCAG 1.4.12), or a wide font takes
                page.run(f"document.body.style.letterSpacing = '{spacing}'")
                assert page.run("return document.documentElement.scrollWidth") <= 320, (view, spacing)
            found = page.driver.find_elements(By.CSS_SELECTOR, "button, input, summary, nav a")
            controls = [control for control in found if control.is_displayed()]
            assert [control.tag_name for control in controls if not control.accessible_name.strip()] == [], (
                view
            )


def test_a_claim_is_verified_by_keyboard_alone(page: Page) -> None:
    page.find("[name=name]").send_keys("ada" + Keys.TAB)
    assert page.focused() == "Record"
    ActionChains(page.driver).send_keys(Keys.SPACE).perform()
    assert page.verdict() == "Accepted"  # the recording stops as soon as the claim is decided
    assert page.focused() == "Accepted"


def test_an_answer_comes_before_the_eye_on_a_phone(page: Page, people: Path) -> None:
    with page.emulating(width=390, height=844):
        page.fill("[name=name]", "ada")
        page.choose(people / "ada" / "4.wav")
        assert page.verdict() == "Accepted"
        assert page.on_screen(".verdict h2")


def test_whoever_wants_less_motion_sees_none(page: Page, people: Path) -> None:
    with page.emulating(prefers_reduced_motion="reduce"):
        page.go("identify")
        page.part("record").click()
        page.wait(lambda: page.clock() >= 1, "a recording")
        assert page.run("return document.getAnimations().length") == 0
        page.stop()
        page.verdict()
        assert page.run("return document.getAnimations().length") == 0
