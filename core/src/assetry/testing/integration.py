"""Conformance of an integration: what `assetry_load_assets`, its group and `assetry_invoke` promise.

The checks look at the stream as the plugin gives it, before the core mends it: the core would hide what is missing.
Each check is named after what an author has to do.
"""

from __future__ import annotations

import json
import pickle
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, ClassVar

import pytest

from assetry.errors import PluginError
from assetry.testing.bench import SLOW_LOAD, Bench, assets_in, expected, is_end, named, told
from assetry.testing.child import ChildError, elsewhere, run_invocation
from assetry.testing.loading import module_of
from assetry.testing.plugin import Kit, PluginConformance, portable
from assetry.testing.subjects import INTEGRATION_CAPABILITIES, IntegrationUnderTest
from assetry.testing.watching import Recording, Watch, eventually
from assetry.types.assets import Asset, AssetCheck
from assetry.types.codec import from_json, to_json
from assetry.types.events import TERMINAL, Checked, Event, Failed, Handle, Materialized, Observed, Skipped, Started
from assetry.types.fields import misfit
from assetry.types.invocations import CheckRef, InvocationGroup

#: The most bytes of JSON that the metadata of one event, or of one asset, may have: every reader of a run's log
#: reads them. Larger things are kept as values, and pointed at.
METADATA_LIMIT = 64 * 1024


