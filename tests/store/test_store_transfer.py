"""Export and import, asked of each kind of store."""

import stat
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest
from store_voices import DIM, MODEL, clip, clips, open_store, vector

from voiceprint.errors import (
    ArgumentError,
    ModelMismatchError,
    SpeakerExistsError,
    SpeakerNotFoundError,
    StoreError,
)
from voiceprint.store import (
    EnrolledUtterance,
    Enrollment,
    EnrollmentStore,
    ImportMode,
    VoiceprintRecord,
    read_export,
    write_export,
)
from voiceprint.store.voices import Judge


@pytest.mark.parametrize("suffix", [".json", ".npz"])
def test_export_and_import_keep_everything(
    tmp_path: Path, new_place: Callable[..., str], suffix: str
) -> None:
    file = tmp_path / f"voices{suffix}"
    with open_store(new_place()) as store:
        store.add("ada/\U0001f680", clips(1, 3), notes="two\nlines")
        store.add("bert", clips(2))
        assert write_export(file, store.export_records(), model_id=MODEL, dim=DIM) == 2
        exported = list(store.export_records())
    export = read_export(file)
    assert (export.model_id, export.dim) == (MODEL, DIM)
    with open_store(new_place()) as store:
        report = store.import_records(export.records, model_id=MODEL, dim=DIM)
        assert report.added == ("ada/\U0001f680", "bert")
        for before, after in zip(exported, store.export_records(), strict=True):
            assert _comparable(before) == _comparable(after)
        assert store.search(vector(2, 0), top=1)[0].name == "bert"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def _comparable(record: VoiceprintRecord) -> tuple[object, ...]:
    utterances = [
        (u.embedding.tobytes(), u.clip_sha256, u.source, u.quality, u.added) for u in record.utterances
    ]
    return record.name, record.notes, record.created, record.updated, utterances


def test_some_people_can_be_exported(store: EnrollmentStore) -> None:
    for person in range(3):
        store.add(f"{person}", clips(person))
    assert [record.name for record in store.export_records(["2", "0"])] == ["2", "0"]
    with pytest.raises(SpeakerNotFoundError, match="'ada'"):
        list(store.export_records(["0", "ada"]))


@pytest.fixture
def records(new_place: Callable[..., str]) -> list[VoiceprintRecord]:
    with open_store(new_place()) as store:
        store.add("ada", [clip(1, 1), clip(1, 5)])
        store.add("cleo", clips(3))
        return list(store.export_records())


@pytest.mark.parametrize(
    ("mode", "outcome", "n_ada"),
    [
        ("skip", {"added": ("cleo",), "changed": (), "skipped": ("ada",)}, 2),
        ("add", {"added": ("cleo",), "changed": ("ada",), "skipped": ()}, 3),
        ("replace", {"added": ("cleo",), "changed": ("ada",), "skipped": ()}, 2),
    ],
)
def test_import_modes(
    store: EnrollmentStore,
    records: list[VoiceprintRecord],
    mode: ImportMode,
    outcome: dict[str, tuple[str, ...]],
    n_ada: int,
) -> None:
    store.add("ada", clips(1))
    judge = (lambda enrolled, fresh: fresh) if mode == "add" else None
    report = store.import_records(records, model_id=MODEL, dim=DIM, mode=mode, judge=judge)
    assert {field: getattr(report, field) for field in outcome} == outcome
    assert store.get("ada").n_utterances == n_ada
    assert store.search(vector(3, 0), top=1)[0].name == "cleo"
    assert store.problems() == []


def test_an_import_adds_what_the_judge_lets_in(
    store: EnrollmentStore, records: list[VoiceprintRecord]
) -> None:
    store.add("ada", clips(1))
    asked = []

    def judge(enrolled: Enrollment, fresh: Sequence[EnrolledUtterance]) -> Sequence[EnrolledUtterance]:
        asked.append((enrolled.name, enrolled.n_utterances, len(fresh)))
        return fresh[:0]

    report = store.import_records(records, model_id=MODEL, dim=DIM, mode="add", judge=judge)
    assert asked == [("ada", 2, 1)]  # one of her two clips she has already; cleo is new
    assert (report.added, report.changed, report.skipped) == (("cleo",), (), ("ada",))
    assert store.get("ada").n_utterances == 2
    assert store.problems() == []


