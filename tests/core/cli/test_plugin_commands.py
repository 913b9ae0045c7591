from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Literal

import pytest
from assetry.hooks.commands import CommandGroup, Commands
from assetry.types.commands import Command

if TYPE_CHECKING:
    from conftest import Folder

PLUGIN = '''
from pathlib import Path
from typing import Literal

from assetry.plugin import CommandContext, Commands, UsageError, hookimpl


def pull(context: CommandContext, names: list[str], *, force: bool = False, since: str | None = None,
         limit: int = 10, share: float = 0.5, into: Path = Path("out"), grain: Literal["fine", "coarse"] = "fine",
         only: tuple[int, ...] = (), open_: bool = True) -> int | None:
    """Read anew which tables
    the mill has.

    Nothing of this is help.

    :param names: which mills;
        all of them without any
    :param since: read what came after
    """
    context.emit({"names": names, "force": force, "since": since, "limit": limit, "share": share,
                  "into": str(into), "grain": grain, "only": only, "open": open_})
    print("this is no result")
    return 5 if force else None


def take(context, grain: str, weight: int = 3, *, unit: str):
    """Take some grain."""
    context.say(f"{weight!r} {unit} of {grain}")


def count(context):
    """Count what is chosen."""
    context.say(str(len(context.chosen())))


def refuse(context, *names: str):
    raise UsageError(f"No {names}.", hint="Go away.")


def fail(context):
    raise ValueError("odd")


def text(context):
    return "text"


@hookimpl
def assetry_add_commands(commands: Commands) -> None:
    mill = commands.group("mill", "Look at the mill.")
    for each in (pull, take, refuse, fail, text):
        mill.command()(each)
    mill.command("count", selects=True)(count)
    commands.command("grind")(count)
'''


@pytest.fixture
def mill(shop: Folder) -> Folder:
    shop.write("assetry_plugins.py", PLUGIN)
    return shop


def test_a_signature_says_how_a_command_is_called(mill: Folder) -> None:
    found = mill.json("mill", "pull")
    assert found == {
        **{"version": 1, "names": [], "force": False, "since": None, "limit": 10, "share": 0.5},
        **{"into": "out", "grain": "fine", "only": [], "open": True},
    }
    given = ["a", "b", "--force", "--since", "x", "--limit", "3", "--share=1", "--into", "d", "--grain", "coarse"]
    assert mill.json("mill", "pull", *given, "--only", "1", "--only", "2", "--no-open", code=5) == {
        **{"version": 1, "names": ["a", "b"], "force": True, "since": "x", "limit": 3, "share": 1.0},
        **{"into": "d", "grain": "coarse", "only": [1, 2], "open": False},
    }
    assert mill.call("mill", "take", "rye", "--unit", "kg").stdout == "3 kg of rye\n"
    assert mill.call("mill", "take", "rye", "7", "--unit", "kg").stdout == "7 kg of rye\n"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["pull", "--grain", "odd"], "'fine'"),
        (["pull", "--limit", "many"], "--limit"),
        (["pull", "--forec"], "--force"),
        (["take", "--unit", "kg"], "GRAIN"),
        (["take", "rye"], "--unit"),
        (["pull", "-s", "orders"], "-s"),
        (["pul"], "pull"),
    ],
)
def test_a_wrong_call_is_a_usage_error(mill: Folder, given: list[str], said: str) -> None:
    result = mill.call("mill", *given, code=2)
    assert said in result.stderr
    assert result.stdout == ""


def test_a_group_without_a_command_shows_its_help_and_is_no_error_message(mill: Folder) -> None:
    told = mill.call("mill", code=2)
    assert told.stderr.startswith("Usage: assetry mill")
    assert "error:" not in told.stderr


def test_the_docstring_is_the_help(mill: Folder) -> None:
    text = mill.call("mill", "pull", "--help").stdout
    assert "assetry mill pull [OPTIONS] [NAMES]..." in text
    assert "Read anew which tables the mill has." in text
    assert "Nothing of this" not in text
    assert "[NAMES]...  which mills; all of them without any" in text
    assert "--since TEXT" in text
    assert "read what came after" in text
    assert "--grain [fine|coarse]" in text
    assert "--output" in text
    assert "mill              Look at the mill." in mill.call("--help").stdout
    assert "Read anew which tables" in mill.call("mill", "--help").stdout


def test_a_command_that_selects_takes_a_selection(mill: Folder) -> None:
    assert mill.call("mill", "count").stdout == "3\n"
    assert mill.call("mill", "count", "-s", "orders").stdout == "1\n"
    assert mill.call("-s", "orders", "mill", "count").stdout == "1\n"
    said = mill.call("-s", "orders", "mill", "pull", code=2).stderr
    assert "`assetry mill pull` takes no selection" in said


