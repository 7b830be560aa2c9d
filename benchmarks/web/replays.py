"""Recordings that come again in a tab and in Python: the same are refused, by the same fingerprints."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.web.page_scripts import run_script
from voiceprint.audio import read_audio
from voiceprint.audio.degrade import add_background, gsm, mp3, opus, pink_noise
from voiceprint.engine.verifier import Verifier
from voiceprint.errors import EnrollmentError
from voiceprint.store import read_export

Samples = NDArray[np.float32]

_RATE = 16_000
_ENROLLED = 3  # clips of a person; with the next one they are accepted, and the last one is new


def _faster(samples: Samples) -> Samples:
    places = np.arange(0.0, len(samples) - 1.0, 1.01)
    faster: Samples = np.interp(places, np.arange(len(samples)), samples).astype(np.float32)
    return faster


def _noisy(samples: Samples) -> Samples:
    return add_background(samples, pink_noise(len(samples), np.random.default_rng(0)), snr_db=20.0)


CHANGES: Mapping[str, Callable[[Samples], Samples]] = {
    "as it is": lambda samples: samples,
    "softer": lambda samples: np.float32(0.3) * samples,
    "opus": partial(opus, kbps=16),
    "mp3": partial(mp3, kbps=32),
    "gsm": gsm,
    "noisy": _noisy,
    "cut": lambda samples: samples[len(samples) // 5 : -len(samples) // 5],
    "faster": _faster,
}
"""What is done to a recording before it is played again."""

_SAMPLES = """const samples = async (address) => ({
        samples: new Float32Array(await (await fetch(address)).arrayBuffer()), sample_rate: 16000,
    });
    const [name, addresses] = values;"""
_ENROLL = f"""{_SAMPLES}
    const clips = await Promise.all(addresses.map(samples));
    const statuses = ({{ clips }}) => clips.map(({{ status }}) => status);
    return verifier.enroll(name, clips).then(statuses, ({{ code }}) => code);"""
_VERIFY = f"""{_SAMPLES}
    const answers = [];
    const anybody = {{ threshold: -1 }};
    for (const address of addresses) {{
        const {{ decision, replay }} = await verifier.verify(name, await samples(address), anybody);
        answers.push([decision, replay?.kind ?? null]);
    }}
    return answers;"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayParity:
    """How alike two engines know recordings again.

    Attributes
    ----------
    prints, other_prints : int
        Fingerprints of enrolled clips, and how many of them have another length in the tab than in Python.
    bits, bits_apart : int
        Of the others: signs, and how many differ.
    decisions, replayed : int
        Claims, and how many of them Python refuses as replays.
    other_decisions : tuple of str
        Claims that were decided otherwise, and how.
    """

    prints: int
    other_prints: int
    bits: int
    bits_apart: int
    decisions: int
    replayed: int
    other_decisions: tuple[str, ...]


def compare_replays(
    driver: Any, verifier: Verifier, people: Mapping[str, Sequence[Path]], folder: Path
) -> ReplayParity:
    """Enroll people on both sides, and play their recordings again, changed in several ways.

    Parameters
    ----------
    driver : selenium.webdriver.Chrome
        In whose page `verifier` is there, with nobody enrolled.
    verifier : Verifier
        With nobody enrolled, of the same model.
    people : mapping from str to sequence of Path
        Clips of each, at least five.
    folder : Path
        What the page's server serves.
    """
    decided = []
    for name, paths in people.items():
        clips = [read_audio(path).samples for path in paths]
        enrolled = clips[:_ENROLLED]
        theirs = run_script(driver, _ENROLL, name, _written(folder, enrolled))
        ours = _enroll(verifier, name, enrolled)
        if theirs != ours:
            raise ValueError(f"{name} is enrolled otherwise in the tab: {theirs}, in Python {ours}")
        if isinstance(ours, list):
            decided += list(_play_again(driver, verifier, name, clips, folder))
    text = run_script(driver, "return verifier.exportPeople();")
    (folder / "people.json").write_text(text, encoding="utf-8")
    prints = list(_prints(verifier, folder / "people.json"))
    alike = [pair for pair in prints if len(pair[0]) == len(pair[1])]
    return ReplayParity(
        prints=len(prints),
        other_prints=len(prints) - len(alike),
        bits=sum(8 * len(ours) for ours, _ in alike),
        bits_apart=sum(_bits_apart(*pair) for pair in alike),
        decisions=len(decided),
        replayed=sum(ours[0] == "replayed" for _, ours, _ in decided),
        other_decisions=tuple(
            f"{what}: {theirs}, in Python {ours}" for what, ours, theirs in decided if ours != theirs
        ),
    )


def _enroll(verifier: Verifier, name: str, clips: Sequence[Samples]) -> list[str] | str:
    """Enroll somebody; returns what became of the clips, or the code of the error."""
    try:
        return [clip.status for clip in verifier.enroll(name, clips, sample_rate=_RATE).clips]
    except EnrollmentError as error:
        return error.code


def _play_again(
    driver: Any, verifier: Verifier, name: str, clips: Sequence[Samples], folder: Path
) -> Iterator[tuple[str, list[str | None], list[str | None]]]:
    """Claim by enrolled clips, by one that is new and then comes again, and by another new one."""
    enrolled, accepted, new = clips[0], clips[_ENROLLED], clips[_ENROLLED + 1]
    plays = [(f"enrolled, {what}", change(enrolled)) for what, change in CHANGES.items()]
    plays += [("new", accepted)]
    plays += [(f"accepted, {what}", change(accepted)) for what, change in CHANGES.items()]
    plays += [("another", new)]
    theirs = run_script(driver, _VERIFY, name, _written(folder, [samples for _, samples in plays]))
    for (what, samples), their in zip(plays, theirs, strict=True):
        answer = verifier.verify(name, samples, sample_rate=_RATE, threshold=-1.0)
        kind = None if answer.replay is None else answer.replay.kind
        yield f"{name}, {what}", [answer.decision, kind], their


def _written(folder: Path, clips: Sequence[Samples]) -> list[str]:
    """Write samples where the page can fetch them; returns the addresses."""
    names = [f"play-{number}.f32" for number in range(len(clips))]
    for name, samples in zip(names, clips, strict=True):
        samples.astype("<f4").tofile(folder / name)
    return [f"/{name}" for name in names]


def _prints(verifier: Verifier, exported: Path) -> Iterator[tuple[bytes, bytes]]:
    for record in read_export(exported).records:
        known = {clip.clip_sha256: clip.fingerprint for clip in verifier.store.utterances(record.name)}
        for clip in record.utterances:
            yield known[clip.clip_sha256], clip.fingerprint


def _bits_apart(first: bytes, second: bytes) -> int:
    ours, theirs = (np.frombuffer(content, np.uint8) for content in (first, second))
    return int(np.unpackbits(ours ^ theirs).sum())
