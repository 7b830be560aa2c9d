"""The pool: shards written by hand, read back, and refused where they are not whole."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from voiceprint.corpus import Corpus, Utterance
from voiceprint.errors import CorpusError
from voiceprint.training.data.pool import Pool, open_pool, read_teacher, require_speech
from voiceprint.training.data.voices import DrawnVoice, Voice
from voiceprint.training.origins import UNKNOWN, SourceModel, save_record

# Utterances of 3, 2 and 4 samples: two of speaker a, one of b.
SAMPLES = np.array([0, 16384, -32768, 1, 2, 10, 20, 30, 40], dtype=np.int16)
FASTER = Voice(speed=(1.1, 1.3))
ROWS = [("c/1", "a", 0, 3), ("c/2", "a", 3, 2), ("c/3", "b", 5, 4)]


def write_shard(
    folder: Path,
    number: int,
    speed: float,
    teacher: list[list[float]] | None = None,
    drawn: dict[str, Any] | None = None,
) -> None:
    """A shard whose list says how it was drawn, or, without, one as they were before lists did."""
    folder.mkdir(exist_ok=True)
    SAMPLES.tofile(folder / f"voice-{number}.pcm")
    rows = [
        {
            "id": id_,
            "speaker": speaker,
            "voice": {"speed": speed, "formants": 1.0},
            "offset": offset,
            "samples": samples,
        }
        for id_, speaker, offset, samples in ROWS
    ]
    content = rows if drawn is None else {"drawn": drawn, "utterances": rows}
    (folder / f"voice-{number}.json").write_text(json.dumps(content))
    if teacher is not None:
        np.save(folder / f"voice-{number}.teacher.npy", np.array(teacher, dtype=np.float32))


@pytest.fixture
def pool(tmp_path: Path) -> Pool:
    write_shard(tmp_path / "pool", 0, 1.0, [[2, 0], [0, 1], [0, 3]])
    write_shard(tmp_path / "pool", 1, 1.2, [[1, 0], [1, 0], [0, 1]])
    return Pool(tmp_path / "pool", voices=2)


def test_utterances_of_all_voices_one_voice_after_another(pool: Pool) -> None:
    assert [utterance.id for utterance in pool.utterances] == ["c/1", "c/2", "c/3"] * 2
    assert pool.speakers == [0, 0, 1]
    assert pool.classes == [(s, DrawnVoice(speed=v)) for s in "ab" for v in (1.0, 1.2)]
    assert pool.labels.tolist() == [0, 0, 2, 1, 1, 3]


def test_samples_are_floats_within_one_utterance(pool: Pool) -> None:
    assert pool.read(0).tolist() == [0.0, 0.5, -1.0]
    assert pool.read(4).tolist() == [1 / 32768, 2 / 32768]
    assert (pool.read(2, 1, 3) * 32768).tolist() == [20, 30]
    assert (pool.read(2, 3, 99) * 32768).tolist() == [40]


def test_targets_are_centred_and_lie_between_the_clip_and_its_class(pool: Pool) -> None:
    own, mean, between = (pool.speaker_targets(mix) for mix in (0.0, 1.0, 0.5))
    assert own is not None and mean is not None and between is not None
    r = 0.5**0.5
    # In the own voice a has (1, 0) and (0, 1), mean (1/2, 1/2); b has (0, 1); their centre is (1/4, 3/4).
    assert own[:3] == pytest.approx(np.array([[r, -r], [-r, r], [-r, r]]))
    assert mean[:3] == pytest.approx(np.array([[r, -r], [r, -r], [-r, r]]))
    # The other voice has a centre of its own, (1/2, 1/2).
    assert own[3:] == pytest.approx(np.array([[r, -r], [r, -r], [-r, r]]))
    assert between[0] == pytest.approx([r, -r])
    # The second clip lies opposite to its class: half-way there is no direction, and nothing to learn.
    assert between[1] == pytest.approx([0, 0], abs=1e-6)


def test_one_voice_of_two_may_be_used(pool: Pool) -> None:
    assert len(Pool(pool.folder, voices=1)) == 3


def test_without_a_teacher_in_every_shard_there_are_no_targets(pool: Pool) -> None:
    (pool.folder / "voice-1.teacher.npy").unlink()
    assert Pool(pool.folder, voices=2).speaker_targets(0.5) is None


def test_other_processes_get_the_files_not_the_samples(pool: Pool) -> None:
    pickled = pickle.dumps(pool)
    assert len(pickled) < 500
    assert pickle.loads(pickled).read(0).tolist() == pool.read(0).tolist()


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda folder: (folder / "voice-1.json").unlink(), "voice-1.json: is not rendered yet"),
        (lambda folder: (folder / "voice-0.pcm").write_bytes(b"1234"), "holds 2 samples, its list says 9"),
        (lambda folder: (folder / "voice-0.pcm").unlink(), "holds 0 samples, its list says 9"),
        (lambda folder: (folder / "voice-0.json").write_text("[{"), "is no list of rendered speech"),
        (lambda folder: (folder / "voice-0.json").write_text("[]"), "its list says 0"),
        (lambda folder: write_shard(folder, 0, 1.0, [[1, 0]]), "holds 1 embeddings of 3 utterances"),
    ],
)
def test_a_damaged_pool_is_refused(pool: Pool, damage: Callable[[Path], object], message: str) -> None:
    damage(pool.folder)
    with pytest.raises(CorpusError, match=message):
        Pool(pool.folder, voices=2)


def test_shards_of_other_utterances_are_refused(pool: Pool) -> None:
    path = pool.folder / "voice-1.json"
    path.write_text(path.read_text().replace("c/2", "c/9"))
    with pytest.raises(CorpusError, match="do not hold the same utterances"):
        Pool(pool.folder, voices=2)


def corpus_of(*ids: str) -> Corpus:
    return Corpus(Utterance(path=Path(id_), speaker="a", seconds=1.0, id=id_, corpus="c") for id_ in ids)


def test_the_pool_must_hold_what_the_recipe_trains_on(pool: Pool) -> None:
    require_speech(pool.utterances, corpus_of("1", "2", "3"), folder=pool.folder)
    require_speech(pool.utterances, corpus_of("1", "2"), folder=pool.folder)  # a pool may hold more
    for ids in (("1", "2", "3", "4"), ("1", "2", "5")):
        with pytest.raises(CorpusError, match="holds 3 utterances, and not those"):
            require_speech(pool.utterances, corpus_of(*ids), folder=pool.folder)


def test_a_part_of_a_pool_is_the_rows_of_its_utterances(pool: Pool) -> None:
    part = open_pool(pool.folder, corpus_of("1", "3"), voices=2)
    rows = [i for i, utterance in enumerate(pool.utterances) if utterance.id != "c/2"]
    assert [utterance.id for utterance in part.utterances] == ["c/1", "c/3"] * 2
    assert all(np.array_equal(part.read(place), pool.read(row)) for place, row in enumerate(rows))
    again = pickle.loads(pickle.dumps(part))
    assert again.utterances == part.utterances and np.array_equal(again.read(1), part.read(1))
    with pytest.raises(CorpusError, match="holds 1 utterances, and not those 2"):
        open_pool(pool.folder, corpus_of("1", "5"), voices=2)


# ---- what the pool says of itself -----------------------------------------------------------------------


def test_voices_drawn_as_the_recipe_asks_are_accepted_and_others_refused(tmp_path: Path) -> None:
    write_shard(tmp_path, 0, 1.0)
    write_shard(tmp_path, 1, 1.2, drawn={"voice": {"speed": [1.1, 1.3], "formants": [1, 1]}, "seed": 4})
    pool = Pool(tmp_path, voices=2)
    pool.require_voices([FASTER], seed=4)
    for voice, seed in ((FASTER, 5), (Voice(speed=(1.1, 1.31)), 4)):
        with pytest.raises(
            CorpusError, match=r"voice 1 was drawn from speed \[1.1, 1.3\], .* by seed 4; .* for the pool"
        ):
            pool.require_voices([voice], seed=seed)


def test_an_older_pool_is_accepted_by_what_its_voices_are(pool: Pool) -> None:
    pool.require_voices([FASTER], seed=99)
    pool.require_voices([Voice(speed=(1.2, 1.2))], seed=0)
    with pytest.raises(CorpusError, match=r"voice 1 has a at speed 1.2, .* asks for speed \[0.8, 1.1\]"):
        pool.require_voices([Voice(speed=(0.8, 1.1))], seed=0)


def test_the_first_shard_holds_the_speakers_own_voices(tmp_path: Path) -> None:
    write_shard(tmp_path, 0, 1.2)
    with pytest.raises(CorpusError, match=r"voice 0 has a at speed 1.2, .* asks for the speakers' own"):
        Pool(tmp_path, voices=1).require_voices([], seed=0)


def test_who_the_teacher_is_may_be_known_unknown_or_there_is_none(pool: Pool) -> None:
    assert read_teacher(pool.folder) == UNKNOWN
    teacher = SourceModel(title="large 1", id="ab" * 32, licence="Apache-2.0")
    save_record(teacher, pool.folder / "teacher.json")
    assert read_teacher(pool.folder) == teacher
    for number in range(2):
        (pool.folder / f"voice-{number}.teacher.npy").unlink()
    assert read_teacher(pool.folder) is None
