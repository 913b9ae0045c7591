"""Where a Meltano project is found, and what it says when there is nothing to do."""

from __future__ import annotations

from pathlib import Path

import pytest
from assetry.plugin import Integration
from assetry.testing.outcome import ProjectFolder
from assetry_meltano.options import Options
from assetry_meltano.plugin import assetry_discover, assetry_io_url, assetry_local_files

YML = "default_environment: dev\nenvironments: [{name: dev}]\n"


@pytest.mark.parametrize(
    ("files", "found"),
    [
        (["meltano.yml", "extract/meltano.yml"], {"meltano": "."}),
        (["extract/meltano.yml"], {"meltano": "extract"}),
        (["one/meltano.yml", "two/meltano.yml", ".three/meltano.yml"], {"one": "one", "two": "two"}),
        (["deep/er/meltano.yml"], {}),
    ],
)
def test_hook_assetry_discover_of_meltano(tmp_path: Path, files: list[str], found: dict[str, str]) -> None:
    for name in files:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(YML)
    integrations = assetry_discover(str(tmp_path))
    assert {each.name: each.options["project_dir"] for each in integrations} == found
    assert all(each.kind == "meltano" for each in integrations)


def test_a_project_without_pipelines_says_so(tmp_path: Path) -> None:
    shop = ProjectFolder(tmp_path, {"meltano.yml": YML})
    shop.run("list").assert_said("has no job, no schedule and no pairs")


def test_a_project_with_two_loaders_and_no_pipeline_is_told_the_next_step(tmp_path: Path) -> None:
    plugins = "plugins: {extractors: [{name: tap-a}], loaders: [{name: target-a}, {name: target-b}]}\n"
    shop = ProjectFolder(tmp_path, {"meltano.yml": YML + plugins})
    shop.run("list").assert_said(r'has no job, no schedule and no pairs.*pairs = \["tap-a target-a"\]')


def test_a_program_that_is_not_there_is_told_with_its_option(tmp_path: Path) -> None:
    plugins = "plugins: {extractors: [{name: tap-a}], loaders: [{name: target-a}]}\n"
    toml = '[integrations.el]\nkind = "meltano"\nmeltano_executable = "/nope"\n'
    shop = ProjectFolder(tmp_path, {"meltano.yml": YML + plugins, "assetry.toml": toml})
    told = shop.run("list").assert_code(3).assert_said("needs /nope, which is not there", "meltano_executable")
    assert told.err.count("/nope") == 1


def test_a_project_that_does_not_parse_is_told_with_the_line(tmp_path: Path) -> None:
    shop = ProjectFolder(tmp_path, {"meltano.yml": "plugins:\n  extractors: [\n"})
    shop.run("list").assert_code(3).assert_said(r"meltano.yml is not valid YAML", r"meltano.yml:\d")


def test_the_environment_is_an_option_of_the_command_line(tmp_path: Path) -> None:
    shop = ProjectFolder(tmp_path, {"meltano.yml": YML})
    told = shop.run("plan", "--environment", "prof").assert_code(3)
    told.assert_said("has no environment 'prof'", "at --environment", "It has dev")


@pytest.mark.parametrize(
    ("option", "message", "line"),
    [
        ('environment = "prof"', "no environment 'prof'", 3),
        ('pairs = ["tap-b target-a"]', r"pairs: 'tap-b' is no plugin(.|\n)*did you mean 'tap-a'", 3),
        ('pairs = ["tap-a"]', "pairs: 'tap-a' is not one extractor with one loader", 3),
        ("[integrations.el.loaders.target-b]", r"loaders: 'target-b' is no loader(.|\n)*did you mean 'target-a'", 3),
    ],
)
def test_what_an_option_names_and_is_not_there_is_told_with_its_line(
    tmp_path: Path, option: str, message: str, line: int
) -> None:
    plugins = "plugins: {extractors: [{name: tap-a}], loaders: [{name: target-a}]}\n"
    toml = f'[integrations.el]\nkind = "meltano"\n{option}\n'
    shop = ProjectFolder(tmp_path, {"meltano.yml": YML + plugins, "assetry.toml": toml})
    shop.run("list").assert_code(3).assert_said(message, rf"assetry.toml:{line}\n")


def test_the_variable_that_names_an_environment_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MELTANO_ENVIRONMENT", "prof")
    shop = ProjectFolder(tmp_path, {"meltano.yml": YML})
    shop.run("list").assert_code(3).assert_said("no environment 'prof'", "at the variable MELTANO_ENVIRONMENT")


def test_hook_assetry_local_files_are_what_is_known_and_what_is_installed(tmp_path: Path) -> None:
    integration = Integration("el", "meltano", {"project_dir": "extract"}, root=str(tmp_path))
    found = [Path(each) for each in assetry_local_files(integration)]
    extract = tmp_path / "extract"
    assert found == [tmp_path / ".assetry/meltano/el.json", extract / ".meltano", extract / ".env"]


def test_hook_assetry_io_url_of_meltano_is_where_the_options_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAKE", "postgresql://lake/raw")
    given = Integration("el", "meltano", {"io": {"env": "LAKE"}}, str(tmp_path))
    assert Options.of(given).io == {"env": "LAKE"}
    assert assetry_io_url(given) == "postgresql://lake/raw"
    assert assetry_io_url(Integration("el", "meltano", {}, str(tmp_path))) is None
