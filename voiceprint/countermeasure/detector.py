"""Countermeasure: scores how much speech sounds spoken by somebody, not made or played by a machine."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray

from voiceprint.arguments import check_number
from voiceprint.audio import SAMPLE_RATE
from voiceprint.countermeasure.card import CARD_FILE, NETWORK_FILE, read_countermeasure_card
from voiceprint.errors import ArgumentError, ModelError
from voiceprint.onnx_runtime import open_classifier

SpoofKind = Literal["synthetic", "loudspeaker"]

KINDS: tuple[Literal["live"], SpoofKind, SpoofKind] = ("live", "synthetic", "loudspeaker")
"""What the network tells apart, in the order of its logits."""

SHORTEST = SAMPLE_RATE // 5
"""Samples of speech below which nothing can be said."""

_PACKAGED = Path(__file__).parents[1] / "models" / "countermeasure"
_LONGEST = 8 * SAMPLE_RATE  # samples that the network judges at once; longer speech is judged in parts


@dataclass(frozen=True, slots=True, kw_only=True)
class SpoofScore:
    """How much speech sounds spoken by somebody.

    Attributes
    ----------
    score : float
        Log-odds of the network; the higher, the more it sounds live.
    llr : float
        Calibrated natural-log likelihood ratio of live against made or played by a machine.
    threshold : float
        Where it was decided: live if ``score >= threshold``.
    kind : {"synthetic", "loudspeaker"} or None
        What it sounds most like; None where it is live.
    """

    score: float
    llr: float
    threshold: float
    kind: SpoofKind | None

    @property
    def is_live(self) -> bool:
        """Whether the score reaches the threshold."""
        return self.score >= self.threshold

    @property
    def reason(self) -> str:
        """It in a sentence; where threshold and likelihood seem to disagree, also why."""
        reaches = "reaches" if self.is_live else "is below"
        said = f"score {self.score:.2f} {reaches} the threshold {self.threshold:.2f}"
        ratio = f"(log-likelihood ratio {self.llr:+.1f})"
        if self.kind is None and self.llr < 0:
            likelier = f"it is likelier a machine's than live {ratio}, but few people may be rejected"
            return f"this is taken for somebody speaking live: {said}; {likelier}"
        if self.kind is None:
            return f"this sounds like somebody speaking live: {said}"
        if self.llr >= 0:
            likelier = f"it is likelier live than a machine's {ratio}, but this rate asks for more"
            return f"this does not sound enough like somebody speaking live: {said}; {likelier}"
        like = {"synthetic": "a voice that a machine makes", "loudspeaker": "a loudspeaker"}[self.kind]
        return f"this does not sound like somebody speaking live, but like {like}: {said}"


class Countermeasure:
    """A countermeasure's network, run by onnxruntime, and its card.

    Parameters
    ----------
    folder : Path
        ``countermeasure.onnx`` and ``countermeasure.toml``.

    Raises
    ------
    ModelError
        If a file is missing, or damaged.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.card = read_countermeasure_card(folder)
        self._session = open_classifier(
            folder / NETWORK_FILE, sha256=self.card.sha256, classes=len(KINDS), called="countermeasure"
        )

    @classmethod
    def open(cls, folder: Path | None = None) -> Self:
        """Open the one that comes with the package, or another one's folder.

        Raises
        ------
        ModelError
            If there is none, or it is damaged.
        """
        if folder is None and (folder := packaged_countermeasure()) is None:
            raise ModelError(
                "no countermeasure comes with this version",
                advice="train one (scripts/train_countermeasure), and name its folder",
                path=str(_PACKAGED),
            )
        return cls(folder)

    def score(self, speech: NDArray[np.float32], *, spoof_far: float = 0.01) -> SpoofScore:
        """Score speech.

        Parameters
        ----------
        speech : ndarray of float32, shape (n,)
            At 16 kHz: what is spoken of a clip, with its margins, as ``Clip.speech`` has it; 0.2 s at least.
        spoof_far : float
            The share of people that may be rejected, of those rates that the card has thresholds for.

        Raises
        ------
        ArgumentError
            If there is too little speech, or the rate is out of range.
        """
        logits = self.logits(speech)
        seconds = len(speech) / SAMPLE_RATE
        score = float(log_odds(logits[None])[0])
        threshold = self.card.threshold(spoof_far, seconds=seconds)
        spoof = KINDS[1] if logits[1] >= logits[2] else KINDS[2]
        return SpoofScore(
            score=score,
            llr=self.card.llr(score, seconds=seconds),
            threshold=threshold,
            kind=None if score >= threshold else spoof,
        )

    def logits(self, speech: NDArray[np.float32]) -> NDArray[np.float32]:
        """Judge speech (n,) -> the logits (3,) of `KINDS`; of long speech their mean over parts."""
        check_number("seconds of speech", len(speech) / SAMPLE_RATE, least=SHORTEST / SAMPLE_RATE)
        if not np.any(speech):
            raise ArgumentError("speech", "digital silence", "samples of a recording")
        parts = np.array_split(speech, -(-len(speech) // _LONGEST))
        judged = [self._session.run(None, {"waveform": part[None]})[0][0] for part in parts]
        mean: NDArray[np.float32] = np.mean(judged, axis=0, dtype=np.float32)
        return mean


def log_odds(logits: NDArray[np.float32]) -> NDArray[np.float64]:
    """Turn logits (n, 3) of `KINDS` into log-odds (n,) of live against the other two.

    Examples
    --------
    >>> log_odds(np.zeros((1, 3), np.float32)).round(3).tolist()
    [-0.693]
    """
    wide = logits.astype(np.float64)
    return np.asarray(wide[:, 0] - np.logaddexp(wide[:, 1], wide[:, 2]))


def packaged_countermeasure() -> Path | None:
    """Return the folder of the countermeasure that comes with the package; None where none does."""
    return _PACKAGED if (_PACKAGED / CARD_FILE).is_file() else None
