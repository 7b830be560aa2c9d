"""The page in a real browser, whose microphone plays speech from a file."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from browser import BROWSER, DRIVER, MISSING, Page, serving, silence_before
from page_fixtures import CROWD
from selenium.webdriver import ActionChains, Chrome, Keys
from selenium.webdriver.common.by import By

from voiceprint.server.keys import SCOPES, KeyRing
from voiceprint.server.settings import ServerSettings
from voiceprint.server.state import StateFile

pytestmark = pytest.mark.skipif(BROWSER is None or DRIVER is None, reason=MISSING)

READER, OTHER = "becz03", "Ara"  # speakers of voxforge, for demonstration
PHONE = {"width": 390, "height": 844}


def fill_in(page: Page, name: str, *clips: Path, agreed: bool = True) -> None:
    """Fill in what enrolling asks for."""
    page.go("enroll")
    page.fill("[name=name]", name)
    if agreed:
        page.find("[name=agreed]").click()
    page.choose(*clips)
    page.wait(lambda: all(heard(page)), "the clips to be measured")


def heard(page: Page) -> list[bool]:
    """Whether each clip in the list was measured."""
    facts = page.driver.find_elements(By.CSS_SELECTOR, ".view:not([hidden]) .clip [data-part='facts']")
    return ["of speech" in fact.text for fact in facts] or [False]


def press(page: Page, label: str) -> None:
    """Press the button of the view with this label."""
    page.find(f".//button[normalize-space()='{label}']", by=By.XPATH).click()


def make_key(store: Path, scopes: tuple[str, ...] = tuple(SCOPES)) -> str:
    state = StateFile(ServerSettings(store=str(store)).state_folder)
    _, secret = KeyRing(state).create(scopes, label="browser")
    state.close()
    return secret


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
        assert page.notice().startswith("The key is not accepted.")
        assert all("401" in line for line in page.complaints())  # the browser's own, of fetch
        page.fill("[name=secret]", make_key(store))
        page.find("[type=submit]").click()
        page.wait(lambda: page.view() == "verify", "the key to be taken")

        speech(READER, 0, 2, microphone)
        page.wait(lambda: "Nobody is enrolled here yet" in page.text(), "the hint of an empty server")
        press(page, "Enroll the first person")
        page.wait(lambda: page.view() == "enroll", "the form")
        page.fill("[name=name]", "Bea Czerny")
        page.find("[name=agreed]").click()
        page.record(9)
        page.wait(lambda: all(heard(page)), "the recording to be measured")
        assert page.part("speech-bar").get_dom_attribute("data-enough") == "true"
        page.part("submit").click()
        assert page.verdict() == "Enrolled"
        assert page.find("[name=name]").get_property("value") == ""

        speech(READER, 6, 8, microphone)
        press(page, "Verify them now")
        page.wait(lambda: page.view() == "verify", "the claim")
        assert page.find("[name=name]").get_property("value") == "Bea Czerny"
        page.record(6)
        assert page.verdict() == "Accepted"
        assert page.focused() == "Accepted"
        assert page.part("reading").text.endswith("alike than needed")

        page.choose(speech(OTHER, 3, 4))
        page.wait(lambda: page.verdict() == "Rejected", "a rejection")
        assert "like Bea Czerny." in page.find(".verdict").text

        page.go("identify")
        page.choose(speech(READER, 8, 9))
        assert page.verdict() == "Identified"
        assert page.find(".matches .who").text == "Bea Czerny"

        page.go("people")
        page.wait(lambda: page.find(".person-name").text == "Bea Czerny", "the list")
        page.find(".person summary").click()
        assert "verification" in page.part("terms").text
        page.part("remove").click()
        driver.find_element(By.CSS_SELECTOR, "#remove-dialog [value=remove]").click()
        page.wait(lambda: "Nobody" in page.part("total").text, "the removal")
        assert page.focused() == "People"
        page.go("verify")
        assert not page.answered()  # what was said of her is true no longer
        assert page.complaints() == []


# An answer belongs to its question


def test_an_answer_goes_when_the_name_or_the_recording_changes(
    page: Page, microphone: Path, people: Path
) -> None:
    page.fill("[name=name]", "ada")
    page.choose(people / "ada" / "4.wav")
    assert page.verdict() == "Accepted"
    page.fill("[name=name]", "bert")
    assert not page.answered()
    page.find("[name=name]").send_keys(Keys.ENTER)
    assert page.verdict() == "Rejected"
    silence_before(microphone, 8.0)
    page.part("record").click()
    page.wait(lambda: page.clock() >= 1, "a second of the next recording")
    assert not page.answered()
    assert page.driver.find_elements(By.CSS_SELECTOR, "#view-verify .clip") == []
    page.stop()
    page.verdict()
    page.part("drop").click()
    assert not page.answered()
    assert page.complaints() == []


def test_an_answer_that_comes_late_is_not_given_to_the_next_question(page: Page, people: Path) -> None:
    page.hold("/ada/verify")
    page.fill("[name=name]", "ada")
    page.choose(people / "ada" / "4.wav")
    page.wait_until_held()
    page.fill("[name=name]", "bert")
    press(page, "Ask with 4.wav")
    assert page.verdict() == "Rejected"
    page.release()
    assert page.verdict() == "Rejected"
    assert page.complaints() == []


def test_a_search_shows_what_was_typed_last(page: Page) -> None:
    page.hold('"Person 00"')
    page.go("people")
    page.wait(lambda: page.part("search").is_displayed(), "the list")
    page.part("search").send_keys("Person 00")
    page.wait_until_held()
    page.part("search").send_keys("7")
    page.wait(lambda: names(page) == ["Person 007"], "the second search")
    page.release()
    assert names(page) == ["Person 007"]


def names(page: Page) -> list[str]:
    """Who is in the list of people."""
    return [name.text for name in page.driver.find_elements(By.CSS_SELECTOR, "#view-people .person-name")]


# Words


def test_an_answer_is_a_sentence_and_its_figures_stand_under_details(page: Page, people: Path) -> None:
    page.fill("[name=name]", "ada")
    page.choose(people / "ada" / "4.wav")
    assert page.verdict() == "Accepted"
    assert "This sounds like ada" in page.text()
    assert page.part("limit-text").text == "needed"
    assert re.findall(r"\d\.\d\d|threshold|server decides", page.text()) == []
    page.find(".verdict summary").send_keys(Keys.ENTER)
    assert re.search(r"Score\n0\.\d{3}", page.find(".verdict [data-part='facts']").text)


def test_an_unknown_voice_is_no_alarm(page: Page, people: Path) -> None:
    page.go("identify")
    page.choose(people / "dmitri" / "0.wav")
    assert page.verdict() == "Unknown voice"
    assert page.find(".verdict").get_dom_attribute("data-tone") == "neutral"
    bad = page.run("return getComputedStyle(document.body).getPropertyValue('--bad')")
    tone = page.run("return getComputedStyle(document.querySelector('.verdict')).getPropertyValue('--tone')")
    assert tone != bad


MATCH = {
    "seconds_of_speech": 3.0,
    "threshold": 0.5,
    "threshold_source": "model",
    "model": "m",
    "request_id": "r",
}


@pytest.mark.parametrize(
    ("decision", "scores", "llrs", "title", "words"),
    [
        ("identified", [0.62, 0.55], [5.0, 4.0], "More than one fits", "This could be A or B."),
        (
            "identified",
            [0.62, 0.55],
            [None, None],
            "More than one fits",
            "A is nearest, but it is not clear.",
        ),
        ("identified", [0.90, 0.55], [12.0, 4.0], "Identified", "B would fit too, but far less well."),
        ("identified", [0.62, 0.48], [5.0, 1.0], "Identified", "B came close."),
        ("unknown", [0.49, 0.47], [1.0, 1.0], "Unknown voice", "A and B came close."),
        ("unknown", [], [], "Nobody is enrolled yet", "no voiceprint to compare with"),
    ],
)
def test_two_people_who_are_near_are_both_named(
    same_page: Page,
    people: Path,
    decision: str,
    scores: list[float],
    llrs: list[float],
    title: str,
    words: str,
) -> None:
    matches = [
        {"name": name, "score": score, "llr": llr}
        for name, score, llr in zip("AB", scores, llrs, strict=False)
    ]
    name = "A" if decision == "identified" else None
    same_page.go("identify")
    with same_page.answering(
        "/v1/identify", 200, {**MATCH, "decision": decision, "name": name, "matches": matches}
    ):
        same_page.choose(people / "ada" / "0.wav")
        same_page.wait(lambda: words in same_page.text(), words)
    assert same_page.verdict() == title
    if title == "More than one fits":
        press(same_page, "Verify B")
        same_page.wait(lambda: same_page.view() == "verify", "the claim")
        assert same_page.find("[name=name]").get_property("value") == "B"


@pytest.mark.parametrize(
    ("decision", "llr", "words"),
    [
        ("accepted", 8.0, "about 3,000 times as likely from ada"),
        ("accepted", -2.0, "Ask for a second proof."),
        ("rejected", 2.0, "points to ada, but not strongly enough"),
        ("rejected", -2.0, "times as likely from somebody else"),
    ],
)
def test_evidence_that_points_elsewhere_than_the_decision_is_explained(
    same_page: Page, people: Path, decision: str, llr: float, words: str
) -> None:
    accepted = decision == "accepted"
    answer = {**MATCH, "decision": decision, "accepted": accepted, "name": "ada", "score": 0.6, "llr": llr}
    same_page.go("verify")
    same_page.fill("[name=name]", "ada")
    with same_page.answering("/verify", 200, answer | {"threshold": 0.5 if accepted else 0.7}):
        same_page.choose(people / "ada" / "0.wav")
        same_page.wait(lambda: words in same_page.text(), words)


@pytest.mark.parametrize(
    ("kind", "words"), [("synthetic", "a voice made by a machine"), ("loudspeaker", "a loudspeaker")]
)
@pytest.mark.parametrize("view", ["verify", "identify"])
def test_a_machine_is_told_in_words_for_laymen(
    same_page: Page, people: Path, view: str, kind: str, words: str
) -> None:
    spoof = {"score": -4.0, "llr": -5.0, "threshold": -1.0, "kind": kind}
    answer = {**MATCH, "decision": "spoofed", "accepted": False, "spoof": spoof, "score": 0.6, "llr": 8.0}
    answer |= {"name": "ada" if view == "verify" else None, "matches": []}
    same_page.go(view)
    if view == "verify":
        same_page.fill("[name=name]", "ada")
    with same_page.answering(f"/{view}", 200, answer):
        same_page.choose(people / "ada" / "0.wav")
        said = f"This does not sound like somebody speaking live, but like {words}."
        same_page.wait(lambda: said in same_page.text(), said)
    assert same_page.verdict() == "Not a live voice"
    assert "not strongly enough" not in same_page.text()  # the voice fits


def test_a_clip_that_is_too_quiet_is_called_so(page: Page, people: Path, tmp_path: Path) -> None:
    samples, rate = sf.read(people / "ada" / "0.wav", dtype="float32")
    quiet = samples * (0.003 / np.sqrt(np.mean(samples**2)))  # -50 dBFS
    sf.write(tmp_path / "quiet.wav", quiet, rate, subtype="FLOAT")
    page.go("enroll")
    page.choose(tmp_path / "quiet.wav")
    page.wait(lambda: page.find(".clip .hints").text == "Too quiet: come closer", "the hint")


def test_a_rejection_says_what_was_poor_and_asks_the_server_once(
    page: Page, people: Path, tmp_path: Path
) -> None:
    voice, rate = sf.read(people / "bert" / "3.wav", dtype="float32")
    noise = np.random.default_rng(0).standard_normal(len(voice) + rate).astype(np.float32)
    noise *= 0.5 * np.sqrt(np.mean(voice**2))
    noise[: len(voice)] += voice
    sf.write(tmp_path / "noisy.wav", 0.5 * noise / np.abs(noise).max(), rate)
    page.fill("[name=name]", "ada")
    page.choose(tmp_path / "noisy.wav")
    assert page.verdict() == "Rejected"
    assert "Noisy: find a quieter place" in page.find(".verdict .hints").text
    names = "performance.getEntriesByType('resource').map(({ name }) => new URL(name).pathname)"
    asked = page.run(f"return {names}")
    assert "/v1/speakers/ada/verify" in asked
    assert "/v1/quality" not in asked


def test_two_voices_on_two_channels_are_told_in_words_for_laymen(
    page: Page, people: Path, tmp_path: Path
) -> None:
    (bert, rate), (ada, _) = (sf.read(people / name / "3.wav", dtype="float32") for name in ("bert", "ada"))
    sf.write(tmp_path / "call.wav", np.stack([bert, np.roll(ada, 9_000)], axis=1), rate)
    page.go("identify")
    page.choose(tmp_path / "call.wav")
    assert page.verdict() == "Two voices in one recording"
    page.go("enroll")
    page.choose(tmp_path / "call.wav")
    words = "Another voice on its left than on its right: record one voice alone"
    page.wait(lambda: page.find(".clip .hints").text == words, words)


# Enrolling


def test_what_is_missing_is_said_beside_it_and_the_keyboard_goes_there(page: Page, people: Path) -> None:
    page.part("record").click()
    assert page.focused() == "verify-name"
    assert page.find("#fault-verify-name").text == "Say first whose voice it is claimed to be."
    page.find("[name=name]").send_keys("a")
    assert "Say first" not in page.text()
    with page.emulating(width=PHONE["width"], height=PHONE["height"]):
        fill_in(page, "edda", people / "bert" / "3.wav", agreed=False)
        page.part("submit").send_keys(Keys.ENTER)
        assert page.focused() == "enroll-agreed"
        assert page.on_screen("#fault-enroll-agreed")
        assert page.find("[name=agreed]").get_dom_attribute("aria-describedby") == "fault-enroll-agreed"
        page.find("[name=agreed]").send_keys(Keys.SPACE)
        assert "people who agree" not in page.text()
        page.part("drop").click()
        page.part("submit").send_keys(Keys.ENTER)
        page.wait(lambda: "There is no recording yet." in page.text(), "the next fault")
        assert page.on_screen(".panel .fault")
    assert page.complaints() == []


def test_clips_of_two_people_are_refused_and_marked(page: Page, people: Path) -> None:
    fill_in(page, "mixed", people / "ada" / "0.wav", people / "bert" / "0.wav")
    page.part("submit").click()
    assert page.verdict() == "Two people?"
    assert page.focused() == "Two people?"
    marked = [hint.text for hint in page.driver.find_elements(By.CSS_SELECTOR, "#view-enroll .hints li")]
    assert "Another person? It sounds unlike the others" in marked
    assert all("422" in line for line in page.complaints())


def test_a_name_that_exists_is_said_once_with_buttons_that_do_what_is_needed(
    page: Page, people: Path
) -> None:
    fill_in(page, "cleo", people / "cleo" / "0.wav", people / "cleo" / "1.wav")
    page.part("submit").click()
    assert page.verdict() == "Enrolled"

    fill_in(page, "Cleo", people / "cleo" / "2.wav")  # another case: the same person is meant
    page.wait(lambda: "cleo has a voiceprint already" in page.text(), "the choice, before anything is sent")
    page.part("submit").click()
    page.wait(lambda: page.focused() == "Add to it", "the keyboard at the choice")
    assert page.text().count("has a voiceprint already") == 1
    press(page, "Add to it")
    page.wait(lambda: "3 recordings" in page.find(".verdict").text, "the third recording")

    fill_in(page, "cleo", people / "cleo" / "3.wav", people / "cleo" / "4.wav")
    page.wait(lambda: page.part("choice").is_displayed(), "the choice")
    press(page, "Replace it")
    page.part("submit").click()
    page.wait(lambda: "2 recordings" in page.find(".verdict").text, "the new voiceprint")
    assert page.complaints() == []


def test_another_voice_replaces_a_voiceprint_only_when_that_is_said(page: Page, people: Path) -> None:
    fill_in(page, "line 2", people / "dmitri" / "0.wav", people / "dmitri" / "1.wav")
    page.part("submit").click()
    assert page.verdict() == "Enrolled"
    fill_in(page, "line 2", people / "bert" / "3.wav", people / "bert" / "4.wav")
    page.wait(lambda: page.part("choice").is_displayed(), "the choice")
    press(page, "Replace it")
    page.part("submit").click()
    page.wait(lambda: "This is another voice." in page.text(), "the warning")
    assert page.focused() == "Use another name"
    press(page, "Replace it all the same")
    assert page.verdict() == "Enrolled"


def test_a_name_that_was_enrolled_meanwhile_is_told_by_the_same_choice(page: Page, people: Path) -> None:
    with page.answering("/v1/speakers/search", 200, {"speakers": [], "next": None, "total": 0}):
        fill_in(page, "bert", people / "bert" / "4.wav")
        page.part("submit").click()
        page.wait(lambda: "bert has a voiceprint already." in page.text(), "the choice")
    assert page.focused() == "Add to it"
    assert page.on_screen("[data-part='choice']")
    press(page, "Use another name")
    assert page.focused() == "enroll-name"


# People


def test_people_are_searched_paged_and_reached_by_keyboard(page: Page) -> None:
    page.go("people")
    page.wait(lambda: len(names(page)) == 50, "the first page")
    assert names(page) == sorted(names(page))
    assert "people have a voiceprint here. The first 50 are shown." in page.part("total").text
    page.part("more").send_keys(Keys.ENTER)
    page.wait(lambda: len(names(page)) == 100, "the second page")
    assert names(page)[50] in page.focused()
    page.part("search").send_keys("PERSON 11")
    page.wait(lambda: names(page) == [f"Person {number}" for number in range(110, CROWD)], "who is found")
    assert page.part("total").text == "10 names contain “PERSON 11”."
    ActionChains(page.driver).send_keys(Keys.TAB, Keys.ENTER, Keys.TAB, Keys.ENTER).perform()
    page.wait(lambda: page.view() == "verify", "the first button of the first person")
    assert page.find("[name=name]").get_property("value") == "Person 110"
    page.go("people")
    page.fill("[data-part='search']", "zzz")
    page.wait(lambda: page.part("total").text == "No name contains “zzz”.", "nobody")
    assert page.complaints() == []


def test_a_change_that_fails_is_told_beside_the_person(page: Page) -> None:
    page.go("people")
    page.wait(lambda: len(names(page)) == 50, "the list")
    row = page.driver.find_elements(By.CSS_SELECTOR, ".person summary")[40]
    row.click()
    page.find(".person details[open] [data-part='consent']").click()
    with page.answering(
        "/consent", 503, {"type": "urn:voiceprint:store-unavailable"}, **{"Retry-After": "9"}
    ):
        page.driver.find_element(By.CSS_SELECTOR, "#consent-dialog [value=save]").click()
        page.wait(lambda: page.focused() == "Try again", "the trouble")
    assert page.on_screen(".person details[open] [data-part='notice']")
    page.driver.switch_to.active_element.click()
    page.wait(lambda: "The consent is noted." in page.text(), "the change")
    assert "Agreed on" in page.find(".person details[open] [data-part='terms']").text
