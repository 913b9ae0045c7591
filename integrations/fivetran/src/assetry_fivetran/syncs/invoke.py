"""Carry out an invocation: one sync of one connection, told as events; and look at what others have synced."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

from assetry.plugin import Asset, AssetKey, Event, Invocation, Log, Materialized, NothingKeptError, Observed, RunContext
from assetry_toolkit.errors import ServiceError
from assetry_toolkit.extract_load.newest_rows import not_there, seen_missing
from assetry_toolkit.hosted.assets import left_out_until
from assetry_toolkit.hosted.turns import Turn
from assetry_toolkit.work import GONE

from assetry_fivetran.api.responses import Standing, Table
from assetry_fivetran.api.service import Service, service_for
from assetry_fivetran.connections.assets import PAGE
from assetry_fivetran.connections.definitions import learn
from assetry_fivetran.connections.snapshot import SNAPSHOTS
from assetry_fivetran.settings import Options
from assetry_fivetran.syncs.sync import CHANGES, FivetranSync, Full
from assetry_fivetran.syncs.times import TableTimes


def invoke(invocation: Invocation, context: RunContext) -> Iterator[Event]:
    """Sync the connection of `invocation` once, yielding events; raises when what became of the sync is unknown.

    Assets whose table is no longer synced fail; the others are, and what comes along with them is recorded as made.
    """
    with _Turn.opened(Options.of, service_for, invocation, context) as turn:
        yield from turn.events()


def observe(invocation: Invocation, context: RunContext) -> Iterator[Event]:
    """Yield, for each asset, the last sync of its connection that succeeded, also one that others have started."""
    with _Turn.opened(Options.of, service_for, invocation, context) as turn:
        standing = turn.service.standing(turn.connection, turn.off())
        learn(turn.options, standing, turn.service.http.masked)
        times, lost = TableTimes(context, turn.options.table_times), (yield from turn.lost(invocation.assets, standing))
        for asset in invocation.assets:
            if asset.key in lost or standing.mark.succeeded <= left_out_until(asset):
                # What became of a table that is synced no more is not for a sync of the others to say.
                yield from (Log(lost[each].message, "warning", each) for each in [asset.key] if each in lost)
                yield Observed(asset.key)  # it was looked at all the same
                continue
            try:
                version, known_by = times.version(asset, standing)
            except NothingKeptError as error:
                yield from seen_missing(asset, error)
                continue
            told = _metadata(standing, known_by)
            yield Observed(asset.key, data_version=version, metadata={**told, "data_time": told["synced_at"]})


class _Turn(Turn[Service, Options]):
    """One call, with all that it needs."""

    changes = CHANGES

    def off(self) -> Callable[[], bool]:
        """Return what ends the wait for an answer: the run's end, or too long a silence."""
        return self.told_within(self.options.jobs.poll_error_budget, self.service.http.clock)

    def events(self) -> Iterator[Event]:
        tables, new = self._tables()
        found = _found((*self.invocation.assets, *self.invocation.also), tables)
        yield from (_gone(each, new) for each in self.invocation.assets if each.key not in found)
        asked = [each for each in self.invocation.assets if each.key in found]
        along = [each for each in self.invocation.also if each.key in found]
        if not self.options.destination_tables:
            yield from CHANGES.unknown(str(self.invocation.assets[0].spec["name"]), new)
        if asked:
            scope = _scope([found[each.key] for each in asked], tables or ()) if self.invocation.full_refresh else ()
            # A re-sync of some tables leaves the others as they are.
            yield from self._synced(asked, [] if scope and scope[0] else along, scope)

    def gone(self, why: str) -> None:
        learn(self.options, Standing(self.connection, "", setup="deleted", tasks=(why,)), self.service.http.masked)

    def _tables(self, synced: datetime | None = None) -> tuple[Sequence[Table] | None, list[str]]:
        """Return the tables that are synced now, None where Fivetran does not say; and the names of new ones."""
        tables, known = self.service.tables(self.connection, self.off()), self.options
        new = SNAPSHOTS.learn_tables(known.snapshot_path, known.asks_for, self.connection, tables, synced)
        return tables, [each.name for each in new]

    def _synced(self, asked: list[Asset], along: list[Asset], full: Full) -> Iterator[Event]:
        late = bool(self.invocation.inputs)
        run = FivetranSync(self.service, self.connection, self.context, self.options, late=late, full=full)
        ending = yield from run.run(self.context.resume, [asset.key for asset in asked])
        if ending is None:
            return  # cancelled
        if not self.options.restore:
            learn(self.options, ending.standing, self.service.http.masked)
        if ending.outcome != "succeeded":
            yield from (CHANGES.not_made(asset, ending, PAGE.format(id=self.connection)) for asset in asked)
            return
        if ending.standing.warnings:
            told = "; ".join(ending.standing.warnings)
            yield Log(f"Fivetran warns of {ending.standing.name!r}: {told}.", "warning")
        if ending.standing.setup == "broken":
            yield Log(f"{ending.standing.name!r} was synced, and Fivetran calls it broken all the same.", "warning")
        made = [*asked, *(along if self.options.on_unselected == "materialize" else ())]
        lost = yield from self.lost(made, ending.standing)
        yield from (lost[each.key] for each in self.invocation.assets if each.key in lost)
        times = TableTimes(self.context, self.options.table_times)
        ours = {each.key for each in asked}
        for asset in (each for each in made if each.key not in lost):
            try:
                version, known_by = times.version(asset, ending.standing)
            except NothingKeptError as error:
                yield not_there(asset, error, ending.standing.name, asked=asset.key in ours)
                continue
            metadata = _metadata(ending.standing, known_by)
            metadata |= {"origin": "unselected"} if asset.key not in ours else {}
            metadata |= {"started_by": "somebody else"} if ending.joined else {}
            yield Materialized(asset.key, data_version=version, metadata=metadata)

    def lost(self, assets: Sequence[Asset], standing: Standing) -> Generator[Event, None, dict[AssetKey, Any]]:
        """Return the failures of assets whose tables were taken out: a sync that ends, or has ended, may lack them."""
        try:
            tables, new = self._tables(standing.mark.succeeded)
        except ServiceError as error:
            if error.status in GONE:
                raise
            yield Log(f"Whether a table was taken out meanwhile is not known: {error.message}", "warning")
            return {}
        gone = {each.key for each in assets}.difference(_found(assets, tables))
        return {each.key: _gone(each, new) for each in assets if each.key in gone}


