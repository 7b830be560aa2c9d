"""The page in a real browser, whose microphone plays speech from a file."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile as sf
from browser import BROWSER, DRIVER, MISSING, Page, Served, chromium, serving
from selenium.webdriver import Chrome, Keys
from selenium.webdriver.common.by import By

from voiceprint.server.keys import SCOPES, KeyRing
from voiceprint.server.settings import ServerSettings
from voiceprint.server.state import StateFile

pytestmark = pytest.mark.skipif(BROWSER is None or DRIVER is None, reason=MISSING)

READER, OTHER = "becz03", "Ara"  # speakers of voxforge, for demonstration


@pytest.fixture(scope="module")
def microphone(tmp_path_factory: pytest.TempPathFactory, people: Path) -> Path:
    """The file that the microphone plays; each test may write its own speech into it."""
    path = tmp_path_factory.mktemp("microphone") / "microphone.wav"
    path.write_bytes((people / "ada" / "0.wav").read_bytes())
    return path


@pytest.fixture(scope="module")
def driver(microphone: Path) -> Iterator[Chrome]:
    with chromium(microphone) as started:
        yield started


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, model_folder: Path) -> Iterator[Served]:
    """A server without keys, on synthetic voices."""
    store = tmp_path_factory.mktemp("page") / "store"
    with serving("--no-keys", "--store", str(store), "--model", str(model_folder)) as started:
        yield started


@pytest.fixture
def page(driver: Chrome, served: Served) -> Page:
    """The page, just opened, its console empty."""
    found = Page(driver, served.url)
    found.open()
    found.complaints()
    return found


@pytest.fixture(scope="module")
def speech(corpora: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """``speech(who, first, last, path=None)``: some clips of a real speaker, one after the other, as wav."""
    folder = tmp_path_factory.mktemp("speech")
    with (corpora / "voxforge" / "manifest.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))

    def write(who: str, first: int, last: int, path: Path | None = None) -> Path:
        clips = [row["path"] for row in rows if row["speaker"] == who][first:last]
        samples = np.concatenate([sf.read(corpora / "voxforge" / clip, dtype="float32")[0] for clip in clips])
        path = path or folder / f"{who}-{first}.wav"
        sf.write(path, samples, 16_000, subtype="PCM_16")
        return path

    return write


def enroll_from_files(page: Page, name: str, *clips: Path) -> None:
    page.go("enroll")
    page.fill("[name=name]", name)
    page.choose(*clips)
    page.wait(lambda: all(heard(page)), "the clips to be measured")
    page.find("[name=agreed]").click()
    page.part("submit").send_keys(Keys.ENTER)


def heard(page: Page) -> list[bool]:
    """Whether each clip in the list was measured."""
    facts = page.driver.find_elements(By.CSS_SELECTOR, ".view:not([hidden]) .clip [data-part='facts']")
    return ["of speech" in fact.text for fact in facts] or [False]


@pytest.mark.corpora
def test_a_person_enrolls_is_accepted_and_identified_and_is_removed(
    driver: Chrome, microphone: Path, speech: Callable[..., Path], tmp_path: Path
) -> None:
    store = tmp_path / "store"
    with serving("--store", str(store)) as served:
        page = Page(driver, served.url)
        page.open()
        assert page.view() == "key"
        page.fill("[name=secret]", "vp_wrong")
        page.find("[type=submit]").click()
        assert page.notice().startswith("The server does not know this key")
        assert all("401" in line for line in page.complaints())  # the browser's own, of fetch
        page.fill("[name=secret]", make_key(store))
        page.find("[type=submit]").click()
        page.wait(lambda: page.view() == "verify", "the key to be taken")

        speech(READER, 0, 2, microphone)
        page.go("enroll")
        page.fill("[name=name]", "Bea Czerny")
        page.record(9)
        page.wait(lambda: all(heard(page)), "the recording to be measured")
        assert page.part("speech-bar").get_dom_attribute("data-enough") == "true"
        page.find("[name=agreed]").click()
        page.part("submit").click()
        assert page.verdict() == "Enrolled"

        speech(READER, 6, 8, microphone)
        page.find(".verdict button").click()  # "Verify them now"
        page.wait(lambda: page.view() == "verify", "the claim")
        assert page.find("[name=name]").get_property("value") == "Bea Czerny"
        page.record(6)
        assert page.verdict() == "Accepted"
        assert page.focused() == "Accepted"
        assert "reaches the threshold" in page.part("reading").text
        assert page.part("dial").get_dom_attribute("aria-label").startswith("Score 0.")

        page.choose(speech(OTHER, 3, 4))
        page.wait(lambda: page.verdict() == "Rejected", "a rejection")
        assert "This does not sound like Bea Czerny." in page.find(".verdict").text

        page.go("identify")
        page.choose(speech(READER, 8, 9))
        assert page.verdict() == "Identified"
        assert page.find(".matches .who").text == "Bea Czerny"

        page.go("people")
        page.wait(lambda: page.find(".person h2").text == "Bea Czerny", "the list")
        assert "verification" in page.part("terms").text
        page.part("remove").click()
        driver.find_element(By.CSS_SELECTOR, "#remove-dialog [value=remove]").click()
        page.wait(lambda: "Nobody" in page.part("total").text, "the removal")
        assert page.focused() == "People"
        assert page.complaints() == []


def make_key(store: Path) -> str:
    state = StateFile(ServerSettings(store=str(store)).state_folder)
    _, secret = KeyRing(state).create(SCOPES, label="browser")
    state.close()
    return secret


def test_a_denied_microphone_is_told_and_a_file_serves_instead(
    served: Served, microphone: Path, people: Path
) -> None:
    with chromium(microphone, allowed=False) as driver:
        page = Page(driver, served.url)
        page.open("identify")
        page.part("record").send_keys(Keys.SPACE)
        page.wait(lambda: "does not let this page use the microphone" in page.part("state").text, "a reason")
        assert page.part("record").text == "Record"
        page.choose(people / "dmitri" / "0.wav")
        assert page.verdict() == "Unknown"
        assert page.complaints() == []


def test_a_lost_server_is_told_and_the_clip_is_kept_until_it_is_back(
    driver: Chrome, tmp_path: Path, model_folder: Path, people: Path
) -> None:
    options = ("--no-keys", "--store", str(tmp_path / "store"), "--model", str(model_folder))
    with serving(*options) as served:
        page = Page(driver, served.url)
        page.open("identify")
        page.complaints()
        served.kill()
        page.choose(people / "ada" / "0.wav")
        assert page.notice().startswith("The server does not answer.")
        assert all(
            "ERR_CONNECTION_REFUSED" in line for line in page.complaints()
        )  # the browser's own, of fetch
        with serving(*options, port=served.port):
            page.find("[data-part='notice'] button").click()
            assert page.verdict() == "Unknown"
        assert page.complaints() == []


def test_clips_of_two_people_are_refused_and_marked(page: Page, people: Path) -> None:
    enroll_from_files(page, "mixed", people / "ada" / "0.wav", people / "bert" / "0.wav")
    assert page.notice().startswith("Two people?")
    assert page.focused() == "Enroll"
    marked = [hint.text for hint in page.driver.find_elements(By.CSS_SELECTOR, "#view-enroll .hints li")]
    assert "Two people? This sounds unlike the other clips" in marked
    assert all("422" in line for line in page.complaints())


def test_who_is_enrolled_already_is_added_to_when_told_so(page: Page, people: Path) -> None:
    enroll_from_files(page, "cleo", people / "cleo" / "0.wav", people / "cleo" / "1.wav")
    assert page.verdict() == "Enrolled"
    enroll_from_files(page, "cleo", people / "cleo" / "2.wav")
    page.wait(lambda: page.part("mode").is_displayed(), "the choice")
    page.find("[name=mode][value=add]").click()
    page.part("submit").click()
    page.wait(lambda: "3 clips" in page.find(".verdict").text, "the third clip")
    assert all("409" in line for line in page.complaints())


def test_what_is_missing_is_said_and_the_keyboard_goes_there(page: Page) -> None:
    page.part("record").click()
    assert page.notice() == "Say first whose voice it is claimed to be."
    assert page.focused() == "verify-name"
    page.go("enroll")
    page.fill("[name=name]", "dora")
    page.part("submit").click()
    assert page.notice().startswith("There is no clip yet.")
    assert page.complaints() == []


def test_a_clip_that_is_too_quiet_is_called_so(page: Page, people: Path, tmp_path: Path) -> None:
    samples, rate = sf.read(people / "ada" / "0.wav", dtype="float32")
    quiet = samples * (0.003 / np.sqrt(np.mean(samples**2)))  # -50 dBFS
    sf.write(tmp_path / "quiet.wav", quiet, rate, subtype="FLOAT")
    page.go("enroll")
    page.choose(tmp_path / "quiet.wav")
    page.wait(lambda: page.find(".clip .hints").text == "Too quiet: come closer", "the hint")


@pytest.mark.parametrize(
    ("status", "code", "more", "words"),
    [
        (401, "key-needed", {}, "Enter another one"),
        (403, "scope-missing", {"detail": "key 1 lacks the scope admin"}, "the scope “admin”"),
        (409, "consent-expired", {}, "note it under People"),
        (413, "body-too-large", {}, "Leave out a clip"),
        (422, "clip-unusable", {"detail": "clip: not audio"}, "clip: not audio. Record it again"),
        (422, "request-invalid", {"detail": "what is wrong."}, "What is wrong."),
        (429, "too-many-requests", {}, "Wait 3 s"),
        (500, "internal", {"request_id": "abc"}, "give them this number: abc"),
        (503, "overloaded", {}, "try again in a few seconds"),
        (503, "store-unavailable", {}, "cannot reach its voiceprints"),
    ],
)
def test_every_problem_has_a_sentence_that_says_what_to_do(
    page: Page, status: int, code: str, more: dict[str, Any], words: str
) -> None:
    problem = {"type": f"urn:voiceprint:{code}", **more}
    sentence = page.driver.execute_async_script(
        "const [what, done] = arguments; import('/words.js').then((words) => done(words.sentenceFor(what)));",
        {"status": status, "problem": problem, "wait": 3},
    )
    assert words in sentence
    assert page.complaints() == []
