"""All pages of the documentation that are made of the code, written where Sphinx reads them."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

from benchmarks.documentation.names import api_index, api_page, api_rooms
from voiceprint.cli.commands import COMMANDS, load_command

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


_INDEX = """# All commands

Each page is made of the command itself, and says what `voiceprint COMMAND --help` says. What holds for all,
such as exit codes, is in [Commands and their surroundings](../commands.md).

| command | what it does |
|---|---|
{rows}

```{{toctree}}
:hidden:

{pages}
```
"""


def command_index() -> str:
    """Return the page that lists the commands."""
    rows = [
        f"| [{name}]({name}.md) | {_text(load_command(name).help).splitlines()[0]} |" for name in COMMANDS
    ]
    return _INDEX.format(rows="\n".join(rows), pages="\n".join(COMMANDS))


def command_page(name: str) -> str:
    """Return the page of one command and its sub-commands."""
    command = load_command(name)
    below = getattr(command, "commands", {})
    parts = [f"# voiceprint {name}"]
    if below:
        parts += [_text(command.help)]
        for sub, each in below.items():
            parts += [f"## voiceprint {name} {sub}", *_describe(each, f"{name} {sub}")]
    else:
        parts += _describe(command, name)
    return "\n\n".join([*parts, ""])


def _describe(command: Any, name: str) -> list[str]:
    context = command.context_class(command, info_name=f"voiceprint {name}")
    usage = " ".join([context.info_name, *command.collect_usage_pieces(context)])
    parts = [_text(command.help), f"```text\n{usage}\n```"]
    for kind in ("argument", "option"):
        given = [each for each in command.params if each.param_type_name == kind and each.name != "help"]
        records = [record for each in given if (record := each.get_help_record(context)) is not None]
        if records:
            rows = [f"| `{spelled}` | {_cell(text)} |" for spelled, text in records]
            parts.append("\n".join([f"| {kind} | what it is |", "|---|---|", *rows]))
    lines = [line.strip() for line in (command.epilog or "").splitlines()]
    examples = [line for line in lines if line and line not in {"\b", "Examples:"}]
    return [*parts, "\n".join(["```bash", *examples, "```"])] if examples else parts


def _cell(text: str | None) -> str:
    return " ".join(_text(text).split()).replace("|", "\\|")


def _text(text: str | None) -> str:
    """Return a help text as Markdown: placeholders in angle brackets are not HTML."""
    return inspect.cleandoc(text or "").replace("\b\n", "").replace("<", "&lt;")
