"""A small dbt-duckdb project in which everything happens, and a bench to invoke parts of it on."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest
from assetry.plugin import Asset, AssetKey, CheckRef, Event, Integration, Invocation, Saved
from assetry_dbt import loading
from assetry_dbt.project.project import DbtProject
from assetry_dbt.running import engine, invoke

from tests.dbt.built import as_built

#: The project: `d` and a unit test of `u` fail, a test of `c` fails, one of `b` warns; `eph` stands between a and b.
HAPPENINGS: Mapping[str, str] = {
    "dbt_project.yml": """\
name: happenings
profile: happenings
models: {happenings: {+materialized: table}}
""",
    "profiles.yml": """\
happenings: {target: dev, outputs: {dev: {type: duckdb, path: warehouse.duckdb, threads: 2}}}
""",
    "seeds/raw.csv": "id,v\n1,10\n2,20\n",
    "models/a.sql": "select id, v from {{ ref('raw') }}\n",
    "models/eph.sql": "{{ config(materialized='ephemeral') }}\nselect id, v + 1 as v from {{ ref('a') }}\n",
    "models/b.sql": "{{ config(materialized='view') }}\nselect id, v from {{ ref('eph') }}\n",
    "models/c.sql": "select id from {{ ref('raw') }}\n",
    "models/below_c.sql": "select id from {{ ref('c') }}\n",
    "models/d.sql": "select cast('x' || id as integer) as id from {{ ref('raw') }}\n",
    "models/below_d.sql": "select id from {{ ref('d') }}\n",
    "models/last_d.sql": "select id from {{ ref('below_d') }}\n",
    "models/u.sql": "select id, v * 2 as twice from {{ ref('raw') }}\n",
    "models/schema.yml": """\
models:
  - name: a
    columns: [{name: id, data_tests: [not_null]}]
  - name: b
    columns:
      - name: id
        data_tests:
          - relationships: {arguments: {to: ref('a'), field: id}}
      - name: v
        data_tests:
          - accepted_values: {name: b_v_known, arguments: {values: [11], quote: false}, config: {severity: warn}}
  - name: c
    columns:
      - name: id
        data_tests:
          - accepted_values: {name: c_id_is_one, arguments: {values: [1], quote: false}}
unit_tests:
  - name: a_keeps_v
    model: a
    given: [{input: ref('raw'), rows: [{id: 1, v: 3}]}]
    expect: {rows: [{id: 1, v: 3}]}
  - name: u_trebles
    model: u
    given: [{input: ref('raw'), rows: [{id: 1, v: 3}]}]
    expect: {rows: [{id: 1, twice: 9}]}
exposures:
  - {name: board, type: dashboard, owner: {name: data, email: data@example.com}, depends_on: [ref('b')]}
""",
}

#: One model is made at once, another takes DuckDB hours.
ENDLESS: Mapping[str, str] = {
    "dbt_project.yml": "name: long\nprofile: long\nmodels: {+materialized: table}\n",
    "profiles.yml": "long: {target: dev, outputs: {dev: {type: duckdb, path: w.duckdb, threads: 2}}}\n",
    "models/quick.sql": "select 1 as id",
    "models/endless.sql": """\
select count(*) as n from range(1000000000) a, range(1000000000) b where xor(a.range, b.range) = 7
""",
    "models/after.sql": "select * from {{ ref('endless') }}",
}


def write_project(folder: Path, files: Mapping[str, str]) -> Path:
    """Write `files` below `folder`."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


class FakeContext:
    """Stand in for the run: options, and a switch for `cancelled`."""

    def __init__(self, options: Mapping[str, Any] | None = None) -> None:
        self.run_id = "run"
        self.options = options or {}
        self.deadline = None
        self.resume = None
        self.cancelled = False
        self.lines: list[str] = []

    def secret(self, name: str) -> str:
        raise NotImplementedError(name)

    def load(self, key: AssetKey | str, form: Any = None, partition: str | None = None) -> Any:
        raise NotImplementedError(key)

    def save(self, key: AssetKey | str, value: Any, partition: str | None = None) -> Saved:
        raise NotImplementedError(key)

    def log(self, message: str, level: str = "info") -> None:
        self.lines.append(message)


