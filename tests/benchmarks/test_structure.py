"""What the measure of the source tree counts, on a tree of a few lines."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from benchmarks.structure import (
    imports,
    measure_structure,
    public_names,
    report,
    shared_names,
)


def plant(root: Path, **modules: str) -> Path:
    """Write modules below root/voiceprint; store_files is store/files.py, store_ is store/__init__.py."""
    for name, text in modules.items():
        room, _, module = name.rpartition("_")
        path = root / "voiceprint" / room / f"{module or '__init__'}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


@pytest.mark.parametrize(
    "back",
    [
        "import voiceprint.a\n",
        "from voiceprint import a\n",
        "from voiceprint.a import name\n",
        "def late():\n    from voiceprint.a import name\n",
    ],
)
def test_a_cycle_is_found_however_it_is_imported(tmp_path: Path, back: str) -> None:
    plant(tmp_path, a="from voiceprint.b import late\n", b="from voiceprint.c import name\n", c=back)
    assert measure_structure(tmp_path)["import cycles"] == ("voiceprint.a <-> voiceprint.b <-> voiceprint.c",)


def test_an_import_for_annotations_makes_a_cycle_of_annotations(tmp_path: Path) -> None:
    guarded = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from voiceprint.a import name\n"
    plant(tmp_path, a="from voiceprint.b import name\n", b=guarded)
    findings = measure_structure(tmp_path)
    assert findings["import cycles"] == ()
    assert findings["import cycles of annotations"] == ("voiceprint.a <-> voiceprint.b",)


def test_a_room_that_offers_what_its_modules_hold_is_no_cycle(tmp_path: Path) -> None:
    plant(
        tmp_path,
        store_="from voiceprint.store.files import name\n",
        store_files="from voiceprint.store import records\n",
        store_records="name = 1\n",
    )
    assert measure_structure(tmp_path)["import cycles"] == ()
    plant(tmp_path, store_records="from voiceprint.store import name\n")
    assert measure_structure(tmp_path)["import cycles"] == (
        "voiceprint.store <-> voiceprint.store.files <-> voiceprint.store.records",
    )


@pytest.mark.parametrize(("lines", "found"), [(60, 0), (61, 1)])
def test_a_function_is_long_above_sixty_lines(tmp_path: Path, lines: int, found: int) -> None:
    text = "class A:\n    async def work(self):\n" + "        pass\n" * (lines - 1)
    assert len(measure_structure(plant(tmp_path, a=text))["functions over 60 lines"]) == found


@pytest.mark.parametrize(("names", "found"), [(10, 0), (11, 1)])
def test_a_function_is_wide_above_ten_parameters(tmp_path: Path, names: int, found: int) -> None:
    given = [f"p{number}" for number in range(names)]
    text = (
        f"class A:\n    def work(self, {given[0]}, /, {given[1]}, *, {', '.join(given[2:])}):\n        pass\n"
    )
    assert len(measure_structure(plant(tmp_path, a=text))["functions over 10 parameters"]) == found


@pytest.mark.parametrize(("lines", "found"), [(450, ()), (451, ("voiceprint/a.py: 451 lines",))])
def test_a_file_is_long_above_450_lines(tmp_path: Path, lines: int, found: tuple[str, ...]) -> None:
    assert measure_structure(plant(tmp_path, a="pass\n" * lines))["files over 450 lines"] == found


def test_programs_without_a_suffix_are_read_too(tmp_path: Path) -> None:
    program = tmp_path / "scripts/measure"
    program.parent.mkdir()
    program.write_text("#!/usr/bin/env python3\n" + "pass\n" * 450)
    (tmp_path / "scripts/demo").write_text("#!/bin/sh\n" + "true\n" * 450)
    assert measure_structure(tmp_path)["files over 450 lines"] == ("scripts/measure: 451 lines",)


def test_the_report_says_how_many_and_where(tmp_path: Path) -> None:
    lines = report(measure_structure(plant(tmp_path, a="pass\n" * 451)))
    assert lines[-2:] == ["files over 450 lines: 1", "    voiceprint/a.py: 451 lines"]
    assert [line.rpartition(": ")[2] for line in lines[:-2]] == ["0"] * 4


def test_a_public_name_of_two_modules_is_listed(tmp_path: Path) -> None:
    plant(
        tmp_path,
        a="def read(): pass\ndef _help(): pass\n",
        b="class read: pass\ndef _help(): pass\n",
        c="class Other:\n    def read(self): pass\n",
    )
    assert shared_names(tmp_path) == {"read": ["voiceprint.a", "voiceprint.b"]}


def test_imports_in_functions_count_where_asked_for() -> None:
    tree = ast.parse("import numpy as np\ndef f():\n    from torch.nn import Linear\n")
    assert list(imports(tree, functions=False)) == ["numpy"]
    assert list(imports(tree, functions=True)) == ["numpy", "torch.nn.Linear"]


def test_public_names_are_those_of_all() -> None:
    assert public_names(ast.parse("__all__ = ['b', 'a']\nc = 1\n")) == ["b", "a"]
    assert public_names(ast.parse("c = 1\n")) == []
