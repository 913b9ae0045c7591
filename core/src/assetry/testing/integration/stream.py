"""Checks of a stream when all goes well: its events, their order, and that they come as they happen."""

from __future__ import annotations

import json
from dataclasses import replace

from assetry.errors import UsageError
from assetry.io.metadata.values import KINDS
from assetry.testing.integration.bench import Bench, expected
from assetry.testing.integration.comparison import is_end, pickled, repeated
from assetry.testing.integration.definitions import METADATA_LIMIT
from assetry.testing.integration.last_words import last_words, stream_error
from assetry.testing.verdicts import ADVICE, needs, raised, unanswered
from assetry.testing.watching import Recording, eventually
from assetry.types.codec import from_json, to_json
from assetry.types.events import TERMINAL, Checked, Event, Failed, Handle, Materialized, Observed, Ranged, Started
from assetry.types.invocations import CheckRef


class StreamChecks:
    """Checks of `assetry_invoke` with a tool that is well."""

    @needs("test_put_what_can_run_together_into_one_group", "test_load_the_same_twice")
    def test_run_without_raising(self, bench: Bench) -> None:
        error = stream_error(bench.plain)
        below = last_words(bench.plain)
        assert not error, f"assetry_invoke {error}, though the tool was well: {ADVICE['assetry_invoke']}{below}"
        failed = bench.plain.of(Failed)
        assert not failed, f"{failed[0].key} failed though the tool was well: {failed[0].message}{below}"

    @needs("test_run_without_raising")
    def test_launch_the_tool_once_per_invocation(self, bench: Bench) -> None:
        launches = bench.plain.launches
        assert launches == 1, (
            f"one invocation of {len(bench.main.assets)} assets launched the tool {launches} times: run them all in "
            "one go, or give them groups of their own"
        )

    @needs("test_run_without_raising")
    def test_yield_nothing_but_events_of_tools(self, bench: Bench) -> None:
        for event in bench.plain.events:
            assert isinstance(event, Event), (
                f"the stream has a {type(event).__name__}: yield nothing but events of assetry.plugin"
            )
            assert hasattr(event, "key") or isinstance(event, Handle), f"{event.name} is for the core to say"

    @needs("test_run_without_raising")
    def test_tell_ranges_of_partitions_that_were_asked_for(self, bench: Bench) -> None:
        for event in bench.plain.of(Ranged):
            try:
                bench.main.partitions_told(event)
            except UsageError as error:
                raise AssertionError(
                    f"{event.name} tells of {event.place}: {error.message} Begin and end a range with keys of "
                    "invocation.partitions_of(asset), in their order"
                ) from None

    @needs("test_tell_ranges_of_partitions_that_were_asked_for")
    def test_end_every_asset_exactly_once(self, bench: Bench) -> None:
        ends = [(end.key, part) for end in bench.plain.of(*TERMINAL) for part in bench.main.partitions_told(end)]
        twice = repeated(ends)
        assert not twice, f"{twice[0][0]} ends twice: yield one of Materialized, Failed and Skipped for each asset"
        forgotten = [key for key in expected(bench) if key not in set(ends)]
        assert not forgotten, (
            f"{forgotten[0][0]} never ends: yield Materialized, Failed or Skipped for each of invocation.assets"
        )

    @needs("test_run_without_raising")
    def test_tell_only_of_assets_that_were_asked_for(self, bench: Bench) -> None:
        asked = {asset.key for asset in (*bench.main.assets, *bench.main.also)}
        for event in bench.plain.of(Started, *TERMINAL):
            assert event.key in asked, (
                f"{event.name} tells of {event.key}, which was not asked for: use the keys of invocation.assets"
            )

    @needs("test_end_every_asset_exactly_once")
    def test_say_started_before_the_end(self, bench: Bench) -> None:
        for key, _ in bench.plain.ends():
            started, made = bench.plain.position(Started, key), bench.plain.position(Materialized, key)
            assert started is None or made is None or started < made, (
                f"{key} is made before it is started: yield Started when the tool begins with it, or leave it out"
            )

    @needs("test_end_every_asset_exactly_once")
    def test_make_inputs_before_what_is_made_from_them(self, bench: Bench) -> None:
        place = {key: i for i, (key, _) in enumerate(bench.plain.ends())}
        for asset in bench.main.assets:
            for dep in asset.deps:
                early = dep.key not in place or asset.key not in place or place[dep.key] < place[asset.key]
                assert early, f"{asset.key} ends before {dep.key}, which it is made from: make them in the order given"

    @needs("test_run_without_raising", "test_yield_nothing_but_events_of_tools")
    def test_report_the_checks_that_were_asked_and_no_others(self, bench: Bench) -> None:
        told = [CheckRef(event.key, event.check) for event in bench.plain.of(Checked)]
        asked = set(bench.main.checks)
        for ref in told:
            assert ref in asked, f"check {ref.check} of {ref.key} was run without being asked for"
        for ref in bench.main.checks:
            assert ref in told, f"nothing was said of check {ref.check} of {ref.key}: yield Checked for it"

    @needs("test_yield_nothing_but_events_of_tools")
    def test_yield_events_that_survive_pickling_and_json(self, bench: Bench) -> None:
        for event in bench.plain.events:
            try:
                same = pickled(event) == event and from_json(Event, json.loads(json.dumps(to_json(event)))) == _read(
                    event
                )
            except Exception as error:
                raise AssertionError(
                    f"{type(event).__name__} cannot be pickled and told as JSON ({error}): put only plain data into it"
                ) from error
            assert same, f"{event} is another one after pickling or JSON: put only plain data into it"

    @needs("test_yield_events_that_survive_pickling_and_json")
    def test_keep_metadata_small(self, bench: Bench) -> None:
        for event in bench.plain.of(Materialized, Observed, Checked):
            size = len(repr(event.metadata))
            assert size <= METADATA_LIMIT, (
                f"the metadata of {event.key} have {size} bytes, and {METADATA_LIMIT} are allowed: keep the value with "
                "context.save, and tell of it"
            )

    # -- streaming ---------------------------------------------------------------------------------------------------

    @needs("test_end_every_asset_exactly_once", "test_make_inputs_before_what_is_made_from_them",
           "test_launch_the_tool_once_per_invocation")  # fmt: skip
    def test_yield_events_as_they_happen(self, bench: Bench) -> None:
        if "stream" in bench.refused or "collapse" in bench.refused or bench.atomic:
            return
        bench.load_last()
        bench.tool.hold(bench.last)
        context, _ = bench.context()
        watch = bench.watch(bench.main, context)
        assert eventually(lambda: bench.tool.holding or watch.ended, bench.left), (
            f"the tool never came to its last asset: {unanswered('assetry_invoke', bench.left, watch.place)}"
        )
        seen = eventually(lambda: watch.ended or any(map(is_end, watch.events)), bench.left)
        early = seen and not watch.ended
        bench.tool.release()
        assert watch.error is None, (
            f"assetry_invoke {raised(watch.error)}, {watch.moment}: {ADVICE['assetry_invoke']}{last_words(watch)}"
        )
        assert early, (
            "the tool is in the middle of its work, and no asset has been told of: yield each event when the tool "
            "reports it, or nothing downstream can start before everything has ended"
        )
        assert watch.wait(bench.left), "the stream does not end after the tool went on"

    # -- a part of it ------------------------------------------------------------------------------------------------

    @needs("test_end_every_asset_exactly_once", "test_tell_only_of_assets_that_were_asked_for")
    def test_run_only_what_was_asked(self, bench: Bench) -> None:
        part = bench.part()
        asked = {asset.key for asset in (*part.assets, *part.also)}
        run = bench.record(part)
        assert run.error is None, (
            f"a part of the assets cannot be run: assetry_invoke {stream_error(run)}; hand the selection to the tool, "
            f"or say InvocationGroup(whole=True){last_words(run)}"
        )
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

    # -- again -------------------------------------------------------------------------------------------------------

    @needs("test_end_every_asset_exactly_once", "test_tell_only_of_assets_that_were_asked_for",
           "test_launch_the_tool_once_per_invocation", "test_leave_alone_what_was_handed_out",
           "test_report_the_checks_that_were_asked_and_no_others")  # fmt: skip
    def test_keep_nothing_between_two_runs(self, bench: Bench) -> None:
        planned = bench.main
        bench.groups(bench.load(bench.another))
        run = bench.record(planned, last=bench.another)
        error = stream_error(run)
        advice = "take everything from the invocation, and nothing from what was loaded, asked or run before"
        assert not error, (
            f"run again, after another integration was loaded, assetry_invoke {error}: {advice}{last_words(run)}"
        )
        for kind in (Materialized, Failed, Checked):
            before = sorted(str(event.key) for event in bench.plain.of(kind))
            again = sorted(str(event.key) for event in run.of(kind))
            assert before == again, (
                f"run again, after another integration was loaded, the same invocation tells {kind.__name__} of "
                f"{', '.join(again) or 'nothing'}, and of {', '.join(before) or 'nothing'} before: {advice}"
            )
        assert bench.plain.made <= run.made, (
            f"run again, after another integration was loaded, the tool does not make "
            f"{min(bench.plain.made - run.made, default='')}: {advice}"
        )


def _read(event: Event) -> Event:
    """Return an event as it is read again: a link, or a picture, among its metadata is plain JSON then."""
    metadata = getattr(event, "metadata", {})
    if not any(type(each) in KINDS for each in metadata.values()):
        return event
    told = {name: to_json(each) if type(each) in KINDS else each for name, each in metadata.items()}
    return replace(event, metadata=told)  # type: ignore[call-arg]
