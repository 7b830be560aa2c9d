"""A server as a program, a Chromium whose microphone is a wav file, and hands to use the page with."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile as sf
from selenium.common.exceptions import NoSuchElementException, StaleElementReferenceException
from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.wait import WebDriverWait

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
DRIVER = shutil.which("chromedriver")
MISSING = "needs Chromium and its driver: apt-get install chromium chromium-driver"

_PATIENCE = 60.0  # s; a busy machine may be slow, what does not come at all never comes


@contextmanager
def serving(*options: str, port: int | None = None) -> Iterator[Served]:
    """Run ``voiceprint serve`` until the block ends."""
    port = port or _free_port()
    program = [sys.executable, "-c", "from voiceprint.cli import main; main()", "serve", "--port", str(port)]
    process = subprocess.Popen([*program, *options], start_new_session=True)
    served = Served(url=f"http://localhost:{port}", port=port, process=process)
    try:
        served.wait_until_ready()
        yield served
    finally:
        served.kill()


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """A running server."""

    url: str
    port: int
    process: subprocess.Popen[bytes]

    def wait_until_ready(self) -> None:
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            assert self.process.poll() is None, "the server ended"
            try:
                with urllib.request.urlopen(f"{self.url}/readyz", timeout=10):
                    return
            except (urllib.error.URLError, ConnectionError):
                time.sleep(0.1)
        raise AssertionError("the server did not get ready")

    def kill(self) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(30)


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@contextmanager
def chromium(microphone: Path) -> Iterator[Chrome]:
    """Start a browser whose microphone plays a wav file, from its beginning for each recording.

    Parameters
    ----------
    microphone : Path
        16-bit wav; read when a recording begins, so it may be written anew between two.
    """
    options = ChromeOptions()
    options.binary_location = str(BROWSER)
    flags = [
        "--headless=new",
        "--no-sandbox",  # a container's root has none
        "--disable-dev-shm-usage",
        "--disable-gpu",
        "--no-first-run",
        "--use-fake-device-for-media-stream",
        f"--use-file-for-fake-audio-capture={microphone}",
        "--window-size=1280,900",
    ]
    for flag in flags:
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = Chrome(options=options, service=Service(executable_path=str(DRIVER)))
    try:
        allow_microphone(driver)
        yield driver
    finally:
        driver.quit()


def allow_microphone(driver: Chrome, setting: str = "granted") -> None:
    """Answer in the place of a person when a page asks for the microphone: "granted" or "denied"."""
    what = {"permission": {"name": "microphone"}, "setting": setting}
    driver.execute_cdp_cmd("Browser.setPermission", what)


def silence_before(microphone: Path, seconds: float) -> None:
    """Let the microphone play nothing at first, so that nothing is decided meanwhile."""
    samples, rate = sf.read(microphone)
    noise = 1e-4 * np.random.default_rng(0).standard_normal(round(seconds * rate))
    sf.write(microphone, np.concatenate([noise, samples]), rate, subtype="PCM_16")


class Page:
    """The page in a browser, with the verbs of a person in front of it."""

    def __init__(self, driver: Chrome, url: str) -> None:
        self.driver = driver
        self.url = url

    def open(self, view: str = "verify") -> None:
        """Load the page at one of its views, and wait until it knows what it may do."""
        self.driver.get("about:blank")  # a change of the fragment alone would not load anything
        self.driver.get(f"{self.url}/#{view}")
        self.wait(lambda: self.driver.find_elements(By.CSS_SELECTOR, ".view:not([hidden])"), "a view")

    def go(self, view: str) -> None:
        self.driver.find_element(By.CSS_SELECTOR, f"nav a[href='#{view}']").click()
        self.wait(lambda: self.view() == view, f"the view {view}")

    def view(self) -> str:
        return self.driver.find_element(By.CSS_SELECTOR, ".view:not([hidden])").get_dom_attribute("id")[5:]

    def find(self, selector: str, *, by: str = By.CSS_SELECTOR) -> WebElement:
        """Find an element of the open view."""
        return self.driver.find_element(By.CSS_SELECTOR, ".view:not([hidden])").find_element(by, selector)

    def part(self, name: str) -> WebElement:
        return self.find(f"[data-part='{name}']")

    def fill(self, selector: str, text: str) -> None:
        field = self.find(selector)
        field.clear()
        field.send_keys(text)

    def wait(self, condition: Callable[[], object], what: str) -> None:
        """Wait until something is so."""
        redrawn = [StaleElementReferenceException, NoSuchElementException]
        waiting = WebDriverWait(self.driver, _PATIENCE, 0.05, ignored_exceptions=redrawn)
        waiting.until(lambda _: condition(), f"waited for {what}")

    def record(self, seconds: float) -> None:
        """Press the button, let the microphone speak, press it again; unless it was decided before."""
        self.part("record").click()
        self.wait(lambda: self.clock() >= seconds or not self.recording(), f"{seconds} s to be recorded")
        self.stop()

    def recording(self) -> bool:
        """Whether the microphone is open, or about to be."""
        return self.find(".panel").get_dom_attribute("data-state") != "idle"

    def stop(self) -> None:
        """Press the button if it is still recorded; in one go, for it may stop by itself."""
        script = """const panel = document.querySelector(".view:not([hidden]) .panel");
            if (panel.dataset.state === "recording") panel.querySelector("[data-part='record']").click();"""
        self.driver.execute_script(script)

    def clock(self) -> int:
        minutes, seconds = self.part("clock").text.split(":")
        return 60 * int(minutes) + int(seconds)

    def choose(self, *files: Path) -> None:
        self.part("file").send_keys("\n".join(map(str, files)))

    def verdict(self) -> str:
        """Wait for the answer, past how it stands while one speaks; returns its heading."""
        # It fades in, and has no text to Selenium until it begins to show.
        self.wait(lambda: self._heading() not in ("", "Listening…"), "an answer")
        return self._heading()

    def verdict_after_speaking(self) -> str:
        """Wait for the answer that comes after how it stood meanwhile; returns its heading."""
        self.wait(self.answered, "an answer")
        return self.verdict()

    def _heading(self) -> str:
        found = self.driver.find_elements(By.CSS_SELECTOR, ".view:not([hidden]) .verdict h2")
        return found[0].text if found else ""

    def notice(self) -> str:
        """Wait for a notice; returns its text."""
        self.wait(lambda: self.part("notice").is_displayed(), "a notice")
        return self.find("[data-part='notice'] p").text

    def focused(self) -> str:
        """What the keyboard's next key goes to: the text of the element, or its value."""
        element = self.driver.switch_to.active_element
        return element.text or str(element.get_property("id"))

    def complaints(self) -> list[str]:
        """What the browser's console says since it was last asked: errors and warnings."""
        driver: Any = self.driver  # whose log has no types
        return [str(entry["message"]) for entry in driver.get_log("browser") if entry["level"] != "INFO"]

    def run(self, script: str, *values: object) -> Any:
        """Run a script in the page: a promise's value is waited for."""
        wrapped = f"""const values = [...arguments], done = values.pop();
            (async () => {{ {script} }})().then(done);"""
        return self.driver.execute_async_script(wrapped, *values)

    def text(self) -> str:
        """What the eye reads in the view."""
        return self.driver.find_element(By.CSS_SELECTOR, ".view:not([hidden])").text

    def answered(self) -> bool:
        """Whether an answer stands in the view."""
        return bool(self.driver.find_elements(By.CSS_SELECTOR, ".view:not([hidden]) [data-state='answered']"))

    def on_screen(self, selector: str) -> bool:
        """Whether an element of the view lies within the window."""
        box = self.driver.execute_script(
            "const box = arguments[0].getBoundingClientRect(); return [box.top, box.bottom, innerHeight];",
            self.find(selector),
        )
        return bool(box[0] >= 0 and box[1] <= box[2])

    @contextmanager
    def answering(self, path: str, status: int, body: dict[str, Any], **headers: str) -> Iterator[None]:
        """Let the page be answered this for the paths that contain `path`, instead of asking the server."""
        script = """const [path, status, body, headers] = values;
            window.realFetch ??= window.fetch;
            window.fetch = async (url, options) => String(url).includes(path)
              ? Response.json(body, { status, headers })
              : window.realFetch(url, options);"""
        self.run(script, path, status, body, headers)
        try:
            yield
        finally:
            self.run("window.fetch = window.realFetch")

    def hold(self, part: str) -> None:
        """Hold back the server's answer to requests with this in address or body until `release`."""
        script = """const [part] = values, real = window.fetch;
            window.fetch = (url, options) => `${url} ${options.body}`.includes(part)
              ? real(url, { ...options, signal: undefined }).then((answer) => new Promise((resolve) => {
                  window.release = () => resolve(answer);
                }))
              : real(url, options);"""
        self.run(script, part)

    def wait_until_held(self) -> None:
        """Wait for an answer that is held back."""
        self.wait(lambda: self.run("return Boolean(window.release)"), "an answer to hold back")

    def release(self) -> None:
        """Let the page have the answer that was held back."""
        self.run("window.release(); await new Promise(requestAnimationFrame);")

    @contextmanager
    def prepared(self, script: str) -> Iterator[None]:
        """Run a script in each page before its own."""
        made = self.driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": script})
        try:
            yield
        finally:
            self.driver.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", made)

    @contextmanager
    def offline(self) -> Iterator[None]:
        """Take the network away."""
        conditions = {"latency": 0, "downloadThroughput": -1, "uploadThroughput": -1}
        self.driver.execute_cdp_cmd("Network.enable", {})
        self.driver.execute_cdp_cmd("Network.emulateNetworkConditions", {"offline": True, **conditions})
        try:
            yield
        finally:
            self.driver.execute_cdp_cmd("Network.emulateNetworkConditions", {"offline": False, **conditions})

    @contextmanager
    def cut_off(self, *patterns: str) -> Iterator[None]:
        """Let requests to these addresses fail as if nobody listened there; * stands for anything."""
        self.driver.execute_cdp_cmd("Network.enable", {})
        self.driver.execute_cdp_cmd("Network.setBlockedURLs", {"urls": list(patterns)})
        try:
            yield
        finally:
            self.driver.execute_cdp_cmd("Network.setBlockedURLs", {"urls": []})

    @contextmanager
    def emulating(self, *, width: int = 1280, height: int = 900, **media: str) -> Iterator[None]:
        """Show the page on a screen of another size, or to somebody with other preferences."""
        features = [{"name": name.replace("_", "-"), "value": value} for name, value in media.items()]
        screen = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
        try:
            yield
        finally:
            self.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
            self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
