"""Speak sentences with eSpeak NG, a free speech synthesizer: stand-ins where no recorded voices can be had.

    pip install espeakng-loader
    scripts/synthesize_voices FOLDER

Writes FOLDER/VOICE/enroll/1.wav and so on, and three more into FOLDER/VOICE/new. The voices are synthetic,
and sound like it.
"""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

import espeakng_loader
import numpy as np
import soundfile as sf
from numpy.typing import NDArray

from benchmarks.program import BenchmarkError, make_parser

# eSpeak's own voice variants: each has its pitch, formants and breath.
VOICES = {
    "amelia": "en-us+f2",
    "boris": "en-us+Lee",
    "clara": "en-us+Alicia",
    "david": "en-us+m3",
    "eve": "en-us+grandma",
}

SENTENCES = (
    "The harbour was quiet that morning, and only two fishing boats had left before the sun came up.",
    "If you follow the path behind the old mill, you will find the bridge that my grandfather built.",
    "Please remind everybody that the meeting on Thursday has moved to the large room upstairs.",
    "She opened every window in the house, for the smell of fresh paint would not go away.",
    "My voice is my own, and I would like the door to know it without asking for a key.",
    "Nobody expected the train to be on time, so the whole family missed it by a minute.",
    "Could you tell me how much flour is needed for twelve of those small round loaves?",
    "The museum keeps a collection of clocks, and none of them agrees with the others.",
)

ENROLLED = 5  # sentences; the others are for tests

_SYNCHRONOUS, _CHARACTERS, _UTF8, _IPA = 2, 1, 1, 2  # of speak_lib.h

_Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)


class Speaker:
    """The eSpeak NG library, ready to speak."""

    def __init__(self) -> None:
        self._library = ctypes.CDLL(espeakng_loader.get_library_path())
        # It takes the folder that holds espeak-ng-data.
        data = Path(espeakng_loader.get_data_path()).parent
        self.rate = self._library.espeak_Initialize(_SYNCHRONOUS, 0, os.fsencode(data), 0)
        if self.rate <= 0:
            raise BenchmarkError(f"eSpeak NG does not start with the data in {data}")
        self._parts: list[NDArray[np.int16]] = []
        self._callback = _Callback(self._keep)  # kept alive as long as the library may call it
        self._library.espeak_SetSynthCallback(self._callback)

    def speak(self, voice: str, text: str) -> NDArray[np.int16]:
        """Return the samples (n,) of a sentence in a voice."""
        if self._library.espeak_SetVoiceByName(voice.encode()) != 0:
            raise BenchmarkError(f"eSpeak NG has no voice {voice}")
        self._parts.clear()
        said = text.encode()
        self._library.espeak_Synth(said, len(said) + 1, 0, _CHARACTERS, 0, _UTF8, None, None)
        return np.concatenate(self._parts)

    def phonemes(self, voice: str, text: str) -> str:
        """Return how a voice pronounces a sentence, in the International Phonetic Alphabet."""
        if self._library.espeak_SetVoiceByName(voice.encode()) != 0:
            raise BenchmarkError(f"eSpeak NG has no voice {voice}")
        translate = self._library.espeak_TextToPhonemes
        translate.restype = ctypes.c_char_p
        left = ctypes.c_char_p(text.encode())
        clauses = []
        while left.value:
            clauses.append(translate(ctypes.byref(left), _UTF8, _IPA).decode())
        return " ".join(clauses)

    def _keep(self, samples: ctypes._Pointer[ctypes.c_short] | None, count: int, _events: object) -> int:
        if samples and count > 0:
            self._parts.append(np.ctypeslib.as_array(samples, shape=(count,)).copy())
        return 0


def main() -> None:
    """Write every sentence in every voice."""
    parser = make_parser(__doc__)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    speaker = Speaker()
    for name, voice in VOICES.items():
        for number, sentence in enumerate(SENTENCES, start=1):
            path = folder / name / ("enroll" if number <= ENROLLED else "new") / f"{number}.wav"
            path.parent.mkdir(parents=True, exist_ok=True)
            sf.write(path, speaker.speak(voice, sentence), speaker.rate)
