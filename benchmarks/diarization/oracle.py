"""Where the error is: the diarizer with one stage after another replaced by the truth."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from benchmarks.diarization.scenes import Scene
from voiceprint.audio import SAMPLE_RATE, Waveform
from voiceprint.audio.spooled import SpooledRecording
from voiceprint.diarization.activity import HOP, Activity, find_activity, runs_of
from voiceprint.diarization.attribution import attribute
from voiceprint.diarization.clustering import SpeakerRange
from voiceprint.diarization.segmentation import CLASSES, FRAME, LOCAL_SPEAKERS, WINDOW, Segmentation
from voiceprint.diarization.steps import RecordingEmbedder, cut_steps
from voiceprint.diarization.turns import SpeakerTurn, join_turns
from voiceprint.model import SpeakerModel

Diarize = Callable[[Scene], Sequence[SpeakerTurn]]


def oracles(model: SpeakerModel, network: Segmentation | None) -> Mapping[str, Diarize]:
    """Return ways to diarize a scene, by what is taken from the truth."""
    return {
        "nothing": lambda scene: _diarized(scene, model, network),
        "number": lambda scene: _diarized(scene, model, network, number=True),
        "speech": lambda scene: _diarized(scene, model, network, speech=True),
        "segmentation": lambda scene: _diarized(scene, model, None, segmentation=True),
        "speakers": lambda scene: _truly_attributed(scene, network),
        "one speaker": _one_at_a_time,
    }


def true_activity(turns: Sequence[SpeakerTurn], frames: int) -> Activity:
    """Return what a perfect network would find; where three or more speak, two of them."""
    active = active_frames(turns, frames)
    hop, length = HOP // FRAME, WINDOW // FRAME
    count = max(1, 1 + -(-(frames * FRAME - WINDOW) // HOP))
    padded = np.concatenate([active, np.zeros((count * hop + length, active.shape[1]), dtype=np.bool_)])
    windows = [_classes(padded[place * hop : place * hop + length]) for place in range(count)]
    spoken = active.sum(axis=1)
    return Activity(speech=spoken > 0, overlap=spoken > 1, windows=np.stack(windows))


def _classes(active: NDArray[np.bool_]) -> NDArray[np.uint8]:
    main = np.argsort(-active.sum(axis=0), kind="stable")[:LOCAL_SPEAKERS]
    sets = [tuple(np.flatnonzero(frame)[:2].tolist()) for frame in active[:, main]]
    return np.array([CLASSES.index(each) for each in sets], dtype=np.uint8)


def active_frames(turns: Sequence[SpeakerTurn], frames: int) -> NDArray[np.bool_]:
    """Return who truly speaks in each frame (frames, speakers), the speakers by name."""
    names = sorted({turn.speaker for turn in turns})
    active = np.zeros((frames, len(names)), dtype=np.bool_)
    for turn in turns:
        first, last = (int(np.ceil(at * SAMPLE_RATE / FRAME)) for at in (turn.start, turn.stop))
        active[first:last, names.index(turn.speaker)] = True
    return active


def _diarized(
    scene: Scene,
    model: SpeakerModel,
    network: Segmentation | None,
    *,
    number: bool = False,
    speech: bool = False,
    segmentation: bool = False,
) -> Sequence[SpeakerTurn]:
    count = len({turn.speaker for turn in scene.turns})
    speakers = SpeakerRange(least=count, most=count) if number else SpeakerRange()
    with _opened(scene) as recording:
        frames = -(-recording.samples // FRAME)
        true = true_activity(scene.turns, frames)
        activity = true if segmentation else find_activity(recording, network)
        if speech:
            activity = Activity(speech=true.speech, overlap=true.overlap, windows=activity.windows)
        steps = cut_steps(activity)
        embedder = RecordingEmbedder(recording=recording, steps=steps, model=model)
        found = attribute(activity, steps, embedder, decider=model.decider(), speakers=speakers)
    return _turns(found.active)


def _truly_attributed(scene: Scene, network: Segmentation | None) -> Sequence[SpeakerTurn]:
    """Give found speech and found overlap to whoever truly speaks there, or else to the last who did."""
    with _opened(scene) as recording:
        activity = find_activity(recording, network)
    active = active_frames(scene.turns, len(activity.speech))
    places = np.where(active.any(axis=1), np.arange(len(active)), 0)
    main = active.argmax(axis=1)[np.maximum.accumulate(places)]
    found = np.zeros_like(active)
    found[np.arange(len(active)), main] = activity.speech
    found |= active & activity.overlap[:, None]
    return _turns(found)


def _one_at_a_time(scene: Scene) -> Sequence[SpeakerTurn]:
    active = active_frames(scene.turns, -(-len(scene.samples) // FRAME))
    first = np.zeros_like(active)
    first[np.arange(len(active)), active.argmax(axis=1)] = active.any(axis=1)
    return _turns(first)


def _opened(scene: Scene) -> SpooledRecording:
    waveform = Waveform(samples=scene.samples, source=scene.name, original_rate=SAMPLE_RATE)
    return SpooledRecording.open(waveform, max_seconds=scene.seconds + 1.0)


def _turns(active: NDArray[np.bool_]) -> Sequence[SpeakerTurn]:
    second = FRAME / SAMPLE_RATE
    return join_turns(
        SpeakerTurn(start=max(0.0, (start - 0.5) * second), stop=(stop - 0.5) * second, speaker=str(place))
        for place in range(active.shape[1])
        for start, stop in runs_of(active[:, place])
    )
