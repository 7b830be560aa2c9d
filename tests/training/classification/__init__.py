"""Tests of the classic systems."""
