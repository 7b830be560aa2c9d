"""Open a report in headless Chromium as a reader would: light, dark, on a telephone, printed.

    scripts/check_report report.html
    scripts/check_report report.html --screenshots shots

Fails if the page writes an error to the console, asks anything of the network, is wider than a telephone, or
does not print. Needs Debian's `chromium` (apt-get install chromium), or another that --chromium names.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from benchmarks.program import BenchmarkError, make_parser

DESKTOP, TELEPHONE = 1280, 390  # pixels
TALL = 16_000
DARK, LIGHT = 0, 1  # Blink's preferredColorScheme

# Stands around the page, and shows it whole in a window of the width given.
FRAME = """<!doctype html><meta charset="utf-8"><body style="margin:0;background:#888">
<iframe src="{page}" style="border:0;width:{width}px;height:{height}px" title="page"></iframe></body>"""

# Runs inside the page: CSP forbids scripts there, so an outer page prints the size of the same origin.
PROBE = """<!doctype html><meta charset="utf-8"><title>probe</title><body>
<iframe src="{page}" style="border:0;width:{width}px;height:{height}px" title="page"
 onload="const d = this.contentDocument.documentElement; document.title = 'size ' + d.scrollWidth + ' ' +
 this.contentDocument.body.scrollHeight; document.body.append(document.title)"></iframe></body>"""


class FailedError(BenchmarkError):
    """The page is not as it should be."""

    code = "report_failed"


def main() -> None:
    """Open the report in every way, and print that it opened."""
    options = _parse()
    page = options.report.resolve()
    check_self_contained(page.read_text(encoding="utf-8"))
    with tempfile.TemporaryDirectory(prefix="check-report-") as scratch:
        pictures = _open_every_way(page, Browser(options.chromium, Path(scratch)))
        if options.screenshots:
            options.screenshots.mkdir(parents=True, exist_ok=True)
            for made in pictures:
                shutil.copy(made, options.screenshots / made.name)
    print(f"{options.report}: opens without errors, light, dark, on a telephone and printed")


def _parse() -> argparse.Namespace:
    parser = make_parser(__doc__)
    parser.add_argument("report", type=Path, help="the HTML page")
    parser.add_argument("--screenshots", type=Path, metavar="FOLDER", help="keep pictures and the PDF here")
    parser.add_argument("--chromium", default=os.environ.get("CHROMIUM", "chromium"), help="the browser")
    options = parser.parse_args()
    if shutil.which(options.chromium) is None:
        parser.error(f"{options.chromium} was not found; install it: sudo apt-get install chromium")
    if not options.report.is_file():
        parser.error(f"{options.report} does not exist; `voiceprint report` writes one")
    return options


def _open_every_way(page: Path, browser: Browser) -> list[Path]:
    """Return the pictures and the PDF."""
    width, _ = browser.size(page, TELEPHONE)
    if width > TELEPHONE:
        raise FailedError(
            f"the page is {width} pixels wide on a telephone of {TELEPHONE}: it scrolls sideways"
        )
    made = []
    for name, window, scheme in (
        ("light", DESKTOP, LIGHT),
        ("dark", DESKTOP, DARK),
        ("phone", TELEPHONE, LIGHT),
        ("phone-dark", TELEPHONE, DARK),
    ):
        _, height = browser.size(page, window)
        made.append(browser.scratch / f"{name}.png")
        browser.screenshot(page, made[-1], width=window, height=height, scheme=scheme)
    made.append(browser.scratch / "print.pdf")
    browser.print(page, made[-1])
    return made


def check_self_contained(html: str) -> None:
    """Fail on anything that a browser would fetch."""
    fetched = re.findall(
        r"""(?:src|href)\s*=\s*["'](?!#|data:|file:)([^"']+)|url\((?!#)([^)]+)\)|@import""", html
    )
    if fetched:
        raise FailedError(f"the page asks for {len(fetched)} things from elsewhere, such as {fetched[0]}")
    if "<script" in html:
        raise FailedError("the page holds a script")


class Browser:
    """Chromium without a window; every run has a profile of its own and no network."""

    def __init__(self, program: str, scratch: Path) -> None:
        self.program = program
        self.scratch = scratch

    def size(self, page: Path, width: int) -> tuple[int, int]:
        """Width and height of the whole page in a window of ``width`` pixels."""
        found = self._run(
            self._around(PROBE, page, width, 800), "--dump-dom", "--allow-file-access-from-files"
        )
        match = re.search(r"size (\d+) (\d+)</body>", found)
        if match is None:
            raise FailedError("the page did not load")
        return int(match[1]), int(match[2])

    def screenshot(self, page: Path, picture: Path, *, width: int, height: int, scheme: int) -> None:
        """Take a picture of the whole page."""
        # The narrowest window is 500 pixels, so a telephone is a frame in it.
        shown = self._around(FRAME, page, width, min(height + 20, TALL))
        self._run(
            shown,
            f"--screenshot={picture}",
            f"--window-size={max(width, 500)},{min(height + 20, TALL)}",
            f"--blink-settings=preferredColorScheme={scheme}",
            "--hide-scrollbars",
        )
        if not picture.is_file():
            raise FailedError(f"no picture of {page.name} came out")

    def print(self, page: Path, pdf: Path) -> None:
        """Print to a PDF."""
        self._run(page, f"--print-to-pdf={pdf}", "--no-pdf-header-footer")
        if not pdf.is_file() or not pdf.read_bytes().startswith(b"%PDF"):
            raise FailedError("the page does not print")

    def _around(self, template: str, page: Path, width: int, height: int) -> Path:
        outer = self.scratch / "frame.html"
        outer.write_text(template.format(page=page.as_uri(), width=width, height=height), encoding="utf-8")
        return outer

    def _run(self, page: Path, *options: str) -> str:
        command = [
            self.program, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
            "--no-first-run", "--disable-extensions", "--disable-background-networking",
            "--enable-logging=stderr", "--log-level=0", "--host-resolver-rules=MAP * ~NOTFOUND",
            f"--user-data-dir={self.scratch / 'profile'}", *options, page.as_uri(),
        ]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
        complaints = [line for line in done.stderr.splitlines() if ":CONSOLE" in line]
        if complaints:
            raise FailedError(f"the console says: {complaints[0]}")
        if done.returncode != 0:
            raise FailedError(f"{self.program} ended with {done.returncode}: {done.stderr.strip()[-300:]}")
        return done.stdout
