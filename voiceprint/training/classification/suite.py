"""The dev measure of a closed-set classifier: accuracy on the dev clips of the named speakers."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray
from torch import nn

from voiceprint.classification import Encode, EncoderClassifier
from voiceprint.corpus import Corpus, Unreadable
from voiceprint.corpus.reading import read_utterances
from voiceprint.errors import CorpusError
from voiceprint.training.losses import CombinedLoss
from voiceprint.training.run.criterion import ACCURACY
from voiceprint.training.run.validation import run_clips, torch_embed

_SMALLEST = 1e-12  # a probability, before its logarithm


class AccuracySuite:
    """Dev clips, read once, as they are.

    Parameters
    ----------
    loss : CombinedLoss
        The loss whose head classifies; its weights are those of the moment of measuring.
    """

    criterion = ACCURACY

    def __init__(self, corpus: Corpus, names: Sequence[str], loss: CombinedLoss, *, seconds: float) -> None:
        self.names, self.loss, self.seconds = tuple(names), loss, seconds
        self.clips = read_all(corpus)
        self.labels = class_labels(corpus, self.names)

    def __call__(self, encoder: nn.Module) -> dict[str, float]:
        """Accuracy and mean cross-entropy (``dev_loss``, in nats) of a torch encoder with the loss's head."""
        classifier = EncoderClassifier(
            encode=torch_encode(encoder), head=self.loss.head(), names=self.names, seconds=self.seconds
        )
        probabilities = classifier.classify_whole(self.clips).probabilities
        right = probabilities[np.arange(len(self.labels)), self.labels]
        return {
            "accuracy": float(np.mean(probabilities.argmax(axis=1) == self.labels)),
            "dev_loss": float(-np.log(np.maximum(right, _SMALLEST)).mean()),
        }


def class_labels(corpus: Corpus, names: Sequence[str]) -> NDArray[np.int64]:
    """The place among ``names`` of whoever speaks in each utterance, (len(corpus),)."""
    return np.array([names.index(utterance.speaker) for utterance in corpus], dtype=np.int64)


def read_all(corpus: Corpus) -> list[NDArray[np.float32]]:
    """Read every clip of a corpus, (n_samples,) each at 16 kHz.

    Raises
    ------
    CorpusError
        A clip cannot be read.
    """
    clips = []
    for clip in read_utterances(corpus):
        if isinstance(clip, Unreadable):
            raise CorpusError(f"a clip cannot be used: {clip.reason}")
        clips.append(clip)
    return clips


def torch_encode(encoder: nn.Module) -> Encode:
    """A torch encoder as a function of waveforms of any lengths: (n_samples,) each -> (len, dim)."""
    return partial(run_clips, torch_embed(encoder))
