"""The parts of scripts/reproduce_baselines."""
