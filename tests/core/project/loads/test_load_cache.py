"""A load that says what it reads is kept, and only for as long as all of that is the same."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from assetry.errors import IntegrationError
from assetry.hooks.manager import load_plugins
from assetry.hooks.specs import hookimpl
from assetry.project.loads import load_cache, stamps
from assetry.project.loads.load_cache import LoadCache
from assetry.types.assets import Asset, AssetCheck, Check, Column, Integration
from assetry.types.contexts import LoadContext
from assetry.types.keys import AssetKey
from assetry.types.options import ANYTHING, TEXT
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples


class Mill:
    """A plugin whose load depends on a folder, a file and a variable."""

    ASSETRY_KINDS = {"mill": {"folder": TEXT, "more": ANYTHING}}  # noqa: RUF012

    def __init__(self) -> None:
        self.loads = 0
        self.spoil: Callable[[LoadContext], Any] = lambda _: None

    @hookimpl
    def assetry_load_assets(self, integration: Integration, context: LoadContext) -> Iterator[Any]:
        self.loads += 1
        context.reads(integration.options.get("folder", "sql"))
        context.reads("settings.json", variables=["MILL_GRAIN"])
        self.spoil(context)
        for file in sorted(Path(integration.root, "sql").rglob("*.sql")):
            yield Asset(
                key=f"{integration.name}/{file.stem}",
                kind="mill",
                integration=integration,
                deps=["raw/it"],
                columns=[Column("id", "int")],
                checks=[Check("full", spec={"n": [1, 2.5, None, True]})],
                spec={"text": file.read_text(), "grain": os.environ.get("MILL_GRAIN")},
            )
        yield AssetCheck(AssetKey("other/orders"), Check("no_gaps"), integration)


class Place:
    """A project with a mill, as one process after the other sees it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.mill = Mill()
        self.integration = Integration("north", "mill", {"folder": "sql"}, str(root))
        self.write("sql/orders.sql", "select 1")
        self.write("sql/deep/users.sql", "select 2")
        self.write("settings.json", "{}")

    def write(self, name: str, text: str) -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def load(self, integration: Integration | None = None) -> list[Any]:
        cache = LoadCache(load_plugins({}, [self.mill], allowed=[]), self.root / ".assetry")
        return cache.load(integration or self.integration)

    def calls(self, integration: Integration | None = None) -> int:
        """Load, and return how often the plugin was asked for it."""
        before = self.mill.loads
        self.load(integration)
        return self.mill.loads - before

    @property
    def files(self) -> list[Path]:
        return sorted((self.root / ".assetry" / "cache" / "loads").glob("*.json"))


