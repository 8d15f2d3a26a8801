"""Personal data in transcripts: what each language says, and who finds it."""
