"""The options of an `airbyte` integration, read and checked once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from assetry.plugin import DefinitionError, Integration, near_names

from assetry_airbyte.hosted.address import Address

#: A value itself, or where it is found: ``{"env": "NAME"}``; ``{"given": "1"}`` for an object of this process.
Reference = str | Mapping[str, str]

_SECRETS = ("client_secret", "password", "token")
_REFERENCES = (*_SECRETS, "client_id", "username")
_LISTS = ("destination_tables", "names", "tags", "ids", "deps")
_CHOICES = {
    "attach": ("accept", "wait_then_start", "refuse"),
    "on_cancel": ("cancel", "leave"),
    "on_unselected": ("materialize", "ignore"),
}
_SECONDS = ("poll_interval", "poll_timeout", "queue_timeout", "poll_error_budget")


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Hold the options of one integration; see the README for what each of them means."""

    connection_id: str | None = None
    workspace_id: str | None = None
    names: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    ids: tuple[str, ...] = ()
    destination_tables: tuple[str, ...] = ()
    destinations: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    deps: tuple[str, ...] = ()
    base_url: str | None = None
    config_url: str | None = None
    client_id: Reference | None = None
    client_secret: Reference | None = None
    token: Reference | None = None
    username: Reference | None = None
    password: Reference | None = None
    ca_bundle: str | None = None
    http_client: Mapping[str, str] | None = None
    clock: Mapping[str, str] | None = None
    snapshot: str | None = None
    streams: bool = True
    attach: str | None = None
    on_cancel: str = "cancel"
    on_unselected: str = "materialize"
    follow_superseded: bool = True
    poll_interval: float | None = None
    poll_timeout: float = 24 * 3600.0
    queue_timeout: float = 24 * 3600.0
    poll_error_budget: float = 15 * 60.0
    name: str = ""
    root: str = "."

    @classmethod
    def of(cls, integration: Integration) -> Options:
        """Return the options of an integration; raise `DefinitionError` for what is unknown or cannot be meant.

        >>> Options.of(Integration("shop", "airbyte", {"connection_id": "c", "tags": "daily"})).tags
        ('daily',)
        """
        return _checked(integration)

    @property
    def address(self) -> Address:
        """Return where the APIs stand."""
        return Address.of(self.base_url, self.config_url)

    @property
    def snapshot_path(self) -> Path:
        """Return the file that keeps what was read from the API."""
        return Path(self.root) / (self.snapshot or f".assetry/airbyte/{self.name}.json")

    @property
    def asks_for(self) -> dict[str, Any]:
        """Return what of the options decides which connections are read: a snapshot of other ones is of no use."""
        return {
            "base_url": self.address.public,
            "connection_id": self.connection_id,
            "workspace_id": self.workspace_id,
            "ids": list(self.ids),
        }


_KNOWN = tuple(each.name for each in fields(Options) if each.name not in ("name", "root"))


def _checked(integration: Integration) -> Options:
    given = dict(integration.options)
    where = f"integration {integration.name!r}"
    for option in given:
        if option not in _KNOWN:
            raise DefinitionError(
                f"An airbyte integration has no option {option!r}.",
                where=where,
                near=near_names(option, _KNOWN),
                hint=f"Its options: {', '.join(_KNOWN)}.",
            )
    for option in _LISTS:
        if option in given:
            given[option] = _texts(option, given[option], where)
    for option, choices in _CHOICES.items():
        if given.get(option) is not None and given[option] not in choices:
            raise DefinitionError(
                f"{option} = {given[option]!r}: unknown.", where=where, near=choices, hint="Write one of these."
            )
    for option in _SECONDS:
        value = given.get(option)
        if value is not None and (isinstance(value, bool) or not isinstance(value, (int, float)) or value < 0):
            raise DefinitionError(f"{option} = {value!r} is not a number of seconds.", where=where)
    for option in _REFERENCES:
        _check_reference(option, given.get(option), where)
    if given.get("connection_id") is not None and not isinstance(given["connection_id"], str):
        raise DefinitionError("connection_id is not a text.", where=where, hint="Copy it from the connection's URL.")
    return Options(name=integration.name, root=integration.root, **given)


def _texts(option: str, value: Any, where: str) -> tuple[str, ...]:
    if isinstance(value, str):
        return (value,)
    if not isinstance(value, (list, tuple)) or not all(isinstance(each, str) for each in value):
        raise DefinitionError(f"{option} is not a list of texts.", where=where, hint=f'For example {option} = ["…"].')
    return tuple(value)


def _check_reference(option: str, value: Any, where: str) -> None:
    if value is None:
        return
    if isinstance(value, Mapping) and len(value) == 1 and next(iter(value)) in ("env", "given"):
        return
    if isinstance(value, str) and option not in _SECRETS:
        return
    raise DefinitionError(
        f"{option} is given as a value." if isinstance(value, str) else f"{option} is not a reference to a secret.",
        where=where,
        hint=f'Secrets are given by reference only: {option} = {{ env = "AIRBYTE_{option.upper()}" }}.',
    )
