"""Corpora of recorded speech: manifests, readers of public layouts, splits, checks, and decoded audio."""

from voiceprint.corpus.checks import Finding, SplitStats, check_corpus, corpus_stats
from voiceprint.corpus.layouts import Layout, detect_layout
from voiceprint.corpus.manifest import Corpus, Utterance, read_manifest, read_manifests, write_manifest
from voiceprint.corpus.reading import Unreadable
from voiceprint.corpus.scan import Scan, scan_corpus
from voiceprint.corpus.splits import SHARES, split_corpus

__all__ = [
    "SHARES",
    "Corpus",
    "Finding",
    "Layout",
    "Scan",
    "SplitStats",
    "Unreadable",
    "Utterance",
    "check_corpus",
    "corpus_stats",
    "detect_layout",
    "read_manifest",
    "read_manifests",
    "scan_corpus",
    "split_corpus",
    "write_manifest",
]
