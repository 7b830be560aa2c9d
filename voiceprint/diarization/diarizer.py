"""Diarizer: who speaks when in a recording, the enrolled by name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from voiceprint.arguments import check_count, check_number, check_one_of
from voiceprint.audio import SAMPLE_RATE, Waveform
from voiceprint.audio.clips import ClipSource, as_waveform, check_sample_rate
from voiceprint.audio.excerpt import Excerpt
from voiceprint.audio.spooled import SpooledRecording
from voiceprint.calibration import OperatingPoint
from voiceprint.diarization.activity import find_activity, runs_of
from voiceprint.diarization.attribution import Attribution, attribute
from voiceprint.diarization.clustering import SpeakerRange
from voiceprint.diarization.naming import Naming, embed_speech, name_speakers
from voiceprint.diarization.segmentation import FRAME, Segmentation
from voiceprint.diarization.steps import RecordingEmbedder, cut_steps
from voiceprint.diarization.turns import SpeakerTurn, join_turns
from voiceprint.engine.verifier import Verifier
from voiceprint.errors import ArgumentError, NotCalibratedError

__all__ = ["MAX_RECORDING", "Diarization", "DiarizedSpeaker", "Diarizer", "speaker_range"]

MAX_RECORDING = 12 * 3600.0
"""Seconds of the longest recording that is diarized unless asked otherwise."""

_POOLED = 60 * SAMPLE_RATE  # samples of a speaker that are embedded for a name
_SHORTEST = 8  # frames (0.16 s) of a turn

Progress = Callable[[str, float, float], None]
"""``progress(stage, seconds done, seconds in all)``; stages are "reading", "finding speech", "listening"."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DiarizedSpeaker:
    """One of the people in a recording.

    Attributes
    ----------
    name : str
        Of somebody enrolled, or ``speaker 1``, ``speaker 2``, ... in the order in which they first speak.
    identified : bool
        Whether the name is of somebody enrolled.
    seconds_of_speech : float
    turns : int
    score, llr, threshold : float or None
        Of the voiceprint that gave the name, as in `Identification`; None without one.
    embedding : ndarray of float32, shape (dim,)
        Of the person's speech.

    Examples
    --------
    >>> from voiceprint import Diarizer
    >>> speakers = Diarizer(verifier).diarize("meeting.wav").speakers
    >>> [(speaker.name, speaker.identified) for speaker in speakers]
    [('ada', True), ('speaker 1', False)]
    """

    name: str
    identified: bool
    seconds_of_speech: float
    turns: int
    score: float | None = None
    llr: float | None = None
    threshold: float | None = None
    embedding: NDArray[np.float32] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Diarization:
    """Who speaks when.

    Attributes
    ----------
    source : str
        The recording.
    seconds : float
        Its length.
    turns : tuple of SpeakerTurn
        By start. Turns of different speakers overlap where two speak at once.
    speakers : tuple of DiarizedSpeaker
        In the order in which they first speak; empty where nobody does.
    model : str
        Id of the model that embedded them.

    Examples
    --------
    >>> from voiceprint import Diarizer
    >>> found = Diarizer(verifier).diarize(clip)
    >>> [speaker.name for speaker in found.speakers]
    ['ada']
    """

    source: str
    seconds: float
    turns: tuple[SpeakerTurn, ...]
    speakers: tuple[DiarizedSpeaker, ...]
    model: str

    def __iter__(self) -> Iterator[SpeakerTurn]:
        """Iterate over the turns."""
        return iter(self.turns)

    def _repr_html_(self) -> str:
        """Return what a notebook shows."""
        from voiceprint.html import card, lanes  # noqa: PLC0415  only notebooks need it

        stretches = {
            speaker.name: [(turn.start, turn.stop) for turn in self.turns if turn.speaker == speaker.name]
            for speaker in self.speakers
        }
        count = f"{len(stretches)} speaker{'s' * (len(stretches) != 1)} in {self.seconds:.1f} s"
        return card(f"{self.source}: {count}", lanes(stretches, self.seconds))


