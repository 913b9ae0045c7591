"""What automation cannot do as it is asked is told with its place, and a clock that is set makes nothing twice."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from assetry.testing import ProjectFolder

from tests.e2e.automation.story import DAY, DBT, HOUR, MINUTE, told, told_of_crm
from tests.e2e.automation.test_deadlines import BOARD, MODELS, QUARTER

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def python(policy: str) -> dict[str, str]:
    head = "from assetry import asset\nfrom assetry.automation import between, eager, on_cron\n\n"
    return {"assets.py": f"{head}@asset(automation={policy})\ndef orders():\n    return 1\n"}


def meta(said: str) -> dict[str, str]:
    return {
        **DBT,
        "assetry.toml": '[integrations.shop]\nkind = "dbt"\n',
        "models/orders.sql": "select 1 as id",
        "models/orders.yml": f"models: [{{name: orders, config: {{meta: {{assetry: {{{said}}}}}}}}}]\n",
    }


def toml(said: str) -> dict[str, str]:
    return {"assetry.toml": said, **python("eager()")}


NEVER = "'0 0 30 2 *' is no cron text"


@pytest.mark.parametrize(
    ("files", "said"),
    [
        (python("'eagre'"), ["automation='eagre': unknown word", "assets.py:4", "did you mean 'eager'?"]),
        (python("on_cron('0 0 30 2 *')"), [NEVER, "assets.py:4", "Five fields: minute, hour"]),
        (python("on_cron('0 0 * * *', 'Europe/Berln')"), ["No time zone 'Europe/Berln'", "'Europe/Berlin'"]),
        (meta("automation: eagre"), ["model.shop.orders: automation='eagre'", "orders.sql", "did you mean 'eager'?"]),
        (meta("automation: {evry: 15m}"), ["model.shop.orders: An automation policy has no 'evry'", "'every'?"]),
        (meta("automation: {cron: '0 0 30 2 *'}"), [NEVER, "orders.sql", "Five fields: minute, hour"]),
        (toml("[automation]\nmax_run = 2\n"), ["[automation] has no 'max_run'", "assetry.toml", "'max_runs'?"]),
        (
            toml("[jobs.nightly]\nselect = 'orders'\ncron = '0 0 30 2 *'\n"),
            [f"[jobs.nightly]: {NEVER}", "assetry.toml"],
        ),
        (
            toml("[jobs.nightly]\nselect = 'ordres'\ncron = '@daily'\n"),
            ["[jobs.nightly]: ", "'ordres'", "assetry.toml", "did you mean 'orders'?"],
        ),
    ],
)
def test_what_cannot_be_asked_is_told_by_check_with_its_place_and_a_near_word(
    project: Callable[..., ProjectFolder], files: Mapping[str, str], said: list[str]
) -> None:
    out = project(files).run("check").assert_code(3)
    assert [each for each in said if each not in out.out + out.err] == [], out.out + out.err


def test_a_lag_that_the_way_never_kept_is_warned_of_with_both_numbers_and_started_no_more_often(tmp_path: Path) -> None:
    with told_of_crm(tmp_path, {**MODELS, "models/board.yml": BOARD.format(model="core", asked=QUARTER)}) as (
        story,
        crm,
    ):
        crm.took = 20 * MINUTE
        assert story.turn() == [True]
        both = "its data may lie 15 minutes behind at most, and the way to it never took less than 20 min"
        assert both in " ".join(story.says("status").split())
        began = story.clock.now
        story.live(began + 3 * HOUR)
        # It goes on without a pause, and no faster than a sync takes; nothing that did not move is made.
        assert 4 <= len(story.times("crm/orders")) <= 9
        assert len(story.invocations("dbt")) == 1


ASSETS = """
from pathlib import Path
from assetry import asset
from assetry.automation import eager, on_cron

@asset(automation=on_cron("0 * * * *"))
def hourly() -> int:
    return 1

@asset
def raw() -> int:
    return int(Path(__file__).with_name("content").read_text())

@asset(automation=eager())
def orders(raw: int) -> int:
    return raw
"""


def test_a_clock_that_goes_back_makes_nothing_twice_and_one_that_leaps_makes_what_it_missed_once(
    tmp_path: Path,
) -> None:
    tables = "[jobs.daily]\nselect = 'raw'\ncron = '0 3 * * *'\nstale = false\n"
    with told(tmp_path, {"assetry.toml": tables, "assets.py": ASSETS, "content": "1"}) as story:
        story.live(story.clock.now + 4 * HOUR + MINUTE)
        assert len(story.times("hourly")) == 4
        assert len(story.times("raw")) == 2
        for back in (10 * MINUTE, 2 * HOUR, DAY):
            before = story.clock.now
            story.forget()
            story.clock.advance(-back)
            story.live(before)
            assert story.made == [], f"set back by {back}"
        # What is new is made all the same, also where the records are from a time to come.
        story.clock.advance(-2 * HOUR)
        story.write("content", "2")
        assert story.project.materialize("raw").ok
        assert story.turn() == [True]
        assert story.made[-1].keys == {"orders"}

        story.clock.advance(3 * DAY)
        story.forget()
        assert story.turn() == [True, True]
        assert story.turn() == []
        assert {len(story.times(key)) for key in ("hourly", "raw")} == {1}
