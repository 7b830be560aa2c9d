"""What a database promises beyond what every store does: outages, its index, its URL, its files."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import psycopg
import pytest
from postgres_server import PostgresServer
from store_voices import DIM, MODEL, clip, clips, open_store, vector
from typer.testing import CliRunner

from voiceprint.cli import app
from voiceprint.errors import StoreDamagedError, StoreError, StoreReadOnlyError
from voiceprint.scoring import cosine
from voiceprint.store import EnrollmentStore, StoreModel, VoiceprintRecord, is_url, shown
from voiceprint.store.postgres import backend, database, tables
from voiceprint.store.postgres.url import read_url

NewDatabase = Callable[..., str]

PASSWORD = "hunter2"
TIME = datetime(2026, 1, 31, tzinfo=UTC)


@pytest.fixture
def url(new_database: NewDatabase) -> str:
    return new_database()


def run(url: str, *statements: str) -> None:
    """Do to a database what no store would."""
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement)


# addresses


@pytest.mark.parametrize(
    ("url", "named"),
    [
        (f"postgresql://ada:{PASSWORD}@db.example.com/voices", "postgresql://ada@db.example.com/voices"),
        (f"postgres://ada@h:6000/v?password={PASSWORD}&sslmode=require", "postgresql://ada@h:6000/v"),
        (f"postgresql://ada:{PASSWORD}@a:1,b:2/v", "postgresql://ada@a,b:1,2/v"),
        (f"postgresql://:{PASSWORD}@/v?host=/run/pg", "postgresql:///v?host=/run/pg"),
        (f"postgresql://ada:%40%2F{PASSWORD}@h/v", "postgresql://ada@h/v"),
    ],
)
def test_a_url_is_shown_without_its_password(url: str, named: str) -> None:
    assert (is_url(url), shown(url)) == (True, named)
    assert PASSWORD not in repr(read_url(url))


@pytest.mark.parametrize("password", ["@hunter2", "hunter2@", "hun/hunter2", "hunter2%", "a:hunter2/"])
def test_a_url_with_a_password_that_is_not_escaped_is_refused_and_not_repeated(password: str) -> None:
    with pytest.raises(StoreError, match=r"with @, /, \? and % in a password as %40") as caught:
        EnrollmentStore.open(f"postgresql://ada:{password}@db.example.com/voices")
    assert PASSWORD not in str(caught.value) + caught.value.path


def test_no_error_no_log_and_no_command_tells_the_password(
    model_folder: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"postgresql://ada:{PASSWORD}@127.0.0.1:1/voices"  # nothing listens there
    monkeypatch.setenv("VOICEPRINT_STORE", url)
    caplog.set_level(logging.DEBUG)
    with pytest.raises(StoreError, match=r"ada@127\.0\.0\.1:1/voices cannot be used: .*refused") as caught:
        EnrollmentStore.open(url)
    said = f"{caught.value} {caught.value.path} {caught.value.__cause__!r} {caplog.text}"
    for command in (["doctor", "--model", str(model_folder)], ["list"], ["store", "copy", url, url]):
        result = CliRunner().invoke(app, command)
        assert result.exit_code == 2
        said += result.output + result.stderr
    assert "ada@127.0.0.1:1/voices" in said
    assert PASSWORD not in said


def test_another_kind_of_database_is_refused() -> None:
    with pytest.raises(StoreError, match="cannot be opened by mysql://; name a folder or postgresql://"):
        EnrollmentStore.open("mysql://ada:hunter2@db/voices")


def test_without_the_extra_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("voiceprint.store.postgres.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "psycopg", None)
    result = CliRunner().invoke(app, ["list", "--store", f"postgresql://ada:{PASSWORD}@db/voices"])
    assert result.exit_code == 2
    assert result.stderr == (
        "Error: a store in PostgreSQL needs psycopg and pgvector; install them with: "
        "pip install 'voiceprint-engine[postgres]'\n"
    )


# the database goes away


def test_a_crash_of_the_server_loses_nothing_reported_and_is_got_over(
    postgres_server: PostgresServer, url: str
) -> None:
    with open_store(url) as store, open_store(url) as idle:
        store.add("ada", clips(1))
        postgres_server.kill()
        try:
            for use in (
                store.names,
                lambda: store.add("bert", clips(2)),
                lambda: store.search(vector(1), top=1),
            ):
                with pytest.raises(StoreError, match=r"/voices_\d+.* cannot be used: .*nothing was changed"):
                    use()
        finally:
            postgres_server.start()
        assert store.names() == ["ada"]
        # A connection that broke while nobody used it costs nobody an error.
        assert idle.add("bert", clips(2)).n_utterances == 2
        assert store.search(vector(2, 0), top=1)[0].name == "bert"


def test_a_change_cut_off_while_it_was_committed_is_not_called_undone(url: str) -> None:
    with open_store(url) as store:
        store.add("ada", clips(1))
        with (
            pytest.raises(StoreError, match="whether the change was made is not known: look before"),
            store._backend.writing() as tables,
        ):
            pid = tables.run("SELECT pg_backend_pid() AS pid").fetchone()["pid"]
            run(url, f"SELECT pg_terminate_backend({pid}, 5000)")
        assert store.names() == ["ada"]


def test_a_store_that_others_keep_busy_says_so(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(database._SETTINGS, "lock_timeout", "50")
    with open_store(url) as store, psycopg.connect(url) as other:
        other.execute("SELECT 1 FROM voiceprint.store FOR UPDATE")
        with pytest.raises(StoreError, match="others made it wait for 30 s; nothing was changed; try again"):
            store.add("ada", clips(1))
        assert store.names() == []


# what is in the database


def test_a_database_of_a_newer_program_is_refused(new_database: NewDatabase) -> None:
    url = new_database(made=False)
    open_store(url).close()
    run(url, "UPDATE voiceprint.store SET schema_version = 9")
    with pytest.raises(StoreError, match=r"has format 9, made by a newer voiceprint.*upgrade"):
        open_store(url)


def test_a_database_of_version_4_is_read_as_it_is_and_becomes_the_newest(new_database: NewDatabase) -> None:
    url = new_database(made=False)
    with open_store(url) as store:
        store.add("ada", clips(1))
    run(
        url,
        "DROP TABLE voiceprint.staged, voiceprint.earlier, voiceprint.models",
        "UPDATE voiceprint.store SET schema_version = 4",
    )
    for read_only in (True, False):
        with open_store(url, read_only=read_only) as store:
            assert store.search(vector(1, 0), top=1)[0].name == "ada"
            assert (store.get("ada").model_id, store.stats().n_earlier, store.problems()) == (MODEL, 0, [])
    with open_store(url) as store:
        store.begin_move(StoreModel(model_id="b" * 64, dim=48))
        assert [person.name for person in store.unmoved()] == ["ada"]


def test_a_schema_of_another_program_is_left_alone(new_database: NewDatabase) -> None:
    url = new_database(made=False)
    run(url, "CREATE SCHEMA voiceprint", "CREATE TABLE voiceprint.recordings (n integer)")
    with pytest.raises(StoreDamagedError, match="is not that of a store"):
        open_store(url)


def test_a_user_who_may_only_read_can_only_read(url: str) -> None:
    with open_store(url) as store:
        store.add("ada", clips(1))
    run(
        url,
        "DROP ROLE IF EXISTS reader",
        "CREATE ROLE reader LOGIN",
        "GRANT USAGE ON SCHEMA voiceprint TO reader",
        "GRANT SELECT ON ALL TABLES IN SCHEMA voiceprint TO reader",
    )
    with open_store(url.replace("postgres@", "reader@")) as store:
        assert store.search(vector(1, 0), top=1)[0].name == "ada"
        with pytest.raises(StoreReadOnlyError, match=r"cannot be written .*permission denied"):
            store.remove("ada")
    run(url, "DROP OWNED BY reader", "DROP ROLE reader")


def test_an_embedding_that_is_damaged_is_told(url: str) -> None:
    with open_store(url) as store:
        store.add("ada", clips(1))
        run(url, "UPDATE voiceprint.speakers SET centroid = '[1, 0]'")
        with pytest.raises(StoreDamagedError, match="an embedding has 2 dimensions, not 32"):
            store.get("ada")


def test_problems_are_found(url: str) -> None:
    with open_store(url) as store:
        store.add("ada", clips(1))
        store.add("bert", clips(2))
        run(
            url,
            "DELETE FROM voiceprint.utterances WHERE source = 'clip.wav' AND id = (SELECT min(id) FROM "
            "voiceprint.utterances)",
            "DELETE FROM voiceprint.speakers WHERE name = 'bert'",
        )
        assert store.problems() == [
            "the number of people in store is not that of speakers",
            "'ada' does not have as many clips as noted",
            "the centroid of 'ada' is not that of their clips",
        ]


def test_after_erasing_the_files_of_the_database_hold_nothing_of_who_was_removed(
    postgres_server: PostgresServer, url: str
) -> None:
    name = "a name that nothing else contains"
    with open_store(url) as store:
        centroid = store.add(name, clips(1, 3), notes="a note on nobody else").centroid
        for person in range(2, 20):
            store.add(f"person {person}", clips(person))
        wanted = [name.encode(), b"a note on", centroid.tobytes(), vector(1, 2).tobytes()]
        run(url, "CHECKPOINT")
        assert [part in postgres_server.files(url) for part in wanted] == [True] * 4
        store.remove(name)
        store.erase()
        run(url, "CHECKPOINT")
        assert [part in postgres_server.files(url) for part in wanted] == [False] * 4
        assert store.search(vector(5, 0), top=1)[0].name == "person 5"
        assert store.problems() == []


# the index


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the index be made and used from 50 people on, and let nothing else be used at all."""

    def refuse(*_: object) -> None:
        raise AssertionError("everybody was compared")

    monkeypatch.setattr(backend, "HNSW_FROM", 50)
    monkeypatch.setattr(tables, "HNSW_FROM", 50)
    monkeypatch.setattr(tables, "CANDIDATES", 50)
    monkeypatch.setattr(tables.PostgresTables, "_exact", refuse)


