"""Runs of dbt that somebody started by hand, recorded from run_results.json: as if assetry had run them."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from assetry import Project
from assetry.errors import UsageError
from assetry.plugin import AssetKey, Log
from assetry.types.records import Attempt

from tests.dbt.running.conftest import HAPPENINGS

pytestmark = pytest.mark.slow

SMALL: Mapping[str, str] = {
    "dbt_project.yml": """\
name: small
profile: small
models: {small: {+materialized: table}}
vars: {rate: 2}
""",
    "profiles.yml": """\
small:
  target: dev
  outputs:
    dev: {type: duckdb, path: dev.duckdb}
    prod: {type: duckdb, path: dev.duckdb, schema: prod}
    other: {type: duckdb, path: other.duckdb}
""",
    "models/a.sql": "select 1 as id\n",
    "models/b.sql": "select id * {{ var('rate') }} as n from {{ ref('a') }}\n",
    "models/days.sql": """\
{{ config(materialized='incremental', incremental_strategy='microbatch', event_time='moment', batch_size='day',
          begin='2026-01-01') }}
select * from {{ ref('events') }}
""",
    "models/events.sql": """\
{{ config(event_time='moment') }}
select timestamp '2026-01-01 10:00:00' as moment union all select timestamp '2026-01-02 10:00:00'
""",
}


@dataclass
class Shop:
    """A folder with a dbt project, dbt called in it by hand, and projects of assetry that are closed at the end."""

    root: Path
    opened: list[Project] = field(default_factory=list)

    def write(self, files: Mapping[str, str]) -> None:
        for name, text in files.items():
            (self.root / name).parent.mkdir(parents=True, exist_ok=True)
            (self.root / name).write_text(text)

    def dbt(self, *arguments: str) -> Path:
        """Run dbt, whatever comes of it, and return its run_results.json."""
        dbt = [str(Path(sys.executable).with_name("dbt")), "--no-send-anonymous-usage-stats", "--quiet"]
        done = subprocess.run([*dbt, *arguments], cwd=self.root, check=False, capture_output=True, text=True)
        assert done.returncode in (0, 1), done.stdout
        return self.root / "target" / "run_results.json"

    def change(self, name: str, before: str, after: str) -> None:
        text = (self.root / name).read_text()
        assert before in text
        self.write({name: text.replace(before, after)})

    def load(self, name: str = "r", more: str = "") -> Project:
        self.write({"assetry.toml": f'store = "sqlite:{name}.db"\n[integrations.dbt]\nkind = "dbt"\n{more}'})
        self.opened.append(Project.load(self.root))
        return self.opened[-1]


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    made = Shop(tmp_path)
    yield made
    for each in made.opened:
        each.close()


@pytest.fixture
def small(shop: Shop) -> Shop:
    shop.write(SMALL)
    return shop


def words(project: Project) -> dict[str, str]:
    return {str(each.key.name): each.status for each in project.status() if each.status != "external"}


def text(tried: Attempt) -> str | None:
    """Return what an attempt says, without what names a file or a moment."""
    return None if tried.message is None else tried.message.splitlines()[0]


def test_it_is_recorded_as_if_assetry_had_run_it(shop: Shop) -> None:
    shop.write(HAPPENINGS)
    before = datetime.now(UTC)
    file = shop.dbt("build")
    by_hand, own = shop.load("by_hand"), shop.load("own")
    found, again = by_hand.record(file), by_hand.record(file)
    assert (again.already, again.run.id) == (True, found.run.id)
    own.materialize()
    assert found.run.state == "failed"
    assert found.left == {}
    outcomes = [
        {place: (each.outcome, each.because) for place, each in project.store.attempts().items()}
        for project in (by_hand, own)
    ]
    assert outcomes[0] == outcomes[1]
    checks = [
        {place: each.event.passed for place, each in project.store.latest_checks().items()}  # type: ignore[attr-defined]
        for project in (by_hand, own)
    ]
    assert checks[0] == checks[1]
    assert len(checks[0]) == 6
    made = [
        {
            place: (each.code_version, each.code_parts, set(each.inputs))
            for place, each in project.store.latest().items()
        }
        for project in (by_hand, own)
    ]
    assert made[0] == made[1]
    assert words(by_hand) == words(own)
    for place, tried in by_hand.store.attempts().items():
        assert before < tried.at < datetime.now(UTC), place
        if tried.outcome == "failed":
            assert text(tried) == text(own.store.attempts()[place])


def test_each_node_is_judged_by_the_code_that_it_was_built_from(small: Shop) -> None:
    file = small.dbt("build", "--exclude", "days", "events")
    small.write({"models/b.sql": "select id * 3 as n from {{ ref('a') }}\n"})
    project = small.load()
    project.record(file)
    assert words(project) == {"a": "fresh", "b": "stale", "days": "never", "events": "never"}
    (reason,) = next(each for each in project.status() if each.key.name == "b").reasons
    assert reason.code == "code_changed"


def test_other_vars_are_other_code(small: Shop) -> None:
    project = small.load()
    project.record(small.dbt("build", "-s", "a", "b", "--vars", "{rate: 5}"))
    assert (words(project)["a"], words(project)["b"]) == ("fresh", "stale")
    project.record(small.dbt("build", "-s", "b"))
    assert words(project)["b"] == "fresh"


@pytest.mark.parametrize(("target", "place"), [("prod", "dev.prod.a"), ("other", "other.main.a")])
def test_what_was_built_in_another_place_is_left_out(small: Shop, target: str, place: str) -> None:
    project = small.load()
    found = project.record(small.dbt("build", "-s", "a", "--target", target))
    assert found.left == {"small/a": f"it was built as {place}, and is dev.main.a here"}
    assert found.counts == {}
    assert words(project)["a"] == "never"


def test_what_was_built_empty_is_not_the_real_one(small: Shop) -> None:
    project = small.load()
    project.record(small.dbt("run", "-s", "a", "--empty"))
    (reason,) = next(each for each in project.status() if each.key.name == "a").reasons
    assert reason.text == "it was built with --empty"


@pytest.mark.parametrize("way", ["environment", "select"])
def test_what_assetry_makes_of_the_manifest_is_not_in_the_way(small: Shop, way: str) -> None:
    if way == "environment":
        small.change("models/a.sql", "select 1", "select {{ env_var('ONE', '1') }}")
    file = small.dbt("build", "-s", "a b")
    own = json.loads((small.root / "target" / "manifest.json").read_bytes())["metadata"]["invocation_id"]
    more = 'select = ["a", "b"]\n' if way == "select" else ""
    project = small.load(more=more)
    assert words(project)["a"] == "never"
    overwritten = json.loads((small.root / "target" / "manifest.json").read_bytes())["metadata"]["invocation_id"]
    assert overwritten != own
    found = project.record(file)
    assert (found.already, words(project)["a"]) == (False, "fresh")
    for _ in range(2):
        project = small.load(more=more)
        again = project.record(file)
        assert (again.already, again.run.id) == (True, found.run.id)
    # Also where the user's own dbt has written another manifest since.
    small.dbt("parse")
    (small.root / "target" / "run_manifest.json").unlink()
    again = small.load(more=more).record(file)
    assert (again.already, again.run.id, again.command) == (True, found.run.id, found.command)


def test_a_manifest_for_the_same_target_and_vars_is_taken_as_it_is(small: Shop) -> None:
    small.dbt("build", "-s", "a", "--target", "prod", "--vars", "{rate: 3}")
    before = (small.root / "target" / "manifest.json").read_bytes()
    assert words(small.load(more='target = "prod"\nvars = {rate = 3}\n'))["a"] == "never"
    assert (small.root / "target" / "manifest.json").read_bytes() == before


def test_a_manifest_of_another_run_is_refused(small: Shop) -> None:
    file = small.dbt("build", "-s", "a")
    kept = Path(shutil.copy(file, small.root / "kept.json"))
    small.dbt("build", "-s", "a")
    folder = small.root / "archive"
    folder.mkdir()
    shutil.copy(kept, folder / "run_results.json")
    project = small.load()
    with pytest.raises(UsageError, match=r"There is no manifest.json beside run_results.json"):
        project.record(folder / "run_results.json")
    shutil.copy(small.root / "target" / "manifest.json", folder)
    with pytest.raises(UsageError, match="of another run of dbt") as refused:
        project.record(folder / "run_results.json")
    assert refused.value.where == str(folder / "run_results.json")
    assert not project.store.runs()


def test_one_that_made_nothing_or_is_damaged_is_refused(small: Shop) -> None:
    project = small.load()
    with pytest.raises(UsageError, match="It is of a `dbt compile`, which makes nothing"):
        project.record(small.dbt("compile"))
    file = small.dbt("build", "-s", "a")
    file.write_text(file.read_text()[:-40])
    with pytest.raises(UsageError, match=r"cannot be read as dbt's run_results.json"):
        project.record(file)
    assert not project.store.runs()


def test_a_run_of_another_project_is_not_known(small: Shop, tmp_path_factory: pytest.TempPathFactory) -> None:
    other = Shop(tmp_path_factory.mktemp("other"))
    other.write({name: text.replace("small", "else") for name, text in SMALL.items()})
    with pytest.raises(UsageError, match="tells of no run of an integration"):
        small.load().record(other.dbt("build", "-s", "a"))


def test_batches_become_partitions(small: Shop) -> None:
    project = small.load()
    project.record(
        small.dbt("build", "-s", "events", "days", "--event-time-start", "2026-01-01", "--event-time-end", "2026-01-03")
    )
    made = {partition for (key, partition) in project.store.latest() if key == AssetKey("small/days")}
    assert made == {"2026-01-01", "2026-01-02"}


def test_what_lies_between_batches_that_were_made_is_not_made(small: Shop) -> None:
    project = small.load()
    file = small.dbt(
        "build", "-s", "events", "days", "--event-time-start", "2026-01-01", "--event-time-end", "2026-01-04"
    )
    data = json.loads(file.read_text())
    (batches,) = (each["batch_results"] for each in data["results"] if each.get("batch_results"))
    assert len(batches["successful"]) == 3
    batches["successful"] = [each for each in batches["successful"] if "2026-01-02" not in str(each[0])]
    file.write_text(json.dumps(data))
    project.record(file)
    made = {partition for (key, partition) in project.store.latest() if key == AssetKey("small/days")}
    assert made == {"2026-01-01", "2026-01-03"}


def test_what_assetry_has_made_since_stays(small: Shop) -> None:
    file = small.dbt("build", "-s", "a", "b")
    kept = small.root / "ci"
    kept.mkdir()
    for name in ("run_results.json", "manifest.json"):
        shutil.copy(small.root / "target" / name, kept)
    project = small.load()
    project.materialize("a")
    here = project.store.latest()[AssetKey("small/a"), None]
    found = project.record(kept / file.name)
    assert project.store.latest()[AssetKey("small/a"), None] == here
    assert list(found.left) == ["small/a"]
    assert words(project)["b"] == "stale", "it was made of an earlier a"


def test_the_vars_of_a_run_are_not_told(small: Shop) -> None:
    project = small.load()
    found = project.record(small.dbt("build", "-s", "a", "--vars", "{password: hunter2}"))
    assert found.command == "dbt build --select a"
    told = json.dumps([str(each.event) for each in project.store.events(found.run.id)])
    assert "hunter2" not in told
    assert not any(
        isinstance(each.event, Log) and "hunter2" in each.event.message for each in project.store.events(found.run.id)
    )


def test_nothing_of_a_run_needs_dbt(small: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    file = small.dbt("build", "-s", "a")
    project = small.load()
    project.status()

    def refuse(*_: Any, **__: Any) -> Any:
        raise AssertionError("dbt was called")

    monkeypatch.setattr(subprocess, "Popen", refuse)
    project.record(file)
    assert words(project)["a"] == "fresh"
