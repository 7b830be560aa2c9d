"""Tests of voiceprint.training."""
