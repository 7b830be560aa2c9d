"""The looks that a session takes at people who talk: their scores against everybody enrolled."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from voiceprint.audio import read_audio
from voiceprint.audio.clips import MIN_SPEECH, Clip, read_clip
from voiceprint.audio.live_clip import LiveClip
from voiceprint.audio.vad import Windows
from voiceprint.calibration import TrialShape
from voiceprint.corpus import Corpus, Utterance
from voiceprint.engine.listening import next_look
from voiceprint.model import SpeakerModel
from voiceprint.scoring import centroid, cosine_matrix

_TALKS, _CLIPS = 3, 6  # talks of a person at most, and clips that are joined to one
_LATEST = 10.0  # seconds of speech that are looked at


@dataclass(frozen=True, slots=True, kw_only=True)
class Talk:
    """One person talking: each look at the speech so far.

    Attributes
    ----------
    shape : TrialShape
        Of every look against every person, (looks, people).
    scores : ndarray of shape (looks, people)
    """

    speaker: int
    shape: TrialShape
    scores: NDArray[np.float64]

    @property
    def seconds(self) -> NDArray[np.float64]:
        """Speech at each look, (looks,)."""
        return np.asarray(self.shape.seconds)[:, 0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Talker:
    """A person: what they are enrolled by, and what is said afterwards."""

    enrolled: int
    voiceprint: NDArray[np.float32]
    talks: Sequence[Sequence[tuple[Clip, NDArray[np.float32]]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class People:
    """Everybody of a corpus, enrolled, and their talks."""

    names: Sequence[str]
    talks: Sequence[Talk]


def clips_by_speaker(corpus: Corpus, generator: np.random.Generator) -> dict[str, list[Utterance]]:
    """Return the clips of each speaker, in an order drawn once."""
    return {
        speaker: [corpus[int(place)] for place in generator.permutation(places)]
        for speaker, places in corpus.by_speaker.items()
    }


def join_clips(utterances: Sequence[Utterance]) -> NDArray[np.float32]:
    """Read clips and join them, as if said one after the other: samples (n,) at 16 kHz."""
    return np.concatenate([read_audio(each.path).samples for each in utterances])


def measure_people(clips: Mapping[str, Sequence[Utterance]], model: SpeakerModel, *, enrolled: int) -> People:
    """Enroll everybody by `enrolled` clips, or half of theirs, and look at the rest as a session does."""
    talkers = {name: _talker(own, model, enrolled) for name, own in clips.items()}
    usable = {name: talker for name, talker in talkers.items() if talker is not None and talker.talks}
    counts = np.array([talker.enrolled for talker in usable.values()])
    voiceprints = np.stack([talker.voiceprint for talker in usable.values()])
    talks = [
        _against(place, looks, counts, voiceprints)
        for place, talker in enumerate(usable.values())
        for looks in talker.talks
    ]
    return People(names=list(usable), talks=talks)


def _talker(clips: Sequence[Utterance], model: SpeakerModel, enrolled: int) -> Talker | None:
    n = min(enrolled, len(clips) // 2)
    own = [read_clip(each.path) for each in clips[:n]]
    own = [clip for clip in own if clip.quality.seconds_of_speech >= MIN_SPEECH]
    if not own:
        return None
    rest = clips[n:]
    parts = [rest[start : start + _CLIPS] for start in range(0, len(rest), _CLIPS)][:_TALKS]
    talks = [list(_looks(join_clips(part), model)) for part in parts]
    return Talker(
        enrolled=len(own),
        voiceprint=centroid(np.stack([model.embed(clip.speech) for clip in own])),
        talks=[looks for looks in talks if looks],
    )


def _looks(samples: NDArray[np.float32], model: SpeakerModel) -> Iterator[tuple[Clip, NDArray[np.float32]]]:
    live, upcoming = LiveClip(most=_LATEST + 1.0), MIN_SPEECH
    for window in Windows().cut(samples):
        live.add(window)
        if live.seconds_of_speech >= upcoming:
            clip = live.clip()
            yield clip, model.embed(clip.speech)
            if clip.quality.seconds_of_speech >= _LATEST:
                return
            upcoming = next_look(clip.quality.seconds_of_speech, latest=_LATEST)


def _against(
    speaker: int,
    looks: Sequence[tuple[Clip, NDArray[np.float32]]],
    counts: NDArray[np.int64],
    voiceprints: NDArray[np.float32],
) -> Talk:
    size = (len(looks), len(counts))
    qualities = [clip.quality for clip, _ in looks]
    noise = np.array([quality.snr_db for quality in qualities], dtype=np.float64)  # None becomes NaN
    seconds = np.array([quality.seconds_of_speech for quality in qualities])
    return Talk(
        speaker=speaker,
        shape=TrialShape(
            n_enroll=np.broadcast_to(counts, size),
            seconds=np.broadcast_to(seconds[:, None], size),
            snr_db=np.broadcast_to(noise[:, None], size),
        ),
        scores=cosine_matrix(np.stack([embedding for _, embedding in looks]), voiceprints).astype(np.float64),
    )