def test_what_a_command_raises_is_told_by_its_plugin(mill: Folder) -> None:
    assert "Go away." in mill.call("mill", "refuse", "x", code=2).stderr
    said = mill.call("mill", "fail", code=1).stderr
    assert "assetry_plugins: `assetry mill fail` raised ValueError: odd" in said
    assert f"assetry_plugins.py:{PLUGIN[: PLUGIN.index('raise ValueError')].count(chr(10)) + 1}" in said
    assert "bug in assetry" not in said
    assert "returned a str" in mill.call("mill", "text", code=1).stderr


ODD_ENDS = """
from assetry.plugin import hookimpl, read_secret

@hookimpl
def assetry_secret(name):
    return "hunter2-and-more" if name == "mill/password" else None

def big(context) -> int:
    return 256

def less(context) -> int:
    return -1

def odd(context) -> None:
    context.emit({"mills": {1, 2}})

def told(context) -> None:
    raise ValueError(read_secret("mill/password"))

@hookimpl
def assetry_add_commands(commands):
    mill = commands.group("mill", "Look at the mill.")
    for each in (big, less, odd, told):
        mill.command()(each)
"""


def test_a_code_that_no_system_passes_on_is_no_success(shop: Folder) -> None:
    shop.write("assetry_plugins.py", ODD_ENDS)
    shop.call("mill", "big", code=1)
    shop.call("mill", "less", code=255)


def test_what_cannot_be_emitted_is_told_at_the_place_in_the_plugin(shop: Folder) -> None:
    shop.write("assetry_plugins.py", ODD_ENDS)
    line = ODD_ENDS[: ODD_ENDS.index("context.emit")].count("\n") + 1
    assert f"assetry_plugins.py:{line}" in shop.call("mill", "odd", "--output", "json", code=1).stderr


def test_read_secret_asks_providers_and_is_masked(shop: Folder) -> None:
    shop.write("assetry_plugins.py", ODD_ENDS)
    said = shop.call("mill", "told", "-v", code=1).stderr
    assert "raised ValueError: ***" in said
    assert "hunter2-and-more" not in said.replace('return "hunter2-and-more"', "")


def test_a_command_stays_a_function(mill: Folder) -> None:
    names: dict[str, Any] = {}
    exec(PLUGIN, names)
    said: list[str] = []
    names["take"](SimpleNamespace(say=said.append), "rye", unit="kg")
    assert said == ["3 kg of rye"]


# -- what is wrong ---------------------------------------------------------------------------------------------------


def no_context() -> None: ...
def first_is_keyword(*, context: Any) -> None: ...
def keywords(context: Any, **rest: str) -> None: ...
def mapping(context: Any, names: dict[str, str]) -> None: ...
def unknown(context: Any, names: Nowhere) -> None: ...  # type: ignore[name-defined]  # noqa: F821
def two_lists(context: Any, a: list[str], b: list[str]) -> None: ...
def after_a_list(context: Any, a: list[str], b: str) -> None: ...
def flag_as_argument(context: Any, force: bool) -> None: ...
def nested(context: Any, a: list[list[str]]) -> None: ...
def either(context: Any, a: int | str) -> None: ...
def no_choice(context: Any, *, a: Literal["x", "y"] = "z") -> None: ...  # type: ignore[assignment]
def two_flags(context: Any, *, _a: int = 1, a: int = 2) -> None: ...
def flag_and_its_no(context: Any, *, dry: bool | None = None, no_dry: bool = False) -> None: ...
def no_number(context: Any, *, a: int = "three") -> None: ...  # type: ignore[assignment]
async def later(context: Any) -> None: ...


@pytest.mark.parametrize(
    "function",
    [
        *(no_context, first_is_keyword, keywords, mapping, unknown, two_lists, after_a_list, flag_as_argument),
        *(nested, either, no_choice, two_flags, flag_and_its_no, no_number, later),
    ],
)
def test_a_wrong_signature_is_a_problem_with_its_place(function: Any) -> None:
    commands = Commands()
    assert commands.group("mill", "The mill.").command()(function) is function
    (problem,) = commands.problems
    assert problem.startswith(f"`mill {function.__name__.replace('_', '-')}` ")
    assert f"({__file__}:{function.__code__.co_firstlineno})" in problem


def test_what_can_be_given() -> None:
    def work(
        context: Any, a: Path, b: int | None = None, *c: float, d: Literal["x"] | None, e=3, f: list[Path]
    ) -> None:  # type: ignore[no-untyped-def]
        """:param a: first"""

    made = Command.of("work", work)
    assert made.problem is None
    assert made.help == ""
    told = [(each.name, each.sort, each.flag, each.required, each.gather) for each in made.parameters]
    assert told == [
        ("a", "Path", None, True, None),
        ("b", "int", None, False, None),
        ("c", "float", None, False, tuple),
        ("d", "str", "--d", False, None),
        ("e", "int", "--e", False, None),
        ("f", "Path", "--f", False, list),
    ]
    assert made.parameters[0].help == "first"


