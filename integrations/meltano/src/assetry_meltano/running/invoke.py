"""One invocation: one `meltano run` for all streams that are asked for, which outlives us and is found again.

The pairs of an invocation are loaded one after the other. Meltano ends with the first that fails, so the rest is given
to another run then: what fails stays alone.
"""

from __future__ import annotations

import json
import re
import shlex
import signal
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from shutil import disk_usage

from assetry.plugin import Asset, Event, Failed, Handle, Invocation, JobOverError, Log, Materialized, RunContext
from assetry_toolkit.clock import Clock
from assetry_toolkit.commands import JournaledCommand, ending
from assetry_toolkit.extract_load.row_counts import rows_of
from assetry_toolkit.singer.loads import StreamLoad

from assetry_meltano.options import Options
from assetry_meltano.project.program import Program, install_hint
from assetry_meltano.project.project import MeltanoProject, Pair
from assetry_meltano.running.reading import Load, Reading
from assetry_meltano.running.runs import LIVES, Run, owed_of, runs_of, versions_of

#: Seconds that Meltano has, after it was asked to end, to end its plugins and to free its lock.
GRACE = 10.0
#: Bytes: a disk that has fewer left is full.
FULL = 1 << 16


def loads_of(invocation: Invocation) -> list[Load]:
    """Return the pairs of an invocation with their streams."""
    found: dict[Pair, list[Asset]] = {}
    for asset in invocation.assets:
        found.setdefault(Pair(asset.spec["pair"]), []).append(asset)
    return [Load.of(pair, assets) for pair, assets in found.items()]


def run_words(loads: Sequence[Load], options: Options, full_refresh: bool) -> list[str]:
    """Return the words after `meltano run`: a part of the streams must not take the place of the others' state."""
    words = ["--full-refresh"] if full_refresh else []
    words += ["--state-strategy", "merge"] if any(load.chosen for load in loads) else []
    words += ["--state-id-suffix", options.state_id_suffix] if options.state_id_suffix else []
    words += ["--force"] if options.force else []
    return [*words, *(word for load in loads for word in load.pair)]


def filters(loads: Sequence[Load], project: MeltanoProject) -> dict[str, str]:
    """Return the variables that choose the streams of extractors, each by a pattern that only it fits.

    A `!` at the front, dots and what else a pattern may have mean themselves.
    """
    return {
        project.extractors[load.tap].variable("_select_filter"): json.dumps(
            [re.sub(r"^!", "?", re.sub(r"([*?\[])", r"[\1]", each)).replace(".", "\\.") for each in load.chosen]
        )
        for load in loads
        if load.chosen
    }


def shown(invocation: Invocation) -> str:
    """Return the command of an invocation, for people to read and to type."""
    options = Options.of(invocation.integration)
    project, loads = MeltanoProject.of(options), loads_of(invocation)
    chosen = [f"{name}={shlex.quote(value)}" for name, value in filters(loads, project).items()]
    words = [f"--environment={project.environment}", "run", *run_words(loads, options, invocation.full_refresh)]
    return " ".join([*chosen, shlex.join([options.meltano_executable or "meltano", *words])])


def invoke(invocation: Invocation, context: RunContext) -> Iterator[Event]:
    """Run an invocation, or take up its run, yielding events as they happen.

    Raises `IntegrationError` when there is no Meltano, `JobOverError` when a run will tell nothing more.
    """
    yield from _Invocation(invocation, context).events()


