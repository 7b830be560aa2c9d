"""Stores of earlier versions: read as they are, migrated when written, whole or not at all."""

from __future__ import annotations

import dataclasses
import sqlite3
from datetime import UTC, datetime
from pathlib import Path

import pytest
from old_stores import make_old_store
from store_voices import DIM, MODEL, clip, clips, open_store, vector

from voiceprint.errors import StoreDamagedError
from voiceprint.files.checksum import checksum
from voiceprint.store import AcceptedRecording, Consent, EnrollmentStore, VoiceprintRecord
from voiceprint.store.sqlite.schema import SCHEMA_VERSION

TIME = datetime(2026, 1, 31, 12, tzinfo=UTC)
AGREED = Consent(by="ada's mother", purpose="telephone banking", given=TIME)


def records(n: int = 30) -> list[VoiceprintRecord]:
    return [
        VoiceprintRecord(
            name=f"person {number:02d}",
            notes=f"note {number}" if number % 2 else "",
            created=TIME,
            updated=TIME.replace(microsecond=number),
            utterances=tuple(dataclasses.replace(each, added=TIME) for each in clips(number, 1 + number % 3)),
            consent=AGREED if number % 3 == 0 else None,
            expires=datetime(2100, 1, 1, tzinfo=UTC) if number % 4 == 0 else None,
        )
        for number in range(n)
    ]


@pytest.fixture(params=[1, 2])
def version(request: pytest.FixtureRequest) -> int:
    return int(request.param)


@pytest.fixture
def old(tmp_path: Path, version: int) -> Path:
    folder = tmp_path / "store"
    make_old_store(
        folder, records(), version=version, model_id=MODEL, dim=DIM, opt_outs=["zoe"] if version == 2 else []
    )
    return folder


def comparable(record: VoiceprintRecord, version: int) -> tuple[object, ...]:
    clips = [(c.embedding.tobytes(), c.clip_sha256, c.source, c.quality, c.added) for c in record.utterances]
    terms = (record.consent, record.expires) if version == 2 else (None, None)
    return (record.name, record.notes, record.created, record.updated, *terms, clips)


@pytest.mark.parametrize("read_only", [True, False])
def test_everything_in_an_older_store_is_there(old: Path, version: int, read_only: bool) -> None:
    with open_store(old, read_only=read_only) as store:
        found = list(store.export_records())
        assert [comparable(record, 2) for record in found] == [
            comparable(record, version) for record in records()
        ]
        assert store.opt_outs() == ({"zoe": TIME} if version == 2 else {})
        assert store.search(vector(7, 0), top=1)[0].name == "person 07"
        assert (store.generation, len(store), store.requires_consent) == (5, 30, False)
        assert store.problems() == []
    user_version = sqlite3.connect(old / "voiceprints.sqlite3").execute("PRAGMA user_version").fetchone()[0]
    assert user_version == (version if read_only else SCHEMA_VERSION)


def test_a_migrated_store_goes_on_and_holds_nothing_of_the_old_tables(old: Path, version: int) -> None:
    with open_store(old) as store:
        store.remove("person 29")
        store.remove("person 03")
        store.add("person 30", clips(30), consent=AGREED)
        assert store.problems() == []
    content = (old / "voiceprints.sqlite3").read_bytes()
    assert clip(3, 0).embedding.tobytes() not in content
    assert b"person 03" not in content
    assert content.count(clip(4, 0).embedding.tobytes()) == 1


