"""WordChecker: whether a clip holds the words that were asked for, in their order and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from voiceprint.audio import SAMPLE_RATE
from voiceprint.audio.clips import Clip
from voiceprint.challenge.card import NETWORK_FILE, read_word_card
from voiceprint.challenge.order import order_scores
from voiceprint.challenge.words import WORDS, check_words
from voiceprint.errors import ArgumentError
from voiceprint.onnx_runtime import open_classifier

CLASSES = ("", *WORDS, "other")
"""What the network tells apart in each frame: no word, those that may be asked for, any other."""

LOWEST = -500.0
"""The score of an order of which there is nothing in a clip."""

_PACKAGED = Path(__file__).parents[1] / "models" / "challenge"
_SHORTEST, _LONGEST = SAMPLE_RATE // 5, 30 * SAMPLE_RATE  # samples in which so few words are said


@dataclass(frozen=True, slots=True, kw_only=True)
class SaidWords:
    """Whether somebody said what they were asked to say.

    Attributes
    ----------
    score : float
        Natural log of the probability that the clip holds these words in this order and nothing else.
    threshold : float
        They count as said if ``score >= threshold``.
    """

    score: float
    threshold: float

    def __bool__(self) -> bool:
        """Whether the words count as said."""
        return self.score >= self.threshold

    @property
    def reason(self) -> str:
        """It in a sentence."""
        reaches = "reaches" if self else "is below"
        said = f"score {self.score:.1f} {reaches} the threshold {self.threshold:.1f}"
        if self:
            return f"the words were said in their order: {said}"
        return f"these are not the words that were asked for, in their order and alone: {said}"


class WordChecker:
    """A network that recognizes a few English words, run by onnxruntime, and its card.

    Parameters
    ----------
    folder : Path
        ``challenge.onnx`` and ``challenge.toml``.

    Raises
    ------
    ModelError
        If a file is missing, or damaged.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.card = read_word_card(folder)
        self._session = open_classifier(
            folder / NETWORK_FILE, sha256=self.card.sha256, classes=len(CLASSES), called="word checker"
        )

    @classmethod
    def open(cls, folder: Path | None = None) -> Self:
        """Open the one that comes with the package, or another one's folder; ModelError if it cannot be."""
        return cls(_PACKAGED if folder is None else folder)

    def judge(self, clip: Clip, words: Sequence[str]) -> SaidWords:
        """Say whether one clip holds these words.

        Raises
        ------
        ArgumentError
            If the words may not be asked for, or the clip was pooled of several.

        Examples
        --------
        >>> from voiceprint.audio.clips import read_clip
        >>> said = WordChecker.open().judge(read_clip("door.wav"), ("cat", "up", "go", "left"))
        >>> bool(said), said.score < said.threshold
        (False, True)
        """
        if clip.parts:
            raise ArgumentError("clips", len(clip.parts), "one clip, in which all words are said")
        asked = [CLASSES.index(word) for word in check_words(words)]
        score = LOWEST
        # Not of its speech alone: a detector of speech may miss a word that is short.
        if _SHORTEST <= len(clip.samples) <= _LONGEST:
            score = max(LOWEST, float(order_scores(self.log_probabilities(clip.samples), [asked])[0]))
        return SaidWords(score=score, threshold=self.card.threshold)

    def log_probabilities(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """Recognize samples (n,) at 16 kHz -> log probabilities (frames, classes) of `CLASSES`."""
        found: NDArray[np.float32] = self._session.run(None, {"waveform": samples[None]})[0][0]
        return found
