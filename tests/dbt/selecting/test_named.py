"""Selectors of selectors.yml mean here what `dbt ls --selector` lists."""

from __future__ import annotations

from pathlib import Path

import pytest
from assetry import Project
from assetry_dbt.selecting.named import named_selections

from tests.dbt.conftest import run_dbt, write_files

FILES = {
    "dbt_project.yml": "{name: s, profile: s, models: {s: {mart: {+tags: [nightly], +materialized: table}}}}",
    "profiles.yml": "s: {target: dev, outputs: {dev: {type: duckdb, path: s.duckdb}}}",
    "seeds/raw.csv": "id\n1\n",
    "models/stg/stg_a.sql": "select id from {{ ref('raw') }}",
    "models/stg/stg_b.sql": "select id from {{ ref('raw') }}",
    "models/mart/m.sql": "select id from {{ ref('stg_a') }}",
    "models/mart/n.sql": "select m.id from {{ ref('m') }} m, {{ ref('stg_b') }} b",
    "models/mart/mart.yml": "models: [{name: m, columns: [{name: id, data_tests: [unique]}]}]",
    "selectors.yml": """
        selectors:
          - {name: tagged, definition: "tag:nightly"}
          - {name: short, definition: "1+m+"}
          - {name: path, definition: models/stg}
          - {name: file, definition: stg_a.sql}
          - {name: key, definition: {tag: nightly}}
          - {name: full, definition: {method: fqn, value: stg_a, children: true, children_depth: 1}}
          - {name: parents, definition: {method: fqn, value: n, parents: true, parents_depth: 1}}
          - {name: at, definition: {method: fqn, value: stg_b, childrens_parents: true}}
          - {name: star, definition: {method: fqn, value: "*", exclude: [{method: tag, value: nightly}, "raw"]}}
          - name: sets
            definition:
              union:
                - intersection: ["tag:nightly", {method: config.materialized, value: table}, "fqn:m+"]
                - stg_b
                - exclude: ["n", {method: path, value: models/none}]
          - {name: again, definition: {union: [{method: selector, value: full}, "raw"]}}
    """,
}
NAMES = ("tagged", "short", "path", "file", "key", "full", "parents", "at", "star", "sets", "again")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = write_files(tmp_path_factory.mktemp("named"), FILES)
    run_dbt("--log-path", str(made / "target"), "parse", "--project-dir", str(made), "--profiles-dir", str(made))
    return made


def listed_by_dbt(folder: Path, name: str) -> set[str]:
    from dbt.cli.main import dbtRunner

    where = ("--project-dir", str(folder), "--profiles-dir", str(folder), "--log-path", str(folder / "target"))
    kinds = ("--resource-type", "model", "--resource-type", "seed", "--output", "name")
    outcome = dbtRunner().invoke(["--quiet", "ls", *where, "--selector", name, *kinds])
    return set(outcome.result)


@pytest.mark.parametrize("name", NAMES)
def test_a_selector_is_what_dbt_lists(folder: Path, name: str) -> None:
    with Project.load(folder) as project:
        ours = {key.name for key in project.select(f"selector:{name}")}
    assert ours == listed_by_dbt(folder, name)
    assert ours


def test_what_cannot_be_written_is_named_without_a_text() -> None:
    odd = {"a": {"definition": {"union": []}}, "b": {}, "c": {"definition": 5}, "d": 5, "e": {"definition": 'tag:a"b'}}
    assert named_selections(odd, "s") == dict.fromkeys(odd, "")
    assert named_selections(None, "s") == {}
