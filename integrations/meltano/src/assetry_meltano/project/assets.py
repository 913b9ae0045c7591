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
from assetry_meltano.project.catalog import Catalogs, choice_warnings
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
        _log.warning("%s", _told_nothing(project))
    project.refuse_strange((each for each in options.loaders if each != "*"), project.loaders, "loaders", "loader")
    holds = defaultdict[str, set[str]](set)
    for place in places:
        # Meltano keeps the catalog of an extractor in one file, which a second run at the same time would overwrite.
        catalog_file = f"meltano:{project.folder}/.meltano/run/{place.pair.extractor}"
        holds[place.group].update(filter(None, (catalog_file, place.there.io)))
    catalogs, maker = Catalogs(options, project), _Maker(integration, options, project, relation)
    assets: list[Asset] = []
    for name in dict.fromkeys(place.pair.extractor for place in places):
        of_it = [place for place in places if place.pair.extractor == name]
        answer = _answer(catalogs, project.extractors[name], of_it)
        for place in of_it:
            assets += maker.assets(place, holds[place.group], answer)
    refuse_one_table(assets, _table, "Two streams are loaded into one table", options.name, _apart)
    return assets


def _told_nothing(project: MeltanoProject) -> str:
    told = f"Meltano project {project.folder} has no job, no schedule and no pairs: it makes nothing here."
    if not (project.extractors and project.loaders):
        return f"{told} Add plugins to it: meltano add …"
    pair = f"{next(iter(project.extractors))} {next(iter(project.loaders))}"
    return f'{told} Say which extractor goes to which loader, in assetry.toml: pairs = ["{pair}"].'


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


def _answer(catalogs: Catalogs, plugin: Plugin, places: Iterable[_Place]) -> Answer:
    """Return what an extractor has answered; None, with the reason, where it never can, and fills no table.

    Raises `IntegrationError` where its tables cannot be known: what reads them would run before them.
    """
    definition = plugin.definition
    if "discover" in (definition.get("capabilities") or ["discover"]) or definition.get("catalog"):
        found = catalogs.known(plugin)
        for warning in choice_warnings(plugin, found.value):
            _log.warning("%s", warning)
        return found
    for place in places:
        if place.there.relation("any") is not None:
            integration, loader = place.base[0], place.pair.loader
            raise IntegrationError(
                f"{plugin.name} cannot say which streams it has, so it is not known which tables of {loader} it fills.",
                where=plugin.source,
                hint="Give it a `catalog`, a file, in meltano.yml. Or, where nothing here reads these tables: "
                f"join = false in [integrations.{integration}.loaders.{loader}].",
            )
    return Answer(None, "", "it cannot say which streams it has")


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
    """Return what no other asset may have: the table, by whichever loader it is filled.

    What is not known of its place is the same for all loaders of one kind: a setting that is not made.
    """
    if asset.relation is None:
        return None
    return asset.relation.folded, asset.metadata.get("destination") if None in asset.relation else None


def _apart(asset: Asset) -> str:
    loader = asset.spec["pair"][-1]
    return (
        f"Give one of them another schema: `load_schema` of its extractor, or a loader of its own that inherits from "
        f"{loader}. Where these are two tables, say where they are (database, schema, or join = false) in "
        f"[integrations.{asset.key.parts[0]}.loaders.{loader}]."
    )
