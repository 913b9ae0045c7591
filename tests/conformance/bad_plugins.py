"""Two good plugins, and one for each way to be bad: what the kit must let pass, and what it must catch.

A check without a plugin that fails it is not a check; so these are kept for ever. Each bad plugin is a good one with
one fault, and its test class says in `caught` which checks find that, no more and no fewer. The classes are run by
test_kit.py and not collected by themselves.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import pytest
from assetry.plugin import (
    Asset,
    AssetCheck,
    AssetKey,
    Check,
    Checked,
    Event,
    Failed,
    Handle,
    Integration,
    Invocation,
    InvocationGroup,
    Log,
    Materialized,
    Observed,
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


def good(plugin: Any, **more: Any) -> IntegrationUnderTest:
    tool = FakeTool(needs=NEEDS)
    options = {"command": tool.command(), "folder": str(tool.folder), "tables": TABLES}
    given: dict[str, Any] = {
        "integration": Integration("mill", getattr(plugin, "kind", "service"), options),
        "tool": tool,
        "secrets": {"GOOD_PASSWORD": "correct horse battery"},
    }
    return IntegrationUnderTest(plugin, **{**given, **more})


class TestGood(IntegrationConformance):
    subject = good(Good(), can={"resume": False}, refuses={"resume": "its process ends with ours"})
    caught: ClassVar[set[str]] = set()


class TestGoodService(IntegrationConformance):
    subject = good(GoodService())
    caught: ClassVar[set[str]] = set()


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
    caught: ClassVar[set[str]] = set()


class Whole(GoodService):
    whole = True


class TestGoodWhole(IntegrationConformance):
    subject = good(Whole(), refuses={"subset": "the service syncs everything", "spawn": "checked above"})
    caught: ClassVar[set[str]] = set()


def bad(plugin: Any, **more: Any) -> IntegrationUnderTest:
    """Fill in a bad plugin; without a process of its own, which costs much and tells nothing new."""
    refuses = {"spawn": "checked with others", **more.pop("refuses", {})}
    return good(plugin, **{"refuses": refuses, "patience": 2.0, **more})


# -- definitions -----------------------------------------------------------------------------------------------------

#: All checks of integrations that need a plugin that can be loaded.
NEED_ASSETS = "every check that needs assets"


class TestImportError(IntegrationConformance):
    """Its module cannot be imported."""

    def subject(self, folder: Path) -> IntegrationUnderTest:
        (folder / "broken_hooks.py").write_text("import a_tool_that_nobody_has\n")
        sys.path.insert(0, str(folder))
        return bad("broken_hooks")

    caught: ClassVar[set[str]] = {
        "test_import_the_hook_module_without_errors",
        "test_spell_hooks_and_arguments_as_the_core_does",
        "test_import_heavy_modules_inside_functions",
        NEED_ASSETS,
    }


class WrongArgument(GoodService):
    @hookimpl
    def assetry_invoke(self, invocation: Invocation, contxt: RunContext) -> Iterator[Event]:  # type: ignore[override]
        yield from self.steps(invocation, contxt)


class TestWrongArgument(IntegrationConformance):
    subject = bad(WrongArgument())
    caught: ClassVar[set[str]] = {
        "test_import_the_hook_module_without_errors",
        "test_spell_hooks_and_arguments_as_the_core_does",
        NEED_ASSETS,
    }


class WrongHook(GoodService):
    @hookimpl
    def assetry_io_ulr(self, integration: Integration) -> str:
        return "x:"


class TestWrongHook(IntegrationConformance):
    subject = bad(WrongHook())
    caught: ClassVar[set[str]] = {"test_spell_hooks_and_arguments_as_the_core_does"}


class TestHeavyImport(IntegrationConformance):
    """Its hook module imports the tool, which takes long."""

    def subject(self, folder: Path) -> IntegrationUnderTest:
        text = "import wave\nfrom assetry.plugin import hookimpl\n@hookimpl\ndef assetry_io_url(integration): ...\n"
        (folder / "heavy_hooks.py").write_text(text)
        sys.path.insert(0, str(folder))
        return bad("heavy_hooks", heavy=["wave"])

    caught: ClassVar[set[str]] = {"test_import_heavy_modules_inside_functions", NEED_ASSETS}


class Greedy(GoodService):
    @hookimpl
    def assetry_load_assets(self, integration: Integration) -> Any:
        return self.load(replace(integration, options={"tables": TABLES, **integration.options}))


class TestGreedy(IntegrationConformance):
    subject = bad(Greedy())
    caught: ClassVar[set[str]] = {"test_answer_none_to_what_is_not_yours"}


class GeneratorHook(GoodService):
    @hookimpl
    def assetry_load_assets(self, integration: Integration) -> Any:
        if integration.kind == self.kind:
            yield from self.load(integration)


class TestGeneratorHook(IntegrationConformance):
    subject = bad(GeneratorHook())
    caught: ClassVar[set[str]] = {
        "test_write_claiming_hooks_as_plain_functions",
        "test_answer_none_to_what_is_not_yours",
    }


class Finder(GoodService):
    @hookimpl
    def assetry_discover(self, root: str) -> Any:
        return [Integration("found", self.kind, {"tables": []}, root)]


class TestFinder(IntegrationConformance):
    subject = bad(Finder())
    caught: ClassVar[set[str]] = {"test_discover_nothing_in_an_empty_folder"}


class LiveObjects(GoodService):
    def load(self, integration: Integration) -> Iterator[Asset]:
        for asset in super().load(integration):
            yield replace(asset, spec={**asset.spec, "parts": (1, 2)})


class TestLiveObjects(IntegrationConformance):
    subject = bad(LiveObjects())
    caught: ClassVar[set[str]] = {"test_give_assets_that_are_plain_data"}


class SameKeys(GoodService):
    def load(self, integration: Integration) -> Iterator[Asset]:
        yield from super().load(integration)
        yield next(super().load(integration))


class TestSameKeys(IntegrationConformance):
    subject = bad(SameKeys())
    caught: ClassVar[set[str]] = {"test_give_each_asset_a_key_of_its_own", NEED_ASSETS}


class Ownerless(GoodService):
    def load(self, integration: Integration) -> Iterator[Asset]:
        first = Integration("mill", self.kind, {**integration.options, "own": True})
        yield from super().load(first)


class OwnerlessCheck(ChecksOthers):
    owned = False


class TestOwnerlessCheck(IntegrationConformance):
    subject = bad(OwnerlessCheck())
    caught: ClassVar[set[str]] = {
        "test_give_each_asset_its_integration_and_kind",
        "test_keep_two_integrations_of_one_kind_apart",
    }


class TestOwnerless(IntegrationConformance):
    subject = bad(Ownerless())
    caught: ClassVar[set[str]] = {
        "test_give_each_asset_its_integration_and_kind",
        "test_keep_two_integrations_of_one_kind_apart",
    }


class Forgetful(GoodService):
    """Load something else each time."""

    count = 0

    def load(self, integration: Integration) -> Iterator[Asset]:
        self.count += 1
        for asset in super().load(integration):
            yield replace(asset, description=f"loaded {self.count} times")


class TestForgetful(IntegrationConformance):
    subject = bad(Forgetful())
    caught: ClassVar[set[str]] = {"test_load_the_same_twice", "test_keep_two_integrations_of_one_kind_apart"}


class TestLoadsSlowly(IntegrationConformance):
    """Any load is slow where the limit is nothing; it is a warning, which only this class takes for a failure."""

    pytestmark = pytest.mark.filterwarnings("error:.*loading takes.*")
    subject = bad(GoodService())
    caught: ClassVar[set[str]] = {"test_load_quickly"}

    @pytest.fixture(autouse=True)
    def _no_time_at_all(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("assetry.testing.integration.SLOW_LOAD", 0.0)


class OneGroup(GoodService):
    @hookimpl
    def assetry_invocation_group(self, asset: Asset) -> InvocationGroup:
        return InvocationGroup("service")


class TestOneGroup(IntegrationConformance):
    subject = bad(OneGroup())
    caught: ClassVar[set[str]] = {"test_keep_two_integrations_of_one_kind_apart"}


class UnstableGroup(GoodService):
    @hookimpl
    def assetry_invocation_group(self, asset: Asset) -> InvocationGroup:
        return InvocationGroup(f"service:{asset.integration.name}:{id(asset)}")  # type: ignore[union-attr]


class TestUnstableGroup(IntegrationConformance):
    subject = bad(UnstableGroup())
    caught: ClassVar[set[str]] = {"test_give_groups_that_are_stable_and_hashable", NEED_ASSETS}


class NoGroup(GoodService):
    @hookimpl
    def assetry_invocation_group(self, asset: Asset) -> None:
        return None


class TestNoGroup(IntegrationConformance):
    subject = bad(NoGroup())
    caught: ClassVar[set[str]] = {"test_put_what_can_run_together_into_one_group", NEED_ASSETS}


class WordyCommand(GoodService):
    @hookimpl
    def assetry_invocation_command(self, invocation: Invocation) -> Any:
        return self.tables(invocation)


class TestShowsNoText(IntegrationConformance):
    subject = bad(WordyCommand())
    caught: ClassVar[set[str]] = {"test_show_a_command_that_people_can_read"}


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
    subject = bad(Altered(lambda event: iter(() if of_c(event) else (event,))))
    caught: ClassVar[set[str]] = {
        "test_end_every_asset_exactly_once",
        "test_end_every_asset_when_one_fails",
        "test_make_the_others_when_one_fails",
        "test_keep_what_was_done_when_the_tool_dies",
        "test_come_back_to_a_job_instead_of_starting_another",
        "test_work_in_a_project",
    }


class TestEndsAnAssetTwice(IntegrationConformance):
    subject = bad(Altered(lambda event: iter((event, event) if of_c(event) else (event,))))
    caught: ClassVar[set[str]] = {"test_end_every_asset_exactly_once"}


class TestTellsOfForeignAssets(IntegrationConformance):
    subject = bad(Altered(lambda event: iter((event, Materialized("others/x")) if of_c(event) else (event,))))
    caught: ClassVar[set[str]] = {"test_tell_only_of_assets_that_were_asked_for"}


class TestYieldsNoEvents(IntegrationConformance):
    subject = bad(Altered(lambda event: iter((event, {"made": "c"}) if of_c(event) else (event,))))
    caught: ClassVar[set[str]] = {
        "test_yield_nothing_but_events_of_tools",
        "test_yield_events_that_survive_pickling_and_json",
    }


class TestStartsAfterTheEnd(IntegrationConformance):
    @staticmethod
    def change(event: Event) -> Iterator[Event]:
        if isinstance(event, Materialized):
            yield from (event, Started(event.key))
        elif not isinstance(event, Started):
            yield event

    subject = bad(Altered(change))
    caught: ClassVar[set[str]] = {"test_say_started_before_the_end"}


class Backwards(GoodService):
    def tables(self, invocation: Invocation) -> list[str]:
        return super().tables(invocation)[::-1]


class TestMakesThingsBackwards(IntegrationConformance):
    subject = bad(Backwards(), refuses={"die": "it would die at once", "cancel": "it waits at once"})
    caught: ClassVar[set[str]] = {
        "test_make_inputs_before_what_is_made_from_them",
        "test_yield_events_as_they_happen",
        "test_make_the_others_when_one_fails",
    }


class TestForgetsChecks(IntegrationConformance):
    subject = bad(Altered(lambda event: iter(() if isinstance(event, Checked) else (event,))))
    caught: ClassVar[set[str]] = {"test_report_the_checks_that_were_asked_and_no_others", "test_work_in_a_project"}


class TestRunsOtherChecks(IntegrationConformance):
    subject = bad(Altered(lambda event: iter((event, Checked("mill/c", "x", True)) if of_c(event) else (event,))))
    caught: ClassVar[set[str]] = {"test_report_the_checks_that_were_asked_and_no_others"}


class TestUnpicklableEvents(IntegrationConformance):
    @staticmethod
    def change(event: Event) -> Iterator[Event]:
        yield replace(event, metadata={"lock": threading.Lock()}) if of_c(event) else event  # type: ignore[call-arg]

    subject = bad(Altered(change))
    caught: ClassVar[set[str]] = {"test_yield_events_that_survive_pickling_and_json"}


class TestBigMetadata(IntegrationConformance):
    @staticmethod
    def change(event: Event) -> Iterator[Event]:
        yield replace(event, metadata={"rows": "x" * 100_000}) if of_c(event) else event  # type: ignore[call-arg]

    subject = bad(Altered(change))
    caught: ClassVar[set[str]] = {"test_keep_metadata_small"}


class AllAtTheEnd(GoodService):
    def steps(self, invocation: Invocation, context: RunContext) -> Iterator[Event]:
        yield from list(super().steps(invocation, context))


class TestAllEventsAtTheEnd(IntegrationConformance):
    subject = bad(AllAtTheEnd())
    caught: ClassVar[set[str]] = {
        "test_yield_events_as_they_happen",
        "test_keep_what_was_done_when_the_tool_dies",
        "test_stop_the_tool_when_the_stream_is_closed",
        "test_come_back_to_a_job_instead_of_starting_another",
    }


class OneByOne(GoodService):
    def job(self, tool: FakeTool, names: list[str], context: RunContext) -> Iterator[Any]:
        for name in names:
            yield from super().job(tool, [name], context)


class TestOneLaunchPerAsset(IntegrationConformance):
    subject = bad(OneByOne())
    caught: ClassVar[set[str]] = {
        "test_launch_the_tool_once_per_invocation",
        "test_make_the_others_when_one_fails",
        "test_come_back_to_a_job_instead_of_starting_another",
        "test_work_in_a_project",
    }


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
    subject = bad(IgnoresTheSubset())
    caught: ClassVar[set[str]] = {"test_run_only_what_was_asked"}


class SilentWhole(IgnoresTheSubset):
    whole = True


class TestSaysNothingOfTheRest(IntegrationConformance):
    subject = bad(SilentWhole(), refuses={"subset": "the service syncs everything"})
    caught: ClassVar[set[str]] = {"test_run_only_what_was_asked"}


class TestRefusesSubsetsWithoutSayingSo(IntegrationConformance):
    subject = bad(IgnoresTheSubset(), refuses={"subset": "the service syncs everything"})
    caught: ClassVar[set[str]] = {"test_run_only_what_was_asked"}


# -- failures and ends -----------------------------------------------------------------------------------------------


class TestRaisesHalfWay(IntegrationConformance):
    @staticmethod
    def change(event: Event) -> Iterator[Event]:
        if of_c(event):
            raise RuntimeError("boom")
        yield event

    subject = bad(Altered(change))
    caught: ClassVar[set[str]] = {
        "test_run_without_raising",
        "test_end_every_asset_exactly_once",
        "test_report_the_checks_that_were_asked_and_no_others",
        "test_report_a_failure_on_its_asset_with_message_and_hint",
        "test_make_the_others_when_one_fails",
        "test_end_every_asset_when_one_fails",
        "test_keep_what_was_done_when_the_tool_dies",
        "test_come_back_to_a_job_instead_of_starting_another",
        "test_yield_events_as_they_happen",
        "test_work_in_a_project",
    }


class TestRaisesForAFailedAsset(IntegrationConformance):
    @staticmethod
    def change(event: Event) -> Iterator[Event]:
        if isinstance(event, Failed):
            raise RuntimeError(event.message)
        yield event

    subject = bad(Altered(change))
    caught: ClassVar[set[str]] = {
        "test_report_a_failure_on_its_asset_with_message_and_hint",
        "test_make_the_others_when_one_fails",
        "test_end_every_asset_when_one_fails",
    }


class TestFailsWithoutAHint(IntegrationConformance):
    @staticmethod
    def change(event: Event) -> Iterator[Event]:
        yield replace(event, hint=None) if isinstance(event, Failed) else event

    subject = bad(Altered(change))
    caught: ClassVar[set[str]] = {"test_report_a_failure_on_its_asset_with_message_and_hint"}


class TestCallsAFailureMade(IntegrationConformance):
    @staticmethod
    def change(event: Event) -> Iterator[Event]:
        yield Materialized(event.key) if isinstance(event, (Failed, Skipped)) else event

    subject = bad(Altered(change))
    caught: ClassVar[set[str]] = {
        "test_report_a_failure_on_its_asset_with_message_and_hint",
        "test_make_the_others_when_one_fails",
    }


class Optimist(Good):
    """Not look at how the process ended."""

    def steps(self, invocation: Invocation, context: RunContext) -> Iterator[Event]:
        try:
            yield from super().steps(invocation, context)
        except RunError:
            return


class TestDoesNotNoticeDeath(IntegrationConformance):
    subject = bad(Optimist(), refuses={"resume": "its process ends with ours"})
    caught: ClassVar[set[str]] = {"test_keep_what_was_done_when_the_tool_dies"}


class LeakingProcess(Process):
    def __exit__(self, *_: object) -> None:
        """Leave it running."""


class Leaky(Good):
    process = LeakingProcess


class TestLeaksItsProcess(IntegrationConformance):
    subject = bad(Leaky(), refuses={"resume": "its process ends with ours"})
    caught: ClassVar[set[str]] = {
        "test_stop_the_tool_when_the_stream_is_closed",
        "test_stop_when_the_run_is_cancelled",
    }


class Uncancelled:
    """A context that never looks cancelled."""

    cancelled = False

    def __init__(self, context: RunContext) -> None:
        self.resume = context.resume


class Deaf(GoodService):
    def job(self, tool: FakeTool, names: list[str], context: RunContext) -> Iterator[Any]:
        yield from super().job(tool, names, Uncancelled(context))  # type: ignore[arg-type]


class TestDoesNotLookAtCancelled(IntegrationConformance):
    subject = bad(Deaf())
    caught: ClassVar[set[str]] = {"test_stop_when_the_run_is_cancelled"}


class Restarting(GoodService):
    def job(self, tool: FakeTool, names: list[str], context: RunContext) -> Iterator[Any]:
        fresh = Uncancelled(context)
        fresh.resume = None
        yield from super().job(tool, names, fresh)  # type: ignore[arg-type]


class TestStartsTheJobAgain(IntegrationConformance):
    subject = bad(Restarting(), refuses={"cancel": "checked above"})
    caught: ClassVar[set[str]] = {"test_come_back_to_a_job_instead_of_starting_another"}


class TestNeverHandsOverTheJob(IntegrationConformance):
    subject = bad(Altered(lambda event: iter(() if isinstance(event, Handle) else (event,))))
    caught: ClassVar[set[str]] = {"test_come_back_to_a_job_instead_of_starting_another"}


class TestRefusesToResumeButHandsOver(IntegrationConformance):
    subject = bad(GoodService(), refuses={"resume": "no"})
    caught: ClassVar[set[str]] = {"test_come_back_to_a_job_instead_of_starting_another"}


class LeaksASecret(Altered):
    def alter(self, event: Event, context: RunContext) -> Iterator[Any]:
        yield event
        if of_c(event):
            yield Log(f"connected with {context.secret('GOOD_PASSWORD')}")


class TestLeaksASecret(IntegrationConformance):
    subject = bad(LeaksASecret())
    caught: ClassVar[set[str]] = {"test_let_no_secret_out"}


_FOLDERS: dict[str, str] = {}


class Global(GoodService):
    """Keep what a run needs in a global of the process that loaded the assets."""

    def load(self, integration: Integration) -> Iterator[Asset]:
        _FOLDERS[integration.name] = integration.options["folder"]
        yield from super().load(integration)

    def tool(self, invocation: Invocation) -> FakeTool:
        return FakeTool(_FOLDERS[invocation.integration.name])


class TestNeedsAGlobal(IntegrationConformance):
    subject = good(Global(), patience=2.0)
    caught: ClassVar[set[str]] = {"test_run_in_another_process"}


class Busy(GoodService):
    @hookimpl
    def assetry_observe(self, invocation: Invocation) -> Iterator[Event]:  # type: ignore[override]
        self.tool(invocation).start(["a"])
        yield Materialized(invocation.assets[0].key)


class TestRunsToObserve(IntegrationConformance):
    subject = bad(Busy())
    caught: ClassVar[set[str]] = {"test_observe_without_running_anything"}
