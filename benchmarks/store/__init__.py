"""A store with many people."""
