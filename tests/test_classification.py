"""Heads, windows, rejection and predictions, on numbers that can be checked by hand; no torch."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile as sf
from numpy.typing import ArrayLike, NDArray

from voiceprint.audio import SAMPLE_RATE, read_audio
from voiceprint.audio.vad import Segment, Speech
from voiceprint.classification import (
    CLASSIFIER_FILE,
    ClassifierModel,
    CosineHead,
    EncoderClassifier,
    LinearHead,
    Rejection,
    centroids_of,
    evaluate_classifier,
    fit_rejection,
    pack_head,
    similarity,
    to_probabilities,
    unpack_head,
)
from voiceprint.classification.classifier import cut_windows, speech_windows
from voiceprint.classification.evaluation import figures_of
from voiceprint.corpus import Corpus, Utterance
from voiceprint.corpus.splits import read_people
from voiceprint.errors import AudioError, ChannelsDifferError, CorpusError, ModelError, TrialError
from voiceprint.files.checksum import sha256_of
from voiceprint.metrics import ConfusionMatrix
from voiceprint.metrics.proportion import proportion_interval
from voiceprint.model import SpeakerModel
from voiceprint.model.card import read_model_card
from voiceprint.model.folder import write_model_card

NAMES = ("ada", "bert", "cleo", "dmitri")


def f32(values: ArrayLike) -> NDArray[np.float32]:
    return np.array(values, dtype=np.float32)


# ---- heads ----------------------------------------------------------------------------------------------


def test_a_linear_head_is_a_product_and_a_sum() -> None:
    head = LinearHead(weight=f32([[1, 2], [0, -1], [3, 0]]), bias=f32([0, 1, -1]))
    assert head.logits(f32([[1, 1], [2, 0]])).tolist() == [[3, 0, 2], [2, 1, 5]]
    assert (head.shape, head.size) == ((3, 2), 9)


def test_a_cosine_head_takes_the_nearest_centre_whatever_its_length() -> None:
    head = CosineHead(centres=f32([[[2, 0], [0, 1]], [[-1, 0], [-5, 0]]]), scale=10.0)
    assert head.logits(f32([[0, 7], [3, 4]])) == pytest.approx(f32([[10, 0], [8, -6]]), abs=1e-5)
    assert head.shape == (2, 2)


def test_softmax_sums_to_one_and_survives_large_logits() -> None:
    assert to_probabilities(f32([[1000, 1000], [np.log(3), 0]])) == pytest.approx(
        np.array([[0.5, 0.5], [0.75, 0.25]])
    )


@pytest.mark.parametrize(
    "head",
    [
        LinearHead(weight=f32([[1, 2], [3, 4]]), bias=f32([5, 6])),
        CosineHead(centres=f32([[[1, 2]], [[3, 4]]]), scale=30.0),
    ],
    ids=["linear", "cosine"],
)
def test_a_packed_head_comes_back_bit_for_bit(head: LinearHead | CosineHead) -> None:
    centroids = f32([[1, 0], [0, 1]])
    data = pack_head(head, centroids)
    assert data == pack_head(head, centroids)
    again, centroids_again = unpack_head(data, path=Path("x"))
    assert type(again) is type(head)
    assert np.array_equal(again.logits(f32([[0.3, 0.4]])), head.logits(f32([[0.3, 0.4]])))
    assert np.array_equal(centroids_again, centroids)


def test_what_is_no_head_is_refused() -> None:
    with pytest.raises(ModelError, match="is no classifier"):
        unpack_head(b"nothing of the kind", path=Path("classifier.npz"))
    data = pack_head(LinearHead(weight=f32([[1, 2], [3, 4]]), bias=f32([5, 6])), f32([[1, 0]]))
    with pytest.raises(ModelError, match=r"centroids \(1, 2\) for a head \(2, 2\)"):
        unpack_head(data, path=Path("classifier.npz"))


# ---- windows --------------------------------------------------------------------------------------------


def ends(windows: Sequence[Segment]) -> list[tuple[float, float]]:
    return [(window.start / SAMPLE_RATE, window.stop / SAMPLE_RATE) for window in windows]


def test_windows_have_the_length_of_training_and_the_last_ends_with_the_clip() -> None:
    assert ends(cut_windows(int(2.5 * SAMPLE_RATE), 1.0)) == [(0, 1), (1, 2), (1.5, 2.5)]
    assert ends(cut_windows(2 * SAMPLE_RATE, 1.0)) == [(0, 1), (1, 2)]
    assert ends(cut_windows(SAMPLE_RATE // 2, 1.0)) == [(0, 0.5)]


def test_windows_without_speech_are_left_out_unless_none_has_any() -> None:
    windows = cut_windows(3 * SAMPLE_RATE, 1.0)

    def speech(start: float, stop: float) -> Speech:
        part = Segment(start=int(start * SAMPLE_RATE), stop=int(stop * SAMPLE_RATE))
        return Speech(samples=np.zeros(part.stop - part.start, dtype=np.float32), segments=(part,))

    assert ends(speech_windows(windows, speech(0.7, 1.9))) == [(1, 2)]
    assert speech_windows(windows, speech(0.7, 1.2)) == windows


def test_probabilities_are_averaged_over_windows() -> None:
    def encode(waveforms: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
        return f32([[window[0], 0] for window in waveforms])  # the first sample is the logit of ada

    classifier = EncoderClassifier(
        encode=encode, head=LinearHead(weight=f32(np.eye(2)), bias=f32([0, 0])), names=NAMES[:2], seconds=1.0
    )
    clip = np.repeat(f32([np.log(3), np.log(1 / 3)]), SAMPLE_RATE)  # 0.75 for ada, then 0.25
    outputs = classifier.classify_whole([clip, clip[:SAMPLE_RATE]])
    assert outputs.probabilities == pytest.approx(np.array([[0.5, 0.5], [0.75, 0.25]]))


# ---- rejection ------------------------------------------------------------------------------------------


def test_similarity_is_the_cosine_to_the_nearest_centroid() -> None:
    embeddings = f32([[1.0, 0.0], [0.8, 0.6], [0.0, 1.0], [0.6, 0.8]])
    labels = np.array([0, 0, 1, 1])
    centroids = centroids_of(embeddings, labels)
    assert np.linalg.norm(centroids, axis=1) == pytest.approx([1, 1])
    assert similarity(f32([[1, 0], [-1, 0]]), f32([[1, 0], [0, 1]])).tolist() == [1, 0]


def test_with_out_of_set_clips_the_threshold_lies_where_both_errors_are_equal() -> None:
    rejection = fit_rejection(f32([0.9, 0.8, 0.7, 0.3]), f32([0.5, 0.2, 0.1, 0.0]), who="2 others")
    # From 0.5 up, one of four clips in the set is rejected and one of four others accepted.
    assert rejection.threshold == pytest.approx(0.5)
    assert (rejection.p_miss, rejection.p_fa) == (0.25, 0.25)
    assert (rejection.in_set, rejection.out_of_set) == (4, 4)
    assert rejection.how.endswith("clips of 2 others accepted")
    assert Rejection.from_dict(rejection.to_dict()) == rejection


def test_without_out_of_set_clips_the_people_s_dev_clips_set_the_threshold() -> None:
    rejection = fit_rejection(np.linspace(0, 1, 101, dtype=np.float32))
    assert rejection.threshold == pytest.approx(0.05)
    assert rejection.p_miss == pytest.approx(5 / 101)
    assert rejection.p_fa is None and "p_fa" not in rejection.to_dict()
    assert Rejection.from_dict(rejection.to_dict()) == rejection
    with pytest.raises(TrialError, match=r"missing .* 'threshold'"):
        Rejection.from_dict({})


# ---- figures --------------------------------------------------------------------------------------------


def test_precision_and_recall() -> None:
    confusion = ConfusionMatrix(names=("ada", "bert", "cleo"), counts=((3, 1, 0), (1, 4, 0), (0, 0, 0)))
    ada, bert, cleo = figures_of(confusion)
    assert (ada.clips, ada.precision, ada.recall) == (4, 0.75, 0.75)
    assert (bert.precision, bert.recall) == (0.8, 0.8)
    assert (cleo.clips, cleo.precision, cleo.recall) == (0, None, None)


def test_intervals_of_fractions() -> None:
    whole = proportion_interval(100, 100)
    assert (whole.value, whole.high) == (1.0, 1.0)
    assert whole.low == pytest.approx(0.9630, abs=1e-4)  # n / (n + z^2)
    half = proportion_interval(50, 100)
    assert (half.low, half.high) == pytest.approx((0.4038, 0.5962), abs=1e-4)
    with pytest.raises(TrialError, match="0 of 0"):
        proportion_interval(0, 0)


# ---- a model folder -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def folder(model_folder: Path, people: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model with a head that knows ada, bert and cleo by the mean of their first three clips."""
    place = tmp_path_factory.mktemp("classifier") / "model"
    place.mkdir()
    (place / "encoder.onnx").write_bytes((model_folder / "encoder.onnx").read_bytes())
    model = SpeakerModel.open(model_folder)
    embeddings = model.embed(
        [read_audio(people / name / f"{clip}.wav").samples for name in NAMES[:3] for clip in range(3)]
    )
    centroids = centroids_of(embeddings, np.repeat(np.arange(3), 3))
    head = CosineHead(centres=centroids[:, None], scale=20.0)
    (place / CLASSIFIER_FILE).write_bytes(pack_head(head, centroids))
    rejection = Rejection(threshold=0.7, p_miss=0.1, p_fa=0.1, in_set=3, out_of_set=3, how="others")
    card = read_model_card(model_folder)
    files = {name: sha256_of(place / name) for name in ("encoder.onnx", CLASSIFIER_FILE)}
    table = {"names": list(NAMES[:3]), "seconds": 2.0, "rejection": rejection.to_dict()}
    write_model_card(place, replace(card, files=files, extra={"classifier": table}))
    return place


