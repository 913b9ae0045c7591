"""meltano.yml is read as Meltano reads it."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
import yaml
from assetry.plugin import AssetryError, DefinitionError, Integration, IntegrationError
from assetry_meltano.options import Options
from assetry_meltano.project.program import Program
from assetry_meltano.project.project import MeltanoProject

Read = Callable[..., MeltanoProject]
PLUGINS = """
    environments:
    - {name: dev, config: {plugins: {loaders: [{name: target-a, config: {schema: dev_raw}}]}}}
    - {name: prod, env: {WHERE: production}, state_id_suffix: blue}
    default_environment: dev
    plugins:
      extractors:
      - {name: tap-a, namespace: shop, config: {days: 1, key: $KEY}, settings: [{name: key, sensitive: true}]}
      - {name: tap-b, inherit_from: tap-a, config: {days: 2}, select: ["x.*"]}
      - {name: tap-c, inherit_from: tap-b, config: {url: "http://${WHERE}"}}
      loaders:
      - {name: target-a, config: {schema: raw}}
      mappers:
      - {name: transform, mappings: [{name: hide-names}]}
"""


@pytest.fixture
def read(tmp_path: Path) -> Read:
    def make(text: str, **options: Any) -> MeltanoProject:
        (tmp_path / "meltano.yml").write_text(dedent(text))
        return MeltanoProject.of(Integration("el", "meltano", options, str(tmp_path)))

    return make


def options(tmp_path: Path, **given: Any) -> Options:
    return Options.of(Integration("el", "meltano", given, str(tmp_path)))


def test_plugins_inherit_setting_by_setting_and_the_environment_has_the_last_word(read: Read) -> None:
    project = read(PLUGINS)
    tap = project.extractors["tap-c"]
    assert (tap.base, tap.namespace) == ("tap-a", "shop")
    assert tap.config == {"days": 2, "key": "$KEY", "url": "http://${WHERE}"}
    assert tap.definition["select"] == ["x.*"]
    assert project.loaders["target-a"].setting("schema", project.variables) == "dev_raw"
    assert read(PLUGINS, environment="prod").loaders["target-a"].definition["config"] == {"schema": "raw"}
    assert tap.source == "meltano.yml:10"
    lake = project.loaders["target-a"]
    assert (lake.source, lake.places) == ("meltano.yml:12", ["meltano.yml:12", "meltano.yml:3"])


def test_variables_of_the_files_and_in_the_place_of_settings(
    read: Read, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".env").write_text(
        "KEY='s3cret'  # the key\nexport OTHER=two words\nHASH=a#b\n#NO=1\nTARGET_A_SCHEMA=from_env\n"
    )
    project = read(PLUGINS, environment="prod", env={"WHERE": "$OTHER"})
    tap = project.extractors["tap-c"]
    assert list(tap.secrets(project.variables)) == ["s3cret"]
    assert tap.setting("url", project.variables) == "http://two words"
    assert project.variables["HASH"] == "a#b"
    assert project.loaders["target-a"].setting("schema", project.variables) == "from_env"
    monkeypatch.setenv("KEY", "of the shell")
    assert list(read(PLUGINS).extractors["tap-a"].secrets(read(PLUGINS).variables)) == ["of the shell"]


SECRETS = """
    environments:
    - name: dev
      config: {plugins: {extractors: [{name: tap-a, config: {auth: {user: bob}}}]}}
    default_environment: dev
    plugins:
      extractors:
      - name: tap-a
        env: {PLUG: $OUTER-plug}
        settings:
        - {name: pin, kind: password}
        - {name: auth.password, sensitive: true}
        - {name: alias, sensitive: true, env: MY_ALIAS}
        - {name: key, aliases: [api_key], sensitive: true}
        - {name: list, sensitive: true, kind: array}
        - {name: told, sensitive: true, kind: object}
        - {name: tree, sensitive: true}
        - {name: plug, sensitive: true}
        - {name: flag, sensitive: true}
        - {name: unset, sensitive: true}
        config:
          pin: 77712345
          auth: {password: s3cret-nested}
          api_key: s3cret-aliased
          list: [s3cret-list]
          tree: {a: {b: [s3cret-tree, null]}}
          plug: $PLUG
          flag: true
      mappers:
      - name: map
        settings: [{name: tok, sensitive: true}]
        config: {tok: s3cret-mapper}
        mappings: [{name: hide, config: {tok: s3cret-mapping}}]
