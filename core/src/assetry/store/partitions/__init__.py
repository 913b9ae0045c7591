"""Partitions in a store: their keys, and beside it what its records say of them, in columns."""
