"""The files of the page: what its policy allows, contrast, the wheel; and what tells it who may do what."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path
from typing import Any, get_args

import pytest
from hatchling.builders.wheel import WheelBuilder
from starlette.testclient import TestClient

from voiceprint.audio.quality import NoteCode
from voiceprint.engine.enrollment import ClipStatus
from voiceprint.server.app import PAGE
from voiceprint.server.keys import SCOPES, KeyRing
from voiceprint.server.schemas import IdentificationAnswer, VerificationAnswer

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted(path.name for path in PAGE.iterdir())
HTML = (PAGE / "index.html").read_text(encoding="utf-8")
CSS = (PAGE / "style.css").read_text(encoding="utf-8")

TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}

_ROOTS = re.findall(r":root \{(.*?)\n *\}", CSS, re.DOTALL)
LIGHT, DARK = (dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", block)) for block in _ROOTS)
TEXT_ON = [
    *((text, ground) for text in ("ink", "muted") for ground in ("paper", "card", "sunken", "raised")),
    *((tone, ground) for tone in ("good", "bad", "warn", "neutral") for ground in ("card", f"{tone}-wash")),
    ("accent", "accent-wash"),
    ("on-accent", "accent"),
    ("card", "bad"),
    ("card", "good"),
    ("card", "neutral"),
]
SHAPE_ON = [("edge", "card"), ("record", "card"), ("accent", "paper"), ("accent", "sunken")]


def luminance(colour: str) -> float:
    """Relative luminance of #rrggbb (WCAG 2.2)."""
    channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    """Contrast ratio of two colours (WCAG 2.2): black on white is 21."""
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def test_black_on_white_has_the_greatest_contrast() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)


@pytest.mark.parametrize("colours", [LIGHT, DARK], ids=["light", "dark"])
def test_colours_have_the_contrast_of_wcag_aa(colours: dict[str, str]) -> None:
    text = {pair: contrast(colours[pair[0]], colours[pair[1]]) for pair in TEXT_ON}
    shapes = {pair: contrast(colours[pair[0]], colours[pair[1]]) for pair in SHAPE_ON}
    assert {pair: ratio for pair, ratio in text.items() if ratio < 4.5} == {}
    assert {pair: ratio for pair, ratio in shapes.items() if ratio < 3.0} == {}


@pytest.mark.parametrize("name", FILES)
def test_a_file_is_served_as_what_it_is_under_a_strict_policy(client: TestClient, name: str) -> None:
    answer = client.get(f"/{name}")
    assert answer.status_code == 200
    assert answer.headers["content-type"].split(";")[0] == TYPES[Path(name).suffix]
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert "unsafe" not in answer.headers["content-security-policy"]


def test_the_page_is_at_the_root(client: TestClient) -> None:
    assert client.get("/").text == HTML


def test_nothing_stands_inline_that_the_policy_forbids() -> None:
    assert re.findall(r"<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)", HTML) == []


@pytest.mark.parametrize("name", FILES)
def test_nothing_is_asked_of_another_site(name: str) -> None:
    addresses = re.findall(r"https?://[^\s\"'`<>)]+", (PAGE / name).read_text(encoding="utf-8"))
    assert set(addresses) <= {"http://www.w3.org/2000/svg", "http://localhost:${location.port}"}


def test_every_field_has_a_label() -> None:
    labelled = set(re.findall(r'<label for="([\w-]+)"', HTML))
    fields = re.findall(r'<input id="([\w-]+)"', HTML)
    assert set(fields) == labelled


# The page never makes such requests, so it has one sentence for all of them.
NEVER_ASKED = {
    "adapting-is-off",
    "far-pinned",
    "form-invalid",
    "form-needed",
    "host-invalid",
    "http",
    "idempotency-key-reused",
    "internal",
    "listened-too-long",
    "method-not-allowed",
    "not-found",
    "request-invalid",
    "sound-missing",
    "threshold-pinned",
}


