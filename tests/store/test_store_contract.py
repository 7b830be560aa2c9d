"""What every store promises, asked of each kind: a folder, and a PostgreSQL database."""

import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from store_voices import DIM, MODEL, clip, clips, open_store, vector

from voiceprint.audio.quality import ClipQuality
from voiceprint.errors import (
    EnrollmentError,
    ModelMismatchError,
    SpeakerExistsError,
    SpeakerNotFoundError,
    StoreError,
    StoreReadOnlyError,
)
from voiceprint.scoring import centroid
from voiceprint.store import EnrolledUtterance, Enrollment, EnrollmentStore

# enrolling


def test_add_returns_what_get_returns(store: EnrollmentStore) -> None:
    before = datetime.now(UTC)
    added = store.add("ada", clips(1, 3), notes="by phone")
    got = store.get("ada")
    assert (got.name, got.n_utterances, got.seconds_of_speech) == ("ada", 3, 6.0)
    assert (got.model_id, got.notes, got.duplicates) == (MODEL, "by phone", ())
    assert before <= got.created == got.updated <= datetime.now(UTC)
    np.testing.assert_array_equal(got.centroid, added.centroid)
    np.testing.assert_array_equal(got.centroid, centroid([vector(1, 0), vector(1, 1), vector(1, 2)]))


def test_utterances_come_back_to_the_bit(store: EnrollmentStore) -> None:
    store.add("ada", [clip(1, 0, source="a.wav"), clip(1, 1, source="b.wav", speech=0.1)])
    first, second = store.utterances("ada")
    np.testing.assert_array_equal(first.embedding, vector(1, 0))
    assert first.embedding.dtype == np.float32
    assert (first.source, first.clip_sha256) == ("a.wav", clip(1, 0).clip_sha256)
    assert first.quality == clip(1, 0).quality
    assert second.quality.seconds_of_speech == 0.1
    assert first.added is not None
    assert datetime.now(UTC) - first.added < timedelta(minutes=1)


def test_what_is_stored_is_there_when_opened_again(place: str) -> None:
    with open_store(place) as store:
        store.add("ada", clips(1))
    with open_store(place) as store:
        assert store.names() == ["ada"]
        assert store.search(vector(1, 0), top=1)[0].name == "ada"


@pytest.mark.parametrize("source", ["/home/ada/secret folder/clip.wav", "C:\\ada\\clip.wav", "clip.wav"])
def test_of_a_source_only_the_file_name_is_kept(store: EnrollmentStore, source: str) -> None:
    store.add("ada", [clip(1, 0, source=source)])
    assert store.utterances("ada")[0].source == "clip.wav"


def test_everybody_is_what_each_of_them_is(store: EnrollmentStore) -> None:
    assert store.everybody() == []
    store.add("bert", clips(2), notes="by phone")
    store.add("ada", clips(1))
    everybody = store.everybody()
    assert [person.name for person in everybody] == ["ada", "bert"]
    for person in everybody:
        alone = store.get(person.name)
        np.testing.assert_array_equal(person.centroid, alone.centroid)
        assert (person.notes, person.n_utterances, person.created) == (
            alone.notes, alone.n_utterances, alone.created,
        )  # fmt: skip


def test_an_undecodable_file_name_is_kept_readably(store: EnrollmentStore) -> None:
    store.add("ada", [clip(1, 0, source=os.fsdecode(b"caf\xe9.wav"))])
    assert store.utterances("ada")[0].source == "caf\\udce9.wav"


def test_new_refuses_somebody_enrolled_and_changes_nothing(store: EnrollmentStore) -> None:
    store.add("ada", clips(1))
    with pytest.raises(SpeakerExistsError, match="'ada' is enrolled already"):
        store.add(" ada ", clips(2))
    np.testing.assert_array_equal(store.utterances("ada")[0].embedding, vector(1, 0))


def test_add_moves_the_centroid_and_keeps_notes_and_creation(store: EnrollmentStore) -> None:
    first = store.add("ada", [clip(1, 0)], notes="by phone")
    second = store.add("ada", [clip(1, 1)], mode="add")
    assert (second.n_utterances, second.notes, second.created) == (2, "by phone", first.created)
    assert second.updated > first.updated
    np.testing.assert_array_equal(second.centroid, centroid([vector(1, 0), vector(1, 1)]))


