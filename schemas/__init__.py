"""Floor 1: what every table looks like. Imports nothing of ours."""
