"""Floor 2: pure functions on intervals and words: IPUs, utterances, the floor, events."""