def test_a_migration_that_is_cut_off_leaves_the_old_store(
    old: Path, version: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(_connection: sqlite3.Connection) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("voiceprint.store.sqlite.migration.set_version", die)
    with pytest.raises(KeyboardInterrupt):
        open_store(old)
    monkeypatch.undo()
    connection = sqlite3.connect(old / "voiceprints.sqlite3")
    assert connection.execute("PRAGMA user_version").fetchone()[0] == version
    connection.close()
    with EnrollmentStore.open(old) as store:
        assert len(store.names()) == 30


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE speakers SET centroid = zeroblob(128) WHERE id = 3",
        "UPDATE utterances SET embedding = (SELECT embedding FROM utterances WHERE id = 9) WHERE id = 3",
        "UPDATE utterances SET embedding = x'00' WHERE id = 3",
        "UPDATE speakers SET created = 'one day' WHERE id = 3",
        "DELETE FROM store",
    ],
)
def test_damage_in_an_older_store_is_told_and_nothing_is_migrated(
    old: Path, version: int, damage: str
) -> None:
    connection = sqlite3.connect(old / "voiceprints.sqlite3")
    connection.execute(damage)
    connection.commit()
    connection.close()
    for read_only in (False, True):
        with pytest.raises(StoreDamagedError, match="is damaged"):
            open_store(old, read_only=read_only)


def without_recordings(folder: Path, version: int) -> None:
    """Take out what versions 5 and 6 added."""
    connection = sqlite3.connect(folder / "voiceprints.sqlite3", isolation_level=None)
    for table in ("recordings", "audio", "earlier", "staged", "models"):
        connection.execute(f"DROP TABLE {table}")
    connection.execute(f"PRAGMA user_version = {version}")
    connection.close()


@pytest.mark.parametrize("read_only", [True, False])
def test_a_store_of_version_4_has_no_fingerprints_and_takes_them(tmp_path: Path, read_only: bool) -> None:
    folder = tmp_path / "fourth"
    with open_store(folder) as store:
        store.import_records(records(), model_id=MODEL, dim=DIM)
    without_recordings(folder, 4)
    with open_store(folder, read_only=read_only) as store:
        assert [comparable(record, 2) for record in store.export_records()] == [
            comparable(record, 2) for record in records()
        ]
        assert {each.kind for each in store.seen("person 07")} == {"enrolled"}
        if not read_only:
            store.note_accepted("person 07", recordings=[AcceptedRecording(at=TIME, sha256="a" * 64)])
            assert [each.kind for each in store.seen("person 07")] == ["enrolled", "enrolled", "accepted"]
        assert store.problems() == []


@pytest.fixture
def third(tmp_path: Path) -> Path:
    """A store of version 3, whose header has no totals."""
    folder = tmp_path / "third"
    with open_store(folder) as store:
        store.import_records(records(), model_id=MODEL, dim=DIM)
    connection = sqlite3.connect(folder / "voiceprints.sqlite3", isolation_level=None)
    for column in ("n_utterances", "seconds_of_speech"):
        connection.execute(f"ALTER TABLE store DROP COLUMN {column}")
    *facts, _ = connection.execute("SELECT * FROM store").fetchone()[1:]
    connection.execute("UPDATE store SET checksum = ?", (checksum(list(facts)),))
    connection.close()
    without_recordings(folder, 3)
    return folder


@pytest.mark.parametrize("read_only", [True, False])
def test_the_clips_of_a_store_of_version_3_are_counted(third: Path, read_only: bool) -> None:
    with open_store(third, read_only=read_only) as store:
        stats = store.stats()
        assert (stats.n_speakers, stats.n_utterances, stats.seconds_of_speech) == (30, 60, 120.0)
        assert [comparable(record, 2) for record in store.export_records()] == [
            comparable(record, 2) for record in records()
        ]
        assert store.problems() == []
    user_version = sqlite3.connect(third / "voiceprints.sqlite3").execute("PRAGMA user_version").fetchone()[0]
    assert user_version == (3 if read_only else SCHEMA_VERSION)


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE store SET n_speakers = 29",
        "UPDATE voiceprints SET n_utterances = 9 WHERE id = 3",
        "DELETE FROM voiceprints WHERE id = 3",
        "DELETE FROM store",
    ],
)
def test_damage_in_a_store_of_version_3_is_told(third: Path, damage: str) -> None:
    connection = sqlite3.connect(third / "voiceprints.sqlite3", isolation_level=None)
    connection.execute(damage)
    connection.close()
    for read_only in (False, True):
        with pytest.raises(StoreDamagedError, match="is damaged"):
            open_store(third, read_only=read_only)
