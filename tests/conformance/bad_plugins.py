"""Good plugins, and one for each way to be bad: what the kit must let pass, and what it must catch.

A check without a plugin that fails it is not a check; so these are kept for ever. Each bad plugin is a good one with
one fault. Its test class says in `caught` which check finds that, this one and no other, and its docstring what is
wrong, as docs/conformance.md tells it. The classes are run by test_kit.py and not collected by themselves.
"""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import threading
import time
from base64 import b64encode
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from inspect import signature
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.parse import quote, quote_plus
from uuid import uuid4

import pytest
from assetry import DailyPartitionsDefinition
from assetry.hooks import specs
from assetry.plugin import (
    TEXTS,
    Asset,
    AssetCheck,
    AssetKey,
    Attempt,
    Check,
    Checked,
    Event,
    Failed,
    Handle,
    Integration,
    Invocation,
    InvocationGroup,
    JobOverError,
    Log,
    Materialized,
    Observed,
    OptionTable,
    Panel,
    RunContext,
    RunError,
    Skipped,
    Started,
    hookimpl,
)
from assetry.testing import FakeTool, IntegrationConformance, IntegrationUnderTest

#: a ← b ← d, c on its own; d is last.
NEEDS = {"b": ["a"], "d": ["b"]}
TABLES = ["a", "c", "b", "d"]
#: How many times as patient the kit is with these plugins, where they are judged once more on a busy machine.
PATIENCE = float(os.environ.get("ASSETRY_KIT_PATIENCE", "1"))


class Process:
    """Be one process of the tool, stopped at the end whatever happens."""

    def __init__(self, command: list[str], context: RunContext) -> None:
        self._command = command
        self._context = context

    def __enter__(self) -> Process:
        self._process = subprocess.Popen(self._command, stdout=subprocess.PIPE, text=True)
        return self

    def steps(self) -> Iterator[Any]:
        import queue
        import threading

        lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        out = self._process.stdout
        assert out is not None

        def read() -> None:
            for line in out:
                lines.put(line)
            lines.put("")

        threading.Thread(target=read, daemon=True).start()
        while not self._context.cancelled:
            try:
                line = lines.get(timeout=0.05)
            except queue.Empty:
                continue
            if not line:
                self._process.wait()
                return
            yield json.loads(line)

    @property
    def code(self) -> int | None:
        return self._process.returncode

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self._process.terminate()
        self._process.wait()


class Good:
    """Run a command that makes tables, one process per invocation."""

    kind = "good"
    whole = False
    process = Process

    @hookimpl
    def assetry_load_assets(self, integration: Integration) -> Any:
        return self.load(integration) if integration.kind == self.kind else None

    def load(self, integration: Integration) -> Iterator[Asset]:
        for table in integration.options["tables"]:
            yield Asset(
                key=f"{integration.name}/{table}",
                kind=self.kind,
                deps=[f"{integration.name}/{each}" for each in NEEDS.get(table, ())],
                integration=integration,
                spec={"table": table},
                checks=(Check(f"{table}_has_rows"),),
            )

    @hookimpl
    def assetry_invocation_group(self, asset: Asset) -> InvocationGroup | None:
        assert asset.integration is not None
        return InvocationGroup(f"{self.kind}:{asset.integration.name}", whole=self.whole)

    @hookimpl
    def assetry_invocation_command(self, invocation: Invocation) -> str:
        return f"good make {' '.join(self.tables(invocation))}"

    @hookimpl
    def assetry_invoke(self, invocation: Invocation, context: RunContext) -> Iterator[Event]:
        context.secret("GOOD_PASSWORD")
        yield from self.steps(invocation, context)

    @hookimpl
    def assetry_observe(self, invocation: Invocation) -> Iterator[Event]:
        return (Observed(asset.key) for asset in invocation.assets)

    def tables(self, invocation: Invocation) -> list[str]:
        return [asset.spec["table"] for asset in (*invocation.assets, *invocation.also)]

    def steps(self, invocation: Invocation, context: RunContext) -> Iterator[Event]:
        command = [*invocation.integration.options["command"], *self.tables(invocation)]
        asked = {(ref.key, ref.check) for ref in invocation.checks}
        with self.process(command, context) as process:
            for step in process.steps():
                yield from self.told(f"{invocation.integration.name}/{step['name']}", step, asked)
        if not context.cancelled and process.code not in (0, 1):
            raise RunError(f"good ended with {process.code}.", hint="Look at its log.")

    def told(self, key: str, step: Any, asked: set[Any]) -> Iterator[Event]:
        if step["what"] == "started":
            yield Started(key)
        elif step["what"] == "made":
            yield Materialized(key, metadata={"rows": step["rows"]})
            name = f"{step['name']}_has_rows"
            if (key, name) in asked:
                yield Checked(key, name, True)
        elif step["what"] == "failed":
            yield Failed(key, step["message"], hint="Mend the table.")
        else:
            yield Skipped(key, step["message"])


class GoodService(Good):
    """Start a job of a service, follow it by polling, and come back to it by its id."""

    kind = "service"

    def tool(self, invocation: Invocation) -> FakeTool:
        return FakeTool(invocation.integration.options["folder"])

    def steps(self, invocation: Invocation, context: RunContext) -> Iterator[Event]:
        asked = {(ref.key, ref.check) for ref in invocation.checks}
        for step in self.job(self.tool(invocation), self.tables(invocation), context):
            if isinstance(step, Event):
                yield step
            else:
                yield from self.told(f"{invocation.integration.name}/{step['name']}", step, asked)

    def job(self, tool: FakeTool, names: list[str], context: RunContext) -> Iterator[Any]:
        job = context.resume or tool.start(names)
        seen = 0
        if context.resume:
            self.look(tool, job)
        try:
            yield Handle(job)
            while not context.cancelled:
                state, steps = tool.poll(job)
                yield from (step._asdict() for step in steps[seen:])
                if state != "running":
                    break
                if seen == len(steps):
                    time.sleep(0.005)
                seen = len(steps)
        finally:
            tool.cancel(job)
        if state == "died":
            raise RunError(f"Job {job} is gone.", hint="Look at the service's log.")

    def look(self, tool: FakeTool, job: str) -> None:
        """Raise an error when a job from before is over."""
        try:
            over = tool.look(job).state in ("died", "cancelled")
        except KeyError:
            over = True
        if over:
            raise JobOverError(f"Job {job} is over.", hint="Another one is started.")


SECRET = "correct horse battery"


def good(plugin: Any, **more: Any) -> IntegrationUnderTest:
    tool = FakeTool(needs=NEEDS)
    options = {"command": tool.command(), "folder": str(tool.folder), "tables": TABLES, **more.pop("options", {})}
    given: dict[str, Any] = {
        "integration": Integration("mill", getattr(plugin, "kind", "service"), options),
        "tool": tool,
        "secrets": {"GOOD_PASSWORD": SECRET},
    }
    return IntegrationUnderTest(plugin, **{**given, **more})


class TestGood(IntegrationConformance):
    subject = good(Good(), can={"resume": False}, refuses={"resume": "its process ends with ours"})
    caught = ""


class TestGoodService(IntegrationConformance):
    subject = good(GoodService())
    caught = ""


