"""Which utterances cannot be stored, because they are not what they should be."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from numbers import Real
from typing import Any

import numpy as np

from voiceprint.arguments import check_type
from voiceprint.audio.fingerprint import is_fingerprint
from voiceprint.audio.quality import ClipQuality
from voiceprint.errors import EnrollmentError
from voiceprint.store.records import UNIT_TOLERANCE, EnrolledUtterance, check_zone, quality_numbers

_SHA256 = re.compile("[0-9a-f]{64}")


def check_utterances(name: str, utterances: Sequence[EnrolledUtterance], dim: int) -> None:
    """Refuse utterances that cannot be stored: none at all, or one that is not what it should be.

    The message of the EnrollmentError names the clip.
    """
    check_type("utterances", utterances, Sequence, "a sequence of EnrolledUtterance")
    if not utterances:
        raise EnrollmentError(f"no clips were given to enroll {name!r}; give at least one", name=name)
    for utterance in utterances:
        check_type("utterances", utterance, EnrolledUtterance, "of EnrolledUtterance")
        wrong = _what_is_wrong(utterance, dim)
        if wrong:
            raise EnrollmentError(f"{name!r}: clip {utterance.source!r} {wrong}", name=name)


def _what_is_wrong(utterance: EnrolledUtterance, dim: int) -> str | None:
    try:
        embedding = np.asarray(utterance.embedding, dtype=np.float32)
    except (TypeError, ValueError, OverflowError):
        return "has an embedding that is no array of numbers"
    if embedding.shape != (dim,):
        return f"has an embedding of shape {embedding.shape}, not ({dim},); embed it with the store's model"
    length = math.sqrt(np.dot(embedding, embedding))
    if not abs(length - 1.0) <= UNIT_TOLERANCE:
        return f"has an embedding of length {length:g}, not 1; normalise it"
    check_type("source", utterance.source, str, "text")
    if not isinstance(utterance.fingerprint, bytes) or not is_fingerprint(utterance.fingerprint):
        return "has a fingerprint that is none"
    check_type("quality", utterance.quality, ClipQuality, "a ClipQuality")
    if utterance.audio is not None:
        check_type("audio", utterance.audio, bytes, "bytes or None")
    if utterance.added is not None:
        check_zone("added", utterance.added)
    digits = utterance.clip_sha256
    if not isinstance(digits, str) or not _SHA256.fullmatch(digits):
        return f"has the hash {digits!r}, which is not 64 lower-case hexadecimal digits"
    return _what_is_wrong_of(utterance.quality)


def _what_is_wrong_of(quality: ClipQuality) -> str | None:
    seconds, speech, *others = quality_numbers(quality)
    if not (_is_finite(seconds) and _is_finite(speech) and all(n is None or _is_finite(n) for n in others)):
        return f"has a quality that is not finite: {quality}"
    if min(quality.seconds, quality.seconds_of_speech) < 0:
        return f"has a length below 0: {quality}"
    return None


def _is_finite(value: Any) -> bool:
    try:
        return isinstance(value, Real) and math.isfinite(value)
    except OverflowError:  # a whole number of more than 300 digits
        return False
