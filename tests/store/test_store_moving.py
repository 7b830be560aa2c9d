"""A store on its way to another model until one switch, and speech that goes with its person."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from store_voices import DIM, MODEL, clip, clips, open_store, traces, vector

from voiceprint.errors import ConsentRequiredError, EnrollmentError, ModelMismatchError, StoreError
from voiceprint.store import Consent, EnrolledUtterance, EnrollmentStore, StoreModel, write_export

NEW, WIDER = "b" * 64, 48
AGREED = Consent(by="ada", purpose="calls", given=datetime(2026, 1, 31, 12, tzinfo=UTC))
SOUND = b"OggS" + bytes(range(256)) * 40


def kept(*key: int, sound: bytes = SOUND) -> EnrolledUtterance:
    return dataclasses.replace(clip(*key), audio=sound)


def anew(*key: int, dim: int = WIDER) -> EnrolledUtterance:
    """A clip as another model embeds it."""
    return dataclasses.replace(clip(*key), embedding=vector(*key, 5, dim=dim))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "store"


@pytest.fixture
def store(place: str) -> Iterator[EnrollmentStore]:
    with open_store(place) as opened:
        enroll(opened)
        yield opened


def enroll(store: EnrollmentStore) -> None:
    for person, name in enumerate(("ada", "bert", "cleo")):
        store.add(name, clips(person, 3))


def stage(store: EnrollmentStore, *names: str, dim: int = WIDER) -> None:
    numbers = {"ada": 0, "bert": 1, "cleo": 2}
    store.stage(
        (person.name, person.updated, [anew(numbers[person.name], n, dim=dim) for n in range(3)])
        for person in store.unmoved()
        if person.name in names
    )


def begun(store: EnrollmentStore, dim: int = WIDER) -> None:
    store.begin_move(StoreModel(model_id=NEW, dim=dim, folder="/models/new"), present_folder="/models/old")


def tried(store: EnrollmentStore) -> dict[str, datetime]:
    return {person.name: person.updated for person in store.unmoved()}


@pytest.mark.parametrize("dim", [WIDER, DIM])
def test_old_and_new_stand_side_by_side_until_one_switch(
    store: EnrollmentStore, place: str, dim: int
) -> None:
    store.search(vector(0, 0), top=1)
    begun(store, dim)
    stage(store, "ada", "bert", dim=dim)
    with open_store(place) as running:  # another process goes on with the old model
        assert [running.search(vector(n, 0), top=1)[0].name for n in range(3)] == ["ada", "bert", "cleo"]
        assert store.switch(tried(store)) == 2
        assert running.model_id == NEW
        assert [running.get(name).model_id for name in ("ada", "cleo")] == [NEW, MODEL]
        assert [hit.name for hit in running.search(vector(0, 0), top=3)] == ["cleo"]
        present = running.with_model(NEW, dim)
        assert [hit.name for hit in present.search(anew(1, 0, dim=dim).embedding, top=3)] == ["bert", "ada"]
        with pytest.raises(ModelMismatchError, match="move_store"):
            running.add("dora", clips(7))
        assert present.add("dora", [anew(7, 0, dim=dim)]).model_id == NEW
    with EnrollmentStore.open(place) as again:
        assert again.problems() == []
        assert [again.get(name).centroid.shape for name in ("ada", "cleo")] == [(dim,), (DIM,)]
        models = again.models()
    assert models.present == StoreModel(model_id=NEW, dim=dim, folder="/models/new")
    assert [(model.model_id, model.folder) for model in models.earlier] == [(MODEL, "/models/old")]


def test_everything_else_of_a_person_moves_along(store: EnrollmentStore) -> None:
    ends = datetime.now(UTC) + timedelta(days=9)
    store.add("ada", [clip(0, 3)], mode="add", notes="first", consent=AGREED, expires=ends)
    store.keep("ada", "key", b"answer", until=ends)
    begun(store)
    (ada,) = (person for person in store.unmoved() if person.name == "ada")
    store.stage([("ada", ada.updated, [anew(0, n) for n in range(4)])])
    store.switch(tried(store))
    after = store.get("ada")
    assert (after.notes, after.consent, after.expires, after.n_utterances) == ("first", AGREED, ends, 4)
    assert store.keepsake("ada", "key") == b"answer"


def test_kept_speech_moves_along(folder: Path) -> None:
    with open_store(folder) as store:
        enroll(store)
        store.add("ada", [kept(0, 3)], mode="add", consent=AGREED)
        begun(store)
        (ada,) = (person for person in store.unmoved() if person.name == "ada")
        store.stage([("ada", ada.updated, [anew(0, n) for n in range(4)])])
        store.switch(tried(store))
        assert store.kept_audio("ada") == {clip(0, 3).clip_sha256: SOUND}


def test_an_earlier_voiceprint_stays_whole_through_renames_and_other_terms(store: EnrollmentStore) -> None:
    begun(store)
    store.switch(tried(store))
    before = store.get("cleo").centroid
    store.rename("cleo", "Cleo")
    store.set_terms("Cleo", consent=AGREED, expires=None)
    assert (store.get("Cleo").centroid == before).all()
    assert store.get("Cleo").model_id == MODEL
    assert store.problems() == []
    with pytest.raises(EnrollmentError, match="earlier model"):
        store.with_model(NEW, WIDER).add("Cleo", [anew(2, 9)], mode="add")
    store.with_model(NEW, WIDER).add("Cleo", [anew(2, 9)], mode="replace")
    assert store.get("Cleo").model_id == NEW


def test_who_comes_or_changes_meanwhile_is_tried_before_the_switch(store: EnrollmentStore) -> None:
    begun(store)
    stage(store, "ada", "bert")
    known = tried(store)
    store.add("dora", clips(5))
    assert store.switch(known) is None
    assert store.model_id == MODEL
    store.add("ada", [clip(0, 7)], mode="add")
    assert {person.name for person in store.unmoved()} == {"ada", "cleo", "dora"}
    assert store.switch(tried(store)) == 1


def test_who_leaves_meanwhile_leaves_nothing_waiting(store: EnrollmentStore) -> None:
    begun(store)
    stage(store, "ada", "bert", "cleo")
    store.remove("ada")
    store.opt_out("bert")
    assert waiting(store) == 1
    assert store.switch({}) == 1
    assert store.names() == ["cleo"]


def waiting(store: EnrollmentStore) -> int:
    with store._backend.reading() as tables:
        return len(tables.staged())


def test_what_waits_is_thrown_away_for_another_model_or_when_asked(store: EnrollmentStore) -> None:
    begun(store)
    stage(store, "ada")
    assert waiting(store) == 1
    store.begin_move(StoreModel(model_id="c" * 64, dim=DIM))
    assert waiting(store) == 0
    assert {person.name for person in store.unmoved()} == {"ada", "bert", "cleo"}
    assert store.abandon_move()
    assert not store.abandon_move()
    assert store.models().upcoming is None


def test_what_a_move_took_out_is_in_no_file_of_a_folder(folder: Path) -> None:
    with open_store(folder) as store:
        enroll(store)
        begun(store)
        stage(store, "ada", "bert", "cleo")
        store.remove("ada")
        store.opt_out("bert")
        for person, name in enumerate(("ada", "bert")):
            assert traces(folder, name, [anew(person, n) for n in range(3)]) in ([], ["name"])
        store.abandon_move()
        assert set(traces(folder, "nobody", [anew(2, n) for n in range(3)])) == {"hash"}
        begun(store)
        stage(store, "cleo")
        store.switch({})
        assert set(traces(folder, "nobody", clips(2, 3))) == {"hash"}  # of the clips, which stay


def test_the_rest_is_moved_later(store: EnrollmentStore) -> None:
    begun(store)
    stage(store, "ada")
    store.switch(tried(store))
    begun(store)
    assert {person.name for person in store.unmoved()} == {"bert", "cleo"}
    stage(store, "bert", "cleo")
    assert store.switch({}) == 2
    assert (store.models().earlier, store.stats().n_earlier) == ((), 0)


def test_voiceprints_of_two_models_do_not_go_into_one_export(store: EnrollmentStore, tmp_path: Path) -> None:
    begun(store)
    stage(store, "ada")
    store.switch(tried(store))
    with pytest.raises(ModelMismatchError, match="2 voiceprints"):
        write_export(tmp_path / "a.npz", store.export_records(), model_id=NEW, dim=WIDER)
    assert [record.name for record in store.export_records(["ada"])] == ["ada"]


def test_a_lost_note_of_whose_model_it_was_is_damage(store: EnrollmentStore) -> None:
    begun(store)
    store.switch(tried(store))
    with store._backend.writing() as tables:
        tables.run("DELETE FROM earlier")
    with pytest.raises(StoreError, match=r"checksum|has 32 dimensions, not 48"):
        store.get("ada")


@pytest.mark.parametrize(
    "erase",
    [
        lambda store: store.remove("ada"),
        lambda store: store.opt_out("ada"),
        lambda store: store.add("ada", [clip(0, 8)], mode="replace"),
        lambda store: store.set_terms("ada", consent=None, expires=None),
        lambda store: store.forget_audio("ada"),
        lambda store: (
            store.set_terms("ada", consent=AGREED, expires=datetime(2026, 2, 1, tzinfo=UTC)),
            store.remove_expired(),
        ),
    ],
    ids=["remove", "opt-out", "replace", "consent", "forget", "expire"],
)
def test_kept_speech_leaves_the_disk_with_its_person(folder: Path, erase: object) -> None:
    with open_store(folder) as store:
        store.add("ada", [kept(0, 1), clip(0, 2)], consent=AGREED)
        assert store.kept_audio("ada") == {clip(0, 1).clip_sha256: SOUND}
        assert (store.stats().n_kept, store.stats().kept_bytes) == (1, len(SOUND))
        erase(store)  # type: ignore[operator]
    everything = b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
    pieces = [SOUND[at : at + 64] for at in range(0, len(SOUND), 64)]
    assert not any(piece in everything for piece in pieces)


def test_speech_is_kept_only_with_consent_and_within_bounds(folder: Path) -> None:
    with open_store(folder) as store:
        with pytest.raises(ConsentRequiredError, match="no speech is kept"):
            store.add("ada", [kept(0, 1)])
        assert "ada" not in store
        much = [kept(0, number, sound=bytes(1 << 20)) for number in range(6)]
        store.add("ada", much, consent=AGREED)
        assert len(store.kept_audio("ada")) == 4


def test_a_database_keeps_no_speech(new_database: object) -> None:
    with (
        open_store(new_database()) as store,  # type: ignore[operator]
        pytest.raises(StoreError, match="keeps no speech"),
    ):
        store.check_keeps_audio()
