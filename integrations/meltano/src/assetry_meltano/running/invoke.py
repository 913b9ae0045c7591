"""One invocation: one `meltano run` for all streams that are asked for, which outlives us and is found again."""

from __future__ import annotations

import json
import shlex
import signal
from collections.abc import Iterator, Sequence

from assetry.plugin import Event, Invocation, RunContext
from assetry_toolkit.commands import Command
from assetry_toolkit.extract_load.history import RunHistory
from assetry_toolkit.singer.runs import Held, LoadRun
from assetry_toolkit.singer.settling import Settling
from assetry_toolkit.singer.streams import pattern_of

from assetry_meltano.options import Options
from assetry_meltano.project.program import Program
from assetry_meltano.project.project import MeltanoProject
from assetry_meltano.running.reading import Load, Reading, loads_of
from assetry_meltano.running.runs import LIVES, run_with, runs_of, streams_behind

#: Seconds that Meltano has, after it was asked to end, to end its plugins and to free its lock.
GRACE = 10.0


def run_words(loads: Sequence[Load], options: Options, full_refresh: bool) -> list[str]:
    """Return the words after `meltano run`: a part of the streams must not take the place of the others' state."""
    words = ["--full-refresh"] if full_refresh else []
    words += ["--state-strategy", "merge"] if any(load.chosen for load in loads) else []
    words += ["--state-id-suffix", options.state_id_suffix] if options.state_id_suffix else []
    words += ["--force"] if options.force else []
    return [*words, *(word for load in loads for word in load.pair)]


def filters(loads: Sequence[Load], project: MeltanoProject) -> dict[str, str]:
    """Return the variables that choose the streams of extractors, each by a pattern that only it fits."""
    variables = {load.tap: project.extractors[load.tap].variable("_select_filter") for load in loads}
    return {variables[load.tap]: json.dumps([*map(pattern_of, load.chosen)]) for load in loads if load.chosen}


def shown(invocation: Invocation) -> str:
    """Return the command of an invocation, for people to read and to type."""
    project = MeltanoProject.of(invocation.integration)
    loads = loads_of(invocation, project)
    chosen = [f"{name}={shlex.quote(value)}" for name, value in filters(loads, project).items()]
    words = [f"--environment={project.environment}", "run", *run_words(loads, project.options, invocation.full_refresh)]
    return " ".join([*chosen, shlex.join([project.options.meltano_executable or "meltano", *words])])


def invoke(invocation: Invocation, context: RunContext) -> Iterator[Event]:
    """Run an invocation, or take up its run, yielding events as they happen.

    Raises `IntegrationError` when there is no Meltano, `JobOverError` when a run will tell nothing more.
    """
    yield from _Invocation(invocation, context).events()


class _Invocation(LoadRun[Load]):
    runner = "Meltano"

    def __init__(self, invocation: Invocation, context: RunContext) -> None:
        self._invocation, self._project = invocation, MeltanoProject.of(invocation.integration)
        self._options, self._program = self._project.options, Program(self._project, context.secret)
        super().__init__(
            context,
            loads_of(invocation, self._project),
            self._options.own_folder / "runs",
            hidden=self._program.hidden(json.dumps({str(asset.key): asset.spec for asset in invocation.assets})),
            patience=self._options.lock_timeout,
        )

    def events(self) -> Iterator[Event]:
        for load in self.loads:
            if load.tap not in self._project.extractors or load.target not in self._project.loaders:
                yield from load.fail(f"{load.pair} is no longer in meltano.yml.", "Plan anew: `assetry plan`.")
        yield from super().events()

    def at_once(self, loads: Sequence[Load]) -> Sequence[Load]:
        """Return those for which one choice of streams is right: so a plan has them, of which some may be left."""
        chosen = {load.tap: load.chosen for load in reversed(loads)}
        return [load for load in loads if load.chosen == chosen[load.tap]]

    def command(self, loads: Sequence[Load]) -> Command:
        words = run_words(loads, self._options, self._invocation.full_refresh)
        # Interrupted it frees its lock at any moment; of other signals it hears only within a pair.
        how = {"merged": True, "ask": signal.SIGINT, "grace": GRACE, "name": "meltano"}
        return self._program.command("run", "--no-install", *words, variables=filters(loads, self._project), **how)

    def read(self, loads: Sequence[Load], taken_up: bool) -> Reading:
        return Reading(loads, self._program.mask, "Meltano's log", taken_up=taken_up)

    def settling(self, load: Load) -> Settling:
        runs = runs_of(self._project, self._project.state_id(load.pair))
        return Settling(
            context=self.context,
            history=RunHistory(self._options.own_folder, self._options.name),
            line=self._project.state_id(load.pair),
            run=None if runs is None else load.run,
            before=next((run.id for run in runs or () if run.id != load.run), None),
            anew=self._invocation.full_refresh or not self._project.extractors[load.tap].can("state"),
            accept_silence=self._options.results == "exit code",
            only_warn=self._options.record_count == "warn",
            facts={"run": load.run, "state_id": load.state_id},
        )

    def reached(self, load: Load) -> set[str] | None:
        return streams_behind(self._project, self._project.state_id(load.pair))

    def held(self, load: Load) -> Held:
        """Return which other run has a pair's state."""
        project, state_id, by = self._project, load.state_id, f"Another Meltano runs {load.pair}"
        other, seen = run_with(project, state_id), runs_of(project, state_id) is not None
        told = f"{by}{f' since {other.started:%H:%M:%S} UTC' if other is not None else ''}; waiting for its end."
        if other is not None and other.silent:
            free = f"{other.alive + LIVES:%H:%M:%S} UTC"
            told = f"A run of {load.pair} was killed, and Meltano keeps its lock until {free}; waiting."
        hint = "Wait for it, then `assetry retry`. If it is certainly gone: force = true, for one run."
        return Held(by, told, hint, (lambda: run_with(project, state_id) is not None) if seen else None)
