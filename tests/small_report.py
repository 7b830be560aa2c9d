"""A small corpus measured: two systems, of which the second has no thresholds."""

from __future__ import annotations

from voiceprint.corpus import Corpus
from voiceprint.evaluation import EmbeddedCorpus, MeasureSettings, SetReport, embed_corpus, measure_set
from voiceprint.metrics import ConfusionMatrix
from voiceprint.model import SpeakerModel

CONFUSED = ConfusionMatrix(names=("ada", "bert"), counts=((3, 1), (0, 4)))
SETTINGS = MeasureSettings(
    n_enroll=2, repetitions=20, episodes=50, ways=(2, 3), lengths=(1.0, None), conditions=("noise 5 dB",)
)


def embed_small(corpus: Corpus, model: SpeakerModel) -> EmbeddedCorpus:
    """Embed a corpus as the system that is reported on."""
    return embed_corpus(corpus, model, SETTINGS, name="tiny <1>", jobs=1)


def measure_small(corpus: Corpus, embedded: EmbeddedCorpus) -> SetReport:
    """Measure it beside a peer."""
    peer = EmbeddedCorpus(name="a peer", clips=embedded.clips)
    return measure_set(corpus, [embedded, peer], SETTINGS, note="Not people.")