class Workbench:
    """Hold a dbt project as an integration, and invoke parts of it."""

    def __init__(self, folder: Path, engine_name: str | None, **options: Any) -> None:
        chosen = {"engine": engine_name} if engine_name else {}
        self.folder = folder
        self.integration = Integration(folder.name, "dbt", {**chosen, **options}, str(folder))
        self.project = DbtProject.of(self.integration)

    def parse(self) -> None:
        engine.parse(self.project)

    def engine(self) -> Any:
        return engine.choose(self.project)

    def assets(self) -> list[Asset]:
        return loading.load(self.integration).assets

    def invocation(self, *names: str, checks: bool = True, full_refresh: bool = False) -> Invocation:
        """Ask for the assets with these names (all without any), and for all checks on them."""
        found = [each for each in self.assets() if each.executable and (not names or each.key.name in names)]
        refs = tuple(CheckRef(each.key, check.name) for each in found for check in each.checks) if checks else ()
        return Invocation(
            id="1",
            group=None,
            integration=self.integration,
            assets=tuple(in_order(found)),
            checks=refs,
            full_refresh=full_refresh,
        )

    def stream(self, *names: str, context: FakeContext | None = None, **more: Any) -> Iterator[Event]:
        return invoke.invoke(self.invocation(*names, **more), context or FakeContext())

    def run(self, *names: str, **more: Any) -> list[Event]:
        return list(self.stream(*names, **more))

    def run_invocation(self, invocation: Invocation, context: FakeContext | None = None) -> list[Event]:
        return list(invoke.invoke(invocation, context or FakeContext()))


def in_order(assets: list[Asset]) -> list[Asset]:
    """Return `assets` in dependency order."""
    left, placed = list(assets), []
    while left:
        waiting = {each.key for each in left}
        ready = [each for each in left if not any(dep.key in waiting for dep in each.deps)]
        placed += ready
        left = [each for each in left if each not in ready]
    return placed


def _copy(project: Path, folder: Path) -> Path:
    """Copy a project that was parsed: its manifest last, which is believed only when nothing came after it."""
    shutil.copytree(project, folder)
    manifest = folder / "target" / "manifest.json"
    shutil.copy2(manifest, manifest.with_suffix(".new"))
    manifest.with_suffix(".new").replace(manifest)
    as_built(folder)
    return folder


@pytest.fixture(scope="session")
def parsed_happenings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the project, parsed; never build in it, copy it."""
    folder = write_project(tmp_path_factory.mktemp("dbt") / "happenings", HAPPENINGS)
    Workbench(folder, "in-process").parse()
    return folder


@pytest.fixture(scope="session")
def shared_happenings(parsed_happenings: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Workbench]:
    """Return a maker of workbenches on copies of the project that a whole module may share."""

    def make(engine_name: str | None = "in-process", **options: Any) -> Workbench:
        folder = tmp_path_factory.mktemp("shared") / "happenings"
        _copy(parsed_happenings, folder)
        return Workbench(folder, engine_name, **options)

    return make


@pytest.fixture
def happenings(parsed_happenings: Path, tmp_path: Path) -> Callable[..., Workbench]:
    """Return a maker of workbenches on fresh copies of the project."""

    def make(engine_name: str | None = "in-process", **options: Any) -> Workbench:
        folder = tmp_path / f"happenings{len(list(tmp_path.iterdir()))}"
        _copy(parsed_happenings, folder)
        return Workbench(folder, engine_name, **options)

    return make


@pytest.fixture(scope="session")
def parsed_endless(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_project(tmp_path_factory.mktemp("dbt") / "long", ENDLESS)
    Workbench(folder, "in-process").parse()
    return folder


@pytest.fixture
def endless(parsed_endless: Path, tmp_path: Path) -> Callable[[str], Workbench]:
    """Return a maker of workbenches on copies of a project with a model that never ends."""

    def make(engine_name: str) -> Workbench:
        return Workbench(_copy(parsed_endless, tmp_path / "long"), engine_name)

    return make


@pytest.fixture
def workbench(tmp_path: Path) -> Callable[..., Workbench]:
    """Return a maker of workbenches on projects of one's own: files by name."""

    def make(files: Mapping[str, str], engine_name: str | None = "in-process", **options: Any) -> Workbench:
        folder = write_project(tmp_path / f"project{len(list(tmp_path.iterdir()))}", files)
        bench = Workbench(folder, engine_name, **options)
        bench.parse()
        return bench

    return make


@pytest.fixture
def fake_context() -> FakeContext:
    return FakeContext()


@pytest.fixture
def held_duckdb() -> Callable[[Path], AbstractContextManager[int]]:
    """Return a context that keeps a DuckDB file open in another process, whose id it gives."""

    @contextmanager
    def hold(path: Path) -> Iterator[int]:
        code = "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print('held', flush=True); sys.stdin.read()"
        command = [sys.executable, "-c", code, str(path)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
            assert holder.stdout is not None
            assert holder.stdout.readline() == b"held\n"
            try:
                yield holder.pid
            finally:
                holder.communicate()

    return hold
