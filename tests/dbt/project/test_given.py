"""What commands take for dbt stands where dbt's users expect it, in the place of what the project file says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from assetry.plugin import Integration, UsageError
from assetry.project.options import with_given
from assetry_dbt.plugin import assetry_command_options
from assetry_dbt.project.project import DbtProject


def given(root: Path, **options: Any) -> DbtProject:
    (root / "dbt_project.yml").write_text("name: shop\n")
    said = {"target": "dev", "vars": {"country": "be", "days": 3}}
    integration = Integration("shop", "dbt", said, str(root))
    return DbtProject.of(with_given([integration], options, list(assetry_command_options()))[0])


def test_options_go_before_those_of_the_project_file_and_show_in_the_command(tmp_path: Path) -> None:
    project = given(tmp_path, target="prod", vars="{country: nl}", threads="8", profile="other")
    assert project.vars == {"country": "nl", "days": 3}
    assert project.command() == (
        'dbt build --profile other --target prod --vars \'{"country": "nl", "days": 3}\' --threads 8'
    )
    assert "--target" in project.arguments()


def test_another_target_is_another_warehouse_and_no_secret_tells_which(tmp_path: Path) -> None:
    (tmp_path / "profiles.yml").write_text(
        "shop: {target: dev, outputs: {dev: {type: postgres, host: a, port: 1, user: u, password: p},"
        " prod: {type: postgres, host: b, port: 1, user: u, password: p}}}"
    )
    dev = given(tmp_path, profile="shop", target="dev").warehouse_facts()
    assert dev == {"type": "postgres", "host": "a", "port": 1}
    assert given(tmp_path, profile="shop", target="prod").warehouse_facts() == {**dev, "host": "b"}
    assert given(tmp_path, profile="shop", target="none").warehouse_facts() == {}


def test_variables_may_be_given_as_a_mapping(tmp_path: Path) -> None:
    assert given(tmp_path, vars={"days": 7}).vars == {"country": "be", "days": 7}


def test_a_folder_that_is_typed_starts_where_one_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    assert given(tmp_path, profiles_dir="profiles").profiles_dir == elsewhere / "profiles"


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"vars": "{a: "}, "--vars cannot be read"),
        ({"vars": "country"}, "not a mapping"),
        ({"vars": "[a]"}, "not a mapping"),
        ({"threads": "many"}, "--threads many"),
        ({"threads": "0"}, "--threads 0"),
    ],
)
def test_what_cannot_be_read_is_refused(tmp_path: Path, option: dict[str, str], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        given(tmp_path, **option)
