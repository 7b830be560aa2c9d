"""The public names of the package, by the room that offers them, and the pages that describe them."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from benchmarks.structure import module_name, public_names

FACES = {"cli", "server"}
"""Rooms whose users type commands and send requests."""

_INDEX = """# Python API

`from voiceprint import NAME` gives the names of the first table. Other names come from their rooms, such as
`from voiceprint.metrics import eer_hull`. The pages are made of the docstrings, which `help(NAME)` shows too.

The examples run in the tests, in a folder with recordings: `clip` is one of Ada, `clips` three others of her,
`samples` three seconds of her at 16 kHz, `people` a folder of five people, `corpus` the same as a `Corpus`,
`model` the default `SpeakerModel`, and `verifier` a `Verifier` that knows Ada and Bert. Where the client is
described, `client` is a `Client` of a running server that knows them, at `url` with an API `key`.

## The front page

| name | what it is |
|---|---|
{front}

## The rooms

| room | what it is |
|---|---|
{rooms}

```{{toctree}}
:hidden:

{pages}
```
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """Where a name is defined, and what is said of it.

    Parameters
    ----------
    kind : {"class", "function", "data"}
        As autodoc has it.
    """

    module: str
    kind: str
    summary: str


@dataclass(frozen=True)
class Room:
    """One module, or a room's front page."""

    path: Path
    root: Path

    @property
    def name(self) -> str:
        """The name by which it is imported."""
        return module_name(self.path, self.root)

    @property
    def page(self) -> str:
        """The name of its page."""
        return f"{self.name.removeprefix('voiceprint.')}.md"

    @cached_property
    def tree(self) -> ast.Module:
        """Its code."""
        return ast.parse(self.path.read_text(encoding="utf-8"))

    @property
    def names(self) -> list[str]:
        """What it offers."""
        return public_names(self.tree)

    @property
    def summary(self) -> str:
        """The first line of its docstring."""
        return _first_line(ast.get_docstring(self.tree))

    def find(self, name: str) -> Found:
        """Find the definition of a name: here, or in the module that it is imported from."""
        for node, after in zip(self.tree.body, [*self.tree.body[1:], None], strict=True):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and node.name == name:
                kind = "class" if isinstance(node, ast.ClassDef) else "function"
                return self._found(kind, ast.get_docstring(node))
            if name in _assigned(node):
                remark = after.value if isinstance(after, ast.Expr) else None
                return self._found("data", str(remark.value) if isinstance(remark, ast.Constant) else "")
        for inner in ast.walk(self.tree):  # also behind TYPE_CHECKING, as on the front page
            if isinstance(inner, ast.ImportFrom) and name in {
                each.asname or each.name for each in inner.names
            }:
                return Room(_path_of(str(inner.module), self.root), self.root).find(name)
        return self._found("data", "")

    def _found(self, kind: str, text: str | None) -> Found:
        return Found(module=self.name, kind=kind, summary=_first_line(text))


def offered_names(root: Path) -> dict[str, list[str]]:
    """Return the public names of the package and of each of its rooms, by module.

    A room without an ``__all__`` offers its modules. Commands and the server have pages of their own.
    """
    return {room.name: room.names for room in (_front(root), *api_rooms(root))}


def api_rooms(root: Path) -> list[Room]:
    """Return the rooms that have a page, in alphabetical order."""
    package = root / "voiceprint"
    rooms = (Room(path, root) for path in sorted({*package.rglob("*.py")} - {package / "__init__.py"}))
    return [room for room in rooms if is_offered(room.path, package) and room.names]


def api_page(room: Room) -> str:
    """Return the page of a room: a heading, and for each of its names what autodoc makes of the docstring."""
    parts = [f"# {room.name}", room.summary, "```{eval-rst}"]
    for name in room.names:
        found = room.find(name)
        parts.append(f".. auto{found.kind}:: {found.module}.{name}")
    return "\n\n".join([*parts, "```\n"])


def api_index(root: Path) -> str:
    """Return the page that lists the names of the front page, and the rooms."""
    front = _front(root)
    described = [(name, front.find(name)) for name in front.names if not name.startswith("__")]
    rooms = api_rooms(root)
    return _INDEX.format(
        front="\n".join(
            f"| {{py:obj}}`{name} <{it.module}.{name}>` | {it.summary} |" for name, it in described
        ),
        rooms="\n".join(f"| [{room.name}]({room.page}) | {room.summary} |" for room in rooms),
        pages="\n".join(room.page for room in rooms),
    )


def _front(root: Path) -> Room:
    return Room(root / "voiceprint/__init__.py", root)


def is_offered(path: Path, package: Path) -> bool:
    """Whether the Python API reads a module's names: of a front page, or of any module of a room without."""
    room, *within = path.relative_to(package).with_suffix("").parts
    front = path.parent / "__init__.py"
    if room in FACES:
        return False
    if not within or path == front:
        return True
    return len(within) == 1 and not public_names(ast.parse(front.read_text(encoding="utf-8")))


def _path_of(module: str, root: Path) -> Path:
    path = root.joinpath(*module.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def _assigned(node: ast.AST) -> set[str]:
    targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
    return {
        name.id
        for target in targets
        if target is not None
        for name in ast.walk(target)
        if isinstance(name, ast.Name)
    }


def _first_line(text: str | None) -> str:
    return (text or "").strip().split("\n", 1)[0]
