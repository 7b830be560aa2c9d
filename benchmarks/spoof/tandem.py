"""Verification and the countermeasure together: spoofs of the very people who are claimed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.spoof.vocoders import codec2
from benchmarks.tables import markdown_table
from voiceprint.audio import SAMPLE_RATE
from voiceprint.audio.degrade import opus, within_full_scale
from voiceprint.audio.degrade.loudspeakers import Loudspeaker
from voiceprint.calibration import OperatingPoint, TrialShape
from voiceprint.countermeasure import Countermeasure
from voiceprint.metrics import VerificationErrors, det_curve, min_t_dcf, sasv_rates, tandem_llrs
from voiceprint.model import SpeakerModel
from voiceprint.scoring import centroid
from voiceprint.training.countermeasure.batches import SpoofBanks
from voiceprint.training.countermeasure.devices import held_out_replay

Samples = NDArray[np.float32]

_ENROLLED, _TRIED = 3, 5  # clips of a speaker
_KBPS = 24.0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Trials:
    """Likelihood ratios of verification and of the countermeasure, and whether verification accepts."""

    verification: NDArray[np.float64]
    countermeasure: NDArray[np.float64]
    accepted: NDArray[np.bool_]


def tandem_table(
    judge: Countermeasure, speech: SpoofBanks, *, devices: Sequence[Loudspeaker], seed: int
) -> str:
    """Measure both on the people of speechocean762, copied by loudspeakers and by a vocoder."""
    (bank,) = (bank for bank in speech.live if bank.name == "live-speechocean762")
    model = SpeakerModel.open()
    generator = np.random.default_rng(seed)
    of_speaker: dict[str, list[int]] = defaultdict(list)
    for place in range(len(bank)):
        of_speaker[bank.speakers[place]].append(place)
    people = {name: places for name, places in of_speaker.items() if len(places) >= _ENROLLED + _TRIED}
    voices = {
        name: centroid(model.embed([bank.clip(p) for p in places[:_ENROLLED]], sample_rate=SAMPLE_RATE))
        for name, places in people.items()
    }
    tried = {name: [bank.clip(p) for p in places[_ENROLLED:][:_TRIED]] for name, places in people.items()}
    played = {
        name: [held_out_replay(clip, generator, loudspeakers=devices) for clip in clips]
        for name, clips in tried.items()
    }
    copied = {
        name: [within_full_scale(codec2(clip, generator)) for clip in clips] for name, clips in tried.items()
    }
    targets = _trials(model, judge, voices, tried, shift=0)
    others = _trials(model, judge, voices, tried, shift=1)
    rows = [
        _row(name, targets, others, _trials(model, judge, voices, clips, shift=0))
        for name, clips in (("replay", played), ("Codec 2", copied))
    ]
    heads = [
        "spoofs of the claimed",
        "trials",
        "accepted by verification %",
        "SASV-EER % without / with",
        "min t-DCF",
    ]
    return markdown_table(heads, rows)


def _trials(
    model: SpeakerModel,
    judge: Countermeasure,
    voices: dict[str, NDArray[np.float32]],
    clips: dict[str, list[Samples]],
    *,
    shift: int,
) -> _Trials:
    """Try everybody's clips against the voice of the person so many places further on."""
    names, decider = list(voices), model.decider()
    scores, seconds, ratios = list[float](), list[float](), list[float]()
    for place, name in enumerate(names):
        claimed = voices[names[(place + shift) % len(names)]]
        sent = [opus(clip, kbps=_KBPS) for clip in clips[name]]
        scores += (model.embed(sent, sample_rate=SAMPLE_RATE) @ claimed).tolist()
        seconds += [clip.size / SAMPLE_RATE for clip in sent]
        ratios += [judge.score(clip).llr for clip in sent]
    shape = TrialShape(n_enroll=_ENROLLED, seconds=np.array(seconds))
    llrs = decider.llrs(scores, shape)
    return _Trials(
        verification=np.asarray(llrs, dtype=np.float64),
        countermeasure=np.array(ratios),
        accepted=decider.accepts(scores, shape, OperatingPoint.far(0.01)),
    )


def _row(name: str, targets: _Trials, others: _Trials, spoofs: _Trials) -> Sequence[str]:
    alone = sasv_rates(targets.verification, others.verification, spoofs.verification)
    joined = [tandem_llrs(each.verification, each.countermeasure) for each in (targets, others, spoofs)]
    curve = det_curve(targets.countermeasure, spoofs.countermeasure)
    errors = VerificationErrors(
        p_miss=float(np.mean(~targets.accepted)),
        p_fa=float(np.mean(others.accepted)),
        p_fa_spoof=float(np.mean(spoofs.accepted)),
    )
    return [
        name,
        f"{len(targets.verification)} + {len(others.verification)} + {len(spoofs.verification)}",
        f"{100 * errors.p_fa_spoof:.0f}",
        f"{100 * alone.together:.1f} / {100 * sasv_rates(*joined).together:.1f}",
        f"{min_t_dcf(curve, errors):.2f}",
    ]