class _Invocation:
    def __init__(self, invocation: Invocation, context: RunContext) -> None:
        self._invocation, self._context = invocation, context
        self._options = Options.of(invocation.integration)
        self._project = MeltanoProject.of(self._options)
        self._program = Program(self._options, self._project, context.secret)
        self._clock = Clock()

    def events(self) -> Iterator[Event]:
        loads, resume = loads_of(self._invocation), self._context.resume
        for load in loads:
            if load.tap not in self._project.extractors or load.target not in self._project.loaders:
                yield from _failed(load, f"{load.pair} is no longer in meltano.yml.", "Plan anew: `assetry plan`.")
        while not self._context.cancelled and (left := [load for load in loads if load.well is None]):
            # Whatever can be loaded is, before the rest is waited for.
            ready = [load for load in left if not load.locked]
            for load in () if ready else left:
                yield from self._wait(load)
            if ready:
                yield from self._run(ready, resume)
                resume = None

    # -- one `meltano run` -------------------------------------------------------------------------------------------

    def _run(self, loads: Sequence[Load], resume: str | None) -> Iterator[Event]:
        found = JournaledCommand.find(resume, unkept=True) if resume else None
        if resume and not found:
            yield Log("Meltano's earlier run is over or was never begun: what is left is started anew.", "warning")
        for stream in [] if found else [each for load in loads for each in load.streams]:
            counts = stream.id and not stream.asset.spec["keys"]
            stream.before = rows_of(self._context, stream.asset) if counts else None
        running = found or self._prepared(loads)
        try:
            with running:
                yield Handle(running.token)
                yield from self._followed(running, Reading(loads, self._program.mask, found is not None))
                # The run goes on from a handle when that is recorded, and so is all that was told before it. Until then
                # the log is needed: of a run that is killed now a retry has to learn what became of Meltano's.
                yield Handle(running.token)
        finally:
            # A run that was cancelled is done anew, but one that has ended says all that an earlier one of these could.
            running.remove(superseded=running.returncode is not None)

    def _prepared(self, loads: Sequence[Load]) -> JournaledCommand:
        words = run_words(loads, self._options, self._invocation.full_refresh)
        for load in loads if self._options.record_count != "warn" else ():
            owed_of(self._options, self._project.state_id(load.pair)).reserve()
        chosen = filters(loads, self._project)
        # Interrupted it frees its lock at any moment; of other signals it hears only within a pair.
        how = {"merged": True, "ask": signal.SIGINT, "grace": GRACE, "name": "meltano"}
        command = self._program.command("run", "--no-install", *words, variables=chosen, **how)
        specs = {str(asset.key): asset.spec for asset in self._invocation.assets}
        hidden = self._program.hidden(json.dumps(specs))
        return JournaledCommand.prepare(command, self._options.own_folder / "runs", hidden, specs)

    def _followed(self, running: JournaledCommand, reading: Reading) -> Iterator[Event]:
        unsettled = list(reading.loads)
        for line in running.lines(lambda: self._context.cancelled):
            yield from reading.take(line.text)
            # A file that its loader has had open is looked into when Meltano is gone.
            for load in [each for each in unsettled if each.well is not None and not each.is_file]:
                unsettled.remove(load)
                yield from self._settle(load)
        if running.returncode is None and self._context.cancelled:
            for load in unsettled:
                for stream in load.streams:
                    self._counted(load, stream, Failed(stream.asset.key, "The run was cancelled."))
            return
        yield from reading.end()
        if running.returncode is not None:
            how = ending(running.returncode) if running.returncode else "ended well, and does not say that it ran it"
            reading.broken_off(f"Meltano {how}{_disk_told(Path(running.token))}")
        for load in unsettled:
            if load.well is not None:
                yield from self._settle(load)
        if running.returncode is None and any(load.well is None and not load.locked for load in reading.loads):
            yield from self._lost(running, reading.taken_up)

    def _lost(self, running: JournaledCommand, taken_up: bool) -> Iterator[Event]:
        """Tell that it is not known how a run ended, of which the log does not tell the end of each pair."""
        if running.stopped or not taken_up:
            raise JobOverError("Meltano's run was stopped, or what kept its journal was killed.")
        yield Log("Meltano's earlier run broke off: what it did not end is started anew.", "warning")

    # -- how it came out ---------------------------------------------------------------------------------------------

    def _settle(self, load: Load) -> Iterator[Event]:
        """Yield how each stream of a pair came out, now that it has its end."""
        found = []
        for stream in load.streams:
            told = failure(load, stream, self._options.results == "exit code")
            few, rows = self._counted(load, stream, told)
            if few is not None and self._options.record_count == "warn":
                yield Log(few.message, "warning", stream.asset.key)
                few = None
            found.append((stream, few or told, rows))
        versions = self._versions(load, [stream.id or "" for stream, told, _ in found if told]) if load.well else {}
        for stream, told, rows in found:
            facts = {"run": load.run, "state_id": load.state_id, "rows": rows, **stream.facts}
            facts = {name: value for name, value in facts.items() if value is not None}
            yield told or Materialized(stream.asset.key, data_version=versions.get(stream.id or ""), metadata=facts)

    def _counted(self, load: Load, stream: StreamLoad, told: Failed | None) -> tuple[Failed | None, int | None]:
        """Return what is missing in the table of a stream, and its rows; `told` is why it failed, if it did."""

        def count() -> int | None:
            return rows_of(self._context, stream.asset)

        if self._options.record_count == "warn":
            rows = count() if told is None and stream.rows else None
            return load.missing(stream, rows), rows
        capabilities = self._project.extractors[load.tap].definition.get("capabilities") or ["state"]
        anew = self._invocation.full_refresh or "state" not in capabilities
        owed = owed_of(self._options, self._project.state_id(load.pair))
        return load.settled(stream, told, count, owed, anew)

    def _versions(self, load: Load, failed: Sequence[str]) -> dict[str, str]:
        runs = runs_of(self._project, load.state_id)
        before = next((run.id for run in runs or () if run.id != load.run), None)
        rows = {stream.id or "": stream.rows for stream in load.streams}
        return {} if runs is None else versions_of(self._options).after(load.state_id, load.run, before, rows, failed)

    # -- another run has the lock ------------------------------------------------------------------------------------

    def _wait(self, load: Load) -> Iterator[Event]:
        """Wait until no other run has a pair's state; fail the pair when that takes too long."""
        load.patience = load.patience or self._clock.monotonic() + self._options.lock_timeout
        told = False
        while load.locked and not self._context.cancelled:
            runs = runs_of(self._project, load.state_id)
            other = next((run for run in runs or () if run.under_way), None)
            left = load.patience - self._clock.monotonic()
            if left <= 0:
                hint = "Wait for it, then `assetry retry`. If it is certainly gone: force = true, for one run."
                message = f"Another Meltano runs {load.pair}, and goes on after {self._options.lock_timeout:g} s."
                yield from _failed(load, message, hint, retryable=True)
                return
            if not told:
                told = True
                yield Log(_told(load, other), "warning")
            # Where it cannot be seen whether the other run goes on, only Meltano can tell.
            self._clock.sleep(min(1.0 if runs is not None else 30.0, left), lambda: self._context.cancelled)
            load.locked = runs is not None and other is not None


