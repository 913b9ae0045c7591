"""Connections as assets: read, kept as a snapshot, named as their tables are."""
