"""The front door checks choices, rates, thresholds and counts, and takes arrays and files, one or many."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile as sf

from voiceprint.audio import SAMPLE_RATE, read_audio
from voiceprint.audio.clips import pool_clips, read_clip
from voiceprint.calibration import OperatingPoint, TrialShape
from voiceprint.engine.bulk import enroll_folders
from voiceprint.engine.enrollment import CandidateClip
from voiceprint.engine.measuring import measure_clip
from voiceprint.engine.verifier import Verifier
from voiceprint.errors import (
    ArgumentError,
    AudioError,
    EnrollmentError,
    InvalidNameError,
    NotCalibratedError,
    SpeakerExistsError,
    SpeakerNotFoundError,
)
from voiceprint.model import SpeakerModel
from voiceprint.store import AddMode

CLIP = "ada/3.wav"
NONSENSE = [math.nan, math.inf, -math.inf, "0.5", True, [0.5]]


@pytest.mark.parametrize("value", [*NONSENSE, 1.01, -1.01])
@pytest.mark.parametrize("verb", ["verify", "identify", "compare"])
def test_a_threshold_is_a_score(verifier: Verifier, people: Path, verb: str, value: Any) -> None:
    with pytest.raises(ArgumentError) as caught:
        ask(verifier, people, verb, threshold=value)
    assert caught.value.argument == "threshold"


@pytest.mark.parametrize("value", [*NONSENSE, 0.0, -0.01, 0.51, 1.0])
@pytest.mark.parametrize("verb", ["verify", "identify", "compare", "adapt"])
def test_a_false_accept_rate_is_a_rate(verifier: Verifier, people: Path, verb: str, value: Any) -> None:
    with pytest.raises(ArgumentError) as caught:
        ask(verifier, people, verb, far=value)
    assert caught.value.argument == "far"


@pytest.mark.parametrize("value", [*NONSENSE, 0.0, -3.0])
@pytest.mark.parametrize("verb", ["enroll", "verify", "identify", "compare"])
def test_the_least_speech_is_a_length(verifier: Verifier, people: Path, verb: str, value: Any) -> None:
    with pytest.raises(ArgumentError) as caught:
        ask(verifier, people, verb, min_speech=value)
    assert caught.value.argument == "min_speech"


@pytest.mark.parametrize("verb", ["verify", "identify", "compare"])
def test_a_rate_and_a_threshold_exclude_each_other(verifier: Verifier, people: Path, verb: str) -> None:
    with pytest.raises(ArgumentError, match="left out where threshold is given"):
        ask(verifier, people, verb, far=0.01, threshold=0.5)


@pytest.mark.parametrize(
    ("verb", "argument", "value"),
    [
        ("identify", "top", 0),
        ("identify", "top", 2.5),
        ("adapt", "most", -1),
        ("enroll", "mode", "append"),
        ("enroll", "mode", "Add"),
        ("enroll", "mode", None),
    ],
)
def test_counts_and_choices(verifier: Verifier, people: Path, verb: str, argument: str, value: Any) -> None:
    with pytest.raises(ArgumentError) as caught:
        ask(verifier, people, verb, **{argument: value})
    assert caught.value.argument == argument


@pytest.mark.parametrize(
    ("verb", "argument"),
    [
        ("enroll", "notes"),
        ("enroll", "consent"),
        ("enroll", "expires"),
        ("set_terms", "consent"),
        ("set_terms", "expires"),
        ("opt_out", "since"),
        ("identify", "among"),
        ("Verifier", "store"),
        ("Verifier", "model"),
    ],
)
@pytest.mark.parametrize(
    "value", [math.nan, 0, False, 10**400, object()], ids=["nan", "zero", "false", "huge", "object"]
)
def test_what_is_of_another_type_is_refused_by_name(
    verifier: Verifier, people: Path, verb: str, argument: str, value: Any
) -> None:
    given: dict[str, Any] = {argument: value}
    whole: dict[str, Any] = {"store": verifier.store_path, "model": verifier.model} | given
    calls: dict[str, Callable[[], object]] = {
        "enroll": lambda: verifier.enroll("carla", people / "carla" / "0.wav", **given),
        "set_terms": lambda: verifier.set_terms("ada", **({"consent": None, "expires": None} | given)),
        "opt_out": lambda: verifier.opt_out("ada", **given),
        "identify": lambda: verifier.identify(people / CLIP, **given),
        "Verifier": lambda: len(Verifier(**whole)),
    }
    with pytest.raises(ArgumentError) as caught:
        calls[verb]()
    assert caught.value.argument == argument
    assert verifier.speakers() == ["ada", "bert"]


@pytest.mark.parametrize("seconds", [0.0, -1.0, math.nan])
def test_the_longest_clip_is_a_length(model: SpeakerModel, tmp_path: Path, seconds: float) -> None:
    with pytest.raises(ArgumentError, match="max_seconds is"):
        Verifier(tmp_path, model=model, max_seconds=seconds)


def ask(verifier: Verifier, people: Path, verb: str, **options: Any) -> object:
    clip = people / CLIP
    arguments = {"identify": (clip,), "compare": (clip, clip)}.get(verb, ("ada", clip))
    return getattr(verifier, verb)(*arguments, **options)


# The agreement test: whoever joins a voiceprint is compared with it, whatever the mode is called.


def test_a_misspelt_mode_mixes_nobody_into_a_voiceprint(verifier: Verifier, people: Path) -> None:
    before = verifier.show("ada")
    clips = [people / "bert" / f"{clip}.wav" for clip in (3, 4)]
    candidates = [measure(verifier.model, clip) for clip in clips]
    for enroll in (
        lambda: verifier.enroll("ada", clips, mode="append"),  # type: ignore[arg-type]
        lambda: verifier.enroll_measured("ada", candidates, mode="append"),  # type: ignore[arg-type]
        lambda: list(enroll_folders(verifier, [people / "ada"], mode="append", jobs=1)),  # type: ignore[arg-type]
        lambda: verifier.store.add("ada", verifier.store.utterances("bert"), mode="append"),  # type: ignore[arg-type]
        lambda: verifier.store.import_records(
            [],
            model_id=verifier.model.id,
            dim=verifier.model.dim,
            mode="append",  # type: ignore[arg-type]
        ),
    ):
        with pytest.raises(ArgumentError, match="mode is 'append'"):
            enroll()
    assert not verifier.verify("ada", people / "bert/3.wav")
    assert verifier.show("ada").n_utterances == before.n_utterances


@pytest.mark.parametrize(
    ("name", "mode", "error"),
    [
        ("unknown", "new", InvalidNameError),
        ("ada", "new", SpeakerExistsError),
        ("zoe", "add", SpeakerNotFoundError),
    ],
)
def test_who_cannot_be_enrolled_is_refused_before_a_clip_is_read(
    verifier: Verifier, name: str, mode: AddMode, error: type[Exception]
) -> None:
    with pytest.raises(error):
        verifier.enroll(name, "no such clip.wav", mode=mode)


def test_two_who_add_at_once_are_both_compared_with_what_is_there(
    verifier: Verifier, people: Path, tmp_path: Path
) -> None:
    """The voiceprint is replaced between the check of the mode and the transaction: the new one decides."""
    candidates = [measure(verifier.model, people / "ada" / f"{clip}.wav") for clip in (3, 4)]
    verifier.check_enrolling("ada", "add")
    with Verifier(tmp_path / "store", model=verifier.model) as other:
        other.enroll("ada", [people / "bert" / f"{clip}.wav" for clip in range(3)], mode="replace")
    with pytest.raises(EnrollmentError, match="disagree with the enrolled voiceprint"):
        verifier.enroll_measured("ada", candidates, mode="add")


def test_a_clip_that_two_add_at_once_counts_once(verifier: Verifier, people: Path, tmp_path: Path) -> None:
    candidate = [measure(verifier.model, people / CLIP)]
    start, failed = threading.Barrier(2), []

    def add() -> None:
        with Verifier(tmp_path / "store", model=verifier.model) as mine:
            mine.check_enrolling("ada", "add")
            start.wait()
            try:
                mine.enroll_measured("ada", candidate, mode="add")
            except EnrollmentError as error:
                failed.append(error.clips[0].status)

    threads = [threading.Thread(target=add) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == ["duplicate"]
    assert verifier.show("ada").n_utterances == 4


def measure(model: SpeakerModel, clip: Path) -> CandidateClip:
    return measure_clip(clip, model)


# Verdicts are true where they say yes.


def test_a_verdict_is_true_exactly_where_it_says_yes(verifier: Verifier, people: Path) -> None:
    right, wrong = people / CLIP, people / "bert/3.wav"
    assert verifier.verify("ada", right)
    assert not verifier.verify("ada", wrong)
    assert verifier.identify(right, allow_replay=True)
    assert not verifier.identify(right)  # it was accepted before
    assert not verifier.identify(right, threshold=1.0)
    assert verifier.compare(right, people / "ada/4.wav", threshold=0.5)
    assert not verifier.compare(right, wrong)
    short = read_audio(sf.read(right)[0][:3200], sample_rate=SAMPLE_RATE)
    assert not verifier.verify("ada", short, threshold=-1.0)
    verifier.opt_out("ada")
    assert not verifier.verify("ada", right, threshold=-1.0)


# Several clips of one claim.


def test_several_clips_of_a_claim_are_pooled(verifier: Verifier, people: Path) -> None:
    paths = [people / "ada" / f"{clip}.wav" for clip in (3, 4)]
    single = [verifier.verify("ada", path, allow_replay=True) for path in paths]
    pooled = verifier.verify("ada", paths)
    speech = sum(answer.seconds_of_speech or 0.0 for answer in single)
    assert pooled.seconds_of_speech == pytest.approx(speech)
    clips = [read_clip(path) for path in paths]
    joined = verifier.model.embed(np.concatenate([clip.speech for clip in clips]))
    assert pooled.score == pytest.approx(float(joined @ verifier.show("ada").centroid), abs=1e-5)
    shape = TrialShape(n_enroll=3, seconds=speech, snr_db=pool_clips(clips).quality.snr_db)
    assert pooled.threshold == float(verifier.model.decider().thresholds(shape))
    assert not verifier.verify("bert", paths)
    assert verifier.identify(paths, allow_replay=True).name == "ada"
    assert verifier.compare(paths, people / "ada/0.wav").seconds_of_speech[0] == pytest.approx(speech)


def test_clips_too_short_alone_are_enough_together(verifier: Verifier, people: Path) -> None:
    clip = read_clip(people / CLIP)
    least = 0.75 * clip.quality.seconds_of_speech
    samples = read_audio(people / CLIP).samples
    halves = [samples[: len(samples) // 2], samples[len(samples) // 2 :]]
    options: dict[str, Any] = {"sample_rate": SAMPLE_RATE, "min_speech": least}
    assert [verifier.verify("ada", half, **options).decision for half in halves] == ["not_enough_speech"] * 2
    assert verifier.verify("ada", halves, **options).decision == "accepted"


def test_a_recording_that_comes_twice_counts_once(verifier: Verifier, people: Path) -> None:
    once = verifier.verify("ada", people / CLIP, allow_replay=True)
    twice = verifier.verify("ada", [people / CLIP] * 2)
    assert twice == once


def test_no_clips_are_no_claim(verifier: Verifier) -> None:
    with pytest.raises(ArgumentError, match="clips is"):
        verifier.verify("ada", [])


def test_one_clip_of_a_claim_that_cannot_be_read_is_an_error(verifier: Verifier, people: Path) -> None:
    with pytest.raises(AudioError, match=r"nowhere\.wav does not exist"):
        verifier.verify("ada", [people / CLIP, people / "nowhere.wav"])


# One default for all three verbs: the card's operating point.


@pytest.mark.parametrize(
    "point", [OperatingPoint.far(0.2), OperatingPoint.eer(), OperatingPoint.cost(p_target=0.3, c_fa=2.0)]
)
def test_every_verb_decides_where_the_card_says(
    tmp_path: Path, model: SpeakerModel, people: Path, point: OperatingPoint
) -> None:
    chosen = SpeakerModel.open(model.folder)
    chosen.card = replace(model.card, decision=point)
    clip, decider = people / CLIP, chosen.decider()
    with Verifier(tmp_path / "store", model=chosen) as verifier:
        for name in ("ada", "bert"):
            verifier.enroll(name, [people / name / f"{clip}.wav" for clip in range(3)])
        quality = verifier.quality(clip)
        shape = TrialShape(n_enroll=3, seconds=quality.seconds_of_speech, snr_db=quality.snr_db)
        alone = replace_n(shape, 1)
        assert verifier.verify("ada", clip).threshold == float(decider.thresholds(shape, point))
        assert verifier.compare(clip, clip).threshold == float(decider.thresholds(alone, point))
        assert verifier.identify(clip).threshold == float(decider.thresholds(shape, point.among(2)))
        assert verifier.identify(clip, far=0.05).threshold == float(
            decider.thresholds(shape, OperatingPoint.far(0.05).among(2))
        )


def replace_n(shape: TrialShape, n_enroll: int) -> TrialShape:
    return TrialShape(n_enroll=n_enroll, seconds=shape.seconds, snr_db=shape.snr_db)


def test_a_watch_list_may_be_one_name(verifier: Verifier, people: Path) -> None:
    answer = verifier.identify(people / CLIP, among="bert")
    assert [match.name for match in answer.matches] == ["bert"]


def test_without_thresholds_a_model_needs_one(tmp_path: Path, model: SpeakerModel, people: Path) -> None:
    bare = SpeakerModel.open(model.folder)
    bare.card = replace(model.card, calibration=None)
    with Verifier(tmp_path / "store", model=bare) as verifier:
        verifier.enroll("ada", [people / "ada" / f"{clip}.wav" for clip in range(3)])
        for verb in ("verify", "identify", "compare"):
            with pytest.raises(NotCalibratedError, match="was never calibrated; give a threshold"):
                ask(verifier, people, verb)
        assert verifier.verify("ada", people / CLIP, threshold=0.1).llr is None
