"""A site of the tiny model, opened in the browser of the page's tests; imported by conftest.py."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from browser import Page
from selenium.webdriver import Chrome

from benchmarks.web.parity import serving_library
from benchmarks.web.static_server import StaticServer, serving_files
from voiceprint.model import SpeakerModel
from voiceprint.web import build_site
from voiceprint.web.assets import ASSETS

__all__ = ["library", "served_site", "site", "tab", "wait_for_engine"]

NOT_BUILT = "needs the site's scripts: cd web && npm ci && npm run build"


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory, model_folder: Path) -> Path:
    """A site that recognises synthetic voices."""
    if not (ASSETS / "assets.json").is_file():
        pytest.skip(NOT_BUILT)
    folder = tmp_path_factory.mktemp("web") / "site"
    build_site(folder, model=SpeakerModel.open(model_folder), weights="original")
    return folder


@pytest.fixture(scope="session")
def served_site(site: Path) -> Iterator[StaticServer]:
    """The site on a server."""
    with serving_files(site) as server:
        yield server


@pytest.fixture
def tab(driver: Chrome, served_site: StaticServer) -> Page:
    """The site, open and ready, with nobody enrolled; the microphone plays ada."""
    page = Page(driver, served_site.url)
    page.open()
    wait_for_engine(page)
    page.run(
        "const { loadEngine } = await import('/home.js'); await (await loadEngine()).forgetEverything();"
    )
    page.open()
    wait_for_engine(page)
    page.complaints()
    return page


@pytest.fixture(scope="session")
def library(site: Path, model: SpeakerModel) -> Iterator[str]:
    """The address of the package as one script, with an empty page beside it."""
    with serving_library(model, "original") as (server, _):
        yield server.url


def wait_for_engine(page: Page) -> None:
    """Wait until the engine is loaded."""
    page.wait(
        lambda: page.driver.execute_script("return document.documentElement.dataset.engine"), "the engine"
    )
    assert page.driver.execute_script("return document.documentElement.dataset.engine") == "ready", (
        page.complaints()
    )
