"""Selections for dbt: the shortest practical arguments that make `dbt build` run exactly what is wanted."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from assetry_dbt.index import Index

from assetry.plugin import Invocation


@dataclass(frozen=True, slots=True)
class Selection:
    """Hold the selection arguments of one dbt command; empty means everything.

    >>> Selection(select=("fqn:shop.staging.*",), indirect="empty").args()
    ('--select', 'fqn:shop.staging.*', '--indirect-selection', 'empty')
    """

    select: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    indirect: str | None = None
    resource_types: tuple[str, ...] = ()

    def args(self) -> tuple[str, ...]:
        """Return the command-line arguments."""
        given: list[str] = []
        if self.select:
            given += ["--select", *self.select]
        if self.exclude:
            given += ["--exclude", *self.exclude]
        if self.indirect:
            given += ["--indirect-selection", self.indirect]
        for resource_type in self.resource_types:
            given += ["--resource-type", resource_type]
        return tuple(given)


def selection_for(index: Index, invocation: Invocation) -> Selection:
    """Return the selection by which dbt builds the assets of `invocation` and runs its checks, and nothing else."""
    return compress(index, *index.wanted(invocation))


def compress(index: Index, built: Iterable[str], tests: Iterable[str]) -> Selection:
    """Return the selection of exactly `built` and `tests`, unique ids of the project."""
    names = sorted(".".join(index.items[unique_id].fqn) for unique_id in (*built, *tests))
    return Selection(select=tuple(f"fqn:{name}" for name in names), indirect="empty")
