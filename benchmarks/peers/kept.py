"""What compare_peers kept, for reports: the peers' embeddings of a corpus, and classifiers on them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.peers.clips import ClipSet, prepare_clips
from benchmarks.peers.rows import ROWS, Row, probe_confusion
from benchmarks.peers.systems import OurSystem, System, embedded, kept_path
from voiceprint.corpus import Corpus
from voiceprint.evaluation import Confusion, EmbeddedClips, EmbeddedCorpus


def row_of(corpus: str, split: str) -> Row | None:
    """Return the row of the comparison whose clean clips hold a split of a corpus, if there is one."""
    return next(
        (
            row
            for row in ROWS
            if row.corpus == corpus and row.condition == "clean" and row.split in {None, split}
        ),
        None,
    )


def embedded_by_peers(
    peers: Sequence[System], corpus: Corpus, row: Row, *, corpora: Path, cache: Path
) -> list[EmbeddedCorpus]:
    """Return what peers made of these clips, as far as they are stored; nothing is embedded here.

    Parameters
    ----------
    corpus : Corpus
        The clips wanted; all of them are among the row's.
    corpora, cache : Path
        Root of the corpora; where compare_peers keeps clips and embeddings.
    """
    if not any((cache / "embeddings" / peer.id).glob(f"{row.name}-????????????.npz") for peer in peers):
        return []
    clips = _clips(row, corpora, cache)
    kept = [peer for peer in peers if kept_path(peer, clips, row.name, cache / "embeddings").exists()]
    return [_embedded_corpus(peer, clips, row, corpus, cache) for peer in kept]


def classifiers(
    model: Path | None, peers: Sequence[System], row: Row, split: str, *, corpora: Path, cache: Path
) -> list[Confusion]:
    """Train a classifier on each system's embeddings of a corpus's train split, and answer another split.

    Parameters
    ----------
    model : Path or None
        Our model folder, which embeds what it has not yet; None for the packaged one.
    peers : sequence of System
        Those whose embeddings were kept take part.
    row : Row
        Of a corpus in which everybody is in every split.
    corpora, cache : Path
        As for `embedded_by_peers`.
    """
    clips = _clips(row, corpora, cache)
    folder = cache / "embeddings"
    kept = [peer for peer in peers if kept_path(peer, clips, row.name, folder).exists()]
    systems: list[System] = [OurSystem(model), *kept]
    found = []
    for system in systems:
        one = embedded(system, clips, row.name, folder)
        use = one.answered
        matrix = probe_confusion(one.embeddings[use], clips.speakers[use], clips.splits[use], test=split)
        title = f"{row.corpus} {split}: logistic regression on {system.title}"
        found.append(Confusion(title=title, matrix=matrix))
    return found


def _clips(row: Row, corpora: Path, cache: Path) -> ClipSet:
    return prepare_clips(corpora, cache / "clips", row.name, corpus=row.corpus, split=row.split)


def _embedded_corpus(peer: System, clips: ClipSet, row: Row, corpus: Corpus, cache: Path) -> EmbeddedCorpus:
    one = embedded(peer, clips, row.name, cache / "embeddings")
    seconds = {u.id: u.seconds for u in corpus}
    wanted = np.array([name in seconds for name in clips.ids])
    names = clips.ids[one.answered & wanted]
    return EmbeddedCorpus(
        name=peer.title,
        clips=EmbeddedClips(
            names=tuple(map(str, names)),
            embeddings=one.embeddings[one.answered & wanted],
            seconds=np.array([seconds[name] for name in names]),
            failed={str(clips.ids[place]): why for place, why in one.failed.items() if wanted[place]},
        ),
    )
