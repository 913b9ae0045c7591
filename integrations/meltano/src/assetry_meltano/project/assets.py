"""Assets from a Meltano project: one per selected stream of each pair of extractor and loader."""

from __future__ import annotations

import logging
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from assetry.plugin import Asset, AssetKey, Integration, IntegrationError, Relation
from assetry_toolkit.definitions.digests import digest
from assetry_toolkit.definitions.kept_answers import Answer
from assetry_toolkit.hosted.assets import ConnectionAssets
from assetry_toolkit.hosted.keys import key_part
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
    catalogs = Catalogs(options, project)
    assets: list[Asset] = []
    for place in places:
        answer = _answer(catalogs, project.extractors[place.pair.extractor])
        run = {"pair": list(place.pair), "group": place.group, "holds": sorted(holds[place.group])}
        common = ConnectionAssets(
            integration=integration, group=place.pair.extractor, spec=run, deps=options.deps, resource_type="stream"
        )
        assets += _assets(common, project, place, answer, relation)
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


def _answer(catalogs: Catalogs, plugin: Plugin) -> Answer | str:
    """Return the catalog of an extractor, or why there is none: one asset stands for all its streams then."""
    if "discover" not in plugin.definition.get("capabilities", ["discover"]):
        return "it cannot say which streams it has"
    try:
        found = catalogs.known(plugin)
    except IntegrationError as error:
        _log.warning("%s", error)
        return error.message
    if not found.value["streams"]:
        _log.warning("%s", told_unselected(plugin, found.value["offered"]))
    return found


def _assets(
    common: ConnectionAssets, project: MeltanoProject, place: _Place, answer: Answer | str, relation: RelationOf | None
) -> Iterator[Asset]:
    """Yield an asset for each stream of a pair; one for all when only the reason is known why they are not."""
    tap, loader = project.extractors[place.pair.extractor], project.loaders[place.pair.loader]
    code = {"extractor": digest(tap.essence), "loader": digest([place.pair[1:-1], loader.essence])}
    # Where something may leave rows out on the way, fewer of them say nothing.
    mapped = len(place.pair) > 2 or any(end.definition["config"].get("stream_maps") for end in (tap, loader))
    if isinstance(answer, str):
        common.description = f"All streams of {tap.name}: {answer}"
        common.metadata = _known({**place.facts, "unknown": answer})
        whole = {"stream": None, "of": 1, "mapped": mapped}
        yield common.asset(_key(place.base), None, whole, source=tap.source, code_version=digest(code), code_parts=code)
        return
    streams = Catalog.from_json(answer.value).streams
    common.metadata = _known({**place.facts, "definitions_read": answer.at, "stale": answer.stale})
    common.spec = {**common.spec, "of": len(streams), "mapped": mapped}
    for stream in streams:
        found = asked_place(relation, place.pair, stream.name, place.there.relation(stream.name))
        io = place.there.io if found is not None else None
        yield stream_asset(common, _key([*place.base, stream.id]), stream, found, code, source=tap.source, io=io)


def _known(facts: Mapping[str, Any]) -> dict[str, Any]:
    return {name: each for name, each in facts.items() if each}


def _key(parts: Sequence[str]) -> AssetKey:
    return AssetKey([key_part(each) for each in parts])


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
