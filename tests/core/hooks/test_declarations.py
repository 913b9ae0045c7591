"""What a plugin declares as data decides who is called, and which options are right, without calling anything."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from assetry.errors import ClaimError, DefinitionError, NoClaimError, OptionError, PluginError
from assetry.hooks.manager import Plugins, load_plugins
from assetry.hooks.specs import hookimpl
from assetry.project.project import Project
from assetry.types.assets import Asset, Integration
from assetry.types.invocations import InvocationGroup
from assetry.types.options import SECRET, TABLE, TEXT, TEXTS, CommandOption, OptionTable, OptionType, one_of

NORTH = Integration("north", "mill", {"tables": ["a"]})


class Mill:
    """A plugin that declares its kind, and counts how often it is asked to load."""

    ASSETRY_KINDS = {  # noqa: RUF012
        "mill": {
            "tables": TEXTS.needed("The tables."),
            "mode": one_of("append", "replace").about("How rows are added."),
            "token": SECRET.about("What it is asked with."),
            "more": TABLE,
        },
        "press": {},
    }
    ASSETRY_SCHEMES = {"io": ("shelf",)}  # noqa: RUF012

    def __init__(self) -> None:
        self.asked: list[str] = []

    @hookimpl
    def assetry_load_assets(self, integration: Integration) -> Iterator[Asset]:
        self.asked.append(integration.kind)
        yield Asset(key="a", kind="mill", integration=integration)

    @hookimpl
    def assetry_invocation_group(self, asset: Asset) -> InvocationGroup:
        return InvocationGroup(f"mill:{asset.key}")

    @hookimpl
    def assetry_open_io(self, url: str) -> Any:
        self.asked.append(url)
        return [url]

    @hookimpl
    def assetry_command_options(self) -> list[CommandOption]:
        return [CommandOption(kind="mill", name="grain", help="How fine.")]


class Undeclared:
    """A plugin that has to be asked."""

    def __init__(self, kind: str = "loom") -> None:
        self.kind = kind
        self.asked: list[str] = []

    @hookimpl
    def assetry_load_assets(self, integration: Integration) -> Any:
        self.asked.append(integration.kind)
        return [Asset(key="b", kind=self.kind, integration=integration)] if integration.kind == self.kind else None

    @hookimpl
    def assetry_open_io(self, url: str) -> Any:
        return [url] if url.startswith(f"{self.kind}:") else None


def plugins(*local: Any) -> Plugins:
    return load_plugins({}, local, allowed=[])


# -- who is called -------------------------------------------------------------------------------------------------


def test_a_declared_kind_is_routed_without_loading() -> None:
    mill = Mill()
    found = plugins(mill)
    assert found.invocation_group(Asset(key="x", kind="mill", integration=NORTH)) == InvocationGroup("mill:x")
    assert found.label(NORTH) == "Mill"
    assert mill.asked == []
    assert [each.key for each in found.load_assets(NORTH)] == ["a"]


def test_a_plugin_that_declares_is_never_asked_for_others() -> None:
    mill, loom = Mill(), Undeclared()
    found = plugins(mill, loom)
    assert [each.key for each in found.load_assets(Integration("l", "loom"))] == ["b"]
    assert found.open_io("loom:x") == ["loom:x"]
    with pytest.raises(NoClaimError):
        found.load_assets(Integration("x", "neither"))
    assert mill.asked == []
    assert found.open_io("shelf:x") == ["shelf:x"]


def test_a_declared_plugin_is_not_called_to_learn_who_answers_beside_one_that_is_asked() -> None:
    mill, loom = Mill(), Undeclared()
    assert plugins(mill, loom).claimant(NORTH) == "Mill"
    assert (mill.asked, loom.asked) == ([], ["mill"])


@pytest.mark.parametrize("other", [Mill, lambda: Undeclared("mill")], ids=["declared", "asked"])
def test_two_for_one_kind_are_an_error_that_names_both(other: Callable[[], Any]) -> None:
    mill = Mill()
    found = plugins(mill, other())
    for ask in (found.load_assets, found.claimant):
        with pytest.raises(ClaimError, match=r"Two plugins claim kind 'mill': Mill and "):
            ask(NORTH)
    assert mill.asked == [], "neither is called before it is clear which one"


@pytest.mark.parametrize("other", [Mill, lambda: Undeclared("shelf")], ids=["declared", "asked"])
def test_two_for_one_scheme_are_an_error_that_names_both(other: Callable[[], Any]) -> None:
    mill = Mill()
    with pytest.raises(ClaimError, match=r"Two plugins claim the scheme 'shelf': Mill and "):
        plugins(mill, other()).open_io("shelf:x")
    assert mill.asked == []


def test_near_names_are_those_of_all_that_is_declared() -> None:
    found = plugins(Mill())
    with pytest.raises(NoClaimError) as kind:
        found.load_assets(Integration("x", "mil"))
    with pytest.raises(NoClaimError) as scheme:
        found.open_io("shlef:x")
    assert (kind.value.near, scheme.value.near) == (("mill",), ("shelf",))


def test_none_for_what_is_declared_is_a_fault_of_the_plugin() -> None:
    class Shy(Mill):
        @hookimpl
        def assetry_load_assets(self, integration: Integration) -> Any:
            return None

    with pytest.raises(PluginError, match="Shy: assetry_load_assets returned None for kind 'mill', which it declares"):
        plugins(Shy()).load_assets(NORTH)


# -- options -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message", "near"),
    [
        ({"tabels": ["a"]}, "Integration 'north' has no option 'tabels'.", ("tables",)),
        ({"tables": 3}, "Option 'tables' of integration 'north' must be text or a list of texts, not 3.", ()),
        ({}, "Integration 'north' needs the option 'tables', text or a list of texts.", ()),
        ({"tables": None}, "Integration 'north' needs the option 'tables', text or a list of texts.", ()),
        ({"tables": "a", "mode": "apend"}, "must be 'append' or 'replace', not 'apend'.", ("append",)),
        ({"tables": "a", "token": "hunter2"}, "Option 'token' of integration 'north' is given as a value.", ()),
    ],
)
def test_options_are_checked_before_the_hook_is_called(
    options: dict[str, Any], message: str, near: tuple[str, ...]
) -> None:
    mill = Mill()
    with pytest.raises(OptionError) as caught:
        plugins(mill).load_assets(Integration("north", "mill", options))
    assert message in caught.value.message
    assert caught.value.near == near
    assert "hunter2" not in str(caught.value)
    assert mill.asked == []


def test_an_option_that_commands_take_is_known() -> None:
    found = plugins(Mill())
    assert found.load_assets(Integration("north", "mill", {"tables": "a", "grain": "fine"}))
    with pytest.raises(OptionError, match="has no option 'grain'"):
        found.load_assets(Integration("p", "press", {"grain": "fine"}))


def test_a_kind_without_options_has_none() -> None:
    with pytest.raises(OptionError) as caught:
        plugins(Mill()).load_assets(Integration("p", "press", {"tables": "a"}))
    assert caught.value.hint == "It has none."


FILES = {
    '[integrations.north]\nkind = "mill"\ntables = "a"\nmoed = "append"\n': 4,
    '[integrations.north]\nkind = "mill"\n': 1,
    '[integrations.south]\nkind = "press"\n[integrations.north]\nkind = "mill"\ntables = "a"\nmode = "apend"\n': 6,
    '[integrations."north"]\nkind = "mill"\n"tables" = 3\n': 3,
    '[integrations.north]\nkind = "mill"\ntables = "a"\n[integrations.north.mor]\ntables = 1\n': 4,
    '[integrations.north]\nkind = "mill"\ntables = "a"\nmore.tables = 1\nmor.tables = 1\n': 5,
    '[integrations]\nnorth = { kind = "mill", tables = 3 }\n': 2,
    'integrations.north.kind = "mill"\nintegrations.north.tables = 3\n': 2,
}


@pytest.mark.parametrize(("text", "line"), FILES.items())
@pytest.mark.parametrize("file", ["assetry.toml", "pyproject.toml"])
def test_the_line_of_the_option_is_told(tmp_path: Path, file: str, text: str, line: int) -> None:
    if file == "pyproject.toml":
        if text.startswith("integrations"):
            text = f"[tool.assetry]\n{text}"
            line += 1
        text = text.replace("[integrations", "[tool.assetry.integrations")
    (tmp_path / file).write_text(text)
    with pytest.raises(OptionError) as caught, Project.load(tmp_path, plugins=[Mill()]) as project:
        project.graph  # noqa: B018
    assert str(caught.value.where).endswith(f"{file}:{line}")


@pytest.mark.parametrize(
    "port",
    [
        OptionType("a port", lambda value: 0 < value < 65536),
        OptionType("a port", lambda value: True, int),
        OptionType("a port", lambda value: value.bit_length() < 17),
        OptionType("a port", lambda value: bool({8080: "web"}[value])),
    ],
)
def test_a_test_that_trips_over_a_value_says_that_it_is_wrong(port: OptionType) -> None:
    declaring = type("Ports", (Mill,), {"ASSETRY_KINDS": {"mill": {"port": port}}})()
    found = plugins(declaring)
    assert found.load_assets(Integration("north", "mill", {"port": 8080}))
    with pytest.raises(OptionError, match="Option 'port' of integration 'north' must be a port, not text") as caught:
        found.load_assets(Integration("north", "mill", {"port": "s3cret-in-the-wrong-place"}))
    assert caught.value.__suppress_context__, "what it tripped over may have the value in it"


def test_a_test_that_is_broken_is_told_as_the_fault_of_its_plugin() -> None:
    port = OptionType("a port", lambda value: value / 0)
    found = plugins(type("Ports", (Mill,), {"ASSETRY_KINDS": {"mill": {"port": port}}})())
    with pytest.raises(PluginError, match="an option's type in ASSETRY_KINDS raised ZeroDivisionError"):
        found.load_assets(Integration("north", "mill", {"port": 8080}))


# -- wrong declarations --------------------------------------------------------------------------------------------


class Odd:
    """A mapping whose items cannot be had."""

    @property
    def ASSETRY_KINDS(self) -> Any:  # noqa: N802
        raise RuntimeError("boom")


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"ASSETRY_KINDS": ["mill"]}, "ASSETRY_KINDS is a list instead of a dict"),
    ({"ASSETRY_KINDS": {"mill": ["tables"]}}, "ASSETRY_KINDS: 'mill' is a list instead of a dict"),
    ({"ASSETRY_KINDS": {3: {}}}, "ASSETRY_KINDS has an int among its names"),
    ({"ASSETRY_KINDS": {"mill": {"tables": "text"}}}, "option 'tables' of 'mill' is a str instead of an OptionType"),
    ({"ASSETRY_KINDS": {"mill": {"tables": OptionType(3, str)}}}, "and its words is an int instead of a str"),  # type: ignore[arg-type]
    ({"ASSETRY_KINDS": {"mill": {"tables": OptionType("x", "y")}}}, "and its fits is a str"),  # type: ignore[arg-type]
    ({"ASSETRY_KINDS": {"mill": {"tables": one_of("a", 3)}}}, "and its choices[1] is an int"),  # type: ignore[arg-type]
    ({"ASSETRY_KINDS": {"mill": {"tables": TEXT}}, "assetry_load_assets": None}, "there is no assetry_load_assets"),
    ({"ASSETRY_TABLES": {"bells": {"tone": TEXT}}}, "ASSETRY_TABLES: 'bells' is a dict instead of an OptionTable"),
    ({"ASSETRY_TABLES": {"bells": OptionTable(options=3)}}, "and its options is an int instead of a Mapping"),  # type: ignore[arg-type]
    ({"ASSETRY_TABLES": {"bells": OptionTable(named={"tone": "C"})}}, "'bells' is an OptionTable, and its named"),  # type: ignore[dict-item]
    ({"ASSETRY_TABLES": {"bells": OptionTable(kinds={"big": {"tone": 1}})}}, "option 'tone' of 'bells' is an int"),  # type: ignore[dict-item]
    ({"ASSETRY_SCHEMES": {"io": "shelf"}}, "'io' is not a tuple of schemes without colons"),
    ({"ASSETRY_SCHEMES": {"io": ("shelf:",)}}, "'io' is not a tuple of schemes without colons"),
    ({"ASSETRY_SCHEMES": {"stroe": ()}}, "'stroe' is none of io, store, executor; did you mean 'store'?"),
    ({"assetry_io_url": hookimpl(lambda self, wrong: wrong)}, "assetry_io_url takes integration, not wrong"),
    ({"ASSETRY_SCHEMES": {"store": ("shelf",)}}, "ASSETRY_SCHEMES names shelf, and there is no assetry_open_store"),
    ({"ASSETRY_KINDS": Odd.ASSETRY_KINDS}, "RuntimeError: boom"),
]


@pytest.mark.parametrize(("wrong", "problem"), WRONG)
def test_a_wrong_declaration_is_a_problem_of_that_plugin_and_the_rest_goes_on(
    wrong: dict[str, Any], problem: str
) -> None:
    bad = type("Bad", (Mill,), wrong)()
    found = plugins(bad, Undeclared())
    assert problem in found.problems[0].message
    assert found.load_assets(Integration("l", "loom"))
    with pytest.raises(NoClaimError):
        found.load_assets(NORTH)
    assert bad.asked == [], "a plugin that is half understood answers nothing"


def test_all_that_is_declared_here_has_help() -> None:
    found = load_plugins({})
    without = [
        f"{info.name}: {name}"
        for info in found.infos
        for options in (info.kinds or {}).values()
        for name, each in options.items()
        if not each.help.endswith(".")
    ]
    assert without == []
    assert {"dbt", "airbyte"} <= {kind for info in found.infos for kind in info.kinds or ()}


def test_what_a_wrong_declaration_raises_is_for_people() -> None:
    from assetry.hooks.declarations import kinds_of

    with pytest.raises(DefinitionError, match="instead of a dict"):
        kinds_of(type("Bad", (), {"ASSETRY_KINDS": 3}), [])
