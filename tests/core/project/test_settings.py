"""The project file, read and checked."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from assetry import Project
from assetry.errors import DefinitionError, ProjectFileError
from assetry.project.settings import DEFAULT_EXECUTOR, DEFAULT_STORE, Settings, check_tables, read_settings


def write(folder: Path, name: str, text: str) -> Path:
    (folder / name).write_text(text)
    return folder


def test_without_a_file_the_folder_is_the_root(tmp_path: Path) -> None:
    settings = read_settings(tmp_path)
    assert settings.root == tmp_path.resolve()
    assert (settings.file, settings.modules, settings.integrations) == (None, None, None)
    assert (settings.store, settings.executor) == (DEFAULT_STORE, DEFAULT_EXECUTOR)


def test_everything_the_contract_names(tmp_path: Path) -> None:
    write(
        tmp_path,
        "assetry.toml",
        """
modules = ["shop_assets"]
store = "sqlite:state.db"
io = "duckdb:warehouse.duckdb"
executor = "threads:8"
[integrations.transform]
kind = "dbt"
project_dir = "transform"
[integrations.shop_api]
kind = "airbyte"
client_secret = { env = "AIRBYTE_CLIENT_SECRET" }
""",
    )
    settings = read_settings(tmp_path)
    assert settings.modules == ("shop_assets",)
    assert (settings.store, settings.io, settings.executor) == (
        "sqlite:state.db",
        "duckdb:warehouse.duckdb",
        "threads:8",
    )
    transform, api = settings.integrations or ()
    assert (transform.name, transform.kind, transform.options) == ("transform", "dbt", {"project_dir": "transform"})
    assert transform.root == str(tmp_path.resolve())
    assert api.options == {"client_secret": {"env": "AIRBYTE_CLIENT_SECRET"}}


def test_pyproject_holds_a_project_too(tmp_path: Path) -> None:
    write(tmp_path, "pyproject.toml", '[tool.assetry]\nmodules = ["a"]\n')
    assert read_settings(tmp_path).modules == ("a",)


def test_a_pyproject_of_something_else_is_passed_over_even_when_broken(tmp_path: Path) -> None:
    write(tmp_path, "pyproject.toml", "[project\n")
    assert read_settings(tmp_path).file is None


def test_a_file_above_is_found_within_the_repository(tmp_path: Path) -> None:
    write(tmp_path, "assetry.toml", "")
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    assert read_settings(inner).root == tmp_path.resolve()
    (inner / ".git").mkdir()
    assert read_settings(inner).root == tmp_path.resolve()
    (tmp_path / "a" / ".git").mkdir()
    assert read_settings(inner).root == inner.resolve()


@pytest.mark.parametrize(
    ("text", "where", "part"),
    [
        ('modulos = ["a"]\n', "assetry.toml:1", "'modules'"),
        ("\nstore = 3\n", "assetry.toml:2", "not a string"),
        ('modules = "a"\n', "assetry.toml:1", "list of module names"),
        ('[integrations.x]\nproject_dir = "."\n', "assetry.toml:1", "has no kind"),
        ("integrations = 3\n", "assetry.toml:1", "group of tables"),
        ('schema = "accept"\n', "assetry.toml:1", "'schema' is not a table"),
        ('[schema]\n\nextra_colums = "accept"\n', "assetry.toml:3", "did you mean 'extra_columns'?"),
        ('[schema]\nextra_columns = "acept"\n', "assetry.toml:2", "did you mean 'accept'?"),
        ("[schema]\nextra_columns = true\n", "assetry.toml:2", 'extra_columns = "accept"'),
    ],
)
def test_a_wrong_file_names_line_and_next_step(tmp_path: Path, text: str, where: str, part: str) -> None:
    write(tmp_path, "assetry.toml", text)
    with pytest.raises(ProjectFileError) as caught:
        read_settings(tmp_path)
    assert caught.value.where == f"{tmp_path}/{where}"
    assert part in str(caught.value)


def test_broken_toml_and_a_missing_folder(tmp_path: Path) -> None:
    write(tmp_path, "assetry.toml", "modules = [\n")
    with pytest.raises(ProjectFileError, match="not TOML"):
        read_settings(tmp_path)
    with pytest.raises(ProjectFileError, match="no folder"):
        read_settings(tmp_path / "nowhere")


@pytest.mark.parametrize("name", ["what?", "#50%20now", "a b", "100%"])
def test_records_and_files_of_a_folder_with_signs_in_its_name_are_in_it(tmp_path: Path, name: str) -> None:
    root = tmp_path / name
    root.mkdir()
    (root / "assetry.toml").write_text('io = "parquet:my data"\nstore = "sqlite:my store/state.db"\n')
    (root / "assets.py").write_text("from assetry import asset\n\n\n@asset\ndef a():\n    return {'id': [1]}\n")
    with Project.load(root) as project:
        project.materialize()
    with Project.load(root) as project:
        assert [each.status for each in project.status()] == ["fresh"]
    assert {"my data", "my store"} < {each.name for each in root.iterdir()}
    assert [each.name for each in tmp_path.iterdir()] == [name]


# -- pools ---------------------------------------------------------------------------------------------------------


def test_pools_and_what_integrations_use_of_them(tmp_path: Path) -> None:
    write(
        tmp_path,
        "assetry.toml",
        """
