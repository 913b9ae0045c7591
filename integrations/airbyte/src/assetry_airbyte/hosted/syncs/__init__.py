"""Syncs: run, followed, and told as events."""