class ChecksOthers(GoodService):
    """Check an asset of another tool as well."""

    owned = True

    def load(self, integration: Integration) -> Iterator[Any]:
        yield from super().load(integration)
        owner = integration if self.owned else None
        yield AssetCheck(AssetKey("elsewhere/orders"), Check(f"{integration.name}_agrees"), owner)

    def steps(self, invocation: Invocation, context: RunContext) -> Iterator[Event]:
        yield from super().steps(invocation, context)
        for ref in invocation.checks:
            if ref.key == "elsewhere/orders":
                yield Checked(ref.key, ref.check, True)


class TestGoodAtChecksOfOthers(IntegrationConformance):
    subject = good(ChecksOthers(), refuses={"spawn": "checked above"})
    caught = ""


class Whole(GoodService):
    whole = True


class TestGoodWhole(IntegrationConformance):
    subject = good(Whole(), refuses={"subset": "the service syncs everything", "spawn": "checked above"})
    caught = ""


DAYS = ("2026-01-01", "2026-01-02")


class Mixed(GoodService):
    """Make days of some tables and, in the same job, others that have none."""

    def load(self, integration: Integration) -> Iterator[Asset]:
        for asset in super().load(integration):
            parted = asset.spec["table"] in ("b", "d")
            yield replace(asset, partitions_def=DailyPartitionsDefinition("2026-01-01") if parted else None)

    @hookimpl
    def assetry_invocation_group(self, asset: Asset) -> InvocationGroup | None:
        assert asset.integration is not None
        return InvocationGroup(f"{self.kind}:{asset.integration.name}", partitions="range", mixed=True)

    def steps(self, invocation: Invocation, context: RunContext) -> Iterator[Event]:
        parts = {asset.key: invocation.partitions_of(asset) for asset in invocation.assets}
        for event in super().steps(invocation, context):
            if isinstance(event, (Started, Materialized, Failed, Skipped)):
                yield from self.each(event, parts[event.key])
            else:
                yield event

    def each(self, event: Started | Materialized | Failed | Skipped, parts: tuple[str, ...]) -> Iterable[Event]:
        """Return an event of an asset as those of its partitions."""
        return [replace(event, partition=part) for part in parts or (None,)]


class TestGoodMixed(IntegrationConformance):
    subject = good(Mixed(), partitions=DAYS, refuses={"spawn": "checked above"})
    caught = ""


class Ranges(Mixed):
    """Tell of all days of a table at once."""

    def each(self, event: Started | Materialized | Failed | Skipped, parts: tuple[str, ...]) -> Iterable[Event]:
        return [replace(event, partition=parts[0], through=parts[-1]) if parts else event]


class TestGoodRanges(IntegrationConformance):
    subject = good(Ranges(), partitions=DAYS, refuses={"spawn": "checked above"})
    caught = ""


def bad(plugin: Any, **more: Any) -> IntegrationUnderTest:
    """Fill in a bad plugin; without a process of its own, which costs much and tells nothing new."""
    refuses = {"spawn": "checked with others", **more.pop("refuses", {})}
    return good(plugin, **{"refuses": refuses, "patience": 2.0 * PATIENCE, **more})


# -- definitions -----------------------------------------------------------------------------------------------------


class TestImportError(IntegrationConformance):
    """Its module cannot be imported."""

    def subject(self, folder: Path) -> IntegrationUnderTest:
        (folder / "broken_hooks.py").write_text("import a_tool_that_nobody_has\n")
        sys.path.insert(0, str(folder))
        return bad("broken_hooks")

    caught = "test_import_the_hook_module_without_errors"


class WrongArgument(GoodService):
    @hookimpl
    def assetry_invoke(self, invocation: Invocation, contxt: RunContext) -> Iterator[Event]:  # type: ignore[override]
        yield from self.steps(invocation, contxt)


class TestWrongArgument(IntegrationConformance):
    """It spells an argument of a hook in its own way."""

    subject = bad(WrongArgument())
    caught = "test_spell_hooks_and_arguments_as_the_core_does"


class WrongHook(GoodService):
    @hookimpl
    def assetry_io_ulr(self, integration: Integration) -> str:
        return "x:"


class TestWrongHook(IntegrationConformance):
    """It has a function named like a hook, which is none."""

    subject = bad(WrongHook())
    caught = "test_spell_hooks_and_arguments_as_the_core_does"


#: A hook module that offers what a plugin of this file does.
HOOKS = """\
{first}
import sys
from importlib.util import module_from_spec, spec_from_file_location
spec = spec_from_file_location("plugins_of_a_module", {file!r})
module = sys.modules[spec.name] = module_from_spec(spec)
spec.loader.exec_module(module)
plugin = module.{plugin}()
globals().update({{name: getattr(plugin, name) for name in dir(plugin) if name.startswith("assetry_")}})
"""


def hooks(folder: Path, name: str, plugin: str = "GoodService", first: str = "") -> str:
    """Write a hook module and return its name."""
    text = HOOKS.format(first=first, file=__file__, plugin=plugin)
    (folder / f"{name}.py").write_text(text)
    sys.path.insert(0, str(folder))
    return name


class TestHeavyImport(IntegrationConformance):
    """Its hook module imports the tool, which takes long."""

    def subject(self, folder: Path) -> IntegrationUnderTest:
        return bad(hooks(folder, "heavy_hooks", first="import wave"), heavy=["wave"])

    caught = "test_import_heavy_modules_inside_functions"


class MisleadsEditors(GoodService):
    ASSETRY_TABLES = MappingProxyType(
        {"bells": OptionTable(options={"tone": replace(TEXTS, json_schema={"enum": []})})}
    )


class TestMisleadsEditors(IntegrationConformance):
    """It tells editors less of an option than that takes."""

    subject = bad(MisleadsEditors())
    caught = "test_let_editors_refuse_nothing_that_you_take"


class Greedy(GoodService):
    @hookimpl
    def assetry_load_assets(self, integration: Integration) -> Any:
        return self.load(replace(integration, options={"tables": TABLES, **integration.options}))


class TestGreedy(IntegrationConformance):
    """It answers for every kind of integration."""

    subject = bad(Greedy())
    caught = "test_answer_none_to_what_is_not_yours"


class GeneratorHook(GoodService):
    @hookimpl
    def assetry_load_assets(self, integration: Integration) -> Any:
        if integration.kind == self.kind:
            yield from self.load(integration)


class TestGeneratorHook(IntegrationConformance):
    """Its `assetry_load_assets` has a `yield`, so it answers every question."""

    subject = bad(GeneratorHook())
    caught = "test_write_claiming_hooks_as_plain_functions"


class Finder(GoodService):
    @hookimpl
    def assetry_discover(self, root: str) -> Any:
        return [Integration("found", self.kind, {"tables": []}, root)]


class TestFinder(IntegrationConformance):
    """It discovers an integration in a folder where there is nothing."""

    subject = bad(Finder())
    caught = "test_discover_nothing_in_an_empty_folder"


class LiveObjects(GoodService):
    def load(self, integration: Integration) -> Iterator[Asset]:
        for asset in super().load(integration):
            yield replace(asset, spec={**asset.spec, "parts": (1, 2)})


class TestLiveObjects(IntegrationConformance):
    """The spec of its assets has a tuple, which JSON does not know."""

    subject = bad(LiveObjects())
    caught = "test_give_assets_that_are_plain_data"


