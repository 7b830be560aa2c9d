"""The site in a browser: everything works with the server gone, and nothing was sent to it."""

from __future__ import annotations

import json
from collections import Counter
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from browser import BROWSER, DRIVER, MISSING, Page
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from site_fixtures import wait_for_engine

from benchmarks.web.static_server import StaticServer, serving_files
from voiceprint.engine.verifier import Verifier
from voiceprint.store import read_export, write_export

pytestmark = pytest.mark.skipif(BROWSER is None or DRIVER is None, reason=MISSING)


def clips(people: Path, name: str, *numbers: int) -> list[Path]:
    return [people / name / f"{number}.wav" for number in numbers]


def enroll(page: Page, name: str, files: list[Path]) -> str:
    """Enroll somebody from files, as a person would; returns the answer's heading."""
    page.go("enroll")
    page.fill("[name=name]", name)
    page.find("[name=agreed]").click()
    page.choose(*files)
    page.wait(lambda: page.part("clips").text.count("s of speech") == len(files), "the clips to be measured")
    page.find("[type=submit]").click()
    return page.verdict()


def verify(page: Page, name: str, file: Path) -> str:
    page.go("verify")
    page.fill("[name=name]", name)
    page.choose(file)
    return page.verdict()


def names(page: Page) -> list[str]:
    page.go("people")
    page.wait(lambda: page.part("total").text, "the people to be listed")
    return [each.text for each in page.driver.find_elements(By.CSS_SELECTOR, ".person-name")]


def exported(page: Page) -> str:
    """What the button would save, without a folder for downloads."""
    text: str = page.run(
        "const { loadEngine } = await import('/home.js'); return (await loadEngine()).exportPeople();"
    )
    return text


def test_everything_works_with_the_network_cut_and_nothing_was_sent(
    driver: Chrome, site: Path, people: Path, microphone: Path
) -> None:
    microphone.write_bytes((people / "ada" / "3.wav").read_bytes())
    with serving_files(site) as server:
        tab = Page(driver, server.url)
        tab.open()
        wait_for_engine(tab)
    tab.complaints()
    files = {path.relative_to(site).as_posix() for path in site.rglob("*")}
    asked = [request.split(" ", 1) for request in server.asked]
    assert {method for method, _ in asked} == {"GET"}
    assert {path.lstrip("/").split("?")[0] for _, path in asked} - {""} <= files
    times = Counter(path for _, path in asked)
    assert (times["/ort-wasm-simd-threaded.wasm"], times["/model/encoder.onnx"]) == (1, 1)

    assert enroll(tab, "ada", clips(people, "ada", 0, 1, 2)) == "Enrolled"
    assert enroll(tab, "bert", clips(people, "bert", 0, 1, 2)) == "Enrolled"
    tab.open("verify")  # from what the browser keeps
    wait_for_engine(tab)
    assert verify(tab, "ada", people / "ada" / "4.wav") == "Accepted"
    assert verify(tab, "ada", people / "bert" / "4.wav") == "Rejected"
    assert verify(tab, "nobody", people / "bert" / "4.wav") == "Not enrolled"
    tab.go("identify")
    tab.choose(people / "bert" / "3.wav")
    assert tab.verdict() == "Identified"
    assert "bert" in tab.text()
    tab.go("verify")
    tab.fill("[name=name]", "ada")
    tab.record(2)
    assert tab.verdict_after_speaking() == "Accepted"
    assert names(tab) == ["ada", "bert"]
    assert [line for line in tab.complaints() if "favicon" not in line] == []


