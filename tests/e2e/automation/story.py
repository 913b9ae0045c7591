"""A project whose days pass in a moment: real dbt, DuckDB and records, a fake Fivetran, and a clock that jumps.

Time passes while a sync runs, so long as the test says, and from one decision of automation to the next.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import duckdb
import pytest
from assetry import Project
from assetry.plugin import Event, EventRecord, Failed, Materialized, Next
from assetry.testing import Clock, Outcome, ProjectFolder
from assetry_automation.making import decision_of, make_due
from assetry_fivetran.testing import FakeConnection, FakeFivetran, FakeSync

from tests.core.run.tracking.told import each_told
from tests.quick_dbt import quick_dbt

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
MONDAY = datetime(2026, 1, 5, tzinfo=UTC)

DBT = {
    "dbt_project.yml": "name: shop\nprofile: shop\nmodels: {shop: {+materialized: table}}\n",
    "profiles.yml": "shop: {target: dev, outputs: {dev: {type: duckdb, path: shop.duckdb, threads: 1}}}\n",
}
CRM = """
io = "duckdb:shop.duckdb"

[integrations.shop]
kind = "dbt"

[integrations.crm]
kind = "fivetran"
connection_id = "crm_1"
base_url = "{fivetran.url}"
api_key = "{fivetran.api_key}"
poll_interval = 0.01
"""
SOURCES = "sources: [{name: crm, schema: crm, tables: [{name: orders}]}]\n"


class Made(NamedTuple):
    """What an invocation made, of which kind of tool it was, and when it began; `parts` are all partitions by key."""

    at: datetime
    kind: str
    keys: frozenset[str]
    failed: frozenset[str]
    parts: Mapping[str, Sequence[str]]


class Crm(FakeFivetran):
    """A Fivetran with a connection that loads `orders`: each sync takes a while, and finds what there is by then."""

    def __init__(self, clock: Clock, warehouse: Path) -> None:
        super().__init__(now=lambda: (clock.now - datetime(2026, 1, 1, tzinfo=UTC)).total_seconds())
        self.took = MINUTE
        #: When there are new rows at the source.
        self.arrivals: list[datetime] = []
        self._clock, self._warehouse, self._loaded = clock, warehouse, -1
        self._shown: FakeSync | None = None
        self.on_sync = self._load
        self.add_destination("lake", "motherduck")
        self.connection = self.add_connection("crm", ["orders"], group="lake", id="crm_1")

    def connection_json(self, of: FakeConnection) -> dict[str, Any]:
        of.seconds = self.took.total_seconds()
        if of.current is not None and of.current is self._shown:
            self._clock.advance(self.took)  # it is seen under way once, and when it is looked at again it has ended
        told = super().connection_json(of)
        self._shown = of.current
        return told

    def _load(self, _connection: FakeConnection, sync: FakeSync) -> None:
        moment = self.moment(sync.began)
        found = sum(each <= moment for each in self.arrivals)
        if found == self._loaded:
            return  # nothing has moved, and the table is left as it is
        self._loaded = found
        with duckdb.connect(str(self._warehouse)) as base:
            base.execute(
                "create schema if not exists crm; create or replace table crm.orders as "
                f"select range as id, timestamptz '{moment.isoformat()}' as _fivetran_synced from range({found + 1})"
            )


class Story(ProjectFolder):
    """A project in a folder, under a clock, and what automation has made of it."""

    def __init__(self, root: Path, clock: Clock, files: Mapping[str, str]) -> None:
        super().__init__(root, files)
        self.clock = clock
        self.made: list[Made] = []
        self._project: Project | None = None
        self._began: dict[str, tuple[datetime, str]] = {}

    @property
    def project(self) -> Project:
        """Return the project as a daemon has it: its definitions are loaded once."""
        if self._project is None:
            self._project = self.load()
        return self._project

    def reload(self) -> None:
        """Load the definitions anew, as a daemon does once they have changed."""
        self.close()
        self._project = None

    # -- what automation does ------------------------------------------------------------------------------------------

    def turn(self) -> list[bool]:
        """Make what is due now; return how the runs came out."""
        events: list[EventRecord] = []
        found = [each.ok for each in make_due(self.project, self.clock.now, on_event=events.append)]
        self._take(events)
        return found

    def wake(self) -> datetime | None:
        """Return when automation looks again, if nothing happens until then."""
        return decision_of(self.project, self.clock.now).wake

    def live(self, until: datetime, seen: Callable[[], object] = lambda: None) -> None:
        """Let time pass from one decision to the next; `seen` is called before and after each turn."""
        for _ in range(1_000):
            seen()
            self.turn()
            seen()
            wake = self.wake()
            if wake is None or wake >= until:
                self.clock.set(until)
                seen()
                return
            self.clock.set(max(wake, self.clock.now))
        raise AssertionError(f"it does not come to rest before {until}")

    def _take(self, events: list[EventRecord]) -> None:
        """Take down what an invocation made."""
        ends: dict[str, list[Event]] = {}
        for record in events:
            event, invocation = record.event, str(record.invocation)
            if event.name == "invocation_started":
                self._began[invocation] = record.at, str(getattr(event, "kind", ""))
            elif event.name in ("materialized", "failed"):
                ends.setdefault(invocation, []).append(event)
        for invocation, told in ends.items():
            made: dict[str, list[str]] = {}
            failed = set()
            for event in each_told(self.project.graph, told):
                if isinstance(event, Materialized):
                    made.setdefault(str(event.key), []).append(event.partition or "")
                elif isinstance(event, Failed):
                    failed.add(str(event.key))
            at, kind = self._began[invocation]
            self.made.append(Made(at, kind, frozenset(made), frozenset(failed), made))

    # -- what has become of it -----------------------------------------------------------------------------------------

    def invocations(self, kind: str) -> list[Made]:
        """Return the invocations of a kind of tool."""
        return [each for each in self.made if each.kind == kind]

    def times(self, key: str) -> list[datetime]:
        """Return when each invocation began that has made an asset."""
        return [each.at for each in self.made if key in each.keys]

    def parts(self, key: str) -> list[tuple[datetime, list[str]]]:
        """Return when which partitions of an asset were made, one entry for each invocation."""
        return [(each.at, sorted(each.parts[key])) for each in self.made if key in each.keys]

    def forget(self) -> None:
        """Begin to count anew."""
        self.made.clear()

    def next(self, key: str) -> Next:
        """Return when an asset is made next, or what holds it."""
        return {str(each): told for each, told in self.project.next().items()}[key]

    def freshness(self) -> dict[str, str]:
        """Return how each deadline stands."""
        return {str(each.key): each.freshness.state for each in self.project.status() if each.freshness is not None}

    def no_deadline_is_missed(self) -> None:
        """See that nothing that was ever made is overdue."""
        late = {key for key, state in self.freshness().items() if state == "overdue"}
        assert not late, f"{late} at {self.clock.now}"

    def states(self) -> dict[str, str]:
        """Return what `assetry status` says of each asset that is made."""
        told = json.loads(self.says("status", "--output", "json"))
        return {each["key"]: each["status"] for each in told["assets"] if each["status"] != "external"}

    def counts(self) -> Counter[str]:
        """Return how many assets are how, as `assetry status` says."""
        return Counter(self.states().values())

    def says(self, *arguments: str, code: int = 0) -> str:
        """Call ``assetry``; return what it tells, the space between words as one."""
        return self.tells(*arguments, code=code).out

    def tells(self, *arguments: str, code: int = 0) -> Outcome:
        return self.run(*arguments).assert_code(code)

    def sql(self, text: str) -> list[Any]:
        with duckdb.connect(str(self.root / "shop.duckdb")) as base:
            return base.execute(text).fetchall()


@contextmanager
def told(folder: Path, files: Mapping[str, str], *, at: datetime = MONDAY, stopped: bool = True) -> Iterator[Story]:
    """Tell a story of files, from a moment on."""
    with quick_dbt(), Clock(at, stopped=stopped) as clock:
        story = Story(folder, clock, files)
        try:
            yield story
        finally:
            story.close()


@contextmanager
def told_of_crm(folder: Path, files: Mapping[str, str], *, at: datetime = MONDAY) -> Iterator[tuple[Story, Crm]]:
    """Tell a story of a dbt project that reads what Fivetran loads; `files` are more of it."""
    with ExitStack() as stack:
        stack.enter_context(quick_dbt())
        stack.enter_context(pytest.MonkeyPatch.context()).setenv("FIVETRAN_API_SECRET", FakeFivetran.api_secret)
        clock = stack.enter_context(Clock(at, stopped=True))
        crm = stack.enter_context(Crm(clock, folder / "shop.duckdb"))
        own = {**DBT, "assetry.toml": CRM.format(fivetran=crm), "models/sources.yml": SOURCES}
        story = Story(folder, clock, {**own, **files})
        stack.callback(story.close)
        yield story, crm
