"""The options of a local connector: which executable, with what configuration, loading what into which tables."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Any

from assetry.plugin import DefinitionError, Integration, UsageError, near_names, to_json

#: The sync modes, and the names that Airbyte's API gives to two of them.
SYNC_MODES = ("full_refresh_overwrite", "full_refresh_append", "incremental_append", "incremental_append_dedup")
_OTHER_NAMES = {
    "incremental_deduped_history": "incremental_append_dedup",
    "full_refresh_overwrite_deduped": "full_refresh_overwrite",
}
_STREAM_OPTIONS = ("sync_mode", "cursor_field", "primary_key")
_EXAMPLE = 'For example command = "source-faker", or ["python", "source_shop.py"].'
#: What is part of a fingerprint with its content: a script, and not an interpreter.
_LARGEST_SCRIPT = 1 << 20


@dataclass(frozen=True, slots=True)
class StreamChoice:
    """Say how one stream is read, where that is not left to its definition.

    A primary key is a list of columns; a cursor is one.
    """

    sync_mode: str | None = None
    cursor_field: str | None = None
    primary_key: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Hold the options of one local connector; see the README for what each of them means."""

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

    def __hash__(self) -> int:
        return hash((self.name, self.root))

    @classmethod
    def of(cls, integration: Integration) -> Source:
        """Read an integration's options; raise `DefinitionError` for one that is unknown or of a wrong kind.

        >>> Source.of(Integration("shop", "airbyte", {"command": "source-shop"})).command
        ('source-shop',)
        """
        given = dict(integration.options)
        for name in given:
            if name not in OPTIONS:
                raise _wrong(integration, f"unknown option {name!r}", near_names(name, OPTIONS), "See its README.")
        if not given.get("command") and not given.get("requirement"):
            raise _wrong(integration, "neither command nor requirement is given", (), _EXAMPLE)
        if not isinstance(given.get("config", {}), Mapping):
            raise _wrong(integration, "'config' is not a table", (), f"Write [integrations.{integration.name}.config].")
        return cls(
            name=integration.name,
            root=Path(integration.root).resolve(),
            command=_words(integration, "command", given.pop("command", None)),
            streams=_choices(integration, given.pop("streams", None)),
            deps=_words(integration, "deps", given.pop("deps", None)),
            **given,
        )

    @property
    def folder(self) -> Path:
        """Return where what is known of the connector is kept: its catalog, its state, its environment."""
        return self.root / ".assetry" / "airbyte" / self.name

    def fingerprint(self) -> str:
        """Return a hash of what the connector is and how it is configured; secrets count by their reference."""
        parts = [self.requirement or "", self.python or "", *self.command, repr(sorted_json(self.config))]
        digest = blake2b("\0".join(parts).encode(), digest_size=16)
        for word in self.command:
            path = self.root / word
            if path.is_file() and path.stat().st_size <= _LARGEST_SCRIPT:
                digest.update(path.read_bytes())
        return digest.hexdigest()


OPTIONS = tuple(name for name in Source.__dataclass_fields__ if name not in ("name", "root"))


def _wrong(integration: Integration, message: str, near: tuple[str, ...], hint: str) -> DefinitionError:
    return DefinitionError(f"Integration {integration.name!r}: {message}.", near=near, hint=hint)


def _words(integration: Integration, name: str, value: Any) -> tuple[str, ...]:
    if value is None:
        return ()
    if isinstance(value, str):
        return (value,)
    if isinstance(value, (list, tuple)) and all(isinstance(each, str) for each in value):
        return tuple(value)
    raise _wrong(integration, f"{name!r} is neither a text nor a list of texts", (), _EXAMPLE)