def enroll(store: EnrollmentStore, people: int) -> None:
    """Enroll people of the names 0, 1, ... with a clip each, in one transaction."""
    records = [
        VoiceprintRecord(
            name=f"{person}", notes="", created=TIME, updated=TIME, utterances=(clip(person, 0),)
        )
        for person in range(people)
    ]
    store.import_records(records, model_id=MODEL, dim=DIM)


@pytest.mark.usefixtures("small")
def test_the_index_is_made_when_it_is_worth_it_and_then_ranks_as_comparing_everybody(url: str) -> None:
    voices = {f"{person}": vector(person, 0) for person in range(80)}
    with open_store(url) as store:
        enroll(store, 80)
        with pytest.raises(AssertionError, match="everybody was compared"):
            store.search(vector(1, 0), top=1)
    with open_store(url) as store:
        for number in range(10):
            query = vector(number, 77)
            scores = {name: float(cosine(voice, query)) for name, voice in voices.items()}
            ranking = sorted(scores, key=lambda name: (-scores[name], name))[:10]
            hits = store.search(query, top=10)
            assert [(hit.name, hit.score) for hit in hits] == [(name, scores[name]) for name in ranking]
        store.add("new", [clip(1000, 0)])
        store.remove("7")
        store.rename("8", "eight")
        assert store.search(vector(1000, 0), top=1)[0].name == "new"
        assert store.search(vector(8, 0), top=1)[0].name == "eight"
        assert store.search(vector(7, 0), top=1)[0].name != "7"


