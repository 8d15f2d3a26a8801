"""Floor 2: tables on disk, what is done and what is not, and who does the work."""
