"""What deciding while somebody speaks is worth: scripts/benchmark_live."""
