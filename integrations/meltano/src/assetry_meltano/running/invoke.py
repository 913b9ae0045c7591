"""One invocation: one `meltano run` for all streams that are asked for, which outlives us and is found again.

The pairs of an invocation are loaded one after the other. Meltano ends with the first that fails, so the rest is given
to another run then: what fails stays alone.
"""

from __future__ import annotations

import json
import re
import shlex
import shutil
import signal
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

from assetry.plugin import (
    AssetryError,
    Event,
    Failed,
    Handle,
    Invocation,
    JobOverError,
    Log,
    Materialized,
    NothingKeptError,
    RunContext,
)
from assetry_toolkit.clock import Clock
from assetry_toolkit.commands import JournaledCommand, ending

from assetry_meltano.project.program import Program, environment_words, install_hint
from assetry_meltano.project.project import MeltanoProject, Pair
from assetry_meltano.running.history import LIVES, SILENT, Run, Versions, runs_of
from assetry_meltano.running.reading import ABSENT, Load, Reading, Target, failure, missing
from assetry_meltano.settings import Options

#: How Meltano writes its log, whatever files and variables of the project say.
LOGGING = str(Path(__file__).with_name("logging.json"))
#: Seconds that Meltano has, after it was asked to end, to end its plugins and to free its lock.
GRACE = 10.0


def loads_of(invocation: Invocation) -> list[Load]:
    """Return the pairs of an invocation with their streams."""
    found: dict[Pair, list[Target]] = {}
    for asset in invocation.assets:
        found.setdefault(Pair.of(asset.spec["pair"]), []).append(Target(asset))
    return [Load(pair, targets) for pair, targets in found.items()]


def run_words(loads: Sequence[Load], options: Options, full_refresh: bool) -> list[str]:
    """Return the words after `meltano run`: a part of the streams must not take the place of the others' state."""
    words = ["--full-refresh"] if full_refresh else []
    words += ["--state-strategy", "merge"] if any(load.filter for load in loads) else []
    words += ["--state-id-suffix", options.state_id_suffix] if options.state_id_suffix else []
    return [*words, *(["--force"] if options.force else []), *(word for load in loads for word in load.pair.blocks)]


def filters(loads: Sequence[Load], project: MeltanoProject) -> dict[str, str]:
    """Return the variables that choose the streams of extractors, each by a pattern that only it fits.

    A `!` at the front and what else a pattern may have mean themselves.
    """
    return {
        project.extractors[load.pair.extractor].variable("_select_filter"): json.dumps(
            [re.sub(r"^!", "?", re.sub(r"([*?\[])", r"[\1]", each)) for each in load.filter]
        )
        for load in loads
        if load.filter
    }


