"""The options of a local connector: which executable, with what configuration, loading what into which tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from assetry.plugin import TEXTS, DefinitionError, Integration, checked, checked_options, one_of
from assetry_toolkit.definitions.digests import digest

from assetry_airbyte.options import LOCAL

#: The sync modes, and the names that Airbyte's API gives to two of them.
SYNC_MODES = ("full_refresh_overwrite", "full_refresh_append", "incremental_append", "incremental_append_dedup")
_OTHER_NAMES = {
    "incremental_deduped_history": "incremental_append_dedup",
    "full_refresh_overwrite_deduped": "full_refresh_overwrite",
}
STREAM_OPTIONS = {"sync_mode": one_of(*SYNC_MODES), "cursor_field": TEXTS, "primary_key": TEXTS}


@dataclass(frozen=True, slots=True)
class StreamChoice:
    """How one stream is read, where that is not left to its definition.

    A primary key is a list of columns; a cursor is one.
    """

    sync_mode: str | None = None
    cursor_field: str | None = None
    primary_key: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """The options of one local connector; see the README for what each of them means."""

    name: str
    root: Path
    command: tuple[str, ...] = ()
    requirement: str | None = None
    python: str | None = None
    config: Mapping[str, Any] = field(default_factory=dict)
    streams: Mapping[str, StreamChoice] | None = None
    schema: str | None = None
    prefix: str = ""
    io: str | Mapping[str, str] | None = None
    deps: tuple[str, ...] = ()
    extracted_at: bool = False
    record_count: str = "fail"

    def __hash__(self) -> int:
        return hash((self.name, self.root))

    @classmethod
    def of(cls, integration: Integration) -> Source:
        """Read an integration's options; raise `DefinitionError` for one that is unknown or of a wrong kind.

        >>> Source.of(Integration("shop", "airbyte", {"command": "source-shop"})).command
        ('source-shop',)
        """
        given = checked_options(integration, LOCAL)
        if not given.get("command") and not given.get("requirement"):
            raise DefinitionError(
                f"Integration {integration.name!r} has neither command nor requirement.", hint=LOCAL["command"].hint
            )
        streams = _choices(given.pop("streams", None), f"of integration {integration.name!r}")
        return cls(name=integration.name, root=Path(integration.root).resolve(), streams=streams, **given)

    @property
    def folder(self) -> Path:
        """Return where what is known of the connector is kept: its catalog, its state, its environment."""
        return self.root / ".assetry" / "airbyte" / self.name

    def fingerprint(self) -> str:
        """Return a hash of what the connector is and how it is configured; secrets count by their reference."""
        told = [self.requirement, self.python, self.command, self.config]
        return digest(told, *(self.root / word for word in self.command), size=16)


def _choices(value: Any, of: str) -> Mapping[str, StreamChoice] | None:
    if value is None:
        return None
    if not isinstance(value, Mapping):
        return dict.fromkeys(TEXTS.make(value), StreamChoice())
    return {str(name): _choice(f"stream {str(name)!r} {of}", options) for name, options in value.items()}


def _choice(of: str, options: Any) -> StreamChoice:
    if not isinstance(options, Mapping):
        raise DefinitionError(f"What is said of {of} is not a table.", hint="Write {} for nothing.")
    mode = options.get("sync_mode")
    # What is of another kind than text is told as it is.
    known = {**options, "sync_mode": _OTHER_NAMES.get(mode, mode) if isinstance(mode, str) else mode}
    given = checked(known, STREAM_OPTIONS, of)
    cursor = given.get("cursor_field", ())
    return StreamChoice(given.get("sync_mode"), cursor[0] if cursor else None, given.get("primary_key", ()))