"""


def test_what_is_sensitive_is_masked_wherever_and_however_it_is_set(
    read: Read, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_ALIAS", "s3cret-env")
    monkeypatch.setenv("OUTER", "s3cret")
    monkeypatch.setenv("TAP_A_TOLD", '{"of": ["s3cret-told"]}')
    names = ["nested", "aliased", "list", "tree", "plug", "mapper", "mapping", "env", "told"]
    secrets = {"77712345", *(f"s3cret-{name}" for name in names)}
    project = read(SECRETS)
    mask = Program(project, lambda name: name).mask
    assert mask.secrets == secrets
    assert project.extractors["tap-a"].setting("auth.user", {}) == "bob"


@pytest.mark.parametrize(
    ("schema", "expected"), [("raw", "raw"), ("$MELTANO_EXTRACTOR__LOAD_SCHEMA", "tap_a"), ("$NOT_SET", None)]
)
def test_the_tables_of_a_loader_are_those_of_its_settings(read: Read, schema: str, expected: Any) -> None:
    config = {"database": "shop", "default_target_schema": schema}
    plugins = {"extractors": [{"name": "tap-a"}], "loaders": [{"name": "target-postgres", "config": config}]}
    text = json.dumps({"plugins": plugins, "environments": [{"name": "dev"}], "default_environment": "dev"})
    for better, found in ({}, ("shop", expected, "users")), ({"join": False}, None):
        project = read(text, loaders={"target-postgres": better})
        (pair,) = project.pairs()
        assert project.tables(pair).relation("users") == found


def test_definitions_of_lock_files_are_beneath_all(read: Read, tmp_path: Path) -> None:
    folder = tmp_path / "plugins" / "loaders"
    folder.mkdir(parents=True)
    lock = {"namespace": "target_pg", "settings": [{"name": "schema", "value": "$MELTANO_EXTRACTOR__LOAD_SCHEMA"}]}
    (folder / "target-pg--meltanolabs.lock").write_text(json.dumps(lock))
    (folder / "target-pg--other.lock").write_text("{}")
    text = """
        environments: [{name: dev}]
        default_environment: dev
        plugins:
          extractors: [{name: tap-a, load_schema: mine}, {name: tap-b}]
          loaders: [{name: target-x, inherit_from: target-pg, variant: meltanolabs}]
        """
    project = read(text)
    pairs = list(project.pairs())
    assert [str(pair) for pair in pairs] == ["tap-a target-x", "tap-b target-x"]
    schemas = [project.loaders["target-x"].setting("schema", project.variables_of(pair)) for pair in pairs]
    assert schemas == ["mine", "tap_b"]


def test_files_that_are_included_add_to_the_lists(read: Read, tmp_path: Path) -> None:
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "jobs.yml").write_text("jobs: [{name: two, tasks: [tap-b target-a]}]\n")
    (tmp_path / "more" / "taps.yml").write_text("plugins:\n  extractors:\n  - name: tap-d\n")
    jobs = "\njobs: [{name: one, tasks: [tap-a target-a]}]\ninclude_paths: [more/*.yml]\n"
    project = read(dedent(PLUGINS) + jobs)
    assert [job["name"] for job in project.files.whole["jobs"]] == ["one", "two"]
    assert project.extractors["tap-d"].source == "more/taps.yml:3"


@pytest.mark.parametrize(
    ("tail", "asked", "pairs"),
    [
        ("", [], {"tap-a target-a": None, "tap-b target-a": None, "tap-c target-a": None}),
        ("jobs: [{name: j, tasks: [tap-a target-a dbt:run]}]", [], {"tap-a target-a": None}),
        ("jobs: [{name: j, tasks: [[tap-a hide-names target-a, dbt:run], tap-b target-a]}]", [],
         {"tap-a hide-names target-a": None, "tap-b target-a": None}),
        ("jobs: [{name: j, tasks: [tap-a target-a]}]\nschedules: [{name: s, interval: '@daily', job: j}]", [],
         {"tap-a target-a": "@daily"}),
        ("schedules: [{name: s, interval: '@hourly', extractor: tap-b, loader: target-a}]", [],
         {"tap-b target-a": "@hourly"}),
        ("jobs: [{name: j, tasks: [tap-a target-a]}]", "all",
         {"tap-a target-a": None, "tap-b target-a": None, "tap-c target-a": None}),
        ("jobs: [{name: j, tasks: [tap-a target-a]}]", ["tap-c target-a"], {"tap-c target-a": None}),
        ("jobs: [oops, {name: j, tasks: }]\nschedules: {}", ["tap-c target-a"], {"tap-c target-a": None}),
        ("jobs: [{name: j, tasks: [k, 'dbt:run']}, {name: k, tasks: [tap-a target-a]}]", [], {"tap-a target-a": None}),
        ("jobs: [{name: j, tasks: ['dbt:run']}]", ["tap-c target-a"], {"tap-c target-a": None}),
    ],
)  # fmt: skip
def test_which_pairs_there_are(read: Read, tail: str, asked: Any, pairs: dict[str, str | None]) -> None:
    found = read(f"{dedent(PLUGINS)}\n{tail}\n", **({"pairs": asked} if asked else {})).pairs()
    assert {str(pair): interval for pair, interval in found.items()} == pairs


def test_a_state_has_the_name_that_meltano_gives_it(read: Read) -> None:
    [pair, *_] = read(PLUGINS).pairs()
    assert read(PLUGINS).state_id(pair) == "dev:tap-a-to-target-a"
    assert read(PLUGINS, environment="prod").state_id(pair) == "prod:tap-a-to-target-a:blue"
    assert read(PLUGINS, state_id_suffix="mine").state_id(pair) == "dev:tap-a-to-target-a:mine"


@pytest.mark.parametrize(
    ("text", "message", "where"),
    [
        ("plugins: [", "meltano.yml is not valid YAML", "meltano.yml:"),
        ("- a", "meltano.yml is not a mapping.", "meltano.yml"),
        ("jobs: []\nplugins:\n  bad:\tindent\n", "is not valid YAML.*'.t'", "meltano.yml:3"),
        ("environments: [{name: dev}]", "without an environment.*\n.*\n.*dev", "meltano.yml"),
        ("plugins: {}", "meltano environment add dev. It has no plugins, either", "meltano.yml"),
        ("", "meltano.yml is empty.*\n.*\n.*meltano init", "meltano.yml"),
        ("# nothing yet\n", "meltano.yml is empty", "meltano.yml"),
        ("environments: [{name: dev}]\ndefault_environment: dev\nplugins: 3", "plugins is no mapping", "meltano.yml"),
        ("default_environment: deb\nenvironments: [{name: dev}]", "has no environment 'deb'", "meltano.yml:1"),
    ],
)
def test_a_file_that_cannot_be_read_is_told_with_its_place(read: Read, text: str, message: str, where: str) -> None:
    with pytest.raises(IntegrationError, match=message) as told:
        read(text)
    assert where in str(told.value)


HEAD = "default_environment: dev\nenvironments:\n- name: dev\n"
TAP = f"{HEAD}plugins:\n  extractors:\n  - name: tap-a\n    "


@pytest.mark.parametrize(
    ("text", "message", "line"),
    [
        *((f"{HEAD}include_paths: {each}", "include_paths: .* is no pattern", 4) for each in ("[/a/*.yml]", "['']")),
        (f"{HEAD}include_paths: ['.', 7]", "'.' is no pattern of files", 4),
        (f"{HEAD}include_paths: 7", "include_paths is no list: 7", 4),
        (f"{HEAD}env: ['A=1']", "env is no mapping", 4),
        (f"{HEAD}  env: ['A=1']", r"env is no mapping: \['A=1'\]\.\n.*\n  Write env: {name: value}", 3),
        (f"{HEAD}  config: s", "config is no mapping", 3),
        (f"{HEAD}  config: {{plugins: {{extractors: [{{name: tap-b, config: s}}]}}}}", "config is no mapping", 4),
        (f"{TAP}config: [s]", "config is no mapping", 6),
        (f"{TAP}settings: 7", "settings is no list: 7", 6),
        (f"{TAP}capabilities: true", "capabilities is no list: True", 6),
        (f"{TAP}inherit_from: /tap", "'/tap' is no name of a plugin", 6),
        (f"{HEAD}plugins:\n  loaders:\n  - name: /abs/*.yml", "is no name of a plugin", 6),
    ],
)
def test_what_has_another_shape_is_told_with_its_line(read: Read, text: str, message: str, line: int) -> None:
    with pytest.raises(IntegrationError, match=message) as told:
        read(text)
    assert str(told.value.where).endswith(f"meltano.yml:{line}")


def test_a_kind_of_plugins_that_there_is_not_is_told_with_its_line(read: Read) -> None:
    with pytest.raises(DefinitionError, match="plugins: 'loader' is no kind of plugin") as told:
        read(f"{HEAD}plugins:\n  extractors: []\n  loader:\n  - name: target-a\n")
    assert str(told.value.where).endswith("meltano.yml:6")
    assert "loaders" in told.value.near


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        (["tap-q target-a"], "(?s)'tap-q' is no plugin.*did you mean .*'tap-a'"),
        (["tap-a"], "'tap-a' is not one extractor with one loader"),
        (["target-a tap-a"], "is not one extractor with one loader"),
    ],
)
def test_pairs_that_are_none(read: Read, pairs: list[str], message: str) -> None:
    with pytest.raises(DefinitionError, match=message):
        read(PLUGINS, pairs=pairs).pairs()


@pytest.mark.parametrize(
    ("tail", "message"),
    [
        ("jobs: [{name: j, tasks: [tap-q target-a]}]", "(?s)job 'j': 'tap-q' is no plugin.*did you mean 'tap-"),
        ("jobs: [{name: j, tasks: [[tap-a targt-a]]}]", "(?s)job 'j': 'targt-a' is no plugin.*did you mean 'target-a'"),
        (
            "jobs: [{name: load, tasks: []}]\nschedules: [{name: s, job: laod}]",
            "(?s)schedule 's': 'laod' is no job.*'load'",
        ),
        ("schedules: [{name: s, extractor: tap-q, loader: target-a}]", "schedule 's': 'tap-q' is no plugin"),
        ("jobs: [{nme: load, tasks: [tap-a target-a]}]", "(?s)Entry 1 of jobs has no `name`.*did you mean 'nme'"),
        ("jobs: 3", "jobs is no list"),
    ],
)
def test_pipelines_of_what_is_not_there_are_refused(read: Read, tail: str, message: str) -> None:
    text = f"{dedent(PLUGINS)}\n{tail}\n"
    with pytest.raises((DefinitionError, IntegrationError), match=message) as told:
        read(text).pairs()
    assert "pairs =" not in str(told.value), "that is an option of another file"
    assert read(text, pairs=["tap-a target-a"]).pairs(), "who says which pairs are meant is not stopped"


@pytest.mark.parametrize("more", ["", ", variant: acme"])
def test_a_plugin_inherits_from_one_of_the_project_or_one_with_a_lock_file(
    read: Read, tmp_path: Path, more: str
) -> None:
    text = dedent(PLUGINS).replace("inherit_from: tap-a", f"inherit_from: tap-z{more}")
    with pytest.raises(
        DefinitionError, match="inherit_from of extractor 'tap-b': 'tap-z' is no extractor here"
    ) as told:
        read(text)
    assert told.value.where == f"{tmp_path / 'meltano.yml'}:9"
    assert "tap-a" in told.value.near
    assert "meltano lock --plugin-type extractor tap-b" in str(told.value.hint)
    locks = tmp_path / "plugins" / "extractors"
    locks.mkdir(parents=True)
    (locks / "tap-z--acme.lock").write_text('{"namespace": "zoo"}')
    assert read(text).extractors["tap-c"].namespace == "zoo"


def places(node: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the paths of all that stands in a document."""
    inner = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    return [path, *(each for name, value in inner for each in places(value, (*path, name)))]


