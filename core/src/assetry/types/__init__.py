"""Frozen values and protocols: the vocabulary that everything else speaks."""
