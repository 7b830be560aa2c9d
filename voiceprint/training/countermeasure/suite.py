"""What candidates are measured on: dev people against machines and loudspeakers that no training saw."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from torch import Tensor, nn

from voiceprint.audio import SAMPLE_RATE
from voiceprint.audio.degrade import opus
from voiceprint.countermeasure import log_odds
from voiceprint.metrics import det_curve, eer_interpolated
from voiceprint.training.countermeasure.bank import ClipBank
from voiceprint.training.countermeasure.batches import SpoofBanks
from voiceprint.training.countermeasure.devices import dev_replay
from voiceprint.training.run.criterion import EER
from voiceprint.training.run.validation import run_clips

_GRAIN = SAMPLE_RATE // 4
_LONGEST = 4 * SAMPLE_RATE
_KBPS = (12.0, 32.0)

Samples = NDArray[np.float32]


class CountermeasureSuite:
    """Dev clips of people, of every dev machine, and replays; all of them through the same codec.

    Parameters
    ----------
    speech : SpoofBanks
        Dev banks.
    most : int
        Clips of each bank.
    """

    criterion = EER

    def __init__(self, speech: SpoofBanks, *, most: int) -> None:
        self._speech, self._most = speech, most

    @cached_property
    def _clips(self) -> tuple[list[Samples], dict[str, list[Samples]]]:
        """Of people, and of each machine; made where candidates are measured, in the process that leads."""
        generator = np.random.default_rng(0)
        speech, most = self._speech, self._most
        live = [clip for bank in speech.live for clip in _some(bank, most, generator)]
        people = [_sent(clip, generator) for clip in live]
        spoofs: dict[str, list[Samples]] = {
            bank.name: [_sent(clip, generator) for clip in _some(bank, most, generator)]
            for bank in speech.machines
        }
        chosen = generator.permutation(len(live))[: 2 * most]
        spoofs["replay"] = [_sent(dev_replay(live[place], generator), generator) for place in chosen.tolist()]
        return people, spoofs

    def __call__(self, network: nn.Module) -> Mapping[str, float]:
        """Measure a network that is in evaluation mode.

        Returns
        -------
        Mapping of str to float
            The EER of people against each machine, ``eer/NAME``, and their mean, ``eer``.
        """

        def judge(clips: Samples) -> Samples:
            out: Tensor = network(torch.from_numpy(clips))
            return np.asarray(out.float().numpy())

        live, spoofs = self._clips
        people = log_odds(run_clips(judge, live))
        rates = {
            f"eer/{name}": eer_interpolated(det_curve(people, log_odds(run_clips(judge, clips))))
            for name, clips in spoofs.items()
        }
        return {"eer": float(np.mean(list(rates.values()))), **rates}


def _some(bank: ClipBank, most: int, generator: Generator) -> list[Samples]:
    return [bank.clip(place) for place in generator.permutation(len(bank))[:most].tolist()]


def _sent(clip: Samples, generator: Generator) -> Samples:
    """Encode a clip, and cut it to whole grains, so that many go through the network together."""
    sent = opus(clip, kbps=float(generator.uniform(*_KBPS)))
    if sent.size < _GRAIN:
        return np.resize(sent, _GRAIN)
    return sent[: min(sent.size // _GRAIN * _GRAIN, _LONGEST)]
