"""Write docs/api.md, the page of every public name, from the docstrings.

scripts/write_api
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from benchmarks.program import ROOT, make_parser
from benchmarks.structure import module_name, public_names

__all__ = ["main", "offered_names", "render_api"]

FACES = {"cli", "server"}
"""Rooms whose users type commands and send requests."""

_HEAD = """# Every public name

`scripts/write_api` writes this page from the docstrings; a test holds it to them. `help(NAME)` says more.
`from voiceprint import NAME` gives the library's front page:

{front}
"""

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


@dataclass(frozen=True)
class _Module:
    """One module, or a room's front page."""

    path: Path
    root: Path

    @property
    def name(self) -> str:
        return module_name(self.path, self.root)

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.path.read_text())

    @property
    def summary(self) -> str:
        return _first_line(ast.get_docstring(self.tree))

    def describe(self, name: str) -> str:
        """Describe what a name stands for, wherever it is defined."""
        for node in self.tree.body:
            if isinstance(node, Definition) and node.name == name:
                return f"`{_signature(node)}`: {_first_line(ast.get_docstring(node))}"
            if isinstance(node, ast.ImportFrom) and name in {
                alias.asname or alias.name for alias in node.names
            }:
                return _Module(_path_of(str(node.module), self.root), self.root).describe(name)
        return f"`{name}`{self._remark(name)}"

    def _remark(self, name: str) -> str:
        """Return the text below a constant."""
        for node, after in zip(self.tree.body, self.tree.body[1:], strict=False):
            if (
                name in _assigned(node)
                and isinstance(after, ast.Expr)
                and isinstance(after.value, ast.Constant)
            ):
                return f": {_first_line(str(after.value.value))}"
        return ""


def main() -> int:
    """Write the page of this checkout."""
    make_parser(__doc__).parse_args()
    (ROOT / "docs/api.md").write_text(render_api(ROOT), encoding="utf-8")
    return 0


def offered_names(root: Path) -> dict[str, list[str]]:
    """Return the public names of the package and of each of its rooms, by module.

    A room without an ``__all__`` offers its modules. Commands and the server have pages of their own.
    """
    return {module.name: public_names(module.tree) for module in _modules(root)}


def render_api(root: Path) -> str:
    """Render the page."""
    front, *rooms = _modules(root)
    names = ", ".join(f"`{name}`" for name in public_names(front.tree))
    parts = [_HEAD.format(front=names)]
    for room in rooms:
        lines = [f"- {room.describe(name)}" for name in public_names(room.tree)]
        parts.append("\n".join([f"## {room.name}\n", f"{room.summary}\n", *lines, ""]))
    return "\n".join(parts)


def _modules(root: Path) -> Iterator[_Module]:
    """Yield the package's front page, then every room in alphabetical order."""
    package = root / "voiceprint"
    front = package / "__init__.py"
    yield _Module(front, root)
    for path in sorted({*package.rglob("*.py")} - {front}):
        module = _Module(path, root)
        if _is_offered(path, package) and public_names(module.tree):
            yield module


def _is_offered(path: Path, package: Path) -> bool:
    room, *within = path.relative_to(package).with_suffix("").parts
    front = path.parent / "__init__.py"
    if room in FACES:
        return False
    if not within or path == front:
        return True
    return len(within) == 1 and not public_names(ast.parse(front.read_text()))


def _path_of(module: str, root: Path) -> Path:
    path = root.joinpath(*module.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def _signature(node: Definition) -> str:
    if isinstance(node, ast.ClassDef):
        return f"class {node.name}"
    given = node.args
    for each in (*given.posonlyargs, *given.args, *given.kwonlyargs, given.vararg, given.kwarg):
        if each is not None:
            each.annotation = None
    return f"{node.name}({ast.unparse(given)})"


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
