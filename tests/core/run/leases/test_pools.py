"""Pools, groups and places bind across runs: what has no slot waits, says for whom, and goes on when it is free."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from assetry import Asset, AssetContext, AssetKey, Integration, Project, StaticPartitionsDefinition, asset
from assetry.errors import DefinitionError, LeaseLostError
from assetry.plugin import Invocation, InvocationGroup, RunContext, hookimpl
from assetry.run.result import RunResult
from assetry.types.events import Event, InvocationStarted, Log, Materialized, Waiting
from assetry.types.leases import Slot
from assetry.views.waiting import waiting_words

from tests.beside import InThread, until
from tests.core.run.test_loop import Mill, ground, signalled

POOLS = {"warehouse": 1}


class Gate:
    """Work that begins, says so, and goes on when it may."""

    def __init__(self) -> None:
        self.begun, self.may_go_on = threading.Event(), threading.Event()

    def __call__(self) -> None:
        self.begun.set()
        signalled(self.may_go_on)


def function(name: str, *deps: str, body: Callable[[], object] = lambda: None, **more: Any) -> Any:
    @asset(key=name, deps=deps, code_version="1", **more)
    def made() -> object:
        return body()

    return made


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Callable[..., Project]]:
    made: list[Project] = []

    def make(*assets: Any, **more: Any) -> Project:
        found = Project(assets, root=tmp_path, **{"executor": "threads:8", "pools": POOLS, **more})
        made.append(found)
        return found

    yield make
    for each in made:
        each.close()


def words(event: Waiting) -> str:
    return waiting_words(event.pool, event.runs, held=event.held)


def waits(found: Project, result: RunResult) -> list[Waiting]:
    return [each.event for each in found.store.events(result.run.id) if isinstance(each.event, Waiting)]


def told_in(found: Project, run: str, pool: str | None = None) -> bool:
    events = (each.event for each in found.store.events(run))
    return any(isinstance(each, Waiting) and pool in (None, each.pool) for each in events)


def told(found: Project, pool: str = "warehouse") -> bool:
    """Tell whether a run has recorded that it waits for a pool."""
    return any(told_in(found, run.id, pool) for run in found.store.runs())


def slots(found: Project) -> list[tuple[str, bool]]:
    return [(each.pool, each.held) for each in found.store.slots()]


# -- pools that a project names ------------------------------------------------------------------------------------


def test_of_two_runs_one_waits_for_the_slot_of_the_other_and_says_so(project: Any) -> None:
    gate = Gate()
    first, second = (project(function(name, body=body, pool="warehouse")) for name, body in (("a", gate), ("b", int)))
    holder = InThread(first.materialize)
    signalled(gate.begun)
    waiter = InThread(second.materialize)
    until(lambda: told(first))
    assert sorted(slots(first)) == [("warehouse", False), ("warehouse", True)]
    gate.may_go_on.set()
    held_by = holder.join().run
    result = waiter.join()
    assert result.ok
    (waited,) = waits(second, result)
    assert (waited.pool, waited.runs, waited.held) == ("warehouse", (held_by.id,), True)
    assert held_by.started <= datetime.fromisoformat(waited.since)
    assert words(waited) == f"waits for a slot of pool warehouse, held by run {held_by.id}"
    kinds = [type(each.event) for each in second.store.events(result.run.id)]
    assert kinds.index(Waiting) < kinds.index(InvocationStarted)
    assert slots(first) == []


def test_what_needs_no_slot_goes_on_meanwhile(project: Any) -> None:
    gate, beside = Gate(), threading.Event()
    first = project(function("a", body=gate, pool="warehouse"))
    second = project(
        *(function(f"w{n}", pool="warehouse") for n in range(20)),
        function("free", body=beside.set),
        function("below", "free", body=int),
        executor="threads:2",
    )
    holder = InThread(first.materialize)
    signalled(gate.begun)
    waiter = InThread(second.materialize)
    signalled(beside)
    until(lambda: (AssetKey("below"), None) in second.store.latest())
    assert all(each.outcome == "materialized" for each in second.store.attempts().values() if each.key != "a")
    gate.may_go_on.set()
    assert holder.join().ok
    result = waiter.join()
    assert result.ok
    assert len(result.outcomes) == 22


def test_within_a_run_a_pool_binds_too_and_nothing_is_told_of_that(project: Any) -> None:
    busy, most = [0], [0]

    def work() -> None:
        busy[0] += 1
        most[0] = max(most[0], busy[0])
        threading.Event().wait(0.005)
        busy[0] -= 1

    found = project(*(function(f"a{n}", body=work, pool="warehouse") for n in range(12)), pools={"warehouse": 2})
    result = found.materialize()
    assert (result.ok, most[0] <= 2, waits(found, result)) == (True, True, [])


def test_weights_count(project: Any) -> None:
    gate = Gate()
    pools = {"warehouse": 3}
    first = project(function("heavy", body=gate, pool="warehouse", weight=2), pools=pools)
    second = project(function("light", pool="warehouse"), function("also", pool="warehouse", weight=2), pools=pools)
    holder = InThread(first.materialize)
    signalled(gate.begun)
    waiter = InThread(second.materialize)
    until(lambda: (AssetKey("light"), None) in second.store.latest())
    assert [each.weight for each in first.store.slots() if not each.held] == [2]
    gate.may_go_on.set()
    assert holder.join().ok
    assert waiter.join().ok


def test_partitions_take_a_slot_for_each_call(project: Any) -> None:
    gate = Gate()
    letters = StaticPartitionsDefinition(["a", "b", "c", "d"])

    def parted(body: Callable[[], object]) -> Any:
        @asset(key="parted", partitions_def=letters, pool="warehouse", code_version="1")
        def made(context: AssetContext) -> object:
            return body() if context.partition == "a" else None

        return made

    first, second = project(parted(gate)), project(function("b", pool="warehouse"))
    holder = InThread(lambda: first.materialize(partition="all"))
    signalled(gate.begun)
    waiter = InThread(second.materialize)
    until(lambda: any(not held for _, held in slots(first)))
    gate.may_go_on.set()
    assert waiter.join().ok
    assert len(holder.join().outcomes) == 4


def test_a_failure_frees_its_slot(project: Any) -> None:
    found = project(*(function(f"a{n}", body=lambda: 1 / 0, pool="warehouse") for n in range(3)))
    result = found.materialize()
    assert {each.outcome for each in result.outcomes.values()} == {"failed"}
    assert slots(found) == []


def test_a_run_that_is_taken_for_gone_leaves_its_slots_to_others(project: Any) -> None:
    gate = Gate()
    first, second = project(function("a", body=gate, pool="warehouse")), project(function("b", pool="warehouse"))
    holder = InThread(first.materialize)
    signalled(gate.begun)
    waiter = InThread(second.materialize)
    until(lambda: len(slots(first)) == 2)
    gone = next(each for each in first.store.runs() if "a" in each.assets)
    first.store.finish(gone.id, "interrupted", gone.started)
    assert waiter.join().ok
    gate.may_go_on.set()
    with pytest.raises(LeaseLostError):
        holder.join()


def test_a_run_that_waits_can_be_cancelled(project: Any) -> None:
    gate = Gate()
    first, second = project(function("a", body=gate, pool="warehouse")), project(function("b", pool="warehouse"))
    holder = InThread(first.materialize)
    signalled(gate.begun)

    def interrupt(record: Any) -> None:
        if isinstance(record.event, Waiting):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        InThread(lambda: second.materialize(on_event=interrupt)).join()
    assert slots(first) == [("warehouse", True)]
    gate.may_go_on.set()
    assert holder.join().ok


def test_pools_that_there_are_not_are_refused_with_the_near_ones(project: Any) -> None:
    found = project(function("a", pool="warehose"), pools={"warehouse": 1, "api": 2})
    with pytest.raises(DefinitionError, match="Asset 'a' uses the pool 'warehose', which is not defined") as caught:
        found.materialize()
    assert caught.value.near == ("warehouse",)
    assert "test_pools.py:" in (caught.value.where or "")
    with pytest.raises(DefinitionError, match="takes 3 slots of the pool 'api', which has 2"):
        project(function("a", pool="api", weight=3), pools={"api": 2}).plan()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"weight": 2}, "is of a pool, and none is named"),
        ({"pool": "warehouse", "weight": 0}, "is less than one slot"),
        ({"pool": ""}, "pool is empty"),
        ({"pool": 3}, "takes the name of a pool, not 3"),
        ({"pool": "warehouse", "weight": "2"}, "takes a number of slots"),
    ],
)
def test_keywords_that_mean_nothing_are_refused(given: dict[str, Any], said: str) -> None:
    with pytest.raises(DefinitionError, match=said):
        function("a", **given)


def test_a_pool_changes_nothing_of_what_is_up_to_date(project: Any) -> None:
    project(function("a")).materialize()
    (status,) = project(function("a", pool="warehouse")).status()
    assert status.status == "fresh"


# -- groups and places ---------------------------------------------------------------------------------------------


def milling(mill: Mill, *assets: Any, **more: Any) -> dict[str, Any]:
    return {"assets": assets, "plugins": [mill], **more}


def made(invocation: Invocation) -> Iterator[Event]:
    yield from (Materialized(each.key) for each in invocation.assets)


@pytest.mark.parametrize(("limit", "waited"), [(1, True), (2, False)])
def test_the_limit_of_a_group_binds_all_runs(project: Any, limit: int, waited: bool) -> None:
    gate = Gate()

    def holds(invocation: Invocation, context: RunContext) -> Iterator[Event]:
        yield Log("at it")
        if invocation.assets[0].key == "a":
            gate()
        yield from made(invocation)

    first = project(ground("a"), plugins=[Mill(holds, limit=limit)])
    second = project(ground("b"), plugins=[Mill(holds, limit=limit)])
    holder = InThread(first.materialize)
    signalled(gate.begun)
    waiter = InThread(second.materialize)
    if waited:
        until(lambda: told(first, "group:mill:m"))
        assert (AssetKey("b"), None) not in second.store.attempts()
    else:
        assert waiter.join().ok
    gate.may_go_on.set()
    assert holder.join().ok
    result = waiter.join()
    assert [words(each).startswith("waits for a slot of mill:m, held by run") for each in waits(second, result)] == (
        [True] if waited else []
    )


def test_what_a_tool_holds_others_neither_read_nor_write(project: Any, tmp_path: Path) -> None:
    """A Python asset of another run that is kept there waits for the tool; one that is kept elsewhere does not."""
    gate = Gate()
    place = f"parquet:{tmp_path}/data"

    def holds(invocation: Invocation, context: RunContext) -> Iterator[Event]:
        yield Log("at it")
        gate()
        yield from made(invocation)

    def of(name: str, **more: Any) -> Project:
        mill = Mill(holds, holds=(place,))
        found: Project = project(ground("a"), function(name, **more), plugins=[mill], io=place)
        return found

    first, second, third = of("x"), of("here"), of("there", io_manager="memory:")
    holder = InThread(lambda: first.materialize("a"))
    signalled(gate.begun)
    assert InThread(lambda: third.materialize("there")).join().ok
    waiter = InThread(lambda: second.materialize("here"))
    until(lambda: told(first, place))
    gate.may_go_on.set()
    assert holder.join().ok
    result = waiter.join()
    assert result.ok
    assert [each.pool for each in waits(second, result)] == [place]


def test_what_a_tool_opens_other_runs_wait_for_and_its_own_run_does_not(project: Any, tmp_path: Path) -> None:
    gate = Gate()
    place = f"parquet:{tmp_path}/data"

    def opens(invocation: Invocation, context: RunContext) -> Iterator[Event]:
        yield Log("at it")
        gate()
        yield from made(invocation)

    def of(name: str, body: Callable[[], object] = lambda: None) -> Project:
        mill = Mill(opens, opens=(place,))
        found: Project = project(ground("a"), function(name, body=body), plugins=[mill], io=place)
        return found

    own = Gate()
    first, second = of("x", own), of("y")
    holder = InThread(lambda: first.materialize("a x"))
    signalled(gate.begun)
    signalled(own.begun)  # beside the tool
    own.may_go_on.set()
    waiter = InThread(lambda: second.materialize("y"))
    until(lambda: told(first, f"between:{place}"))
    gate.may_go_on.set()
    assert holder.join().ok
    result = waiter.join()
    assert result.ok
    assert [words(each) for each in waits(second, result)] == [f"waits for {place}, held by run {holder.join().run.id}"]


def test_a_tool_waits_for_those_who_use_its_place_and_they_do_not_for_each_other(project: Any, tmp_path: Path) -> None:
    one, two = Gate(), Gate()
    place = f"parquet:{tmp_path}/data"

    def of(name: str, body: Callable[[], object] = lambda: None) -> Project:
        mill = Mill(lambda invocation, _: made(invocation), holds=(place,))
        found: Project = project(ground("a"), function(name, body=body), plugins=[mill], io=place)
        return found

    users = [of("x", one), of("y", two)]
    runs = [InThread(lambda p=p, n=n: p.materialize(n)) for p, n in zip(users, "xy", strict=True)]  # type: ignore[misc]
    signalled(one.begun)
    signalled(two.begun)
    tool = of("z")
    waiter = InThread(lambda: tool.materialize("a"))
    until(lambda: told(tool, place))
    late = of("late")
    behind = InThread(lambda: late.materialize("late"))
    until(lambda: sum(told_in(late, run.id) for run in late.store.runs()) == 2)
    one.may_go_on.set()
    two.may_go_on.set()
    assert all(each.join().ok for each in (*runs, waiter))
    result = behind.join()
    waited, *_ = waits(late, result)  # it may see the tool at work, too
    assert (waited.held, words(waited)) == (False, f"waits for {place}, behind run {waited.runs[0]}")


def test_a_project_without_pools_asks_the_store_nothing(project: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    found = project(function("a"), function("b", "a"))

    def asked(*_: Any, **__: Any) -> None:
        raise AssertionError("it asked for slots")

    monkeypatch.setattr(type(found.store), "exchange_slots", asked)
    assert found.materialize().ok


def test_the_event_is_json() -> None:
    from assetry.plugin import from_json, to_json

    event = Waiting("warehouse", ("r1", "r2"), "2026-01-31T10:02:00+00:00", held=False)
    assert words(event) == "waits for a slot of pool warehouse, behind runs r1, r2"
    assert from_json(Event, json.loads(json.dumps(to_json(event)))) == event


class Looks:
    """A plugin that says whose turn it is."""

    @hookimpl
    def assetry_load_assets(self, integration: Integration) -> Sequence[Asset] | None:
        if integration.kind != "looks":
            return None
        return [Asset(key=f"{integration.name}/{n}", kind="looks", integration=integration) for n in "ab"]

    @hookimpl
    def assetry_invocation_group(self, asset: Asset) -> InvocationGroup:
        assert asset.integration is not None
        return InvocationGroup(f"looks:{asset.integration.name}", limit=9)

    @hookimpl
    def assetry_invoke(self, invocation: Invocation) -> Iterator[Event]:
        yield from made(invocation)


def test_an_integration_names_the_pool_of_its_assets(tmp_path: Path) -> None:
    (tmp_path / "assetry.toml").write_text(
        '[pools.api]\nlimit = 3\n[integrations.shop]\nkind = "looks"\npool = "api"\nweight = 2\n'
        '[integrations.other]\nkind = "looks"\n'
    )
    with Project.load(tmp_path, plugins=[Looks()]) as found:
        assert {str(each.key): (each.pool, each.weight) for each in found.graph} == {
            "shop/a": ("api", 2),
            "shop/b": ("api", 2),
            "other/a": (None, 1),
            "other/b": (None, 1),
        }
        assert dict(found.integrations[0].options) == {}, "its plugin knows nothing of pools"
        taken: list[Slot] = []
        found.materialize(on_event=lambda record: taken.extend(found.store.slots()))
        assert {(each.pool, each.weight, each.limit) for each in taken} >= {("api", 2, 3)}


def test_an_integration_that_names_a_pool_that_there_is_not_is_told_by_its_line(tmp_path: Path) -> None:
    (tmp_path / "assetry.toml").write_text(
        '[pools.api]\nlimit = 3\n[integrations.shop]\nkind = "looks"\npool = "apy"\n'
    )
    with Project.load(tmp_path, plugins=[Looks()]) as found, pytest.raises(DefinitionError) as caught:
        found.graph  # noqa: B018
    assert caught.value.message == "Integration 'shop' uses the pool 'apy', which is not defined."
    assert (caught.value.where or "").endswith("assetry.toml:5")
    assert caught.value.near == ("api",)