class Diarizer:
    """Finds speakers and turns in recordings, and names the enrolled ones.

    Parameters
    ----------
    verifier : Verifier
        Its model embeds, its store names.
    network : Segmentation, optional
        Finds overlaps and changes; by default the packaged one, where the package has one.
    max_seconds : float
        Longest recording that is read.

    Raises
    ------
    NotCalibratedError
        If the model has no calibration, by which speakers are told apart.

    Examples
    --------
    >>> from voiceprint import Diarizer, Verifier
    >>> with Verifier("enrollments") as verifier:
    ...     found = Diarizer(verifier).diarize("meeting.wav")
    >>> [speaker.name for speaker in found.speakers]
    ['ada', 'speaker 1']
    """

    def __init__(
        self, verifier: Verifier, *, network: Segmentation | None = None, max_seconds: float = MAX_RECORDING
    ) -> None:
        check_number("max_seconds", max_seconds, above=0.0)
        self.verifier = verifier
        self.network = Segmentation.packaged() if network is None else network
        self.max_seconds = max_seconds
        if verifier.model.card.calibration is None:
            raise NotCalibratedError(path=str(verifier.model.folder))

    def diarize(
        self,
        recording: ClipSource,
        *,
        sample_rate: int | None = None,
        channel: int | None = None,
        speakers: int | None = None,
        min_speakers: int | None = None,
        max_speakers: int | None = None,
        far: float | None = None,
        names: bool = True,
        progress: Progress = lambda stage, done, total: None,
    ) -> Diarization:
        """Find out who speaks when.

        Parameters
        ----------
        recording : clip
            A path, bytes, a file object, an array, a Waveform, or an Excerpt of at most an hour.
        sample_rate, channel, far
            As of `Verifier.identify`.
        speakers, min_speakers, max_speakers : int, optional
            How many people speak, where that is known, or bounds of it.
        names : bool
            Whether to look for the enrolled at all; the store is opened only then.
        progress : callable
            Told how far it is.

        Raises
        ------
        ArgumentError, AudioError, StoreError
            If an argument is out of range, the recording cannot be read, or the store cannot be used.
        """
        bounds = speaker_range(speakers, min_speakers, max_speakers)
        point = self.verifier.model.card.decision if far is None else OperatingPoint.far(far)
        if names:
            len(self.verifier.store)  # refused now, not after an hour
        check_sample_rate([recording], sample_rate)
        if isinstance(recording, Excerpt | Waveform):
            recording = as_waveform(recording, sample_rate=sample_rate, channel=channel)
            sample_rate = channel = None
        with SpooledRecording.open(
            recording,
            sample_rate=sample_rate,
            channel=channel,
            max_seconds=self.max_seconds,
            progress=lambda done: progress("reading", done, done),
        ) as spooled:
            found = self._attributed(spooled, bounds, progress)
            if found is None:
                return self._answer(spooled, (), [])
            pooled = [_speech_of(spooled, found, place) for place in range(len(found.seconds))]
        embeddings = self._embedded(pooled, found)
        lengths = [float(seconds) for seconds in found.seconds]
        given: list[Naming | None] = [None] * len(lengths)
        if names:
            given = name_speakers(embeddings, lengths, self.verifier, point)
        return self._named(spooled, found, embeddings, given)

    def _attributed(
        self, recording: SpooledRecording, bounds: SpeakerRange, progress: Progress
    ) -> Attribution | None:
        total = recording.seconds
        activity = find_activity(
            recording, self.network, progress=lambda done: progress("finding speech", min(done, total), total)
        )
        steps = cut_steps(activity)
        if not len(steps):
            return None
        embedder = RecordingEmbedder(
            recording=recording,
            steps=steps,
            model=self.verifier.model,
            progress=lambda done: progress("listening", min(done, total), total),
        )
        return attribute(activity, steps, embedder, decider=self.verifier.model.decider(), speakers=bounds)

    def _embedded(self, pooled: list[NDArray[np.float32]], found: Attribution) -> NDArray[np.float32]:
        """Embed all that each speaker says alone; whoever never speaks alone keeps the centroid."""
        embeddings = found.embeddings.copy()
        for place, speech in enumerate(pooled):
            if len(speech) >= SAMPLE_RATE // 2 and speech.any():
                embeddings[place] = embed_speech(self.verifier.model, speech)
        return embeddings

    def _named(
        self,
        recording: SpooledRecording,
        found: Attribution,
        embeddings: NDArray[np.float32],
        given: list[Naming | None],
    ) -> Diarization:
        runs = [
            [(a, b) for a, b in runs_of(found.active[:, place]) if b - a >= _SHORTEST]
            for place in range(len(given))
        ]
        order = sorted((place for place, some in enumerate(runs) if some), key=lambda place: runs[place][0])
        turns: list[SpeakerTurn] = []
        people: list[DiarizedSpeaker] = []
        taken = {naming.name for naming in given if naming is not None}
        numbers = (f"speaker {number}" for number in range(1, len(given) + len(taken) + 2))
        free = (name for name in numbers if name not in taken)
        for place in order:
            naming = given[place]
            name = next(free) if naming is None else naming.name
            spoken = [_turn(start, stop, name, recording.seconds) for start, stop in runs[place]]
            turns += spoken
            people.append(
                DiarizedSpeaker(
                    name=name,
                    identified=naming is not None,
                    seconds_of_speech=sum(turn.seconds for turn in spoken),
                    turns=len(spoken),
                    score=None if naming is None else naming.score,
                    llr=None if naming is None else naming.llr,
                    threshold=None if naming is None else naming.threshold,
                    embedding=embeddings[place],
                )
            )
        return self._answer(recording, join_turns(turns), people)

    def _answer(
        self, recording: SpooledRecording, turns: tuple[SpeakerTurn, ...], people: list[DiarizedSpeaker]
    ) -> Diarization:
        return Diarization(
            source=recording.source,
            seconds=recording.seconds,
            turns=turns,
            speakers=tuple(people),
            model=self.verifier.model.id,
        )


