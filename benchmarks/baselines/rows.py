"""The rows of the table: what each is called, and what is run for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from benchmarks.baselines.bench import CAP_MINUTES, Bench
from benchmarks.baselines.classic import PACKAGED, cnn_svm, gmm, shipped, svm, variant, without_training
from benchmarks.baselines.networks import classify_five, first_epochs, verify_network
from benchmarks.baselines.records import Measured, fingerprint
from voiceprint.model import PACKAGED_MODEL

_PLAIN = 'features={kind="mfcc", normalization="none"}'
_CENTRED = 'features={kind="mfcc", normalization="mean"}'
_LPCC = 'features={kind="lpcc", normalization="mean"}'
_LPCC_PLAIN = 'features={kind="lpcc", normalization="none"}'
_OWN = 'speakers={kind="own"}'
_OPEN = frozenset({"eer", "voxforge"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A system of the table.

    Parameters
    ----------
    measures : frozenset of str
        Its tables: ``accuracy`` (five speakers; ``svm`` by way of its embeddings), ``eer`` (verification
        on speechocean762), ``voxforge``, ``distance`` (Euclidean), ``groups``, ``clips``.
    """

    name: str
    title: str
    measures: frozenset[str]
    run: Callable[[Bench], Measured]
    recipe: Callable[[Bench], object]

    def fingerprint(self, bench: Bench) -> str:
        """Of all that decides what the row measures, but for the code."""
        own_cap = () if bench.cap_minutes == CAP_MINUTES else (bench.cap_minutes,)
        return fingerprint(self.name, self.recipe(bench), bench.quick, *own_cap)


def _classifier(name: str, title: str, *overrides: str, recipe: str = "") -> Row:
    return Row(
        name=name,
        title=title,
        measures=frozenset({"accuracy"}),
        run=lambda bench: classify_five(name, bench.network(recipe or name, *overrides), bench),
        recipe=lambda bench: bench.network(recipe or name, *overrides),
    )


def _verifier(name: str, title: str, *, by_distance: bool = False) -> Row:
    return Row(
        name=name,
        title=title,
        measures=_OPEN | {"distance"} if by_distance else _OPEN,
        run=partial(verify_network, name, by_distance=by_distance),
        recipe=lambda bench: bench.network(name),
    )


def _variant(name: str, title: str, *, by_distance: bool = False) -> Row:
    """The default's encoder, taught otherwise: measured on everything."""
    tables = _OPEN | {"svm", "groups"}
    return Row(
        name=name,
        title=title,
        measures=tables | {"distance"} if by_distance else tables,
        run=partial(variant, name, by_distance=by_distance),
        recipe=lambda bench: (bench.network(name), bench.svm()),
    )


def _gmm(name: str, title: str, *overrides: str) -> Row:
    return Row(
        name=name,
        title=title,
        measures=frozenset({"accuracy"} if _OWN in overrides else {"accuracy", "eer"}),
        run=lambda bench: gmm(bench, *overrides),
        recipe=lambda bench: bench.gmm(*overrides),
    )


ROWS = (
    _classifier("five-speakers", "five-speakers: convolutions and BiLSTM over MFCCs, softmax"),
    _classifier(
        "five-speakers-centred",
        "five-speakers, mean subtracted",
        "encoder.mean_normalization=true",
        recipe="five-speakers",
    ),
    _classifier("keras-fft", "keras-fft: residual convolutions over FFT magnitudes"),
    Row(
        name="keras-fft-first-epoch",
        title="keras-fft after one epoch, three seeds",
        measures=frozenset({"first-epoch"}),
        run=lambda bench: first_epochs("keras-fft-first-epoch", bench.network("keras-fft"), bench),
        recipe=lambda bench: bench.network("keras-fft"),
    ),
    _classifier("spectrogram-cnn", "spectrogram-cnn: 2D convolutions on two spectrograms"),
    _classifier("resnet34-mel", "resnet34-mel: thin ResNet-34 (16 channels) on mel-spectrograms"),
    _gmm("gmm", "a GMM for each speaker, MFCC as they are", _PLAIN, _OWN),
    _gmm("gmm-centred", "a GMM for each speaker, MFCC, mean subtracted", _CENTRED, _OWN),
    _gmm("gmm-lpcc", "a GMM for each speaker, LPC cepstra as they are", _LPCC_PLAIN, _OWN),
    _gmm("gmm-ubm", "GMM-UBM, MFCC, mean subtracted"),
    _gmm("gmm-ubm-plain", "GMM-UBM, MFCC as they are", _PLAIN),
    _gmm("gmm-ubm-lpcc", "GMM-UBM, LPC cepstra, mean subtracted", _LPCC),
    Row(
        name="svm",
        title="SVM on statistics of MFCCs",
        measures=frozenset({"accuracy", "groups"}),
        run=svm,
        recipe=lambda bench: bench.svm(),
    ),
    Row(
        name="svm-embeddings",
        title="SVM on the shipped model's embeddings",
        measures=frozenset({"accuracy", "groups"}),
        run=lambda bench: svm(bench, PACKAGED),
        recipe=lambda bench: (bench.svm(), _model_id()),
    ),
    Row(
        name="centroids",
        title="the shipped model's embeddings, no training",
        measures=frozenset({"clips"}),
        run=without_training,
        recipe=lambda bench: (bench.svm(), _model_id()),
    ),
    Row(
        name="cnn-svm",
        title="cnn-svm: spectrogram network of the training speakers, SVM for new ones",
        measures=_OPEN | {"groups"},
        run=cnn_svm,
        recipe=lambda bench: (bench.cnn_svm(), bench.network(bench.cnn_svm().network)),
    ),
    _verifier("voicemap", "voicemap: siamese convolutions on 4 kHz audio, 1 s", by_distance=True),
    _verifier("voicemap-3s", "voicemap on 3 s", by_distance=True),
    _verifier("voicemap-softmax", "voicemap's softmax twin, 1 s"),
    _verifier("voicemap-softmax-3s", "voicemap's softmax twin, 3 s"),
    _verifier("lstm-triplet", "lstm-triplet: three BiLSTMs, random triplets"),
    _verifier("resnet34-mel-speakers", "thin resnet34-mel (16 channels), penultimate layer"),
    _variant("default-contrastive", "default encoder, contrastive loss alone", by_distance=True),
    _variant("default-triplet", "default encoder, triplet loss alone"),
    _variant("default-classification", "default encoder, classification alone"),
    _variant("default-without-teacher", "default encoder without its teacher"),
    Row(
        name="default",
        title="default: the model that ships",
        measures=_OPEN,
        run=shipped,
        recipe=lambda _: _model_id(),
    ),
)
"""Every row, in the order of the tables."""


def _model_id() -> str:
    return (PACKAGED_MODEL / "model.toml").read_text(encoding="utf-8")
