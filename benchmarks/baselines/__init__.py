"""The systems of docs/explanation/baselines.md: trained, measured, and written into its tables."""