def test_the_page_has_its_own_words_for_every_problem_of_the_server() -> None:
    sources = "".join(path.read_text(encoding="utf-8") for path in PAGE.parent.rglob("*.py"))
    codes = set(re.findall(r'\(\s*[45]\d\d,\s*"([a-z-]+)"', sources))
    words = set(
        re.findall(r'^  "?([a-z-]+)"?: \{', (PAGE / "words.js").read_text(encoding="utf-8"), re.MULTILINE)
    )
    assert len(codes) > 15
    assert codes - NEVER_ASKED - words == set()


def test_the_page_has_words_for_every_decision_and_for_what_becomes_of_a_clip() -> None:
    answers = (VerificationAnswer, IdentificationAnswer)
    decisions = {
        value for answer in answers for value in get_args(answer.model_fields["decision"].annotation)
    }
    heads = (PAGE / "verdict.js").read_text(encoding="utf-8")
    assert decisions - set(re.findall(r"^  (\w+): \{ tone", heads, re.MULTILINE)) == set()
    unnamed = {*get_args(IdentificationAnswer.model_fields["decision"].annotation)} - {"identified"}
    turns = (PAGE / "now.js").read_text(encoding="utf-8").split("const NAMES = {")[1].split("};")[0]
    assert unnamed - set(re.findall(r'(\w+): "', turns)) == set()
    words = (PAGE / "words.js").read_text(encoding="utf-8")
    coded = {*get_args(ClipStatus), *get_args(NoteCode)}
    assert coded - set(re.findall(r'^  (\w+): "', words, re.MULTILINE)) == set()


def test_the_page_repeats_no_text_of_the_server() -> None:
    scripts = "".join((PAGE / name).read_text(encoding="utf-8") for name in FILES if name.endswith(".js"))
    assert re.findall(r"\b(?:detail|reason)\b(?=[.,})\]]|$)", scripts) == []


def test_the_page_speaks_to_users_and_not_to_operators() -> None:
    shown = re.sub(r"<[^>]+>", " ", HTML)
    for words in (shown, (PAGE / "words.js").read_text(encoding="utf-8")):
        assert re.findall(r"ffmpeg|voiceprint keys|--\w|\bscope\b(?!-)|threshold\b|\bstranger", words) == []


def test_the_wheel_holds_the_page(tmp_path: Path) -> None:
    wheel = next(WheelBuilder(str(ROOT)).build(directory=str(tmp_path), versions=["standard"]))
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    inside = {name.removeprefix("voiceprint/server/page/") for name in names if "/server/page/" in name}
    assert inside == set(FILES)


def test_access_tells_what_a_key_may_do(client: TestClient) -> None:
    ring: KeyRing = client.app.state.engine.keys  # type: ignore[attr-defined]
    key, secret = ring.create(["verify"])
    told = client.get("/v1/access", headers={"Authorization": f"Bearer {secret}"}).json()
    assert (told["key_needed"], told["key"], told["scopes"]) == (True, key.id, ["verify"])
    assert (told["max_seconds"], told["max_clips"]) == (120.0, 20)


def test_access_tells_who_has_no_key_that_one_is_needed(client: TestClient) -> None:
    del client.headers["Authorization"]
    told = client.get("/v1/access").json()
    assert (told["key_needed"], told["key"], told["scopes"]) == (True, None, [])


def test_access_refuses_a_wrong_key(client: TestClient) -> None:
    answer = client.get("/v1/access", headers={"Authorization": "Bearer vp_wrong"})
    assert (answer.status_code, answer.json()["type"]) == (401, "urn:voiceprint:key-needed")


def test_without_keys_access_allows_everything_but_to_strangers(serve: Any) -> None:
    with serve(keyless=True) as client:
        assert client.get("/v1/access").json()["scopes"] == list(SCOPES)
        assert client.get("/v1/access", headers={"Host": "evil.example"}).status_code == 403
