"""Enroll, verify and time with Resemblyzer as its README does, in the peers' own environment.

It imports nothing of voiceprint, which is not installed there. Run it in the checkout's folder:

    python -m benchmarks.peers.programs.resemblyzer_steps enroll VOICEPRINT.npy CLIP...
    python -m benchmarks.peers.programs.resemblyzer_steps verify VOICEPRINT.npy CLIP
    python -m benchmarks.peers.programs.resemblyzer_steps time CLIP

``verify`` and ``time`` print JSON; ``time`` the processor seconds of each repetition of both steps.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
from resemblyzer import VoiceEncoder, preprocess_wav

from benchmarks.timing import repeat


def main() -> None:
    """Do what the command line says."""
    verb, *paths = sys.argv[1:]
    encoder = VoiceEncoder("cpu", verbose=False)
    if verb == "enroll":
        target, *clips = paths
        np.save(target, encoder.embed_speaker([preprocess_wav(Path(clip)) for clip in clips]))
    elif verb == "verify":
        known, clip = paths
        score = float(encoder.embed_utterance(preprocess_wav(Path(clip))) @ np.load(known))
        print(json.dumps({"accepted": score >= 0.75, "score": score}))
    else:
        print(json.dumps(_time(encoder, Path(paths[0]))))


def _time(encoder: VoiceEncoder, clip: Path) -> dict[str, object]:
    """Time its preparation, which decodes and trims, and its embedding."""
    import torch  # noqa: PLC0415  the encoder has loaded it

    samples = preprocess_wav(clip)
    return {
        "decode and find_speech": repeat(lambda: preprocess_wav(clip), times=30),
        "embed": repeat(lambda: encoder.embed_utterance(samples), times=30),
        "torch": torch.__version__,
    }


if __name__ == "__main__":
    main()
