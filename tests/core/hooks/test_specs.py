"""Each hook, asked by the part of the program that asks it; one test of each hook's name (see tests/test_docs.py)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from assetry import asset
from assetry.cli.program import Program
from assetry.errors import ClaimError, NoClaimError
from assetry.plugin import (
    Asset,
    AssetKey,
    CommandOption,
    Event,
    EventRecord,
    Integration,
    Invocation,
    InvocationGroup,
    Materialized,
    Next,
    RunContext,
    RunInfo,
    Saved,
    Started,
    UsageError,
    ValueStoreError,
    hookimpl,
)
from assetry.project.project import Project
from assetry.store.sqlite import SQLiteStore
from click.testing import CliRunner

#: Table by what it is made from.
NEEDS = {"raw": [], "orders": ["raw"], "report": ["orders"]}


class Shelf:
    """Keep values in a dict, by key."""

    form = "any"

    def __init__(self, url: str) -> None:
        self.url = url
        self.kept: dict[str, Any] = {}

    def relation(self, asset: Asset) -> None:
        return None

    def load(self, asset: Asset, partition: str | None = None) -> Any:
        if asset.kind == "mill":
            return f"{asset.key} at {self.url}"
        if asset.key not in self.kept:
            raise ValueStoreError(f"no {asset.key}")
        return self.kept[asset.key]

    def save(self, asset: Asset, value: Any, partition: str | None = None) -> Saved:
        self.kept[asset.key] = value
        return Saved(metadata={"rows": 1})

    def close(self) -> None:
        pass


class Mill:
    """A plugin with all the hooks that a project asks of one."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.invocations: list[Invocation] = []
        self.options: list[Any] = []
        self.heard: list[tuple[str, str]] = []
        self.opened: list[Any] = []
        self.next: Any = None
        self.mistakes: list[Any] = []

    @hookimpl
    def assetry_load_assets(self, integration: Integration) -> Any:
        if integration.kind != "mill":
            return None
        key = integration.name
        return [
            Asset(key=f"{key}/{name}", kind="mill", integration=integration, deps=[f"{key}/{each}" for each in needs])
            for name, needs in NEEDS.items()
        ]

    @hookimpl
    def assetry_invocation_group(self, asset: Asset) -> InvocationGroup | None:
        self.asked.append(asset.key)
        assert asset.integration is not None
        return None if asset.key.name == "raw" else InvocationGroup(f"mill:{asset.integration.name}")

    @hookimpl
    def assetry_command_options(self) -> list[CommandOption]:
        def read(given: Any, said: Any) -> str:
            if given == "none":
                raise UsageError("--grain-size none: there is always one.")
            return f"{said or 'as said'}, then {given}"

        return [CommandOption(kind="mill", name="grain_size", help="How coarse.", short="-g", read=read)]

    @hookimpl
    def assetry_invocation_command(self, invocation: Invocation) -> str:
        grain = invocation.integration.options.get("grain_size")
        given = f" --grain-size {grain!r}" if grain else ""
        return f"mill make {' '.join(each.key.name for each in invocation.assets)}{given}"

    @hookimpl
    def assetry_invoke(self, invocation: Invocation, context: RunContext) -> Iterator[Event]:
        self.invocations.append(invocation)
        self.options.append(context.options)
        for each in invocation.assets:
            yield Started(each.key)
            yield Materialized(each.key)

    @hookimpl
    def assetry_io_url(self, integration: Integration) -> str:
        return f"shelf:{integration.name}"

    @hookimpl
    def assetry_open_io(self, url: str) -> Shelf | None:
        return self._open(Shelf(url)) if url.startswith("shelf:") else None

    @hookimpl
    def assetry_open_store(self, url: str) -> SQLiteStore | None:
        return self._open(SQLiteStore(":memory:")) if url.startswith("notebook:") else None

    def _open(self, thing: Any) -> Any:
        self.opened.append(thing)
        return thing

    @hookimpl
    def assetry_next(self, statuses: Sequence[Any], now: datetime) -> Any:
        return (
            self.next if self.next is not None else {each.key: Next("at", "the mill grinds", now) for each in statuses}
        )

    @hookimpl
    def assetry_check(self, project: Project) -> Any:
        return self.mistakes

    @hookimpl
    def assetry_event(self, event: EventRecord, run: RunInfo) -> None:
        self.heard.append((event.event.name, run.id))


@pytest.fixture
def mill() -> Mill:
    return Mill()


@pytest.fixture
def project(mill: Mill, tmp_path: Path) -> Iterator[Project]:
    @asset(deps=["north/raw"])
    def length(report: str) -> int:
        """How long what the mill keeps is."""
        return len(report)

    north = Integration("north", "mill")
    with Project([length], integrations=[north], plugins=[mill], store="notebook:a", root=tmp_path) as found:
        yield found


def test_hook_assetry_invocation_group_says_what_runs_together(project: Project, mill: Mill) -> None:
    plan = project.plan()
    assert set(mill.asked) == {"north/raw", "north/orders", "north/report"}, "it is not asked about others' assets"
    made = [[each.key.name for each in planned.invocation.assets] for planned in plan.invocations]
    assert made == [["raw"], ["orders", "report"], ["length"]], "None runs on its own, equal keys run together"


