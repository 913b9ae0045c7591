"""What a dbt command told that was run for an answer, and builds nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from typing import NamedTuple

from assetry_dbt.project.manifest_stamp import keep_aside
from assetry_dbt.project.project import DbtProject
from assetry_dbt.running.engine import choose
from assetry_dbt.running.reports import Ended, Message, NodeFinished


class Told(NamedTuple):
    """What a dbt command told: its end, None when it was cancelled; what it said; the messages of nodes that failed."""

    ended: Ended | None
    said: Sequence[str]
    failures: Mapping[str, str | None]

    def after(self, mark: str) -> str | None:
        """Return what follows `mark` in what was said; None when it was not said."""
        return next((text.partition(mark)[2] for text in self.said if mark in text), None)


def told_by(project: DbtProject, args: Sequence[str], cancelled: Callable[[], bool]) -> Told:
    """Run a dbt command, and return what it told."""
    ended: Ended | None = None
    said: list[str] = []
    failures: dict[str, str | None] = {}
    keep_aside(project)
    with closing(choose(project).run(args, cancelled)) as reports:
        for report in reports:
            if isinstance(report, Message):
                said.append(report.text)
            elif isinstance(report, NodeFinished):
                failures[report.unique_id] = report.message
            elif isinstance(report, Ended):
                ended = report
    return Told(ended, said, failures)
