"""The page about clients has a curl for every route; tests of the pages run them."""

from __future__ import annotations

import re
from pathlib import Path

from live_server import LiveServer

PAGE = Path(__file__).parents[2] / "docs/how-to/client.md"


def requests_on_the_page() -> set[tuple[str, str]]:
    """Read the methods and paths of all requests that curl makes on the page."""
    text = PAGE.read_text(encoding="utf-8").replace("\\\n", " ")
    found = set()
    for line in re.findall(r"curl .*", text):
        path = re.search(r"http://localhost:8791(/[^\"?\s|]*)", line)
        method = re.search(r"-X (\w+)", line)
        sends = " -F " in line or " --data-binary " in line
        if path is not None:
            found.add((method[1] if method else "POST" if sends else "GET", path[1].removesuffix(")")))
    return found


def test_every_route_has_a_curl(server: LiveServer) -> None:
    names = {"{name}": r"(ada|cleo)", "{recording}": r"\$id"}
    asked = requests_on_the_page()
    for template, methods in server.app.openapi()["paths"].items():
        pattern = template
        for name, value in names.items():
            pattern = pattern.replace(name, value)
        for method in methods:
            assert any(each == method.upper() and re.fullmatch(pattern, path) for each, path in asked), (
                f"{method} {template}"
            )
