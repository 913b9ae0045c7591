"""What happened outside is seen, recorded once, and counts for what is downstream."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from assetry import (
    Asset,
    DailyPartitionsDefinition,
    DynamicPartitionsDefinition,
    Integration,
    MultiPartitionsDefinition,
    Project,
    StaticPartitionsDefinition,
    asset,
)
from assetry.errors import ConflictError, IntegrationError, UsageError, ValueStoreError
from assetry.hooks.specs import hookimpl
from assetry.types.events import Event, Failed, Log, Materialized, Observed
from assetry.types.invocations import InvocationGroup
from assetry.types.keys import AssetKey
from assetry.types.records import Attempt, DocumentChange, EventRecord, RunInfo

MILL = Integration("mill", "mill")


class Mill:
    """A tool whose assets are made by others; `seen` is what an observation finds."""

    def __init__(self) -> None:
        self.seen: list[Any] = []
        self.fails: dict[str, Failed] = {}

    @hookimpl
    def assetry_load_assets(self, integration: Integration) -> Any:
        return [] if integration.kind == "mill" else None

    @hookimpl
    def assetry_observe(self, invocation: Any, context: Any) -> Iterator[Event]:
        context.log(f"asked for {len(invocation.assets)}")
        for each in self.seen:
            if isinstance(each, Exception):
                raise each
            yield each

    @hookimpl
    def assetry_invoke(self, invocation: Any) -> Iterator[Event]:
        for key in (each.key for each in invocation.assets):
            yield self.fails.get(str(key)) or Materialized(key, data_version="built")


@pytest.fixture
def mill() -> Mill:
    return Mill()


@pytest.fixture
def project(mill: Mill) -> Iterator[Project]:
    assets = [
        Asset(key="raw", kind="mill", integration=MILL),
        Asset(key="below", kind="mill", integration=MILL, deps=["raw"]),
    ]
    with Project(assets, plugins=[mill], store="sqlite::memory:") as made:
        yield made


def words(project: Project) -> dict[str, str]:
    return {str(status.key): status.status for status in project.status()}


def test_hook_assetry_observe_new_content_makes_what_is_below_stale(project: Project, mill: Mill) -> None:
    assert project.materialize().ok
    assert words(project) == {"raw": "fresh", "below": "fresh"}
    mill.seen = [Observed("raw", data_version="sync 2", metadata={"rows": 3})]
    result = project.observe("raw")
    assert (result.run.state, result.counts["observed"], result.counts["new_content"]) == ("succeeded", 1, 1)
    assert words(project) == {"raw": "fresh", "below": "stale"}
    again = project.observe("raw")
    assert (again.counts["observed"], again.counts.get("new_content", 0)) == (1, 0)


def test_what_was_seen_in_one_table_says_nothing_of_another(mill: Mill, tmp_path: Path) -> None:
    def project(schema: str) -> Project:
        parts = {"body": "1", "relation": schema}
        table = Asset(key="raw", kind="mill", integration=MILL, code_version=f"1 {schema}", code_parts=parts)
        return Project([table], plugins=[mill], store=f"sqlite:{tmp_path / 'state.db'}")

    with project("dev") as dev, project("prod") as prod:
        assert dev.materialize().ok
        assert words(prod) == {"raw": "stale"}
        mill.seen = [Observed("raw", data_version="sync 2")]
        dev.observe("raw")
        assert words(dev) == {"raw": "fresh"}
        assert words(prod) == {"raw": "stale"}
        assert prod.status_of("raw").reasons[0].text == "its relation changed"
        prod.observe("raw")
        assert words(prod) == {"raw": "stale"}, "its content is the same, and in another table"


def test_the_same_content_seen_later_makes_what_is_below_reach_as_far(project: Project, mill: Mill) -> None:
    def reaches(key: str) -> datetime | None:
        return project.judge().data_times[AssetKey(key)]

    assert project.materialize().ok
    before = reaches("below")
    assert before == reaches("raw")
    assert before is not None
    mill.seen = [Observed("raw", data_version="built")]
    project.observe()
    after = reaches("below")
    assert after == reaches("raw")
    assert after is not None
    assert after > before
    assert words(project) == {"raw": "fresh", "below": "fresh"}


def test_the_same_content_changes_nothing(project: Project, mill: Mill) -> None:
    assert project.materialize().ok
    mill.seen = [Observed("raw", data_version="built")]
    project.observe()
    assert words(project) == {"raw": "fresh", "below": "fresh"}


def test_what_an_observation_may_not_say_is_left_out(project: Project, mill: Mill) -> None:
    mill.seen = [Materialized("raw"), Observed("elsewhere", data_version="1")]
    records: list[EventRecord] = []
    project.observe("raw", on_event=records.append)
    logs = [record.event.message for record in records if isinstance(record.event, Log)]
    assert logs[0] == "asked for 1"
    assert "may only yield Observed" in logs[1]
    assert "elsewhere" in logs[2]
    assert words(project)["raw"] == "never"


def test_a_tool_that_cannot_be_asked_is_told_and_named(project: Project, mill: Mill) -> None:
    mill.seen = [Observed("raw", data_version="1"), RuntimeError("no route")]
    records: list[EventRecord] = []
    result = project.observe("raw", on_event=records.append)
    assert result.run.state == "failed"
    assert any("Mill raised RuntimeError: no route" in str(record.event) for record in records)
    assert words(project)["raw"] == "fresh"


def test_what_to_do_when_a_tool_cannot_be_asked_is_told_as_well(project: Project, mill: Mill) -> None:
    mill.seen = [IntegrationError("The mill has no more calls.", hint="Ask again at noon.")]
    records: list[EventRecord] = []
    project.observe("raw", on_event=records.append)
    logs = [record.event.message for record in records if isinstance(record.event, Log)]
    assert logs[-1] == "mill: The mill has no more calls. Ask again at noon."


def test_what_keeps_a_tool_from_all_its_groups_is_told_once() -> None:
    class Apart(Mill):
        @hookimpl
        def assetry_invocation_group(self, asset: Asset) -> InvocationGroup:
            return InvocationGroup(str(asset.key))

    mill, records = Apart(), list[EventRecord]()
    mill.seen = [IntegrationError("The key is not set.")]
    assets = [Asset(key=f"t{number}", kind="mill", integration=MILL) for number in range(3)]
    with Project(assets, plugins=[mill], store="sqlite::memory:") as project:
        assert project.observe(on_event=records.append).counts["not_observed"] == 3
    assert sum("The key is not set." in str(each.event) for each in records) == 1


def test_an_observation_is_history_but_nothing_to_retry(project: Project, mill: Mill) -> None:
    made = project.materialize()
    project.observe()
    assert [bool(run.options.get("observe")) for run in project.store.runs()] == [True, False]
    assert project.find_run().id == made.run.id


def test_what_a_tool_says_without_seeing_anything_is_kept(project: Project, mill: Mill) -> None:
    records: list[EventRecord] = []
    project.observe("raw", on_event=records.append)
    assert Log("asked for 1") in [record.event for record in records]


def test_an_observation_is_heard_as_a_run_is(mill: Mill) -> None:
    heard: list[str] = []

    class Listener:
        @hookimpl
        def assetry_event(self, event: EventRecord, run: RunInfo) -> None:
            heard.append(f"{event.event.name} {getattr(event.event, 'key', None) or ''}".strip())

    mill.seen = [Observed("raw", data_version="v1")]
    raw = Asset(key="raw", kind="mill", integration=MILL)
    with Project([raw], plugins=[mill, Listener()], store="sqlite::memory:") as project:
        project.observe()
    assert heard == ["run_started", "log", "observed raw", "run_finished"]


class Keeper:
    """A place of tables that can be looked for; `there` says which are, `asked` how many were asked for at once."""

    form = "any"

    def __init__(self) -> None:
        self.there: dict[str, bool | None] = {}
        self.asked: list[int] = []
        self.broken = False

    @hookimpl
    def assetry_open_io(self, url: str) -> Any:
        return self if url == "keeper:" else None

    def relation(self, asset: Asset) -> Any:
        return asset.relation

    def load(self, asset: Asset, partition: str | None = None) -> Any:
        raise NotImplementedError

    save = load

    def close(self) -> None:
        pass

    def exists(self, places: Any) -> list[bool | None]:
        self.asked.append(len(places))
        if self.broken:
            raise ValueStoreError("The warehouse cannot be reached.")
        return [self.there.get(str(asset.key), True) for asset, _ in places]


class MillWithTables(Mill):
    """The same tool, in a warehouse."""

    def __init__(self, keeper: Keeper) -> None:
        super().__init__()
        self.keeper = keeper
        self.now: str | None = None

    @hookimpl
    def assetry_io_url(self, integration: Integration) -> str | None:
        return "keeper:" if integration.kind == "mill" else None

    @hookimpl
    def assetry_gone_hint(self, asset: Asset) -> str | None:
        return "Fill it." if asset.key == "raw" else None

    @hookimpl
    def assetry_failure_hint(self, asset: Asset, failure: Attempt) -> str | None:
        assert (asset.key, failure.hint) == ("raw", "Switch it on.")
        return self.now


@pytest.fixture
def keeper() -> Keeper:
    return Keeper()


@pytest.fixture
def filling(keeper: Keeper) -> MillWithTables:
    return MillWithTables(keeper)


@pytest.fixture
def tables(keeper: Keeper, filling: MillWithTables) -> Iterator[Project]:
    def table(key: str, **more: Any) -> Asset:
        return Asset(key=key, kind="mill", integration=MILL, relation=(None, None, key), **more)

    assets = [
        table("source", executable=False),
        table("raw", deps=["source"]),
        table("below", deps=["raw"]),
        table("odd", lasting=False),
        Asset(key="board", kind="mill", integration=MILL, executable=False, consumer=True, deps=["below"]),
    ]
    with Project(assets, plugins=[filling, keeper], store="sqlite::memory:") as made:
        yield made


def test_a_table_that_is_gone_is_seen_told_once_and_made_again(tables: Project, keeper: Keeper) -> None:
    assert tables.materialize().ok
    keeper.there = {"raw": False, "odd": False}
    events: list[EventRecord] = []
    look = tables.observe(on_event=events.append)
    assert dict(look.counts) == {"observed": 3, "gone": 1}
    assert [str(each.event.key) for each in events if isinstance(each.event, Observed) and each.event.gone] == ["raw"]
    assert keeper.asked == [3]
    assert {key: word for key, word in words(tables).items() if word != "external"} == {
        "raw": "stale", "below": "stale", "odd": "fresh"
    }  # fmt: skip
    again: list[EventRecord] = []
    assert tables.observe(on_event=again.append).counts["gone"] == 1
    assert not [each for each in again if isinstance(each.event, Observed)]
    assert tables.materialize(stale=True).counts == {"materialized": 1, "unchanged": 1}, "it came back as it was"
    keeper.there = {}
    tables.observe()
    assert not tables.plan(stale=True).invocations


def test_a_table_that_is_back_is_as_it_was(tables: Project, keeper: Keeper) -> None:
    assert tables.materialize().ok
    for there, word in ((False, "stale"), (None, "stale"), (True, "fresh")):
        keeper.there = {"raw": there}
        tables.observe()
        assert words(tables)["raw"] == word


def test_an_integration_whose_place_is_not_known_stops_no_other(
    tables: Project, keeper: Keeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert tables.materialize().ok

    def unreadable(integration: Integration) -> str:
        raise IntegrationError(f"The profile of {integration.name} cannot be read.")

    tables.values.close()
    monkeypatch.setattr(tables.values, "_io_url", unreadable)
    events: list[EventRecord] = []
    assert tables.observe(on_event=events.append).run.state == "failed"
    logs = [each.event.message for each in events if isinstance(each.event, Log)]
    assert logs.count("The profile of mill cannot be read.") == 1


def test_hook_assetry_gone_hint_is_told_also_where_the_tool_cannot_be_asked(
    tables: Project, keeper: Keeper, filling: MillWithTables
) -> None:
    assert tables.materialize().ok
    keeper.there = {"raw": False, "below": False}
    filling.seen = [IntegrationError("The mill is closed.")]
    for _ in range(2):
        tables.observe()
        assert [each.hint for each in tables.status_of("raw").reasons] == ["Fill it."]
        assert [each.hint for each in tables.status_of("below").reasons if each.code == "gone"] == [None]
    filling.seen = [Observed("raw", gone=True, hint="Fill it by hand.")]
    for _ in range(2):
        tables.observe()
        assert [each.hint for each in tables.status_of("raw").reasons] == ["Fill it by hand."], "the tool has looked"
    filling.seen = [IntegrationError("The mill is closed.")]
    tables.observe()
    assert [each.hint for each in tables.status_of("raw").reasons] == ["Fill it by hand."], "it knows better"


def test_hook_assetry_failure_hint_tells_the_next_step_as_it_is_known_now(
    tables: Project, filling: MillWithTables
) -> None:
    filling.fails = {"raw": Failed("raw", "It is off.", hint="Switch it on.")}
    assert not tables.materialize().ok
    for now, told in ((None, "Switch it on."), ("It is on: make it.", "It is on: make it."), ("", None)):
        filling.now = now
        assert [each.hint for each in tables.status_of("raw").reasons] == [told]


def test_only_what_was_looked_at_counts_as_observed(tables: Project, keeper: Keeper, filling: MillWithTables) -> None:
    assert tables.materialize().ok
    filling.seen = [Observed("raw", data_version="v2"), IntegrationError("The mill is closed.")]
    look = tables.observe()
    assert dict(look.counts) == {"observed": 1, "new_content": 1, "not_observed": 3}, (
        "that it is there tells too little"
    )
    filling.seen, keeper.broken = [Observed("raw", data_version="v3")], True
    look = tables.observe()
    assert dict(look.counts) == {"observed": 1, "new_content": 1, "not_observed": 2}


def test_a_look_undoes_no_failure(tables: Project, keeper: Keeper) -> None:
    assert tables.materialize().ok
    tables.store.append([], (), [Attempt(key=AssetKey("raw"), run="r", at=datetime.now(UTC), outcome="failed")])
    for there in (False, True):
        keeper.there = {"raw": there}
        tables.observe()
        assert words(tables)["raw"] == "failed"


def test_a_source_is_looked_for_as_well(tables: Project, keeper: Keeper) -> None:
    def note() -> str:
        return str(tables.status_of("source").note)

    assert "not observed" in note()
    tables.observe("source")
    assert "nothing tells when its data changes" in note()
    keeper.there = {"source": False}
    assert tables.observe().counts["gone"] == 1
    assert "was not there" in note()


def test_a_place_that_cannot_be_asked_is_told(tables: Project, keeper: Keeper) -> None:
    assert tables.materialize().ok
    keeper.broken = True
    events: list[EventRecord] = []
    assert tables.observe(on_event=events.append).run.state == "failed"
    assert "cannot be reached" in "".join(each.event.message for each in events if isinstance(each.event, Log))
    assert words(tables)["raw"] == "fresh"


def test_values_in_files_are_looked_for_whenever_it_matters(tmp_path: Path) -> None:
    @asset
    def one() -> int:
        return 1

    @asset
    def nothing() -> None:
        return None

    with Project([one, nothing], root=tmp_path) as project:
        assert project.materialize().ok
        assert words(project) == {"one": "fresh", "nothing": "fresh"}
        shutil.rmtree(tmp_path / ".assetry" / "data")
        assert words(project) == {"one": "stale", "nothing": "fresh"}
        assert project.status_of("one").reasons[0].text == "its value is gone"
        assert project.materialize(stale=True).keys("materialized") == ("one",)
        assert not project.plan(stale=True).invocations


def test_a_warning_is_told_when_it_comes() -> None:
    """A tool that waits says so before, and that is of no use afterwards."""
    heard: list[EventRecord] = []

    class Busy(Mill):
        @hookimpl
        def assetry_observe(self, invocation: Any, context: Any) -> Iterator[Event]:
            context.log("waiting until noon", "warning")
            said = [each.event.message for each in heard if isinstance(each.event, Log)]
            yield Observed("raw", data_version=said[-1] if said else "nothing was said")

    with Project([Asset(key="raw", kind="mill", integration=MILL)], plugins=[Busy()], store="sqlite::memory:") as made:
        made.observe(on_event=heard.append)
        assert made.store.latest()[AssetKey("raw"), None].data_version == "waiting until noon"


# -- only what is new, and what others have seen -------------------------------------------------------------------

FILES = DynamicPartitionsDefinition("file")


@pytest.fixture
def landing(mill: Mill) -> Iterator[Project]:
    assets = [
        Asset(key="raw/files", kind="mill", integration=MILL, executable=False, partitions_def=FILES),
        Asset(key="raw/feed", kind="mill", integration=MILL, executable=False),
        Asset(key="days", kind="x", executable=False, partitions_def=StaticPartitionsDefinition(["mon", "tue"])),
        Asset(key="orders", kind="mill", integration=MILL, deps=["raw/feed"]),
    ]
    with Project(assets, plugins=[mill], store="sqlite::memory:") as made:
        yield made


def known(project: Project) -> tuple[str, ...]:
    return project.store.partition_keys()[AssetKey("raw/files")].living


def test_a_look_for_news_leaves_no_run_where_there_is_none(landing: Project, mill: Mill) -> None:
    mill.seen = [Observed("raw/feed", data_version="1")]
    first = landing.observe(only_news=True)
    assert landing.store.run(first.run.id) is not None
    reaches = landing.judge().data_times[AssetKey("raw/feed")]
    again = landing.observe(only_news=True)
    assert again.counts["observed"] == 1
    assert [each.id for each in landing.store.runs()] == [first.run.id]
    later = landing.judge().data_times[AssetKey("raw/feed")]
    assert reaches is not None
    assert later is not None
    assert later > reaches, "it is known to be so still"
    mill.seen = [RuntimeError("no route")]
    failed = landing.observe(only_news=True)
    assert (failed.run.state, len(landing.store.runs())) == ("failed", 1)
    assert "no route" in failed.problems[0]


def test_a_partition_is_there_once_it_is_seen_and_dropped_once_it_is_gone(landing: Project, mill: Mill) -> None:
    mill.seen = [Observed("raw/files", name, data_version="1") for name in ("a.csv", "b.csv")]
    landing.observe(only_news=True)
    assert known(landing) == ("a.csv", "b.csv")
    mill.seen = [Observed("raw/files", "a.csv", gone=True), Observed("raw/files", "never.csv", gone=True)]
    result = landing.observe(only_news=True)
    assert known(landing) == ("b.csv",)
    told = [each.event for each in landing.store.events(result.run.id) if isinstance(each.event, Observed)]
    assert told == [Observed("raw/files", "a.csv", gone=True)]
    assert result.counts["dropped"] == 1
    mill.seen = [Observed("raw/files", "a.csv", data_version="1")]
    landing.observe()
    assert known(landing) == ("a.csv", "b.csv")
    count = len(landing.store.runs())
    landing.observe(only_news=True)
    assert len(landing.store.runs()) == count


def test_what_is_asked_about_has_the_partitions_that_are_known(landing: Project, mill: Mill) -> None:
    asked: list[tuple[str, ...]] = []

    class Asking(Mill):
        @hookimpl
        def assetry_observe(self, invocation: Any, context: Any) -> Iterator[Event]:
            asked.extend(invocation.partitions_of(each) for each in invocation.assets if each.partitions_def)
            yield from ()

    landing.record_observed([Observed("raw/files", "a.csv", data_version="1")])
    with Project(landing.graph.assets, plugins=[Asking()], store="sqlite::memory:") as other:
        other.__dict__["store"] = landing.store
        other.observe("raw/files")
    assert asked == [("a.csv",)]


def test_what_somebody_has_seen_is_recorded_with_a_document_or_not_at_all(landing: Project) -> None:
    store = landing.store
    seen = [Observed("raw/files", "a.csv", data_version="1"), Observed("raw/feed", data_version="7")]
    result = landing.record_observed(
        seen, documents=[DocumentChange("acme", "cursor", 1)], options={"sensor": "landed"}
    )
    run = store.run(result.run.id)
    assert run is not None
    assert (run.state, run.options["sensor"], result.counts["new_content"]) == ("succeeded", "landed", 2)
    assert store.documents("acme")["cursor"].value == 1
    before = len(store.latest())
    with pytest.raises(ConflictError):
        landing.record_observed(
            [Observed("raw/files", "b.csv", data_version="1")], documents=[DocumentChange("acme", "cursor", 2)]
        )
    assert len(store.latest()) == before
    assert known(landing) == ("a.csv",)
    assert not store.runs(running=True)
    runs, revision = len(store.runs()), store.documents("acme")["cursor"].revision
    assert (
        landing.record_observed(seen, documents=[DocumentChange("acme", "cursor", 3, revision)]).counts["observed"] == 2
    )
    assert (len(store.latest()), len(store.runs())) == (before, runs)
    assert store.documents("acme")["cursor"].value == 3


def test_one_window_that_is_gone_drops_no_key_of_all_windows() -> None:
    both = MultiPartitionsDefinition({"day": DailyPartitionsDefinition("2026-01-01", "2026-01-03"), "file": FILES})
    raw = Asset(key="raw/both", kind="x", executable=False, partitions_def=both, aliases=["raw/also"])
    with Project([raw], store="sqlite::memory:") as project:
        days = [f"2026-01-0{day}|a.csv" for day in (1, 2)]
        project.record_observed([Observed("raw/also", day, data_version="1") for day in days])
        project.record_observed([Observed("raw/both", days[0], gone=True)])
        assert set(project.store.latest()) == {("raw/both", day) for day in days}
        sets = project.status_of("raw/both").partitions
        assert sets is not None
        assert len(sets.existing) == 2


@pytest.mark.parametrize(
    ("event", "told"),
    [
        (3, "3 is no Observed."),
        (Observed("orders", data_version="1"), "orders is made here"),
        (Observed("raw/fed", data_version="1"), "raw/fed"),
        (Observed("raw/feed", "a", data_version="1"), "has no partitions"),
        (Observed("raw/files", data_version="1"), "has partitions"),
        (Observed("raw/files", " ", data_version="1"), "cannot be the key of a file"),
        (Observed("days", "sun", data_version="1"), "sun"),
        (Observed("raw/feed", data_version=3), "data_version is an int instead of a str"),  # type: ignore[arg-type]
    ],
)
def test_what_cannot_be_seen_is_refused_and_nothing_is_recorded(landing: Project, event: Any, told: str) -> None:
    with pytest.raises(UsageError, match=re.escape(told)):
        landing.record_observed([Observed("raw/feed", data_version="1"), event])
    assert not landing.store.runs()
    assert not landing.store.latest()


def test_what_is_made_of_each_file_has_the_files_that_are_seen_and_keeps_those_that_are_gone() -> None:
    made: list[str] = []

    @asset(deps=["raw/files"], partitions_def=FILES)
    def loaded(partition: str) -> str:
        made.append(partition)
        return partition

    @asset(partitions_def=FILES)
    def cleaned(loaded: str) -> str:
        return loaded

    raw = Asset(key="raw/files", kind="x", executable=False, partitions_def=FILES)
    with Project([raw, loaded, cleaned], store="sqlite::memory:", io="memory:") as project:
        project.record_observed([Observed("raw/files", name, data_version="1") for name in ("a.csv", "b.csv")])
        assert project.materialize(partition="missing").ok
        assert made == ["a.csv", "b.csv"]
        project.record_observed([Observed("raw/files", "b.csv", data_version="2")])
        assert project.materialize(stale=True).ok
        assert made == ["a.csv", "b.csv", "b.csv"]
        project.record_observed([Observed("raw/files", "a.csv", gone=True)])
        assert project.load_value("cleaned", partition="a.csv") == "a.csv"
        assert not project.plan(stale=True).invocations
