"""Run an invocation: one `dbt build` of what is asked, told as events while it runs."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

from assetry.plugin import Checked, Event, IntegrationError, Invocation, RunContext, RunError

from assetry_dbt.loading import loaded
from assetry_dbt.project.flags import widening
from assetry_dbt.project.project import DbtProject
from assetry_dbt.running.built_code import BuiltCode
from assetry_dbt.running.engine import choose
from assetry_dbt.running.errors import fault
from assetry_dbt.running.events import Story
from assetry_dbt.running.marking import Marking
from assetry_dbt.running.partition_args import event_times, project_for, refuse_losses
from assetry_dbt.running.reports import NodeFinished, NodeStarted, read_run_results
from assetry_dbt.selecting.search import Selection, selection_for


def invoke(invocation: Invocation, context: RunContext) -> Iterator[Event]:
    """Run `invocation` as one `dbt build`, yielding events as dbt reports them.

    Closing the iterator stops dbt, and so does `context.cancelled`; what had not finished then gets no event. Raises
    `IntegrationError` or `RunError` when dbt itself broke, or failed in what is no asset's and no check's failure (a
    hook), after the events of what it had done.
    """
    project = DbtProject.of(invocation.integration)
    if not project.is_there:
        raise IntegrationError(
            f"Integration {invocation.integration.name!r} has a manifest and no dbt project: nothing of it can be run.",
            where=str(project.project_dir),
            hint="Point its option project_dir at the folder of the dbt project.",
        )
    refuse_losses(invocation, datetime.now(UTC))
    known = loaded(invocation.integration)
    project = project_for(project, invocation)
    # A clone is made of tables alone, and is not tested.
    untested = invocation.checks if project.clones else ()
    invocation = replace(invocation, checks=()) if project.clones else invocation
    index, built = known.index, BuiltCode(project, invocation, known.files)
    selection = selection_for(index, invocation)
    args = build_arguments(project, selection, invocation.full_refresh, context.options.get("threads"))
    args += event_times(invocation)
    nearby = (*invocation.assets, *invocation.inputs, *invocation.also)
    story = Story(invocation, *_shown(project), partial(_test_of, index, nearby))
    marking = Marking(project.flags, invocation)

    def told(event: Event) -> Event:
        return marking.told(built.told(event))

    with closing(choose(project).run(args, lambda: context.cancelled)) as reports:
        for report in reports:
            if isinstance(report, (NodeStarted, NodeFinished)):
                yield from built.look()
            yield from map(told, story.tell(report))
    ended = story.ended
    if ended is None:
        return
    results = read_run_results(project.target_path, ended.invocation_id) if story.needs_results else {}
    if ended.error is not None:
        yield from map(told, story.known(results))
        raise fault(project, "build", ended.error)
    yield from map(told, story.rest(results))
    for each in untested:
        yield Checked(each.key, each.check, False, "warn", "A clone is not tested.", {"status": "not run"})
    trouble = story.trouble()
    if trouble is not None:
        text = f"dbt build of {project.name!r} failed: {trouble.text}"
        raise RunError(text, where=str(project.project_dir), hint=trouble.hint)


def build_arguments(
    project: DbtProject, selection: Selection, full_refresh: bool = False, threads: int | None = None
) -> tuple[str, ...]:
    """Return the arguments of the `dbt build`, or `dbt clone`, that carries an invocation out.

    >>> from pathlib import Path
    >>> shop = DbtProject(name="shop", project_dir=Path("/shop"), target_path=Path("/shop/target"))
    >>> build_arguments(shop, Selection(select=("fqn:shop.orders",), indirect="empty"), full_refresh=True)[3:]
    ('--select', 'fqn:shop.orders', '--indirect-selection', 'empty', '--full-refresh')
    """
    if project.clones:
        given = ["clone", *project.arguments(), *replace(selection, indirect=None).args()]
    else:
        given = ["build", *project.arguments(), *selection.args()]
        given += ["--indirect-selection", "eager"] if selection.indirect is None else []
    given += widening(selection.resource_types)
    given += project.flag_args()
    if full_refresh:
        given.append("--full-refresh")
    count = threads or project.threads
    if count:
        given += ["--threads", str(count)]
    return tuple(given)


def _test_of(index: Any, nearby: Any, reference: Any) -> str | None:
    found: str | None = index.test_of(reference, nearby)
    return found


def _shown(project: DbtProject) -> tuple[str, str]:
    """Return the project's folder and its target as hints name them: from where the project file stands."""
    folder = os.path.relpath(project.project_dir, project.root)
    return "" if folder == "." else folder, os.path.relpath(project.target_path, project.root)
