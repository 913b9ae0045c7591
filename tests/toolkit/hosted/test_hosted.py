"""What hosted services share: budgets, snapshots, tables that are found and not filled twice, webhooks."""

from __future__ import annotations

import hashlib
import hmac
import threading
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from assetry.plugin import (
    TEXT,
    Asset,
    AssetKey,
    Commands,
    DefinitionError,
    EventRecord,
    Integration,
    IntegrationError,
    JobOverError,
    Log,
    Materialization,
    PanelContext,
    Relation,
    RunError,
    UsageError,
)
from assetry_toolkit.errors import Refused, ServiceError, Unavailable
from assetry_toolkit.hosted.assets import ConnectionAssets
from assetry_toolkit.hosted.budgets import Budget
from assetry_toolkit.hosted.changes import Changes
from assetry_toolkit.hosted.fetching import together
from assetry_toolkit.hosted.keys import key_part, slugs
from assetry_toolkit.hosted.panels import connection_panel
from assetry_toolkit.hosted.pulling import Asked, add_pull_of_each, wanted
from assetry_toolkit.hosted.settings import HostedOptions, integration_of
from assetry_toolkit.hosted.snapshots import Snapshot, SnapshotFile
from assetry_toolkit.hosted.tables import Override, TakenTables, find_table, find_tables
from assetry_toolkit.hosted.webhooks import SignedInbox, observe_connection
from assetry_toolkit.testing import FakeClock
from hypothesis import given
from hypothesis import strategies as st

# -- budgets -----------------------------------------------------------------------------------------------------------


@given(st.integers(1, 5), st.lists(st.floats(0, 40), max_size=30))
def test_no_window_ever_holds_more_calls_than_there_are(calls: int, pauses: list[float]) -> None:
    clock = FakeClock()
    budget = Budget("Mill", calls=calls, seconds=60.0, clock=clock)
    made: list[float] = []
    for pause in pauses:
        clock.pass_time(pause)
        now = clock.monotonic()
        free = sum(now - each < 60.0 for each in made) < calls
        if free:
            budget.take()
            made.append(now)
            continue
        with pytest.raises(Unavailable) as caught:
            budget.take()
        assert caught.value.executed is False
        oldest = next(each for each in made if now - each < 60.0)
        assert caught.value.retry_after == pytest.approx(60.0 - (now - oldest))


def test_threads_share_a_budget() -> None:
    budget, refused = Budget("Mill", calls=50, seconds=60.0, clock=FakeClock()), []

    def call() -> None:
        for _ in range(20):
            try:
                budget.take()
            except Unavailable as error:
                refused.append(error)

    threads = [threading.Thread(target=call) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(refused) == 50


# -- snapshots ---------------------------------------------------------------------------------------------------------


@dataclass
class Lake:
    id: str
    kind: str


SNAPSHOTS: SnapshotFile[str, Lake] = SnapshotFile(
    version=3,
    connection=lambda each: str(each["name"]),
    connection_json=lambda each: {"name": each},
    destination=Lake,
)


@given(st.lists(st.text(), max_size=4))
def test_a_snapshot_comes_back_with_one_connection_to_a_line(
    tmp_path_factory: pytest.TempPathFactory, names: list[str]
) -> None:
    path = tmp_path_factory.mktemp("snapshot") / "s.json"
    snapshot = Snapshot(datetime(2026, 1, 2, tzinfo=UTC), {"url": "u"}, tuple(names), {"d": Lake("d", "lake")})
    SNAPSHOTS.write(path, snapshot)
    assert SNAPSHOTS.known(path, {"url": "u"}) == snapshot
    assert SNAPSHOTS.known(path, {"url": "another"}) is None
    assert path.read_text().count('\n{"name"') == len(names)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"version": 2}', '{"version": 3, "at": null}', '{"version": 3}'])
def test_a_file_that_cannot_be_understood_is_read_anew(tmp_path: Path, text: str) -> None:
    (tmp_path / "s.json").write_text(text)
    assert SNAPSHOTS.read(tmp_path / "s.json") is None
    assert SNAPSHOTS.read(tmp_path / "nowhere.json") is None


@dataclass(frozen=True)
class Mill:
    id: str
    status: str = "connected"