@pytest.fixture(scope="module", autouse=True)
def only_the_plugin() -> Iterator[None]:
    """Count no modules that other tests of this process have left behind; what counts is tried in new processes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(load_cache, "_is_installed", lambda _: True)
        yield


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    monkeypatch.setenv("MILL_GRAIN", "fine")
    return Place(tmp_path)


def test_what_is_kept_is_what_was_loaded_and_the_hook_is_not_called(place: Place) -> None:
    first = place.load()
    assert [type(each) for each in first] == [Asset, Asset, AssetCheck]
    assert place.load() == first
    assert place.load()[0].integration is place.integration
    assert place.mill.loads == 1


CHANGES: dict[str, Callable[[Place, pytest.MonkeyPatch], Any]] = {
    "a file of the folder": lambda place, _: place.write("sql/orders.sql", "select 3"),
    "a file deep in it": lambda place, _: place.write("sql/deep/users.sql", "select 3"),
    "a new file": lambda place, _: place.write("sql/new.sql", "select 3"),
    "an empty folder": lambda place, _: (place.root / "sql" / "empty").mkdir(),
    "a file that is gone": lambda place, _: (place.root / "sql" / "orders.sql").unlink(),
    "another name": lambda place, _: (place.root / "sql/orders.sql").rename(place.root / "sql/order.sql"),
    "a file by itself": lambda place, _: place.write("settings.json", "[]"),
    "a file by itself that is gone": lambda place, _: (place.root / "settings.json").unlink(),
    "a variable": lambda _, monkeypatch: monkeypatch.setenv("MILL_GRAIN", "coarse"),
    "a variable that is gone": lambda _, monkeypatch: monkeypatch.delenv("MILL_GRAIN"),
    "assetry": lambda _, monkeypatch: monkeypatch.setattr(load_cache, "own_version", lambda: "99"),
    "the form of the cache": lambda _, monkeypatch: monkeypatch.setattr(load_cache, "_FORM", 99),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_each_thing_that_was_read_makes_it_load_anew(
    place: Place, change: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (place.calls(), place.calls()) == (1, 0)
    change(place, monkeypatch)
    assert (place.calls(), place.calls()) == (1, 0)


OTHERS: dict[str, Callable[[Integration], Integration]] = {
    "name": lambda each: replace(each, name="south"),
    "option": lambda each: replace(each, options={**each.options, "more": 1}),
    "type of an option": lambda each: replace(each, options={**each.options, "more": True}),
    "order of options": lambda each: replace(each, options={"more": {"b": 1, "a": 2}}),
    "root": lambda each: replace(each, root=f"{each.root}/sql"),
}


@pytest.mark.parametrize("other", OTHERS.values(), ids=OTHERS.keys())
def test_another_integration_is_another_load(place: Place, other: Callable[[Integration], Integration]) -> None:
    assert (place.calls(), place.calls(other(place.integration)), place.calls(other(place.integration))) == (1, 1, 0)
    assert place.calls() == 0


def test_what_differs_in_options_is_told_apart_where_json_tells_it_not() -> None:
    from datetime import date

    texts = [load_cache._written(value) for value in (1, True, 1.0, "1", None, date(2024, 1, 2), "2024-01-02", [1], {})]
    assert len({json.dumps(each) for each in texts}) == len(texts)
    with pytest.raises(TypeError):
        load_cache._written({"client": {"given": "1"}})


def test_another_plugin_or_version_of_it_is_another_load(place: Place) -> None:
    from assetry.hooks.installed import Candidate, PluginInfo
    from assetry.hooks.manager import Plugins

    def calls(name: str, version: str) -> int:
        plugins = Plugins()
        plugins.add(Candidate(PluginInfo(name, "assetry-mill", version, "assetry_mill.plugin"), lambda: place.mill))
        before = place.mill.loads
        LoadCache(plugins, place.root / ".assetry").load(place.integration)
        return place.mill.loads - before

    assert [calls("mill", "1"), calls("mill", "1"), calls("mill", "2"), calls("mull", "1")] == [1, 0, 1, 1]


def test_the_same_content_written_again_is_no_change(place: Place) -> None:
    assert place.calls() == 1
    place.write("sql/orders.sql", "select 1")
    os.utime(place.root / "settings.json", (0, 0))
    assert place.calls() == 0


def test_a_content_of_the_same_size_and_time_is_seen(place: Place) -> None:
    """The time of a file can be set by anybody; that its entry was changed cannot."""
    path = place.root / "sql" / "orders.sql"
    was = path.stat()
    place.load()
    path.write_text("select 9")
    os.utime(path, ns=(was.st_atime_ns, was.st_mtime_ns))
    assert place.calls() == 1


def test_what_was_settled_is_not_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.sql"
    path.write_text("select 1")
    fresh = stamps.stamp(path)
    assert not fresh["settled"], "it was written a moment ago, and may be again within the same tick of the clock"
    later = fresh["stat"][2] + 10_000_000_000
    monkeypatch.setattr(stamps.time, "time_ns", lambda: later)
    settled = stamps.stamp(path, fresh)
    assert settled["settled"]
    monkeypatch.setattr(Path, "open", lambda *_: pytest.fail("it is read again"))
    assert stamps.stamp(path, settled) is settled


def test_a_load_that_fails_is_not_kept(place: Place) -> None:
    def fail(_: LoadContext) -> None:
        raise IntegrationError("no mill")

    place.mill.spoil = fail
    for _ in range(2):
        with pytest.raises(IntegrationError, match="no mill"):
            place.load()
    assert (place.mill.loads, place.files) == (2, [])


SPOILED: dict[str, Callable[[Place], Callable[[LoadContext], Any]]] = {
    "a file that was written meanwhile": lambda place: lambda _: place.write("sql/orders.sql", "select 1"),
    "a file that the load makes": lambda place: (
        lambda context: (
            context.reads("made.json"),
            place.write("made.json", str(place.mill.loads)),
        )
    ),
    "a secret": lambda _: lambda context: context.secret("MILL_GRAIN"),
    "what is no file": lambda place: (
        lambda context: (
            (place.root / "pipe").exists() or os.mkfifo(place.root / "pipe"),
            context.reads("pipe"),
        )
    ),
}


@pytest.mark.parametrize("spoil", SPOILED.values(), ids=SPOILED.keys())
def test_a_load_that_cannot_be_told_to_be_the_same_is_not_kept(place: Place, spoil: Any) -> None:
    place.mill.spoil = spoil(place)
    assert (place.calls(), place.calls(), place.files) == (1, 1, [])


@pytest.mark.parametrize("spec", [{"a": (1,)}, {"a": object()}, {1: "a"}, {"a": float("nan")}])
def test_what_json_does_not_give_back_is_not_kept(place: Place, spec: Any) -> None:
    class Odd(Mill):
        @hookimpl
        def assetry_load_assets(self, integration: Integration, context: LoadContext) -> Any:
            self.loads += 1
            context.reads("sql")
            return [Asset(key="a", kind="mill", integration=integration, spec=spec)]

    place.mill = Odd()
    assert (place.calls(), place.calls(), place.files) == (1, 1, [])


def test_what_never_says_what_it_reads_is_not_kept(place: Place) -> None:
    class Silent(Mill):
        @hookimpl
        def assetry_load_assets(self, integration: Integration) -> Any:
            self.loads += 1
            return [Asset(key="a", kind="mill", integration=integration)]

    place.mill = Silent()
    assert (place.calls(), place.calls(), (place.root / ".assetry").exists()) == (1, 1, False)


def test_an_object_of_this_process_is_another_one_in_the_next(place: Place) -> None:
    given_ = replace(place.integration, options={"more": {"given": "1"}})
    assert (place.calls(given_), place.calls(given_)) == (1, 1)


def test_a_kind_that_is_not_declared_is_loaded_each_time(place: Place) -> None:
    class Undeclared(Mill):
        ASSETRY_KINDS = None  # type: ignore[assignment]

    place.mill = Undeclared()
    place.load()
    assert place.files == []


def cut(content: bytes, at: int) -> bytes:
    return content[:at]


def changed(content: bytes, at: int) -> bytes:
    return content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]


def empty(content: bytes, at: int) -> bytes:
    return b"\0" * at


def longer(content: bytes, at: int) -> bytes:
    return content + content[at:]


@settings(max_examples=examples(25), deadline=None)
@given(st.sampled_from([cut, changed, empty, longer]), st.floats(0, 1, exclude_max=True))
def test_whatever_is_done_to_the_file_the_assets_are_right(
    tmp_path_factory: Any, spoil: Callable[[bytes, int], bytes], part: float
) -> None:
    place = Place(tmp_path_factory.mktemp("mill"))
    right = place.load()
    (file,) = place.files
    content = file.read_bytes()
    file.write_bytes(spoil(content, int(len(content) * part)))
    assert (place.load(), place.mill.loads) == (right, 2)
    assert (place.load(), place.mill.loads) == (right, 2)


def test_a_folder_in_the_place_of_the_file_or_no_cache_at_all_does_no_harm(place: Place) -> None:
    right = place.load()
    (file,) = place.files
    file.unlink()
    (file / "x").mkdir(parents=True)
    assert place.load() == right
    loads = file.parent
    file.joinpath("x").rmdir()
    file.rmdir()
    loads.rmdir()
    loads.write_text("")
    assert place.load() == right


def test_it_is_private_and_has_no_value_of_a_variable(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MILL_HIDDEN", "hunter2-hunter2")
    place.mill.spoil = lambda context: context.reads(variables="MILL_HIDDEN")
    place.load()
    (file,) = place.files
    assert [stat.S_IMODE(each.stat().st_mode) for each in (file, file.parent, file.parents[1])] == [0o600, 0o700, 0o700]
    assert b"hunter2" not in file.read_bytes()
    assert place.calls() == 0
    monkeypatch.setenv("MILL_HIDDEN", "hunter3-hunter3")
    assert place.calls() == 1
    assert (place.root / ".assetry" / ".gitignore").read_text() == "*\n"


def test_the_loads_of_one_integration_do_not_pile_up(place: Place) -> None:
    for number in range(20):
        place.load(replace(place.integration, options={"more": number}))
    assert len(place.files) <= 8
    assert place.calls(replace(place.integration, options={"more": 19})) == 0


def test_a_folder_that_is_too_deep_to_look_into_is_loaded_each_time(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    def deep(*_: Any) -> Any:
        raise RecursionError

    monkeypatch.setattr(load_cache, "stamp", deep)
    assert (place.calls(), place.calls()) == (1, 1)


def test_a_link_that_leads_back_and_a_folder_that_is_a_link_are_read_once(place: Place) -> None:
    elsewhere = place.write("elsewhere/more.sql", "select 4").parent
    (place.root / "sql" / "link").symlink_to(elsewhere)
    (place.root / "sql" / "deep" / "up").symlink_to(place.root / "sql")
    assert (place.calls(), place.calls()) == (1, 0)
    place.write("elsewhere/more.sql", "select 5")
    assert place.calls() == 1


def test_the_state_of_the_project_is_no_part_of_a_folder_that_is_read(place: Place) -> None:
    place.integration = replace(place.integration, options={"folder": "."})
    assert (place.calls(), place.calls()) == (1, 0)


PLUGIN = """
    from pathlib import Path
    from assetry.plugin import TEXT, Asset, hookimpl
    import grains

    ASSETRY_KINDS = {"mill": {"folder": TEXT}}

    @hookimpl
    def assetry_load_assets(integration, context):
        context.reads(integration.options["folder"])
        with Path(integration.root, "calls").open("a") as calls:
            calls.write("x")
        return [Asset(key=grains.KEY, kind="mill", integration=integration)]