[pools.warehouse]
limit = 2
[pools.api]
limit = 1
[integrations.transform]
kind = "dbt"
pool = "warehouse"
weight = 2
[integrations.shop_api]
kind = "airbyte"
pool = "api"
""",
    )
    settings = read_settings(tmp_path)
    assert dict(settings.pools) == {"warehouse": 2, "api": 1}
    assert dict(settings.shares) == {"transform": ("warehouse", 2), "shop_api": ("api", 1)}
    assert [dict(each.options) for each in settings.integrations or ()] == [{}, {}]


@pytest.mark.parametrize(
    ("text", "said", "line", "near"),
    [
        ("[pools.api]\nlimt = 2", "Unknown key 'limt' in [pools.api].", 2, ("limit",)),
        ("[pools.api]\nlimit = 0", "Pool 'api' has no limit, a whole number above 0.", 2, ()),
        ("[pools.api]\nlimit = '2'", "Pool 'api' has no limit, a whole number above 0.", 2, ()),
        ("\n[pools.api]", "Pool 'api' has no limit, a whole number above 0.", 2, ()),
        ("[pools]\napi = 2", "'pools' is not a group of tables.", 1, ()),
        ('[pools."a:b"]\nlimit = 2', "Pool 'a:b' has a colon in its name.", 1, ()),
        ("[integrations.x]\nkind = 'x'\npool = 2", "'pool' of integration 'x' is no name.", 3, ()),
        ("[integrations.x]\nkind = 'x'\nweight = 2", "Integration 'x' has a weight, and no pool.", 3, ()),
        (
            "[integrations.x]\nkind = 'x'\nobserve = 'often'",
            "'observe' of integration 'x': 'often' is no span of time.",
            3,
            (),
        ),
        (
            "[integrations.x]\nkind = 'x'\nobserve = '0s'",
            "'observe' of integration 'x' is '0s', less than a second.",
            3,
            (),
        ),
        (
            "[integrations.x]\nkind = 'x'\npool = 'p'\nweight = 0",
            "'weight' of integration 'x' is no whole number above 0.",
            4,
            (),
        ),
        ("pool = 2", "Unknown key 'pool'.", 1, ("pools",)),
    ],
)
def test_what_cannot_be_a_pool_is_told_by_its_line(
    tmp_path: Path, text: str, said: str, line: int, near: tuple[str, ...]
) -> None:
    write(tmp_path, "assetry.toml", text)
    with pytest.raises(ProjectFileError) as caught:
        read_settings(tmp_path)
    assert caught.value.message == said
    assert (caught.value.where or "").endswith(f"assetry.toml:{line}")
    assert caught.value.near == near
    assert caught.value.hint


def test_a_table_of_a_plugin_is_read_and_one_of_none_is_refused_when_definitions_are_loaded(tmp_path: Path) -> None:
    write(tmp_path, "assetry.toml", "\n[mills.big]\nstones = 2\n")
    write(tmp_path, "assetry_plugins.py", 'ASSETRY_TABLES = ("mills",)\n')
    with Project.load(tmp_path) as project:
        assert len(project.graph) == 0
        assert project.settings.tables == {"mills": {"big": {"stones": 2}}}
    write(tmp_path, "assetry_plugins.py", 'ASSETRY_TABLES = ("mill",)\n')
    with Project.load(tmp_path) as project, pytest.raises(ProjectFileError, match=r"Unknown table \[mills\]") as caught:
        _ = project.graph
    assert (caught.value.where or "").endswith("assetry.toml:2")
    assert caught.value.near == ("mill",)


def test_a_table_of_a_package_that_is_not_installed_names_the_package() -> None:
    with pytest.raises(ProjectFileError) as caught:
        check_tables(Settings(Path("/shop"), tables={"notify": {}}), ["mills"])
    assert caught.value.hint == "Try: pip install assetry-notify"


def test_what_is_no_tuple_of_tables_breaks_the_plugin(tmp_path: Path) -> None:
    write(tmp_path, "assetry_plugins.py", 'ASSETRY_TABLES = "mills"\n')
    with Project.load(tmp_path) as project:
        (problem,) = (text for info in project.plugins.infos for text in info.problems)
    assert "ASSETRY_TABLES is not a tuple of names" in problem


def test_any_integration_says_how_often_it_is_looked_at(tmp_path: Path) -> None:
    write(tmp_path, "assetry.toml", '[integrations.x]\nkind = "x"\nobserve = "1m30s"\nfolder = "in"\n')
    (found,) = read_settings(tmp_path).integrations or ()
    assert (found.observe, found.options) == (timedelta(seconds=90), {"folder": "in"})


def test_what_an_option_says_wrongly_is_told_with_its_line(tmp_path: Path) -> None:
    toml = '[integrations.flour]\nkind = "mill"\ntables = ["rey"]\n\n[integrations.bran]\nkind = "mill"\n'
    toml += 'lanes = { "a.b" = {} }\n[integrations.bran.places.wharf]\nscheme = "x"\n'
    file = write(tmp_path, "assetry.toml", toml) / "assetry.toml"
    settings = read_settings(tmp_path)
    places: list[tuple[str | None, str | list[str] | None, str | None, str]] = [
        ("integration 'flour'", "tables", None, f"{file}:3"),
        ("integration 'flour'", "speed", None, f"{file}:1"),
        (None, "tables", "flour", f"{file}:3"),
        (None, None, "bran", f"{file}:5"),
        (None, ["places", "wharf", "scheme"], "bran", f"{file}:9"),
        (None, ["places", "wharf", "table"], "bran", f"{file}:8"),
        (None, ["lanes", "a.b", "table"], "bran", f"{file}:7"),
        ("mill.yml:7", "tables", "flour", "mill.yml:7"),
        ("integration 'built in Python'", "tables", None, "integration 'built in Python'"),
    ]
    for where, option, integration, told in places:
        error = DefinitionError("No such grain.", where=where, option=option)
        settings.locate(error, integration)
        assert error.where == told