def speaker_range(speakers: int | None, least: int | None, most: int | None) -> SpeakerRange:
    """Return how many people may speak; ArgumentError where the numbers contradict each other.

    Examples
    --------
    >>> from voiceprint.diarization.diarizer import speaker_range
    >>> speaker_range(None, 2, 4)
    SpeakerRange(least=2, most=4)
    >>> speaker_range(3, None, None)
    SpeakerRange(least=3, most=3)
    """
    check_one_of(speakers=speakers, min_speakers=least)
    check_one_of(speakers=speakers, max_speakers=most)
    if speakers is not None:
        check_count("speakers", speakers)
        return SpeakerRange(least=speakers, most=speakers)
    if least is not None:
        check_count("min_speakers", least)
    if most is not None:
        check_count("max_speakers", most)
    if least is not None and most is not None and least > most:
        raise ArgumentError("min_speakers", least, f"at most max_speakers, {most}")
    return SpeakerRange(least=least or 1, most=most)


def _speech_of(recording: SpooledRecording, found: Attribution, speaker: int) -> NDArray[np.float32]:
    """Return what a speaker says alone, the longest turns first, up to a minute; in order of time."""
    alone = found.active[:, speaker] & (found.active.sum(axis=1) == 1)
    chosen: list[tuple[int, int]] = []
    left = _POOLED
    for start, stop in sorted(runs_of(alone), key=lambda run: run[0] - run[1]):
        if left <= 0:
            break
        chosen.append((start * FRAME, min(stop * FRAME, start * FRAME + left)))
        left -= (stop - start) * FRAME
    parts = [recording.read(start, stop) for start, stop in sorted(chosen)]
    return np.concatenate([np.zeros(0, dtype=np.float32), *parts])


def _turn(start: int, stop: int, name: str, seconds: float) -> SpeakerTurn:
    """Make a turn of frames; a frame lies around its middle."""
    half = 0.5 * FRAME / SAMPLE_RATE
    begin = max(0.0, start * FRAME / SAMPLE_RATE - half)
    return SpeakerTurn(start=begin, stop=min(seconds, stop * FRAME / SAMPLE_RATE - half), speaker=name)
