"""The rooms of the package and the order in which they may import each other: development/architecture.md."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.documentation.names import is_offered
from benchmarks.structure import imports, measure_structure, module_name, public_names, shared_names

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "voiceprint"
LAYOUT = (ROOT / "docs/development/architecture.md").read_text().split("## Layout")[1]
MODULES = sorted(path for path in PACKAGE.rglob("*.py"))
HEAVY = {"torch", "torchaudio", "librosa", "sklearn", "scipy", "matplotlib", "pytorch_metric_learning"}


def documented_rooms() -> list[str]:
    """Read the order of the rooms from the Layout list."""
    layout = LAYOUT.split("\n    benchmarks/")[0]
    return re.findall(r"^      (\w+)(?:\.py|/)", layout, re.MULTILINE)


ROOMS = documented_rooms()


def documented_subrooms() -> dict[str, list[str]]:
    """Read the order within each room that lists its own rooms: the lines that are indented below it."""
    listed = re.findall(r"^      (\w+)/.*\n((?:        .*\n)+)", LAYOUT, re.MULTILINE)
    rooms = {room: re.findall(r"^        (\w+)(?:\.py|/)", below, re.MULTILINE) for room, below in listed}
    return {room: below for room, below in rooms.items() if below}


SUBROOMS = documented_subrooms()


def name_of(path: Path) -> str:
    return module_name(path, ROOT)


def room_of(module: str) -> str | None:
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else None


def imported(tree: ast.AST, *, functions: bool = True) -> set[str]:
    """Return the names of imported modules, but for those behind TYPE_CHECKING."""
    names = set(imports(tree, functions=functions))
    assert not any(name.startswith(".") for name in names), "imports are absolute: a module can move"
    return names


def public_definitions(tree: ast.Module) -> Iterator[ast.AST]:
    for node in ast.walk(tree):
        if isinstance(
            node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
        ) and not node.name.startswith("_"):
            yield node


def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(), filename=str(path))


def test_no_file_holds_both_sides_of_a_conflict() -> None:
    folders = ("benchmarks", "configs", "docs", "scripts", "tests", "voiceprint")
    files = [path for folder in folders for path in (ROOT / folder).rglob("*") if path.is_file()]
    side = re.compile(rb"^(<{7} |={7}$|>{7} )", re.MULTILINE)
    assert [path for path in files if side.search(path.read_bytes())] == []


def test_no_module_imports_itself_in_a_circle_and_nothing_is_too_long_or_too_wide() -> None:
    findings = measure_structure(ROOT)
    assert {kind: places for kind, places in findings.items() if places} == {}


def test_one_name_has_one_meaning() -> None:
    # These mean the same: a reader for each container, a way up for each database.
    assert shared_names(ROOT).keys() == {"find_links", "migrate"}


def test_every_room_is_in_the_documented_list_and_the_other_way_round() -> None:
    rooms = {room_of(name_of(path)) for path in MODULES} - {None, "__main__"}
    assert rooms | {"models"} == set(ROOMS)


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_imports_point_only_downwards(path: Path) -> None:
    room = room_of(name_of(path))
    if room not in ROOMS:
        return  # the package's front page, which loads rooms when asked; or what the test above complains of
    below = {*ROOMS[: ROOMS.index(room) + 1]}
    used = {room_of(name) for name in imported(parse(path)) if name.startswith("voiceprint")}
    assert used - {None} <= below, (
        f"{path.name} imports {used - below - {None}}, which stand below it in the list"
    )


def test_the_large_rooms_list_their_own() -> None:
    assert {"audio", "model", "engine", "training"} <= set(SUBROOMS)


@pytest.mark.parametrize("room", SUBROOMS)
def test_imports_within_a_room_point_only_downwards(room: str) -> None:
    order = SUBROOMS[room]
    there = {path.stem for path in (PACKAGE / room).iterdir() if path.suffix == ".py" or path.is_dir()}
    assert there - {"__init__", "__pycache__"} == set(order)
    wrong = []
    for path in sorted((PACKAGE / room).rglob("*.py")):
        name = name_of(path).split(".")
        if len(name) < 3:
            continue  # the front page of the room
        above = order[order.index(name[2]) + 1 :]
        for used in imported(parse(path)):
            parts = used.split(".")
            if parts[:2] == ["voiceprint", room] and len(parts) > 2 and parts[2] in above:
                wrong.append(f"{'.'.join(name)} imports {used}")
    assert not wrong


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_using_a_model_needs_no_training_packages(path: Path) -> None:
    if room_of(name_of(path)) == "training":
        return
    at_import = {name.split(".")[0] for name in imported(parse(path), functions=False)}
    assert not at_import & HEAVY


def test_torchaudio_is_imported_in_one_module_only() -> None:
    importers = [
        name_of(path)
        for path in MODULES
        if any(name.split(".")[0] == "torchaudio" for name in imported(parse(path)))
    ]
    assert len(importers) <= 1, importers


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_every_module_and_everything_public_in_it_is_documented(path: Path) -> None:
    tree = parse(path)
    assert ast.get_docstring(tree), f"{path} says nothing about itself"
    silent = [
        node.name  # type: ignore[attr-defined]
        for node in public_definitions(tree)
        if node in tree.body and not ast.get_docstring(node)  # type: ignore[arg-type]
    ]
    assert not silent


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_the_names_a_module_offers_are_sorted_and_exist(path: Path) -> None:
    tree = parse(path)
    names = public_names(tree)
    assert names == sorted(set(names), key=_place)
    assert set(names) <= _bound(tree), set(names) - _bound(tree)


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_only_what_the_reference_reads_lists_its_names(path: Path) -> None:
    tree = parse(path)
    handed_on = set(public_names(tree)) - _defined(tree)
    assert is_offered(path, PACKAGE) or handed_on or not public_names(tree), (
        f"{path} is on no page of the Python API: an underscore says what is private, and it needs no __all__"
    )


def _place(name: str) -> tuple[int, str]:
    """Constants come first, then classes, then functions, as the linter sorts them."""
    return (0 if name.isupper() else 1 if name[:1].isupper() else 2), name


def _bound(tree: ast.Module) -> set[str]:
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
    return _defined(tree) | {alias.asname or alias.name for node in imports for alias in node.names}


def _defined(tree: ast.Module) -> set[str]:
    defined: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            defined.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            defined.add(node.id)
    return defined


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_the_library_neither_prints_nor_asserts_nor_swallows(path: Path) -> None:
    for node in ast.walk(parse(path)):
        assert not isinstance(node, ast.Assert), f"{path}:{node.lineno} asserts"
        if isinstance(node, ast.ExceptHandler):
            caught = "everything" if node.type is None else ast.unparse(node.type)
            assert caught not in ("everything", "Exception"), f"{path}:{node.lineno} catches {caught}"
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "print":
            raise AssertionError(f"{path}:{node.lineno} prints")
