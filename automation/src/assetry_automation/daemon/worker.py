"""The process that has the definitions: it looks when it is asked, and says what is to be started.

``python -m assetry_automation.daemon.worker FOLDER`` answers each line on stdin by one of JSON on stdout. Another one
takes its place when the definitions change.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, TextIO

from assetry import Project
from assetry.plugin import AssetryError, to_json

from assetry_automation.asked import answers, tell, words
from assetry_automation.daemon.health import JobHealth
from assetry_automation.daemon.sources import sources_of
from assetry_automation.decision.schedule import Decision
from assetry_automation.jobs import settings_of, wrong_jobs
from assetry_automation.looking import Look, remembered
from assetry_automation.sensing.senses import senses_of


def main(folder: str, asked: TextIO, told: TextIO) -> int:
    """Load a project, say so, and answer until there is no more to answer."""
    project: Project | None = None
    try:
        project = Project.load(folder)
        ready: dict[str, Any] = {
            "ready": len(project.graph),
            "sources": sources_of(project),
            "max_runs": settings_of(project).max_runs,
        }
        ready["senses"] = to_json(senses_of(project).all)
        ready["wrong"] = [words(each) for each in wrong_jobs(project, project.clock())]
    except AssetryError as error:
        if project is not None:
            project.settings.locate(error)
        tell(told, {"problem": words(error)})
        return 1
    tell(told, ready)
    with project:
        looked: Look | None = None
        for line in asked:
            try:
                looked = remembered(project, datetime.now(UTC), lambda decided: decided.memory, line.strip(), looked)
                tell(told, found(looked.decision))
            except AssetryError as error:
                tell(told, {"failed": words(error)})
    return 0


def found(decision: Decision) -> Mapping[str, Any]:
    """Return a decision as JSON: whether something is to be started, when to look again, and what waits how."""
    return {
        "start": decision.wave is not None or bool(decision.jobs),
        "wake": decision.wake and decision.wake.timestamp(),
        "counts": Counter(each.kind for each in decision.next.values()),
        "jobs": {
            each.job.name: JobHealth(
                each.at.timestamp(),
                None if each.ended is None else each.ended.ok,
                "" if each.ended is None else each.ended.text,
            )._asdict()
            for each in decision.ticks
        },
    }


if __name__ == "__main__":
    told = answers()
    sys.exit(main(sys.argv[1], sys.stdin, told))