def test_hook_assetry_invocation_command_is_shown_in_the_plan(project: Project) -> None:
    commands = [planned.command for planned in project.commands(project.plan()).invocations]
    assert commands[:2] == ["mill make raw", "mill make orders report"]


def test_hook_assetry_command_options_stand_in_for_those_of_the_project_file(project: Project, mill: Mill) -> None:
    plan = project.commands(project.plan("north/raw", grain_size="fine"))
    assert plan.invocations[0].command == "mill make raw --grain-size 'as said, then fine'"
    assert project.commands(project.plan("north/raw")).invocations[0].command == "mill make raw"
    result = project.materialize("north/raw", grain_size="fine")
    assert mill.invocations[-1].integration.options == {"grain_size": "as said, then fine"}
    assert result.run.options["integration_options"] == {"grain_size": "fine"}
    with pytest.raises(UsageError, match="There is no keyword 'grain_siz'") as caught:
        project.plan(grain_siz="fine")
    assert caught.value.near == ("grain_size",)
    with pytest.raises(UsageError, match="there is always one"):
        project.plan(grain_size="none")


def test_options_of_integrations_that_reach_nothing_are_refused(mill: Mill, tmp_path: Path) -> None:
    given = Asset(key="raw", kind="mill", integration=Integration("south", "mill"), source="assets.py:3")
    with (
        Project([given], plugins=[mill], store="notebook:a", root=tmp_path) as code,
        pytest.raises(UsageError, match="--grain-size is given, and the project has no integration of kind mill"),
    ):
        code.plan(grain_size="fine")
    with (
        Project([given], integrations=[Integration("north", "mill")], plugins=[mill], root=tmp_path) as both,
        pytest.raises(UsageError, match="--grain-size does not reach 'south'"),
    ):
        both.plan(grain_size="fine")


def test_hook_assetry_invoke_is_given_the_invocation_and_the_run(project: Project, mill: Mill) -> None:
    result = project.materialize("north/orders", full_refresh=True)
    assert result.keys("materialized") == (AssetKey("north/orders"),)
    (invocation,) = mill.invocations
    assert invocation.integration.name == "north"
    assert invocation.full_refresh
    assert [each.key for each in invocation.inputs] == ["north/raw"]
    assert mill.options[0]["full_refresh"]


def test_hook_assetry_io_url_is_where_its_tables_are_read(project: Project) -> None:
    assert project.load_value("north/report") == "north/report at shelf:north"
    project.materialize()
    assert project.load_value("length") == len("north/report at shelf:north")


def test_hook_assetry_open_io_is_claimed_by_scheme_and_opened_once(project: Project, mill: Mill) -> None:
    project.load_value("north/raw")
    project.load_value("north/report")
    assert [each.url for each in mill.opened if isinstance(each, Shelf)] == ["shelf:north"]
    with pytest.raises(NoClaimError, match="No plugin keeps values at 'cupboard' URLs"):
        project.plugins.open_io("cupboard:x")
    with pytest.raises(ClaimError, match=r"Two plugins claim the scheme 'shelf': .*Mill"):
        Project(plugins=[Mill(), Mill()]).plugins.open_io("shelf:x")


def test_hook_assetry_open_store_keeps_the_records(project: Project, mill: Mill) -> None:
    run = project.materialize("north/raw").run
    (store,) = (each for each in mill.opened if isinstance(each, SQLiteStore))
    assert project.store is store
    assert [each.id for each in store.runs()] == [run.id]


def test_hook_assetry_event_hears_of_everything_in_order(project: Project, mill: Mill) -> None:
    run = project.materialize("north/raw").run
    recorded = [(record.event.name, record.run) for record in project.store.events(run.id)]
    assert mill.heard == recorded
    assert recorded[0] == ("run_started", run.id)
    assert recorded[-1] == ("run_finished", run.id)


def test_hook_assetry_next_says_when_assets_are_made_next(project: Project, mill: Mill) -> None:
    now = datetime(2026, 1, 5, tzinfo=UTC)
    found = project.next(now)
    assert set(found) == set(project.graph.keys)
    assert found[project.graph["north/raw"].key] == Next("at", "the mill grinds", now)
    mill.next = ["wrong"]
    assert project.next(now) == {}
    assert any("assetry_next" in told for each in project.plugins.infos for told in each.problems)


def test_hook_assetry_check_tells_what_is_wrong_before_a_run_does(project: Project, mill: Mill) -> None:
    assert project.plugins.mistakes(project) == []
    mill.mistakes = [UsageError("[mill] has no 'grane'.", near=["grain"], hint="It has grain.")]
    assert project.plugins.mistakes(project) == mill.mistakes
    mill.mistakes = ["wrong"]
    assert project.plugins.mistakes(project) == []
    assert any("assetry_check" in told for each in project.plugins.infos for told in each.problems)


def test_hook_assetry_add_commands_makes_commands_of_the_program(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "assetry_plugins.py").write_text(
        "from assetry.plugin import hookimpl\n\n"
        "def grind(context): context.say('ground')\n\n"
        "@hookimpl\n"
        "def assetry_add_commands(commands): commands.group('mill', 'The mill.').command()(grind)\n"
    )
    monkeypatch.chdir(tmp_path)
    call = CliRunner().invoke(Program(), ["mill", "grind"])
    assert (call.exit_code, call.stdout) == (0, "ground\n")
