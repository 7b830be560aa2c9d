"""The documentation as a site: it builds without a warning, has every public name, and asks nobody."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import zlib
from html.parser import HTMLParser
from pathlib import Path

import pytest
from docs_blocks import ROOT

from benchmarks.documentation.names import api_rooms, offered_names
from voiceprint.cli.commands import COMMANDS

OUTSIDE = re.compile(r"^(https?:)?//")


class Page(HTMLParser):
    """The links of a page, its anchors, and what a browser fetches with it."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.fetched: list[str] = []
        self.text: list[str] = []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {key: value or "" for key, value in attrs}
        if tag == "a":
            self.links.append(given.get("href", ""))
        elif tag == "link":
            rel = given.get("rel", "")
            self.fetched += [given["href"]] if rel not in {"canonical", "next", "prev"} else []
        else:
            self.fetched += [given[key] for key in ("src", "srcset", "data", "action") if given.get(key)]

    def handle_data(self, data: str) -> None:
        self.text.append(data)


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built site. A warning is an error, as of a link that leads nowhere or a page without a place."""
    folder = tmp_path_factory.mktemp("site")
    built = subprocess.run(
        [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-b", "html", "docs", str(folder)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stdout + built.stderr
    return folder


def test_every_public_name_has_its_place(site: Path) -> None:
    inventory = zlib.decompress((site / "objects.inv").read_bytes().split(b"\n", 4)[4]).decode()
    known = {line.split(" ", 1)[0] for line in inventory.splitlines()}
    homes = {f"{room.find(name).module}.{name}" for room in api_rooms(ROOT) for name in room.names}
    assert homes - known == set()


def test_every_command_has_its_page(site: Path) -> None:
    assert {path.stem for path in (site / "reference/commands").glob("*.html")} == {"index", *COMMANDS}


def test_every_public_name_is_described() -> None:
    rooms = api_rooms(ROOT)
    assert [
        f"{room.name}.{name}" for room in rooms for name in room.names if not room.find(name).summary
    ] == []


def test_every_name_of_the_front_page_is_offered_by_a_room() -> None:
    front, *rooms = offered_names(ROOT).values()
    assert {*front} - {name for room in rooms for name in room} == {"__version__"}


def test_a_page_fetches_nothing_from_elsewhere(site: Path) -> None:
    pages = sorted(site.rglob("*.html"))
    assert len(pages) > 100
    fetched = {
        page.name: [address for address in Page(page).fetched if OUTSIDE.match(address)] for page in pages
    }
    assert {name: addresses for name, addresses in fetched.items() if addresses} == {}
    for style in site.rglob("*.css"):
        assert re.findall(r"(?:url\(|@import)\s*[\"']?(?:https?:)?//[^)\s]*", style.read_text("utf-8")) == []


def test_the_links_of_the_readme_lead_somewhere() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    links = [link for link in re.findall(r"\]\(([^)\s]+)\)", text) if not OUTSIDE.match(link)]
    assert links
    for link in links:
        name, _, anchor = link.partition("#")
        target = ROOT / name
        assert target.exists(), link
        if anchor:
            headings = re.findall(r"(?m)^#+ (.+)$", target.read_text(encoding="utf-8"))
            assert anchor in {re.sub(r"[^\w -]", "", text.lower()).replace(" ", "-") for text in headings}


# What newcomers ask, the pages from the first one on that lead to the answer, and what the last one says.
QUESTIONS = {
    "How do I try it?": ("getting-started.html", "voiceprint enroll ada"),
    "How often is it wrong?": ("explanation/accuracy.html", "equal error rate"),
    "Which threshold do I take?": ("explanation/thresholds.html", "1 impostor in 20 is accepted"),
    "Does a recording of me fool it?": ("index.html", "does not check that a person is really speaking"),
    "How do I delete somebody?": ("reference/commands/index.html > reference/commands/remove.html", "remove"),
    "What does the store hold, and where?": ("reference/store-format.html", "voiceprints.sqlite3"),
    "How do I call it from another language?": ("reference/server.html", "/v1/speakers"),
    "How do I find out who speaks when?": ("tutorials/meeting-names.html", "diarize"),
    "Which formats of sound does it read?": ("reference/index.html > reference/audio.html", "FLAC"),
    "How do I train on my own language?": ("tutorials/own-language.html", "corpus scan"),
    "Does it work in my language?": ("tutorials/own-language.html", "it answers in any language"),
    "May I use it at work?": ("index.html", "Both allow commercial use"),
    "Does it run on my computer?": ("how-to/install.html", "on Linux, macOS (arm64) and Windows"),
    "How large a machine does it take?": ("how-to/deployment.html", "verifications a second"),
    "What must I record?": ("getting-started.html", "you, or whom you want to recognise"),
}


@pytest.mark.parametrize("question", QUESTIONS)
def test_a_newcomers_question_is_answered_within_two_clicks(site: Path, question: str) -> None:
    clicks, answer = QUESTIONS[question]
    page = site / "index.html"
    ways = [click for click in clicks.split(" > ") if click != "index.html"]
    assert len(ways) <= 2
    for way in ways:
        reached = {(page.parent / link.partition("#")[0]).resolve() for link in Page(page).links if link}
        page = site / way
        assert page.resolve() in reached
    assert answer in " ".join("".join(Page(page).text).split())
