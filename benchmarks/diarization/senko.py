"""senko (PyPI) beside: a process of its own environment, which diarizes file after file."""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from voiceprint.audio import SAMPLE_RATE
from voiceprint.diarization.turns import SpeakerTurn, join_turns
from voiceprint.errors import VoiceprintError

# Its own messages go to stdout too, so answers go to the file that each line names.
_PROGRAM = """
import json, sys
import senko
diarizer = senko.Diarizer(device="cpu", warmup=False, quiet=True)
for line in sys.stdin:
    path, answer = line.rstrip("\\n").split("\\t")
    found = diarizer.diarize(path, generate_colors=False)
    turns = [] if found is None else found["merged_segments"]
    with open(answer, "w") as file:
        json.dump([[turn["start"], turn["end"], turn["speaker"]] for turn in turns], file)
    print("answered", file=sys.stderr, flush=True)
"""


class Senko:
    """The process; it ends with the program.

    Parameters
    ----------
    python : Path
        Interpreter of an environment with senko.
    """

    def __init__(self, python: Path) -> None:
        self._python = python
        self._process: subprocess.Popen[str] | None = None

    def diarize(self, samples: NDArray[np.float32]) -> Sequence[SpeakerTurn]:
        """Diarize samples (n,) at 16 kHz.

        Raises
        ------
        VoiceprintError
            If the process died: its compiled front end needs AVX-512.
        """
        process = self._process or self._started()
        with tempfile.TemporaryDirectory() as folder:
            sound, answer = Path(folder) / "scene.wav", Path(folder) / "turns.json"
            soundfile.write(sound, samples, SAMPLE_RATE, subtype="PCM_16")
            assert process.stdin is not None
            assert process.stderr is not None
            try:
                process.stdin.write(f"{sound}\t{answer}\n")
                process.stdin.flush()
            except BrokenPipeError:
                raise _died(process) from None
            while not answer.exists() or not answer.read_text().endswith("]"):
                if not process.stderr.readline():
                    raise _died(process)
            found = json.loads(answer.read_text())
        return join_turns(
            SpeakerTurn(start=start, stop=stop, speaker=str(speaker)) for start, stop, speaker in found
        )

    def _started(self) -> subprocess.Popen[str]:
        self._process = subprocess.Popen(
            [str(self._python), "-c", _PROGRAM],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        return self._process


def _died(process: subprocess.Popen[str]) -> VoiceprintError:
    process.communicate()  # closes its pipes
    code = process.returncode
    why = "an illegal instruction; it needs AVX-512" if code == -4 else f"exit status {code}"
    return VoiceprintError(f"senko could not run ({why})")