def _gone(asset: Asset, new: Sequence[str]) -> Any:
    return CHANGES.gone(asset, str(asset.spec.get("table")), str(asset.spec["name"]), new)


def _id(asset: Asset) -> tuple[Any, Any]:
    return asset.spec.get("schema"), asset.spec.get("table")


def _found(assets: Sequence[Asset], tables: Sequence[Table] | None) -> dict[str, Table | None]:
    """Return the table of each asset as the connection has it now, by key; None for an asset that is all of it.

    Assets whose table it has no more are left out.
    """
    known = {each[:2]: each for each in tables or ()}
    found: dict[str, Table | None] = {}
    for asset in assets:
        table = known.get(_id(asset))
        if table is None and asset.spec.get("unverified"):
            table = _taken_at_its_word(asset, tables)
        if table is not None or "table" not in asset.spec:
            found[asset.key] = table
    return found


def _taken_at_its_word(asset: Asset, tables: Sequence[Table] | None) -> Table | None:
    """Return the table of an asset that was defined by its name alone, before the tables were known."""
    schema, name = map(str, _id(asset))
    if tables is None:
        return Table(schema, name, schema, name)
    fitting = [each for each in tables if name in (each.name, each.name_there)]
    fitting = [each for each in fitting if schema in ("", each.schema, each.schema_there)]
    return fitting[0] if len(fitting) == 1 else None


def _scope(asked: Iterable[Table | None], tables: Sequence[Table]) -> Full:
    """Return the tables to read anew, by schema, in brackets; None in its place for all that the connection has."""
    chosen = {each[:2] for each in asked if each is not None}
    if {each[:2] for each in tables} <= chosen:
        return (None,)
    scope: dict[str, list[str]] = {}
    for schema, name in sorted(chosen):
        scope.setdefault(schema, []).append(name)
    return (scope,)


def _metadata(standing: Standing, known_by: str) -> dict[str, Any]:
    """Return what is recorded of a table that a sync has loaded."""
    return {
        "connection": standing.name,
        "synced_at": standing.mark.succeeded.isoformat(),
        "result_known_by": known_by,
        "url": PAGE.format(id=standing.id),
    }
