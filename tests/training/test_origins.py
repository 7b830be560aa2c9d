"""Origins: what a run tells of the models that it learned from."""

from __future__ import annotations

from pathlib import Path

import pytest

from voiceprint.errors import ConfigError
from voiceprint.training.origins import (
    UNKNOWN,
    Origins,
    SourceModel,
    licence_after,
    origins_table,
    read_origins,
    save_origins,
)

LARGE = SourceModel(title="large 2", id="ab" * 32, licence="CC-BY-SA-4.0")
OTHER = SourceModel(title="other 1", id="cd" * 32)


def told(
    origins: Origins | None, *, licence: str = "", teacher: str = "", history: str = ""
) -> dict[str, object]:
    return origins_table(origins, licence=licence, teacher=teacher, history=history)


def test_origins_are_read_as_they_were_written(tmp_path: Path) -> None:
    assert read_origins(tmp_path) is None
    for origins in (Origins(), Origins(init=LARGE, teacher=OTHER)):
        save_origins(origins, tmp_path)
        assert read_origins(tmp_path) == origins


@pytest.mark.parametrize("text", ["{", "[]", '{"init": {"name": "x"}}'])
def test_a_damaged_file(tmp_path: Path, text: str) -> None:
    (tmp_path / "origins.json").write_text(text)
    with pytest.raises(ConfigError):
        read_origins(tmp_path)


def test_a_licence_is_taken_over_where_the_recipe_names_none() -> None:
    assert licence_after("", Origins(init=LARGE)) == "CC-BY-SA-4.0"
    assert licence_after("MIT", Origins(init=LARGE)) == "MIT"
    assert licence_after("", Origins()) == licence_after("", None) == ""


def test_the_card_tells_of_both_models_after_the_recipes_own_words() -> None:
    card = told(Origins(init=LARGE, teacher=OTHER), teacher="A teacher.", history="First this.")
    assert card == {
        "teacher": "A teacher.",
        "history": "First this. Training started from the weights of large 2 (CC-BY-SA-4.0).",
        "init": {"title": "large 2", "id": "ab" * 32, "licence": "CC-BY-SA-4.0"},
        "teacher_model": {"title": "other 1", "id": "cd" * 32, "licence": ""},
    }
    assert told(None) == told(Origins()) == {}


def test_another_licence_than_the_parents_is_told() -> None:
    def history(licence: str, init: SourceModel) -> object:
        return told(Origins(init=init), licence=licence)["history"]

    assert history("CC-BY-SA-4.0", LARGE) == history("", LARGE)
    assert str(history("MIT", LARGE)).endswith(
        "Those terms hold beside MIT: what is stricter in either binds."
    )
    assert "other 1 (whose licence is not recorded)" in str(history("MIT", OTHER))
    assert str(history("MIT", OTHER)).endswith("Find out under which terms those are.")


def test_a_teacher_of_which_the_recipe_says_nothing_is_named() -> None:
    assert told(Origins(teacher=LARGE))["teacher"] == "The teacher is large 2 (CC-BY-SA-4.0)."
    assert told(Origins(teacher=UNKNOWN))["teacher"] == "The teacher is not known."


def test_a_run_is_continued_with_the_models_that_it_was_begun_with() -> None:
    begun = Origins(init=LARGE, teacher=LARGE)
    for now in (begun, Origins(), Origins(teacher=UNKNOWN)):
        now.require_continued(begun)
    Origins(teacher=LARGE).require_continued(Origins(teacher=UNKNOWN))
    with pytest.raises(ConfigError, match="init: the run was begun with no model, not with large 2"):
        Origins(init=LARGE).require_continued(Origins())
    with pytest.raises(ConfigError, match=r"teacher: the run was begun with large 2 .* not with other 1"):
        Origins(teacher=OTHER).require_continued(begun)


def test_a_run_goes_on_on_the_pack_that_it_was_begun_with_or_on_what_was_packed() -> None:
    packed = Origins(pack=OTHER, speakers="ef" * 32)
    for now in (packed, Origins(speakers="ef" * 32)):
        now.require_continued(packed)
    with pytest.raises(ConfigError, match=r"pool: the run was begun with other 1 .* not with large 2"):
        Origins(pack=LARGE, speakers="ef" * 32).require_continued(packed)
    with pytest.raises(ConfigError, match="pool: the run was begun with no pack, not with other 1"):
        packed.require_continued(Origins(speakers="ef" * 32))
    assert told(packed, history="First this.")["history"] == "First this. Training began with other 1."


def test_a_run_goes_on_with_the_speakers_that_it_was_begun_with() -> None:
    Origins(speakers="ef" * 32).require_continued(Origins())
    with pytest.raises(ConfigError, match="corpora: the run was begun with other speakers"):
        Origins(speakers="ef" * 32).require_continued(Origins(speakers="01" * 32))
