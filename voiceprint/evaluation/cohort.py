"""The cohort of a model: voices among whom a search finds rivals, of nobody in particular."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from voiceprint.corpus import Corpus
from voiceprint.errors import TooFewTrialsError
from voiceprint.evaluation.degraded import embed_degraded
from voiceprint.evaluation.embedding import corpus_files, embed_clips
from voiceprint.model import SpeakerModel
from voiceprint.scoring import cosine_matrix, normalize

VOICES = 256
"""Cluster centres in a cohort, at most."""

FEWEST_OF_A_VOICE = 4
"""Speakers in a cluster, at least, so that its centre is nobody's voice."""

CHANNELS = ("telephone", "noise 10 dB", "room 0.8 s", "Opus 6 kbit/s")
"""Conditions under which half of the speech is embedded."""

_ROUNDS = 15


def cluster_voices(
    corpus: Corpus, model: SpeakerModel, *, seed: int = 0, jobs: int | None = None
) -> NDArray[np.float32]:
    """Cluster the speech of training speakers, one clip of each as it is and one degraded.

    Parameters
    ----------
    seed : int
        Of the clips drawn, and of where clustering starts.
    jobs
        As for `embed_clips`.

    Returns
    -------
    ndarray of shape (n, dim), float32
        Centres, of unit length, of the clusters with `FEWEST_OF_A_VOICE` speakers or more.

    Raises
    ------
    TooFewTrialsError
        If there are too few speakers for any.
    """
    # Two corpora may use one name for a clip.
    corpus = Corpus(replace(u, id=f"{u.corpus}/{u.id}") for u in corpus)
    rng = np.random.default_rng(seed)
    drawn = [rng.permutation(indices)[:2].tolist() for indices in corpus.by_speaker.values()]
    plain = Corpus([corpus[clips[0]] for clips in drawn])
    found = [embed_clips(corpus_files(plain), model, jobs=jobs)]
    for place, condition in enumerate(CHANNELS):
        here = [corpus[clips[-1]] for clips in drawn[place :: len(CHANNELS)]]
        if here:
            found.append(embed_degraded(Corpus(here), model, [condition], jobs=jobs)[condition])
    speaker_of = {u.id: u.speaker_id for u in corpus}
    speakers = [speaker_of[name] for clips in found for name in clips.names]
    embeddings = np.concatenate([clips.embeddings for clips in found])
    centres = _cluster(embeddings, speakers, rng)
    if not len(centres):
        raise TooFewTrialsError(
            f"{len(drawn)} speakers are too few for a cohort: each of its voices is the mean of "
            f"{FEWEST_OF_A_VOICE} or more"
        )
    return centres


def _cluster(
    embeddings: NDArray[np.float32], speakers: Sequence[str], rng: np.random.Generator
) -> NDArray[np.float32]:
    """Spherical k-means, (n, dim) -> (k, dim); clusters of too few speakers are left out."""
    count = min(VOICES, len(embeddings) // (2 * FEWEST_OF_A_VOICE))
    centres = embeddings[rng.permutation(len(embeddings))[:count]]
    if not count:
        return centres
    for _ in range(_ROUNDS):
        nearest = cosine_matrix(embeddings, centres).argmax(axis=1)
        used = [place for place in range(len(centres)) if (nearest == place).any()]
        centres = normalize(np.stack([embeddings[nearest == place].mean(axis=0) for place in used]))
    nearest, who = cosine_matrix(embeddings, centres).argmax(axis=1), np.array(speakers)
    enough = [len(set(who[nearest == place])) >= FEWEST_OF_A_VOICE for place in range(len(centres))]
    return centres[enough]