@pytest.mark.usefixtures("small")
def test_an_index_that_was_not_finished_is_made_again(url: str) -> None:
    with open_store(url) as store:
        enroll(store, 50)
    run(
        url,
        "UPDATE pg_index SET indisvalid = false "
        "WHERE indexrelid = 'voiceprint.speakers_centroid_hnsw'::regclass",
    )
    with open_store(url) as store:
        assert store.search(vector(5, 0), top=1)[0].name == "5"


@pytest.mark.usefixtures("small")
def test_an_emptied_store_takes_a_model_of_other_dimensions_whatever_index_it_had(url: str) -> None:
    with open_store(url) as store:
        enroll(store, 50)
    with open_store(url) as store:
        for name in store.names():
            store.remove(name)
    with open_store(url, model_id="b" * 64, dim=8) as store:
        assert store.add("ada", [clip(1, dim=8)]).model_id == "b" * 64
        np.testing.assert_array_equal(store.utterances("ada")[0].embedding, vector(1, dim=8))


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("dim", [DIM, 48])
def test_the_index_of_a_moved_store_names_people_of_the_present_model_alone(url: str, dim: int) -> None:
    new = "b" * 64
    with open_store(url) as store:
        enroll(store, 80)
    with open_store(url) as store:
        store.begin_move(StoreModel(model_id=new, dim=dim))
        store.stage(
            (person.name, person.updated, [clip(int(person.name), 5, dim=dim)])
            for person in store.unmoved()
            if int(person.name) < 60
        )
        assert store.switch({person.name: person.updated for person in store.unmoved()}) == 60
    with open_store(url, model_id=new, dim=dim) as store:
        for person in range(0, 60, 7):
            hits = store.search(vector(person, 9, dim=dim), top=10)
            assert hits[0].name == f"{person}"
            assert {int(hit.name) < 60 for hit in hits} == {True}
        earlier = store.with_model(MODEL, DIM).search(vector(65, 0), top=30)
        assert (earlier[0].name, len(earlier)) == ("65", 20)
        store.with_model(new, dim).add("99", [clip(99, 1, dim=dim)])
        assert store.search(vector(99, 1, dim=dim), top=1)[0].name == "99"