def test_add_refuses_somebody_unknown(store: EnrollmentStore) -> None:
    with pytest.raises(SpeakerNotFoundError, match="nobody named 'ada' is enrolled"):
        store.add("ada", clips(1), mode="add")
    assert store.names() == []


def test_replace_enrolls_somebody_unknown(store: EnrollmentStore) -> None:
    assert store.add("ada", clips(1), mode="replace").n_utterances == 2


def test_a_clip_held_already_is_left_out_and_named(store: EnrollmentStore) -> None:
    store.add("ada", [clip(1, 0, source="a.wav")])
    generation = store.generation
    again = store.add("ada", [clip(1, 0, source="copy of a.wav")], mode="add")
    assert (again.n_utterances, again.duplicates) == (1, ("copy of a.wav",))
    assert store.generation == generation


def test_a_clip_given_twice_counts_once(store: EnrollmentStore) -> None:
    added = store.add("ada", [clip(1, 0, source="a"), clip(1, 1, source="b"), clip(1, 0, source="c")])
    assert (added.n_utterances, added.duplicates) == (2, ("c",))


def test_two_people_may_share_a_clip(store: EnrollmentStore) -> None:
    store.add("ada", [clip(1, 0)])
    assert store.add("bert", [clip(1, 0)]).n_utterances == 1


def _with(**changes: object) -> EnrolledUtterance:
    fields: dict[str, Any] = {
        "embedding": vector(1, 0),
        "clip_sha256": "0" * 64,
        "source": "bad.wav",
        "quality": clip(1).quality,
    }
    return EnrolledUtterance(**(fields | changes))


@pytest.mark.parametrize(
    ("utterance", "message"),
    [
        (_with(embedding=vector(1, 0, dim=8)), r"'bad.wav' has an embedding of shape \(8,\), not \(32,\)"),
        (_with(embedding=2 * vector(1, 0)), "of length 2, not 1"),
        (_with(embedding=np.full(DIM, np.nan, dtype=np.float32)), "of length nan"),
        (_with(clip_sha256="abc"), "hash 'abc'"),
        (_with(clip_sha256="A" * 64), "lower-case"),
        (
            _with(
                quality=ClipQuality(
                    seconds=1.0, seconds_of_speech=1.0, level_dbfs=-np.inf, clipped=0.0, snr_db=None
                )
            ),
            "quality that is not finite",
        ),
        (
            _with(
                quality=ClipQuality(
                    seconds=1.0, seconds_of_speech=-1.0, level_dbfs=None, clipped=0.0, snr_db=None
                )
            ),
            "a length below 0",
        ),
        (_with(embedding="voice"), "no array of numbers"),
    ],
)
def test_an_unfit_utterance_is_refused_and_nothing_changes(
    store: EnrollmentStore, utterance: EnrolledUtterance, message: str
) -> None:
    with pytest.raises(EnrollmentError, match=message):
        store.add("ada", [clip(1, 1), utterance])
    assert store.names() == []


def test_no_clips_make_no_voiceprint(store: EnrollmentStore) -> None:
    with pytest.raises(EnrollmentError, match="no clips were given"):
        store.add("ada", [])


# removing and renaming


def test_replace_puts_the_new_voice_in_the_place_of_the_old(store: EnrollmentStore) -> None:
    store.add("ada", clips(1, 3))
    replaced = store.add("ada", [clip(2, 0)], mode="replace")
    assert (replaced.n_utterances, len(store.utterances("ada"))) == (1, 1)
    assert store.search(vector(2, 0), top=1)[0].score == pytest.approx(1.0)


