"""What is started, and when everything else is, in real projects whose records are in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from assetry import (
    DailyPartitionsDefinition,
    FreshnessPolicy,
    HourlyPartitionsDefinition,
    Project,
    StaticPartitionsDefinition,
    asset,
)
from assetry.automation import between, eager, failed, missing, never, on_cron, on_missing, upstream_changed
from assetry.cli.runs.runs import asked
from assetry.plugin import Asset, AssetKey, DefinitionError, InvocationGroup, Next, RunInfo
from assetry.testing import Clock
from assetry_automation.decision.memory import Memory
from assetry_automation.decision.schedule import Decision
from assetry_automation.jobs import wrong_jobs
from assetry_automation.kept import change_memory, memory_of
from assetry_automation.looking import look, with_resumed
from assetry_automation.making import make_due

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


class Shelf:
    """A project, with the looks at it: each remembers what is to be remembered."""

    def __init__(self, *assets: Any, **options: Any) -> None:
        self.project = Project(assets=assets, store="sqlite::memory:", io="memory:", **options)
        self.load = "1"

    def look(self, now: datetime | None = None) -> Decision:
        decided: list[Decision] = []

        def change(memory: Memory) -> Memory:
            decided.append(look(self.project, memory, now or datetime.now(UTC), self.load))
            return decided[-1].memory

        change_memory(self.project.store, change)
        return decided[-1]

    def make(self, now: datetime | None = None) -> list[bool]:
        return [each.ok for each in make_due(self.project, now or datetime.now(UTC), load=self.load)]

    def started(self, now: datetime | None = None) -> set[str]:
        wave = self.look(now).wave
        return set() if wave is None else {str(key) for key in wave.wants}

    def next(self, key: str, now: datetime | None = None) -> Next:
        return self.look(now).next[AssetKey(key)]


@contextmanager
def shelf(*assets: Any, tables: Mapping[str, Any] | None = None) -> Iterator[Shelf]:
    found = Shelf(*assets)
    if tables is not None:
        found.project.settings = replace(found.project.settings, tables=tables)
    with found.project:
        yield found


def chain(automation: Any = None, **options: Any) -> tuple[Any, Any]:
    """Return `raw`, and `orders` that is made from it, with a policy."""

    @asset
    def raw() -> int:
        return 1

    @asset(automation=automation, **options)
    def orders(raw: int) -> int:
        return raw

    return raw, orders


def test_an_eager_asset_is_started_with_what_it_lacks_above() -> None:
    with shelf(*chain(eager())) as it:
        assert it.started() == {"raw", "orders"}
        assert it.make() == [True]
        decision = it.look()
        assert decision.wave is None
        assert decision.wake is None, "no clock decides anything here"


def test_what_no_policy_makes_is_left_and_told() -> None:
    @asset
    def report() -> int:
        return 1

    with shelf(report, *chain()) as it:
        assert it.started() == set()
        assert it.next("report").kind == "not_automated"
        assert it.make() == []


def test_new_content_above_makes_it_due_and_the_same_content_does_not() -> None:
    content = [1]

    @asset
    def raw() -> int:
        return content[0]

    @asset(automation=eager())
    def orders(raw: int) -> int:
        return raw

    with shelf(raw, orders) as it:
        it.make()
        it.project.materialize("raw")
        assert it.started() == set()
        content[0] = 2
        it.project.materialize("raw")
        assert it.started() == {"orders"}


def test_what_only_people_make_is_waited_for_and_named() -> None:
    @asset(automation=never())
    def raw() -> int:
        return 1

    @asset(automation=eager())
    def orders(raw: int) -> int:
        return raw

    with shelf(raw, orders) as it:
        assert it.started() == set()
        told = it.next("orders")
        assert (told.kind, told.on) == ("when", "raw")
        assert "only people make that" in told.because
        it.project.materialize("raw")
        assert it.started() == {"orders"}


def test_nothing_is_made_again_and_again_below_what_its_own_policy_leaves() -> None:
    """`report` has seen new content, and waits for its clock: making `dash` leaves it as much out of date as before."""
    content = [1]

    @asset
    def raw() -> int:
        return content[0]

    @asset(automation=on_cron("0 0 1 1 *"))
    def report(raw: int) -> int:
        return raw

    @asset(automation=eager())
    def dash(report: int) -> int:
        return report

    @asset(automation=eager())
    def both(report: int, raw: int) -> int:
        return report + raw

    with shelf(raw, report, dash, both) as it:
        it.project.materialize()
        content[0] = 2
        it.project.materialize("raw")
        later = datetime.now(UTC) + HOUR
        assert it.started(later) == set()
        for key in ("dash", "both"):
            assert it.next(key, later).on == "report"
            assert "by its policy, on_cron" in it.next(key, later).because
        it.project.materialize("report")
        assert it.started(later) == {"dash", "both"}


def test_an_input_without_partitions_is_needed_and_waited_for_beside_one_that_has_some() -> None:
    fails = [True]

    @asset(partitions_def=StaticPartitionsDefinition(["eu", "us"]), automation=eager())
    def regions() -> int:
        return 1

    @asset
    def rates() -> int:
        if fails[0]:
            raise ValueError("no")
        return 1

    @asset(deps=["regions", "rates"], automation=eager())
    def report() -> int:
        return 1

    with shelf(regions, rates, report) as it:
        assert it.started() == {"regions", "rates", "report"}
        it.make()
        assert it.next("report").on == "rates", "it waits for what backs off"
        fails[0] = False
        assert it.started(datetime.now(UTC) + HOUR) == {"rates", "report"}


# -- what fails ----------------------------------------------------------------------------------------------------


def failing() -> tuple[list[bool], tuple[Any, ...]]:
    """Return a switch, and assets of which the first fails while it is on."""
    broken = [True]

    @asset(automation=eager())
    def orders() -> int:
        if broken[0]:
            raise ValueError("no")
        return 1

    @asset(automation=eager())
    def report(orders: int) -> int:
        return orders

    return broken, (orders, report)


def test_a_failure_backs_off_and_what_is_below_waits_for_it() -> None:
    broken, assets = failing()
    with shelf(*assets) as it:
        assert it.make() == [False]
        told = it.next("orders")
        assert told.kind == "backing_off"
        assert told.at is not None
        assert timedelta(seconds=30) < told.at - datetime.now(UTC) < 2 * MINUTE
        assert it.next("report").on == "orders"
        assert it.look().wake == told.at
        broken[0] = False
        later = told.at + timedelta(seconds=1)
        assert it.started(later) == {"orders", "report"}
        assert it.make(later) == [True]
        assert it.started(later) == set()


def test_what_waits_for_any_input_is_not_made_over_and_over_below_one_that_stays_out_of_date() -> None:
    content, broken, made = [1], [False], [0]

    @asset
    def raw() -> int:
        return content[0]

    @asset(automation=eager())
    def orders(raw: int) -> int:
        assert not broken[0], "it is broken"
        return raw

    @asset(automation=eager().wait_for("any"))
    def report(raw: int, orders: int) -> int:
        made[0] += 1
        return raw + orders

    with shelf(raw, orders, report) as it:
        now = datetime.now(UTC)
        it.make(now)
        broken[0] = True
        for rounds in (1, 2):  # each news is worth a start, and a second one in case the first came too early
            content[0] += 1
            it.project.materialize("raw", raise_on_error=False)
            made[0] = 0
            for _ in range(30):
                now += HOUR
                it.make(now)
            assert 1 <= made[0] <= 2, rounds
            told = it.next("report", now)
            assert (told.kind, told.at) == ("when", None)
            assert told.because.startswith("nothing that it reads is new since it was made; it waits for `")
        broken[0] = False
        change_memory(it.project.store, lambda memory: with_resumed(memory, [AssetKey("orders")], now))
        assert it.make(now + HOUR)[-1]
        assert it.started(now + 2 * HOUR) == set()


def test_the_fifth_failure_in_a_row_is_held_until_a_person_lets_it_go_on() -> None:
    _, assets = failing()
    with shelf(*assets) as it:
        now = datetime.now(UTC)
        for _ in range(5):
            assert it.make(now) == [False]
            now = it.next("orders", now).at or now
        told = it.next("orders", now + DAY)
        assert told.kind == "held"
        assert "5 times" in told.because
        assert "assetry resume -s orders" in told.because
        assert it.started(now + DAY) == set()
        change_memory(it.project.store, lambda memory: with_resumed(memory, [AssetKey("orders")], now + DAY))
        assert it.started(now + DAY) == {"orders", "report"}


def test_new_inputs_are_tried_at_once_and_inputs_that_came_out_as_before_are_not() -> None:
    content = [1]

    @asset
    def raw() -> int:
        return content[0]

    @asset(automation=eager())
    def orders(raw: int) -> int:
        raise ValueError("no")

    with shelf(raw, orders, tables={"automation": {"holds_after": 1}}) as it:
        assert it.make() == [False]
        assert it.next("orders").kind == "held"
        assert it.project.materialize("raw").ok
        assert it.started() == set()
        content[0] = 2
        assert it.project.materialize("raw").ok
        assert it.started() == {"orders"}
        assert it.make() == [False]
        assert it.next("orders").kind == "held"


def test_what_an_overdue_dashboard_shows_is_asked_for_again_at_its_lag_though_something_between_is_held() -> None:
    broken = [False]

    @asset
    def raw() -> str:
        return str(datetime.now(UTC))

    @asset
    def orders(raw: str) -> str:
        if broken[0]:
            raise ValueError("no")
        return raw

    policy = FreshnessPolicy(maximum_lag=HOUR)
    board = Asset(key="board", kind="x", deps=["orders"], executable=False, consumer=True, freshness_policy=policy)
    with (
        Clock(datetime(2026, 1, 5, 9, tzinfo=UTC), stopped=True) as clock,
        shelf(raw, orders, board, tables={"automation": {"holds_after": 1}}) as it,
    ):
        assert it.make(clock.now) == [True]
        broken[0] = True
        clock.advance(HOUR)
        assert it.make(clock.now) == [False]
        told = it.next("board", clock.now)
        assert (told.kind, told.on) == ("when", AssetKey("orders"))
        wake = it.look(clock.now).wake
        assert wake == clock.now + HOUR + timedelta(microseconds=1)
        assert it.started(wake) == {"raw"}


def test_waits_grow_from_failure_to_failure() -> None:
    _, assets = failing()
    with shelf(*assets) as it:
        now, waits = datetime.now(UTC), []
        for _ in range(3):
            it.make(now)
            at = it.next("orders", now).at
            assert at is not None
            waits.append(at - datetime.now(UTC))
            now = at
        assert waits[0] < waits[1] < waits[2]


def test_a_failure_above_keeps_what_is_below_from_being_made_from_old_inputs() -> None:
    broken, assets = failing()
    broken[0] = False
    with shelf(*assets) as it:
        assert it.make() == [True]
        broken[0] = True
        it.project.materialize("orders")
        assert it.started() == set()
        assert it.next("report").kind == "when"


# -- deadlines -------------------------------------------------------------------------------------------------------


def test_newer_data_is_brought_before_the_deadline_and_not_sooner() -> None:
    with shelf(*chain(freshness_policy=FreshnessPolicy(maximum_lag=HOUR))) as it:
        assert it.started() == {"raw", "orders"}, "it was never made"
        it.make()
        made = datetime.now(UTC)
        told = it.next("orders")
        assert (told.kind, it.started()) == ("at", set())
        assert told.at is not None
        assert timedelta(minutes=45) < told.at - made <= HOUR
        assert it.started(told.at) == {"raw", "orders"}


def test_what_a_deadline_asks_for_is_told_with_how_long_it_takes() -> None:
    with Clock(datetime(2026, 1, 5, 9, tzinfo=UTC), stopped=True) as clock:

        @asset(freshness_policy=FreshnessPolicy(maximum_lag=HOUR))
        def orders() -> None:
            clock.advance(takes.pop())

        with shelf(orders) as it:
            takes, told = [timedelta(seconds=750), timedelta(0)], []
            while takes:
                it.make(clock.now)
                told.append(it.next("orders", clock.now).because)
                clock.set(it.look(clock.now).wake or clock.now)
    due = "`orders` is to have newer data by {} UTC"
    assert told == [
        f"{due.format('10:00')}; how long that takes is not known yet",
        f"{due.format('10:50')}, which takes about 12 min 30 s",
    ]


def test_two_teams_that_ask_of_one_asset_have_it_made_once_for_the_smaller_lag() -> None:
    @asset
    def core() -> int:
        return 1

    @asset(freshness_policy=FreshnessPolicy(maximum_lag=HOUR))
    def fast(core: int) -> int:
        return core

    @asset(freshness_policy=FreshnessPolicy(maximum_lag=4 * HOUR))
    def slow(core: int) -> int:
        return core

    with shelf(core, fast, slow) as it:
        it.make()
        at = it.next("fast").at
        assert at is not None
        assert it.started(at) == {"core", "fast"}
        assert it.next("slow").at == it.look().next[AssetKey("slow")].at


def test_an_exposed_asset_that_is_never_made_by_automation_asks_for_nothing() -> None:
    with shelf(*chain(never(), freshness_policy=FreshnessPolicy(maximum_lag=HOUR))) as it:
        assert it.started() == set()


def test_what_a_dashboard_shows_is_made_for_it() -> None:
    content = [1]

    @asset
    def raw() -> int:
        return content[0]

    @asset
    def orders(raw: int) -> int:
        return raw

    policy = FreshnessPolicy(maximum_lag=HOUR)
    dash = Asset(key="dash", kind="x", deps=["orders"], executable=False, consumer=True, freshness_policy=policy)
    with shelf(raw, orders, dash) as it:
        it.project.materialize(["raw", "orders"])
        content[0] = 2
        it.project.materialize("raw")
        assert it.started() == set()
        at = it.next("dash").at
        assert at is not None
        assert "orders" in it.started(at)


# -- clocks ----------------------------------------------------------------------------------------------------------


def test_a_clock_brings_all_that_is_above_up_to_its_tick_once() -> None:
    with shelf(*chain(on_cron("0 2 * * *"))) as it:
        assert it.started() == set(), "a policy that is new waits for its first tick"
        told = it.next("orders")
        assert told.kind == "at"
        assert told.at is not None
        assert it.started(told.at + MINUTE) == {"raw", "orders"}
        assert it.started(told.at + 5 * DAY) == {"raw", "orders"}, "ticks that were missed are one"


def test_a_tick_is_kept_until_it_is_met() -> None:
    with shelf(*chain(on_cron("* * * * *"))) as it:
        it.look(datetime.now(UTC) - 3 * MINUTE)
        assert it.make() == [True]
        assert it.started() == set()
        assert it.started(datetime.now(UTC) + 2 * MINUTE) == {"raw", "orders"}


def test_jobs_are_due_once_at_each_tick() -> None:
    tables = {"jobs": {"nightly": {"select": "orders", "cron": "0 2 * * *", "stale": False}}}
    with shelf(*chain(), tables=tables) as it:
        assert it.look().jobs == ()
        later = datetime.now(UTC) + 3 * DAY
        assert [each.name for each in it.look(later).jobs] == ["nightly"]
        it.project.materialize("raw")
        assert it.make(later) == [True]
        assert it.look(later).jobs == ()


def test_what_only_a_job_makes_is_told_when_it_ticks_and_how_it_ended() -> None:
    tables = {"jobs": {"nightly": {"select": "report", "cron": "0 2 * * *"}}}

    @asset
    def report() -> int:
        return 1

    with shelf(report, tables=tables) as it:
        told = it.next("report")
        assert told.kind == "at"
        assert "job nightly ticks then" in told.because
        assert told.by == "job nightly"
        later = datetime.now(UTC) + DAY
        it.look()
        (made,) = make_due(it.project, later)
        assert (made.ok, made.run is not None) == (True, True)
        (tick,) = it.look(later).ticks
        assert tick.ended is not None
        assert (tick.ended.ok, tick.ended.run, tick.at > later) == (True, made.run, True)
        assert f"run {made.run}" in it.next("report", later).because
        (made,) = make_due(it.project, later + DAY)
        assert (made.ok, made.run, made.told) == (True, None, "job nightly: nothing to do")


def test_the_function_in_place_of_a_policy_has_what_was_meant() -> None:
    with pytest.raises(DefinitionError) as error:
        asset(automation=eager)(lambda: 1)  # type: ignore[call-overload]
    assert error.value.near == ("eager()",)


def test_runs_of_automation_have_their_class_and_say_who_asked() -> None:
    tables = {"jobs": {"nightly": {"select": "report", "cron": "@daily"}}}

    @asset
    def report() -> int:
        return 1

    @asset(freshness_policy=FreshnessPolicy(maximum_lag=HOUR))
    def dash(raw: int) -> int:
        return raw

    def classes(it: Shelf) -> list[tuple[int, Any]]:
        return [(each.priority, each.options.get("asked_by")) for each in reversed(it.project.store.runs())]

    with shelf(report, *chain(eager()), tables=tables) as it:
        it.look()
        it.make()
        it.make(datetime.now(UTC) + DAY)
        assert classes(it) == [(20, "automation"), (20, "job nightly")]
        assert [asked(each) for each in it.project.store.runs()] == ["job nightly: -s report --stale", "automation"]
    with shelf(*chain(), dash) as it:
        assert it.make() == [True]
        assert classes(it) == [(10, "automation")]


def test_a_job_that_cannot_run_is_named_and_stops_no_other() -> None:
    yesterday = datetime.now(UTC) - DAY
    tables = {
        "jobs": {
            "first": {"select": "daily", "cron": "@daily", "partitions": "lst:2"},
            "second": {"select": "nothing*", "cron": "@daily"},
            "third": {"select": "daily", "cron": "@daily"},
        }
    }
    with shelf(days(None, yesterday), tables=tables) as it:
        wrong = list(wrong_jobs(it.project, datetime.now(UTC)))
        assert [each.message.split(":")[0] for each in wrong] == ["[jobs.first]", "[jobs.second]"]
        assert wrong[0].near == ("last:2",)
        it.look()
        made = list(make_due(it.project, datetime.now(UTC) + DAY))
        assert [(each.job, each.ok) for each in made] == [("first", False), ("second", False), ("third", True)]
        assert made[0].told.startswith("[jobs.first]: 'lst:2'")
        assert [each.ended.ok for each in it.look().ticks if each.ended] == [False, False, True]


def test_hours_of_the_day_open_and_close() -> None:
    with shelf(*chain(eager() & between("08:00", "20:00"))) as it:
        day = datetime(2099, 1, 5, tzinfo=UTC)
        assert it.started(day + 7 * HOUR) == set()
        assert it.look(day + 7 * HOUR).wake == day + 8 * HOUR
        assert it.started(day + 9 * HOUR) == {"raw", "orders"}


# -- partitions ------------------------------------------------------------------------------------------------------


def days(automation: Any, start: datetime) -> Any:
    @asset(partitions_def=DailyPartitionsDefinition(f"{start:%Y-%m-%d}"), automation=automation)
    def daily(partition: str) -> str:
        return partition

    return daily


def wanted(decision: Decision, key: str, project: Project) -> tuple[str, ...]:
    assert decision.wave is not None
    parts = decision.wave.wants[AssetKey(key)]
    definition = project.graph[key].partitions_def
    assert parts is not None
    assert definition is not None
    return definition.keys_of(parts)


def test_a_new_policy_makes_no_old_partitions_all_at_once() -> None:
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    with shelf(days(eager(), today - 100 * DAY)) as it:
        assert it.started() == set()
        decision = it.look(today + DAY + HOUR)
        assert wanted(decision, "daily", it.project) == (f"{today:%Y-%m-%d}",)


@pytest.mark.parametrize(
    ("policy", "count"),
    [
        (on_missing(last=7), 7),
        (missing().last(3), 3),
        (missing().last(4) | eager(), 4),
        ((missing() | eager()).last(3), 3),
        ((missing().last(7) | eager()) & ~failed(), 7),
        (eager() & missing().last(2), 2),
    ],
)
def test_only_the_newest_partitions_are_wanted(policy: Any, count: int) -> None:
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    with shelf(days(policy, today - 100 * DAY)) as it:
        assert len(wanted(it.look(), "daily", it.project)) == count
        assert it.make() == [True]
        assert it.started() == set()


@pytest.mark.parametrize("policy", [eager() | failed().last(3), missing(), ~failed(), on_cron("* * * * *")])
def test_old_partitions_are_left_by_each_word_that_is_not_narrowed(policy: Any) -> None:
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    with shelf(days(policy, today - 100 * DAY)) as it:
        it.look()
        assert it.started(datetime.now(UTC) + 2 * MINUTE) == set()


def test_what_is_left_to_a_backfill_is_told_with_when_the_next_partition_comes() -> None:
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    with shelf(days(eager(), today - 100 * DAY)) as it:
        told = it.next("daily", today + HOUR)
        assert (told.kind, told.at) == ("at", today + DAY)
        assert "100 old partitions are left to `assetry backfill -s daily`" in told.because


def test_an_asset_outside_of_its_hours_says_when_they_begin() -> None:
    noon = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0)
    with shelf(*chain(eager() & between("14:00", "16:00"))) as it:
        told = it.next("orders", noon)
        assert (told.kind, told.at) == ("at", noon + 2 * HOUR)


def test_partitions_since_a_date_are_wanted() -> None:
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    since = today - 5 * DAY
    with shelf(days(eager().from_(since), today - 100 * DAY)) as it:
        assert wanted(it.look(), "daily", it.project)[0] == f"{since:%Y-%m-%d}"


def test_the_next_window_wakes_it() -> None:
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    with shelf(days(eager(), today - 3 * DAY)) as it:
        assert it.look().wake == today + DAY


def test_a_day_is_made_once_all_of_its_hours_are() -> None:
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    yesterday = today - DAY
    broken = [f"{yesterday:%Y-%m-%d}-07:00"]

    @asset(
        partitions_def=HourlyPartitionsDefinition(f"{yesterday:%Y-%m-%d}-00:00"), automation=eager().from_(yesterday)
    )
    def hourly(partition: str) -> str:
        if partition in broken:
            raise ValueError("no")
        return partition

    @asset(partitions_def=DailyPartitionsDefinition(f"{yesterday:%Y-%m-%d}"), automation=eager().from_(yesterday))
    def daily(hourly: dict[str, str]) -> int:
        return len(hourly)

    with shelf(hourly, daily) as it:
        assert it.make() == [False]
        assert it.project.status_of("daily").partitions.made == it.project.status_of("daily").partitions.failed
        assert it.started() == set()
        broken.clear()
        later = datetime.now(UTC) + 2 * HOUR
        assert {"hourly", "daily"} <= it.started(later)
        assert it.make(later)[0]
        assert it.project.load_value("daily", partition=f"{yesterday:%Y-%m-%d}") == 24


# -- restraint -------------------------------------------------------------------------------------------------------


def test_no_more_runs_than_may_be_at_a_time() -> None:
    with shelf(*chain(eager()), tables={"automation": {"max_runs": 1}}) as it:
        it.project.store.begin(
            RunInfo(id="r", state="running", started=datetime.now(UTC), options={"automation": True})
        )
        assert it.started() == set()
        assert it.next("orders").kind == "queued"


def test_very_much_that_changed_at_once_is_held_for_a_person() -> None:
    def made(version: str) -> list[Any]:
        def one(number: int) -> Any:
            @asset(key=f"many/a{number}", automation=eager(), code_version=version)
            def each() -> int:
                return number

            return each

        return [one(number) for number in range(4)]

    with shelf(*made("1"), tables={"automation": {"surge": 3}}) as it:
        assert it.make() == [True], "what was never made is no change"
        again = Shelf(*made("2"))
        again.project.__dict__["store"] = it.project.store
        again.project.settings = it.project.settings
        assert again.started() == set()
        told = again.next("many/a0")
        assert told.kind == "held"
        assert "4 assets changed at once" in told.because
        now = datetime.now(UTC)
        change_memory(it.project.store, lambda memory: with_resumed(memory, again.project.graph.keys, now))
        assert len(again.started()) == 4


def test_what_is_out_of_date_for_the_same_reason_however_often_it_is_made_is_held() -> None:
    versions = iter(range(100))

    def fresh_project(store: Any) -> Shelf:
        @asset(automation=eager(), code_version=str(next(versions)))
        def orders() -> int:
            return 1

        found = Shelf(orders)
        if store is not None:
            found.project.__dict__["store"] = store
        return found

    daemon = fresh_project(None)
    made = 0
    for _ in range(6):
        if not daemon.started():
            break
        # A process of its own makes it, and loads another version than the daemon has.
        runner = fresh_project(daemon.project.store)
        assert runner.make() == [True]
        made += 1
    assert made == 4, "once because it was never made, and three times for its code"
    told = daemon.next("orders")
    assert told.kind == "held"
    assert "the same reason each time" in told.because


def test_starts_are_so_far_apart_as_the_policy_says() -> None:
    content = [1]

    @asset
    def raw() -> int:
        return content[0]

    @asset(automation=eager(every=HOUR))
    def orders(raw: int) -> int:
        return raw

    with shelf(raw, orders) as it:
        it.make()
        content[0] = 2
        it.project.materialize("raw")
        told = it.next("orders")
        assert told.kind == "at"
        assert told.at is not None
        assert told.at - datetime.now(UTC) > timedelta(minutes=55)
        assert it.started(told.at + MINUTE) == {"orders"}


def test_what_comes_within_the_time_of_a_batch_joins_it() -> None:
    with shelf(*chain(eager().batch(2 * MINUTE))) as it:
        assert it.started() == set()
        assert it.next("orders").kind == "at"
        assert it.started(datetime.now(UTC) + 3 * MINUTE) == {"raw", "orders"}


def test_what_failed_does_not_wait_for_a_batch_again() -> None:
    @asset(automation=eager().batch(10 * MINUTE))
    def orders() -> int:
        raise ValueError("no")

    with Clock(datetime(2026, 1, 5, 9, tzinfo=UTC), stopped=True) as clock, shelf(orders) as it:
        assert it.started(clock.now) == set()
        clock.advance(10 * MINUTE)
        assert it.make(clock.now) == [False]
        told = it.next("orders", clock.now)
        assert (told.kind, it.look(clock.now).wake) == ("backing_off", told.at)
        assert told.at is not None
        assert told.at < clock.now + 2 * MINUTE
        assert it.started(told.at) == {"orders"}


def test_only_new_content_of_some_inputs_counts() -> None:
    content = {"left": 1, "right": 1}

    @asset
    def left() -> int:
        return content["left"]

    @asset
    def right() -> int:
        return content["right"]

    @asset(automation=eager().ignore("right"))
    def orders(left: int, right: int) -> int:
        return left + right

    @asset(automation=missing() | upstream_changed("left"))
    def report(left: int, right: int) -> int:
        return left + right

    with shelf(left, right, orders, report) as it:
        it.make()
        content["right"] = 2
        it.project.materialize("right")
        assert it.started() == set()
        content["left"] = 2
        it.project.materialize("left")
        assert it.started() == {"orders", "report"}


def test_what_failed_is_wanted_by_the_policy_that_says_so() -> None:
    broken = [True]

    @asset(automation=failed())
    def orders() -> int:
        if broken[0]:
            raise ValueError("no")
        return 1

    with shelf(orders) as it:
        assert it.started() == set()
        it.project.materialize()
        broken[0] = False
        assert it.started(datetime.now(UTC) + HOUR) == {"orders"}


def test_a_person_holds_an_asset_and_lets_it_go_on() -> None:
    with shelf(*chain(eager())) as it:
        held = {AssetKey("orders"): "the source is being moved"}
        change_memory(it.project.store, lambda memory: replace(memory, held=held))
        assert it.started() == {"raw"} or it.started() == set()
        assert it.next("orders").kind == "held"
        assert "the source is being moved" in it.next("orders").because


def test_memory_outlives_the_process() -> None:
    _, assets = failing()
    with shelf(*assets) as it:
        it.make()
        it.look()
        known = memory_of(it.project.store)
        assert known.failures[AssetKey("orders")].times == 1
        assert set(known.known) == {"orders", "report"}


def test_every_asset_that_is_due_and_not_started_says_why() -> None:
    makers: list[Callable[[], Any]] = [lambda: eager(), lambda: never(), lambda: on_cron("@daily"), lambda: None]

    def one(number: int) -> Any:
        @asset(key=f"a{number}", deps=[f"a{number - 1}"] if number % 3 else [], automation=makers[number % 4]())
        def each() -> int:
            return number

        return each

    with shelf(*[one(number) for number in range(24)]) as it:
        for _ in range(3):
            decision = it.look()
            started = set() if decision.wave is None else set(decision.wave.wants)
            due = {each.key for each in it.project.status() if each.status != "fresh"}
            assert due <= started.union(decision.next)
            it.make()


def test_one_run_makes_so_many_partitions_at_most_and_none_from_what_waits() -> None:
    days = DailyPartitionsDefinition("2026-01-01", end_date="2026-01-06")

    @asset(partitions_def=days, automation=eager().from_("2026-01-01"))
    def raw() -> int:
        return 1

    @asset(partitions_def=days, deps=["raw"], automation=eager().from_("2026-01-01"))
    def clean() -> int:
        return 1

    with shelf(raw, clean, tables={"automation": {"max_partitions_per_wave": 4}}) as found:
        at, made = datetime.now(UTC), []
        for turn in range(6):
            wave = found.look(at + turn * HOUR).wave
            if wave is None:
                break
            made.append({str(key): len(parts or ()) for key, parts in wave.wants.items()})
            assert found.make(at + turn * HOUR) == [True]
        assert made == [{"raw": 4}, {"raw": 1, "clean": 3}, {"clean": 2}]


def test_what_waits_for_room_says_so() -> None:
    days = DailyPartitionsDefinition("2026-01-01", end_date="2026-01-06")

    @asset(partitions_def=days, automation=eager().from_("2026-01-01"))
    def raw() -> int:
        return 1

    @asset(partitions_def=days, automation=eager().from_("2026-01-01"))
    def later() -> int:
        return 1

    with shelf(raw, later, tables={"automation": {"max_partitions_per_wave": 5}}) as found:
        assert found.started() == {"raw"}
        told = found.next("later")
        assert (told.kind, told.because) == ("queued", "5 partitions wait for the next run (max_partitions_per_wave)")


def test_a_tool_is_started_once_for_what_is_ready_and_on_its_way_and_waits_no_longer_than_that_saves() -> None:
    now = datetime.now(UTC)
    seen: list[Any] = []

    @asset
    def up() -> int:
        seen.extend((found.started(now), found.next("ready", now), found.next("below", now)))
        seen.append(found.started(now + MINUTE))
        return 1

    @asset(automation=eager())
    def ready() -> int:
        return 1

    @asset(deps=["ready"], automation=eager())
    def below() -> int:
        return 1

    @asset(deps=["up"], automation=eager())
    def coming() -> int:
        return 1

    with shelf(up, ready, below, coming) as found:
        tool = InvocationGroup("tool")
        found.project.__dict__["groups"] = {AssetKey("ready"): tool, AssetKey("coming"): tool}
        change_memory(found.project.store, lambda memory: replace(memory, overheads={"tool": 60.0}))
        found.project.materialize("up")
        told = Next("at", "what its tool makes, too, is on its way: they are made together", now + MINUTE)
        assert seen[:2] == [set(), told]
        assert seen[2].because == "it waits for `ready`"
        assert seen[3] == {"ready", "below"}
