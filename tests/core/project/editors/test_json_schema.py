"""The schema lets pass what the readers read, and knows the keys that they know: tried on files of all sorts."""

from __future__ import annotations

import ast
import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from copy import deepcopy
from datetime import date, time
from functools import cache
from itertools import cycle, islice
from pathlib import Path
from typing import Any, ClassVar

import pytest
from assetry.errors import AssetryError
from assetry.hooks.manager import Plugins
from assetry.plugin import SECRET, TEXT, Asset, OptionTable, OptionType, one_of
from assetry.project.editors.json_schema import file_schema, option_schema
from assetry.project.project import Project
from assetry.project.settings import check_tables, read_settings
from assetry.types.options import OptionTypes
from assetry_automation.decision.settings import read_settings as read_automation
from assetry_notify.targets import read_table
from assetry_openlineage.options import read_options
from jsonschema import Draft7Validator

from tests.examples import examples

ROOT = Path(__file__).parents[4]
#: Values of all sorts that TOML has, some of which any option takes.
SAMPLES: tuple[Any, ...] = (
    *("", "x", "auto", "all", "5m", "1h 30M", "90d", "0", "never", "@daily", "tag:a", "refuse", "fail", "cancel"),
    *(0, 1, -1, 2.5, -0.5, True, False),
    *([], ["x"], ["failed"], [1], {}, {"env": "X"}, {"secret": "X"}, {"env": 1}, {"env": "X", "b": 1}, {"a": {"b": 1}}),
)
#: How the readers say that they do not know a key.
UNKNOWN = re.compile(r"Unknown key|Unknown table|has no option|has no '|Nothing loads")


@cache
def plugins() -> Plugins:
    return Project(root="/shop").plugins


@cache
def schema() -> Draft7Validator:
    found = file_schema(plugins().infos, plugins().command_options())
    Draft7Validator.check_schema(found)
    return Draft7Validator(found)


def as_toml(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{json.dumps(name)} = {as_toml(each)}" for name, each in value.items()) + "}"
    return "[" + ", ".join(map(as_toml, value)) + "]" if isinstance(value, list) else json.dumps(value)


def as_json(value: Any) -> Any:
    """Return a value of TOML as an editor checks it: times are texts there."""
    if isinstance(value, dict):
        return {name: as_json(each) for name, each in value.items()}
    if isinstance(value, list):
        return [as_json(each) for each in value]
    return value.isoformat() if isinstance(value, (date, time)) else value


def refused(data: Mapping[str, Any], folder: Path) -> str | None:
    """Return why the real readers refuse a project file; None where they take it."""
    lines = (f"{json.dumps(name)} = {as_toml(each)}\n" for name, each in data.items())
    (folder / "assetry.toml").write_text("".join(lines))
    try:
        settings = read_settings(folder)
        check_tables(settings, (table for info in plugins().infos for table in info.tables))
        for integration in settings.integrations or ():
            plugins().claimant(integration)
            plugins().check_options(integration)
        read_table(settings.tables)
        read_automation(settings.tables)
        if "openlineage" in settings.tables:
            read_options(settings.tables, "/shop")
    except AssetryError as error:
        return error.message
    return None


def agree(data: Mapping[str, Any], folder: Path) -> None:
    """Hold that the schema takes what the readers take, and no key that they do not know."""
    why = refused(data, folder)
    valid = schema().is_valid(data)
    assert valid or why is not None, (data, [each.message for each in schema().iter_errors(data)])
    assert not valid or not UNKNOWN.search(why or ""), (data, why)