def failure(load: Load, stream: StreamLoad, accept_silence: bool) -> Failed | None:
    """Return why a stream did not come out well as far as the log tells; None when it did.

    A pair that failed fails each of its streams: what was read before may be loaded in part.
    """
    if load.well:
        return load.failure(stream, accept_silence, load.words.errors or None)
    read = f" after {stream.rows:,} rows of {stream.id}" if stream.rows else ""
    hint = install_hint(load.tap, "extractor", load.why) or install_hint(load.target, "loader", load.why)
    message = f"{load.pair}: {(load.why or 'it broke off').rstrip('.')}{read}."
    return Failed(stream.asset.key, message, hint or str(load.words) or None, retryable=True)


def _disk_told(journal: Path) -> str:
    """Return what to add where the log of a run may lack its end, because its disk is full; "" where it is not."""
    with suppress(OSError):
        if disk_usage(journal).free < FULL:
            return f", and the disk of {journal.parent} is full, so its log may lack its end"
    return ""


def _failed(load: Load, message: str, hint: str, retryable: bool = False) -> Iterator[Event]:
    load.well = False
    for stream in load.streams:
        yield Failed(stream.asset.key, message, hint, retryable=retryable)


def _told(load: Load, other: Run | None) -> str:
    if other is not None and other.silent:
        free = (other.alive + LIVES).strftime("%H:%M:%S UTC")
        return f"A run of {load.pair} was killed, and Meltano keeps its lock until {free}; waiting."
    since = f" since {other.started:%H:%M:%S} UTC" if other is not None else ""
    return f"Another Meltano runs {load.pair}{since}; waiting for its end."