class SameKeys(GoodService):
    def load(self, integration: Integration) -> Iterator[Asset]:
        yield from super().load(integration)
        yield next(super().load(integration))


class TestSameKeys(IntegrationConformance):
    """It loads two assets with one key."""

    subject = bad(SameKeys())
    caught = "test_give_each_asset_a_key_of_its_own"


class Ownerless(GoodService):
    def load(self, integration: Integration) -> Iterator[Asset]:
        first = Integration("mill", self.kind, {**integration.options, "own": True})
        yield from super().load(first)


class OwnerlessCheck(ChecksOthers):
    owned = False


class TestOwnerlessCheck(IntegrationConformance):
    """Its check of another tool's asset does not say whose check it is."""

    subject = bad(OwnerlessCheck())
    caught = "test_give_each_asset_its_integration_and_kind"


class TestOwnerless(IntegrationConformance):
    """It gives its assets an integration that it has changed."""

    subject = bad(Ownerless())
    caught = "test_give_each_asset_its_integration_and_kind"


class Forgetful(GoodService):
    """Load something else each time."""

    count = 0

    def load(self, integration: Integration) -> Iterator[Asset]:
        self.count += 1
        for asset in super().load(integration):
            yield replace(asset, description=f"loaded {self.count} times")


class TestForgetful(IntegrationConformance):
    """It loads something else each time."""

    subject = bad(Forgetful())
    caught = "test_load_the_same_twice"


