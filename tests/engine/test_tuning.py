from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from tiny_model import tiny_calibration
from typer.testing import CliRunner

from voiceprint import Verifier
from voiceprint.audio.quality import ClipQuality
from voiceprint.calibration import Calibration, SnrTerm
from voiceprint.cli import app
from voiceprint.engine.tuning import TUNING_FILE, read_tuning, remove_tuning, write_tuning
from voiceprint.engine.tuning_fit import fit_tuning
from voiceprint.errors import CalibrationError, StoreReadOnlyError
from voiceprint.model import SpeakerModel
from voiceprint.scoring import centroid, normalize
from voiceprint.store import EnrolledUtterance, EnrollmentStore

MODEL = "m" * 64
DIM = 16
QUALITY = ClipQuality(seconds=3.0, seconds_of_speech=3.0, level_dbfs=-20.0, clipped=0.0, snr_db=30.0)

runner = CliRunner()


def store_of(
    folder: Path, clips: Sequence[int], *, alike: float = 0.3, model: str = MODEL, dim: int = DIM
) -> EnrollmentStore:
    """Enroll one person for each number of clips; `alike` is how much all voices have in common."""
    rng = np.random.default_rng(0)
    common = rng.standard_normal(dim)
    store = EnrollmentStore.open(folder, model_id=model, dim=dim)
    for person, count in enumerate(clips):
        voice = alike * common + rng.standard_normal(dim)
        embeddings = normalize(voice + 0.3 * rng.standard_normal((count, dim))).astype(np.float32)
        store.add(f"person {person}", [utterance(e, f"{person} {i}") for i, e in enumerate(embeddings)])
    return store


def utterance(embedding: NDArray[np.float32], name: str) -> EnrolledUtterance:
    digest = f"{abs(hash(name)):064x}"[:64]
    return EnrolledUtterance(embedding=embedding, clip_sha256=digest, source=name, quality=QUALITY)


def by_hand(store: EnrollmentStore, rate: float) -> tuple[list[float], list[float]]:
    """Margins of every nontarget and target trial, one at a time."""
    calibration = tiny_calibration()
    people = {name: store.utterances(name) for name in store.names()}
    nontargets: list[float] = []
    targets: list[float] = []
    for name, own in people.items():
        for place, clip in enumerate(own):
            for other, theirs in people.items():
                kept = [u.embedding for i, u in enumerate(theirs) if other != name or i != place]
                limit = calibration.threshold(p_fa=rate, n_enroll=len(kept), seconds=3.0)
                margin = float(clip.embedding @ centroid(np.stack(kept))) - limit
                (targets if other == name else nontargets).append(margin)
    return nontargets, targets


def test_the_shift_is_what_the_enrolled_people_ask_for(tmp_path: Path) -> None:
    store = store_of(tmp_path / "store", [4] * 12)
    tuning = fit_tuning(store, tiny_calibration(), model_id=MODEL)
    nontargets, targets = by_hand(store, tuning.rate)
    # 528 nontarget trials of 66 pairs: 20 % gives 105 false accepts of 13 pairs, 5 % only 26.
    assert tuning.rate == 0.2
    assert (tuning.n_people, tuning.n_clips, tuning.left_out) == (12, 48, 0)
    assert sum(margin >= tuning.estimate for margin in nontargets) == 105  # at most 20 % of 528
    assert tuning.found == np.mean(np.array(nontargets) >= 0.0)
    assert tuning.low <= tuning.estimate <= tuning.high < 0.0
    assert tuning.shift == tuning.high  # as much of it as is sure
    _, strict = by_hand(store, 0.01)
    assert tuning.misses == np.mean(np.array(strict) < 0.0)
    assert tuning.misses_tuned == np.mean(np.array(strict) < tuning.shift)
    assert len(targets) == 48


def test_one_voice_under_many_names_is_no_impostor_of_itself(tmp_path: Path) -> None:
    store = store_of(tmp_path / "store", [4] * 12)
    before = fit_tuning(store, tiny_calibration(), model_id=MODEL)
    for copy in range(10):
        store.add(f"zoe {copy}", store.utterances("person 0"))
    after = fit_tuning(store, tiny_calibration(), model_id=MODEL)
    assert (after.n_people, after.left_out) == (12, 10)
    assert (after.shift, after.found, after.misses) == (before.shift, before.found, before.misses)


def test_people_who_sound_alike_get_a_stricter_threshold(tmp_path: Path) -> None:
    strangers = fit_tuning(store_of(tmp_path / "a", [4] * 12, alike=0.0), tiny_calibration(), model_id=MODEL)
    family = fit_tuning(store_of(tmp_path / "b", [4] * 12, alike=3.0), tiny_calibration(), model_id=MODEL)
    assert family.estimate > strangers.estimate + 0.2
    assert strangers.is_sure
    assert strangers.high < 0.0