@pytest.mark.parametrize(
    ("mode", "judge"), [("add", None), ("replace", lambda enrolled, fresh: fresh)], ids=["add", "replace"]
)
def test_an_import_that_adds_needs_a_judge_and_no_other_has_one(
    store: EnrollmentStore, records: list[VoiceprintRecord], mode: ImportMode, judge: Judge | None
) -> None:
    with pytest.raises(ArgumentError, match="judge"):
        store.import_records(records, model_id=MODEL, dim=DIM, mode=mode, judge=judge)


def test_import_is_all_or_nothing(store: EnrollmentStore, records: list[VoiceprintRecord]) -> None:
    store.add("cleo", clips(9))
    with pytest.raises(SpeakerExistsError, match="'cleo' is enrolled already, so nothing was imported"):
        store.import_records(records, model_id=MODEL, dim=DIM)
    assert store.names() == ["cleo"]


def test_somebody_who_comes_twice_in_a_long_import_is_one_person(store: EnrollmentStore) -> None:
    store.add("person 7", clips(7, 1))
    people = [person_of(number, clips(number)) for number in range(450)]
    people += [person_of(7, [clip(7, 5)]), person_of(3, [clip(3, 5)]), person_of(3, [clip(3, 6)])]
    with pytest.raises(SpeakerExistsError):
        store.import_records([*people[8:], people[9]], model_id=MODEL, dim=DIM)
    assert store.names() == ["person 7"]
    report = store.import_records(
        people, model_id=MODEL, dim=DIM, mode="add", judge=lambda enrolled, fresh: fresh
    )
    assert (len(report.added), report.changed) == (449, ("person 7", "person 7", "person 3", "person 3"))
    assert [len(store.utterances(f"person {number}")) for number in (3, 7, 449)] == [4, 3, 2]
    assert (len(store), store.stats().n_utterances, store.problems()) == (450, 903, [])


def person_of(number: int, utterances: list[EnrolledUtterance]) -> VoiceprintRecord:
    time = datetime(2026, 1, 31, tzinfo=UTC)
    return VoiceprintRecord(
        name=f"person {number}", notes="", created=time, updated=time, utterances=tuple(utterances)
    )


def test_who_changes_during_an_export_is_exported_as_they_are_then(store: EnrollmentStore) -> None:
    store.import_records([person_of(number, clips(number)) for number in range(401)], model_id=MODEL, dim=DIM)
    everybody = store.export_records()
    some = store.export_records([f"person {number}" for number in range(401)])
    names = [[next(everybody).name], [next(some).name]]
    store.remove("person 399")
    store.rename("person 398", "zoe")
    names[0] += [record.name for record in everybody]
    names[1] += [record.name for record in some]
    assert [len(found) for found in names] == [400, 399]
    assert [set(store.names()) - set(found) for found in names] == [set(), {"zoe"}]


def test_import_refuses_another_model(store: EnrollmentStore, records: list[VoiceprintRecord]) -> None:
    with pytest.raises(ModelMismatchError):
        store.import_records(records, model_id="b" * 64, dim=DIM)
    with pytest.raises(ModelMismatchError):
        store.import_records(records, model_id=MODEL, dim=8)
    assert store.names() == []


def test_a_store_opened_without_a_model_takes_that_of_the_import(
    place: str, records: list[VoiceprintRecord]
) -> None:
    with EnrollmentStore.open(place) as store:
        store.import_records(records, model_id=MODEL, dim=DIM)
        assert store.get("ada").model_id == MODEL
        with pytest.raises(ModelMismatchError):
            store.import_records(records, model_id="b" * 64, dim=DIM)


def test_an_export_needs_a_known_suffix(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"must end in \.json or \.npz"):
        write_export(tmp_path / "voices.pkl", [], model_id=MODEL, dim=DIM)
