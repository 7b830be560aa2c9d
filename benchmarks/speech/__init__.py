"""What is taken for speech, and what is noticed about a clip."""
