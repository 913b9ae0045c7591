"""The assets of a tap and a target: one for each stream that the one gives to the other."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from assetry.plugin import Asset, Integration, IntegrationError, Relation

from assetry_toolkit.definitions.digests import digest
from assetry_toolkit.definitions.kept_answers import Answer
from assetry_toolkit.hosted.assets import ConnectionAssets
from assetry_toolkit.hosted.keys import asset_key
from assetry_toolkit.hosted.tables import refuse_one_table
from assetry_toolkit.singer.catalogs import Catalog, stream_asset
from assetry_toolkit.singer.targets import TargetTables


@dataclass(frozen=True, slots=True, kw_only=True)
class PairAssets:
    """What is the same for all streams that a tap gives to a target.

    * `base`: the names that their keys begin with; the stream's id follows.
    * `tables`: where the target puts streams.
    * `code`: digests of what else decides what is in the tables, such as the versions of both programs.
    * `mapped`: something may leave rows out on the way, so that fewer of them say nothing.
    * `place`: a function from a stream's name and the table that the rules found to the one that it really is, as
      (database, schema, identifier) or None.
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
    mapped: bool = False
    spec: Mapping[str, Any] = field(default_factory=dict)
    metadata: Mapping[str, Any] = field(default_factory=dict)
    deps: tuple[str, ...] = ()
    source: str | None = None
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
        common = ConnectionAssets(
            integration=self.integration,
            group=self.tap,
            spec={**self.spec, **of_pair, "stream": None},
            metadata={**self.metadata, "destination": self.tables.kind, **age},
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
            yield stream_asset(common, key, stream, found, self.code, source=self.source, io=io, grows=grows)

    def _found(self, stream: str) -> Relation | None:
        found = self.tables.relation(stream)
        said = self.place(stream, found) if self.place is not None else found
        return None if said is None else Relation(*said)


def refuse_one_table_of_streams(assets: Iterable[Asset], integration: str, hint: Callable[[Asset], str]) -> None:
    """Raise `DefinitionError` for two streams of one table, by whichever taps and targets; `hint` is the next step.

    What is not known of a place is the same for all targets of one kind: a setting that is not made.
    """

    def place(asset: Asset) -> Any:
        if asset.relation is None:
            return None
        return asset.relation.folded, asset.metadata.get("destination") if None in asset.relation else None

    refuse_one_table(assets, place, "Two streams are loaded into one table", integration, hint)
