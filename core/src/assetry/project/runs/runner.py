"""What carries out the plans of a project."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from assetry.graph.graph import AssetGraph
from assetry.plan.plan import Plan
from assetry.project.places import value_problem
from assetry.run.leases.lease import assets_of, wanted_parts
from assetry.run.result import RunRequest, RunResult, RunServices, new_run
from assetry.types.protocols import Executor

if TYPE_CHECKING:
    from assetry.run.frames.stages import Stages


@dataclass(frozen=True, slots=True)
class Runner:
    """What carries out plans: of which graph, by what, and where.

    `options` are kept with each run; `load` reads a value of the project, and `recorded` tells whether its records
    outlive this process.
    """

    graph: AssetGraph
    services: RunServices
    open_executor: Callable[[], Executor]
    options: Mapping[str, Any]
    load: Callable[[str, Any, str | None], Any]
    recorded: bool

    def run(self, plan: Plan, request: RunRequest, stages: Stages | None = None) -> RunResult:
        """Carry out a plan, or a stage of a run. An empty one succeeds and leaves no record: it has nothing to retry.

        Raises `NoClaimError`, before anything is run, when no plugin opens the place of a value that it makes.
        """
        from assetry.run.loop import execute  # what only looks at a project should not wait for it

        if not plan.invocations:
            info = new_run((), request.options)
            return RunResult(replace(info, state="succeeded", finished=info.started), {}, {}, load=self.load)
        for planned in plan.invocations:
            for asset in planned.invocation.assets:
                problem = value_problem(self.services.values, asset) if asset.kept else None
                if problem is not None:
                    raise problem
        request = replace(request, options=self._kept(plan, request))
        executor = self.open_executor()
        try:
            result = execute(plan, self.graph, self.services, executor, request, stages)
            return replace(result, load=self.load, recorded=self.recorded)
        finally:
            executor.close()

    def stages(self, plan: Plan, request: RunRequest) -> Stages:
        """Return the run of all that a plan makes, to be carried out in stages."""
        from assetry.run.frames.stages import Stages

        info = replace(new_run(assets_of(plan), self._kept(plan, request)), priority=request.priority)
        return Stages(self.services, self.graph, info, request.on_event)

    def _kept(self, plan: Plan, request: RunRequest) -> dict[str, Any]:
        """Return the options that are kept with the run of a plan."""
        wants = {str(key): own.to_json(each) for key, (each, own) in wanted_parts(plan, self.graph).items()}
        kept = {"partition": [], **request.options, **self.options, "wants": wants}
        kept.pop("joined", None)  # what the run that is retried has taken of others is its own affair
        return kept