@pytest.mark.parametrize("name", NAMES[:3])
def test_it_names_who_it_knows(folder: Path, people: Path, name: str) -> None:
    answer = ClassifierModel.open(folder).predict(people / name / "4.wav", reject=True)
    assert (answer.decision, answer.name, answer.threshold) == ("identified", name, 0.7)
    assert answer.probabilities[0].name == name
    assert sum(each.probability for each in answer.probabilities) == pytest.approx(1.0)


def test_one_of_two_voices_on_two_channels_is_named(
    folder: Path, voice: Callable[..., NDArray[np.float32]], tmp_path: Path
) -> None:
    ada, bert = voice("ada", 4, 2.0), np.roll(voice("bert", 4, 2.0), 9_000)
    sf.write(tmp_path / "call.wav", np.stack([ada, bert], axis=1), SAMPLE_RATE)
    model = ClassifierModel.open(folder)
    with pytest.raises(ChannelsDifferError):
        model.predict(tmp_path / "call.wav")
    named = [model.predict(tmp_path / "call.wav", channel=channel).name for channel in (1, 2)]
    assert named == ["ada", "bert"]


def test_an_out_of_set_speaker_is_unknown_only_where_that_is_asked(
    folder: Path, voice: Callable[..., NDArray[np.float32]]
) -> None:
    model = ClassifierModel.open(folder)
    edda = read_audio(voice("edda", 3, 2.0), sample_rate=SAMPLE_RATE)
    assert model.predict(edda).decision == "identified"
    rejected = model.predict(edda, reject=True)
    assert (rejected.decision, rejected.name) == ("unknown", None)
    assert rejected.similarity is not None
    at = model.predict(edda, threshold=rejected.similarity)
    assert at.decision == "identified"  # the threshold itself is enough


