"""A page as a file: the head that all pages have, and nothing fetched from anywhere."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping
from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template

from voiceprint.errors import VoiceprintError
from voiceprint.files.whole import write_whole


def document(
    title: str,
    body: str,
    *,
    brand: str,
    contents: str = "",
    style: str = "",
    script: str = "",
    media: str = "",
) -> str:
    """Return a whole page.

    Parameters
    ----------
    brand : str
        What kind of page it is, above everything.
    contents : str
        HTML of links to its parts.
    style : str
        CSS besides that of all pages.
    script : str
        The one script that may run; the page's policy names it by its hash.
    media : str
        From where sound may come, such as ``data:``; from nowhere unless given.
    """
    policy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
    policy += f"; media-src {media}" if media else ""
    if script:
        digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        policy += f"; script-src 'sha256-{digest}'"
    return Template(packaged_text("page.html")).substitute(
        policy=policy,
        title=escape(title),
        style=packaged_text("page.css") + style,
        brand=escape(brand),
        contents=f'<nav aria-label="Contents">{contents}</nav>' if contents else "",
        body=re.sub(r"(?<=\d) %", "\N{NO-BREAK SPACE}%", body),  # no line ends before the sign
        script=f"<script>{script}</script>" if script else "",
    )


def packaged_text(name: str) -> str:
    """Return a file that lies beside this one."""
    return files("voiceprint.reports").joinpath(name).read_text(encoding="utf-8")


def write_documents(texts: Mapping[Path, str]) -> None:
    """Write files, each of them whole or not at all; VoiceprintError where one cannot be written."""
    for path, text in texts.items():
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(path, text)
        except OSError as error:
            raise VoiceprintError(f"{path}: cannot be written: {error.strerror}") from error
