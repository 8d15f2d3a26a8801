"""Floor 2: what it takes to hear a channel: decode, resample, VAD, leak, recognisers."""
