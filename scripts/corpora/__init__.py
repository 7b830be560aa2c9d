"""What scripts/prepare_corpora is made of: where corpora come from, and how they become folders of clips."""
