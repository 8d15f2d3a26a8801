"""Floor 3: the mining stages, from logs to pairs."""
