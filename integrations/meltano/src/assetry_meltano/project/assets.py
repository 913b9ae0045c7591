"""Assets from a Meltano project: one per selected stream of each pair of extractor and loader."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterator
from functools import cache, partial
from typing import Any

from assetry.plugin import Asset, Integration, Relation
from assetry_toolkit.definitions.digests import digest
from assetry_toolkit.singer.pairs import Pair, PairAssets, held_together, refuse_one_table_of_streams

from assetry_meltano.project.catalog import Catalogs
from assetry_meltano.project.program import absent
from assetry_meltano.project.project import MeltanoProject

#: Return the table of a stream: (pair, stream's name, what the rules say) -> Relation, a tuple of three, or None.
RelationOf = Callable[[Pair, str, Relation | None], Any]
_log = logging.getLogger("assetry.meltano")


def load(integration: Integration, relation: RelationOf | None = None) -> list[Asset]:
    """Return the assets of a Meltano project; runs Meltano only for extractors that are not known as they are now.

    Raises `IntegrationError` when the project cannot be read, `DefinitionError` for wrong options, and where two
    streams are loaded into one table.
    """
    project = MeltanoProject.of(integration)
    known, loaders = cache(Catalogs(project).known), project.options.loaders
    pairs = list(_pairs(integration, project, relation))
    if not pairs:
        _log.warning("%s", _told_nothing(project))
    project.refuse_strange({*loaders} - {"*"}, project.loaders, "loaders", "loader")
    # Meltano keeps the catalog of an extractor in one file, which a second run at the same time would overwrite.
    held = held_together(pairs, lambda tap: f"meltano:{project.options.folder}/.meltano/run/{tap}")
    assets = [asset for pair in held for asset in pair.assets(known(pair.tap))]
    refuse_one_table_of_streams(assets, integration.name, _apart)
    return assets


def _told_nothing(project: MeltanoProject) -> str:
    told = f"Meltano project {project.options.folder} has no job, no schedule and no pairs: it makes nothing here."
    if not (project.extractors and project.loaders):
        return f"{told} Add plugins to it: meltano add …"
    pair = f"{next(iter(project.extractors))} {next(iter(project.loaders))}"
    return f'{told} Say which extractor goes to which loader, in assetry.toml: pairs = ["{pair}"].'


def _pairs(integration: Integration, project: MeltanoProject, relation: RelationOf | None) -> Iterator[PairAssets]:
    """Yield what makes the assets of each pair."""
    seen, options = Counter[str](), project.options
    for pair, interval in project.pairs().items():
        tap, loader, state_id = project.extractors[pair.extractor], project.loaders[pair.loader], project.state_id(pair)
        seen.update((tap.name, state_id))
        # By the name of its state a pair is known in the log of a run.
        alone = not options.share or seen[state_id] > 1
        group = f"meltano:{options.name}@{project.environment}{':' + '+'.join(pair) if alone else ''}"
        yield PairAssets(
            integration=integration,
            tap=tap.name,
            target=loader.name,
            base=[options.name, tap.name, *([loader.name] if seen[tap.name] > 1 else [])],
            tables=project.tables(pair),
            code={"extractor": digest(tap.essence), "loader": digest([pair[1:-1], loader.essence])},
            state=state_id,
            mapped=len(pair) > 2 or any(end.config.get("stream_maps") for end in (tap, loader)),
            spec={"pair": list(pair), "group": group},
            metadata={"pipeline": str(pair), "schedule": interval, "environment": project.environment},
            deps=options.deps,
            source=tap.source,
            absent=absent(project, pair),
            fault=loader.known_fault("loaders", project.installed),
            place=relation and partial(relation, pair),
            unknown="Give it a `catalog`, a file, in meltano.yml. Or, where nothing here reads these tables: "
            f"join = false in [integrations.{options.name}.loaders.{loader.name}].",
        )


def place_of_loader(asset: Asset) -> str:
    """Return the table of assetry.toml in which is said where the loader of an asset has its tables."""
    return f"[integrations.{asset.key.parts[0]}.loaders.{asset.spec['pair'][-1]}]"


def _apart(asset: Asset) -> str:
    return (
        f"Give one of them another schema: `load_schema` of its extractor, or a loader of its own that inherits from "
        f"{asset.spec['pair'][-1]}. Where these are two tables, say where they are (database, schema, or join = false) "
        f"in {place_of_loader(asset)}. If it has other streams by now: `assetry meltano pull`."
    )