def test_whoever_was_removed_is_found_by_nobody(place: str, store: EnrollmentStore) -> None:
    store.add("ada", clips(1), expires=datetime.now(UTC) + timedelta(days=1))
    store.add("bert", clips(2))
    with open_store(place) as other:
        assert other.search(vector(1, 0), top=1)[0].name == "ada"
        assert store.remove("ada").n_utterances == 2
        assert (other.names(), len(other), "ada" in other) == (["bert"], 1, False)
        assert [hit.name for hit in other.search(vector(1, 0), top=5)] == ["bert"]
        assert [record.name for record in other.export_records()] == ["bert"]
        for ask in (other.get, other.utterances, other.remove):
            with pytest.raises(SpeakerNotFoundError, match="nobody named 'ada' is enrolled"):
                ask("ada")
    assert store.add("ada", clips(1)).expires is None


def test_rename_keeps_the_voice(store: EnrollmentStore) -> None:
    store.add("a rather distinctive name", clips(1))
    renamed = store.rename("a rather distinctive name", "ada")
    assert (renamed.name, renamed.n_utterances) == ("ada", 2)
    assert store.search(vector(1, 0), top=1)[0].name == "ada"
    assert store.names() == ["ada"]


def test_rename_refuses_a_name_in_use_and_an_unknown_one(store: EnrollmentStore) -> None:
    store.add("ada", clips(1))
    store.add("bert", clips(2))
    with pytest.raises(SpeakerExistsError, match="'bert' is enrolled already"):
        store.rename("ada", "bert")
    with pytest.raises(SpeakerNotFoundError, match="'carla'"):
        store.rename("carla", "cleo")
    assert store.rename("ada", "ada ").name == "ada"
    assert store.names() == ["ada", "bert"]


# the model


def test_a_store_of_another_model_is_refused(place: str) -> None:
    with open_store(place) as store:
        store.add("ada", clips(1))
    with pytest.raises(ModelMismatchError, match=f"of model {'a' * 12}, the model in use is of {'b' * 12}"):
        open_store(place, model_id="b" * 64)
    with EnrollmentStore.open(place) as store:
        assert store.names() == ["ada"]
        with pytest.raises(StoreError, match="opened without a model"):
            store.add("bert", clips(2))


def test_an_emptied_store_takes_the_next_model(place: str) -> None:
    with open_store(place) as store:
        store.add("ada", clips(1))
        store.search(vector(1, 0), top=1)
        store.remove("ada")
    with open_store(place, model_id="b" * 64, dim=8) as store:
        assert store.search(vector(1, dim=8), top=1) == []
        assert store.add("ada", [clip(1, dim=8)]).model_id == "b" * 64
        assert store.search(vector(1, dim=8), top=1)[0].score == pytest.approx(1.0)


def test_the_first_to_enroll_decides_on_the_model(place: str) -> None:
    with open_store(place) as one, open_store(place, model_id="b" * 64) as other:
        other.add("ada", clips(1))
        with pytest.raises(ModelMismatchError):
            one.add("bert", clips(2))
        with pytest.raises(ModelMismatchError):
            one.search(vector(1), top=1)
        with pytest.raises(ModelMismatchError):
            one.get("ada")
        assert other.names() == ["ada"]


# opening


def test_a_store_in_which_nobody_was_ever_enrolled_is_not_made_by_looking(
    new_place: Callable[..., str],
) -> None:
    place = new_place(made=False)
    with pytest.raises(StoreError, match=r"there is no store (at|in) .*; enroll somebody first"):
        open_store(place, read_only=True)
    open_store(place).close()
    with open_store(place, read_only=True) as store:
        assert store.names() == []


def test_a_store_opened_for_reading_refuses_changes(place: str) -> None:
    with open_store(place) as store:
        store.add("ada", clips(1))
    with open_store(place, read_only=True) as store:
        assert store.read_only
        assert store.search(vector(1, 0), top=1)[0].name == "ada"
        for change in (
            lambda: store.add("bert", clips(2)),
            lambda: store.remove("ada"),
            lambda: store.rename("ada", "eda"),
            store.erase,
        ):
            with pytest.raises(StoreReadOnlyError, match="open for reading only"):
                change()