MILLS: SnapshotFile[Mill, Lake] = SnapshotFile(
    version=1, connection=lambda each: Mill(**each), connection_json=asdict, destination=Lake
)


def test_what_is_learnt_of_a_connection_is_put_in_its_place_and_nothing_else_changes(tmp_path: Path) -> None:
    path = tmp_path / "s.json"
    lake = Lake("d", "lake")
    read = Snapshot(datetime(2026, 1, 2, tzinfo=UTC), {"url": "u"}, (Mill("a"), Mill("b")), {"d": lake})
    MILLS.write(path, read)
    seen: list[Any] = []

    def paused(known: Mill, destinations: Any) -> Mill:
        seen.append((known, dict(destinations)))
        return replace(known, status="paused")

    MILLS.renew(path, {"url": "u"}, "b", paused)
    assert seen == [(Mill("b"), {"d": lake})]
    assert MILLS.read(path) == replace(read, connections=(Mill("a"), Mill("b", "paused")))
    written = path.stat().st_mtime_ns
    MILLS.renew(path, {"url": "u"}, "b", paused)  # it is so already
    MILLS.renew(path, {"url": "another"}, "a", paused)
    MILLS.renew(path, {"url": "u"}, "c", paused)
    MILLS.renew(tmp_path / "nowhere.json", {"url": "u"}, "a", paused)
    assert path.stat().st_mtime_ns == written
    assert not (tmp_path / "nowhere.json").exists()


