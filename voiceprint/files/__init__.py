"""Files: text that users hand in, files that are never seen half-written, and where a user's files are."""