class TestLoadsSlowly(IntegrationConformance):
    """Loading takes long (a warning; here the limit is nothing, and warnings are failures)."""

    pytestmark = pytest.mark.filterwarnings("error:.*loading takes.*")
    subject = bad(GoodService())
    caught = "test_load_quickly"

    @pytest.fixture(autouse=True)
    def _no_time_at_all(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("assetry.testing.integration.definitions.SLOW_LOAD", 0.0)


class OneGroup(GoodService):
    @hookimpl
    def assetry_invocation_group(self, asset: Asset) -> InvocationGroup:
        return InvocationGroup("service")


class TestOneGroup(IntegrationConformance):
    """All integrations of its kind have one group."""

    subject = bad(OneGroup())
    caught = "test_keep_two_integrations_of_one_kind_apart"


class UnstableGroup(GoodService):
    @hookimpl
    def assetry_invocation_group(self, asset: Asset) -> InvocationGroup:
        return InvocationGroup(f"service:{asset.integration.name}:{id(asset)}")  # type: ignore[union-attr]


class TestUnstableGroup(IntegrationConformance):
    """Its groups have the address of an object in their keys."""

    subject = bad(UnstableGroup())
    caught = "test_give_groups_that_are_stable_and_hashable"


class ChoiceOfNothing(GoodService):
    @hookimpl
    def assetry_invocation_group(self, asset: Asset) -> InvocationGroup:
        own = super().assetry_invocation_group(asset)
        assert own is not None
        return replace(own, choice=("tap", "target", "stream"))


class TestChoiceOfNothing(IntegrationConformance):
    """Its groups choose by fields that its assets do not have."""

    subject = bad(ChoiceOfNothing())
    caught = "test_give_groups_that_are_stable_and_hashable"


class NoGroup(GoodService):
    @hookimpl
    def assetry_invocation_group(self, asset: Asset) -> None:
        return None


class TestNoGroup(IntegrationConformance):
    """It puts nothing together, though its tool could run it in one go."""

    subject = bad(NoGroup())
    caught = "test_put_what_can_run_together_into_one_group"


class WordyCommand(GoodService):
    @hookimpl
    def assetry_invocation_command(self, invocation: Invocation) -> Any:
        return self.tables(invocation)


class TestShowsNoText(IntegrationConformance):
    """Its command is a list."""

    subject = bad(WordyCommand())
    caught = "test_show_a_command_that_people_can_read"


class HintOfNothing(GoodService):
    @hookimpl
    def assetry_gone_hint(self, asset: Asset) -> str:
        return " "


class TestHintsNothing(IntegrationConformance):
    """Its next step for what is gone is blank."""

    subject = bad(HintOfNothing())
    caught = "test_say_what_brings_back_what_is_gone"


class BlankNextStep(GoodService):
    @hookimpl
    def assetry_failure_hint(self, asset: Asset, failure: Attempt) -> str:
        return " "


class TestTellsABlankNextStep(IntegrationConformance):
    """Its next step after a failure is blank."""

    subject = bad(BlankNextStep())
    caught = "test_tell_the_next_step_after_a_failure_as_it_is_known"


# -- the stream ------------------------------------------------------------------------------------------------------


class Altered(GoodService):
    """Be a plugin whose events are changed on their way."""

    def __init__(self, change: Callable[[Event], Iterator[Any]] | None = None) -> None:
        self.change = change

    def steps(self, invocation: Invocation, context: RunContext) -> Iterator[Any]:
        for event in super().steps(invocation, context):
            yield from self.alter(event, context)

    def alter(self, event: Event, context: RunContext) -> Iterator[Any]:
        assert self.change is not None
        yield from self.change(event)


def of_c(event: Event) -> bool:
    return isinstance(event, Materialized) and event.key.name == "c"


class TestForgetsAnAsset(IntegrationConformance):
    """It says nothing of one asset."""

    subject = bad(Altered(lambda event: iter(() if of_c(event) else (event,))))
    caught = "test_end_every_asset_exactly_once"


class TestEndsAnAssetTwice(IntegrationConformance):
    """It says of one asset twice that it was made."""

    subject = bad(Altered(lambda event: iter((event, event) if of_c(event) else (event,))))
    caught = "test_end_every_asset_exactly_once"


class MixedUp(Mixed):
    def steps(self, invocation: Invocation, context: RunContext) -> Iterator[Event]:
        for event in GoodService.steps(self, invocation, context):
            if isinstance(event, (Started, Materialized, Failed, Skipped)):
                yield from (replace(event, partition=part) for part in invocation.partitions)
            else:
                yield event


class TestEndsPartitionsOfWhatHasNone(IntegrationConformance):
    """It ends partitions of assets that have none, beside others that have some."""

    subject = bad(MixedUp(), partitions=DAYS)
    caught = "test_end_every_asset_exactly_once"


class Backwards(Ranges):
    def each(self, event: Started | Materialized | Failed | Skipped, parts: tuple[str, ...]) -> Iterable[Event]:
        return super().each(event, parts[::-1])


class TestTellsRangesBackwards(IntegrationConformance):
    """It tells of a range of partitions from the last one to the first."""

    subject = bad(Backwards(), partitions=DAYS)
    caught = "test_tell_ranges_of_partitions_that_were_asked_for"


class TestTellsOfForeignAssets(IntegrationConformance):
    """It says that an asset was made that is not its own."""

    subject = bad(Altered(lambda event: iter((event, Materialized("others/x")) if of_c(event) else (event,))))
    caught = "test_tell_only_of_assets_that_were_asked_for"


class TestYieldsNoEvents(IntegrationConformance):
    """It yields a dict in between."""

    subject = bad(Altered(lambda event: iter((event, {"made": "c"}) if of_c(event) else (event,))))
    caught = "test_yield_nothing_but_events_of_tools"


class TestStartsAfterTheEnd(IntegrationConformance):
    """It says that an asset begins when it has ended."""

    @staticmethod
    def change(event: Event) -> Iterator[Event]:
        if isinstance(event, Materialized):
            yield from (event, Started(event.key))
        elif not isinstance(event, Started):
            yield event

    subject = bad(Altered(change))
    caught = "test_say_started_before_the_end"


class Backwards(GoodService):
    def tables(self, invocation: Invocation) -> list[str]:
        return super().tables(invocation)[::-1]


class TestMakesThingsBackwards(IntegrationConformance):
    """It makes assets before what they are made from."""

    subject = bad(Backwards(), refuses={"die": "it would die at once", "cancel": "it waits at once"})
    caught = "test_make_inputs_before_what_is_made_from_them"


class TestForgetsChecks(IntegrationConformance):
    """It says nothing of the checks that it was asked for."""

    subject = bad(Altered(lambda event: iter(() if isinstance(event, Checked) else (event,))))
    caught = "test_report_the_checks_that_were_asked_and_no_others"


class TestRunsOtherChecks(IntegrationConformance):
    """It runs a check that was not asked for."""

    subject = bad(Altered(lambda event: iter((event, Checked("mill/c", "x", True)) if of_c(event) else (event,))))
    caught = "test_report_the_checks_that_were_asked_and_no_others"


class TestUnpicklableEvents(IntegrationConformance):
    """There is a lock in the metadata of an event."""

    @staticmethod
    def change(event: Event) -> Iterator[Event]:
        yield replace(event, metadata={"lock": threading.Lock()}) if of_c(event) else event  # type: ignore[call-arg]

    subject = bad(Altered(change))
    caught = "test_yield_events_that_survive_pickling_and_json"


class TestBigMetadata(IntegrationConformance):
    """The metadata of an event are as large as a table."""

    @staticmethod
    def change(event: Event) -> Iterator[Event]:
        yield replace(event, metadata={"rows": "x" * 100_000}) if of_c(event) else event  # type: ignore[call-arg]

    subject = bad(Altered(change))
    caught = "test_keep_metadata_small"


class AllAtTheEnd(GoodService):
    def steps(self, invocation: Invocation, context: RunContext) -> Iterator[Event]:
        yield from list(super().steps(invocation, context))


class TestAllEventsAtTheEnd(IntegrationConformance):
    """It keeps all events to itself until the tool has ended."""

    subject = bad(AllAtTheEnd())
    caught = "test_yield_events_as_they_happen"


class OneByOne(GoodService):
    def job(self, tool: FakeTool, names: list[str], context: RunContext) -> Iterator[Any]:
        for name in names:
            yield from super().job(tool, [name], context)


class TestOneLaunchPerAsset(IntegrationConformance):
    """It launches the tool once for each asset."""

    subject = bad(OneByOne())
    caught = "test_launch_the_tool_once_per_invocation"


class IgnoresTheSubset(GoodService):
    """Make everything each time, and tell only of what was asked for."""

    def tables(self, invocation: Invocation) -> list[str]:
        return TABLES

    def steps(self, invocation: Invocation, context: RunContext) -> Iterator[Event]:
        asked = {asset.key for asset in invocation.assets}
        for event in super().steps(invocation, context):
            if getattr(event, "key", None) is None or event.key in asked:  # type: ignore[attr-defined]
                yield event


class TestIgnoresTheSubset(IntegrationConformance):
    """It makes everything, whatever was asked for."""

    subject = bad(IgnoresTheSubset())
    caught = "test_run_only_what_was_asked"


class SilentWhole(IgnoresTheSubset):
    whole = True


class TestSaysNothingOfTheRest(IntegrationConformance):
    """Its tool makes everything, and it is silent about what was not asked for."""

    subject = bad(SilentWhole(), refuses={"subset": "the service syncs everything"})
    caught = "test_run_only_what_was_asked"


class TestRefusesSubsetsWithoutSayingSo(IntegrationConformance):
    """Its tool makes everything, and its group does not say `whole`."""

    subject = bad(IgnoresTheSubset(), refuses={"subset": "the service syncs everything"})
    caught = "test_run_only_what_was_asked"


# -- failures and ends -----------------------------------------------------------------------------------------------


class TestRaisesHalfWay(IntegrationConformance):
    """It raises in the middle of a run, though the tool is well."""

    @staticmethod
    def change(event: Event) -> Iterator[Event]:
        if of_c(event):
            raise RuntimeError("boom")
        yield event

    subject = bad(Altered(change))
    caught = "test_run_without_raising"


class TestRaisesForAFailedAsset(IntegrationConformance):
    """It raises when one asset fails."""

    @staticmethod
    def change(event: Event) -> Iterator[Event]:
        if isinstance(event, Failed):
            raise RuntimeError(event.message)
        yield event

    subject = bad(Altered(change))
    caught = "test_report_a_failure_on_its_asset_with_message_and_hint"


class TestIsSilentAboutWhatIsSkipped(IntegrationConformance):
    """It says nothing of what could not be made because another asset has failed."""

    subject = bad(Altered(lambda event: iter(() if isinstance(event, Skipped) else (event,))))
    caught = "test_end_every_asset_when_one_fails"


class TestFailsItsChecks(IntegrationConformance):
    """It says that checks have failed which the tool has passed."""

    @staticmethod
    def change(event: Event) -> Iterator[Event]:
        yield replace(event, passed=False) if isinstance(event, Checked) else event

    subject = bad(Altered(change))
    caught = "test_work_in_a_project"


class TestFailsWithoutAHint(IntegrationConformance):
    """Its failures have no hint."""

    @staticmethod
    def change(event: Event) -> Iterator[Event]:
        yield replace(event, hint=None) if isinstance(event, Failed) else event

    subject = bad(Altered(change))
    caught = "test_report_a_failure_on_its_asset_with_message_and_hint"


class TestCallsAFailureMade(IntegrationConformance):
    """It says that an asset was made which has failed."""

    @staticmethod
    def change(event: Event) -> Iterator[Event]:
        yield Materialized(event.key) if isinstance(event, (Failed, Skipped)) else event

    subject = bad(Altered(change))
    caught = "test_report_a_failure_on_its_asset_with_message_and_hint"


class Optimist(Good):
    """Not look at how the process ended."""

    def steps(self, invocation: Invocation, context: RunContext) -> Iterator[Event]:
        try:
            yield from super().steps(invocation, context)
        except RunError:
            return


class TestDoesNotNoticeDeath(IntegrationConformance):
    """It does not look how its process ended, and a killed run is green."""

    subject = bad(Optimist(), refuses={"resume": "its process ends with ours"})
    caught = "test_keep_what_was_done_when_the_tool_dies"


class LeakingProcess(Process):
    def __exit__(self, *_: object) -> None:
        """Leave it running."""


class Leaky(Good):
    process = LeakingProcess


class TestLeaksItsProcess(IntegrationConformance):
    """It leaves the process of its tool running when its stream is closed."""

    subject = bad(Leaky(), refuses={"resume": "its process ends with ours"})
    caught = "test_stop_the_tool_when_the_stream_is_closed"


class Uncancelled:
    """A context that never looks cancelled."""

    cancelled = False

    def __init__(self, context: RunContext) -> None:
        self.resume = context.resume


class Deaf(GoodService):
    def job(self, tool: FakeTool, names: list[str], context: RunContext) -> Iterator[Any]:
        yield from super().job(tool, names, Uncancelled(context))  # type: ignore[arg-type]


class TestDoesNotLookAtCancelled(IntegrationConformance):
    """It never looks whether the run was cancelled."""

    subject = bad(Deaf())
    caught = "test_stop_when_the_run_is_cancelled"


class Restarting(GoodService):
    def job(self, tool: FakeTool, names: list[str], context: RunContext) -> Iterator[Any]:
        fresh = Uncancelled(context)
        fresh.resume = None
        yield from super().job(tool, names, fresh)  # type: ignore[arg-type]


class TestStartsTheJobAgain(IntegrationConformance):
    """It starts another job, though the one from before still runs."""

    subject = bad(Restarting(), refuses={"cancel": "checked above"})
    caught = "test_come_back_to_a_job_instead_of_starting_another"


class TestNeverHandsOverTheJob(IntegrationConformance):
    """It never tells the id of its job."""

    subject = bad(Altered(lambda event: iter(() if isinstance(event, Handle) else (event,))))
    caught = "test_come_back_to_a_job_instead_of_starting_another"


class TestRefusesToResumeButHandsOver(IntegrationConformance):
    """It tells the id of its job, and refuses to come back to it."""

    subject = bad(GoodService(), refuses={"resume": "no"})
    caught = "test_come_back_to_a_job_instead_of_starting_another"


class LeaksASecret(Altered):
    def alter(self, event: Event, context: RunContext) -> Iterator[Any]:
        yield event
        if of_c(event):
            yield Log(f"connected with {context.secret('GOOD_PASSWORD')}")


class TestLeaksASecret(IntegrationConformance):
    """It writes a password into the log of the run."""

    subject = bad(LeaksASecret())
    caught = "test_let_no_secret_out"


_FOLDERS: dict[str, str] = {}


class Global(GoodService):
    """Keep what a run needs in a global of the process that loaded the assets."""

    def load(self, integration: Integration) -> Iterator[Asset]:
        _FOLDERS[integration.name] = integration.options["folder"]
        yield from super().load(integration)

    def tool(self, invocation: Invocation) -> FakeTool:
        return FakeTool(_FOLDERS[invocation.integration.name])


class TestNeedsAGlobal(IntegrationConformance):
    """It keeps what a run needs in a global that a load fills."""

    subject = good(Global(), patience=3.0 * PATIENCE)
    caught = "test_run_in_another_process"


class Busy(GoodService):
    @hookimpl
    def assetry_observe(self, invocation: Invocation) -> Iterator[Event]:  # type: ignore[override]
        self.tool(invocation).start(["a"])
        yield Materialized(invocation.assets[0].key)


class TestRunsToObserve(IntegrationConformance):
    """It launches the tool in order to look."""

    subject = bad(Busy())
    caught = "test_observe_without_running_anything"


# -- what is remembered ----------------------------------------------------------------------------------------------


class LastLoad(GoodService):
    """Take the name of the integration from the last load."""

    last: Integration

    @hookimpl
    def assetry_load_assets(self, integration: Integration) -> Any:
        if integration.kind != self.kind:
            return None
        self.last = integration
        return list(self.load(integration))

    def steps(self, invocation: Invocation, context: RunContext) -> Iterator[Event]:
        yield from super().steps(replace(invocation, integration=self.last), context)


class TestRemembersTheLastLoad(IntegrationConformance):
    """It runs every invocation with the options of the integration that was loaded last."""

    subject = bad(LastLoad())
    caught = "test_keep_nothing_between_two_runs"


class GroupOfLastLoad(LastLoad):
    @hookimpl
    def assetry_invocation_group(self, asset: Asset) -> InvocationGroup:
        return InvocationGroup(f"service:{self.last.name}")

    def steps(self, invocation: Invocation, context: RunContext) -> Iterator[Event]:
        yield from GoodService.steps(self, invocation, context)


class TestGroupsByTheLastLoad(IntegrationConformance):
    """It gives every asset the group of the integration that was loaded last."""

    subject = bad(GroupOfLastLoad())
    caught = "test_compute_groups_from_the_asset_alone"


class AskedLast(GoodService):
    """Take the name of the integration from the asset that was asked for its group last."""

    asked: Asset

    @hookimpl
    def assetry_invocation_group(self, asset: Asset) -> InvocationGroup | None:
        self.asked = asset
        return super().assetry_invocation_group(asset)

    def steps(self, invocation: Invocation, context: RunContext) -> Iterator[Event]:
        yield from super().steps(replace(invocation, integration=self.asked.integration), context)


class TestRemembersTheLastQuestion(IntegrationConformance):
    """It runs every invocation with the options of the asset that was asked for its group last."""

    subject = bad(AskedLast())
    caught = "test_keep_nothing_between_two_runs"


class ToldOnce(GoodService):
    """Tell of each asset once, and never again."""

    def __init__(self) -> None:
        self.told_of: set[AssetKey] = set()

    def steps(self, invocation: Invocation, context: RunContext) -> Iterator[Event]:
        for event in super().steps(invocation, context):
            if isinstance(event, Checked) and event.key in self.told_of:
                continue
            yield event
        if not self.told_of:
            self.told_of |= {asset.key for asset in invocation.assets}


class TestRemembersWhatItTold(IntegrationConformance):
    """It does not tell again what it has told in an earlier run."""

    subject = bad(ToldOnce())
    caught = "test_keep_nothing_between_two_runs"


class LoadsOnce(GoodService):
    def __init__(self) -> None:
        self.known: dict[str, list[Asset]] = {}

    def load(self, integration: Integration) -> Iterator[Asset]:
        if integration.name not in self.known:
            self.known[integration.name] = list(super().load(integration))
        yield from self.known[integration.name]


class TestLoadsTheFirstForEver(IntegrationConformance):
    """It keeps what it has loaded by the integration's name, also when the options have changed."""

    subject = bad(LoadsOnce())
    caught = "test_load_what_the_options_say_now"


class Sharing(GoodService):
    def __init__(self) -> None:
        self.loads: list[int] = []

    def load(self, integration: Integration) -> Iterator[Asset]:
        self.loads.append(len(self.loads))
        for asset in super().load(integration):
            yield replace(asset, spec={**asset.spec, "loads": self.loads})


class TestChangesWhatItHandedOut(IntegrationConformance):
    """A list in its specs is one and the same in all loads, and grows with each."""

    subject = bad(Sharing())
    caught = "test_leave_alone_what_was_handed_out"


class EagerGlobal(Global):
    """Fill the global in the hook itself, so that the core does it whenever it asks whose an integration is."""

    @hookimpl
    def assetry_load_assets(self, integration: Integration) -> Any:
        return list(self.load(integration)) if integration.kind == self.kind else None


class TestNeedsALoadInItsProcess(IntegrationConformance):
    """It can run only where the integration was loaded in the same process."""

    subject = good(EagerGlobal(), patience=3.0 * PATIENCE)
    caught = "test_run_in_another_process"


class Selfish(LastLoad):
    """Remember on itself, by name, so that another load changes nothing."""

    def __init__(self) -> None:
        self.folders: dict[str, str] = {}

    @hookimpl
    def assetry_load_assets(self, integration: Integration) -> Any:
        if integration.kind != self.kind:
            return None
        self.folders[integration.name] = integration.options["folder"]
        return list(self.load(integration))

    def steps(self, invocation: Invocation, context: RunContext) -> Iterator[Event]:
        yield from GoodService.steps(self, invocation, context)

    def tool(self, invocation: Invocation) -> FakeTool:
        return FakeTool(self.folders[invocation.integration.name])


class TestNeedsALoadOfTheObject(IntegrationConformance):
    """It keeps what a run needs on the plugin object, where a load has put it."""

    subject = good(Selfish(), patience=3.0 * PATIENCE)
    caught = "test_run_in_another_process"


class RandomKeys(GoodService):
    def load(self, integration: Integration) -> Iterator[Asset]:
        for asset in super().load(integration):
            yield replace(asset, key=f"{asset.key}-{uuid4().hex}")  # type: ignore[arg-type]


class TestRandomKeys(IntegrationConformance):
    """The keys of its assets have random parts."""

    subject = bad(RandomKeys())
    caught = "test_load_the_same_twice"


class HashedVersion(GoodService):
    def load(self, integration: Integration) -> Iterator[Asset]:
        for asset in super().load(integration):
            yield replace(asset, code_version=str(hash(asset.spec["table"])))


class TestHashesDifferentlyElsewhere(IntegrationConformance):
    """It makes code versions with `hash()`, which is another one in each process."""

    subject = good(HashedVersion(), patience=3.0 * PATIENCE)
    caught = "test_define_the_same_in_another_process"


class HashedGroup(GoodService):
    @hookimpl
    def assetry_invocation_group(self, asset: Asset) -> InvocationGroup:
        return InvocationGroup(f"service:{hash(asset.integration.name)}")  # type: ignore[union-attr]


class TestGroupsDifferentlyElsewhere(IntegrationConformance):
    """It makes the keys of groups with `hash()`, which is another one in each process."""

    subject = good(HashedGroup(), patience=3.0 * PATIENCE)
    caught = "test_define_the_same_in_another_process"


# -- jobs that are over ----------------------------------------------------------------------------------------------


class StartsAgain(GoodService):
    """Start another job by itself when the one from before is over."""

    def job(self, tool: FakeTool, names: list[str], context: RunContext) -> Iterator[Any]:
        try:
            if context.resume:
                self.look(tool, context.resume)
        except JobOverError:
            context.resume = None
        yield from super().job(tool, names, context)


class TestGoodAtStartingAgain(IntegrationConformance):
    subject = good(StartsAgain(), refuses={"spawn": "checked above"})
    caught = ""


class Patient(GoodService):
    """Poll a job that is over, again and again."""

    def look(self, tool: FakeTool, job: str) -> None:
        try:
            super().look(tool, job)
        except JobOverError:
            while True:
                time.sleep(0.01)


class TestWaitsForADeadJob(IntegrationConformance):
    """It waits for ever for a job that has died."""

    subject = bad(Patient())
    caught = "test_let_go_of_a_job_that_is_over"


class Circling(GoodService):
    def look(self, tool: FakeTool, job: str) -> None:
        try:
            super().look(tool, job)
        except JobOverError as error:
            raise RunError("The service does not know that job.") from error


class TestRaisesForADeadJob(IntegrationConformance):
    """It raises for a job that has died, so that every retry comes back to that job and raises."""

    subject = bad(Circling())
    caught = "test_let_go_of_a_job_that_is_over"


class GreenGrave(GoodService):
    """Say of a job that is over that it has made everything."""

    def steps(self, invocation: Invocation, context: RunContext) -> Iterator[Event]:
        try:
            if context.resume:
                self.look(self.tool(invocation), context.resume)
        except JobOverError:
            yield from (Materialized(asset.key) for asset in invocation.assets)
            return
        yield from super().steps(invocation, context)


class TestIsGreenAfterDeath(IntegrationConformance):
    """It says of a job that has died that it has made everything."""

    subject = bad(GreenGrave())
    caught = "test_let_go_of_a_job_that_is_over"


class SilentGrave(GreenGrave):
    def steps(self, invocation: Invocation, context: RunContext) -> Iterator[Event]:
        for event in super().steps(invocation, context):
            if not (isinstance(event, Materialized) and "rows" not in event.metadata):
                yield event


class TestSaysNothingOfADeadJob(IntegrationConformance):
    """It ends without a word when its job has died."""

    subject = bad(SilentGrave())
    caught = "test_let_go_of_a_job_that_is_over"


class Unbelieving(GoodService):
    """Believe that every token is one of a job that is there, and take its answer for a fault."""

    def look(self, tool: FakeTool, job: str) -> None:
        if tool.look(job).state in ("died", "cancelled"):
            raise JobOverError(f"Job {job} is over.")


class TestKnowsNoForeignToken(IntegrationConformance):
    """It raises an error of its own for a token that names nothing."""

    subject = bad(Unbelieving())
    caught = "test_let_go_of_a_job_that_is_over"


# -- all or nothing --------------------------------------------------------------------------------------------------


class HalfAtomic(GoodService):
    """Say that all or nothing is made, and then what is made as if it were not so."""

    @hookimpl
    def assetry_invocation_group(self, asset: Asset) -> InvocationGroup:
        return InvocationGroup(f"service:{asset.integration.name}", atomic=True)  # type: ignore[union-attr]


class Streaming(HalfAtomic):
    """Say what is made when it is, and stop at the first failure."""

    def steps(self, invocation: Invocation, context: RunContext) -> Iterator[Event]:
        failed = False
        for event in super().steps(invocation, context):
            failed = failed or isinstance(event, Failed)
            undone = failed and isinstance(event, Materialized)
            yield Skipped(event.key, "everything was undone") if undone else event  # type: ignore[attr-defined]


class TestGoodAtUndoing(IntegrationConformance):
    subject = good(Streaming(), refuses={"spawn": "checked above"})
    caught = ""


class Atomic(HalfAtomic):
    """Say at the end what was made: everything, or nothing."""

    def steps(self, invocation: Invocation, context: RunContext) -> Iterator[Event]:
        kept = []
        for event in super().steps(invocation, context):
            if isinstance(event, Handle):
                yield event
            elif not isinstance(event, Started):  # which is optional
                kept.append(event)
        failed = [event for event in kept if isinstance(event, Failed)]
        for event in kept:
            if not failed or isinstance(event, (Failed, Skipped)):
                yield event
            elif isinstance(event, Materialized):
                yield Skipped(event.key, "everything was undone")


class TestGoodAtAllOrNothing(IntegrationConformance):
    subject = good(Atomic(), refuses={"spawn": "checked above"})
    caught = ""


class TestTellsOfAHalf(IntegrationConformance):
    """It says that it makes all or nothing, and says of assets that they were made when another one has failed."""

    subject = bad(HalfAtomic())
    caught = "test_make_the_others_when_one_fails"


# -- secrets ---------------------------------------------------------------------------------------------------------


class SecretOfOptions(Altered):
    def alter(self, event: Event, context: RunContext) -> Iterator[Any]:
        shown = {"login": f"bob:{context.secret('MILL_PASSWORD_OF_THE_KIT')}"}
        yield replace(event, metadata=shown) if of_c(event) else event  # type: ignore[call-arg]


class TestSecretThatOptionsReferTo(IntegrationConformance):
    """The metadata of an event have a password that its options refer to; the test does not name it."""

    subject = bad(SecretOfOptions(), options={"password": {"env": "MILL_PASSWORD_OF_THE_KIT"}})
    caught = "test_let_no_secret_out"


class SecretInBase64(Altered):
    def alter(self, event: Event, context: RunContext) -> Iterator[Any]:
        header = b64encode(f"bob:{context.secret('GOOD_PASSWORD')}".encode()).decode()
        yield replace(event, metadata={"Authorization": header}) if of_c(event) else event  # type: ignore[call-arg]


class TestSecretInBase64(IntegrationConformance):
    """The metadata of an event have a password in base64."""

    subject = bad(SecretInBase64())
    caught = "test_let_no_secret_out"


class SecretInCommand(GoodService):
    @hookimpl
    def assetry_invocation_command(self, invocation: Invocation) -> str:
        return f"mill --url https://bob:{quote(SECRET)}@mill.example.com"


class TestSecretInTheCommand(IntegrationConformance):
    """Its command shows a password as a part of a URL."""

    subject = bad(SecretInCommand())
    caught = "test_let_no_secret_out"


class SecretInAsset(GoodService):
    def load(self, integration: Integration) -> Iterator[Asset]:
        for asset in super().load(integration):
            yield replace(asset, spec={**asset.spec, "password": SECRET})


class TestSecretInAnAsset(IntegrationConformance):
    """The spec of its assets has a password."""

    subject = bad(SecretInAsset())
    caught = "test_let_no_secret_out"


class SecretInLogs(Altered):
    def alter(self, event: Event, context: RunContext) -> Iterator[Any]:
        logging.getLogger("good").debug("connected with %s", context.secret("GOOD_PASSWORD"))
        yield event


class TestSecretInPythonsLog(IntegrationConformance):
    """It writes a password into Python's log, for those who look closely."""

    subject = bad(SecretInLogs())
    caught = "test_let_no_secret_out"


class SecretPrinted(Altered):
    def alter(self, event: Event, context: RunContext) -> Iterator[Any]:
        print("connected with", context.secret("GOOD_PASSWORD"))
        yield event


class TestSecretIsPrinted(IntegrationConformance):
    """It prints a password."""

    subject = bad(SecretPrinted())
    caught = "test_let_no_secret_out"


class SecretInPanel(GoodService):
    @hookimpl
    def assetry_panels(self, asset: Asset) -> Any:
        return [Panel(title="mill", links={"log in": f"https://mill.example.com?password={quote_plus(SECRET)}"})]


class TestSecretInAPanel(IntegrationConformance):
    """Its panels have a link with a password."""

    subject = bad(SecretInPanel())
    caught = "test_let_no_secret_out"


class SecretInError(GoodService):
    def steps(self, invocation: Invocation, context: RunContext) -> Iterator[Event]:
        try:
            yield from super().steps(invocation, context)
        except JobOverError:
            raise
        except RunError as error:
            raise RunError(error.message) from ValueError(f"no access for bob:{SECRET}")


class TestSecretInAnError(IntegrationConformance):
    """The cause of an error has a password."""

    subject = bad(SecretInError())
    caught = "test_let_no_secret_out"


# -- what never ends -------------------------------------------------------------------------------------------------


def hang() -> Any:
    """Wait for what never comes: a lock, a server, a prompt."""
    while True:
        time.sleep(0.05)


def spin() -> Any:
    while True:
        pass


def never(hook: str, work: Callable[[], Any], lazily: bool = False) -> Any:
    """Return a plugin with a hook that does not return; `lazily` means in the iteration of its answer."""

    class Never(GoodService):
        pass

    def late() -> Iterator[Any]:
        yield work()

    names = ", ".join(signature(getattr(specs, hook)).parameters)
    answer = (lambda: late()) if lazily else work
    space = {"answer": answer, "kind": GoodService.kind}
    ours = "if integration.kind != kind: return None" if hook == "assetry_load_assets" else "pass"
    exec(f"def {hook}(self, {names}):\n  {ours}\n  return answer()", space)
    setattr(Never, hook, hookimpl(space[hook]))
    return Never()


class TestHangsInImport(IntegrationConformance):
    """Its hook module waits for something while it is imported."""

    def subject(self, folder: Path) -> IntegrationUnderTest:
        text = "import time\nfor _ in range(1200): time.sleep(0.05)"
        return bad(hooks(folder, "hanging_hooks", first=text))

    caught = "test_import_the_hook_module_without_errors"


class TestHangsInLoad(IntegrationConformance):
    """It waits for ever while it loads."""

    subject = bad(never("assetry_load_assets", hang))
    caught = "test_load_assets_without_raising"


class TestHangsInALazyLoad(IntegrationConformance):
    """The generator that it loads with waits for ever."""

    subject = bad(never("assetry_load_assets", hang, lazily=True))
    caught = "test_load_assets_without_raising"


class TestSpinsInLoad(IntegrationConformance):
    """It is in an endless loop while it loads."""

    subject = bad(never("assetry_load_assets", spin))
    caught = "test_load_assets_without_raising"


class TestHangsInGroup(IntegrationConformance):
    """It waits for ever when it is asked for a group."""

    subject = bad(never("assetry_invocation_group", hang))
    caught = "test_give_groups_that_are_stable_and_hashable"


class TestHangsInCommand(IntegrationConformance):
    """It waits for ever when it is asked for its command."""

    subject = bad(never("assetry_invocation_command", hang))
    caught = "test_show_a_command_that_people_can_read"


class TestHangsInInvoke(IntegrationConformance):
    """It waits for ever before its first event."""

    subject = bad(never("assetry_invoke", hang, lazily=True))
    caught = "test_run_without_raising"


class TestSpinsInInvoke(IntegrationConformance):
    """It is in an endless loop before its stream begins."""

    subject = bad(never("assetry_invoke", spin))
    caught = "test_run_without_raising"


class TestHangsInObserve(IntegrationConformance):
    """It waits for ever when it is asked to look."""

    subject = bad(never("assetry_observe", hang, lazily=True))
    caught = "test_observe_without_running_anything"


class TestHangsInPanels(IntegrationConformance):
    """It waits for ever when it is asked for panels."""

    subject = bad(never("assetry_panels", hang))
    caught = "test_tell_more_of_assets_without_raising"


class Clinging(GoodService):
    def job(self, tool: FakeTool, names: list[str], context: RunContext) -> Iterator[Any]:
        try:
            yield from super().job(tool, names, context)
        except GeneratorExit:
            hang()


class TestHangsInClose(IntegrationConformance):
    """It waits for ever when its stream is closed."""

    subject = bad(Clinging())
    caught = "test_stop_the_tool_when_the_stream_is_closed"


class Parent(Process):
    """Read to the end of a pipe that a process of the process holds open."""

    def __enter__(self) -> Process:
        child = "import subprocess, sys; subprocess.Popen(['sleep', '20']); sys.exit(subprocess.call(sys.argv[1:]))"
        self._command = [sys.executable, "-S", "-E", "-c", child, *self._command]
        return super().__enter__()


class Pipes(Good):
    process = Parent


class TestWaitsForAPipe(IntegrationConformance):
    """It reads the output of its tool to the end, and a process that the tool has started holds it open."""

    subject = bad(Pipes(), refuses={"resume": "its process ends with ours"})
    caught = "test_run_without_raising"


# -- what raises, in any hook, at any moment ---------------------------------------------------------------------------


def boom() -> Any:
    raise ValueError("boom")


class TestRaisesInLoad(IntegrationConformance):
    """It raises while it loads."""

    subject = bad(never("assetry_load_assets", boom))
    caught = "test_load_assets_without_raising"


class TestRaisesInALazyLoad(IntegrationConformance):
    """The generator that it loads with raises."""

    subject = bad(never("assetry_load_assets", boom, lazily=True))
    caught = "test_load_assets_without_raising"


class TestExitsInLoad(IntegrationConformance):
    """It ends the program while it loads."""

    subject = bad(never("assetry_load_assets", sys.exit))
    caught = "test_load_assets_without_raising"


class TestLoadsTexts(IntegrationConformance):
    """It loads texts instead of assets."""

    subject = bad(never("assetry_load_assets", lambda: ["a", "b"]))
    caught = "test_load_assets_without_raising"


class TestLoadsNothing(IntegrationConformance):
    """It loads no assets, and does not say why."""

    subject = bad(never("assetry_load_assets", list))
    caught = "test_load_assets_without_raising"


class TestRaisesInGroup(IntegrationConformance):
    """It raises when it is asked for a group."""

    subject = bad(never("assetry_invocation_group", boom))
    caught = "test_give_groups_that_are_stable_and_hashable"


class TestGroupsByText(IntegrationConformance):
    """Its groups are texts."""

    subject = bad(never("assetry_invocation_group", lambda: "mill"))
    caught = "test_give_groups_that_are_stable_and_hashable"


class TestRaisesInCommand(IntegrationConformance):
    """It raises when it is asked for its command."""

    subject = bad(never("assetry_invocation_command", boom))
    caught = "test_show_a_command_that_people_can_read"


class TestRaisesAtOnce(IntegrationConformance):
    """It raises when it is called, before there is a stream."""

    subject = bad(never("assetry_invoke", boom))
    caught = "test_run_without_raising"


class TestRaisesBeforeTheFirstEvent(IntegrationConformance):
    """It raises before its first event."""

    subject = bad(never("assetry_invoke", boom, lazily=True))
    caught = "test_run_without_raising"


class TestExitsInInvoke(IntegrationConformance):
    """It ends the program in the middle of a run."""

    subject = bad(never("assetry_invoke", sys.exit, lazily=True))
    caught = "test_run_without_raising"


class TestStreamsNothing(IntegrationConformance):
    """It returns nothing where a stream is expected."""

    subject = bad(never("assetry_invoke", lambda: None))
    caught = "test_run_without_raising"


class Closing(GoodService):
    def steps(self, invocation: Invocation, context: RunContext) -> Iterator[Event]:
        try:
            yield from super().steps(invocation, context)
        except GeneratorExit:
            raise ValueError("boom") from None


class TestRaisesInClose(IntegrationConformance):
    """It raises when its stream is closed."""

    subject = bad(Closing())
    caught = "test_stop_the_tool_when_the_stream_is_closed"


class Ending(GoodService):
    def steps(self, invocation: Invocation, context: RunContext) -> Iterator[Event]:
        yield from super().steps(invocation, context)
        raise KeyError("boom")


class TestRaisesAtTheEnd(IntegrationConformance):
    """It raises when everything was made."""

    subject = bad(Ending())
    caught = "test_run_without_raising"


class TestRaisesInObserve(IntegrationConformance):
    """It raises when it is asked to look."""

    subject = bad(never("assetry_observe", boom, lazily=True))
    caught = "test_observe_without_running_anything"


class DeletesOnce(GoodService):
    @hookimpl
    def assetry_delete(self, record: Any) -> str:
        if record.key in (gone := self.__dict__.setdefault("gone", set())):
            raise RunError(f"{record.key} is not there.")
        gone.add(record.key)
        return f"the table of {record.key}"


class TestDeletesOnce(IntegrationConformance):
    """It raises when what it is to delete is not there any more."""

    subject = bad(DeletesOnce())
    caught = "test_delete_what_nothing_defines_any_more"


class TestSaysYes(IntegrationConformance):
    """It returns True when it has deleted something, and not what that was."""

    subject = bad(never("assetry_delete", lambda: True))
    caught = "test_delete_what_nothing_defines_any_more"


class TestRaisesInIOURL(IntegrationConformance):
    """It raises when it is asked where its tables stand."""

    subject = bad(never("assetry_io_url", boom))
    caught = "test_tell_more_of_assets_without_raising"


class TestNamesAPath(IntegrationConformance):
    """It gives a path where a URL is expected."""

    subject = bad(never("assetry_io_url", lambda: Path("warehouse.duckdb")))
    caught = "test_tell_more_of_assets_without_raising"


class TestRaisesInPanels(IntegrationConformance):
    """It raises when it is asked for panels."""

    subject = bad(never("assetry_panels", boom))
    caught = "test_tell_more_of_assets_without_raising"


class TestShowsHTML(IntegrationConformance):
    """Its panels are HTML."""

    subject = bad(never("assetry_panels", lambda: ["<b>mill</b>"]))
    caught = "test_tell_more_of_assets_without_raising"


class TestRaisesInNamedSelections(IntegrationConformance):
    """It raises when it is asked for the selections that its files name."""

    subject = bad(never("assetry_named_selections", boom))
    caught = "test_tell_more_of_assets_without_raising"


class TestWarnsInWords(IntegrationConformance):
    """Its warnings are texts, of which nobody knows what they are about."""

    subject = bad(never("assetry_warnings", lambda: ["mill/flour is old"]))
    caught = "test_tell_more_of_assets_without_raising"


class TestRaisesInNotes(IntegrationConformance):
    """It raises when a plan is shown."""

    subject = bad(never("assetry_invocation_notes", boom, lazily=True))
    caught = "test_tell_more_of_assets_without_raising"


class TestRaisesInDiscover(IntegrationConformance):
    """It raises when it is asked what there is in a folder."""

    subject = bad(never("assetry_discover", boom))
    caught = "test_discover_nothing_in_an_empty_folder"


class TestRaisesInAddCommands(IntegrationConformance):
    """It raises when it may add commands."""

    subject = bad(never("assetry_add_commands", boom))
    caught = "test_add_commands_that_can_be_called"


class TestRaisesInCommandOptions(IntegrationConformance):
    """It raises when it is asked for options of commands."""

    subject = bad(never("assetry_command_options", boom, lazily=True))
    caught = "test_add_to_the_program_without_raising"


class TestRaisesAtEvents(IntegrationConformance):
    """It raises when it hears of an event."""

    subject = bad(never("assetry_event", boom))
    caught = "test_add_to_the_program_without_raising"


class TestRaisesAtValues(IntegrationConformance):
    """It raises when it is asked about a value that is not its own."""

    subject = bad(never("assetry_value_metadata", boom))
    caught = "test_add_to_the_program_without_raising"


class TestRaisesForAHint(IntegrationConformance):
    """It raises when it is asked for a hint about a selection."""

    subject = bad(never("assetry_selection_hint", boom))
    caught = "test_add_to_the_program_without_raising"


def refused() -> Any:
    raise ValueError(f"no access with {SECRET}")


class TestRaisesWithASecret(IntegrationConformance):
    """It raises an error with a password while it loads; what the kit prints of it has none."""

    subject = bad(never("assetry_load_assets", refused))
    caught = "test_load_assets_without_raising"
