"""Panels: what plugins show about an asset, in the command line and the UI alike."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from assetry.types.records import Attempt, Materialization


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """Something to show about an asset: a title, then markdown, rows of a table, and links by their text.

    `tells` are the names in the asset's metadata that stand in it: these are shown nowhere else.

    >>> Panel(title="SQL", markdown="select 1").title
    'SQL'
    """

    title: str
    markdown: str = ""
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[Any, ...], ...] = ()
    links: Mapping[str, str] = field(default_factory=dict)
    tells: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PanelContext:
    """What is known of the asset: its last materialization and its last attempt."""

    materialization: Materialization | None = None
    attempt: Attempt | None = None
