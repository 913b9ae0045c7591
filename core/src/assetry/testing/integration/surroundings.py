"""Checks of what an integration does around its runs: secrets, other processes, observation, panels, a project."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from assetry.hooks.answers import fault, first_fault
from assetry.testing.integration.bench import Bench
from assetry.testing.integration.comparison import first_difference, is_end, named
from assetry.testing.loading import called
from assetry.testing.secrecy import betrayed
from assetry.testing.verdicts import ADVICE, asked, chained, needs
from assetry.testing.watching import Lines
from assetry.types.assets import Asset
from assetry.types.codec import to_json
from assetry.types.events import TERMINAL, Failed, Materialized, Skipped
from assetry.types.hooks.panels import Panel, PanelContext
from assetry.types.records import Attempt, Materialization, Origin
from assetry.types.warnings import AssetWarning

#: The names of terminal events, as JSON has them.
ENDS = tuple(kind.json_tag[1] for kind in (Materialized, Failed, Skipped))
#: Panels are asked of so many assets.
_SHOWN = 20


class SurroundingChecks:
    """Checks of what else an integration promises."""

    @needs("test_put_what_can_run_together_into_one_group")
    def test_tell_more_of_assets_without_raising(self, bench: Bench) -> None:
        for hook, kind in (("assetry_io_url", str), ("assetry_named_selections", Mapping)):
            function = bench.implementation(hook)
            if function is not None:
                answer = bench.ask(hook, lambda ask=function: called(ask, {"integration": bench.integration}))  # type: ignore[misc]
                wrong = None if answer is None else fault(answer, kind)
                assert wrong is None, f"{hook} {wrong}: {ADVICE[hook]}"
        for hook, kind, arguments in questions(bench):
            function = bench.implementation(hook)
            given = bench.ask(hook, lambda ask=function, given=arguments: list(called(ask, given) or ()))  # type: ignore[misc]
            wrong = first_fault(given, kind)
            assert wrong is None, f"{hook} {wrong}: {ADVICE[hook]}"
        for asset, shown in panels(bench):
            wrong = first_fault(shown, Panel)
            assert wrong is None, f"assetry_panels {wrong}, asked about {asset.key}: {ADVICE['assetry_panels']}"

    @needs("test_run_without_raising", "test_tell_more_of_assets_without_raising",
           "test_show_a_command_that_people_can_read", "test_observe_without_running_anything")  # fmt: skip
    def test_let_no_secret_out(self, bench: Bench) -> None:
        for place, text in told(bench):
            found = betrayed(text, bench.secrets)
            assert found is None, f"{found} stands in {place}: keep the name, never the value"

    @needs("test_end_every_asset_exactly_once", "test_keep_nothing_between_two_runs",
           "test_launch_the_tool_once_per_invocation")  # fmt: skip
    def test_run_in_another_process(self, bench: Bench) -> None:
        if "spawn" in bench.refused:
            return
        here = Counter((event.name, str(event.key)) for event in bench.plain.of(*TERMINAL))
        events = bench.in_another_process["events"]
        ends = Counter((each["event"], each["asset"]) for each in events if each["event"] in ENDS)
        assert ends == here, (
            f"in another process the same invocation ends as {dict(ends)}, here as {dict(here)}: take everything from "
            "the invocation, the context and the environment"
        )

    @needs("test_run_in_another_process", "test_load_the_same_twice")
    def test_define_the_same_in_another_process(self, bench: Bench) -> None:
        if "spawn" in bench.refused:
            return
        found = bench.in_another_process
        # Loaded anew: the tool may have been changed since, as when one of its assets was broken.
        here = [json.loads(json.dumps(to_json(each))) for each in bench.load()]
        there = json.loads(json.dumps(found["definitions"]))
        assert here == there, (
            f"another process loads other assets, beginning with {first_difference(here, there)}: leave out random "
            "names, the order of sets, hash() of texts and what this process alone knows"
        )
        executable = [asset for asset in bench.assets if asset.executable]
        for asset, there_group in zip(executable, found["groups"], strict=True):
            group = to_json(bench.group(asset))
            if group != there_group:
                what = first_difference(
                    [{"key": asset.key, "group": group}], [{"key": asset.key, "group": there_group}]
                )
                raise AssertionError(
                    f"another process computes other groups, {what}: compute them from the asset, without hash(), id() "
                    "or what was loaded before"
                )

    @needs("test_put_what_can_run_together_into_one_group")
    def test_observe_without_running_anything(self, bench: Bench) -> None:
        events, launches, _ = bench.observed
        for event in events:
            assert not is_end(event), f"assetry_observe yields {event.name}: it looks and makes nothing, yield Observed"
        assert launches == 0, "assetry_observe launched the tool: it is to look, not to run"

    @needs("test_put_what_can_run_together_into_one_group")
    def test_say_what_brings_back_what_is_gone(self, bench: Bench) -> None:
        hint = bench.gone_hint()
        assert hint is None or hint.strip(), f"the hint is {hint!r}: return None where the asset is made anew as usual"

    @needs("test_put_what_can_run_together_into_one_group")
    def test_tell_the_next_step_after_a_failure_as_it_is_known(self, bench: Bench) -> None:
        told: Any = {"run": "kit", "outcome": "failed", "message": "It broke.", "hint": "Mend it."}
        failure = Attempt(key=bench.last.key, at=datetime.now(UTC), **told)
        hint = bench.ask("assetry_failure_hint", lambda: bench.plugins.failure_hint(bench.last, failure))
        assert hint is None or hint.strip(), (
            f"the hint is {hint!r}: return None to keep what was told, and an empty text where nothing is to be done"
        )

    @needs("test_end_every_asset_exactly_once", "test_keep_nothing_between_two_runs")
    def test_delete_what_nothing_defines_any_more(self, bench: Bench) -> None:
        if bench.implementation("assetry_delete") is None:
            return
        bench.plain  # noqa: B018 - what is to be deleted is there then
        last = bench.last
        origin = Origin(last.kind, bench.integration.name, last.relation, view=last.computed_on_read, kept=last.kept)
        record = Materialization(key=last.key, at=datetime.now(UTC), run="kit", data_version="1", origin=origin)
        for _ in range(2):  # the second time it is not there any more
            context, _ = bench.context()
            with Lines():
                bench.ask(
                    "assetry_delete",
                    lambda given=context: bench.plugins.delete(record, bench.integration, None, given),  # type: ignore[misc]
                )

    @needs("test_end_every_asset_exactly_once", "test_launch_the_tool_once_per_invocation",
           "test_report_the_checks_that_were_asked_and_no_others", "test_tell_only_of_assets_that_were_asked_for",
           "test_yield_events_that_survive_pickling_and_json", "test_keep_metadata_small",
           "test_make_inputs_before_what_is_made_from_them", "test_keep_nothing_between_two_runs",
           "test_tell_more_of_assets_without_raising", "test_show_a_command_that_people_can_read",
           "test_stop_the_tool_when_the_stream_is_closed", "test_add_to_the_program_without_raising")  # fmt: skip
    def test_work_in_a_project(self, bench: Bench) -> None:
        def made() -> tuple[int, Any]:
            with bench.project() as project:
                planned = len([each for each in project.plan().invocations if not each.invocation.partitions])
                # Partitions are asked for one by one, which the other checks do.
                return planned, None if bench.subject.partitions else project.materialize()

        planned, result = asked("a project with this integration", made, bench.left)
        if result is None:
            return
        problems = [attempt.message for attempt in result.outcomes.values() if attempt.outcome == "failed"]
        assert result.ok, f"a project with this integration ends as {result.run.state}: {problems}"
        launches = bench.tool.launches
        assert launches <= planned, f"{planned} invocations launched the tool {launches} times"


def questions(bench: Bench) -> Iterator[tuple[str, Any, dict[str, Any]]]:
    """Yield the hooks that answer with a list of the integration's own assets, of what, and what they are asked."""
    if bench.implementation("assetry_warnings") is not None:
        readers = {asset.key: () for asset in bench.assets}
        now = datetime.now(UTC)
        asked = {"integration": bench.integration, "assets": bench.assets, "readers": readers}
        asked |= {"elsewhere": [], "now": now}
        yield "assetry_warnings", AssetWarning, asked
    if bench.implementation("assetry_invocation_notes") is not None:
        yield "assetry_invocation_notes", str, {"invocation": bench.main}


