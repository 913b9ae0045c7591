"""Partitions of values: which rows of a table are whose."""
