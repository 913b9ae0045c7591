"""Options: what the table ``[openlineage]`` of a project file says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any

from assetry.plugin import REFERENCE, SECONDS, SECRET, TABLE, TEXT, OptionError, OptionTable, checked

NAME = "openlineage"
OPTIONS = {
    "url": REFERENCE.about("The address of the service; without it what the official client is configured with."),
    "api_key": SECRET.about("The key that the service is asked with."),
    "namespace": TEXT.about(
        "The namespace of jobs, and of what has no place of its own; the folder's name without it."
    ),
    "namespaces": TABLE.about('By integration, where its tables are, such as "snowflake://org-account" or "bigquery".'),
    "timeout": SECONDS.about("How many seconds the service may take.", default=5),
}
TABLES = {NAME: OptionTable(help="Where lineage is told.", options=OPTIONS)}


@dataclass(frozen=True, slots=True)
class Options:
    """Where lineage is told, and how it is named."""

    namespace: str
    url: str | Mapping[str, str] | None = field(default=None, repr=False)
    api_key: Mapping[str, str] | None = None
    namespaces: Mapping[str, str] = field(default_factory=dict)
    timeout: float = 5.0


def read_options(tables: Mapping[str, Mapping[str, Any]], root: str) -> Options:
    """Return what a project file says of lineage; raise `OptionError` for what cannot be meant.

    >>> read_options({"openlineage": {"url": "http://marquez:5000"}}, "/srv/shop").namespace
    'shop'
    """
    given = checked(tables[NAME], OPTIONS, f"[{NAME}]")
    for name, each in given.get("namespaces", {}).items():
        if not isinstance(each, str):
            raise OptionError(
                f"The namespace of {name!r} in [{NAME}] is no text.",
                option="namespaces",
                table=f"[{NAME}]",
                hint='Write namespaces = { transform = "snowflake://org-account" }.',
            )
    return Options(**{"namespace": PurePath(root).name or "assetry", **given})
