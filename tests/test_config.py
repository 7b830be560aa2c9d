"""Recipes: names and types checked, and messages that say which key and what would do."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest

from voiceprint.config import apply_overrides, build, read_toml
from voiceprint.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class Circle:
    kind: Literal["circle"] = "circle"
    radius: float = 1.0


@dataclass(frozen=True, kw_only=True)
class Square:
    kind: Literal["square"] = "square"
    side: float = 2.0


@dataclass(frozen=True, kw_only=True)
class Drawing:
    title: str
    count: int = 1
    loud: bool = False
    note: float | None = None
    mode: Literal["fast", "slow"] = "fast"
    span: tuple[float, float] = (0.0, 1.0)
    names: tuple[str, ...] = ()
    shape: Circle | Square = field(default_factory=Circle)
    more: tuple[Circle, ...] = ()


def test_a_table_becomes_a_dataclass() -> None:
    table = {
        "title": "a",
        "span": [1, 2.5],
        "names": ["x", "y"],
        "shape": {"radius": 3},
        "more": [{"radius": 1.5}, {}],
        "note": None,
    }
    drawing = build(Drawing, table)
    assert drawing == Drawing(
        title="a",
        span=(1.0, 2.5),
        names=("x", "y"),
        shape=Circle(radius=3.0),
        more=(Circle(radius=1.5), Circle()),
    )
    assert isinstance(drawing.span[0], float)


def test_kind_chooses_among_tables() -> None:
    assert build(Drawing, {"title": "a", "shape": {"kind": "square", "side": 4}}).shape == Square(side=4.0)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"titel": "a"}, "titel: unknown key; did you mean 'title'?"),
        ({"title": "a", "zzz": 1}, "zzz: unknown key; known here: title, count"),
        ({"title": "a", "shape": {"radios": 1}}, "shape.radios: unknown key; did you mean 'radius'?"),
        ({"title": "a", "shape": {"kind": "squid"}}, "shape.kind: 'squid' is not one of 'circle', 'square'"),
        ({"title": "a", "shape": {"kind": "square", "radius": 1}}, "shape.radius: unknown key"),
        ({"title": "a", "shape": 3}, r"shape: expected a table \[shape\], not 3"),
        ({"title": "a", "more": [{}, {"radius": "x"}]}, r"more\[1\].radius: expected float, not \"x\""),
        ({"title": 1}, "title: expected str, not 1"),
        ({"title": "a", "count": 1.5}, "count: expected int, not 1.5"),
        ({"title": "a", "count": True}, "count: expected int, not true"),
        ({"title": "a", "loud": 1}, "loud: expected bool, not 1"),
        ({"title": "a", "count": None}, "count: expected int, not null"),
        ({"title": "a", "mode": "quick"}, "mode: 'quick' is not one of 'fast', 'slow'"),
        ({"title": "a", "span": [1]}, "span: expected 2 values, not 1"),
        ({"title": "a", "span": 1}, "span: expected a list, not 1"),
        ({}, "recipe.*missing.*title"),
    ],
)
def test_wrong_tables(table: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        build(Drawing, table)


def test_overrides_are_toml_values_or_bare_words() -> None:
    table: dict[str, Any] = {"optimizer": {"lr": 1.0}}
    apply_overrides(table, ["optimizer.lr=3e-4", "data.train=['a', 'b']", "name=mine", "x.y.z=true"])
    assert table == {
        "optimizer": {"lr": 3e-4},
        "data": {"train": ["a", "b"]},
        "name": "mine",
        "x": {"y": {"z": True}},
    }


@pytest.mark.parametrize("override", ["optimizer.lr", "=3", "a..b=1", "name.x=1"])
def test_wrong_overrides(override: str) -> None:
    with pytest.raises(ConfigError, match=r"optimizer\.lr=3e-4|is a value, not a table"):
        apply_overrides({"name": "a"}, [override])


@pytest.mark.parametrize("text", ["[.5]", "[1, 2", "{ a = }", '"open', "'open"])
def test_an_override_that_is_no_toml_says_so_and_is_no_bare_word(text: str) -> None:
    with pytest.raises(ConfigError, match=r"batches\.shares: .* is not valid TOML"):
        apply_overrides({}, [f"batches.shares={text}"])


def test_files_that_are_no_recipes(tmp_path: Path) -> None:
    (tmp_path / "bad.toml").write_text("a = [")
    with pytest.raises(ConfigError, match=r"bad.toml: is not valid TOML"):
        read_toml(tmp_path / "bad.toml")
    with pytest.raises(ConfigError, match=r"none.toml: cannot be read"):
        read_toml(tmp_path / "none.toml")


# ---- recipes based on others ----------------------------------------------------------------------------


def write(folder: Path, **texts: str) -> None:
    for name, text in texts.items():
        (folder / f"{name}.toml").write_text(text)


def test_a_recipe_takes_over_what_its_base_says(tmp_path: Path) -> None:
    write(
        tmp_path,
        first="name = 'first'\nseed = 1\n[data]\ntrain = ['a', 'b']\nnoise = 'n'\n[trainer]\nsteps = 9",
        second="base = 'first.toml'\nname = 'second'\n[data]\ntrain = ['c']\n[[loss]]\nname = 'softmax'",
        third="base = 'second.toml'\n[trainer]\naverage = 0.5",
    )
    assert read_toml(tmp_path / "third.toml") == {
        "name": "second",
        "seed": 1,
        "data": {"train": ["c"], "noise": "n"},
        "trainer": {"steps": 9, "average": 0.5},
        "loss": [{"name": "softmax"}],
    }


def test_a_table_of_a_kind_takes_nothing_from_its_base_and_a_list_replaces(tmp_path: Path) -> None:
    write(
        tmp_path,
        base="loss = [{name='a'}, {name='b'}]\n[encoder]\nchannels = 9\n[encoder.features]\nn_mels = 5",
        mine="base = 'base.toml'\nloss = [{name='c'}]\n[encoder]\nkind = 'other'",
    )
    assert read_toml(tmp_path / "mine.toml") == {"encoder": {"kind": "other"}, "loss": [{"name": "c"}]}


def test_bases_that_cannot_be(tmp_path: Path) -> None:
    write(tmp_path, a="base = 'b.toml'", b="base = 'a.toml'", c="base = 3", d="base = 'none.toml'")
    for name, message in (("a", "based on itself"), ("c", "the path of a recipe, not 3"), ("d", "none.toml")):
        with pytest.raises(ConfigError, match=message):
            read_toml(tmp_path / f"{name}.toml")