def test_what_may_be_chance_moves_nothing(tmp_path: Path) -> None:
    # Shift the card to where the interval of these people holds 0.
    found = fit_tuning(store_of(tmp_path / "store", [4] * 12), tiny_calibration(), model_id=MODEL)
    card = moved(tiny_calibration(), found.estimate)
    store = EnrollmentStore.open(tmp_path / "store", model_id=MODEL, dim=DIM)
    tuning = fit_tuning(store, card, model_id=MODEL)
    assert tuning.low < 0.0 < tuning.high
    assert tuning.estimate == pytest.approx(0.0, abs=1e-6)
    assert tuning.shift == 0.0
    assert not tuning.is_sure


def moved(calibration: Calibration, shift: float) -> Calibration:
    """Shift every threshold."""
    return replace(
        calibration,
        cells=tuple(
            replace(cell, points=tuple(replace(p, threshold=p.threshold + shift) for p in cell.points))
            for cell in calibration.cells
        ),
    )


@pytest.mark.parametrize("clips", [[3] * 4, [3, 3, 3, 3, 2], [2] * 20, []])
def test_under_five_people_or_three_clips_it_refuses(tmp_path: Path, clips: list[int]) -> None:
    with pytest.raises(CalibrationError, match=r"people have 3 clips or more; at least 5 .* stay in force"):
        fit_tuning(store_of(tmp_path / "store", clips), tiny_calibration(), model_id=MODEL)


def test_who_has_too_few_clips_is_left_out(tmp_path: Path) -> None:
    tuning = fit_tuning(store_of(tmp_path / "store", [3] * 5 + [2, 1]), tiny_calibration(), model_id=MODEL)
    assert (tuning.n_people, tuning.n_clips, tuning.left_out) == (5, 15, 2)
    assert tuning.rate == 0.5  # 60 nontarget trials: 30 false accepts are expected at one in two


def test_a_tuning_is_read_as_it_was_written_and_removed(tmp_path: Path) -> None:
    store = store_of(tmp_path / "store", [3] * 6)
    tuning = fit_tuning(store, tiny_calibration(), model_id=MODEL)
    assert read_tuning(store) is None
    write_tuning(store, tuning)
    path = tmp_path / "store" / TUNING_FILE
    assert path.stat().st_mode & 0o077 == 0
    assert read_tuning(store) == tuning
    assert remove_tuning(store)
    assert read_tuning(store) is None
    assert not remove_tuning(store)


def test_a_store_that_is_only_read_takes_no_tuning(tmp_path: Path) -> None:
    with store_of(tmp_path / "store", [3] * 6) as store:
        tuning = fit_tuning(store, tiny_calibration(), model_id=MODEL)
    with EnrollmentStore.open(tmp_path / "store", read_only=True) as read:
        for change in (partial(write_tuning, tuning=tuning), remove_tuning):
            with pytest.raises(StoreReadOnlyError):
                change(read)
        assert read_tuning(read) is None


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("format = 2", "format = 3"),
        ("shift = ", "shift = 0.25 #"),
        ("shift = ", "shift = -0.25 #"),
        ("checksum = ", "checksums = "),
        ("shift = ", "shift = nan #"),
        ("rate = ", "rates = "),
        ("low = ", 'low = "x" #'),
        ("format", "= format"),
    ],
)
def test_a_damaged_tuning_is_refused(tmp_path: Path, old: str, new: str) -> None:
    store = store_of(tmp_path / "store", [3] * 6)
    write_tuning(store, fit_tuning(store, tiny_calibration(), model_id=MODEL))
    path = tmp_path / "store" / TUNING_FILE
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(CalibrationError, match=r"tuning\.toml: is damaged .* remove it, and tune again"):
        read_tuning(store)


@pytest.fixture
def enrolled(tmp_path: Path, model_folder: Path, people: Path) -> Path:
    """A store of four people with three clips each, by the tiny model."""
    with Verifier(tmp_path / "people", model=model_folder) as verifier:
        for name in ("ada", "bert", "cleo", "dmitri"):
            verifier.enroll(name, [people / name / f"{clip}.wav" for clip in range(3)])
    return tmp_path / "people"