def tables(data: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield each table of a file, so that it can be changed in its place."""
    for each in data.values():
        if isinstance(each, dict):
            yield each
            yield from tables(each)


def mutated(data: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield a file with one thing changed: a key more, one less, one that is called otherwise, another value.

    Each key has some of the values, so that all of them are tried somewhere; in a campaign it has all.
    """
    data, samples, step = deepcopy(data), cycle(SAMPLES), min(examples(6), len(SAMPLES))
    for table in [data, *tables(data)]:
        for name, value in list(table.items()):
            del table[name]
            yield data
            table[f"{name}_"] = value
            yield data
            del table[f"{name}_"]
            for sample in islice(samples, step):
                table[name] = sample
                yield data
            table[name] = value
        table["grian"] = "fine"
        yield data
        del table["grian"]


def value_of(name: str, option: OptionType) -> Any:
    if option.choices:
        return option.choices[0]
    if name == "cron":
        return "@daily"
    return next(each for each in (option.default, *SAMPLES) if each is not None and option.fits(each))


def filled(options: OptionTypes) -> dict[str, Any]:
    return {name: value_of(name, each) for name, each in options.items() if not each.in_python}


def whole_files() -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield files that say all that can be said of one thing each."""
    infos = plugins().infos
    for kind, options in (pair for info in infos for pair in (info.kinds or {}).items()):
        yield kind, {"integrations": {"shop": {"kind": kind, **filled(options), "pool": "p", "weight": 2}}}
    for name, table in (pair for info in infos for pair in info.tables.items()):
        assert table is not None
        yield name, {name: filled(table.options)}
        for kind, options in table.kinds.items():
            yield f"{name}.{kind}", {name: {"ops": {**filled(table.named or {}), **filled(options), "kind": kind}}}
        if table.named is not None and not table.kinds:
            yield f"{name}.NAME", {name: {"ops": filled(table.named)}}
    yield (
        "own",
        {
            **{"name": "shop", "modules": ["a"], "store": "sqlite:a.db", "io": "parquet:a", "executor": "threads:2"},
            **{"retention": {"events": "90d", "runs": "forever"}, "schema": {"extra_columns": "accept"}},
            **{"pools": {"p": {"limit": 2}}},
        },
    )


@pytest.mark.parametrize(("name", "data"), [pytest.param(*each, id=each[0]) for each in whole_files()])
def test_the_schema_takes_what_is_read_and_knows_the_keys_that_are(
    name: str, data: dict[str, Any], tmp_path: Path
) -> None:
    assert refused(data, tmp_path) is None, name
    for each in mutated(data):
        agree(each, tmp_path)


def written_files() -> Iterator[Any]:
    """Yield all project files that stand in the repository: files, examples in texts, and texts of tests."""
    found = {str(path.relative_to(ROOT)): [path.read_text()] for path in (ROOT / "examples").rglob("assetry.toml")}
    for place in ("core", "toolkit", "automation", "integrations", "docs", "examples"):
        for path in (ROOT / place).rglob("*.md"):
            blocks = re.findall(r"^```toml\n(.*?)^```", path.read_text(), re.MULTILINE | re.DOTALL)
            found[str(path.relative_to(ROOT))] = blocks
    for path in (ROOT / "tests").rglob("test_*.py"):
        constants = (node.value for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Constant))
        found[str(path.relative_to(ROOT))] = [each for each in constants if isinstance(each, str) and "[" in each]
    for name, texts in found.items():
        parsed = [data for text in texts if (data := project_file(text)) is not None]
        if parsed:
            yield pytest.param(parsed, id=name)


def project_file(text: str) -> dict[str, Any] | None:
    """Return what a text says as a project file; None where it is none."""
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return None
    own = {*schema().schema["properties"]}
    return as_json(data) if own & {*data} and "project" not in data else None


@pytest.mark.parametrize("files", list(written_files()))
def test_the_schema_agrees_with_the_readers_on_every_file_that_stands_somewhere(
    files: list[dict[str, Any]], tmp_path: Path
) -> None:
    for data in files:
        agree(data, tmp_path)


@pytest.mark.parametrize("path", sorted((ROOT / "examples").rglob("assetry.toml")), ids=lambda path: path.parent.name)
def test_the_schema_agrees_with_the_readers_on_examples_with_one_thing_changed(path: Path, tmp_path: Path) -> None:
    data = tomllib.loads(path.read_text())
    for each in mutated(data):
        agree(each, tmp_path)


# -- what editors complete -------------------------------------------------------------------------------------------


class Mill:
    ASSETRY_KINDS: ClassVar = {
        "mill": {
            "grain": one_of("rye", "oat").about("What is ground.", default="rye"),
            "token": SECRET.needed("What the mill is asked with."),
        },
        "press": {"grain": TEXT.about("What is pressed.")},
    }
    ASSETRY_TABLES: ClassVar = {"bells": OptionTable(help="Bells.", named={"tone": TEXT.needed("How it sounds.")})}

    @staticmethod
    def assetry_load_assets(integration: Any) -> list[Asset]:
        return []


def of_mill() -> dict[str, Any]:
    from assetry.plugin import hookimpl

    mill = Mill()
    mill.assetry_load_assets = hookimpl(Mill.assetry_load_assets)  # type: ignore[method-assign]
    project = Project(root="/shop", plugins=[mill])
    return file_schema(project.plugins.infos, project.plugins.command_options())


def test_options_of_a_plugin_are_told_with_their_types_defaults_and_sentences() -> None:
    integration = of_mill()["properties"]["integrations"]["additionalProperties"]
    assert {"mill", "press", "dbt"} <= set(integration["properties"]["kind"]["enum"])
    grain = integration["properties"]["grain"]
    assert [{name: said for name, said in each.items() if name != "description"} for each in grain["anyOf"]] == [
        {"enum": ["rye", "oat"]},
        {"type": "string"},
    ]
    assert {each["description"] for each in grain["anyOf"]} == {grain["description"]}, "Taplo shows that of each form"
    assert grain["description"].split("\n\n") == [
        "mill: What is ground. ('rye' or 'oat'; rye unless given)",
        "press: What is pressed. (text)",
    ]
    assert set(integration["properties"]["token"]["properties"]) == {"env", "secret", "given"}


def test_the_kind_decides_which_options_are_right() -> None:
    known = Draft7Validator(of_mill())
    token = {"env": "TOKEN"}

    def problems(**table: Any) -> list[str]:
        return [each.message for each in known.iter_errors({"integrations": {"shop": table}})]

    assert problems(kind="mill", grain="rye", token=token) == []
    assert problems(kind="press", grain="apples") == []
    assert problems(kind="mill", grain="apples", token=token) == ["'apples' is not one of ['rye', 'oat']"]
    assert problems(kind="mill") == ["'token' is a required property"]
    assert problems(kind="press", token=token) == ["Additional properties are not allowed ('token' was unexpected)"]
    assert problems(grain="rye") == ["'kind' is a required property"]


def test_tables_of_a_plugin_are_told() -> None:
    known = Draft7Validator(of_mill())
    assert known.is_valid({"bells": {"big": {"tone": "C"}}})
    assert not known.is_valid({"bells": {"big": {}}})
    assert not known.is_valid({"bells": {"tone": "C"}})


def subschemas(schema: Any) -> Iterator[dict[str, Any]]:
    for each in schema.values() if isinstance(schema, dict) else schema if isinstance(schema, list) else ():
        yield from subschemas(each)
    if isinstance(schema, dict):
        yield schema


def test_every_table_says_whether_it_may_hold_more() -> None:
    """Tombi takes it for no where nothing is said, and others for yes."""
    tables = [each for each in subschemas(of_mill()) if each.get("type") == "object" or "if" in each or "then" in each]
    tables += [each["if"] for each in tables if "if" in each] + [each["then"] for each in tables if "then" in each]
    assert len(tables) > 20
    assert [each for each in tables if "additionalProperties" not in each] == []


def test_a_plugin_that_has_to_be_asked_may_have_any_kind_with_any_options() -> None:
    from assetry.plugin import hookimpl

    class Asked:
        @hookimpl
        def assetry_load_assets(self, integration: Any) -> None:
            return None

    project = Project(root="/shop", plugins=[Asked()])
    known = Draft7Validator(file_schema(project.plugins.infos))
    assert known.is_valid({"integrations": {"shop": {"kind": "any", "threads": "many", "else": 1}}})
    assert not known.is_valid({"integrations": {"shop": {"kind": "dbt", "threads": "many"}}})
    assert not known.is_valid({"integrations": {"shop": {"kind": "dbt", "else": 1}}})


def test_an_option_without_a_schema_takes_any_value() -> None:
    assert option_schema(OptionType("a port", lambda value: value == 1)) == {"description": "a port"}