def test_who_speaks_now_is_told_while_the_microphone_stays_open(
    tab: Page, people: Path, microphone: Path
) -> None:
    assert enroll(tab, "ada", clips(people, "ada", 0, 1, 2)) == "Enrolled"
    assert enroll(tab, "bert", clips(people, "bert", 0, 1, 2)) == "Enrolled"
    sound = [sf.read(people / name / f"{number}.wav")[0] for name in ("ada", "bert") for number in (3, 4)]
    sf.write(microphone, np.concatenate(sound), 16_000, subtype="PCM_16")
    tab.go("now")
    tab.part("listen").click()
    tab.wait(lambda: turns(tab)[-1:] == ["ada"], "the first to be named")
    tab.wait(lambda: len(turns(tab)) > 1, "a turn of somebody else")
    tab.part("listen").click()
    tab.wait(lambda: tab.part("listen-text").text == "Listen", "the microphone to be closed")


def turns(page: Page) -> list[str]:
    return [each.text for each in page.driver.find_elements(By.CSS_SELECTOR, ".now [data-decided] strong")]


def test_a_voiceprint_of_the_tab_verifies_in_python_and_back(
    tab: Page, model_folder: Path, people: Path, tmp_path: Path
) -> None:
    assert enroll(tab, "ada", clips(people, "ada", 0, 1, 2)) == "Enrolled"
    (tmp_path / "from-the-tab.json").write_text(exported(tab), encoding="utf-8")
    with Verifier(tmp_path / "store", model=model_folder) as verifier:
        assert verifier.import_people(read_export(tmp_path / "from-the-tab.json")).added == ("ada",)
        assert verifier.show("ada").n_utterances == 3
        assert verifier.verify("ada", people / "ada" / "3.wav").accepted
        assert not verifier.verify("ada", people / "bert" / "3.wav").accepted
        verifier.enroll("bert", clips(people, "bert", 0, 1, 2))
        verifier.opt_out("cleo")
        store = verifier.store
        write_export(
            tmp_path / "back.json",
            store.export_records(),
            model_id=verifier.model.id,
            dim=verifier.model.dim,
            opt_outs=store.opt_outs(),
        )
    tab.go("people")
    tab.find("#voiceprints-file").send_keys(str(tmp_path / "back.json"))
    tab.wait(
        lambda: "1 added, 0 changed, 1 as they were, 1 opted out." in tab.text(), "the file to be taken in"
    )
    assert names(tab) == ["ada", "bert"]
    assert verify(tab, "bert", people / "bert" / "4.wav") == "Accepted"


def test_a_recording_counts_once_and_is_forgotten_with_the_person(tab: Page, people: Path) -> None:
    assert enroll(tab, "ada", clips(people, "ada", 0, 1, 2)) == "Enrolled"
    assert verify(tab, "ada", people / "ada" / "1.wav") == "Heard before"
    assert "This is a recording that the voiceprint was made of" in tab.text()
    assert verify(tab, "ada", people / "ada" / "4.wav") == "Accepted"
    tab.open("verify")  # what was accepted outlasts the page
    wait_for_engine(tab)
    assert verify(tab, "ada", people / "ada" / "4.wav") == "Heard before"
    assert "This recording was accepted before" in tab.text()
    tab.go("identify")
    tab.choose(people / "ada" / "4.wav")
    assert tab.verdict() == "Heard before"
    tab.run("const { loadEngine } = await import('/home.js'); await (await loadEngine()).remove('ada');")
    assert enroll(tab, "ada", clips(people, "ada", 0, 1, 2)) == "Enrolled"
    assert verify(tab, "ada", people / "ada" / "4.wav") == "Accepted"


def test_who_is_named_by_a_recording_that_was_heard_before_is_told_so_while_it_is_played(
    tab: Page, people: Path, microphone: Path
) -> None:
    assert enroll(tab, "ada", clips(people, "ada", 0, 1, 2)) == "Enrolled"
    sf.write(microphone, sf.read(people / "ada" / "1.wav")[0], 16_000, subtype="PCM_16")
    tab.go("now")
    tab.part("listen").click()
    tab.wait(lambda: "A recording that was heard before" in turns(tab), "the replay to be told")
    tab.part("listen").click()
    tab.wait(lambda: tab.part("listen-text").text == "Listen", "the microphone to be closed")


