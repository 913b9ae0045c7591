"""``assetry daemon``, ``dev``, ``run-job``, ``hold`` and ``resume``."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from assetry import Project
from assetry.plugin import (
    Asker,
    AssetKey,
    CommandContext,
    Commands,
    Next,
    UsageError,
    near_names,
    next_text,
    next_to_json,
    read_span,
    to_json,
)

from assetry_automation.asked import words
from assetry_automation.decision.memory import Memory
from assetry_automation.decision.schedule import Decision
from assetry_automation.jobs import settings_of, wrong_jobs
from assetry_automation.kept import change_memory
from assetry_automation.looking import with_resumed
from assetry_automation.making import WANTED, Made, decision_of, make_due
from assetry_automation.making import run_job as make_job
from assetry_automation.sensing.cli import ask_due, ask_now, senses_next, told_senses

#: Seconds between two words of how far a simulation is.
_PROGRESS = 5.0


def add_commands(commands: Commands) -> None:
    """Add the commands of automation."""
    commands.command("daemon")(daemon)
    commands.command("dev")(dev)
    commands.command("run-job")(run_job)
    commands.command("sense")(ask_now)
    commands.command("hold", selects=True)(hold)
    commands.command("resume", selects=True)(resume)


def daemon(
    context: CommandContext,
    *,
    once: bool = False,
    dry_run: bool = False,
    interval: float = 5.0,
    port: int | None = None,
    simulate: str | None = None,
    assume: str | None = None,
    arrivals: str | None = None,
    picture: Path | None = None,
) -> int:
    """Make assets when their policies, deadlines and jobs ask for it, until it is stopped; ask sensors at their times.

    :param once: look once, make what is due then, and end: for cron and for CI.
    :param dry_run: say what would be started, and when everything else is, without starting anything.
    :param interval: seconds between two looks at whether anything has changed.
    :param port: serve /healthz and /metrics on this port of 127.0.0.1.
    :param simulate: FROM..UNTIL, such as now..+7d: say what would be started in this time, without starting anything.
    :param assume: in a simulation, how long that takes of which no record tells (1m).
    :param arrivals: in a simulation, how far apart new data comes that others make; as records tell without it.
    :param picture: in a simulation, draw it into this file, as SVG.
    """
    if simulate is not None:
        return _simulate(context, simulate, assume, arrivals, picture)
    if assume is not None or arrivals is not None or picture is not None:
        raise UsageError("--assume, --arrivals and --picture are for --simulate.", hint="Add --simulate now..+7d.")
    if not interval > 0:
        raise UsageError(f"--interval {interval:g} is no time.", hint="Give seconds above 0, for example --interval 5.")
    if dry_run:
        show(context, decision_of(context.project, datetime.now(UTC)))
        return 0
    if once:
        return _once(context)
    from assetry_automation.daemon.supervisor import Supervisor

    return Supervisor(context, interval, port).run()


def dev(context: CommandContext, *, port: int | None = None) -> int:
    """Run the daemon while you work on definitions, looking each second; beside it `assetry ui` where there is one.

    :param port: serve /healthz and /metrics on this port of 127.0.0.1.
    """
    from assetry_automation.daemon.supervisor import Supervisor

    with ExitStack() as beside:
        if _has_command(context.project, "ui"):
            command = [sys.executable, "-m", "assetry", "-C", str(context.project.root), "ui"]
            beside.enter_context(_ended(subprocess.Popen(command, stdin=subprocess.DEVNULL)))
        return Supervisor(context, 1.0, port).run()


def _has_command(project: Project, name: str) -> bool:
    asked: dict[str, Commands] = {}
    project.plugins.add_commands(lambda plugin: asked.setdefault(plugin, Commands()))
    return any(each.name == name for added in asked.values() for each in added.commands)


@contextmanager
def _ended(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """Let a process end with what it is beside."""
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _simulate(
    context: CommandContext, period: str, assume: str | None, arrivals: str | None, picture: Path | None
) -> int:
    """Say what would be started in a period; return 1 where a deadline would be missed."""
    from assetry_automation.simulation import pictures
    from assetry_automation.simulation.assumptions import ASSUMED, read_period
    from assetry_automation.simulation.simulation import simulate

    since, until = read_period(period, datetime.now(UTC))
    assumed = ASSUMED if assume is None else read_span(assume, "--assume")
    comes = None if arrivals is None else read_span(arrivals, "--arrivals")
    told = time.monotonic()

    def on_look(now: datetime) -> None:
        nonlocal told
        if time.monotonic() - told >= _PROGRESS:
            told = time.monotonic()
            context.note(f"… {now:%a %Y-%m-%d %H:%M} UTC, {(now - since) / (until - since):.0%} of it")

    found = simulate(context.project, since, until, assumed=assumed, arrivals=comes, on_look=on_look)
    if context.text:
        for line in pictures.told(found):
            context.say(line)
    else:
        context.emit(pictures.to_json(found), rows="invocations")
    if picture is not None:
        picture.write_text(pictures.svg(found), encoding="utf-8")
        context.note(f"It is drawn in {picture}.")
    return 1 if found.missed else 0


def _once(context: CommandContext) -> int:
    from assetry_automation.daemon.sources import fingerprint, sources_of

    made, project = [], context.project
    _ = project.graph  # which files there are is known once the definitions are loaded
    # The same text as the daemon's, whose looks lie between: what thrashes is seen by both.
    load = fingerprint(sources_of(project))
    asked = ask_due(context, project, datetime.now(UTC))
    wanted = os.environ.get(WANTED)
    since = None if wanted is None else datetime.fromtimestamp(float(wanted), UTC)
    for each in make_due(project, datetime.now(UTC), load=load, wanted=since):
        made.append(each)
        _tell(context, each)
    if not made and not asked:
        context.note("Nothing is due.")
    if not context.text:
        context.emit({"runs": [each._asdict() for each in made], "senses": told_senses(asked)}, rows="runs")
    return 0 if all(each.ok for each in made) and not any(each.problem for each in asked) else 1


def _tell(context: CommandContext, made: Made) -> None:
    if context.text:
        word = "failed" if not made.ok else "made" if made.run else "-"
        context.say(f"{word}  {made.told}" + (f", by run {made.run}" if made.run else ""))


def show(context: CommandContext, decision: Decision) -> None:
    """Show what would be started, and for everything else when it is, or what keeps it."""
    now = datetime.now(UTC)
    for wrong in wrong_jobs(context.project, now):
        context.warn(words(wrong))
    wants = {} if decision.wave is None else decision.wave.wants
    started, counts = tuple(wants), {str(key): len(parts) for key, parts in wants.items() if parts is not None}
    if not context.text:
        assets = [{"key": str(key), "next": next_to_json(each)} for key, each in decision.next.items()]
        jobs = [job.name for job in decision.jobs]
        wake = decision.wake and decision.wake.isoformat()
        clocks = [
            {
                "name": each.job.name,
                "at": each.at.isoformat(),
                "last": None if each.ended is None else to_json(each.ended),
            }
            for each in decision.ticks
        ]
        told = {
            "start": [str(key) for key in started],
            "partitions": counts,
            "jobs": jobs,
            "ticks": clocks,
            "wake": wake,
            "assets": assets,
        }
        senses = [
            {"name": each.name, "of": each.of, "next": next_to_json(at)} for each, at in senses_next(context, now)
        ]
        context.emit({**told, "senses": senses}, "assets")
        return
    for key in started:
        count = counts.get(str(key))
        context.say(f"start    {key}" + ("" if count is None else f"  ({count:,} partition{'s' * (count != 1)})"))
    for job in decision.jobs:
        context.say(f"start    job {job.name}: {job.select}")
    for key, each in decision.next.items():
        if key not in started:
            context.say(f"{key}  {next_text(each, now)}")
    for tick in decision.ticks:
        last = "it never ran" if tick.ended is None else f"last time {tick.ended.text}"
        context.say(f"job {tick.job.name}  {next_text(Next('at', f'it ticks then; {last}', at=tick.at), now)}")
    for sense, at in senses_next(context, now):
        context.say(f"{sense.of} {sense.name}  {next_text(at, now)}")
    if decision.wake is not None:
        context.note(f"It looks again at {decision.wake:%Y-%m-%d %H:%M:%S} UTC, or when something changes.")


def run_job(context: CommandContext, name: str) -> int:
    """Run a job of the project file now.

    :param name: the job, as in [jobs.NAME].
    """
    jobs = {each.name: each for each in settings_of(context.project).jobs}
    if name not in jobs:
        known = f"Known: {', '.join(jobs)}." if jobs else "Write one: [jobs.NAME] with select and cron."
        raise UsageError(f"There is no job {name!r}.", near=near_names(name, jobs), hint=known)
    made = make_job(context.project, jobs[name], datetime.now(UTC), by=Asker(f"job {name}", "person"))
    _tell(context, made)
    return 0 if made.ok else 1


def hold(context: CommandContext, *, because: str = "a person holds it") -> None:
    """Keep the selected assets from being made by automation, until `assetry resume`.

    :param because: why, for those who ask.
    """
    chosen = _chosen(context)
    change_memory(context.project.store, partial(_with_held, keys=chosen, because=because))
    context.note(f"{_count(chosen)} held: people make them still.")


def resume(context: CommandContext) -> None:
    """Let the selected assets be made by automation again, whatever held them."""
    chosen = _chosen(context)
    now = datetime.now(UTC)
    change_memory(context.project.store, lambda memory: with_resumed(memory, chosen, now))
    context.note(f"{_count(chosen)} may be made again.")


def _chosen(context: CommandContext) -> tuple[AssetKey, ...]:
    if not context.select:
        raise UsageError("Nothing is selected.", hint="Name what is meant: -s KEY, or -s '*' for all.")
    return context.chosen()


def _count(keys: tuple[AssetKey, ...]) -> str:
    return str(keys[0]) if len(keys) == 1 else f"{len(keys):,} assets"


def _with_held(memory: Memory, keys: Iterable[AssetKey], because: str) -> Memory:
    return replace(memory, held={**memory.held, **dict.fromkeys(keys, because)})
