"""Which invocations make a selection, in which order, and the proof that no fewer do."""
