"""What the pages name exists: modules and names of the package, and files of the repository."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest
from docs_blocks import ROOT

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md"]
PAGES += [
    page for page in sorted((ROOT / "docs").rglob("*.md")) if page.parent.name not in {"api", "commands"}
]
FOLDERS = "benchmarks|scripts|tests|voiceprint"
NO_MODULES = {"voiceprint.listen", "voiceprint.service"}
"""What a WebSocket offers, and a unit of systemd."""


def exists(name: str) -> bool:
    """Whether a dotted name is a module, or an attribute of one."""
    parts = name.split(".")
    for cut in range(len(parts), 0, -1):
        try:
            found = importlib.import_module(".".join(parts[:cut]))
        except ModuleNotFoundError:
            continue
        for part in parts[cut:]:
            if not hasattr(found, part):
                return False
            found = getattr(found, part)
        return True
    return False


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_names_of_the_package_exist(page: Path) -> None:
    named = set(re.findall(r"`(voiceprint(?:\.\w+)+)[`(]", page.read_text(encoding="utf-8")))
    assert [name for name in sorted(named - NO_MODULES) if not exists(name)] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_files_of_the_repository_exist(page: Path) -> None:
    named = set(re.findall(rf"`((?:{FOLDERS})/[\w/.-]+)[`: ]", page.read_text(encoding="utf-8")))
    assert [name for name in sorted(named) if not (ROOT / name).exists()] == []


def test_a_name_that_is_gone_is_noticed() -> None:
    assert exists("voiceprint.audio.read_audio")
    assert exists("voiceprint.files.checksum")
    assert not exists("voiceprint.audio.nothing")
    assert not exists("voiceprint.nothing.at_all")
