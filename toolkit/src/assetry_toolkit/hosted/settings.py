"""Options that integrations of hosted services have in common, and how they are read and checked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from assetry.plugin import DefinitionError, Integration, OptionType

from assetry_toolkit.clock import Clock
from assetry_toolkit.live_objects import keep, take
from assetry_toolkit.options import HOSTED_OPTIONS, JOB_OPTIONS, IntegrationOptions
from assetry_toolkit.secrets import Reference
from assetry_toolkit.work import JobOptions

#: Options that choose among connections.
CHOICES = ("connection_id", "ids", "names", "group_id", "workspace_id", "services", "schemas")


@dataclass(frozen=True, slots=True, kw_only=True)
class HostedOptions(IntegrationOptions):
    """The base of an integration's options; the subclass adds its own, and their types to `types`.

    >>> from dataclasses import dataclass
    >>> from assetry.plugin import TEXT
    >>> @dataclass(frozen=True, kw_only=True)
    ... class Options(HostedOptions):
    ...     types = {**HOSTED_OPTIONS, "token": TEXT}
    ...     token: str = ""
    >>> Options.of(Integration("shop", "mill", {"names": "a*", "token": "t"})).names
    ('a*',)
    """

    types: ClassVar[Mapping[str, OptionType]] = HOSTED_OPTIONS

    connection_id: str | None = None
    ids: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    destination_tables: tuple[str, ...] = ()
    io: Reference | None = None
    destinations: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    base_url: str | None = None
    ca_bundle: str | None = None
    http_client: Mapping[str, str] | None = None
    clock: Mapping[str, str] | None = None
    on_unselected: str = "materialize"
    poll_interval: float | None = None
    jobs: JobOptions = field(default_factory=JobOptions)

    @classmethod
    def read(cls, integration: Integration, given: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the fields, with those of jobs as one; raise `DefinitionError` for a choice of nothing."""
        for option in CHOICES:
            chosen = given.get(option, "all")
            if not chosen or (isinstance(chosen, (list, tuple)) and "" in chosen):
                # Not all that there is, which an empty variable or list would mean otherwise.
                raise DefinitionError(
                    f"{option} is empty, or has an empty text in it.",
                    where=f"integration {integration.name!r}",
                    option=option,
                    hint="Say which connections are meant; leave it out to choose by the other options alone.",
                )
        own = {name: value for name, value in given.items() if name not in JOB_OPTIONS}
        return {**own, "jobs": JobOptions.of(given)}

    @property
    def asks_for(self) -> dict[str, Any]:
        """Return what of the options decides which connections are read: a snapshot of other ones is of no use."""
        return {"base_url": self.base_url, "connection_id": self.connection_id, "ids": list(self.ids)}

    @property
    def ca_path(self) -> str | None:
        """Return the file with the user's certificate authority."""
        return str(Path(self.root) / self.ca_bundle) if self.ca_bundle else None

    @property
    def changed_path(self) -> Path:
        """Return the file with what is changed of connections for a sync, until it is put back."""
        return self.own_folder / "settings" / "changed.json"

    @property
    def time(self) -> Clock:
        """Return the clock that is waited by."""
        found: Clock = take(self.clock) if self.clock else Clock()
        return found

    @property
    def client(self) -> Any:
        """Return the HTTP client that was handed over in Python; None for one of our own."""
        return take(self.http_client) if self.http_client else None

    @property
    def lives(self) -> tuple[str, ...]:
        """Return which live objects the options name, to tell services apart that are shared."""
        return tuple(reference["given"] for reference in (self.http_client, self.clock) if reference)


def reference_name(reference: Reference | None) -> str:
    """Return what tells one reference to a secret from another, without any secret in it.

    >>> reference_name({"env": "TOKEN"}), reference_name("user"), reference_name(None)
    ('env:TOKEN', 'user', 'None')
    """
    return ":".join(next(iter(reference.items()))) if isinstance(reference, Mapping) else str(reference)


def integration_of(
    kind: str,
    name: str,
    root: str,
    connection_id: str | None,
    destination_tables: Iterable[str],
    http_client: Any,
    options: Mapping[str, Any],
) -> Integration:
    """Return the integration that a function such as ``build_mill_assets(…)`` was called for.

    >>> integration_of("mill", "shop", ".", "c", "orders", None, {}).options
    {'connection_id': 'c', 'destination_tables': ['orders']}
    """
    tables = [destination_tables] if isinstance(destination_tables, str) else list(destination_tables)
    given = {
        "connection_id": connection_id,
        "destination_tables": tables or None,
        "http_client": None if http_client is None else keep(http_client),
    }
    known = {each: value for each, value in given.items() if value is not None}
    return Integration(name, kind, {**options, **known}, root)
