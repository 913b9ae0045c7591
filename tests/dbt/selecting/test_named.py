"""Selections, and the selectors of selectors.yml, mean here what `dbt ls` lists."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from assetry_dbt.selecting.named import named_selections

from tests.bench.dbt_ls import SELECTIONS, Subject
from tests.dbt.conftest import run_dbt, write_files
from tests.quick_dbt import quick_dbt

FILES = {
    "dbt_project.yml": "{name: s, profile: s, models: {s: {mart: {+tags: [nightly], +materialized: table}}}}",
    "profiles.yml": "s: {target: dev, outputs: {dev: {type: duckdb, path: s.duckdb}}}",
    "seeds/raw.csv": "id\n1\n",
    "models/stg/stg_a.sql": "select id from {{ ref('raw') }}",
    "models/stg/stg_b.sql": "select id from {{ ref('raw') }}",
    "models/mart/m.sql": "select id from {{ ref('stg_a') }}",
    "models/mart/n.sql": "select m.id from {{ ref('m') }} m, {{ ref('stg_b') }} b",
    "models/mart/mart.yml": """
        models: [{name: m, columns: [{name: id, data_tests: [unique]}]}]
        sources: [{name: web, tables: [{name: events, columns: [{name: id, data_tests: [not_null]}]}]}]
        exposures: [{name: board, type: dashboard, owner: {name: d, email: d@example.com}, depends_on: ["ref('n')"]}]
    """,
    "models/stg/stg_e.sql": "{{ config(materialized='ephemeral') }} select id from {{ source('web', 'events') }}",
    "models/mart/o.sql": "select id from {{ ref('stg_e') }}",
    "tests/loose.sql": "select 1 where false",
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


@pytest.fixture(scope="module")
def subject(folder: Path) -> Iterator[Subject]:
    found = Subject.of(folder)
    with found.project, quick_dbt():
        yield found


@pytest.mark.parametrize("name", NAMES)
def test_a_selector_is_what_dbt_lists(subject: Subject, name: str) -> None:
    ours = set(subject.project.select(f"selector:{name}"))
    assert ours == subject.listed("--selector", name)
    assert ours


def test_sixty_selections_are_what_dbt_lists_or_are_refused_where_it_lists_nothing(subject: Subject) -> None:
    cells = {selection: subject.compared(selection) for selection in SELECTIONS}
    assert {selection: cell for selection, cell in cells.items() if cell.startswith("WRONG")} == {}
    assert sum(cell.startswith("=") for cell in cells.values()) >= 40


def test_signs_of_the_grammar_are_quoted() -> None:
    """Blanks, brackets and quotation marks in a value mean nothing else than in dbt."""
    found = named_selections({"a": {"definition": 'path:models/a (b) 5"'}}, "my shop")
    assert found == {"a": '(path:"models/a (b) 5""" and integration:"my shop")'}


def test_what_cannot_be_written_is_named_without_a_text() -> None:
    odd = {"a": {"definition": {"union": []}}, "b": {}, "c": {"definition": 5}, "d": 5}
    assert named_selections(odd, "s") == dict.fromkeys(odd, "")
    assert named_selections(None, "s") == {}