def shown(invocation: Invocation) -> str:
    """Return the command of an invocation, for people to read and to type."""
    options = Options.of(invocation.integration)
    project, loads = MeltanoProject.of(options), loads_of(invocation)
    chosen = [f"{name}={shlex.quote(value)}" for name, value in filters(loads, project).items()]
    words = [*environment_words(project), "run", *run_words(loads, options, invocation.full_refresh)]
    return " ".join([*chosen, "meltano", shlex.join(words)])


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
        self._patient_until: dict[Pair, float] = {}

    def events(self) -> Iterator[Event]:
        loads, resume = loads_of(self._invocation), self._context.resume
        for load in loads:
            if load.pair.extractor not in self._project.extractors or load.pair.loader not in self._project.loaders:
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
        run_id, _, token = (resume or "").partition(" ")
        found = JournaledCommand.find(token) if token else None
        if found is None:
            if token:
                yield Log(
                    f"Meltano's run {run_id} is over or was never begun: what is left is started anew.", "warning"
                )
            run_id = str(uuid4())
        for target in (each for load in loads for each in load.targets if found is None):
            target.before = self._rows(target) if target.stream and not target.asset.spec["keys"] else None
        running = found or self._prepared(loads, run_id)
        try:
            with running:
                yield Handle(f"{run_id} {running.token}")
                yield from self._followed(running, Reading(loads, self._program.mask, found is not None), run_id)
        finally:
            # It has ended, and what it wrote may have secrets in it.
            shutil.rmtree(running.token, ignore_errors=True)

    def _prepared(self, loads: Sequence[Load], run_id: str) -> JournaledCommand:
        words = ["--log-config", LOGGING, "run", "--no-install", "--run-id", run_id]
        words += run_words(loads, self._options, self._invocation.full_refresh)
        chosen = filters(loads, self._project)
        # Interrupted it frees its lock at any moment; of other signals it hears only within a pair.
        how = {"merged": True, "ask": signal.SIGINT, "grace": GRACE, "name": "meltano"}
        command = self._program.command(*words, variables=chosen, **how)
        return JournaledCommand.prepare(command, self._options.own_folder / "runs")

    def _followed(self, running: JournaledCommand, reading: Reading, run_id: str) -> Iterator[Event]:
        unsettled = list(reading.loads)
        for line in running.lines(lambda: self._context.cancelled):
            yield from reading.take(line.text)
            # A file that its loader has had open is looked into when Meltano is gone.
            for load in [each for each in unsettled if each.well is not None and not each.is_file]:
                unsettled.remove(load)
                yield from self._settle(load, run_id)
        if running.returncode is None:
            if self._context.cancelled:
                return
            raise JobOverError(f"Meltano's run {run_id} was stopped, or what kept its journal was killed.")
        yield from reading.end()
        how = ending(running.returncode) if running.returncode else "ended well, and does not say that it ran it"
        reading.broken_off(f"Meltano {how}")
        for load in unsettled:
            if load.well is not None:
                yield from self._settle(load, run_id)

    # -- how it came out ---------------------------------------------------------------------------------------------

    def _settle(self, load: Load, run_id: str) -> Iterator[Event]:
        """Yield how each stream of a pair came out, now that it has its end."""
        versions = self._versions(load, run_id) if load.well else {}
        pair, why = load.pair, load.why
        hint = install_hint(pair.extractor, "extractor", why) or install_hint(pair.loader, "loader", why)
        for target in load.targets:
            told = failure(load, target, hint, self._options.results == "exit code")
            rows = self._rows(target) if told is None and target.rows else None
            few = missing(load, target, rows)
            if few is not None and self._options.record_count == "warn":
                yield Log(few.message, "warning", target.asset.key)
            elif few is not None:
                told = few
            facts = {"run": run_id, "state_id": load.state_id, "rows": rows}
            facts |= {"rows_extracted": target.rows, "rows_loaded": target.loaded}
            facts["result_known_by"] = "stream" if target.seen else "exit code"
            facts = {name: value for name, value in facts.items() if value is not None}
            made = Materialized(target.asset.key, data_version=versions.get(target.stream or ""), metadata=facts)
            yield told or made

    def _versions(self, load: Load, run_id: str) -> dict[str, str]:
        runs = runs_of(self._project, load.state_id) if load.state_id else None
        if runs is None:
            return {}
        before = next((run.id for run in runs if run.id != run_id), None)
        rows = {target.stream: target.rows for target in load.targets if target.stream is not None}
        return Versions(self._options).after(str(load.state_id), run_id, before, rows)

    def _rows(self, target: Target) -> int | None:
        """Return how many rows a table has, `ABSENT` when it is not there; None where that cannot be told."""
        asset = target.asset
        if asset.relation is None or (asset.io is None and None in asset.relation):
            return None
        try:
            found: int | None = self._context.aggregate(asset.key, "count")
        except NothingKeptError:
            return ABSENT if asset.io is not None else None
        except AssetryError as error:
            self._context.log(f"The rows of {asset.relation} cannot be counted: {error.args[0]}", "debug", asset.key)
            return None
        return found

    # -- another run has the lock ------------------------------------------------------------------------------------

    def _wait(self, load: Load) -> Iterator[Event]:
        """Wait until no other run has a pair's state; fail the pair when that takes too long."""
        end = self._patient_until.setdefault(load.pair, self._clock.monotonic() + self._options.lock_timeout)
        told = False
        while load.locked and not self._context.cancelled:
            runs = runs_of(self._project, load.state_id) if load.state_id else None
            other = next((run for run in runs or () if run.under_way), None)
            left = end - self._clock.monotonic()
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


def _failed(load: Load, message: str, hint: str, retryable: bool = False) -> Iterator[Event]:
    load.well = False
    for target in load.targets:
        yield Failed(target.asset.key, message, hint, retryable=retryable)


def _told(load: Load, other: Run | None) -> str:
    if other is not None and datetime.now(UTC) - other.alive > SILENT:
        free = (other.alive + LIVES).strftime("%H:%M:%S UTC")
        return f"A run of {load.pair} was killed, and Meltano keeps its lock until {free}; waiting."
    since = f" since {other.started:%H:%M:%S} UTC" if other is not None else ""
    return f"Another Meltano runs {load.pair}{since}; waiting for its end."
