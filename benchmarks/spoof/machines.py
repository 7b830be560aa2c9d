"""Which machines there are, and what each is for: whole ones are kept for dev and for test.

A countermeasure that knows only the machines it was trained with is worth little, so what decides between
candidates (dev) and what is measured in the end (test) are machines that no training saw.
"""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.spoof import copying, synthesizers, vocoders
from benchmarks.spoof.synthesizers import Synthesizer
from benchmarks.spoof.vocoders import Vocoder


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """A synthesizer or a vocoder.

    Parameters
    ----------
    split : str
        ``train``, ``dev`` or ``test``: whose speech or texts it is given.
    clips : int
        How many it makes.
    speaks, resynthesizes : callable, optional
        One of the two.
    """

    name: str
    split: str
    clips: int
    speaks: Synthesizer | None = None
    resynthesizes: Vocoder | None = None


MACHINES = (
    Machine(name="world", split="train", clips=190, resynthesizes=vocoders.world),
    Machine(name="kokoro", split="train", clips=160, speaks=synthesizers.kokoro),
    Machine(name="griffin-lim", split="train", clips=300, resynthesizes=vocoders.griffin_lim),
    Machine(name="espeak", split="train", clips=150, speaks=synthesizers.espeak),
    Machine(name="statistical", split="train", clips=500, resynthesizes=copying.statistical),
    Machine(name="harmonic", split="train", clips=500, resynthesizes=copying.harmonic),
    Machine(name="channel", split="train", clips=500, resynthesizes=copying.channel),
    Machine(name="phases", split="train", clips=500, resynthesizes=copying.phases),
    Machine(name="mel", split="train", clips=500, resynthesizes=copying.mel),
    Machine(name="psola", split="train", clips=500, resynthesizes=copying.psola),
    Machine(name="shifted", split="train", clips=500, resynthesizes=copying.shifted),
    Machine(name="converted", split="train", clips=500, resynthesizes=copying.converted),
    Machine(name="festival", split="dev", clips=40, speaks=synthesizers.festival),
    Machine(name="hibari", split="dev", clips=60, speaks=synthesizers.hibari),
    Machine(name="lpc", split="dev", clips=60, resynthesizes=vocoders.lpc),
    Machine(name="codec2", split="dev", clips=100, resynthesizes=vocoders.codec2),
    Machine(name="flite", split="test", clips=80, speaks=synthesizers.flite),
    Machine(name="piper", split="test", clips=60, speaks=synthesizers.piper),
    Machine(name="hifigan", split="test", clips=60, resynthesizes=vocoders.hifigan),
    Machine(name="cepstral", split="test", clips=60, resynthesizes=vocoders.cepstral),
)
"""In the order in which they are made."""
