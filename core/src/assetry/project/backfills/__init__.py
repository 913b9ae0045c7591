"""Backfills: a long list of work that is wanted durably, and carried out piece by piece."""
