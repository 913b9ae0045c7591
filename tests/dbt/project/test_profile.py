"""What we read of a profile is what dbt's own renderer reads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from assetry.plugin import IntegrationError
from assetry_dbt.project.jinja import RenderError, render
from assetry_dbt.project.profile import find_profiles_dir, read_profile

PROFILES = """
config: {partial_parse: true}
shop:
  target: "{{ env_var('SHOP_TARGET', 'dev') }}"
  outputs:
    dev: {type: duckdb, path: dev.duckdb}
    prod:
      type: postgres
      host: "{{ env_var('SHOP_HOST') }}"
      port: "{{ env_var('SHOP_PORT', '5432') | int }}"
      user: "user_{{ var('who', 'nobody') }}"
      password: "{{ not jinja"
      dbname: shop
      schema: "{{ target.name }}"
hollow: {target: dev}
"""


@pytest.fixture
def profiles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("DBT_TARGET", "DBT_PROFILES_DIR", "SHOP_HOST", "SHOP_TARGET"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "profiles.yml").write_text(PROFILES.replace('"{{ target.name }}"', "main"))
    return tmp_path


def test_the_profile_chooses_its_target(profiles: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert read_profile(profiles, "shop", None).target == "dev"
    monkeypatch.setenv("SHOP_HOST", "db.example.com")
    monkeypatch.setenv("SHOP_TARGET", "prod")
    assert read_profile(profiles, "shop", None).target == "prod"


def test_options_and_environment_choose_the_target(profiles: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_HOST", "db.example.com")
    monkeypatch.setenv("DBT_TARGET", "prod")
    assert read_profile(profiles, "shop", None).target == "prod"
    assert read_profile(profiles, "shop", "dev").target == "dev"


def test_the_output_is_rendered(profiles: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_HOST", "db.example.com")
    found = read_profile(profiles, "shop", "prod", {"who": "me"})
    assert found.adapter == "postgres"
    assert found.output["host"] == "db.example.com"
    assert found.output["port"] == 5432
    assert found.output["user"] == "user_me"
    assert found.output["password"] == "{{ not jinja"  # as dbt: a password that is not Jinja is a password


def test_the_password_is_not_in_the_text(profiles: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_HOST", "db.example.com")
    assert "not jinja" not in repr(read_profile(profiles, "shop", "prod"))


def test_only_the_chosen_target_is_rendered(profiles: Path) -> None:
    assert read_profile(profiles, "shop", "dev").output["path"] == "dev.duckdb"


def test_a_missing_variable_is_named(profiles: Path) -> None:
    with pytest.raises(IntegrationError, match="SHOP_HOST") as caught:
        read_profile(profiles, "shop", "prod")
    assert "Set SHOP_HOST" in str(caught.value)
    assert "profiles.yml: host" in str(caught.value)


@pytest.mark.parametrize(
    ("name", "target", "words"),
    [
        ("shpo", None, "did you mean 'shop'"),
        ("shop", "dve", "did you mean 'dev'"),
        ("shop", "zzz", "'dev' or 'prod'"),
        ("hollow", None, "no `outputs`"),
    ],
)
def test_what_is_missing_is_told_with_near_names(profiles: Path, name: str, target: str | None, words: str) -> None:
    with pytest.raises(IntegrationError) as caught:
        read_profile(profiles, name, target)
    assert words in str(caught.value)


def test_no_profiles_file(tmp_path: Path) -> None:
    for folder in (None, tmp_path):
        with pytest.raises(IntegrationError, match=r"no profiles.yml"):
            read_profile(folder, "shop", None)


def test_broken_yaml_is_named_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "profiles.yml").write_text("shop:\n  target: dev\n  outputs: [\n")
    with pytest.raises(IntegrationError, match="not valid YAML") as caught:
        read_profile(tmp_path, "shop", None)
    assert "profiles.yml:4" in str(caught.value)


def test_where_profiles_are_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DBT_PROFILES_DIR", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    project, root, home = tmp_path / "root" / "transform", tmp_path / "root", tmp_path / "home" / ".dbt"
    for folder in (project, home):
        folder.mkdir(parents=True)
    assert find_profiles_dir(None, project, root) is None
    for folder in (home, root, project):
        (folder / "profiles.yml").touch()
        assert find_profiles_dir(None, project, root) == folder
    assert find_profiles_dir("conf", project, root) == root / "conf"
    monkeypatch.setenv("DBT_PROFILES_DIR", str(tmp_path / "elsewhere"))
    assert find_profiles_dir(None, project, root) == tmp_path / "elsewhere"
    assert find_profiles_dir("conf", project, root) == root / "conf"


EXPRESSIONS = [
    "plain",
    "{{ env_var('A_NAME') }}",
    '{{ env_var("A_NAME") }}_{{ env_var("UNSET", "x") }}',
    "{{ env_var('A_PORT') | int }}",
    "{{ env_var('A_PORT') | as_number }}",
    "{{ env_var('A_FLAG') | as_bool }}",
    "{{ 'a' ~ env_var('A_NAME') ~ '~' }}",
    "{{ 'x' if env_var('A_NAME') == 'anna' else 'y' }}",
    "{{ env_var('A_NAME') | upper }}",
    "{{ env_var('A_NAME').upper() }}",
    "{{ env_var('A_NAME') | trim | replace('a', 'o') }}",
    "{{ var('given') }}",
    "{{ var('absent', 'else') }}",
    "{# a remark #}text",
    "{{ 'in' if env_var('A_NAME') in ['anna', 'bert'] else 'out' }}",
    "{% if env_var('A_FLAG') | as_bool %}a{% endif %}",
    "{% set stage = 'dev' %}raw_{{ stage }}",
    "{{ ['a', 'b'] | join('-') }}",
    "{{ env_var('A_NAME')[:2] }}",
    "{{- env_var('A_NAME') -}}",
]


@pytest.mark.parametrize("text", EXPRESSIONS)
def test_renders_as_dbt_does(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from dbt.config.renderer import ProfileRenderer
    from dbt_common.context import set_invocation_context

    for name, value in {"A_NAME": "anna", "A_PORT": "5432", "A_FLAG": "True"}.items():
        monkeypatch.setenv(name, value)
    variables: dict[str, Any] = {"given": "value"}
    import os

    set_invocation_context(dict(os.environ))
    theirs = ProfileRenderer(variables).render_value(text)
    assert render(text, variables) == theirs


@pytest.mark.parametrize(
    "text", ["{% if true %}a", "{{ run_query('x') }}", "{{ 1 +", "{{ var('absent') }}", "{{ 'a' | nosuch }}"]
)
def test_what_is_not_understood_is_an_error(text: str) -> None:
    with pytest.raises(RenderError):
        render(text)


def test_lists_and_mappings_are_rendered_through() -> None:
    assert render({"a": ["{{ 'b' }}", 1, None]}) == {"a": ["b", 1, None]}
