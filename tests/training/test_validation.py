"""The dev suite: rates known by hand, and conditions that are the same for every run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from voiceprint.corpus import Corpus, Utterance, read_manifest
from voiceprint.errors import ConfigError, CorpusError
from voiceprint.training.augment import NoiseBank
from voiceprint.training.data.batches import CorpusShare
from voiceprint.training.run.validation import CONDITIONS, DevSuite, ValidationConfig, embed_samples


@pytest.fixture
def dev(tiny_corpora: Path) -> Corpus:
    return read_manifest(tiny_corpora / "tiny").filter(split="dev")


def suite_of(dev: Corpus, *conditions: str, clips: int = 2) -> DevSuite:
    noise = NoiseBank.from_arrays([np.random.default_rng(0).integers(-99, 99, 32_000).astype(np.int16)])
    return DevSuite(dev, ValidationConfig(conditions=conditions, clips_per_speaker=clips), noise=noise)


def test_an_encoder_that_knows_the_speaker_makes_no_errors(dev: Corpus) -> None:
    suite = suite_of(dev, "clean")
    speaker_of = {
        clip[:50].tobytes(): name for clip, name in zip(suite.clips["clean"], suite.speakers, strict=True)
    }
    names = sorted(set(suite.speakers))

    def oracle(batch: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.eye(len(names), dtype=np.float32)[
            [names.index(speaker_of[row[:50].tobytes()]) for row in batch]
        ]

    assert suite.measure(oracle) == {"eer": 0.0, "eer/tiny/clean": 0.0}
    curve = suite.curves["tiny/clean"]
    # 8 speakers of 2 clips: 8 pairs of one speaker, and 120 - 8 of two.
    assert (curve.n_target, curve.n_nontarget) == (8, 112)
    assert ((curve.p_miss == 0) & (curve.p_fa == 0)).any()


def test_an_encoder_that_puts_own_clips_apart_errs_always(dev: Corpus) -> None:
    suite = suite_of(dev, "clean")
    place = {clip[:50].tobytes(): number % 2 for number, clip in enumerate(suite.clips["clean"])}

    def contrary(batch: NDArray[np.float32]) -> NDArray[np.float32]:
        # Two clips a speaker: the first at +1, the second at -1. Same-speaker scores are all -1.
        signs = [1.0 - 2.0 * place[row[:50].tobytes()] for row in batch]
        return np.array([[sign, 0.0] for sign in signs], dtype=np.float32)

    assert suite.measure(contrary)["eer"] > 0.5


def test_conditions_are_reproducible_and_differ(dev: Corpus) -> None:
    first, second = suite_of(dev, *CONDITIONS), suite_of(dev, *CONDITIONS)
    for condition in first.clips:
        assert all(
            np.array_equal(a, b) for a, b in zip(first.clips[condition], second.clips[condition], strict=True)
        )
        if condition not in {"clean", "1s"}:  # the clips are one second long
            assert not np.array_equal(first.clips[condition][0], first.clips["clean"][0])
    assert {len(clip) for clip in first.clips["0.4s"]} == {6400}


def test_crossed_trials_have_a_clean_clip_on_one_side_and_a_degraded_one_on_the_other(dev: Corpus) -> None:
    suite = suite_of(dev, *CONDITIONS)
    degraded = {
        clip[:50].tobytes() for name in ("telephone", "noise", "babble") for clip in suite.clips[name]
    }

    def by_condition(batch: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.array([[1.0, 0.0] if row[:50].tobytes() in degraded else [0.0, 1.0] for row in batch])

    rates = suite.measure(by_condition)
    crossed = suite.trials["tiny/crossed"]
    assert (crossed.scores == 0.0).all() and (suite.trials["tiny/babble"].scores == 1.0).all()
    # 16 clips of 8 speakers: each against 15 others, one of them of the same speaker.
    assert (crossed.is_target.sum(), len(crossed.scores)) == (16, 16 * 15)
    assert rates["eer/tiny/crossed"] == pytest.approx(0.5)
    with pytest.raises(ConfigError, match="'crossed' is made of clips of others; add babble, noise"):
        ValidationConfig(conditions=("clean", "telephone", "crossed"))


def test_corpora_count_by_their_shares(dev: Corpus) -> None:
    two = Corpus([*dev, *(replace(clip, corpus="more") for clip in dev)])
    shares = (CorpusShare(corpus="tiny", share=3), CorpusShare(corpus="more", share=1))
    suite = DevSuite(two, ValidationConfig(conditions=("clean",), shares=shares), noise=None)
    assert suite.mean({"tiny/clean": 0.1, "more/clean": 0.5}) == pytest.approx(0.2)
    assert suite.mean(
        {"tiny/clean": np.array([0.1, 0.2]), "more/clean": np.array([0.5, 0.2])}
    ) == pytest.approx([0.2, 0.2])
    with pytest.raises(CorpusError, match=r"validation.shares: are of tiny; the dev clips are of more, tiny"):
        DevSuite(two, ValidationConfig(conditions=("clean",), shares=shares[:1]), noise=None)


def test_the_first_clips_of_every_speaker(dev: Corpus) -> None:
    assert len(suite_of(dev, "clean", clips=3).speakers) == 8 * 3
    assert len(suite_of(dev, "clean", clips=0).speakers) == len(dev)


def test_embeddings_come_back_in_order_and_of_unit_length() -> None:
    clips = [np.full(length, length, dtype=np.float32) for length in (3, 5, 3, 4)]
    rows = embed_samples(
        lambda batch: np.stack([batch[:, 0], np.ones(len(batch))], axis=1).astype("f4"), clips
    )
    assert rows[:, 0] / rows[:, 1] == pytest.approx([3, 5, 3, 4])
    assert np.linalg.norm(rows, axis=1) == pytest.approx(1.0)


def test_conditions_that_cannot_be_made(dev: Corpus) -> None:
    with pytest.raises(CorpusError, match=r"validation.conditions: 'loud' is not one of clean"):
        suite_of(dev, "loud")
    with pytest.raises(CorpusError, match="'noise' needs a noise corpus"):
        DevSuite(dev, ValidationConfig(conditions=("noise",)), noise=None)


# ---- episodes -------------------------------------------------------------------------------------------


def episodes(dev: Corpus, **config: Any) -> DevSuite:
    return DevSuite(dev, ValidationConfig(conditions=("clean",), **config), noise=None)


def test_one_shot_accuracy_of_oracles_and_guesses(dev: Corpus) -> None:
    suite = episodes(dev, ways=4, criterion="accuracy")
    clips = suite.clips["clean"]
    name_of = {clip[:50].tobytes(): name for clip, name in zip(clips, suite.speakers, strict=True)}
    names = sorted(set(suite.speakers))

    def known(batch: NDArray[np.float32], count: int) -> NDArray[np.float32]:
        """Tells the first ``count`` speakers from all others, and the others not at all."""
        places = [min(names.index(name_of[row[:50].tobytes()]), count) for row in batch]
        return np.eye(count + 1, dtype=np.float32)[places]

    assert suite.measure(lambda batch: known(batch, 8))["accuracy"] == 1.0
    # Everybody is alike and the first of four is taken: right in a quarter of 1000 episodes, give or take.
    assert suite.measure(lambda batch: known(batch, 0))["accuracy"] == pytest.approx(0.25, abs=0.05)
    some = suite.measure(lambda batch: known(batch, 5))
    assert 0.6 < some["accuracy"] == some["accuracy/tiny/clean"] < 0.95
    assert some == suite.measure(lambda batch: known(batch, 5))


def test_accuracy_decides_where_it_is_asked_for(dev: Corpus) -> None:
    assert episodes(dev, ways=5).criterion.name == "eer"
    criterion = episodes(dev, ways=5, shots=2, criterion="accuracy").criterion
    assert (criterion.name, criterion.title) == ("accuracy", "2-shot 5-way accuracy")
    assert criterion.improves(0.9, 0.8) and not criterion.improves(0.8, 0.8)


def test_episodes_that_cannot_be(dev: Corpus) -> None:
    with pytest.raises(ConfigError, match=r"set validation.ways"):
        ValidationConfig(criterion="accuracy")
    with pytest.raises(ConfigError, match=r"validation.ways: 1 speakers of 1 clips make no episodes"):
        ValidationConfig(ways=1)
    with pytest.raises(CorpusError, match=r"9, but only 8 dev speakers of tiny have more than 1 clips"):
        episodes(dev, ways=9)
    with pytest.raises(CorpusError, match=r"5, but only 0 dev speakers of tiny have more than 4 clips"):
        episodes(dev, ways=5, shots=4)


# ---- reading --------------------------------------------------------------------------------------------


def recordings(folder: Path, speakers: str, clips: int = 2, corpus: str = "calls") -> Corpus:
    """One recording of everybody, a level a second; clip ``n`` of a speaker is the stretch of that level."""
    utterances = []
    for speaker in speakers:
        path = folder / f"{speaker}.wav"
        levels = np.repeat(np.arange(1, clips + 1, dtype=np.int16) * 1000, 16_000)
        levels[::2] *= -1  # a constant would be taken for an offset of the recorder
        soundfile.write(path, levels, 16_000, subtype="PCM_16")
        utterances += [
            Utterance(
                path=path,
                speaker=speaker,
                seconds=1.0,
                id=f"{speaker}{n}",
                corpus=corpus,
                start=float(n),
                stop=n + 1.0,
            )
            for n in range(clips)
        ]
    return Corpus(utterances)


def test_stretches_of_one_recording_are_clips_of_their_own(tmp_path: Path) -> None:
    suite = suite_of(recordings(tmp_path, "ab"), "clean")
    assert [len(clip) for clip in suite.clips["clean"]] == [16_000] * 4
    assert [set(np.abs(clip * 32768)) for clip in suite.clips["clean"]] == [{1000.0}, {2000.0}] * 2
    # A clip that were a view of its recording would keep the whole of it in memory.
    assert all(clip.base is None or clip.base.size == 16_000 for clip in suite.clips["clean"])


def test_a_dev_clip_in_a_hundred_may_be_unreadable_and_two_may_not(dev: Corpus, tmp_path: Path) -> None:
    def many(broken: int) -> Corpus:
        return Corpus(
            replace(
                dev[number % 8],
                id=f"{number}",
                path=tmp_path / f"gone{number}.wav" if number < broken else dev[number % 8].path,
            )
            for number in range(100)
        )

    suite = suite_of(many(1), "clean", clips=0)
    assert ["gone0.wav" in bad.reason for bad in suite.unreadable] == [True]
    assert len(suite.clips["clean"]) == len(suite.speakers) == len(suite.corpora) == 99
    assert suite.speakers.tolist() == [u.speaker_id for u in many(0)][1:]
    with pytest.raises(CorpusError, match=r"2 of 100 dev clips cannot be read, more than 1%: .*gone0\.wav"):
        suite_of(many(2), "clean", clips=0)


@pytest.mark.parametrize(
    ("speakers", "clips", "found"),
    [("a", 3, "1 speakers, 1 of them"), ("ab", 1, "2 speakers, 0 of them")],
)
def test_a_corpus_without_both_kinds_of_trial_is_named(
    dev: Corpus, tmp_path: Path, speakers: str, clips: int, found: str
) -> None:
    with pytest.raises(CorpusError, match=rf"^calls: no dev error rate .* has {found} with two .* data.dev$"):
        suite_of(dev + recordings(tmp_path, speakers, clips), "clean")


@pytest.mark.parametrize("clips", [1, -1])
def test_a_clip_of_everybody_is_no_trial(clips: int) -> None:
    with pytest.raises(ConfigError, match=rf"validation.clips_per_speaker: {clips} clips of everybody"):
        ValidationConfig(clips_per_speaker=clips)
