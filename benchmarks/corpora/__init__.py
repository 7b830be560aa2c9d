"""The corpora: where they are published, and how they become folders of clips."""
