"""The systems of docs/baselines.md: trained, measured, and written into its tables."""
