"""What scripts/compare_peers is made of: clips, systems, measures and the report."""
