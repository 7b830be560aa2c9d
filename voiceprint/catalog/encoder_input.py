"""EncoderInput: what a published encoder in ONNX takes. Plain data: a list of encoders needs no ``onnx``."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

__all__ = ["EncoderInput", "FbankConfig"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FbankConfig:
    """How an encoder's filterbank was computed; the defaults are Kaldi's, without dither.

    Parameters
    ----------
    window : str
        ``povey`` (Kaldi's) or ``hamming``.
    scale : float
        What samples in [-1, 1] are multiplied with: 32768 where an encoder was trained on 16-bit numbers, as
        WeSpeaker's were. It sets how near silence is to the floor of the logarithm.
    low, high : float
        Band of the filters, in Hz; ``high`` of 0 or less counts from half the sampling rate.
    subtract_mean : bool
        Whether every filter's mean over the clip is subtracted.
    """

    bins: int = 80
    window: Literal["povey", "hamming"] = "povey"
    scale: float = 1.0
    low: float = 20.0
    high: float = 0.0
    subtract_mean: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class EncoderInput:
    """What an encoder takes.

    Parameters
    ----------
    input : str
        ``waveform``, (batch, samples) at 16 kHz; or ``fbank``, (batch, frames, bins).
    scale : float
        Of ``waveform``: what samples in [-1, 1] are multiplied with.
    bins_first : bool
        Of ``fbank``: whether the encoder takes (batch, bins, frames).
    fbank : FbankConfig
        Of ``fbank``: how it is computed.
    """

    input: Literal["waveform", "fbank"]
    scale: float = 1.0
    bins_first: bool = False
    fbank: FbankConfig = field(default_factory=FbankConfig)