@pytest.mark.parametrize(
    ("seconds_of_speech", "seconds"), [(0.0, 1.0), (0.3, 1.0), (0.3, 5.0)], ids=["none", "some", "then zeros"]
)
def test_too_little_speech_is_never_named(
    folder: Path, voice: Callable[..., NDArray[np.float32]], seconds_of_speech: float, seconds: float
) -> None:
    clip = np.zeros(int(seconds * SAMPLE_RATE), dtype=np.float32)
    spoken_samples = int(seconds_of_speech * SAMPLE_RATE)
    clip[:spoken_samples] = voice("ada", 0, 1.0)[:spoken_samples]
    answer = ClassifierModel.open(folder).predict(read_audio(clip, sample_rate=SAMPLE_RATE))
    assert (answer.decision, answer.name, answer.probabilities) == ("not_enough_speech", None, ())


def test_evaluation_counts_every_clip(folder: Path, people: Path) -> None:
    classifier = ClassifierModel.open(folder).classifier
    known = Corpus(u for u in read_people(people) if u.speaker in NAMES[:3])
    report = evaluate_classifier(classifier, known)
    assert report.confusion.names == NAMES[:3]
    assert [sum(row) for row in report.confusion.counts] == [5, 5, 5]
    assert report.accuracy.value == report.confusion.accuracy >= 0.8
    with pytest.raises(CorpusError, match="'dmitri' is none of the 3 people"):
        evaluate_classifier(classifier, read_people(people))


def test_silence_among_the_clips_is_an_error_that_names_the_file(
    folder: Path, wav: Callable[..., Path], tmp_path: Path
) -> None:
    path = wav(tmp_path / "ada" / "0.wav", np.zeros(SAMPLE_RATE, dtype=np.float32))
    silent = Corpus([Utterance(path=path, speaker="ada", seconds=1.0, id="0")])
    with pytest.raises(AudioError, match=r"0.wav: is digital silence"):
        evaluate_classifier(ClassifierModel.open(folder).classifier, silent)


def test_a_model_that_is_no_classifier(model_folder: Path) -> None:
    with pytest.raises(ModelError, match="tiny 1 is no classifier"):
        ClassifierModel.open(model_folder)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda folder, table: (folder / CLASSIFIER_FILE).write_bytes(b"x"), "is not the file that the card"),
        (lambda folder, table: (folder / CLASSIFIER_FILE).unlink(), "classifier.npz: cannot be read"),
        (lambda folder, table: table.update(names=["ada"]), "is made for 3 people .* the card for 1"),
        (lambda folder, table: table.update(names="ada"), "names = 'ada' is no list"),
        (lambda folder, table: table.update(seconds=0), "seconds = 0 is not from"),
        (lambda folder, table: table.pop("rejection"), "the rejection is wrong: .* missing"),
    ],
)
def test_a_damaged_folder_is_refused(
    folder: Path, tmp_path: Path, damage: Callable[[Path, dict[str, Any]], object], message: str
) -> None:
    for path in folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    card = read_model_card(tmp_path)
    table = json.loads(json.dumps(card.extra["classifier"]))
    damage(tmp_path, table)
    write_model_card(tmp_path, replace(card, extra={"classifier": table}))
    with pytest.raises(ModelError, match=message):
        ClassifierModel.open(tmp_path)
