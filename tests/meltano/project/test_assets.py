"""Streams as assets: which there are, how they are kept, and what becomes of extractors that do not answer."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.meltano.conftest import TWO, Made
from tests.meltano.scripted import TAP, Bench

pytestmark = pytest.mark.slow
STREAMS: dict[str, Any] = {
    "users": {"metadata": {"replication-method": "INCREMENTAL", "replication-key": "n"}},
    "orders": {},
    "returns": {},
}


def bench(folder: Path, **script: Any) -> Bench:
    made = Bench(folder, {"tap-a": {"streams": STREAMS, **script}}, "target-shop")
    made.plugins["extractors"][0]["select"] = ["users.id", "orders.*"]
    made.save(schedules=[{"name": "hourly", "interval": "@hourly", "job": "all"}])
    return made


def test_selected_streams_are_assets_with_all_that_is_known_of_them(tmp_path: Path) -> None:
    made = bench(tmp_path)
    assets = {str(asset.key): asset for asset in made.load().graph}
    assert sorted(assets) == ["meltano/tap-a/orders", "meltano/tap-a/users"]
    users, orders = assets["meltano/tap-a/users"], assets["meltano/tap-a/orders"]
    assert (str(users.relation), str(orders.relation)) == ("shop.raw.users", "shop.raw.orders")
    assert [column.name for column in users.columns] == ["id"]
    assert (users.incremental, orders.incremental) == (True, False)
    file, _, line = str(users.source).partition(":")
    assert '"name": "tap-a"' in (tmp_path / file).read_text().splitlines()[int(line) - 1]
    assert users.spec["mapped"] is False
    known = {name: users.metadata[name] for name in ("schedule", "replication_key", "primary_key", "pipeline")}
    assert known == {
        "schedule": "@hourly",
        "replication_key": "n",
        "primary_key": "id",
        "pipeline": "tap-a target-shop",
    }
    # Meltano is not run again: neither is it there, nor has anything changed.
    made.write("assetry.toml", '[integrations.meltano]\nkind = "meltano"\nmeltano_executable = "/nowhere/meltano"\n')
    made.run("list").assert_ok().assert_said("2 streams")


def test_streams_grow_that_their_loader_only_adds_to(tmp_path: Path) -> None:
    made = bench(tmp_path)
    for method, grows in ((None, "replace"), ("append-only", "append"), ("upsert", "replace")):
        loader = made.plugins["loaders"][1]
        loader["config"] = {**loader.get("config", {}), **({"load_method": method} if method else {})}
        made.save(schedules=[{"name": "hourly", "interval": "@hourly", "job": "all"}])
        assets = {asset.key.name: asset.grows for asset in made.load().graph}
        assert assets == {"users": grows, "orders": "replace"}, method  # all of `orders` is read each time


def test_in_python_they_are_the_same(made: Made) -> None:
    bench = made()
    bench.write("assetry.toml", 'modules = ["here"]\n')
    call = 'load(".", name="shop", snapshot=".assetry/meltano/meltano.json")'
    bench.write("here.py", f"from assetry_meltano import load_assets_from_meltano_project as load\nassets = {call}\n")
    bench.run("list").assert_ok().assert_said("shop/tap-a/users", "shop/tap-a/orders")


def test_a_changed_extractor_is_asked_anew_and_one_that_does_not_answer_keeps_what_it_had(tmp_path: Path) -> None:
    made = bench(tmp_path)
    made.run("list").assert_ok().assert_said("2 streams")
    made.plugins["extractors"][0]["select"] = ["users.*", "orders.*", "returns.*"]
    made.save()
    made.run("list").assert_ok().assert_said("3 streams")
    made.plugins["extractors"][0]["select"] = ["users.*"]
    made.plugins["extractors"][0]["config"]["token"] = "s3cret"
    made.save()
    made.script("tap-a", streams=STREAMS, mute=True)
    told = made.run("list").assert_ok().assert_said("3 streams", "'tap-a' does not say which streams it has")
    assert "s3cret" not in f"{told.out}{told.err}"
    pulled = made.run("meltano", "pull").assert_code(3)
    pulled.assert_said(r"the shop is closed, said \*\*\*", "kept")
    assert "s3cret" not in f"{pulled.out}{pulled.err}"


def test_an_extractor_of_which_nothing_is_known_is_an_error_with_the_next_step(tmp_path: Path) -> None:
    """What reads its tables would run before them otherwise."""
    made = bench(tmp_path, mute=True, says=["looking for the shop"])
    for words in (["list"], ["plan"], ["materialize"]):
        told = made.run(*words).assert_code(3)
        told.assert_said(
            "'tap-a' does not say which streams it has: CRITICAL the shop is closed", "meltano.yml:\\d", "snapshot"
        )
        # Two dots may stand in a path, and nowhere at the end of a sentence.
        assert not re.search(r"[│❱]|Traceback|\.\.(\s|$)", f"{told.out}{told.err}"), told.err
    made.run("meltano", "pull").assert_code(3).assert_said("the shop is closed")
    made.write("plugins/tap.py", '#!/usr/bin/env python3\nimport sys\nsys.exit("no network")\n').chmod(0o755)
    told = made.run("list").assert_code(3).assert_said("which streams it has: no network.\n")
    assert "It wrote" not in told.err
    made.write("plugins/tap.py", TAP).chmod(0o755)
    made.script("tap-a", streams=STREAMS)
    made.materialize().assert_ok()


def test_an_extractor_that_is_not_installed_is_told_with_the_command(tmp_path: Path) -> None:
    made = bench(tmp_path)
    tap = made.plugins["extractors"][0]
    tap |= {"executable": None, "pip_url": "tap-a"}
    made.save()
    told = made.run("list").assert_code(3)
    told.assert_said("'tap-a' does not say which streams it has: its program is not there", "load others only: pairs =")
    told.assert_said("meltano install --plugin-type extractor tap-a, or for all plugins: meltano install")
    assert "│" not in f"{told.out}{told.err}"
    # What is there before it is asked is enough.
    tap["catalog"] = "tap-a.catalog.json"
    tap["capabilities"] = ["catalog"]
    about = [{"breadcrumb": [], "metadata": {"selected": True}}]
    users = {"tap_stream_id": "users", "stream": "users", "schema": {}, "metadata": about}
    made.write("tap-a.catalog.json", json.dumps({"streams": [users]}))
    made.save()
    made.run("list").assert_ok().assert_said("meltano/tap-a/users")


def test_what_is_not_installed_is_told_before_a_run_once_for_all_that_need_it(made: Made) -> None:
    bench = made(visits=True)
    loaders = "[integrations.meltano.loaders.target-files]\njoin = false\n"
    bench.write("assetry.toml", f'[integrations.meltano]\nkind = "meltano"\n{loaders}')
    assert "warning" not in bench.run("check").assert_ok().out
    bench.plugins["loaders"][0] |= {"executable": "target-x", "pip_url": "target-x"}
    bench.plugins["extractors"][1]["executable"] = "./plugins/tap_b.py"
    bench.save()
    loader = (
        "loader target-files is not installed .in the Meltano project: meltano install --plugin-type loader target-fi"
    )
    told = bench.run("check").assert_ok()
    told.assert_said(f"meltano/tap-a/(users|orders) cannot be loaded, like 1 more: {loader}")
    told.assert_said(
        rf"meltano/tap-b/visits cannot be loaded: .*tap_b.py, the executable of extractor tap-b.*; {loader}"
    )
    assert told.out.count("warning") == 2
    venv = bench.root / "elsewhere" / "loaders" / "target-files" / "venv" / "bin" / "target-x"
    venv.parent.mkdir(parents=True)
    venv.touch()
    bench.write(".env", f"MELTANO_SYS_DIR_ROOT={bench.root}/elsewhere\n")
    assert "not installed" not in bench.run("check").assert_ok().out
    (venv.parents[1] / "lib/python3.11/site-packages/target_duckdb-0.8.0.dist-info").mkdir(parents=True)
    told = bench.run("check").assert_ok()
    told.assert_said("may lack rows, like 2 more: target-duckdb 0.8.0 may lose the first row of each batch")


def test_a_meltano_that_is_not_there_is_told_before_a_run(made: Made) -> None:
    bench = made()
    bench.run("list").assert_ok()
    bench.write("assetry.toml", '[integrations.meltano]\nkind = "meltano"\nmeltano_executable = "/nowhere/meltano"\n')
    told = bench.run("check").assert_ok()
    told.assert_said("meltano/tap-a/.* cannot be loaded, like 1 more: .*needs /nowhere/meltano, which is not there")
    told.assert_said("Correct meltano_executable, or leave it out for|Try: pip install meltano")
    asked = bench.run("meltano", "pull").assert_code(3)
    asked.assert_said(r"needs /nowhere/meltano, which is not there.\n.*at .*assetry.toml:3")


@pytest.mark.parametrize(
    ("folder", "told"),
    [("extrakt", "There is no folder 'extrakt'."), ("made", "There is no meltano.yml in the folder")],
)
def test_a_folder_without_a_project_is_told_by_its_line(made: Made, folder: str, told: str) -> None:
    bench = made()
    (bench.root / "made").mkdir()
    bench.write("assetry.toml", f'[integrations.meltano]\nkind = "meltano"\nproject_dir = "{folder}"\n')
    outcome = bench.run("list").assert_code(3)
    assert told in outcome.err
    assert "assetry.toml:3" in outcome.err
    assert "meltano.yml is in the project's own folder: leave project_dir out" in outcome.err


def test_tables_of_which_a_part_of_the_place_is_unknown_are_told_once(made: Made) -> None:
    bench = made("target-shop")
    bench.plugins["loaders"].append({"name": "target-lake", "namespace": "lake", "executable": "./plugins/target.py"})
    bench.jobs[0]["tasks"].append("tap-a target-lake")
    bench.save()
    told = bench.run("check").assert_ok()
    told.assert_said(
        r"is not checked for lost rows, like 1 more that target-lake loads, because a part of its table's place "
        r"is not known\. "
        r"Say where they are: database, schema, or join = false in \[integrations.meltano.loaders.target-lake\]"
    )
    assert told.out.count("warning") == 1
    text = '[integrations.meltano]\nkind = "meltano"\n[integrations.meltano.loaders.target-lake]\njoin = false\n'
    bench.write("assetry.toml", text)
    assert "warning" not in bench.run("check").assert_ok().out


def test_an_extractor_that_cannot_say_its_streams_may_only_fill_what_nothing_reads(made: Made) -> None:
    bench = made("target-shop")
    bench.plugins["extractors"][0]["capabilities"] = ["state"]
    bench.save()
    bench.run("plan").assert_code(3).assert_said("tap-a cannot say which streams it has", "`catalog`", "join = false")
    text = '[integrations.meltano]\nkind = "meltano"\n[integrations.meltano.loaders.target-shop]\njoin = false\n'
    bench.write("assetry.toml", text)
    bench.run("list").assert_ok().assert_said("meltano/tap-a ")


def test_choices_that_match_nothing_are_told_with_near_names(tmp_path: Path) -> None:
    made = bench(tmp_path)
    made.plugins["extractors"][0]["select"] = ["usesr.*", "orders.*", "!retruns.*", "$NO_SUCH.*"]
    made.plugins["extractors"][0]["select_filter"] = ["!order"]
    made.save()
    told = made.run("list").assert_ok().assert_said("1 stream")
    told.assert_said(r"select of tap-a: 'usesr.\*' matches none of its streams \(meltano.yml:\d+\). Did you mean users")
    told.assert_said("'!retruns.*' matches none .*mean returns", "select_filter of tap-a: '!order' matches none")
    assert "NO_SUCH" not in told.err
    made.plugins["extractors"][0] |= {"select": ["usesr.*"], "select_filter": []}
    made.save()
    wrong = made.run("materialize").assert_code(3).assert_said("tap-a selects none of its streams")
    wrong.assert_said("offers users, orders, returns", "mean 'users'")


def test_pull_reads_anew_and_tells_what_there_is(made: Made) -> None:
    bench = made()
    bench.script("tap-a", streams={"users": {}})
    bench.run("list").assert_ok().assert_said("2 streams")
    bench.run("meltano", "pull", "meltano").assert_ok().assert_said("meltano: tap-a, 1 stream\n")
    bench.run("list").assert_ok().assert_said("1 stream")
    found = json.loads(bench.run("--output", "json", "meltano", "pull").assert_ok().out)["integrations"]
    assert [each["extractors"] for each in found] == [{"tap-a": 1}]
    bench.run("meltano", "pull", "meltan").assert_code(2).assert_said("did you mean 'meltano'")


def test_pull_keeps_the_streams_of_an_extractor_that_has_none_all_at_once_or_of_which_none_is_selected(
    made: Made,
) -> None:
    bench = made()
    bench.script("tap-a", streams={})
    told = bench.run("meltano", "pull").assert_code(3)
    told.assert_said(
        r"tap-a cannot be asked: .*tap-a: its catalog is empty, and had 2 streams: users, orders", "remove what is"
    )
    bench.run("list").assert_ok().assert_said("2 streams")
    bench.script("tap-a", streams=TWO)
    bench.plugins["extractors"][0]["select"] = ["usesr.*"]
    bench.save()
    bench.run("meltano", "pull").assert_code(3).assert_said("tap-a selects none of its streams")
    del bench.plugins["extractors"][0]["select"]
    bench.save()
    bench.script("tap-a", streams={})
    bench.run("list").assert_ok().assert_said("2 streams")
    (bench.root / ".assetry" / "meltano" / "meltano.json").unlink()
    bench.script("tap-a", streams={})
    bench.run("meltano", "pull").assert_ok().assert_said("tap-a, 0 streams")


def test_a_stream_that_is_selected_too_makes_no_other_one_stale(made: Made) -> None:
    bench = made()
    bench.materialize().assert_ok()
    bench.script("tap-a", streams={**TWO, "returns": {}})
    bench.plugins["extractors"][0] |= {"select": ["*.*"], "label": "The shop"}
    bench.save()
    found = json.loads(bench.run("--output", "json", "plan", "--stale").assert_ok().out)
    assert [each["assets"] for each in found["invocations"]] == [["meltano/tap-a/returns"]]
    bench.plugins["extractors"][0]["config"]["days"] = 3
    bench.save()
    bench.run("plan", "--stale").assert_ok().assert_said("its extractor changed")


def test_one_extractor_into_two_loaders_is_one_run_where_both_choose_alike(made: Made) -> None:
    """One variable chooses the streams of an extractor, so what is chosen apart is two runs, and the plan says why."""
    bench = made(visits=True)
    bench.jobs.append({"name": "more", "tasks": ["tap-a target-shop"]})
    bench.save()
    plan = json.loads(bench.run("--output", "json", "plan").assert_ok().out)
    assert (plan["count"], plan["minimal"], plan["splits"]) == (1, True, [])
    users = ["meltano/tap-a/users", "meltano/tap-a/target-shop/users"]
    both = json.loads(bench.run("--output", "json", "plan", "-s", *users).assert_ok().out)
    assert [each["command"].count("SELECT_FILTER") for each in both["invocations"]] == [1]
    apart = ["meltano/tap-a/users", "meltano/tap-b/visits", "meltano/tap-a/target-shop/orders"]
    plan = json.loads(bench.run("--output", "json", "plan", "-s", *apart).assert_ok().out)
    assert [sorted(each["assets"]) for each in plan["invocations"]] == [apart[:2], apart[2:]]
    told = "tap-a chooses once for target-files and target-shop, and `.*users` is made for one of them alone"
    bench.run("plan", "-s", *apart).assert_ok().assert_said(told)
    bench.write("assetry.toml", '[integrations.meltano]\nkind = "meltano"\nshare = false\n')
    assert json.loads(bench.run("--output", "json", "plan").assert_ok().out)["count"] == 3


def test_two_pairs_with_one_state_are_two_runs(made: Made) -> None:
    """In the log of a run a pair is known by the name of its state."""
    bench = made()
    bench.plugins["mappers"] = [{"name": "map", "namespace": "map", "mappings": [{"name": "hide"}]}]
    bench.jobs[0]["tasks"].append("tap-a hide target-files")
    bench.save()
    text = '[integrations.meltano]\nkind = "meltano"\n[integrations.meltano.loaders.target-files]\njoin = false\n'
    bench.write("assetry.toml", text)
    assert json.loads(bench.run("--output", "json", "plan").assert_ok().out)["count"] == 2


def test_two_streams_into_one_table_are_refused(made: Made) -> None:
    bench = made("target-shop", visits=True)
    snapshot = bench.root / ".assetry" / "meltano" / "meltano.json"
    snapshot.write_text(snapshot.read_text().replace('"visits"', '"Users"'))
    bench.run("list").assert_code(3).assert_said(
        "Two streams are loaded into one table, shop.raw.users",
        "join = false",
        "If it has other streams by now: .*pull",
    )


@pytest.mark.parametrize("unknown", [False, True])
def test_two_pairs_into_one_table_are_refused_whichever_their_loaders_are(made: Made, unknown: bool) -> None:
    """Also where a part of the place is not known, which is the same for both."""
    bench = made("target-shop")
    if unknown:
        bench.plugins["loaders"][1]["config"].pop("default_target_schema")
    bench.plugins["loaders"].append({"name": "target-two", "inherit_from": "target-shop"})
    bench.jobs[0]["tasks"].append("tap-a target-two")
    bench.save()
    told = bench.run("plan").assert_code(3).assert_said("Two streams are loaded into one table, shop.*(users|orders)")
    told.assert_said("meltano/tap-a/target-two/", "integrations.meltano.loaders.target-two")
    text = '[integrations.meltano]\nkind = "meltano"\n[integrations.meltano.loaders.target-two]\nschema = "two"\n'
    bench.write("assetry.toml", text)
    bench.run("plan").assert_ok()
    bench.write("assetry.toml", text.replace("target-two", "target-tow"))
    bench.run("plan").assert_code(3).assert_said("loaders: 'target-tow' is no loader", "did you mean 'target-two'")