class IntegrationConformance(PluginConformance):
    """Checks to inherit; fill in `subject`: an `IntegrationUnderTest`, or a method that makes one in an empty folder.

    >>> from assetry.plugin import Integration
    >>> from assetry.testing import FakeTool
    >>> class TestAcme(IntegrationConformance):
    ...     subject = IntegrationUnderTest(
    ...         "assetry_acme.plugin",
    ...         integration=Integration("mill", "acme", {"tables": ["a", "b", "c"]}),
    ...         tool=FakeTool(),
    ...         can={"subset": True, "cancel": True, "resume": False},
    ...         refuses={"resume": "its command dies with us"},
    ...     )
    """

    capabilities: ClassVar[Mapping[str, str]] = INTEGRATION_CAPABILITIES

    @pytest.fixture
    def bench(self, assetry_kit: Kit, filled: IntegrationUnderTest) -> Iterator[Bench]:
        """Return the bench of the class, its tool as good as new."""
        bench: Bench = assetry_kit.once("bench", lambda: Bench(filled, assetry_kit.folder))
        bench.prepare()
        try:
            yield bench
        finally:
            bench.clean()

    # -- definitions -------------------------------------------------------------------------------------------------

    def test_give_assets_that_are_plain_data(self, bench: Bench) -> None:
        assert bench.assets, "assetry_load_assets gives no assets for the integration that was filled in"
        for each in bench.definitions:
            wrong = misfit(each)
            assert wrong is None, f"{named(each)} has a value of a wrong type: its {wrong}"
            assert pickled(each) == each, f"{named(each)} is another one after pickling: put only plain data into it"
            told = to_json(each)
            assert from_json(type(each), json.loads(json.dumps(told))) == each, (
                f"{named(each)} is another one after JSON: spec, facets, metadata and options may hold text, numbers, "
                "booleans, None, lists and dicts with text as keys"
            )
        for asset in bench.assets:
            size = len(json.dumps(to_json(asset.metadata)))
            assert size <= METADATA_LIMIT, f"{asset.key} has {size} bytes of metadata; {METADATA_LIMIT} are allowed"

    def test_give_each_asset_a_key_of_its_own(self, bench: Bench) -> None:
        twice = repeated(asset.key for asset in bench.assets)
        assert not twice, f"two assets have the key {twice[0]}: put the integration's or the folder's name before it"

    def test_give_each_asset_its_integration_and_kind(self, bench: Bench) -> None:
        for each in bench.definitions:
            assert each.integration == bench.integration, (
                f"{named(each)} has integration={each.integration!r}: give it the one that was asked for, unchanged, "
                "or it cannot be known which plugin runs it"
            )
        for asset in bench.assets:
            assert asset.kind, f"{asset.key} has no kind"

    def test_load_the_same_twice(self, bench: Bench) -> None:
        first, second = bench.load(), bench.load()
        assert first == second, (
            "loading twice gives different assets: leave out times, random names and the order of sets; "
            f"the first difference is at {differing(first, second)}"
        )

    def test_load_quickly(self, bench: Bench) -> None:
        seconds = bench.load_seconds
        if seconds > SLOW_LOAD:
            # A busy machine is slow, too: how long it takes is told, and fails nothing.
            warnings.warn(
                f"{bench.integration.name}: loading takes {seconds:.1f} seconds, and every command of assetry loads: "
                "keep what was read, and read again only what has changed",
                stacklevel=1,
            )

    def test_keep_two_integrations_of_one_kind_apart(self, bench: Bench) -> None:
        mine, others = bench.load(), bench.load(bench.another)
        assert mine == bench.load(), "loading another integration changes the first one: keep no state between calls"
        assert all(each.integration == bench.another for each in others), (
            "the assets of the second integration carry the first one: take it from the argument, not from a global"
        )
        own = {group.key for group in map(bench.group, assets_in(mine)) if group is not None}
        shared = own & {group.key for group in map(bench.group, assets_in(others)) if group is not None}
        assert not shared, f"both integrations have the group {sorted(shared)[0]!r}: put integration.name into its key"

    # -- groups ------------------------------------------------------------------------------------------------------

    def test_give_groups_that_are_stable_and_hashable(self, bench: Bench) -> None:
        for asset in bench.assets:
            if not asset.executable:
                continue
            one, two = bench.group(asset), bench.group(pickled(asset))
            assert one is None or isinstance(one, InvocationGroup), f"the group of {asset.key} is {one!r}"
            assert one == two, f"the group of {asset.key} is {one!r} once and {two!r} then: compute it from the asset"
            assert hash(one) == hash(two), f"the group of {asset.key} has two hashes: use text and numbers in it"

    def test_put_what_can_run_together_into_one_group(self, bench: Bench) -> None:
        if "collapse" in bench.refused:
            return
        count = len(bench.main.assets)
        assert count >= 3, (
            f"the largest invocation makes {count} assets: give equal group keys to what one launch makes"
        )

    def test_show_a_command_that_people_can_read(self, bench: Bench) -> None:
        try:
            command = bench.plugins.invocation_command(bench.main)
        except PluginError as error:
            raise AssertionError(f"{error.message} Return it as one line, as it would be typed") from error
        assert command is None or command.strip(), f"the command is {command!r}: return None when there is none"

    # -- the stream, when all goes well ------------------------------------------------------------------------------

    def test_run_without_raising(self, bench: Bench) -> None:
        error = bench.plain.error
        assert error is None, f"assetry_invoke raised {type(error).__name__} though the tool was well: {error}"
        failed = bench.plain.of(Failed)
        assert not failed, f"{failed[0].key} failed though the tool was well: {failed[0].message}"

    def test_launch_the_tool_once_per_invocation(self, bench: Bench) -> None:
        launches = bench.plain.launches
        assert launches == 1, (
            f"one invocation of {len(bench.main.assets)} assets launched the tool {launches} times: run them all in "
            "one go, or give them groups of their own"
        )

    def test_yield_nothing_but_events_of_tools(self, bench: Bench) -> None:
        for event in (*bench.plain.events, *bench.broken.events):
            assert isinstance(event, Event), f"the stream has a {type(event).__name__}: yield events"
            assert hasattr(event, "key") or isinstance(event, Handle), f"{event.name} is for the core to say"

    def test_end_every_asset_exactly_once(self, bench: Bench) -> None:
        ends = bench.plain.ends()
        twice = repeated(ends)
        assert not twice, f"{twice[0][0]} ends twice: yield one of Materialized, Failed and Skipped for each asset"
        forgotten = [key for key in expected(bench) if key not in set(ends)]
        assert not forgotten, (
            f"{forgotten[0][0]} never ends: yield Materialized, Failed or Skipped for each of invocation.assets"
        )

    def test_tell_only_of_assets_that_were_asked_for(self, bench: Bench) -> None:
        asked = {asset.key for asset in (*bench.main.assets, *bench.main.also)}
        for event in bench.plain.of(Started, *TERMINAL):
            assert event.key in asked, (
                f"{event.name} tells of {event.key}, which was not asked for: use the keys of invocation.assets"
            )

    def test_say_started_before_the_end(self, bench: Bench) -> None:
        for key, _ in bench.plain.ends():
            started, made = bench.plain.position(Started, key), bench.plain.position(Materialized, key)
            assert started is None or made is None or started < made, f"{key} is made before it is started"

    def test_make_inputs_before_what_is_made_from_them(self, bench: Bench) -> None:
        place = {key: i for i, (key, _) in enumerate(bench.plain.ends())}
        for asset in bench.main.assets:
            for dep in asset.deps:
                early = dep.key not in place or asset.key not in place or place[dep.key] < place[asset.key]
                assert early, f"{asset.key} ends before {dep.key}, which it is made from: make them in the order given"

    def test_report_the_checks_that_were_asked_and_no_others(self, bench: Bench) -> None:
        told = [CheckRef(event.key, event.check) for event in bench.plain.of(Checked)]
        asked = set(bench.main.checks)
        for ref in told:
            assert ref in asked, f"check {ref.check} of {ref.key} was run without being asked for"
        for ref in bench.main.checks:
            assert ref in told, f"nothing was said of check {ref.check} of {ref.key}: yield Checked for it"

    def test_yield_events_that_survive_pickling_and_json(self, bench: Bench) -> None:
        for event in (*bench.plain.events, *bench.broken.events):
            try:
                same = pickled(event) == event and from_json(Event, json.loads(json.dumps(to_json(event)))) == event
            except Exception as error:
                raise AssertionError(
                    f"{type(event).__name__} cannot be pickled and told as JSON ({error}): put only plain data into it"
                ) from error
            assert same, f"{event} is another one after pickling or JSON: put only plain data into it"

    def test_keep_metadata_small(self, bench: Bench) -> None:
        for event in bench.plain.of(Materialized, Observed, Checked):
            size = len(repr(event.metadata))
            assert size <= METADATA_LIMIT, (
                f"the metadata of {event.key} have {size} bytes, and {METADATA_LIMIT} are allowed: keep the value with "
                "context.save, and tell of it"
            )

    # -- streaming ---------------------------------------------------------------------------------------------------

    def test_yield_events_as_they_happen(self, bench: Bench) -> None:
        if "stream" in bench.refused or "collapse" in bench.refused:
            return
        bench.tool.hold(bench.last)
        context, _ = bench.context()
        watch = bench.watch(bench.main, context)
        assert eventually(lambda: bench.tool.holding or watch.ended, bench.left), (
            "the tool never came to its last asset"
        )
        seen = eventually(lambda: watch.ended or any(map(is_end, watch.events)), bench.left)
        early = seen and not watch.ended
        bench.tool.release()
        assert watch.error is None, f"assetry_invoke raised {type(watch.error).__name__}: {watch.error}"
        assert early, (
            "the tool is in the middle of its work, and no asset has been told of: yield each event when the tool "
            "reports it, or nothing downstream can start before everything has ended"
        )
        assert watch.wait(bench.left), "the stream does not end after the tool went on"

    # -- a part of it ------------------------------------------------------------------------------------------------

    def test_run_only_what_was_asked(self, bench: Bench) -> None:
        bench.plain  # noqa: B018 - what the part is made from is there
        part = bench.part()
        asked = {asset.key for asset in (*part.assets, *part.also)}
        run = bench.record(part)
        assert run.error is None, f"a part of the assets cannot be run: {type(run.error).__name__}: {run.error}"
        if "subset" in bench.refused:
            self._check_whole(bench, run)
            return
        strays = sorted(run.made - asked)
        assert not strays, (
            f"{part.assets[0].key} was asked for, and the tool made {strays[0]} as well: hand the selection to the "
            "tool, or say InvocationGroup(whole=True)"
        )
        told = [key for key, _ in run.ends() if key not in asked]
        assert not told, f"{part.assets[0].key} was asked for, and {told[0]} was told of"
        assert {key for key, _ in run.ends()} >= {asset.key for asset in part.assets}, "what was asked for never ends"

    def _check_whole(self, bench: Bench, run: Recording) -> None:
        """Check a tool that cannot make a part: its group must say so, and the rest must be told of."""
        group = bench.group(bench.last)
        if group is None:
            return  # it runs on its own: there is no part of it
        assert group.whole, 'a group that cannot be run in part must say InvocationGroup(whole=True) to refuse "subset"'
        silent = run.made - {key for key, _ in run.ends()}
        assert not silent, f"{sorted(silent)[0]} was made as well, and nothing was said of it: yield its Materialized"

    # -- failures ----------------------------------------------------------------------------------------------------

    def test_report_a_failure_on_its_asset_with_message_and_hint(self, bench: Bench) -> None:
        if "fail_one" in bench.refused:
            return
        run, broken = bench.broken, bench.to_break
        assert run.error is None, (
            f"the failure of {broken.key} broke the stream ({type(run.error).__name__}: {run.error}): "
            "yield Failed for it and go on; raise only when the tool itself broke"
        )
        failed = [event for event in run.of(Failed) if event.key == broken.key]
        assert failed, f"{broken.key} failed in the tool, and no Failed tells of it"
        assert failed[0].message.strip(), f"the Failed of {broken.key} has no message: say what the tool said"
        assert failed[0].hint, f"the Failed of {broken.key} has no hint: say what to do, or where to look"

    def test_make_the_others_when_one_fails(self, bench: Bench) -> None:
        if "fail_one" in bench.refused or "collapse" in bench.refused:
            return
        broken, below = bench.to_break, bench.below(bench.to_break)
        made = {event.key for event in bench.broken.of(Materialized)}
        for asset in bench.main.assets:
            if asset.key == broken.key or asset.key in below:
                assert asset.key not in made, f"{asset.key} is said to be made, though {broken.key} failed"
            else:
                assert asset.key in made, f"{asset.key} has nothing to do with {broken.key}, and was not made with it"

    def test_end_every_asset_when_one_fails(self, bench: Bench) -> None:
        if "fail_one" in bench.refused:
            return
        ends = {key for key, _ in bench.broken.ends()}
        silent = [asset.key for asset in bench.main.assets if asset.key not in ends]
        assert not silent, f"{bench.to_break.key} failed, and nothing is said of {silent[0]}: yield Skipped for it"

    def test_keep_what_was_done_when_the_tool_dies(self, bench: Bench) -> None:
        if "die" in bench.refused:
            return
        run = bench.dead
        made = {event.key for event in run.of(Materialized)}
        assert bench.last.key not in made, f"the tool died before it made {bench.last.key}, which is said to be made"
        lost = sorted((run.made & {asset.key for asset in bench.main.assets}) - made)
        assert not lost, (
            f"the tool had made {lost[0]} before it died, and nothing says so: yield what happened first, then raise"
        )
        noticed = run.error is not None or any(event.key == bench.last.key for event in run.of(Failed))
        assert noticed, "the tool died, and the stream ended as if it had not: look at how it ended, and raise"
        assert run.error is None or str(run.error).strip(), (
            f"{type(run.error).__name__} says nothing: give it a message"
        )

    # -- stopping ----------------------------------------------------------------------------------------------------

    def test_stop_the_tool_when_the_stream_is_closed(self, bench: Bench) -> None:
        if "cancel" in bench.refused:
            return
        bench.tool.hold(bench.last)
        early = "stream" in bench.refused or "collapse" in bench.refused
        context, _ = bench.context()
        watch = bench.watch(bench.main, context, lambda event: "close" if early or is_end(event) else "on")
        eventually(lambda: watch.ended, bench.left)
        self._check_stopped(bench, watch, "the stream was closed")

    def test_stop_when_the_run_is_cancelled(self, bench: Bench) -> None:
        if "cancel" in bench.refused:
            return
        bench.tool.hold(bench.last)
        context, _ = bench.context()
        watch = bench.watch(bench.main, context)
        came = eventually(lambda: bench.tool.holding or watch.ended, bench.left)
        assert came, "the tool never came to its last asset"
        context.stop()
        self._check_stopped(bench, watch, "context.cancelled became true")
        made = [event.key for event in watch.events if isinstance(event, Materialized)]
        assert bench.last.key not in made, f"{bench.last.key} is said to be made, though the tool was stopped before it"

    def _check_stopped(self, bench: Bench, watch: Watch, when: str) -> None:
        ended = watch.wait(bench.left)
        stopped = eventually(lambda: bench.tool.running == 0, bench.left)
        assert stopped, (
            f"{when}, and the tool is still at work: stop its process or cancel its job in a finally of the generator"
        )
        assert ended, f"{when}, and the stream goes on: look at context.cancelled while you wait for the tool"

    def test_come_back_to_a_job_instead_of_starting_another(self, bench: Bench) -> None:
        if "resume" in bench.refused:
            tokens = bench.plain.of(Handle)
            assert not tokens, (
                'Handle promises that the job can be found again: do not yield it, or do not refuse "resume"'
            )
            return
        bench.tool.hold(bench.last)
        first, _ = bench.context()
        killed = bench.watch(bench.main, first, lambda event: "drop" if isinstance(event, Handle) else "on")
        eventually(lambda: killed.ended, bench.left)
        assert killed.dropped is not None, (
            "no Handle was yielded while the job runs: yield it as soon as there is a job"
        )
        assert not any(map(is_end, killed.events)), "Handle came after an asset had ended: yield it first"
        second, _ = bench.context(resume=killed.events[-1].token)
        watch = bench.watch(bench.main, second)
        bench.tool.release()
        assert watch.wait(bench.left), "the stream that came back to a job does not end"
        assert watch.error is None, f"coming back to a job raised {type(watch.error).__name__}: {watch.error}"
        launches = bench.tool.launches
        assert launches == 1, (
            f"the tool was launched {launches} times: with context.resume set, find that job instead of starting one"
        )
        ends = {event.key for event in watch.events if is_end(event)}
        silent = [asset.key for asset in bench.main.assets if asset.key not in ends]
        assert not silent, f"the stream that came back says nothing of {silent[0]}: tell of the whole job"

    # -- surroundings ------------------------------------------------------------------------------------------------

    def test_let_no_secret_out(self, bench: Bench) -> None:
        for place, text in told(bench):
            for name, value in bench.exposed:
                assert value not in text, f"the value of {name} stands in {place}: keep the name, never the value"

    def test_run_in_another_process(self, bench: Bench) -> None:
        if "spawn" in bench.refused:
            return
        bench.plain  # noqa: B018 - what it is compared with
        plugins = (bench.subject.plugin, *bench.subject.beside)
        modules = [module_of(each) for each in plugins]
        # A module is no more to be pickled than a live plugin is to be sent: its name is.
        subject = {
            "plugin": portable(plugins[0]),
            "beside": [portable(each) for each in plugins[1:]],
            "folder": str(bench.folder / "values"),
        }
        try:
            events = elsewhere(run_invocation, subject, bench.main, folder=bench.folder, modules=modules)
        except ChildError as error:
            raise AssertionError(
                f"the invocation does not run in another process: {error}; take everything from the invocation, the "
                "context and the environment, nothing from globals"
            ) from error
        ends = Counter((each["event"], each["asset"]) for each in events if each["event"] in ENDS)
        here = Counter((event.name, str(event.key)) for event in bench.plain.of(*TERMINAL))
        assert ends == here, f"in another process the same invocation ends as {dict(ends)}, here as {dict(here)}"

    def test_observe_without_running_anything(self, bench: Bench) -> None:
        context, _ = bench.context()
        for event in bench.plugins.observe(bench.main, context):
            assert not is_end(event), f"assetry_observe yields {event.name}: it looks and makes nothing, yield Observed"
        assert bench.tool.launches == 0, "assetry_observe launched the tool: it is to look, not to run"

    def test_work_in_a_project(self, bench: Bench) -> None:
        with bench.project() as project:
            planned = len([each for each in project.plan().invocations if not each.invocation.partitions])
            if bench.subject.partitions:
                return  # asked for one by one, which the other checks do
            result = project.materialize()
            problems = [attempt.message for attempt in result.outcomes.values() if attempt.outcome == "failed"]
            assert result.ok, f"a project with this integration ends as {result.run.state}: {problems}"
            assert bench.tool.launches <= planned, (
                f"{planned} invocations launched the tool {bench.tool.launches} times"
            )


#: The names of terminal events, as JSON has them.
ENDS = tuple(kind.json_tag[1] for kind in (Materialized, Failed, Skipped))


def pickled(value: Any) -> Any:
    """Return what comes back from a pickle."""
    return pickle.loads(pickle.dumps(value))


def repeated(values: Iterable[Any]) -> list[Any]:
    """Return the values that occur more than once.

    >>> repeated([1, 2, 1])
    [1]
    """
    return [value for value, count in Counter(values).items() if count > 1]


def differing(first: list[Asset | AssetCheck], second: list[Asset | AssetCheck]) -> str:
    """Say where two lists of definitions begin to differ."""
    pair = next(((a, b) for a, b in zip(first, second, strict=False) if a != b), None)
    return named(pair[0]) if pair else f"their number: {len(first)} and {len(second)}"