def panels(bench: Bench) -> Iterator[tuple[Asset, list[Any]]]:
    """Yield assets, one of somebody else's among them, and the panels that the plugin shows of each."""
    function = bench.implementation("assetry_panels")
    if function is None:
        return
    now = datetime.now(UTC)
    for asset in (*bench.assets[:_SHOWN], Asset(key="elsewhere/orders", kind="elsewhere", executable=False)):
        made = Materialization(key=asset.key, at=now, run="kit", data_version="1")
        tried = Attempt(key=asset.key, run="kit", at=now, outcome="failed", message="it failed")
        for context in (PanelContext(), PanelContext(materialization=made, attempt=tried)):
            arguments = {"asset": asset, "context": context}
            yield asset, bench.ask("assetry_panels", lambda given=arguments: list(called(function, given) or ()))  # type: ignore[misc]


def told(bench: Bench) -> Iterator[tuple[str, str]]:
    """Yield every text that an integration gives away, and where it stands."""
    for each in bench.definitions:
        yield f"the definition of {named(each)}", repr(each) + json.dumps(to_json(each))
    with Lines() as said:
        for asset in bench.assets:
            yield f"the group of {asset.key}", repr(bench.group(asset)) if asset.executable else ""
        yield "the command", str(bench.command())
        for asset, shown in panels(bench):
            yield f"a panel of {asset.key}", repr(shown)
        yield "a note on the main invocation", repr(bench.plugins.invocation_notes(bench.main))
    seen, _, lines = bench.observed
    yield "an event of an observation", repr(seen)
    yield "what is logged or printed in an observation", "\n".join(lines)
    yield "what is logged or printed while assets are loaded, or the error of a load", "\n".join(bench.load_texts)
    yield "what is logged or printed while questions are answered", "\n".join(said.texts)
    for which, run in runs(bench).items():
        for event in run.events:
            yield f"an event of {which}, {type(event).__name__}", repr(event)
        yield f"the error of {which}", chained(run.error)
        yield f"what is logged or printed in {which}", "\n".join(run.lines)


def runs(bench: Bench) -> dict[str, Any]:
    """Return the recordings that there are, each with the words that tell which it is."""
    found = {"a run": bench.plain}
    with suppress(AssertionError):  # what does not end is told by another check
        found["a run with a failure"] = bench.broken
    if "die" not in bench.refused:
        with suppress(AssertionError):
            found["a run whose tool died"] = bench.dead
    return found