def test_recordings_that_were_enrolled_are_known_again_where_a_file_is_taken_in(
    tab: Page, model_folder: Path, people: Path, tmp_path: Path
) -> None:
    assert enroll(tab, "ada", clips(people, "ada", 0, 1, 2)) == "Enrolled"
    assert verify(tab, "ada", people / "ada" / "4.wav") == "Accepted"
    (tmp_path / "from-the-tab.json").write_text(exported(tab), encoding="utf-8")
    with Verifier(tmp_path / "store", model=model_folder) as verifier:
        verifier.import_people(read_export(tmp_path / "from-the-tab.json"))
        softer = 0.9 * sf.read(people / "ada" / "1.wav")[0]
        assert verifier.verify("ada", softer, sample_rate=16_000).decision == "replayed"
        # Whom an export names was never accepted where it is taken in.
        assert verifier.verify("ada", people / "ada" / "4.wav").decision == "accepted"
        verifier.enroll("bert", clips(people, "bert", 0, 1, 2))
        records = verifier.store.export_records(["bert"])
        write_export(tmp_path / "back.json", records, model_id=verifier.model.id, dim=verifier.model.dim)
    sf.write(tmp_path / "softer.wav", 0.9 * sf.read(people / "bert" / "1.wav")[0], 16_000)
    script = (
        "const { loadEngine } = await import('/home.js'); await (await loadEngine()).importPeople(values[0]);"
    )
    tab.run(script, (tmp_path / "back.json").read_text(encoding="utf-8"))
    assert verify(tab, "bert", tmp_path / "softer.wav") == "Heard before"


def test_another_voice_in_a_file_is_left_out_and_named(
    tab: Page, model_folder: Path, people: Path, tmp_path: Path
) -> None:
    assert enroll(tab, "ada", clips(people, "ada", 0, 1, 2)) == "Enrolled"
    with Verifier(tmp_path / "store", model=model_folder) as verifier:
        verifier.enroll("ada", clips(people, "bert", 0, 1))
        records = verifier.store.export_records()
        write_export(tmp_path / "wrong.json", records, model_id=verifier.model.id, dim=verifier.model.dim)
    tab.go("people")
    tab.find("#voiceprints-file").send_keys(str(tmp_path / "wrong.json"))
    tab.wait(lambda: "Left out, as another voice: 2 recordings of ada." in tab.text(), "to be told")


def test_nobody_is_enrolled_or_extended_without_consent(
    tab: Page, model_folder: Path, people: Path, tmp_path: Path
) -> None:
    assert enroll(tab, "ada", clips(people, "ada", 0, 1, 2)) == "Enrolled"
    with Verifier(tmp_path / "store", model=model_folder) as verifier:
        verifier.enroll("bert", clips(people, "bert", 0, 1, 2))
        records = verifier.store.export_records()
        write_export(tmp_path / "bert.json", records, model_id=verifier.model.id, dim=verifier.model.dim)
    script = """const { answer, loadEngine } = await import('/home.js');
        await (await loadEngine()).importPeople(values[0]);
        const told = [];
        for (const [method, path, fields] of values[1]) {
            const form = new FormData();
            for (const [name, value] of Object.entries(fields)) form.append(name, value);
            const body = method === 'PUT' ? JSON.stringify(fields) : form;
            const { status, ...found } = await answer(path, { method, body }).then(
                async (response) => ({ status: response.status, ...(await response.json()) }));
            told.push([status, found.type]);
        }
        return told;"""
    needed, unknown = [422, "urn:voiceprint:consent-needed"], [404, "urn:voiceprint:speaker-not-found"]
    agreed = {"consent_by": "cleo", "consent_purpose": "tests"}
    asked = [
        ("POST", "/v1/speakers", {"name": "cleo"}, needed),
        ("POST", "/v1/speakers/bert/enrollments", {"mode": "add"}, needed),
        ("POST", "/v1/speakers/ada/enrollments", {"mode": "replace", "force": "true"}, needed),
        ("POST", "/v1/speakers/cleo/enrollments", {"mode": "replace", **agreed}, unknown),
        ("PUT", "/v1/speakers/ada/consent", {"consent_by": "", "consent_purpose": ""}, needed),
    ]
    text = (tmp_path / "bert.json").read_text(encoding="utf-8")
    assert tab.run(script, text, [each[:3] for each in asked]) == [each[3] for each in asked]
    assert names(tab) == ["ada", "bert"]