"""


@pytest.mark.parametrize("beside", [False, True], ids=["in the project", "beside the project"])
def test_another_process_takes_it_until_the_code_of_the_plugin_changes(tmp_path: Path, beside: bool) -> None:
    outer, tmp_path = tmp_path, tmp_path / "project"
    code = outer / "shared" if beside else tmp_path
    (tmp_path / "sql").mkdir(parents=True)
    code.mkdir(exist_ok=True)
    path = f"import sys\nsys.path.insert(0, {str(code)!r})\n"
    (tmp_path / "assetry_plugins.py").write_text(path + textwrap.dedent(PLUGIN))
    (code / "grains.py").write_text("KEY = 'north/fine'\n")
    (tmp_path / "assetry.toml").write_text('[integrations.north]\nkind = "mill"\nfolder = "sql"\n')

    def listed() -> tuple[int, str]:
        """List the assets in a process of their own; return how often the plugin was called so far, and their keys."""
        command = [sys.executable, "-m", "assetry", "-C", str(tmp_path), "list", "--output", "json"]
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        return len((tmp_path / "calls").read_text()), json.loads(said)["assets"][0]["key"]

    assert [listed(), listed()] == [(1, "north/fine"), (1, "north/fine")]
    (code / "grains.py").write_text("KEY = 'north/coarse'\n")
    assert [listed(), listed()] == [(2, "north/coarse"), (2, "north/coarse")]
