"""All pages of the documentation that are made of the code, written where Sphinx reads them."""

from __future__ import annotations

from pathlib import Path

from benchmarks.documentation.commands import command_index, command_page
from benchmarks.documentation.names import api_index, api_page, api_rooms
from voiceprint.cli.commands import COMMANDS

FOLDERS = ("reference/api", "reference/commands")
"""What they lie in, below docs/; git does not see it."""


def made_pages(root: Path) -> dict[str, str]:
    """Return the pages by their place below docs/."""
    return {
        "reference/api/index.md": api_index(root),
        **{f"reference/api/{room.page}": api_page(room) for room in api_rooms(root)},
        "reference/commands/index.md": command_index(),
        **{f"reference/commands/{name}.md": command_page(name) for name in COMMANDS},
    }


def write_pages(root: Path, docs: Path) -> None:
    """Write the pages that are new or have changed, and remove those that are made no more."""
    pages = {docs / place: text for place, text in made_pages(root).items()}
    for path, text in pages.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
    for folder in FOLDERS:
        for path in set((docs / folder).glob("*.md")) - pages.keys():
            path.unlink()
