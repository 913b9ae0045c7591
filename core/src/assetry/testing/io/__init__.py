"""Conformance of an IO manager: what is saved comes back, of one value and of many partitions."""