def test_stats_count(store: EnrollmentStore) -> None:
    empty = store.stats()
    assert (empty.n_speakers, empty.model_id, empty.dim) == (0, None, None)
    store.add("ada", clips(1, 3))
    store.add("bert", clips(2))
    stats = store.stats()
    assert (stats.n_speakers, stats.n_utterances, stats.seconds_of_speech) == (2, 5, 10.0)
    assert (stats.model_id, stats.dim, stats.schema_version) == (MODEL, DIM, store._backend.schema_version)
    assert stats.bytes_on_disk > 0
    assert stats.generation == store.generation > empty.generation
    assert not stats.read_only


def test_stats_are_right_after_every_kind_of_change(store: EnrollmentStore) -> None:
    def check(n_utterances: int, seconds_of_speech: float) -> None:
        stats = store.stats()
        assert stats.n_utterances == n_utterances
        assert stats.seconds_of_speech == pytest.approx(seconds_of_speech, rel=1e-6, abs=0.0)

    store.add("ada", [clip(1, 0, speech=0.1), clip(1, 1, speech=0.2)])
    store.add("ada", [clip(1, 1, speech=0.2), clip(1, 2, speech=4.0)], mode="add")
    check(3, 4.3)
    store.add("ada", [clip(1, 3, speech=0.5)], mode="replace")
    store.rename("ada", "ida")
    store.add("bert", clips(2))
    check(3, 4.5)
    store.import_records(list(store.export_records("ida")), model_id=MODEL, dim=DIM, mode="replace")
    store.remove("bert")
    check(1, 0.5)
    with pytest.raises(SpeakerExistsError):
        store.add("ida", clips(1))
    check(1, 0.5)
    assert store.problems() == []
    store.opt_out("ida")
    check(0, 0.0)
    assert store.problems() == []


def test_a_store_says_whose_voiceprints_it_holds(store: EnrollmentStore) -> None:
    assert (store.model_id, store.dim) == (None, None)
    store.add("ada", clips(1))
    assert (store.model_id, store.dim) == (MODEL, DIM)


def test_the_generation_grows_even_if_the_clock_goes_back(
    store: EnrollmentStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.add("ada", clips(1))
    generations = [store.generation]
    monkeypatch.setattr("time.time_ns", lambda: 5)
    for person in (2, 3):
        store.add(f"{person}", clips(person))
        generations.append(store.generation)
    assert generations == [generations[0], generations[0] + 1, generations[0] + 2]


def test_problems_finds_none_in_a_sound_store(store: EnrollmentStore) -> None:
    assert store.problems() == []
    store.add("ada", clips(1))
    assert store.problems() == []


def test_who_is_to_be_replaced_is_shown_within_the_change_and_can_be_kept(store: EnrollmentStore) -> None:
    seen = []

    def refuse(enrolled: Enrollment) -> None:
        seen.append(enrolled.name)
        raise KeyError(enrolled.name)

    def enroll(name: str) -> Enrollment:
        return store.add_judged(name, lambda *_: clips(4), mode="replace", replacing=refuse)

    assert enroll("ada").n_utterances == len(clips(4))  # nobody is replaced
    before = [said.embedding.tobytes() for said in store.utterances("ada")]
    with pytest.raises(KeyError):
        enroll("ada")
    assert seen == ["ada"]
    assert [said.embedding.tobytes() for said in store.utterances("ada")] == before


def test_a_text_beside_the_voiceprints_is_seen_by_every_door(place: str) -> None:
    with open_store(place) as store, open_store(place) as other:
        assert store.read_document("tuning.toml") is None
        store.write_document("tuning.toml", None)
        for text in ("shift = 0.1\n", "shift = 0.2 # \u00e9\n"):
            store.write_document("tuning.toml", text)
            assert other.read_document("tuning.toml") == text
        store.write_document("tuning.toml", None)
        assert other.read_document("tuning.toml") is None


def test_a_store_opened_for_reading_takes_no_text(place: str) -> None:
    with open_store(place) as store:
        store.write_document("tuning.toml", "shift = 0.1\n")
    with EnrollmentStore.open(place, read_only=True) as store:
        for text in ("shift = 0.2\n", None):
            with pytest.raises(StoreReadOnlyError):
                store.write_document("tuning.toml", text)
        assert store.read_document("tuning.toml") == "shift = 0.1\n"
