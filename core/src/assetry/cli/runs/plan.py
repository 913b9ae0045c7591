"""``assetry plan``: what would run and why, collapsed, with the proof that no plan has fewer invocations."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Unpack

import click

from assetry.cli.command import OUTPUTS, verb
from assetry.cli.session import Session
from assetry.cli.text import counted, listed, styled, warning_lines
from assetry.plan.plan import Plan, PlannedInvocation, Split
from assetry.project.ask import PlanKeywords
from assetry.project.places import asset_warnings
from assetry.project.runs.order import ON_CONFLICT
from assetry.views.json import plan_to_json, warnings_to_json

#: Exit code of --exit-code when there is something to run.
TO_RUN = 4
_MOST = 2
_LABEL = 8

#: The options that say how a selection is planned, for `plan` and `materialize` alike.
ASK_OPTIONS: tuple[click.Parameter, ...] = (
    click.Option(["--stale"], is_flag=True, help="Only what is out of date."),
    click.Option(
        ["--full-refresh"],
        is_flag=True,
        help="Read and build from the first row on: incremental models, and streams of hosted syncs and extractors.",
    ),
    click.Option(
        ["-p", "--partition"],
        multiple=True,
        metavar="PARTS",
        help="Make these partitions: a key, 2026-01..2026-03, last:7, all, missing, stale, failed; may be repeated.",
    ),
    click.Option(
        ["--collapse"],
        type=click.Choice(("fewest", "earliest")),
        default="fewest",
        help="fewest (default): the least number of invocations; earliest: more of them, for an earlier start.",
    ),
)

#: What a command that runs does where another run is making some of what is asked for.
ON_CONFLICT_OPTION: click.Parameter = click.Option(
    ["--on-conflict"],
    type=click.Choice(ON_CONFLICT),
    default="fail",
    help="Where another run is making some of it: fail (default, exit code 5), wait for it, or join it: make the rest, "
    "and take what it makes.",
)


def show_plan(session: Session, exit_code: bool, **ask: Unpack[PlanKeywords]) -> int:
    """Show what would run, and why; run nothing.

    Every invocation of a tool is counted, and the last line tells whether a plan with fewer exists. Python functions
    are listed but not counted: they run in assetry's own process.
    """
    chosen = session.selection()
    project = session.project
    plan = project.commands(project.plan(chosen, **ask))
    made = {asset.key for each in plan.invocations for asset in (*each.invocation.assets, *each.invocation.also)}
    warned = asset_warnings(project.graph, project.plugins, lambda: project.values, made, project.settings)
    if session.text:
        lines = plan_lines(plan, session, len(chosen.keys))
        session.say("\n".join((*lines, *warning_lines(warned, None if session.verbose else _MOST))))
    else:
        session.emit({**plan_to_json(plan), "warnings": warnings_to_json(warned)}, rows="invocations")
    return TO_RUN if exit_code and plan.invocations else 0


def plan_lines(plan: Plan, session: Session, selected: int) -> Iterable[str]:
    """Yield a plan as lines for people."""
    if not plan.invocations:
        yield nothing(plan, selected)
        return
    most = None if session.verbose else _MOST
    width = len(str(len(plan.invocations)))
    for planned in plan.invocations:
        yield from _invocation(planned, plan, width, most)
    yield ""
    for split in plan.splits:
        yield _split(split)
    if plan.unchecked:
        names = [f"{ref.check} of {ref.key}" for ref in plan.unchecked]
        yield f"Not checked, because it would take an invocation of its own: {listed(names, most)}."
    yield from notes(plan, most)
    yield proof(plan)


def notes(plan: Plan, most: int | None = _MOST) -> Iterable[str]:
    """Yield what else a plan does not do, and why; beyond `most` sentences only their number."""
    shown = plan.notes if most is None or len(plan.notes) <= most + 1 else plan.notes[:most]
    yield from (f"{note}." for note in shown)
    if len(shown) < len(plan.notes):
        yield f"{len(plan.notes) - len(shown):,} more such notes: `assetry plan -v`."


def nothing(plan: Plan, selected: int) -> str:
    """Return the sentence for a plan with nothing to run."""
    if plan.skipped:
        told = "; ".join(f"{each.key}: {each.because}" for each in plan.skipped[:5])
        return f"Nothing to run: {told}{' …' if len(plan.skipped) > 5 else ''}."
    if plan.notes:
        return " ".join(["Nothing to run.", *notes(plan)])
    what = "the selected asset is" if selected == 1 else f"all {selected:,} selected assets are"
    return f"Nothing to run: {what} up to date."


def _parts(planned: PlannedInvocation, plan: Plan) -> str:
    """Return the partitions that an invocation makes, those of each asset where they differ."""
    texts: dict[str, list[str]] = {}
    for asset in (*planned.invocation.assets, *planned.invocation.also):
        definition = plan.definitions.get(asset.key) or asset.partitions_def
        if asset.key in planned.parts and definition is not None:
            texts.setdefault(definition.text_of(planned.parts[asset.key]), []).append(asset.key)
    if len(texts) < 2:
        return next(iter(texts), "")
    return "; ".join(f"{listed(keys, _MOST)}: {text}" for text, keys in texts.items())


def _invocation(planned: PlannedInvocation, plan: Plan, width: int, most: int | None) -> Iterable[str]:
    invocation = planned.invocation
    number = styled(f"{planned.id:>{width}}", bold=True)
    indent = " " * width
    reasons = _by_reason(planned)
    if not _is_counted(planned) and len(invocation.assets) == 1 and most is not None:
        after = styled(f"  after {listed(planned.after, None)}", dim=True) if planned.after else ""
        parts = f" [{told}]" if (told := _parts(planned, plan)) else ""
        key = f"{invocation.assets[0].key}{parts}"
        may = styled(f"  (cut {_when_cut(planned, most)})", dim=True) if planned.may_be_cut else ""
        yield f"{number}  {invocation.integration.kind}  {key}: {next(iter(reasons))}{may}{after}"
        return
    title = planned.command or f"{invocation.integration.kind} {invocation.integration.name}"
    yield f"{number}  {styled(title, bold=True)}"
    lines = {
        "makes": listed((asset.key for asset in invocation.assets), most),
        "checks": _checks(planned, most),
        "also": listed((asset.key for asset in invocation.also), most),
        "parts": _parts(planned, plan),
        "after": listed(planned.after, None),
        "cut": _cut(planned, most),
        "note": "\n".join(planned.notes),
    }
    for label, told in lines.items():
        for number_, line in enumerate(told.splitlines()):
            yield f"{indent}  {'' if number_ else label:<{_LABEL}}{line}"
    for number_, (reason, keys) in enumerate(reasons.items()):
        yield f"{indent}  {'' if number_ else 'why':<{_LABEL}}{listed(keys, most)}: {reason}"


def _cut(planned: PlannedInvocation, most: int | None) -> str:
    """Return what of an invocation needs no making, and when."""
    if not planned.may_be_cut:
        return ""
    return f"{listed(planned.may_be_cut, most)} {_when_cut(planned, most)}"


def _when_cut(planned: PlannedInvocation, most: int | None) -> str:
    by = dict.fromkeys(each for keys in planned.may_be_cut.values() for each in keys if each not in planned.may_be_cut)
    return f"if {listed(by, most)} {'comes' if len(by) == 1 else 'come'} out as before"


def _checks(planned: PlannedInvocation, most: int | None) -> str:
    checks = [ref.check for ref in planned.invocation.checks]
    if not checks or most is None:
        return listed(checks, None)
    return counted(len(checks), "check")


def _by_reason(planned: PlannedInvocation) -> Mapping[str, list[str]]:
    reasons: dict[str, list[str]] = {}
    for asset in planned.invocation.assets:
        reasons.setdefault(planned.because.get(asset.key, "selected"), []).append(asset.key)
    return reasons


def _split(split: Split) -> str:
    where = f" (between {split.first} and {split.second})" if split.first and split.second else ""
    return f"{split.group} runs once more{where}: {split.because}."


def _is_counted(planned: PlannedInvocation) -> bool:
    group = planned.invocation.group
    return group is not None and group.counted


def proof(plan: Plan) -> str:
    """Return the line that tells how many invocations there are, and whether there could be fewer.

    >>> from assetry.plan.plan import Plan
    >>> proof(Plan())
    'No tool is run.'
    """
    kinds = Counter(each.invocation.integration.kind for each in plan.invocations if _is_counted(each))
    steps = len(plan.invocations) - sum(kinds.values())
    beside = f"; {counted(steps, 'Python step')} beside" if steps else ""
    if not plan.count:
        return f"No tool is run{beside}." if not steps else f"{counted(steps, 'Python step')}; no tool is run."
    if len(kinds) == 1:
        told = counted(plan.count, f"{next(iter(kinds))} invocation")
    else:
        told = f"{counted(plan.count, 'invocation')} ({', '.join(f'{n} {kind}' for kind, n in kinds.items())})"
    if plan.minimal:
        return f"{told}; no plan has fewer (lower bound {plan.lower_bound}){beside}."
    return f"{told}; at least {plan.lower_bound} are needed, fewer than {plan.count} were not found{beside}."


command = verb(
    "plan",
    *ASK_OPTIONS,
    click.Option(["--exit-code"], is_flag=True, help="Exit with 4 when there is something to run."),
    outputs=OUTPUTS,
    selects=True,
)(show_plan)
