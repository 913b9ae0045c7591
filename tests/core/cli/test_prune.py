"""What nothing defines any more, and old history: what is listed and removed, and how people are told."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
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


# -- what nothing defines any more -----------------------------------------------------------------------------------

PARTS = """
from assetry import StaticPartitionsDefinition, asset


@asset(partitions_def=StaticPartitionsDefinition({keys}))
def letters() -> int:
    return 1


@asset
def orders() -> int:
    return 3
"""


@pytest.fixture
def left(shop: Folder) -> Folder:
    """A project of which two assets, and two partitions of another one, are not defined any more."""
    shop.call("materialize", "-q")
    shop.write("shop_assets.py", PARTS.format(keys=["a", "b", "c"]))
    shop.call("materialize", "-q", "-s", "letters", "-p", "all")
    shop.write("shop_assets.py", PARTS.format(keys=["a"]))
    return shop


def said(folder: Folder, text: str) -> str:
    """Return what was said, as it would be in the folder itself."""
    return text.replace(f" -C {folder.root}", "")


def files(folder: Folder) -> list[str]:
    data = folder.root / ".assetry" / "data"
    return sorted(str(each.relative_to(data)) for each in data.rglob("*.pkl"))


def test_what_nothing_defines_is_listed_with_place_size_age_and_reason(left: Folder) -> None:
    result = left.call("prune")
    text = re.sub(r"made (\d+ \w+ ago|just now)", "made NOW", result.stdout)
    assert text.splitlines() == [
        "Not among its partitions any more:",
        "  letters [b, c]  parquet:.assetry/data  10 bytes  made NOW",
        "Nothing defines it any more:",
        "  report      parquet:.assetry/data  33 bytes  made NOW",
        "  shop/total  parquet:.assetry/data  5 bytes   made NOW",
    ]
    assert "`assetry prune --delete` deletes" in said(left, result.stderr)
    parts, report, _ = left.json("prune")["orphans"]
    assert (parts["key"], parts["partitions"], parts["bytes"], parts["refused"]) == ("letters", ["b", "c"], 10, None)
    assert (report["key"], report["partitions"], report["because"]) == ("report", None, "nothing defines it any more")
    (where,) = report["where"]
    assert where["io"].startswith("parquet:/")
    assert {name: where[name] for name in ("kind", "relation", "view")} == {
        "kind": "python", "relation": None, "view": False
    }  # fmt: skip
    assert [each["key"] for each in left.ndjson("prune", "report")] == ["report"]
    assert len(files(left)) == 6, "nothing is deleted by a list"


def test_status_names_what_nothing_defines(left: Folder) -> None:
    assert "Nothing defines report and shop/total any more: see `assetry prune`." in said(
        left, left.call("status").stderr
    )
    assert "any more" not in left.call("status", "-s", "letters").stderr
    assert left.json("status")["orphans"] == ["report", "shop/total"]


@pytest.mark.parametrize("verb", ["show", "impact"])
def test_who_asks_for_what_nothing_defines_is_told_so(left: Folder, verb: str) -> None:
    for name in ("total", "shop/total"):
        told = said(left, left.call(verb, name, code=2).stderr)
        assert "Nothing defines 'shop/total' any more." in told
        assert "`assetry prune shop/total` tells what there still is of it." in told
    assert "No asset 'totals'" in left.call(verb, "totals", code=2).stderr
    left.call("prune", "--delete", "--yes")
    assert "No asset 'total'" in left.call(verb, "total", code=2).stderr


def test_nothing_is_deleted_without_a_yes(left: Folder) -> None:
    for more in ([], ["--output", "json"]):
        told = said(left, left.call("prune", "--delete", *more, code=2).stderr)
        assert "Nothing is deleted without a yes." in told
        assert "--yes" in told
    left.call("prune", "--delete", "--yes", "--dry-run")
    for word in ("--yes", "--records-only"):
        assert f"`assetry prune --delete {word}`" in said(left, left.call("prune", word, code=2).stderr)
    assert "--history is about no assets." in left.call("prune", "--history", "--delete", code=2).stderr
    assert len(files(left)) == 6


def test_what_is_named_is_deleted(left: Folder) -> None:
    result = left.call("prune", "report", "--delete", "--yes")
    assert result.stdout.splitlines() == ["Deleted:", "  report  parquet:.assetry/data"]
    assert "report.pkl" not in files(left)
    run = left.json("runs")["runs"][0]
    assert run["options"] == {"prune": ["report"], "records_only": False}
    assert f"`assetry logs {run['run']}` keeps" in said(left, result.stderr)
    assert re.search(r"\d\d  deleted       report: parquet:/", left.call("logs", run["run"]).stdout)
    assert re.search(r"prune report\n", left.call("runs").stdout)
    done = left.json("prune", "--delete", "--yes")
    gone = [(each["key"], each["what"][0][:8]) for each in done["deleted"]]
    assert gone == [("shop/total", "parquet:"), ("letters", "parquet:")]
    assert (done["left"], files(left)) == ([], ["letters=partitions/a.pkl", "orders.pkl"])
    assert "Everything that is recorded is defined." in left.call("prune").stdout


def test_records_alone_are_forgotten(left: Folder) -> None:
    text = left.call("prune", "report", "--delete", "--records-only", "--yes").stdout
    assert text.splitlines() == ["Deleted:", "  report  only its record"]
    assert "report.pkl" in files(left)


def test_what_is_refused_says_why_and_what_can_be_done(left: Folder) -> None:
    left.write("shop_assets.py", PARTS.format(keys=["a"]).replace("def orders", "def sales"))
    left.call("materialize", "-q", "-s", "sales")
    left.write(
        "shop_assets.py",
        PARTS.format(keys=["a"]).replace(
            "@asset\ndef orders", "@asset(partitions_def=StaticPartitionsDefinition(['x']))\ndef sales"
        ),
    )
    result = left.call("prune", "sales")
    lines = result.stdout.splitlines()
    assert lines[0] == "Not to be deleted:"
    assert lines[2] == (
        "    it was made as a whole, before it had partitions, but what has partitions now may be in its place"
    )
    assert "--records-only` forgets what is not deleted" in said(left, result.stderr)
    refused = left.call("prune", "sales", "--delete", "--yes", code=1).stdout.splitlines()
    assert refused[:2] == ["Nothing is deleted.", "Still there:"]
    left.call("prune", "--delete", "--yes")  # what was not asked for by name is no failure
    left.call("prune", "sales", "--delete", "--yes", "--records-only")
    assert left.json("prune")["orphans"] == []


def test_near_names_are_told(left: Folder) -> None:
    told = left.call("prune", "reprot", code=2).stderr
    assert "'reprot' is no orphan." in told
    assert "did you mean 'report'?" in told.replace("Did", "did")
    assert "'letters.a' is no orphan" in left.call("prune", "letters.a", "--delete", "--yes", code=2).stderr
    assert "shop_assets.py:10 defines it" in left.call("prune", "orders", code=2).stderr


def at_a_terminal(folder: Folder, typed: str, *arguments: str) -> tuple[int, str]:
    """Call the command line as a person at a terminal does, who types something."""
    ours, theirs = pty.openpty()
    try:
        with subprocess.Popen(
            [sys.executable, "-m", "assetry", *arguments],
            cwd=folder.root, stdin=theirs, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            env={**os.environ, "PYTHONUTF8": "1"},
        ) as process:  # fmt: skip
            os.write(ours, f"{typed}\n".encode())
            out, _ = process.communicate(timeout=120)
    finally:
        os.close(ours)
        os.close(theirs)
    return process.returncode, out


def test_at_a_terminal_the_name_is_to_be_typed(left: Folder) -> None:
    code, out = at_a_terminal(left, "yes", "prune", "report", "--delete")
    assert code == 2, out
    assert "Type report to delete it" in out
    assert "That is not report: nothing was deleted." in out
    assert "report.pkl" in files(left)
    code, out = at_a_terminal(left, "report", "prune", "report", "--delete")
    assert (code, "report.pkl" in files(left)) == (0, False), out