def _choices(integration: Integration, value: Any) -> Mapping[str, StreamChoice] | None:
    if value is None:
        return None
    if not isinstance(value, Mapping):
        return dict.fromkeys(_words(integration, "streams", value), StreamChoice())
    found = {}
    for stream, options in value.items():
        if not isinstance(options, Mapping):
            raise _wrong(integration, f"what is said of stream {stream!r} is not a table", (), "Write {} for nothing.")
        for name in options:
            if name not in _STREAM_OPTIONS:
                near = near_names(name, _STREAM_OPTIONS)
                raise _wrong(integration, f"stream {stream!r} has an unknown option {name!r}", near, "")
        mode = options.get("sync_mode")
        mode = _OTHER_NAMES.get(str(mode), mode)
        if mode is not None and mode not in SYNC_MODES:
            near = near_names(str(mode), SYNC_MODES)
            hint = f"The sync modes are {', '.join(SYNC_MODES)}."
            raise _wrong(integration, f"stream {stream!r} has an unknown sync_mode {mode!r}", near, hint)
        cursor = _words(integration, f"streams.{stream}.cursor_field", options.get("cursor_field"))
        key = _words(integration, f"streams.{stream}.primary_key", options.get("primary_key"))
        found[str(stream)] = StreamChoice(mode, cursor[0] if cursor else None, key)
    return found


def sorted_json(value: Any) -> Any:
    """Return JSON data in which equal tables are written alike.

    >>> sorted_json({"b": 1, "a": [{"d": 1, "c": 2}]})
    [('a', [[('c', 2), ('d', 1)]]), ('b', 1)]
    """
    if isinstance(value, Mapping):
        return [(name, sorted_json(value[name])) for name in sorted(value)]
    return [sorted_json(each) for each in value] if isinstance(value, (list, tuple)) else value


def environment_secret(name: str) -> str:
    """Return an environment variable; raise `UsageError` when it is not set."""
    value = os.environ.get(name)
    if value is None:
        raise UsageError(
            f"The secret {name} is not set.",
            near=near_names(name, os.environ, most=1),
            hint=f"Set the environment variable {name}.",
        )
    return value


def resolved(value: Any, secret: Callable[[str], str]) -> tuple[Any, frozenset[str]]:
    """Return a configuration with each ``{"env": "NAME"}`` replaced by its value, and the values put in.

    >>> resolved({"user": "bob", "key": {"env": "KEY"}}, {"KEY": "s3cret"}.__getitem__)
    ({'user': 'bob', 'key': 's3cret'}, frozenset({'s3cret'}))
    """
    secrets: set[str] = set()

    def put(each: Any) -> Any:
        if isinstance(each, Mapping):
            if set(each) == {"env"} and isinstance(each["env"], str):
                secrets.add(found := secret(each["env"]))
                return found
            return {name: put(inner) for name, inner in each.items()}
        return [put(inner) for inner in each] if isinstance(each, (list, tuple)) else each

    return put(to_json(value)), frozenset(secrets)


@dataclass(frozen=True, slots=True)
class Mask:
    """Take secrets out of what is shown.

    >>> Mask(frozenset({"s3cret"}))("login with s3cret failed")
    'login with *** failed'
    """

    secrets: frozenset[str] = frozenset()

    def __call__(self, text: str) -> str:
        """Return `text` without them."""
        # The longest first: one secret may be the beginning of another.
        for secret in sorted(self.secrets, key=len, reverse=True):
            if secret:
                text = text.replace(secret, "***")
        return text


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Keep other processes, and other threads, that lock the same file waiting."""
    import fcntl

    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def secret_names(specification: Any) -> frozenset[str]:
    """Return the names of the fields that a connector's specification calls secret, at any depth.

    >>> sorted(secret_names({"properties": {"user": {}, "token": {"airbyte_secret": True}}}))
    ['token']
    """
    found: set[str] = set()
    todo = [specification]
    while todo:
        each = todo.pop()
        if isinstance(each, Mapping):
            properties = each.get("properties")
            for name, schema in properties.items() if isinstance(properties, Mapping) else ():
                if isinstance(schema, Mapping) and schema.get("airbyte_secret") is True:
                    found.add(str(name))
            todo += each.values()
        elif isinstance(each, (list, tuple)):
            todo += each
    return frozenset(found)


def values_of(config: Any, names: frozenset[str]) -> frozenset[str]:
    """Return the texts that stand under some names in a configuration, at any depth.

    >>> values_of({"auth": {"token": "t0ken", "user": "bob"}}, frozenset({"token"}))
    frozenset({'t0ken'})
    """
    if isinstance(config, Mapping):
        own = {value for name, value in config.items() if name in names and isinstance(value, str)}
        return frozenset(own).union(*(values_of(value, names) for value in config.values()))
    each = config if isinstance(config, (list, tuple)) else ()
    return frozenset().union(*(values_of(value, names) for value in each))
