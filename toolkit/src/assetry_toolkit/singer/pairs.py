"""The assets of a tap and a target: one for each stream that the one gives to the other."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from assetry.plugin import Asset, AssetWarning, Integration, IntegrationError, Panel, PanelContext, Relation

from assetry_toolkit.definitions.digests import digest
from assetry_toolkit.definitions.kept_answers import Answer
from assetry_toolkit.hosted.assets import ConnectionAssets
from assetry_toolkit.hosted.keys import asset_key
from assetry_toolkit.hosted.panels import connection_panel
from assetry_toolkit.hosted.tables import refuse_one_table
from assetry_toolkit.singer.catalogs import Catalog, stream_asset
from assetry_toolkit.singer.targets import TargetTables

#: Metadata of a stream, by name, with its title; and that of its last run.
SHOWN = {"pipeline": "pipeline", "environment": "environment", "replication_method": "replication"}
SHOWN |= {"replication_key": "replication key", "primary_key": "primary key"}
SHOWN |= {"unknown": "streams unknown", "stale": "catalog is old", "not_installed": "cannot run"}
SHOWN |= {"known_fault": "beware"}
OF_RUN = {"run": "last run", "state_id": "state", "rows_extracted": "rows extracted", "result_known_by": "known by"}
OF_RUN |= {"rows_not_compared": "rows not compared", "rows_doubled": "rows there twice"}


class Pair(tuple[str, ...]):
    """The words by which a runner is given an extractor and the loader of its streams, and mappers between them.

    >>> str(Pair(("tap-shop", "target-duckdb")))
    'tap-shop target-duckdb'
    """

    __slots__ = ()

    @property
    def extractor(self) -> str:
        """Return the name of the extractor."""
        return self[0]

    @property
    def loader(self) -> str:
        """Return the name of the loader."""
        return self[-1]

    @classmethod
    def among(
        cls, words: Iterable[str], extractors: Container[str], mappers: Container[str], loaders: Container[str]
    ) -> Iterator[Pair]:
        """Yield the pairs among some words, in which other words may stand before, behind and between them.

        >>> [*Pair.among(["tap-a", "dbt:run", "tap-b", "hide", "lake"], ["tap-a", "tap-b"], ["hide"], ["lake"])]
        [('tap-b', 'hide', 'lake')]
        """
        begun = list[str]()
        for word in words:
            if word in extractors:
                begun = [word]
            elif begun and word in mappers:
                begun.append(word)
            elif begun and word in loaders:
                yield cls((*begun, word))
                begun = []

    def __str__(self) -> str:
        return " ".join(self)


def words_of(tasks: Any) -> list[str]:
    """Return the words of a text, or of texts in lists.

    >>> words_of(["tap-a lake", ["tap-b", "lake"]]), words_of(None)
    (['tap-a', 'lake', 'tap-b', 'lake'], [])
    """
    each = tasks if isinstance(tasks, list) else [tasks or ""]
    return [word for task in each for word in (words_of(task) if isinstance(task, list) else str(task).split())]


@dataclass(frozen=True, slots=True, kw_only=True)
class PairAssets:
    """What is the same for all streams that a tap gives to a target.

    * `base`: the names that their keys begin with; the stream's id follows.
    * `tables`: where the target puts streams.
    * `code`: digests of what else decides what is in the tables, such as the versions of both programs.
    * `state`: what the runner calls the state by which these streams are read.
    * `mapped`: something may leave rows out on the way, so that fewer of them say nothing.
    * `place`: a function from a stream's name and the table that the rules found to the one that it really is, as
      (database, schema, identifier) or None.
    * `absent`: which of the programs are not there, with the next step; as words of a sentence. `fault` is what the
      target is known to do wrong.
    * `unknown`: what to do about a tap that cannot say which streams it has, though the target fills tables.

    The spec of each asset has what `assetry_toolkit.singer.loads` reads, and `tap`, `target` and `stream`: where the
    streams of a tap are chosen once, for whichever targets, a group has ``choice=("tap", "target", "stream")``.

    >>> from assetry_toolkit.singer.targets import target_tables
    >>> lake = target_tables("target-postgres", {"database": "lake", "default_target_schema": "raw"}.get)
    >>> mill = Integration("shop", "mill")
    >>> shop = PairAssets(integration=mill, tap="tap-shop", target="target-postgres", base=["shop"], tables=lake)
    >>> catalog = Catalog.read({"streams": [{"stream": "users", "selected": True}]})
    >>> [(str(each.key), str(each.relation)) for each in shop.assets(Answer(catalog.to_json(), "2026-01-01"))]
    [('shop/users', 'lake.raw.users')]
    """

    integration: Integration
    tap: str
    target: str
    base: Sequence[str]
    tables: TargetTables
    code: Mapping[str, str] = field(default_factory=dict)
    state: str = ""
    mapped: bool = False
    spec: Mapping[str, Any] = field(default_factory=dict)
    metadata: Mapping[str, Any] = field(default_factory=dict)
    deps: tuple[str, ...] = ()
    source: str | None = None
    absent: str | None = None
    fault: str | None = None
    place: Callable[[str, Relation | None], Any] | None = None
    unknown: str | None = None

    def assets(self, catalog: Answer) -> Iterator[Asset]:
        """Yield an asset for each stream of a catalog that was kept, or one for all where there is only the reason.

        Raises `IntegrationError` where that one would fill tables: what reads them would run before it.
        """
        known = catalog.value is not None
        if not known and self.tables.relation("any") is not None:
            told = f"{self.tap} cannot say which streams it has, so it is not known which tables of {self.target} it"
            raise IntegrationError(f"{told} fills.", where=self.source, hint=self.unknown)
        streams = Catalog.from_json(catalog.value).streams if known else ()
        age = {"definitions_read": catalog.at, "stale" if known else "unknown": catalog.stale}
        of_pair = {"tap": self.tap, "target": self.target, "of": len(streams) or 1, "mapped": self.mapped}
        of_pair["load_method"] = self.tables.method
        common = ConnectionAssets(
            integration=self.integration,
            group=self.tap,
            spec={**self.spec, **of_pair, "stream": None},
            metadata={
                **{**self.metadata, "destination": self.tables.kind, **age},
                **{"not_installed": self.absent, "known_fault": self.fault},
            },
            deps=self.deps,
            description="" if known else f"All streams of {self.tap}: {catalog.stale}",
            resource_type="stream",
        )
        if not known:
            key, version = asset_key(*self.base), digest(self.code)
            yield common.asset(key, None, {}, source=self.source, code_version=version, code_parts=self.code)
        for stream in streams:
            found = self._found(stream.name)
            io = self.tables.io if found is not None else None
            key = asset_key(*self.base, stream.id)
            grows = "append" if found is not None and stream.appends(self.tables.method) else "replace"
            yield stream_asset(
                *(common, key, stream, found, self.code, self.state), source=self.source, io=io, grows=grows
            )

    def _found(self, stream: str) -> Relation | None:
        found = self.tables.relation(stream)
        said = self.place(stream, found) if self.place is not None else found
        return None if said is None else Relation(*said)


def held_together(pairs: Sequence[PairAssets], of_tap: Callable[[str], str]) -> Iterator[PairAssets]:
    """Yield pairs whose assets have `holds` in their spec: what nothing else may use while their `group` runs.

    That is the file of each target that nothing else can use meanwhile, and what `of_tap` says of each tap.
    """
    holds: dict[str, set[str]] = {}
    for pair in pairs:
        holds.setdefault(pair.spec["group"], set()).update(filter(None, (of_tap(pair.tap), pair.tables.io)))
    for pair in pairs:
        yield replace(pair, spec={**pair.spec, "holds": sorted(holds[pair.spec["group"]])})


def refuse_one_table_of_streams(assets: Iterable[Asset], integration: str, hint: Callable[[Asset], str]) -> None:
    """Raise `DefinitionError` for two streams of one table, by whichever taps and targets; `hint` is the next step.

    What is not known of a place is the same for all targets of one kind: a setting that is not made.
    """

    def place(asset: Asset) -> Any:
        if asset.relation is None:
            return None
        return asset.relation.folded, asset.metadata.get("destination") if None in asset.relation else None

    refuse_one_table(assets, place, "Two streams are loaded into one table", integration, hint)


def warnings_of_pairs(assets: Iterable[Asset], unknown: Callable[[Asset], str]) -> Iterator[AssetWarning]:
    """Yield what is to be known of the assets of taps and targets, once for all of which the same is to be done.

    That is that a program is not there, that a target is known to lose rows, and that rows cannot be counted because a
    part of the place of a target's tables is not known; `unknown` is the next step then.

    >>> from textwrap import fill
    >>> spec = {"tap": "tap-a", "target": "lake"}
    >>> users = [Asset(key=f"s/{each}", kind="mill", spec=spec, relation=(None, "raw", each)) for each in ("a", "b")]
    >>> print(fill(str(next(warnings_of_pairs(users, lambda asset: "Say where."))), 112))
    s/a is not checked for lost rows, like 1 more that lake loads, because a part of its table's place is not known.
    Say where.
    """
    lacking: dict[str, list[Asset]] = {}
    vague: dict[str, list[Asset]] = {}
    faulty: dict[str, list[Asset]] = {}
    for asset in assets:
        if fault := asset.metadata.get("known_fault"):
            faulty.setdefault(fault, []).append(asset)
        if absent := asset.metadata.get("not_installed"):
            lacking.setdefault(absent, []).append(asset)
        if asset.io is None and None in (asset.relation or ()):
            vague.setdefault(asset.spec["target"], []).append(asset)
    for absent, (first, *more) in lacking.items():
        yield AssetWarning(first.key, f"cannot be loaded{f', like {len(more)} more' if more else ''}: {absent}")
    for fault, (first, *more) in faulty.items():
        others = f", like {len(more)} more" if more else ""
        told = f"{fault}. What is lost fails where the rows of its table can be counted"
        yield AssetWarning(first.key, f"may lack rows{others}: {told}", "Use a version or a loader that loses none.")
    for target, (first, *more) in vague.items():
        others = f", like {len(more)} more that {target} loads" if more else ""
        why = "because a part of its table's place is not known"
        yield AssetWarning(first.key, f"is not checked for lost rows{others}, {why}", unknown(first))


def stream_panel(asset: Asset, context: PanelContext, runner: str, command: str) -> Panel:
    """Return a panel of a stream; `command` reads its definition anew.

    >>> orders = Asset(key="shop/orders", kind="mill", metadata={"pipeline": "tap-a lake", "primary_key": "id"})
    >>> stream_panel(orders, PanelContext(), "Mill", "assetry mill pull").rows[:2]
    (('pipeline', 'tap-a lake'), ('primary key', 'id'))
    """
    return connection_panel(asset, context, runner, SHOWN, command, OF_RUN)
