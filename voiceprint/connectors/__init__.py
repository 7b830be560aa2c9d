"""Programs of others, and how they are told who speaks."""
