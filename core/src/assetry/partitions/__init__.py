"""Partitions as values: which there are, by which numbers, what each is made from, and how people write them."""
