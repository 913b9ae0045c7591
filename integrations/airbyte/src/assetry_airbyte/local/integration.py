"""Local connectors: the hooks of an integration whose connector runs here, without any Airbyte server.

What a connector offers is asked once and kept (`.assetry/airbyte/<integration>/catalog.json`); it is asked again when
its command, its script or its configuration has changed. So definitions load offline and in milliseconds.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from assetry.plugin import (
    Asset,
    AssetKey,
    AssetryError,
    Dep,
    Event,
    Integration,
    Invocation,
    InvocationGroup,
    Log,
    Relation,
    RunContext,
    read_secret,
)
from assetry_toolkit.commands import Command
from assetry_toolkit.definitions.digests import digest
from assetry_toolkit.definitions.kept_answers import KeptAnswers
from assetry_toolkit.files import Workplace
from assetry_toolkit.hosted.tables import refuse_one_table
from assetry_toolkit.secrets import Mask, resolved, secret_names, values_of

from assetry_airbyte.local.catalog import Stream, chosen, configured_catalog
from assetry_airbyte.local.column_names import cut
from assetry_airbyte.local.connector import command_of, discover, find_command, specification
from assetry_airbyte.local.environments import environment
from assetry_airbyte.local.json_text import written
from assetry_airbyte.local.options import Source
from assetry_airbyte.local.protocol import section
from assetry_airbyte.local.reading import Load, Reading
from assetry_airbyte.local.state import Kept, Resumption, StateFile

KIND = "airbyte"
#: What a connector's specification calls a field that is secret.
SECRET_MARKS = ("airbyte_secret", "writeOnly")
#: Under which name the answer to `discover` is kept.
_CATALOG = "catalog"
_APART = (
    "Name those to have (streams = […]) without one of them, and read that one with an integration of its own that has "
    "another `schema` or `prefix`. Streams of two namespaces are kept apart where `schema` is left out."
)


def load_local(integration: Integration) -> Iterable[Asset]:
    """Return one asset for each stream that the options choose; runs the connector only when it is not known yet.

    Raises `DefinitionError` when the options are wrong, `IntegrationError` when the connector cannot be asked.
    """
    source = Source.of(integration)
    catalog = known_catalog(source)
    kept = _kept(source)
    assets = [_asset(integration, source, stream, kept) for stream in chosen(catalog, source)]
    _refuse_one_table(source, assets)
    return assets


def known_catalog(source: Source, refresh: bool = False) -> Mapping[str, Any]:
    """Return what the connector offers, as it is kept; asked anew when that is of another command or configuration."""
    answers, fingerprint = _answers(source), source.fingerprint()
    known = None if refresh else answers.kept(_CATALOG, fingerprint)
    if known is not None:
        return section(known.value, "catalog")
    config, secrets = resolved(source.config, read_secret)
    find_command(source)  # before anything is asked: that there is none is an error of its own
    private = secret_names(specification(source), SECRET_MARKS)
    catalog = discover(source, config, Mask(secrets | values_of(config, private)))
    answers.keep(_CATALOG, fingerprint, {"catalog": catalog, "secrets": sorted(private)})
    return catalog


def local_files(integration: Integration) -> list[str]:
    """Return where what a connector offers is kept, and where the environments of connectors are."""
    source = Source.of(integration)
    return [str(_catalog_path(source)), str(environment(source).parent)]


def _answers(source: Source) -> KeptAnswers:
    return KeptAnswers(_catalog_path(source), version=2)


def _catalog_path(source: Source) -> Path:
    return source.folder / "catalog.json"


def pull_local(integration: Integration) -> int:
    """Ask the connector anew what it offers, and keep that; return the number of streams."""
    return len(known_catalog(Source.of(integration), refresh=True).get("streams", ()))


def _kept(source: Source) -> Kept:
    # What is wrong with the state is for a run to tell; the definitions are right without it.
    with suppress(AssetryError):
        return StateFile(source.folder / "state.json").read()
    return Kept()


def _asset(integration: Integration, source: Source, stream: Stream, kept: Kept) -> Asset:
    namespace, table = stream.id.namespace, source.prefix + stream.id.name
    known = kept.of(stream.id)
    parts = {
        "connector": digest([source.requirement, source.command, source.config]),
        "stream": digest([stream.sync_mode, stream.cursor, stream.keys]),
        "schema": digest(stream.kinds()),
    }
    return Asset(
        key=AssetKey([source.name, *([namespace] if namespace else []), table]),
        kind=KIND,
        integration=integration,
        deps=[Dep(AssetKey(key)) for key in source.deps],
        spec=stream.spec(),
        description=str(stream.offered.get("description") or ""),
        columns=stream.columns(known.widened, known.names),
        relation=Relation(None, source.schema or namespace, table),
        code_version=digest(parts),
        code_parts=parts,
        resource_type="stream",
        kept=True,
        grows="append" if stream.sync_mode == "incremental_append" else "replace",
        metadata={
            "sync_mode": stream.sync_mode,
            **({"cursor_field": ".".join(stream.cursor)} if stream.cursor else {}),
            **({"primary_key": [".".join(path) for path in stream.keys]} if stream.keys else {}),
        },
    )


def _refuse_one_table(source: Source, assets: Iterable[Asset]) -> None:
    """Raise `DefinitionError` for streams of which one would overwrite the other: in most places case is all one."""

    def place(asset: Asset) -> tuple[str | None, str]:
        relation = asset.relation or Relation(None, None, asset.key.name)
        return relation.schema and relation.schema.casefold(), cut(relation.identifier).casefold()

    told = f"Two streams of connector {source.name!r} would go into one table"
    refuse_one_table(assets, place, told, source.name, lambda _: _APART)


def local_group(asset: Asset) -> InvocationGroup | None:
    """Put the streams of one connector together: one reading for all that are selected, and no more than these."""
    return None if asset.integration is None else _group(asset.integration.name)


@lru_cache(maxsize=64)
def _group(name: str) -> InvocationGroup:
    return InvocationGroup(f"airbyte:{name}", ordered=False, whole=False, limit=1)


def local_command(invocation: Invocation) -> str:
    """Return the command, for people to read; its files are private and stand only by their name."""
    source = Source.of(invocation.integration)
    streams = ",".join(str(Stream.from_spec(asset.spec).id) for asset in invocation.assets)
    command = " ".join(source.command) or str(source.requirement)
    return f"{command} read --config … --catalog {streams}"


def invoke_local(invocation: Invocation, context: RunContext) -> Iterator[Event]:
    """Run one ``read`` of the connector, yielding its events as they happen.

    Raises `RunError` when the streams cannot be read from the state that is kept.
    """
    source = Source.of(invocation.integration)
    words = find_command(source)
    config, secrets = resolved(source.config, context.secret)
    known = _answers(source).kept(_CATALOG)
    mask = Mask(secrets | values_of(config, frozenset(known.value["secrets"] if known else ())))
    states = StateFile(source.folder / "state.json")
    assets = [(asset, Stream.from_spec(asset.spec)) for asset in invocation.assets]
    resumption = Resumption(states.read(), [stream for _, stream in assets], invocation.full_refresh)
    for note in resumption.notes:
        yield Log(note, "warning")
    now = datetime.now(UTC) if source.extracted_at else None
    with Workplace(source.folder) as place:
        load = Load(
            *(assets, resumption, states, place.path, context.save, mask, now),
            full_refresh=invocation.full_refresh,
            counted=source.record_count == "fail",
        )
        wanted = configured_catalog(stream for _, stream in assets)
        given = ["--config", place.write("config.json", json.dumps(config))]
        given += ["--catalog", place.write("catalog.json", json.dumps(wanted))]
        state = resumption.document()
        if state is not None:
            given += ["--state", place.write("state.json", written(state).decode())]
        yield from _read(command_of(source, [*words, "read", *map(str, given)]), Reading(load), context)


def _read(command: Command, reading: Reading, context: RunContext) -> Iterator[Event]:
    with command.start() as running:
        for block in running.blocks(lambda: context.cancelled):
            yield from reading.take(block)
        if running.returncode is not None:
            yield from reading.end(running.returncode, tuple(running.errors))
