"""Voiceprints of one machine: an SQLite file is the truth, a FAISS index is derived from it."""
