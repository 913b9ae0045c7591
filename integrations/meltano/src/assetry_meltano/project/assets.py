"""Assets from a Meltano project: one per selected stream of each pair of extractor and loader."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from hashlib import blake2b
from typing import Any

from assetry.plugin import Asset, AssetKey, Column, DefinitionError, Integration, IntegrationError, Relation
from assetry_toolkit.hosted.assets import ConnectionAssets
from assetry_toolkit.hosted.keys import key_part
from assetry_toolkit.hosted.tables import TakenTables, asked_place

from assetry_meltano.project.catalog import Catalog, Catalogs, told_unselected
from assetry_meltano.project.naming import Destination, destination
from assetry_meltano.project.project import MeltanoProject, Pair
from assetry_meltano.settings import Options

#: How an extractor reads what was added since the last time.
GROWING = ("INCREMENTAL", "LOG_BASED")
#: Return the table of a stream: (pair, stream's name, what the rules say) -> Relation, a tuple of three, or None.
RelationOf = Callable[[Pair, str, Relation | None], Any]
_log = logging.getLogger("assetry.meltano")


def load(integration: Integration, relation: RelationOf | None = None) -> list[Asset]:
    """Return the assets of a Meltano project; runs Meltano only for extractors that are not known as they are now.

    Raises `IntegrationError` when the project cannot be read, `DefinitionError` for wrong options, and where two
    streams are loaded into one table.
    """
    options = Options.of(integration)
    project = MeltanoProject.of(options)
    pairs = project.pairs(options)
    if not pairs:
        _log.warning("Meltano project %s has no job, no schedule and no pairs: it makes nothing here.", options.folder)
    catalogs = Catalogs(options, project)
    maker = _Maker(integration, options, project, relation)
    for pair in pairs:
        maker.place(pair)
    assets = [asset for pair in pairs for asset in maker.assets(pair, pairs[pair], _catalog(catalogs, project, pair))]
    _refuse_one_table(options, assets)
    return assets


def _catalog(catalogs: Catalogs, project: MeltanoProject, pair: Pair) -> Catalog | str:
    """Return the catalog of a pair's extractor, or why there is none: one asset stands for all its streams then."""
    plugin = project.extractors[pair.extractor]
    if "discover" not in plugin.definition.get("capabilities", ["discover"]):
        return "it cannot say which streams it has"
    try:
        found = catalogs.known(pair.extractor)
    except IntegrationError as error:
        _log.warning("%s", error)
        return str(error.args[0])
    if not found.streams:
        _log.warning("%s", told_unselected(plugin, found))
    return found


class _Maker:
    """What makes the assets of a project's pairs: for each its place, its group, and the files that the group holds."""

    def __init__(
        self, integration: Integration, options: Options, project: MeltanoProject, relation: RelationOf | None
    ) -> None:
        self._integration, self._options, self._project, self._relation = integration, options, project, relation
        self._places: dict[Pair, tuple[int, str, Destination]] = {}
        self._holds: dict[str, set[str]] = {}

    def place(self, pair: Pair) -> None:
        """Note where a pair goes, before assets are made.

        The streams of an extractor are chosen by one variable, so a second pair of it is another run.
        """
        number = 1 + sum(other.extractor == pair.extractor for other in self._places)
        own = "" if self._options.share else f":{'+'.join(pair.blocks)}"
        group = f"meltano:{self._integration.name}@{self._project.environment or ''}{own}"
        group += f"#{number}" if number > 1 else ""
        there = destination(self._project, pair, self._options.loaders)
        self._places[pair] = number, group, there
        # Meltano keeps the catalog of an extractor in one file, which a second run at the same time would overwrite.
        folder = f"meltano:{self._project.folder}/.meltano/run/{pair.extractor}"
        self._holds.setdefault(group, set()).update(filter(None, (folder, there.io)))

    def assets(self, pair: Pair, interval: str | None, catalog: Catalog | str) -> Iterator[Asset]:
        """Yield an asset for each stream of a pair; one for all when only the reason is known why they are not."""
        number, group, place = self._places[pair]
        tap, loader = self._project.extractors[pair.extractor], self._project.loaders[pair.loader]
        base = [self._integration.name, pair.extractor, *([pair.loader] if number > 1 else [])]
        facts: dict[str, Any] = {"pipeline": str(pair), "destination": place.kind, "schedule": interval}
        facts["environment"] = self._project.environment
        if isinstance(catalog, str):
            facts["unknown"] = catalog
        else:
            facts |= {"definitions_read": catalog.at, "stale": catalog.stale}
        streams = () if isinstance(catalog, str) else catalog.streams
        spec: dict[str, Any] = {"pair": list(pair.blocks), "group": group, "holds": sorted(self._holds[group])}
        # Where something may leave rows out on the way, fewer of them say nothing.
        spec["mapped"] = bool(pair.mappers) or any(end.definition["config"].get("stream_maps") for end in (tap, loader))
        common = ConnectionAssets(
            integration=self._integration,
            group=pair.extractor,
            spec={**spec, "stream": None, "of": len(streams) or 1},
            metadata={name: each for name, each in facts.items() if each},
            deps=self._options.deps,
            description=f"All streams of {pair.extractor}: {catalog}" if isinstance(catalog, str) else "",
            resource_type="stream",
        )
        code = {"extractor": _digest(tap.essence), "loader": _digest([pair.mappers, loader.essence])}
        if isinstance(catalog, str):
            yield common.asset(_key(base), None, {}, source=tap.source, code_version=_digest(code), code_parts=code)
        for stream in streams:
            found = asked_place(self._relation, pair, stream.name, place.relation(stream.name))
            parts = {**code, "stream": _digest([stream.keys, stream.method, stream.cursor, stream.columns])}
            manner = (("replication_method", stream.method), ("replication_key", stream.cursor))
            yield common.asset(
                _key([*base, stream.id]),
                found,
                {"stream": stream.id, "name": stream.name, "method": stream.method, "keys": list(stream.keys)},
                (*manner, ("primary_key", ", ".join(stream.keys))),
                source=tap.source,
                code_version=_digest(parts),
                code_parts=parts,
                columns=tuple(Column(name, description=told) for name, told in stream.columns),
                incremental=stream.method in GROWING,
                io=place.io if found is not None else None,
            )


def _key(parts: list[str]) -> AssetKey:
    return AssetKey([key_part(each) for each in parts])


def _digest(value: Any) -> str:
    return blake2b(json.dumps(value, sort_keys=True, default=str).encode(), digest_size=8).hexdigest()


def _refuse_one_table(options: Options, assets: list[Asset]) -> None:
    """Raise `DefinitionError` for streams that are loaded into one table: of two kinds of rows it would have both."""
    taken = TakenTables[Asset]()
    for asset in assets:
        if asset.relation is None or None in asset.relation:
            continue
        loader = asset.spec["pair"][-1]
        double = taken.take(loader, [asset.relation], [asset], folds_case=True)
        if double is not None:
            raise DefinitionError(
                f"Two streams are loaded into one table, {asset.relation}: {double[1].key} and {asset.key}.",
                where=f"integration {options.name!r}",
                hint="Give one of them another schema: `load_schema` of its extractor, or a loader of its own that "
                f"inherits from {loader}. Where these are two tables, say so with join = false in "
                f"[integrations.{options.name}.loaders.{loader}].",
            )
