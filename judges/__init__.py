"""Room: an LLM scores every model reply, content faults are flagged, and better replies are written."""
