"""Voiceprints of several servers: one PostgreSQL database with the extension pgvector."""