WRONG = """
from assetry.plugin import hookimpl


def odd(context, names: dict):
    raise AssertionError


def loud(context, *, quiet: bool = False):
    raise AssertionError


@hookimpl
def assetry_add_commands(commands):
    mill = commands.group("mill", "The mill.")
    mill.command("odd")(odd)
    mill.command("loud")(loud)
    mill.command("loud")(loud)
    mill.command("Two Words")(lambda context: None)
    mill.command("fine")(lambda context: context.say("fine"))
    commands.group("list", "Taken.").command("x")(lambda context: None)
"""


def test_what_is_wrong_is_told_and_the_rest_works(shop: Folder) -> None:
    file = shop.write("assetry_plugins.py", WRONG)
    info = next(each for each in shop.json("plugins")["plugins"] if each["name"] == "assetry_plugins")
    told = "\n".join(info["problems"])
    assert "`mill odd` has `names: dict`, which no command line can give" in told
    assert f"({file}:5)" in told
    assert "`mill loud` has `quiet`, and every command takes --quiet already" in told
    assert "`mill loud` is added twice" in told
    assert "'Two Words' cannot be the name of a command" in told
    assert "`list` is a command of assetry itself" in told
    assert len(info["problems"]) == 5
    assert shop.call("mill", "fine").stdout == "fine\n"
    result = shop.call("mill", "odd", "--any", "thing", code=3)
    assert "error: assetry_plugins: `assetry mill odd` has `names: dict`" in result.stderr
    assert "`assetry plugins" in result.stderr
    assert "odd" not in shop.call("mill", "--help").stdout
    assert "warning: plugin assetry_plugins: assetry_add_commands: `mill odd`" in result.stderr


def test_what_is_declared_for_the_overview_is_what_is_added(shop: Folder) -> None:
    code = 'commands.command("grind")(lambda context: None)'
    hook = f"from assetry.plugin import hookimpl\n\n@hookimpl\ndef assetry_add_commands(commands):\n    {code}\n"
    for declared, count in (('("grind",)', 0), ('("grind", "sift")', 1), ('"grind"', 1)):
        shop.write("assetry_plugins.py", f"ASSETRY_COMMANDS = {declared}\n{hook}")
        info = next(each for each in shop.json("plugins")["plugins"] if each["name"] == "assetry_plugins")
        assert len([each for each in info["problems"] if "ASSETRY_COMMANDS" in each]) == count


def test_two_plugins_with_one_group_are_told(shop: Folder) -> None:
    from assetry.cli.plugin_commands import commands_of_plugins
    from assetry.hooks.manager import load_plugins
    from assetry.hooks.specs import hookimpl

    def plugin(name: str) -> Any:
        def add(commands: Commands) -> None:
            commands.group("mill", name).command("run")(lambda context: None)

        hook = type(name, (), {"assetry_add_commands": staticmethod(hookimpl(lambda commands: add(commands)))})
        return hook()

    plugins = load_plugins({}, [plugin("North"), plugin("South")], allowed=[])
    assert commands_of_plugins(plugins)["mill"].help == "North"
    (problem,) = plugins.problems
    assert (problem.plugin, "`mill` is there already, from North" in problem.message) == ("South", True)


OLD = """
import click
from assetry.plugin import hookimpl


@click.command("grind", help="Grind corn.")
@click.pass_obj
def grind(session):
    session.say("ground")


@hookimpl
def assetry_add_commands(commands):
    commands.add_command(grind)
    commands.add_command(click.Group("mill", commands={"again": grind}))
    commands.add_command("no command")
"""


def test_a_plugin_that_adds_objects_of_click_goes_on_with_a_warning(shop: Folder) -> None:
    shop.write("assetry_plugins.py", OLD)
    assert shop.call("grind").stdout == "ground\n"
    assert shop.call("mill", "again").stdout == "ground\n"
    info = next(each for each in shop.json("plugins")["plugins"] if each["name"] == "assetry_plugins")
    assert "adds an object of click (grind), which will be gone" in info["warnings"][0]
    assert len(info["warnings"]) == 3
    assert info["problems"] == ["assetry_add_commands: commands.add_command was given str, which is no command"]
    assert "soon broken: assetry_add_commands adds an object of click (mill)" in shop.call("plugins").stdout


def test_a_group_is_one_of_its_name() -> None:
    commands = Commands()
    assert isinstance(commands.group("mill", "x"), CommandGroup)
    assert commands.group("mill", "y").help == "x"