def test_reading_together_keeps_the_order_and_raises_what_goes_wrong() -> None:
    assert together(lambda each: each * 2, range(20)) == [each * 2 for each in range(20)]
    with pytest.raises(ZeroDivisionError):
        together(lambda each: 1 // each, [1, 0, 2])


# -- keys and tables ---------------------------------------------------------------------------------------------------


@given(st.lists(st.text(min_size=1), unique=True, max_size=6))
def test_no_two_names_give_one_part_of_a_key(names: list[str]) -> None:
    parts = [key_part(each) for each in names]
    assert len(set(parts)) == len(names)
    assert [AssetKey(["shop", each]).name for each in parts] == parts


def test_the_oldest_keeps_the_plain_name() -> None:
    assert slugs([("id1", "Shop"), ("id2", "shop"), ("id3", "crm")]) == {"id1": "shop", "id2": "shop_id2", "id3": "crm"}


@given(
    st.lists(
        st.tuples(st.text("ab_", max_size=12), st.sampled_from(["a", "a_aaaaaaaab", "b"])),
        unique_by=lambda each: each[0],
    )
)
def test_every_connection_has_a_part_of_a_key_to_itself(named: list[tuple[str, str]]) -> None:
    parts = slugs(named)
    assert [*parts] == [id_ for id_, _ in named]
    assert len({*parts.values()}) == len(named)


def test_ids_that_begin_alike_are_told_apart_by_all_of_them() -> None:
    found = slugs((f"assimilate_{each}", "crm") for each in "abc")
    assert [*found.values()] == ["crm", "crm_assimila", "crm_assimilate_c"]


def test_the_exact_case_comes_first_and_none_is_guessed() -> None:
    named = [("one", ["Users", "a.Users"]), ("two", ["users", "b.users"])]
    assert find_table("users", named, "connection 'c'", "shop", "mill") == "two"
    with pytest.raises(DefinitionError, match="fits several tables") as caught:
        find_table("USERS", named, "connection 'c'", "shop", "mill")
    assert "a.Users" in str(caught.value)
    with pytest.raises(DefinitionError, match="is not a table of connection 'c'") as caught:
        find_table("uesrs", named, "connection 'c'", "shop", "mill")
    assert "did you mean 'Users' or 'users'" in str(caught.value)
    with pytest.raises(DefinitionError, match="names one table twice"):
        find_tables(["a", "b"], lambda _: ("same", None), "shop")


@given(st.lists(st.lists(st.none() | st.integers(0, 9), max_size=4), max_size=5))
def test_a_table_that_is_filled_twice_is_found_as_one_by_one_it_would_be(batches: list[list[int | None]]) -> None:
    taken: TakenTables[tuple[int, int]] = TakenTables()
    first: dict[int, tuple[int, int]] = {}
    for number, places in enumerate(batches):
        owners = [(number, each) for each in range(len(places))]
        expected = None
        for place, owner in zip(places, owners, strict=True):
            if place is not None and expected is None and place in first:
                expected = (place, first[place], owner)
            elif place is not None:
                first.setdefault(place, owner)
        found = taken.take("lake", places, owners)
        assert found == expected
        if found is not None:
            return


def test_what_a_user_knows_better_is_looked_up_by_the_nearest_name() -> None:
    given = {"lake": {"schema": "x_{schema}"}, "*": {"join": False}}
    assert Override.among(given, None, "lake").of(Relation("d", "s", "t"), {"schema": "s"}) == ("d", "x_s", "t")
    assert Override.among(given, "pond").of(Relation("d", "s", "t"), {}) is None
    assert not Override.among({}, "lake")


def test_what_can_be_said_of_a_destination_is_told_by_the_option_it_stands_in() -> None:
    Override.check({"lake": {"type": "duckdb"}}, (), "shop", "loaders", {"type": TEXT})
    with pytest.raises(DefinitionError, match=r"^Table loaders\.lake of integration 'shop' has no option 's") as caught:
        Override.check({"lake": {"scheme": "x"}}, (), "shop", "loaders")
    assert caught.value.option == ("loaders", "lake", "scheme")
    with pytest.raises(DefinitionError, match=r"(?s)loaders\.lak: no connection goes to .*did you mean 'lake'"):
        Override.check({"lak": {}}, [("g_1", "lake")], "shop", "loaders")


def test_assets_of_a_connection_share_what_they_have_in_common() -> None:
    crm = ConnectionAssets(
        integration=Integration("crm", "mill"), group="crm", spec={"id": 1}, metadata={"a": 1}, deps=("x/y",)
    )
    crm.tell = lambda manner: {"mode": manner, "key": ""}
    one, two = (crm.asset(AssetKey(f"crm/{name}"), None, {"t": name}, "m") for name in "ab")
    assert (one.metadata, one.kind, [str(each.key) for each in one.deps]) == ({"a": 1, "mode": "m"}, "mill", ["x/y"])
    assert one.metadata is two.metadata
    assert (one.spec, two.spec) == ({"id": 1, "t": "a"}, {"id": 1, "t": "b"})


def test_a_function_that_builds_assets_makes_an_integration() -> None:
    made = integration_of("mill", "shop", "/srv", None, (), None, {"names": ["a"]})
    assert (made.options, made.root) == ({"names": ["a"]}, "/srv")
    assert integration_of("mill", "shop", ".", "c", ["t"], object(), {}).options["http_client"].keys() == {"given"}


def test_pull_wants_integrations_that_are_there() -> None:
    there = [Integration("shop", "mill", {}), Integration("other", "dbt", {})]
    assert [each.name for each in wanted(there, ["shop"], "mill")] == ["shop"]
    with pytest.raises(UsageError, match="no mill integration 'shopp'"):
        wanted(there, ["shopp"], "mill")
    with pytest.raises(UsageError, match="No integration of this project is of kind 'loom'"):
        wanted(there, [], "loom")


def test_what_cannot_be_asked_hides_nothing_of_what_can() -> None:
    def closed() -> int:
        raise IntegrationError("The mill is closed.")

    def asked(integration: Integration) -> Asked:
        return Asked(Path("mill.json"), {"rye": closed, "oats": lambda: 1})

    add_pull_of_each(commands := Commands(), "mill", "Look.", asked, ("grains", "sack"), 'folder = "…"')
    [group] = commands.groups
    said: list[Any] = []
    for text in (True, False):
        context = SimpleNamespace(
            text=text,
            project=SimpleNamespace(
                integrations=[Integration("shop", "mill", {})], settings=SimpleNamespace(locate=lambda *_: None)
            ),
            say=said.append,
            emit=lambda told, **_: said.append(told),
        )
        with pytest.raises(IntegrationError, match="Not everything could be read"):
            group.commands[0].call(context, {"integrations": []})
    assert said[0] == "shop: oats, 1 sack\nshop: rye cannot be asked: The mill is closed."
    assert said[1]["integrations"] == [
        {"integration": "shop", "file": "mill.json", "grains": {"oats": 1}, "unread": {"rye": "The mill is closed."}}
    ]


def test_a_panel_has_what_is_known_of_the_last_run() -> None:
    asset = Asset(key="shop/orders", kind="mill", metadata={"connection": "crm", "url": "http://x"})
    made = Materialization(
        key=asset.key, at=datetime.now(UTC), run="r", data_version="1", metadata={"run": "7", "more": 1}
    )
    titles = {"run": "last run", "rows": "rows"}
    found = connection_panel(asset, PanelContext(materialization=made), "Mill", {}, "assetry mill pull", titles)
    never = "never: `assetry mill pull` reads it"
    assert found.rows == (("connection", "crm"), ("definition read", never), ("last run", "7"))
    assert found.links == {"in Mill": "http://x"}


# -- what has changed --------------------------------------------------------------------------------------------------

CHANGES = Changes("Mill", "table", "mill")


@pytest.mark.parametrize(("status", "kind"), [(404, JobOverError), (410, JobOverError), (403, ServiceError)])
def test_no_job_is_under_way_of_a_connection_that_is_gone(status: int, kind: type[Exception]) -> None:
    error = CHANGES.refused("c", Refused("no", status=status), HostedOptions(name="shop", kind="mill", root="/srv"))
    assert isinstance(error, kind)
    assert (" Removing .assetry/mill/shop.json before" in str(error.hint)) == (kind is JobOverError)
    assert (error.hint or "").startswith("Look at it in Mill; `assetry mill pull` reads the connections anew.")


def test_a_table_that_is_gone_is_told_with_what_is_near() -> None:
    gone = CHANGES.gone(Asset(key="crm/users", kind="mill"), "users", "crm", ["user", "orders"])
    assert (gone.key, gone.message) == (
        "crm/users",
        "Table 'users' is not synced by connection 'crm' any more: it is disabled there, or gone. Did you mean 'user'?",
    )


def test_new_tables_are_warned_of_and_only_a_few_are_named() -> None:
    assert [*CHANGES.unknown("crm", [])] == []
    (warning,) = CHANGES.unknown("crm", list("abcdefg"))
    assert "a, b, c, d, e …. `assetry mill pull` adds them." in warning.message  # type: ignore[attr-defined]


# -- webhooks ----------------------------------------------------------------------------------------------------------


def test_only_so_many_webhooks_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("assetry_toolkit.hosted.webhooks.REMEMBERED", 2)
    inbox: SignedInbox[Any] = SignedInbox("s3cret", lambda body: body)

    def sent(body: bytes) -> Any:
        return inbox.take(body, hmac.new(b"s3cret", body, hashlib.sha256).hexdigest())

    assert [sent(body)[1] for body in (b"1", b"2", b"2", b"3", b"1")] == [b"1", b"2", None, b"3", b"1"]


class Watched:
    """A project of which a connection is observed; `events` is what is told of that."""

    def __init__(self, *events: EventRecord) -> None:
        spec = {"connection": "c_1"}
        self.graph = [
            Asset(key="shop/orders", kind="mill", spec=spec),
            Asset(key="shop/users", kind="mill", spec={"connection": "c_2"}),
            Asset(key="loom/orders", kind="loom", spec=spec),
        ]
        self.events = events
        self.asked: list[list[str]] = []

    def observe(self, select: list[str], on_event: Any) -> None:
        self.asked.append(select)
        for each in self.events:
            on_event(each)


def told(message: str, level: Any = "error", invocation: str | None = "1") -> EventRecord:
    return EventRecord(at=datetime.now(UTC), run="r", event=Log(message, level), invocation=invocation)


def test_a_webhook_becomes_a_look_at_its_connection_alone() -> None:
    project: Any = Watched(told("slow", "warning"), told("no place", invocation=None))
    assert observe_connection(project, "mill", "c_1") == ["shop/orders"]
    assert observe_connection(project, "mill", "c_9") == []
    assert project.asked == [["key:shop/orders"]]


def test_a_connection_that_could_not_be_asked_is_an_error() -> None:
    project: Any = Watched(told("The mill is closed."))
    with pytest.raises(RunError, match=r"Nothing was observed of connection c_1: The mill is closed\."):
        observe_connection(project, "mill", "c_1")
