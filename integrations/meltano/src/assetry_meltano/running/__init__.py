"""Runs of Meltano: what is started, what its log tells, and what becomes of each stream."""
