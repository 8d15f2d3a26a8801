"""The judge without an LLM: what the words of a dialogue and the user's own reaction tell, and nothing else."""