@pytest.mark.parametrize("wrong", [3, "x", None, True, [], {}, ["a", "b"], {"a": 1}, [{"name": 1}], [[]], ""])
def test_whatever_stands_in_a_file_is_read_or_refused_in_words(read: Read, wrong: Any) -> None:
    more = """
        env: {A: b}
        include_paths: [more/*.yml]
        jobs: [{name: j, tasks: [tap-a target-a]}]
        schedules: [{name: s, interval: '@daily', job: j}]
        """
    whole = yaml.safe_load(dedent(PLUGINS) + dedent(more))
    for path in places(whole)[1:]:
        document = copy.deepcopy(whole)
        node = document
        for step in path[:-1]:
            node = node[step]
        node[path[-1]] = wrong
        with suppress(AssetryError):  # and nothing else
            project = read(json.dumps(document))
            for pair in project.pairs():
                project.tables(pair).relation("users")
                assert isinstance(project.extractors[pair.extractor].essence, dict)
                list(project.extractors[pair.extractor].secrets(project.variables))


def test_options_are_checked(tmp_path: Path) -> None:
    with pytest.raises(DefinitionError, match="no option 'enviroment'"):
        options(tmp_path, enviroment="dev")
    with pytest.raises(DefinitionError, match=r"oaders\.target-a of integration 'el' has no option 'scheme'"):
        options(tmp_path, loaders={"target-a": {"scheme": "raw"}})


def test_no_meltano_is_told_with_the_next_step(read: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    program = Program(read(PLUGINS), lambda name: name)
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr("sys.executable", "/nowhere/python")
    with pytest.raises(IntegrationError, match="pip install meltano"):
        program.command("run")
