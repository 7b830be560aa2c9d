"""Files in several formats, as the tab reads them and as Python does: how far their embeddings lie apart.

Beside the package's own way stands what a browser makes of a file by itself, resampled to 16 kHz.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile as sf
import soxr

from benchmarks.web.page_scripts import run_script
from voiceprint.audio import read_audio
from voiceprint.audio.clips import read_clip
from voiceprint.model import SpeakerModel

FORMATS = (("wav", 44_100), ("wav", 48_000), ("flac", 44_100), ("ogg", 44_100), ("mp3", 48_000))

_READ = """const bytes = await (await fetch(values[0])).arrayBuffer();
    const samples = await readAudio(bytes.slice());
    const sound = await new OfflineAudioContext(1, 1, 16000).decodeAudioData(bytes);
    const own = { samples: sound.getChannelData(0), sample_rate: 16000 };
    return [Array.from(await verifier.embed(samples)), Array.from(await verifier.embed(own))];"""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileParity:
    """Of one format.

    Attributes
    ----------
    name : str
        Format and sample rate.
    least : float
        Least cosine of what the tab and what Python make of a file.
    least_by_browser : float
        The same where the browser resamples.
    """

    name: str
    least: float
    least_by_browser: float


def compare_files(
    driver: Any, model: SpeakerModel, clips: Sequence[Path], folder: Path, url: str
) -> list[FileParity]:
    """Write clips in every format, and read them on both sides.

    Parameters
    ----------
    driver : selenium.webdriver.Chrome
        In whose page `verifier` and `readAudio` are there.
    folder : Path
        What is served at `url`.
    """
    found = []
    for kind, rate in FORMATS:
        cosines, by_browser = [], []
        for number, clip in enumerate(clips):
            path = folder / f"file-{number}.{kind}"
            sf.write(path, soxr.resample(read_audio(clip).samples, 16_000, rate), rate)
            ours, theirs = run_script(driver, _READ, f"{url}/{path.name}")
            wanted = model.embed(read_clip(path).speech)
            cosines.append(float(np.array(ours) @ wanted))
            by_browser.append(float(np.array(theirs) @ wanted))
        name = f"{kind}, {rate / 1000:g} kHz"
        found.append(FileParity(name=name, least=min(cosines), least_by_browser=min(by_browser)))
    return found
