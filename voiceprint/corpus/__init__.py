"""Corpora of recorded speech: manifests, readers of public layouts, splits, checks, and decoded audio."""

from voiceprint.corpus.manifest import Corpus, Utterance, read_manifest, write_manifest

__all__ = ["Corpus", "Utterance", "read_manifest", "write_manifest"]
