"""Assets from a Meltano project: one per selected stream of each pair of extractor and loader."""

from __future__ import annotations

import logging
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from assetry.plugin import Asset, Integration, IntegrationError, Relation
from assetry_toolkit.definitions.digests import digest
from assetry_toolkit.definitions.kept_answers import Answer
from assetry_toolkit.hosted.assets import ConnectionAssets
from assetry_toolkit.hosted.keys import asset_key
from assetry_toolkit.hosted.tables import asked_place, refuse_one_table
from assetry_toolkit.singer.catalogs import Catalog, stream_asset
from assetry_toolkit.singer.targets import TargetTables

from assetry_meltano.options import Options
from assetry_meltano.project.catalog import Catalogs, told_unselected
from assetry_meltano.project.project import MeltanoProject, Pair, Plugin

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
    places = list(_places(options, project))
    if not places:
        _log.warning("Meltano project %s has no job, no schedule and no pairs: it makes nothing here.", options.folder)
    holds = defaultdict[str, set[str]](set)
    for place in places:
        # Meltano keeps the catalog of an extractor in one file, which a second run at the same time would overwrite.
        catalog_file = f"meltano:{project.folder}/.meltano/run/{place.pair.extractor}"
        holds[place.group].update(filter(None, (catalog_file, place.there.io)))
    catalogs, maker = Catalogs(options, project), _Maker(integration, options, project, relation)
    assets: list[Asset] = []
    for place in places:
        answer = _answer(catalogs, project.extractors[place.pair.extractor])
        assets += maker.assets(place, holds[place.group], answer)
    refuse_one_table(assets, _table, "Two streams are loaded into one table", options.name, _apart)
    return assets


class _Place(NamedTuple):
    """Where a pair goes, and which run it is a part of; `base` begins the keys of its streams."""

    pair: Pair
    base: Sequence[str]
    group: str
    there: TargetTables
    facts: Mapping[str, Any]


def _places(options: Options, project: MeltanoProject) -> Iterator[_Place]:
    """Yield where each pair goes.

    The streams of an extractor are chosen by one variable, so a second pair of it is another run.
    """
    seen = Counter[str]()
    for pair, interval in project.pairs(options).items():
        seen[pair.extractor] += 1
        number = seen[pair.extractor]
        base = [options.name, pair.extractor, *([pair.loader] if number > 1 else [])]
        own = "" if options.share else f":{'+'.join(pair)}"
        group = f"meltano:{options.name}@{project.environment or ''}{own}{f'#{number}' if number > 1 else ''}"
        there = project.tables(pair, options.loaders)
        facts = {"pipeline": str(pair), "destination": there.kind, "schedule": interval}
        yield _Place(pair, base, group, there, {**facts, "environment": project.environment})


def _answer(catalogs: Catalogs, plugin: Plugin) -> Answer:
    """Return what an extractor has answered; None, with the reason, where it cannot be asked and never was."""
    if "discover" not in plugin.definition.get("capabilities", ["discover"]):
        return Answer(None, "", "it cannot say which streams it has")
    try:
        found = catalogs.known(plugin)
    except IntegrationError as error:
        _log.warning("%s", error)
        return Answer(None, "", error.message)
    if not found.value["streams"]:
        _log.warning("%s", told_unselected(plugin, found.value["offered"]))
    return found


class _Maker(NamedTuple):
    """What makes the assets of a project."""

    integration: Integration
    options: Options
    project: MeltanoProject
    relation: RelationOf | None

    def assets(self, place: _Place, holds: Iterable[str], answer: Answer) -> Iterator[Asset]:
        """Yield an asset for each stream of a pair; one for all when only the reason is known why they are not."""
        tap, loader = self.project.extractors[place.pair.extractor], self.project.loaders[place.pair.loader]
        code = {"extractor": digest(tap.essence), "loader": digest([place.pair[1:-1], loader.essence])}
        known = answer.value is not None
        streams = Catalog.from_json(answer.value).streams if known else ()
        told = {"definitions_read": answer.at, "stale" if known else "unknown": answer.stale}
        run = {"pair": list(place.pair), "group": place.group, "holds": sorted(holds), "of": len(streams) or 1}
        # Where something may leave rows out on the way, fewer of them say nothing.
        mapped = len(place.pair) > 2 or any(end.definition["config"].get("stream_maps") for end in (tap, loader))
        common = ConnectionAssets(
            integration=self.integration,
            group=tap.name,
            spec={**run, "mapped": mapped, "stream": None},
            metadata={**place.facts, **told},
            deps=self.options.deps,
            description="" if known else f"All streams of {tap.name}: {answer.stale}",
            resource_type="stream",
        )
        if not known:
            key, version = asset_key(*place.base), digest(code)
            yield common.asset(key, None, {}, source=tap.source, code_version=version, code_parts=code)
        for stream in streams:
            found = asked_place(self.relation, place.pair, stream.name, place.there.relation(stream.name))
            io = place.there.io if found is not None else None
            key = asset_key(*place.base, stream.id)
            yield stream_asset(common, key, stream, found, code, source=tap.source, io=io)


def _table(asset: Asset) -> Any:
    """Return what no other asset may have: the loader and the table, where the whole of its place is known."""
    known = asset.relation is not None and None not in asset.relation
    return (asset.spec["pair"][-1], asset.relation.folded) if asset.relation and known else None


def _apart(asset: Asset) -> str:
    loader = asset.spec["pair"][-1]
    return (
        f"Give one of them another schema: `load_schema` of its extractor, or a loader of its own that inherits from "
        f"{loader}. Where these are two tables, say so with join = false in "
        f"[integrations.{asset.key.parts[0]}.loaders.{loader}]."
    )
