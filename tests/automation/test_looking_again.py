"""A look that goes on from the last one decides what a whole one does, whatever has happened between."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta

from assetry import DailyPartitionsDefinition, FreshnessPolicy, Project, asset
from assetry.automation import eager, missing, never, on_cron, upstream_changed
from assetry.plugin import AssetryError
from assetry_automation.kept import change_memory, memory_of
from assetry_automation.looking import Look, look, look_on, remembered, with_resumed
from assetry_automation.making import make_due
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples

START = datetime(2026, 1, 5, 9, tzinfo=UTC)
HOUR = timedelta(hours=1)
NAMES = ("raw", "stg", "mart", "days", "board", "late", "hand", "core")
TABLES = {
    "jobs": {"nightly": {"select": "mart+", "cron": "@daily"}, "rest": {"select": "state:stale", "cron": "@daily"}}
}


def shop(failing: set[str], code: str) -> Project:
    """Return a project with a policy of each kind, whose assets fail while they are among those `failing`."""

    def made(name: str) -> str:
        if name in failing:
            raise RuntimeError("no")
        return f"{name} {len(failing)}"

    @asset(automation=on_cron("0 */2 * * *"))
    def raw() -> str:
        return made("raw")

    @asset(code_version=code)
    def stg(raw: str) -> str:
        return made("stg")

    @asset(automation=eager())
    def mart(stg: str) -> str:
        return made("mart")

    @asset(
        automation=missing().last(2) | eager(), deps=["mart"], partitions_def=DailyPartitionsDefinition("2026-01-02")
    )
    def days() -> str:
        return made("days")

    @asset(freshness_policy=FreshnessPolicy(maximum_lag=HOUR))
    def board(mart: str) -> str:
        return made("board")

    @asset(automation=upstream_changed("state:stale") | upstream_changed("raw"), deps=["raw"])
    def late() -> str:
        return made("late")

    @asset(automation=never(), deps=["late"])
    def hand() -> str:
        return made("hand")

    @asset(automation=eager(every=HOUR), deps=["hand", "days"], freshness_policy=FreshnessPolicy(max_age=2 * HOUR))
    def core() -> str:
        return made("core")

    found = Project(assets=[raw, stg, mart, days, board, late, hand, core], store="sqlite::memory:", io="memory:")
    object.__setattr__(found.settings, "tables", TABLES)
    return found


class Looks:
    """Looks at a project, each of which goes on from the one before, and is compared with one that does not."""

    def __init__(self) -> None:
        self.failing: set[str] = set()
        self.project = shop(self.failing, "1")
        self.now = datetime.now(UTC)
        self.load = 1
        self.last: Look | None = None

    def look(self) -> None:
        memory = memory_of(self.project.store)
        # It goes on also where nothing of it was kept.
        assert look_on(self.project, memory, self.now, str(self.load), before=self.last).decision == self.whole()
        whole = self.whole()
        self.last = remembered(self.project, self.now, lambda decided: decided.memory, str(self.load), self.last)
        assert self.last.decision == whole
        assert memory_of(self.project.store) == self.last.decision.memory

    def whole(self) -> object:
        return look(self.project, memory_of(self.project.store), self.now, str(self.load))

    def make(self, name: str) -> None:
        with suppress(AssetryError):
            self.project.materialize(name, **({"partition": "last:2"} if name == "days" else {}))  # type: ignore[arg-type]

    def make_due(self, _: str) -> None:
        list(make_due(self.project, self.now, load=str(self.load)))

    def fail(self, name: str) -> None:
        self.failing ^= {name}

    def wait(self, name: str) -> None:
        self.now += timedelta(minutes=(-10, 1, 5, 31, 60, 130, 700, 1500)[NAMES.index(name)])

    def hold(self, name: str) -> None:
        key = self.project.graph.find(name)
        change_memory(self.project.store, lambda memory: with_resumed(memory, [key], self.now))

    def reload(self, name: str) -> None:
        """Load other definitions, with the same records."""
        other = shop(self.failing, name)
        other.__dict__["store"] = self.project.store
        self.project, self.load = other, self.load + 1


WHAT = ("make", "make", "make_due", "make_due", "fail", "wait", "wait", "hold", "reload")
STEPS = st.lists(st.tuples(st.sampled_from(WHAT), st.sampled_from(NAMES)), min_size=1, max_size=3)


@settings(max_examples=examples(20), deadline=None)
@given(st.lists(STEPS, min_size=1, max_size=6))
def test_a_look_that_goes_on_decides_what_a_whole_one_does(turns: list[list[tuple[str, str]]]) -> None:
    looks = Looks()
    store = looks.project.store
    try:
        looks.look()
        for steps in turns:
            for what, name in steps:
                getattr(looks, what)(name)
            looks.look()
    finally:
        store.close()
