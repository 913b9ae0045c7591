"""Simulated days: how much is started for deadlines, beside the fewest that could be, and beside schedules.

python -m tests.bench.bench_simulation 7    simulates a week of the large shop, and not a day
"""

from __future__ import annotations

import sys
import time
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, ClassVar

from assetry import FreshnessPolicy, Project
from assetry.plugin import Asset, Integration, InvocationGroup, hookimpl
from assetry_automation import simulate

from tests.bench.measure import row
from tests.bench.offline import Case, fewest

MONDAY = datetime(2026, 1, 5, tzinfo=UTC)
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
CASES, HOURS, SYNC, MADE = 40, 12, 2, 2
TEAMS, EACH = 10, 100
LAGS = (30, 60, 120, 180, 360, 720, 1440)


class Mill:
    """The tools: what `group` in the spec of an asset names is made together."""

    ASSETRY_KINDS: ClassVar[Any] = {"mill": {}}

    @hookimpl
    def assetry_load_assets(self, integration: Any, context: Any) -> Any:
        return []

    @hookimpl
    def assetry_invocation_group(self, asset: Asset) -> InvocationGroup:
        return InvocationGroup(asset.spec["group"])


MILL = Mill()


def made(key: str, group: str, deps: list[str] = [], lag: int | None = None) -> Asset:  # noqa: B006
    return Asset(
        key=key,
        kind="mill",
        integration=Integration("mill", "mill"),
        deps=deps,
        spec={"group": group},
        freshness_policy=None if lag is None else FreshnessPolicy(maximum_lag=lag * MINUTE),
    )


def main(days: int = 1) -> None:
    """Print the figures, of so many days of the large shop."""
    ratio, missed = small()
    row(f"{CASES} small shops, {HOURS} hours: invocations over the fewest", f"{ratio:.2f}", "at most 1.1", ratio <= 1.1)
    row("  missed deadlines", f"{missed}", "none", missed == 0)
    began = time.process_time()
    found = simulate(shop(), MONDAY, MONDAY + days * DAY, assumed=timedelta(seconds=5))
    seconds = time.process_time() - began
    count, crons = found.per_week(len(found.invocations)), found.per_week(found.crons.invocations)
    row(f"{TEAMS * EACH:,} assets, {days} days: invocations a week", f"{count:,.0f}", "")
    row("  of schedules for data as new", f"{crons:,.0f}", "more", crons > count)
    row("  missed deadlines", f"{len(found.missed)}", "none", not found.missed)
    row(f"  {found.looks:,} looks", f"{seconds:.0f} s", "")


def small() -> tuple[float, int]:
    """Return how many invocations there are in small shops, over the fewest, and how many deadlines are missed."""
    random = Random(7)
    count = least = missed = 0
    for _ in range(CASES):
        size = random.randint(1, 3)
        lags = tuple(random.choice((30, 45, 60, 90, 120, 180, 240, 360)) for _ in range(size))
        case = Case(lags, tuple(random.randint(0, 1) for _ in range(size)), SYNC, MADE)
        names = [f"a{i}" for i in range(size)]
        assets = [made("source", "sync")]
        assets += [made(name, f"g{g}", ["source"], lag) for name, g, lag in zip(names, case.groups, lags, strict=True)]
        with Project(assets=assets, plugins=[MILL], store="sqlite::memory:", io="memory:") as project:
            until = MONDAY + HOURS * 60 * MINUTE - timedelta(microseconds=1)
            found = simulate(project, MONDAY, until, assumed=SYNC * MINUTE)
        count, missed = count + len(found.invocations), missed + len(found.missed)
        least += fewest(case, HOURS * 60)
    return count / least, missed


def shop() -> Project:
    """Return ten teams with a hundred assets each, below five syncs: a part of them has lags of all kinds."""
    random = Random(11)
    assets = [made(f"raw/{i}", f"sync{i % 5}") for i in range(50)]
    for team in range(TEAMS):
        keys = [f"raw/{i}" for i in random.sample(range(50), 5)]
        for i in range(EACH - 5):
            key = f"team{team}/{i}"
            lag = random.choice(LAGS) if random.random() < 0.1 else None
            assets.append(made(key, f"team{team}", random.sample(keys, min(len(keys), 2)), lag))
            keys = [*keys[-20:], key]
    return Project(assets=assets, plugins=[MILL], store="sqlite::memory:", io="memory:", executor="threads:16")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]))
