"""Measurements, comparisons and attacks: what the programs in scripts/ run. Not in the wheel."""
