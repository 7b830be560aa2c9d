"""The first visit of the site, and the next one, which the browser answers by itself."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.web.page_scripts import run_script
from benchmarks.web.static_server import StaticServer, serving_files
from voiceprint.model import SpeakerModel
from voiceprint.web import Weights, build_site

_READY = """const root = document.documentElement;
    while (!root.dataset.engine) await new Promise(requestAnimationFrame);
    if (root.dataset.engine !== "ready") throw new Error("the engine is not ready");
    return performance.now();"""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadFigures:
    """Two visits of a site on this machine, with nothing in the browser before.

    Attributes
    ----------
    megabytes : float
        What the first visit asks of the server, not packed.
    first, next : float
        Milliseconds from opening the page until the engine is ready.
    asked_again : int
        Files that the next visit asks of the server, but for the service worker itself.
    """

    megabytes: float
    first: float
    next: float
    asked_again: int


def measure_first_load(driver: Any, model: SpeakerModel, *, weights: Weights) -> LoadFigures:
    """Build a site and visit it twice.

    Parameters
    ----------
    driver : selenium.webdriver.Chrome
        That has not seen the site.
    weights : {"int8", "original"}
        Of the encoder.
    """
    with _serving(model, weights) as (server, site):
        first = _visit(driver, server)
        sizes = [(site / path.lstrip("/")).stat().st_size for path in set(_asked(server)) if path != "/"]
        server.asked.clear()
        again = _visit(driver, server)
        asked = [path for path in _asked(server) if path != "/sw.js"]
    return LoadFigures(megabytes=sum(sizes) / 1e6, first=first, next=again, asked_again=len(asked))


@contextmanager
def _serving(model: SpeakerModel, weights: Weights) -> Iterator[tuple[StaticServer, Path]]:
    with tempfile.TemporaryDirectory() as folder:
        site = Path(folder) / "site"
        build_site(site, model=model, weights=weights)
        with serving_files(site) as server:
            yield server, site


def _visit(driver: Any, server: StaticServer) -> float:
    driver.get("about:blank")
    driver.get(f"{server.url}/")
    return float(run_script(driver, _READY))


def _asked(server: StaticServer) -> list[str]:
    """Paths that were asked for and are files of the site."""
    paths = [request.split(" ", 1)[1].split("?")[0] for request in server.asked]
    return [path for path in paths if path != "/favicon.ico"]
