"""Floor 3: queries over the store."""
