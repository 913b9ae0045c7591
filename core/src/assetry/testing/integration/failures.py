"""Checks of failures: of one asset, and of the tool itself."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from assetry.testing.integration.bench import Bench
from assetry.testing.integration.last_words import last_words, stream_error
from assetry.testing.verdicts import needs
from assetry.types.events import Event, Failed, Materialized
from assetry.types.keys import AssetKey


class FailureChecks:
    """Checks of `assetry_invoke` with a tool that fails at one asset, or dies."""

    @needs("test_end_every_asset_exactly_once", "test_launch_the_tool_once_per_invocation",
           "test_make_inputs_before_what_is_made_from_them")  # fmt: skip
    def test_report_a_failure_on_its_asset_with_message_and_hint(self, bench: Bench) -> None:
        if "fail_one" in bench.refused:
            return
        run, broken = bench.broken, bench.to_break
        assert run.error is None, (
            f"the failure of {broken.key} broke the stream, assetry_invoke {stream_error(run)}: "
            f"yield Failed for it and go on; raise only when the tool itself broke{last_words(run)}"
        )
        # A tool that undoes everything may not know of whom it was the fault.
        failed = [event for event in run.of(Failed) if event.key == broken.key or bench.atomic]
        assert failed, f"{broken.key} failed in the tool, and no Failed tells of it"
        assert failed[0].message.strip(), f"the Failed of {failed[0].key} has no message: say what the tool said"
        assert failed[0].hint, f"the Failed of {failed[0].key} has no hint: say what to do, or where to look"

    @needs("test_report_a_failure_on_its_asset_with_message_and_hint")
    def test_make_the_others_when_one_fails(self, bench: Bench) -> None:
        if "fail_one" in bench.refused or "collapse" in bench.refused:
            return
        broken, below = bench.to_break, bench.below(bench.to_break)
        made = {event.key for event in bench.broken.of(Materialized)}
        if bench.atomic:
            later = next(_made_after_a_failure(bench.broken.events), None)
            assert later is None, (
                f"{broken.key} failed, and after that {later} is said to be made, though the group is atomic, all or "
                "nothing: yield Skipped for what has no end yet; what was told as made before is taken back by the core"
            )
            return
        for asset in bench.main.assets:
            if asset.key == broken.key or asset.key in below:
                assert asset.key not in made, f"{asset.key} is said to be made, though {broken.key} failed"
            else:
                assert asset.key in made, (
                    f"{asset.key} has nothing to do with {broken.key}, and was not made with it: let the tool go on, "
                    "or say InvocationGroup(atomic=True) when it makes all or nothing"
                )

    @needs("test_report_a_failure_on_its_asset_with_message_and_hint")
    def test_end_every_asset_when_one_fails(self, bench: Bench) -> None:
        if "fail_one" in bench.refused:
            return
        ends = {key for key, _ in bench.broken.ends()}
        silent = [asset.key for asset in bench.main.assets if asset.key not in ends]
        assert not silent, f"{bench.to_break.key} failed, and nothing is said of {silent[0]}: yield Skipped for it"

    @needs("test_yield_events_as_they_happen")
    def test_keep_what_was_done_when_the_tool_dies(self, bench: Bench) -> None:
        if "die" in bench.refused:
            return
        run = bench.dead
        made = {event.key for event in run.of(Materialized)}
        assert bench.last.key not in made, f"the tool died before it made {bench.last.key}, which is said to be made"
        lost = sorted((run.made & {asset.key for asset in bench.main.assets}) - made)
        assert not lost or bench.atomic, (
            f"the tool had made {lost[0]} before it died, and nothing says so: yield what happened first, then raise"
        )
        noticed = run.error is not None or any(event.key == bench.last.key for event in run.of(Failed))
        assert noticed, "the tool died, and the stream ended as if it had not: look at how it ended, and raise"
        assert run.error is None or str(run.error).strip(), (
            f"{type(run.error).__name__} says nothing: give it a message"
        )


def _made_after_a_failure(events: Iterable[Event]) -> Iterator[AssetKey]:
    failed = False
    for event in events:
        failed = failed or isinstance(event, Failed)
        if failed and isinstance(event, Materialized):
            yield event.key