def test_verify_adds_the_shift_and_says_whose_threshold_it_is(
    tmp_path: Path, enrolled: Path, model_folder: Path, people: Path
) -> None:
    model = SpeakerModel.open(model_folder)
    clip = people / "ada/3.wav"
    with Verifier(enrolled, model=model) as before:
        plain = before.verify("ada", clip)
        named = before.identify(clip)
    donor = fit_tuning(
        store_of(tmp_path / "donor", [3] * 6, model=model.id, dim=model.dim),
        tiny_calibration(),
        model_id=model.id,
    )
    with Verifier(enrolled, model=model) as after:
        write_tuning(after.store, replace(donor, shift=0.0625))
        tuned = after.verify("ada", clip)
        assert (plain.threshold_source, tuned.threshold_source) == ("model", "store")
        assert plain.threshold is not None and named.threshold is not None
        assert tuned.threshold == pytest.approx(plain.threshold + 0.0625)
        assert tuned.score == plain.score
        assert after.identify(clip).threshold == pytest.approx(named.threshold + 0.0625)
        assert after.identify(clip).threshold_source == "store"
        assert after.verify("ada", clip, threshold=0.5).threshold_source == "given"
        # Comparing two clips has nothing to do with the people in a store.
        assert after.compare(clip, clip).threshold_source == "model"


def test_a_tuning_for_another_model_or_calibration_is_not_used(
    enrolled: Path, tmp_path: Path, model_folder: Path
) -> None:
    tuning = fit_tuning(store_of(tmp_path / "donor", [3] * 6), tiny_calibration(), model_id=MODEL)
    with Verifier(enrolled, model=model_folder) as verifier:
        write_tuning(verifier.store, tuning)
        assert verifier.tuning is None  # made for a model of another id
        write_tuning(verifier.store, replace(tuning, model_id=verifier.model.id, calibration="f" * 64))
    with Verifier(enrolled, model=model_folder) as verifier:
        assert verifier.tuning is None


def test_an_open_verifier_sees_what_is_tuned_and_reset_meanwhile(
    tmp_path: Path, enrolled: Path, model_folder: Path, people: Path
) -> None:
    donor = fit_tuning(store_of(tmp_path / "donor", [3] * 6), tiny_calibration(), model_id=MODEL)
    clip = people / "ada/3.wav"
    with Verifier(enrolled, model=model_folder) as open_all_along, EnrollmentStore.open(enrolled) as other:
        plain = open_all_along.verify("ada", clip).threshold
        assert plain is not None
        for shift in (0.0625, 0.125):
            write_tuning(other, replace(donor, model_id=open_all_along.model.id, shift=shift))
            assert open_all_along.verify("ada", clip).threshold == pytest.approx(plain + shift)
        (enrolled / TUNING_FILE).write_text("shift = ")
        for _ in range(2):
            with pytest.raises(CalibrationError, match="is damaged"):
                open_all_along.verify("ada", clip)
        remove_tuning(other)
        assert open_all_along.verify("ada", clip).threshold == plain


def run(*arguments: object, code: int = 0) -> str:
    result = runner.invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == code, result.output
    return result.output


def test_the_command_tunes_shows_and_resets(tmp_path: Path, model_folder: Path) -> None:
    model = SpeakerModel.open(model_folder)
    store_of(tmp_path / "store", [4] * 6, model=model.id, dim=model.dim).close()
    common = ("--store", tmp_path / "store")
    said = run("tune", *common, "--model", model_folder, "--dry-run")
    assert "6 people, 24 clips: where the model's thresholds promise" in said
    assert not (tmp_path / "store" / TUNING_FILE).exists()
    kept = json.loads(run("tune", *common, "--model", model_folder, "--json"))
    assert kept["kept"]
    assert kept["tuning"]["n_people"] == 6
    assert "the store's own" in run("stats", *common)
    assert json.loads(run("stats", *common, "--json"))["threshold_source"] == "store"
    assert "in force again" in run("tune", *common, "--reset")
    assert json.loads(run("stats", *common, "--json"))["threshold_source"] == "model"


def test_the_command_refuses_a_store_that_is_too_small(enrolled: Path, model_folder: Path) -> None:
    said = run("tune", "--store", enrolled, "--model", model_folder, code=2)
    assert "4 of 4 people have 3 clips or more; at least 5 are needed" in said


def test_noise_in_a_clip_counts_as_it_does_when_a_claim_is_decided(tmp_path: Path) -> None:
    """Every clip has an SNR of 30 dB, 10 dB above the reference: each margin is 0.1 more."""
    store = store_of(tmp_path / "store", [4] * 12)
    plain = fit_tuning(store, tiny_calibration(), model_id=MODEL)
    term = SnrTerm(gain=0.01, reference_db=20.0, low_db=5.0, high_db=40.0)
    noisy = fit_tuning(store, replace(tiny_calibration(), snr=term), model_id=MODEL)
    assert noisy.estimate == pytest.approx(plain.estimate + 0.1)
    assert noisy.shift == pytest.approx(plain.shift + 0.1)
