"""Partitions."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PartitionsDefinition:
    """Be the base of partition definitions."""
