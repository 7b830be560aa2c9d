"""A folder of audio to a corpus."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import get_args

from voiceprint.arguments import check_choice, check_number
from voiceprint.audio import clips_beside_folders, probe_audio, read_audio
from voiceprint.corpus.layouts import READERS, Layout, detect_layout
from voiceprint.corpus.manifest import Corpus, Utterance
from voiceprint.corpus.reading import MAX_UNREADABLE, Progress, Unreadable, require_readable
from voiceprint.errors import AudioError, CorpusError


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """What a folder holds.

    Parameters
    ----------
    corpus : Corpus
        The utterances whose files can be opened.
    nobodys : tuple of Path
        Audio files beside the speakers' folders, which are in no utterance.
    """

    corpus: Corpus
    layout: Layout
    unreadable: tuple[Unreadable, ...]
    nobodys: tuple[Path, ...] = ()

    @property
    def left_out(self) -> tuple[str, ...]:
        """What of the folder is not in the corpus, and why."""
        return (
            *(each.reason for each in self.unreadable),
            *(f"{path}: lies in no speaker's folder" for path in self.nobodys),
        )


def scan_corpus(
    folder: str | os.PathLike[str],
    *,
    layout: Layout | None = None,
    name: str | None = None,
    max_unreadable: float = MAX_UNREADABLE,
    progress: Progress | None = None,
) -> Scan:
    """Read a corpus in one of the public layouts; files are opened for their length, not decoded.

    Parameters
    ----------
    layout : str, optional
        One of ``folders``, ``librispeech``, ``voxceleb``, ``speechocean762``, ``voxforge``, ``kaldi`` and
        ``commonvoice``; inferred from the files where left out.
    name : str, optional
        Name of the corpus; the folder's name where left out.
    max_unreadable : float
        The fraction of unreadable files above which the corpus is refused.
    progress : callable, optional
        Called with (done, total) after every file.

    Raises
    ------
    CorpusError
        If the folder or its lists are wrong, it holds no audio, or too much of it cannot be opened.

    Examples
    --------
    >>> scan = scan_corpus("people")
    >>> scan.layout, len(scan.corpus)
    ('folders', 25)
    """
    if layout is not None:
        check_choice("layout", layout, get_args(Layout))
    check_number("max_unreadable", max_unreadable, least=0.0, most=1.0)
    root = Path(folder).absolute()
    kind = detect_layout(root) if layout is None else layout
    listed = list(READERS[kind](root))
    if not listed:
        raise CorpusError(f"{root}: holds no audio in the layout {kind!r}")
    measured = list(_measure(listed, progress))
    unreadable = [each for each in measured if isinstance(each, Unreadable)]
    require_readable(unreadable, total=len(listed), limit=max_unreadable)
    corpus = Corpus(
        replace(each, corpus=name or root.name) for each in measured if not isinstance(each, Unreadable)
    )
    known = {each.path for each in listed}
    nobodys = tuple(path for path in clips_beside_folders(root) if path not in known)
    return Scan(corpus=corpus, layout=kind, unreadable=tuple(unreadable), nobodys=nobodys)


def _seconds(path: Path) -> float:
    """Return the length of a file by its header, or as it is read where that does not say it."""
    seconds = probe_audio(path).seconds
    return read_audio(path).seconds if seconds is None else seconds


def _measure(listed: list[Utterance], progress: Progress | None) -> Iterable[Utterance | Unreadable]:
    for done, utterance in enumerate(listed, start=1):
        try:
            seconds = _seconds(utterance.path)
        except AudioError as error:
            yield Unreadable(utterance=utterance, reason=str(error))
        else:
            yield utterance if utterance.seconds else replace(utterance, seconds=seconds)
        if progress is not None:
            progress(done, len(listed))
