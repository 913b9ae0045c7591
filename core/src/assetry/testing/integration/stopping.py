"""Checks of what ends early, and of what is found again: closed streams, cancelled runs, jobs of an earlier process."""

from __future__ import annotations

from collections.abc import Iterator

from assetry.errors import JobOverError
from assetry.testing.integration.bench import Bench
from assetry.testing.integration.comparison import is_end
from assetry.testing.integration.last_words import last_words, stream_error
from assetry.testing.verdicts import needs, raised, unanswered
from assetry.testing.watching import Watch, eventually
from assetry.types.events import Handle, Materialized

#: Seconds that a stream has to give a first event, when the tool is already at work.
FIRST = 1.0


class StoppingChecks:
    """Checks of `assetry_invoke` when its stream is closed, its run cancelled, or its job one from before."""

    @needs("test_yield_events_as_they_happen")
    def test_stop_the_tool_when_the_stream_is_closed(self, bench: Bench) -> None:
        if "cancel" in bench.refused:
            return
        bench.load_last()
        bench.tool.hold(bench.last)
        early = "stream" in bench.refused or "collapse" in bench.refused or bench.atomic
        context, _ = bench.context()
        watch = bench.watch(bench.main, context, lambda event: "close" if early or is_end(event) else "on")
        eventually(lambda: watch.ended or watch.closing or bench.tool.holding, bench.left)
        if early and not eventually(lambda: watch.ended or watch.closing, min(bench.left, FIRST)):
            return  # it tells nothing before its end, so there is nothing that could be closed
        eventually(lambda: watch.ended, bench.left)
        self._check_stopped(bench, watch, "the stream was closed")
        assert watch.error is None, (
            f"assetry_invoke {raised(watch.error)}, {watch.moment}: let what its finally does raise nothing, the run "
            f"has no more use for it{last_words(watch)}"
        )

    @needs("test_stop_the_tool_when_the_stream_is_closed")
    def test_stop_when_the_run_is_cancelled(self, bench: Bench) -> None:
        if "cancel" in bench.refused:
            return
        bench.load_last()
        bench.tool.hold(bench.last)
        context, _ = bench.context()
        watch = bench.watch(bench.main, context)
        came = eventually(lambda: bench.tool.holding or watch.ended, bench.left)
        assert came, f"the tool never came to its last asset: {unanswered('assetry_invoke', bench.left, watch.place)}"
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
        assert ended, (
            f"{when}, and the stream goes on: it stands at {watch.place}; look at context.cancelled while you wait for "
            "the tool, and wait for nothing without a time limit when you are closed"
        )

    # -- jobs from before --------------------------------------------------------------------------------------------

    @needs("test_yield_events_as_they_happen", "test_stop_the_tool_when_the_stream_is_closed")
    def test_come_back_to_a_job_instead_of_starting_another(self, bench: Bench) -> None:
        if "resume" in bench.refused:
            tokens = bench.plain.of(Handle)
            assert not tokens, (
                'Handle promises that the job can be found again: do not yield it, or do not refuse "resume"'
            )
            return
        token = self._left_behind(bench)
        second, _ = bench.context(resume=token)
        watch = bench.watch(bench.main, second)
        bench.tool.release()
        assert watch.wait(bench.left), (
            f"the stream that came back to a job does not end: it stands at {watch.place}; follow the job until it ends"
        )
        assert watch.error is None, (
            f"coming back to a job, assetry_invoke {raised(watch.error)}, {watch.moment}: find the job by its token, "
            f"and follow it to its end{last_words(watch)}"
        )
        launches = bench.tool.launches
        assert launches == 1, (
            f"the tool was launched {launches} times: with context.resume set, find that job instead of starting one"
        )
        ends = {event.key for event in watch.events if is_end(event)}
        silent = [asset.key for asset in bench.main.assets if asset.key not in ends]
        assert not silent, f"the stream that came back says nothing of {silent[0]}: tell of the whole job"

    @needs("test_come_back_to_a_job_instead_of_starting_another")
    def test_let_go_of_a_job_that_is_over(self, bench: Bench) -> None:
        if "resume" in bench.refused:
            return
        for which, token in self._dead_tokens(bench):
            began = bench.left
            try:
                run = bench.record(bench.main, token, seconds=began)
            except AssertionError as error:
                raise AssertionError(
                    f"context.resume names a job that {which}, and {error}; raise assetry.plugin.JobOverError"
                ) from error
            over = isinstance(run.error, JobOverError)
            assert over or run.error is None, (
                f"context.resume names a job that {which}, and assetry_invoke {stream_error(run)}: every `assetry "
                "retry` would come back to it; raise assetry.plugin.JobOverError, or start another job and make all"
                f"{last_words(run)}"
            )
            made = {event.key for event in run.of(Materialized)}
            false = sorted(made - run.made)
            assert not false, (
                f"context.resume names a job that {which}, and {false[0]} is said to be made, which the tool has not "
                "made: look at how the job ended, and raise assetry.plugin.JobOverError"
            )
            ends = {key for key, _ in run.ends()}
            silent = [asset.key for asset in bench.main.assets if asset.key not in ends]
            assert over or not silent, (
                f"context.resume names a job that {which}, and nothing is said of {silent[0]}: raise "
                "assetry.plugin.JobOverError, or start another job and make all"
            )

    def _left_behind(self, bench: Bench) -> str:
        """Start a job, hold it before its last asset, and return its token as a process that is killed leaves it."""
        bench.load_last()
        bench.tool.hold(bench.last)
        first, _ = bench.context()
        killed = bench.watch(bench.main, first, lambda event: "drop" if isinstance(event, Handle) else "on")
        eventually(lambda: killed.ended, bench.left)
        assert killed.dropped is not None, (
            "no Handle was yielded while the job runs: yield it as soon as there is a job"
        )
        assert not any(map(is_end, killed.events)), "Handle came after an asset had ended: yield it first"
        return str(killed.events[-1].token)

    def _dead_tokens(self, bench: Bench) -> Iterator[tuple[str, str]]:
        """Yield tokens of jobs that will never report anything more, and what became of them."""
        bench.load_last()
        bench.tool.hold(bench.last)
        context, _ = bench.context()
        watch = bench.watch(bench.main, context)
        eventually(lambda: bench.tool.holding or watch.ended, bench.left)
        kill = getattr(bench.tool, "kill", None)
        if kill is not None:
            kill()
        else:
            context.stop()
        ended = watch.wait(bench.left)
        bench.tool.release()
        token = next((str(event.token) for event in reversed(watch.events) if isinstance(event, Handle)), "job-")
        if ended and (kill is not None or "cancel" not in bench.refused):
            yield "died" if kill is not None else "was cancelled", token
        for which, unknown in (("the tool does not know", f"{token}9999"), ("no tool has ever had", "no-such-job")):
            bench.begin_again()
            yield which, unknown