def test_a_recording_that_says_it_is_too_long_is_not_decoded(tab: Page, tmp_path: Path) -> None:
    tab.run("""window.decoded = 0;
        const { prototype } = OfflineAudioContext, real = prototype.decodeAudioData;
        prototype.decodeAudioData = function (...given) {
            window.decoded += 1;
            return real.apply(this, given);
        };""")
    tab.go("identify")
    for name, seconds, heading in (
        ("short.flac", 2, "Not enough speech"),
        ("long.flac", 130, "This recording cannot be used"),
        ("long.ogg", 130, "This recording cannot be used"),
    ):
        sf.write(tmp_path / name, np.zeros(8_000 * seconds), 8_000)
        tab.choose(tmp_path / name)
        tab.wait(partial(lambda wanted: tab.verdict() == wanted, heading), heading)
    assert tab.run("return window.decoded;") == 1


def test_a_file_that_is_none_is_refused_in_words(tab: Page, tmp_path: Path) -> None:
    (tmp_path / "letter.json").write_text("dear ada", encoding="utf-8")
    tab.go("people")
    tab.find("#voiceprints-file").send_keys(str(tmp_path / "letter.json"))
    tab.wait(lambda: "the file is no file of voiceprints" in tab.text(), "to be told")


def test_everybody_can_be_forgotten(tab: Page, people: Path) -> None:
    assert enroll(tab, "ada", clips(people, "ada", 0, 1, 2)) == "Enrolled"
    assert names(tab) == ["ada"]
    tab.find("//button[text()='Forget everybody']", by=By.XPATH).click()
    tab.find("dialog[open] .danger").click()
    tab.wait(lambda: "Everybody is forgotten." in tab.text(), "everybody to be forgotten")
    assert names(tab) == []
    assert json.loads(exported(tab))["speakers"] == []


def test_what_is_no_file_of_the_site_is_not_fetched(tab: Page, served_site: StaticServer) -> None:
    before = len(served_site.asked)
    script = "return fetch(values[0], { method: values[1] }).then(() => 'answered', () => 'refused');"
    for address, method in (("/secret", "GET"), ("/index.html", "POST"), ("http://127.0.0.1:9/", "GET")):
        assert tab.run(script, address, method) == "refused"
    worker = """const made = new Worker(URL.createObjectURL(new Blob([""])));
        return new Promise((resolve) => (made.onerror = () => resolve('refused')));"""
    assert tab.run(f"try {{ {worker} }} catch {{ return 'refused'; }}") == "refused"
    assert served_site.asked[before:] == []


def test_a_site_with_another_model_says_that_the_voiceprints_are_of_the_one_before(
    tab: Page, people: Path
) -> None:
    assert enroll(tab, "ada", clips(people, "ada", 0, 1, 2)) == "Enrolled"
    script = """const opening = indexedDB.open("voiceprint");
        const database = await new Promise((resolve) => (opening.onsuccess = () => resolve(opening.result)));
        const change = database.transaction("header", "readwrite");
        change.objectStore("header").put({ model_id: "0".repeat(64), dim: 12 }, "model");
        await new Promise((resolve) => (change.oncomplete = resolve));
        database.close();"""
    tab.run(script)
    tab.go("verify")
    tab.fill("[name=name]", "ada")
    tab.choose(people / "ada" / "4.wav")
    assert tab.verdict() == "These voiceprints are of another model"
