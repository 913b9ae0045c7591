"""What sensors tell is recorded with their state, once, or not at all; what is wrong is told with its place."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from assetry import Asset, DynamicPartitionsDefinition, Integration, Project, asset
from assetry.automation import eager
from assetry.plugin import AssetKey, AssetryError, DefinitionError, Event, Log, Observed, RunError, UsageError, hookimpl
from assetry_automation import SensorContext, sensor
from assetry_automation.decision.memory import Memory
from assetry_automation.decision.senses import Sensed
from assetry_automation.kept import keep_senses, known_senses
from assetry_automation.looking import look
from assetry_automation.sensing.failing import unseen
from assetry_automation.sensing.senses import STATES, ask, senses_of

FEED = Asset(key="raw/feed", kind="feed", executable=False)
FILES = Asset(key="raw/files", kind="files", executable=False, partitions_def=DynamicPartitionsDefinition("file"))


@asset(deps=["raw/feed"], automation=eager())
def orders() -> int:
    return 1


@contextmanager
def shelf(*more: Any, **options: Any) -> Iterator[Project]:
    with Project([FEED, FILES, orders, *more], store="sqlite::memory:", io="memory:", **options) as project:
        yield project


def versions(project: Project) -> dict[str, str]:
    return {
        f"{key} {part or ''}".strip(): each.data_version
        for (key, part), each in project.store.latest().items()
        if not project.graph[key].executable
    }


def test_what_is_seen_is_recorded_with_the_state_and_starts_what_is_made_of_it() -> None:
    batches = [["a.csv", "b.csv"], ["c.csv"], []]

    @sensor(every="1m")
    def landed(context: SensorContext) -> Any:
        context.state["asked"] = context.state.get("asked", 0) + 1
        for name in batches[context.state["asked"] - 1]:
            yield Observed("raw/files", name, data_version="1")
        yield Observed("raw/feed", data_version=str(min(context.state["asked"], 2)))

    with shelf(landed) as project:
        project.materialize()
        later = datetime.now(UTC) + timedelta(hours=1)
        assert look(project, Memory(), later).wave is None
        assert ask(project, "landed").new == 3
        wave = look(project, Memory(), later).wave
        assert wave is not None
        assert list(wave.wants) == ["orders"]
        assert ask(project, "landed").new == 2
        assert versions(project) == {
            "raw/feed": "2", "raw/files a.csv": "1", "raw/files b.csv": "1", "raw/files c.csv": "1"
        }  # fmt: skip
        runs = len(project.store.runs())
        assert ask(project, "landed").new == 0
        assert len(project.store.runs()) == runs, "what is not new leaves no run behind"
        assert project.store.documents(STATES)["landed"].value["state"] == {"asked": 3}
        assert project.store.runs()[0].options == {"observe": True, "sensor": "landed"}


def test_what_is_gone_is_no_partition_any_more() -> None:
    there = {"a.csv", "b.csv"}

    @sensor(every="1m", asset=FILES)
    def landed(context: SensorContext) -> Any:
        for name in ("a.csv", "b.csv"):
            yield context.observed("1", name, gone=name not in there)

    with shelf(landed) as project:
        assert ask(project, "landed").new == 2
        there.clear()
        assert ask(project, "landed").new == 2
        assert project.store.partition_keys()[AssetKey("raw/files")].living == ()
        there.add("a.csv")
        ask(project, "landed")
        assert project.store.partition_keys()[AssetKey("raw/files")].living == ("a.csv",)


class KilledError(BaseException):
    """The process ends at once."""


@pytest.mark.parametrize("point", ["begin", "append", "finish"])
@pytest.mark.parametrize("after", [False, True])
def test_killed_at_any_point_nothing_is_lost_or_doubled(
    point: str, after: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    @sensor(every="1m")
    def landed(context: SensorContext) -> Any:
        number = context.state["next"] = context.state.get("next", 0) + 1
        yield Observed("raw/files", f"{number}.csv", data_version="1")

    with shelf(landed) as project:
        ask(project, "landed")
        real = getattr(project.store, point)

        def killed(*args: Any, **keywords: Any) -> Any:
            if after:
                real(*args, **keywords)
            raise KilledError

        monkeypatch.setattr(project.store, point, killed)
        with pytest.raises(KilledError):
            ask(project, "landed")
        monkeypatch.undo()
        for _ in range(2):
            ask(project, "landed")
        state = project.store.documents(STATES)["landed"].value["state"]["next"]
        names = project.store.partition_keys()[AssetKey("raw/files")].living
        assert names == tuple(f"{number}.csv" for number in range(1, state + 1)), "each once, and none left out"
        materialized = [each.event for run in project.store.runs() for each in project.store.events(run.id)]
        seen = [each.partition for each in materialized if isinstance(each, Observed)]
        assert sorted(seen) == sorted(names)


def test_of_two_that_ask_at_once_one_records_what_both_saw() -> None:
    inside: list[Any] = []

    @sensor(every="1m")
    def landed() -> Any:
        if inside:
            ask(inside.pop(), "landed")
        yield Observed("raw/feed", data_version="1")

    with shelf(landed) as project:
        inside.append(project)
        assert "another process" in ask(project, "landed").told
        events = [each.event for run in project.store.runs() for each in project.store.events(run.id)]
        assert len([each for each in events if isinstance(each, Observed)]) == 1
        assert not project.store.runs(running=True)


def wrong(what: Any) -> Any:
    def tell(context: SensorContext) -> Any:
        if isinstance(what, Exception):
            raise what
        if callable(what):
            context.state = what
            return
        yield what

    return sensor(every="1m", name="landed")(tell)


@pytest.mark.parametrize(
    ("what", "told", "near"),
    [
        (ValueError("no bucket"), "Sensor 'landed' raised ValueError: no bucket.", ()),
        (3, "Sensor 'landed' yielded 3, which is no Observed.", ()),
        (Log("hello"), "Sensor 'landed' yielded Log(", ()),
        (
            Observed("raw/fed", data_version="1"),
            "Sensor 'landed' told of what cannot be: No asset 'raw/fed'",
            ("raw/feed",),
        ),
        (Observed("orders", data_version="1"), "told of what cannot be: orders is made here", ()),
        (Observed("raw/files", data_version="1"), "told of what cannot be: raw/files has partitions", ()),
        (Observed("raw/feed", data_version=7), "data_version is an int", ()),  # type: ignore[arg-type]
        (print, "The state of sensor 'landed' is no JSON", ()),
    ],
)
def test_what_is_wrong_is_told_with_its_place_and_nothing_is_recorded(what: Any, told: str, near: Any) -> None:
    with shelf(wrong(what)) as project:
        with pytest.raises(RunError, match=re.escape(told)) as caught:
            ask(project, "landed")
        assert "test_senses.py:" in str(caught.value.where)
        assert tuple(caught.value.near)[:1] == near
        assert not project.store.runs()
        assert not project.store.documents(STATES)


def test_a_secret_is_neither_told_nor_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BANK_TOKEN", "s3cret-token-7")

    @sensor(every="1m")
    def leaking(context: SensorContext) -> Any:
        raise ValueError(f"no answer for {context.secret('BANK_TOKEN')}")

    @sensor(every="1m")
    def keeping(context: SensorContext) -> Any:
        context.state["token"] = context.secret("BANK_TOKEN")

    @sensor(every="1m")
    def telling(context: SensorContext) -> Any:
        yield Observed("raw/feed", data_version="1", metadata={"url": f"https://bank/{context.secret('BANK_TOKEN')}"})

    with shelf(leaking, keeping, telling) as project:
        with pytest.raises(RunError, match="no answer for") as caught:
            ask(project, "leaking")
        assert "s3cret" not in str(caught.value)
        with pytest.raises(RunError, match="has a secret in it"):
            ask(project, "keeping")
        assert not project.store.documents(STATES)
        ask(project, "telling")
        assert "s3cret" not in str(project.store.latest())


def test_what_is_attached_tells_of_nothing_else() -> None:
    @sensor(every="1m", asset="raw/feed")
    def landed() -> Any:
        yield Observed("raw/files", "a.csv", data_version="1")

    with shelf(landed) as project, pytest.raises(RunError, match="is attached to 'raw/feed', and told of 'raw/files'"):
        ask(project, "landed")


def named(name: str, **keywords: Any) -> Any:
    return sensor(every="1m", name=name, **keywords)(lambda: None)


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ([named("landed"), named("landed")], "Two sensors are called 'landed'."),
        ([named("landed", asset="orders")], "Sensor 'landed' is attached to 'orders', which is made here."),
        ([named("landed", asset="raw/fed")], "Sensor 'landed' is attached to 'raw/fed', which nothing defines."),
    ],
)
def test_wrong_definitions_are_told_with_their_place(more: Any, told: str) -> None:
    with shelf(*more) as project, pytest.raises(DefinitionError) as caught:
        senses_of(project)
    assert caught.value.message == told
    assert "test_senses.py:" in str(caught.value.where)


def test_one_that_is_not_there_has_near_names() -> None:
    with shelf(named("landed")) as project, pytest.raises(UsageError) as caught:
        ask(project, "lande")
    assert caught.value.near == ("landed",)


# -- integrations --------------------------------------------------------------------------------------------------


class Mill:
    """A tool that others run, and what is seen of it."""

    def __init__(self) -> None:
        self.seen: list[Any] = []

    @hookimpl
    def assetry_load_assets(self, integration: Integration) -> Any:
        key = f"{integration.name}/grain"
        return (
            [Asset(key=key, kind="mill", executable=False, integration=integration)]
            if integration.kind == "mill"
            else None
        )

    @hookimpl
    def assetry_observe(self, invocation: Any, context: Any) -> Iterator[Event]:
        for each in self.seen:
            if isinstance(each, Exception):
                raise each
            yield each


def test_an_integration_is_observed_at_its_interval_and_what_is_not_new_leaves_nothing_behind() -> None:
    mill = Mill()
    often = Integration("mill", "mill", observe=timedelta(minutes=5))
    with shelf(integrations=[often, Integration("idle", "mill")], plugins=[mill]) as project:
        assert [(each.name, each.of, each.every) for each in senses_of(project).all] == [
            ("mill", "integration", timedelta(minutes=5))
        ]
        mill.seen = [Observed("mill/grain", data_version="1")]
        assert ask(project, "mill").new == 1
        runs = len(project.store.runs())
        assert ask(project, "mill").new == 0
        mill.seen = [RuntimeError("no route")]
        with pytest.raises(AssetryError, match="no route"):
            ask(project, "mill")
        assert len(project.store.runs()) == runs
        with pytest.raises(DefinitionError, match="both called 'mill'"):
            senses_of(Project([FEED, named("mill")], integrations=[often], plugins=[mill], store="sqlite::memory:"))


def test_of_which_assets_nothing_is_seen_is_told_until_it_is() -> None:
    mill = Mill()
    often = Integration("mill", "mill", observe=timedelta(minutes=5))
    with shelf(named("landed", asset="raw/feed"), named("free"), integrations=[often], plugins=[mill]) as project:
        names, now = ["landed", "free", "mill"], datetime.now(UTC)
        assert unseen(project) == {}
        failed = Sensed(at=now, keys=("raw/files", "dropped/since")).again(now, "no route")
        keep_senses(project.store, {"free": failed, "mill": Sensed(at=now).again(now, "no mill")}, names)
        keep_senses(
            project.store, {"landed": Sensed(at=now).again(now, "x").again(now, "no bucket (assets.py:3)")}, names
        )
        told = project.next()
        assert {str(key) for key in told} >= {"raw/feed", "raw/files", "mill/grain"}
        assert told[AssetKey("raw/feed")].kind == "backing_off"
        assert "sensor 'landed' failed 2 times in a row: no bucket (assets.py:3)" in told[AssetKey("raw/feed")].because
        at = told[AssetKey("raw/files")].at
        assert at is not None
        assert at > now
        keep_senses(project.store, {name: Sensed(at=now) for name in names}, names)
        assert unseen(project) == {}
        keep_senses(project.store, {}, ["landed"])
        assert set(known_senses(project.store)) == {"landed"}
