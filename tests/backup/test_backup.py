"""A backup holds everything, is checked, and gives back what was lost but not what was taken back."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import stat
import zipfile
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from store_voices import clips, open_store, traces, vector
from typer.testing import CliRunner

from voiceprint.backup import restore_backup, write_backup
from voiceprint.cli import app
from voiceprint.engine.tuning import TUNING_FILE
from voiceprint.errors import ChallengeError, StoreError, StoreExistsError
from voiceprint.server.audit import AuditLog
from voiceprint.server.challenges import ChallengeBook
from voiceprint.server.idempotency import Answer, AnswerErasedError, ClaimedKey, Idempotency
from voiceprint.server.keys import ApiKey, KeyRing
from voiceprint.server.state import StateFile
from voiceprint.store import EnrollmentStore, VoiceprintRecord

runner = CliRunner()


@pytest.fixture
def backup(place: Path, tmp_path: Path) -> Path:
    path = tmp_path / "a.vpbackup"
    write_backup(path, store=place)
    return path


def people(folder: Path) -> dict[str, tuple[object, ...]]:
    with open_store(folder) as store:
        assert store.problems() == []
        return {record.name: _comparable(record) for record in store.export_records()}


def _comparable(record: VoiceprintRecord) -> tuple[object, ...]:
    embeddings = b"".join(clip.embedding.tobytes() for clip in record.utterances)
    return record.notes, record.created, record.updated, record.consent, record.expires, embeddings


def keys(folder: Path) -> list[ApiKey]:
    state = StateFile(folder / "server")
    found = KeyRing(state).all()
    state.close()
    return found


def test_everything_comes_back_in_another_place(place: Path, backup: Path, tmp_path: Path) -> None:
    there = tmp_path / "new" / "store"
    report = restore_backup(backup, store=there, trust_keys=True)
    assert people(there) == people(place)
    with open_store(there) as store:
        assert [*store.opt_outs()] == ["nobody"]
        assert store.read_document(TUNING_FILE) == "shift = 0.1\n"
        assert store.search(vector(2, 0), top=1)[0].name == "bert"
    assert keys(there) == keys(place)
    assert report.server.in_force == (keys(place)[0].id,)
    assert report.voiceprints.n_speakers == 3


def test_the_file_and_all_that_is_restored_are_for_their_owner_alone(backup: Path, tmp_path: Path) -> None:
    there = tmp_path / "new"
    restore_backup(backup, store=there)
    files = [backup, *(path for path in there.rglob("*") if path.is_file())]
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    assert {stat.S_IMODE(path.stat().st_mode) for path in (there, there / "server")} == {0o700}
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_nothing_is_overwritten_without_being_asked(place: Path, backup: Path) -> None:
    with pytest.raises(StoreExistsError, match="is there already"):
        write_backup(backup, store=place)
    with open_store(place) as store:
        store.add("dora", clips(4))
    with pytest.raises(StoreExistsError, match="there is a store at"):
        restore_backup(backup, store=place)
    assert "dora" in people(place)
    assert restore_backup(backup, store=place, overwrite=True).voiceprints.gone == ("dora",)
    assert [*people(place)] == ["ada", "bert", "cleo"]


def test_what_was_taken_back_since_stays_taken_back(place: Path, backup: Path) -> None:
    with open_store(place) as store:
        store.remove("bert")
        store.opt_out("cleo")
        store.set_terms("ada", consent=None, expires=None)
        store.rename("ada", "Ada Lovelace")
        store.require_consent()
    report = restore_backup(backup, store=place, overwrite=True).voiceprints
    assert (report.stay_removed, report.opted_out, report.gone) == (("bert",), ("cleo",), ())
    with open_store(place) as store:
        assert store.names() == ["ada"]
        assert (store.get("ada").consent, store.get("ada").expires) == (None, None)
        assert [*store.opt_outs()] == ["cleo", "nobody"]
        assert store.requires_consent
    assert traces(place, "bert", clips(2)) == []
    assert traces(place, "Ada Lovelace", clips(3)) == []


def test_who_was_removed_comes_back_when_asked(place: Path, backup: Path) -> None:
    with open_store(place) as store:
        store.remove("bert")
        store.opt_out("cleo")
    restore_backup(backup, store=place, overwrite=True, removed_too=True)
    assert [*people(place)] == ["ada", "bert"]


def test_a_revoked_key_stays_revoked_and_the_log_loses_nothing(place: Path, backup: Path) -> None:
    state = StateFile(place / "server")
    KeyRing(state).revoke(keys(place)[0].id)
    head = AuditLog(state).append("key-revoked").hash
    state.close()
    report = restore_backup(backup, store=place, overwrite=True)
    assert report.server.outcome == "kept"
    assert [key.revoked is None for key in keys(place)] == [False]
    state = StateFile(place / "server")
    assert AuditLog(state).verify(head=head).fault == ""
    state.close()


def test_where_the_log_is_lost_keys_come_back_revoked_and_are_named(place: Path, backup: Path) -> None:
    (key,) = keys(place)
    shutil.rmtree(place)
    answer = runner.invoke(app, ["restore", str(backup), "--store", str(place)])
    assert answer.exit_code == 0, answer.output
    assert "keys refused, because nobody knows which were revoked since" in answer.output
    assert key.id in answer.output
    assert [key.revoked is None for key in keys(place)] == [False]


@pytest.mark.parametrize("lost", ["missing", "damaged"])
def test_lost_voiceprints_come_back_without_whom_the_log_says_to_have_left(
    place: Path, backup: Path, lost: str
) -> None:
    state = StateFile(place / "server")
    AuditLog(state).append("remove", speaker="bert", outcome="done")
    AuditLog(state).append("opt-out", speaker="cleo", outcome="done")
    state.close()
    database = place / "voiceprints.sqlite3"
    database.unlink() if lost == "missing" else database.write_bytes(b"x" * 10_000)
    report = restore_backup(backup, store=place, overwrite=True).voiceprints
    assert (report.stay_removed, report.opted_out) == (("bert",), ("cleo",))
    assert [*people(place)] == ["ada"]
    with open_store(place) as store:
        assert "cleo" in store.opt_outs()


def requests(folder: Path) -> Iterator[Idempotency]:
    """The requests that a server was asked, for one look."""
    state, store = StateFile(folder / "server"), open_store(folder)
    yield Idempotency(state, lambda: store)
    store.close()
    state.close()


def asked(name: str, key: str) -> ClaimedKey:
    return ClaimedKey.of("a key's id", key, f"about {name}".encode(), speaker=name)


def make(folder: Path, claim: ClaimedKey, change: Callable[[EnrollmentStore], object], status: int) -> None:
    """Change a store as a server does that is asked with an idempotency key."""
    for journal in requests(folder):
        assert journal.begin(claim) is None
        change(journal._store())
        journal.finish(claim, Answer(status=status, body=b"{}" if status == 201 else b""))


def repeated(folder: Path, claim: ClaimedKey) -> int | str | None:
    """What a server answers to a request: as before, that it was erased, or None: it makes it."""
    for journal in requests(folder):
        try:
            found = journal.begin(claim)
        except AnswerErasedError as error:
            return error.code
        if found is None:
            journal.drop(claim)
        return None if found is None else found.status
    raise AssertionError


def test_a_request_that_was_undone_is_made_again(place: Path, tmp_path: Path) -> None:
    enrolled, removed, later = asked("dora", "k1"), asked("bert", "k2"), asked("emil", "k3")
    make(place, enrolled, lambda store: store.add("dora", clips(4)), 201)
    write_backup(tmp_path / "b", store=place)
    make(place, removed, lambda store: store.remove("bert"), 204)
    make(place, later, lambda store: store.add("emil", clips(5)), 201)
    restore_backup(tmp_path / "b", store=place, overwrite=True, removed_too=True)
    assert [*people(place)] == ["ada", "bert", "cleo", "dora"]
    # Who asks again to remove bert is not told that it was done: bert is here again.
    assert [repeated(place, each) for each in (enrolled, removed, later)] == [201, None, None]
    restore_backup(tmp_path / "b", store=tmp_path / "new")
    assert [repeated(tmp_path / "new", each) for each in (enrolled, removed, later)] == [201, None, None]


def test_a_backup_without_a_server_undoes_every_request(place: Path, tmp_path: Path) -> None:
    (place / "server").rename(tmp_path / "server")
    write_backup(tmp_path / "b", store=place)
    (tmp_path / "server").rename(place / "server")
    make(place, asked("bert", "k"), lambda store: store.remove("bert"), 204)
    report = restore_backup(tmp_path / "b", store=place, overwrite=True)
    assert (report.server.outcome, report.voiceprints.stay_removed) == ("none", ("bert",))
    assert repeated(place, asked("bert", "k")) is None


def test_who_goes_while_a_backup_is_made_is_not_in_it(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_to = EnrollmentStore.save_to

    def and_then_remove(store: EnrollmentStore, folder: Path) -> None:
        save_to(store, folder)
        make(place, asked("bert", "k"), lambda opened: opened.remove("bert"), 204)
        state = StateFile(place / "server")
        for action, speaker in (("remove", "bert"), ("opt-out", "cleo")):
            AuditLog(state).append(action, speaker=speaker, outcome="done")
        state.close()

    monkeypatch.setattr(EnrollmentStore, "save_to", and_then_remove)
    assert write_backup(tmp_path / "b", store=place).n_speakers == 1
    monkeypatch.undo()
    with zipfile.ZipFile(tmp_path / "b") as archive:
        archive.extract("voiceprints.sqlite3", tmp_path / "unpacked")
    assert traces(tmp_path / "unpacked", "bert", clips(2)) == []
    restore_backup(tmp_path / "b", store=tmp_path / "new")
    assert [*people(tmp_path / "new")] == ["ada"]
    with open_store(tmp_path / "new") as store:
        assert [*store.opt_outs()] == ["cleo", "nobody"]
    assert repeated(tmp_path / "new", asked("bert", "k")) is None


def _flip(path: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        member = archive.getinfo("voiceprints.sqlite3")
    content = bytearray(path.read_bytes())
    content[member.header_offset + member.compress_size // 2] ^= 1
    path.write_bytes(content)


def _cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def _more(path: Path) -> None:
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("../evil", "x")


def _other_hash(path: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        content = {name: archive.read(name) for name in archive.namelist()}
    document = json.loads(content["manifest.json"])
    document["files"][TUNING_FILE][1] = "0" * 64
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in (content | {"manifest.json": json.dumps(document).encode()}).items():
            archive.writestr(name, data)


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _byte_behind(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"\0")


def _line_before(path: Path) -> None:
    path.write_bytes(b"#!/bin/sh\n" + path.read_bytes())


def _comment(path: Path) -> None:
    with zipfile.ZipFile(path, "a") as archive:
        archive.comment = b"restore me"


def _unsealed(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-64] + b"0" * 64)


def _twice(path: Path) -> None:
    with zipfile.ZipFile(path, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr("manifest.json", archive.read("manifest.json"))


def _nothing_in_it(path: Path) -> None:
    zipfile.ZipFile(path, "w").close()


SPOILT = [
    _flip,
    _cut,
    _more,
    _other_hash,
    _empty,
    _byte_behind,
    _line_before,
    _comment,
    _unsealed,
    _twice,
    _nothing_in_it,
]


@pytest.mark.parametrize("spoil", SPOILT)
def test_a_backup_that_is_not_sound_restores_nothing(
    place: Path, backup: Path, spoil: Callable[[Path], None], tmp_path: Path
) -> None:
    before = people(place)
    spoil(backup)
    with pytest.raises(StoreError, match="nothing was restored"):
        restore_backup(backup, store=place, overwrite=True)
    assert people(place) == before
    with pytest.raises(StoreError, match="nothing was restored"):
        restore_backup(backup, store=tmp_path / "new")
    assert not (tmp_path / "new/voiceprints.sqlite3").exists()


def test_not_one_byte_may_differ(backup: Path, tmp_path: Path) -> None:
    sound = backup.read_bytes()
    places = {*range(0, len(sound), max(1, len(sound) // 64)), *range(len(sound) - 100, len(sound))}
    for place in sorted(places):
        backup.write_bytes(sound[:place] + bytes([sound[place] ^ 1]) + sound[place + 1 :])
        with pytest.raises(StoreError, match="nothing was restored"):
            restore_backup(backup, store=tmp_path / "new")
    backup.write_bytes(sound)
    assert restore_backup(backup, store=tmp_path / "new").voiceprints.n_speakers == 3


def test_a_damaged_store_is_not_backed_up(place: Path, tmp_path: Path) -> None:
    with sqlite3.connect(place / "voiceprints.sqlite3") as connection:
        connection.execute("UPDATE voiceprints SET seconds_of_speech = 99 WHERE id = 1")
    with pytest.raises(StoreError, match="checksum"):
        write_backup(tmp_path / "b", store=place)
    assert not (tmp_path / "b").exists()


def test_a_database_is_left_to_its_own_tools(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="pg_dump"):
        write_backup(tmp_path / "b", store="postgresql://ada:secret@localhost/voices")


def test_the_index_of_lost_voices_is_not_believed(place: Path, backup: Path) -> None:
    with open_store(place) as running:
        running.search(vector(1, 0), top=1)
        for person in range(10, 14):
            running.add(f"person {person}", clips(person))
        running.search(vector(1, 0), top=1)
        restore_backup(backup, store=place, overwrite=True)
        assert [hit.name for hit in running.search(vector(12, 0), top=9)] != []
        assert {hit.name for hit in running.search(vector(12, 0), top=9)} == {"ada", "bert", "cleo"}
    assert traces(place, "person 12", clips(12)) == []


def test_no_challenge_comes_back_with_a_backup(place: Path, tmp_path: Path) -> None:
    with closing(StateFile(place / "server")) as state:
        open_still = ChallengeBook(state).issue("a key's id")
    write_backup(tmp_path / "b", store=place)
    restore_backup(tmp_path / "b", store=tmp_path / "new")
    with closing(StateFile(tmp_path / "new" / "server")) as state, pytest.raises(ChallengeError):
        ChallengeBook(state).redeem(open_still.id, caller="a key's id", request=b"1")
