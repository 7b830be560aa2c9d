"""Corpora of recorded speech: manifests, readers of public layouts, splits, checks, and decoded audio."""

from voiceprint.corpus.cache import AudioCache, Unreadable
from voiceprint.corpus.manifest import Corpus, Utterance, read_manifest, write_manifest

__all__ = ["AudioCache", "Corpus", "Unreadable", "Utterance", "read_manifest", "write_manifest"]
