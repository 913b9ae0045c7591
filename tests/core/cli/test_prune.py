"""Old history: what is removed of it, and how people are told."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from conftest import Folder

ALL = '[retention]\nevents = "0d"\nruns = "0d"\nattempts = "0d"\nmaterializations = "0d"\n'
EVENTS = '[retention]\nevents = "0d"\n'


def keep(shop: Folder, text: str) -> None:
    file = shop.root / "assetry.toml"
    before = file.read_text().partition("[retention]")[0].rstrip()
    shop.write("assetry.toml", f"{before}\n{text}")


def answers(shop: Folder) -> Any:
    """Return what is told of the assets, without the time that passes meanwhile."""
    return shop.json("status"), shop.json("plan", "--stale"), shop.json("plan")


def test_what_is_old_goes_and_the_answers_stay(shop: Folder) -> None:
    keep(shop, ALL)
    runs = [shop.json("materialize")["run"] for _ in range(3)]
    before = answers(shop)
    told = shop.json("prune", "--history", "--dry-run")
    assert told["dry_run"]
    assert (told["removed"]["runs"], told["removed"]["attempts"], told["removed"]["materializations"]) == (2, 6, 6)
    assert told["kept_whole"] == [runs[2]]
    assert [run["run"] for run in shop.json("runs")["runs"]] == runs[::-1]
    done = shop.json("prune", "--history")
    assert (done["dry_run"], done["removed"]) == (False, told["removed"])
    assert answers(shop) == before
    assert [run["run"] for run in shop.json("runs")["runs"]] == runs[2:]
    assert "Nothing is old enough." in shop.call("prune", "--history").stderr
    gone = shop.call("logs", runs[0], code=2).stderr
    assert "ended longer ago than 0d may be pruned, see [retention]" in gone
    assert shop.call("retry").exit_code == 0


def test_it_is_told_where_somebody_looks_for_it(shop: Folder) -> None:
    keep(shop, EVENTS)
    first = shop.json("materialize")["run"]
    last = shop.json("materialize", "-s", "orders")["run"]
    assert "pruned" not in shop.call("show", "report").stdout
    text = shop.call("prune", "--history").stdout
    assert "events" in text
    assert "all are kept" in text
    assert "Kept whole: 1 old run that `assetry retry` may still need." in text
    said = f"The events of run {first} were pruned on {datetime.now(UTC).astimezone():%Y-%m-%d}, see [retention]"
    logs = shop.call("logs", first)
    assert (logs.stdout, logs.stderr) == ("", f"{said}.\n")
    assert set(shop.json("logs", first)["pruned"]) == {"events"}
    assert said in shop.call("show", "report").stdout
    assert shop.json("show", "report")["asset"]["pruned"] == said
    assert shop.json("show", "orders")["asset"]["pruned"] is None
    assert shop.ndjson("logs", last)
    assert "pruned" not in shop.json("runs")["runs"][0]


def test_a_run_that_a_retry_needs_stays(failing: Folder) -> None:
    keep(failing, ALL)
    first = failing.json("materialize", code=1)["run"]
    second = failing.json("materialize", code=1)["run"]
    last = failing.json("materialize", "-s", "orders")["run"]
    done = failing.json("prune", "--history")
    # The second one wants all that the first does.
    assert done["kept_whole"] == sorted([second, last])
    assert [run["run"] for run in failing.json("runs")["runs"]] == [last, second]
    assert failing.ndjson("logs", second)
    failing.call("logs", first, code=2)
    failing.write("shop_assets.py", (failing.root / "shop_assets.py").read_text().replace("raise", "return 6 #"))
    assert failing.json("retry", second)["state"] == "succeeded"
    assert failing.json("status")["assets"][0]["status"] == "fresh"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('event = "90d"', ["Unknown key 'event' in [retention].", "did you mean 'events'?"]),
        ('events = "90 days"', ["'events' in [retention]: '90 days' is no age.", "did you mean '90d'?"]),
        ("runs = 90", ["'runs' in [retention]: 90 is no age.", "did you mean '90d'?"]),
        ('runs = "for ever"', ["did you mean 'forever'?"]),
        ('runs = "3 months"', ["Write days, weeks or years, as 90d, 12w or 2y, or forever."]),
    ],
)
def test_what_cannot_be_understood_is_told_with_its_line(shop: Folder, line: str, said: list[str]) -> None:
    shop.write("assetry.toml", f'modules = ["shop_assets"]\nname = "events"\n\n[retention]\n{line}\n')
    told = shop.call("list", code=3).stderr
    assert "assetry.toml:5" in told
    for each in said:
        assert each in told.replace("Did", "did")


def test_it_says_what_it_prunes(shop: Folder) -> None:
    told = shop.call("prune", code=2).stderr
    assert "What is to be pruned?" in told
    assert "assetry prune --history --dry-run" in told


def test_a_run_under_way_loses_nothing(waiting: Folder) -> None:
    keep(waiting, ALL)
    waiting.call("materialize", "-q", "-s", "quick")
    with waiting.process("materialize", "--output", "ndjson") as run:
        waiting.wait_for_slow(run)
        told = waiting.json("prune", "--history")
        # The last run is under way, and the one before it has nothing left.
        assert (told["kept_whole"], told["removed"]["runs"]) == ([], 1)
        (waiting.root / "go").touch()
        out, _ = run.communicate(timeout=60)
    assert run.returncode == 0
    assert waiting.call("logs", "--output", "ndjson").stdout == out
    assert {each["status"] for each in waiting.json("status")["assets"]} == {"fresh"}
    assert waiting.json("prune", "--history")["removed"]["runs"] == 0
