"""What a quick wrapper looks like: Resemblyzer behind FastAPI, without keys, limits, log or store.

It runs in the peers' environment, where nothing of voiceprint is installed. It compares two clips, the first
of which stands for a stored voiceprint and is embedded once.
"""

from __future__ import annotations

import hashlib
import io

import numpy as np
import soundfile as sf
from fastapi import FastAPI, UploadFile
from numpy.typing import NDArray
from resemblyzer import VoiceEncoder, preprocess_wav

app = FastAPI()
encoder = VoiceEncoder("cpu", verbose=False)
voices: dict[str, NDArray[np.float32]] = {}


@app.post("/verify")
def verify(clips: list[UploadFile]) -> dict[str, object]:
    """Score the second clip against the voice of the first."""
    known, asked = (clip.file.read() for clip in clips)
    key = hashlib.sha256(known).hexdigest()
    if key not in voices:
        voices[key] = embed(known)
    score = float(voices[key] @ embed(asked))
    return {"accepted": score >= 0.75, "score": score}


def embed(data: bytes) -> NDArray[np.float32]:
    """Embed an audio file."""
    samples, rate = sf.read(io.BytesIO(data), dtype="float32")
    embedding: NDArray[np.float32] = encoder.embed_utterance(preprocess_wav(samples, source_sr=rate))
    return embedding
