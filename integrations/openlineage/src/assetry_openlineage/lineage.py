"""Lineage: the events of OpenLineage that follow from what a run has told. Pure.

A run is one run of the job ``run``; each asset that it makes, or partition of it, is a run of its own, of a job with
the asset's key as its name, and with the first as its parent. Each of them begins once and ends once: COMPLETE, FAIL,
or ABORT where it was called off or its process is gone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from importlib.metadata import version
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

from openlineage.client.event_v2 import InputDataset, Job, OutputDataset, Run, RunEvent, RunState
from openlineage.client.facet_v2 import (
    DatasetFacet,
    JobFacet,
    OutputDatasetFacet,
    RunFacet,
    dataset_type_dataset,
    dataset_version_dataset,
    documentation_dataset,
    error_message_run,
    job_type_job,
    output_statistics_output_dataset,
    ownership_dataset,
    parent_run,
    processing_engine_run,
    schema_dataset,
    tags_run,
)

from assetry_openlineage.datasets import dataset_of
from assetry_openlineage.options import Options

#: Who tells it.
PRODUCER = "https://pypi.org/project/assetry-openlineage"
_ENDS = {"succeeded": RunState.COMPLETE, "failed": RunState.FAIL}
_LANGUAGES = {"dbt": "SQL"}

Line = Mapping[str, Any]


def run_id(run: str, key: str = "", parts: str = "") -> str:
    """Return the id of a run, or of one asset in it: the same one whoever asks, and however often it is told.

    >>> run_id("r1") == run_id("r1"), run_id("r1") == run_id("r1", "shop/orders")
    (True, False)
    """
    return str(uuid5(NAMESPACE_URL, f"assetry:{run}/{key}/{parts}"))


class Lineage:
    """The events of one run, line by line."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._heading: Line = {}
        self._facts: dict[str, Mapping[str, Any]] = {}
        #: What has begun and has no end yet: by asset, when it began; the run itself by "".
        self._open: dict[str, str] = {}
        #: When partitions of an asset were said to begin.
        self._began: dict[str, str] = {}
        #: The columns that assets were seen to have in this run.
        self._columns: dict[str, Sequence[Mapping[str, Any]]] = {}
        self._problems: list[str] = []
        self._failures = 0
        self._takers: Mapping[str, Callable[[str, Line], Iterator[RunEvent]]] = {
            "run_started": self._run_started,
            "started": self._started,
            "materialized": self._materialized,
            "failed": self._failed,
            "skipped": self._skipped,
            "invocation_finished": self._invocation_finished,
            "run_finished": self._run_finished,
        }

    def take(self, line: Line) -> Iterator[RunEvent]:
        """Yield the events that follow from one line."""
        if "asset" in line:
            self._facts[line["asset"]] = line["facts"]
        elif "event" in line:
            yield from self._takers[line["event"]["event"]](line["at"], line["event"])
        else:
            self._heading = line

    def end(self, at: str) -> Iterator[RunEvent]:
        """Yield that all that has no end was called off: its process is gone."""
        for key in [key for key in self._open if key]:
            yield from self._end(at, key, RunState.ABORT, {})
        if self._open.pop("", None) is not None:
            yield self._of_run(at, RunState.ABORT)

    # -- the run ---------------------------------------------------------------------------------------------------

    def _run_started(self, at: str, _: Line) -> Iterator[RunEvent]:
        self._open[""] = at
        yield self._of_run(at, RunState.START)

    def _invocation_finished(self, _: str, event: Line) -> Iterator[RunEvent]:
        if event["state"] == "failed" and event.get("message"):
            self._problems.append(event["message"])
        yield from ()

    def _run_finished(self, at: str, event: Line) -> Iterator[RunEvent]:
        for key in [key for key in self._open if key]:
            yield from self._end(at, key, RunState.ABORT, {})
        state = _ENDS.get(event["state"], RunState.ABORT)
        told = "; ".join(dict.fromkeys(self._problems)) or f"{self._failures or 'Some'} assets or checks failed."
        self._open.pop("", None)
        yield self._of_run(at, state, told if state is RunState.FAIL else None)

    def _of_run(self, at: str, state: RunState, error: str | None = None) -> RunEvent:
        facets = self._run_facets(self._parent())
        if error is not None:
            facets["errorMessage"] = error_message_run.ErrorMessageRunFacet(error, "PYTHON")
        run = Run(run_id(self._heading["run"]), facets)
        return self._event(at, state, run, self._heading["job"], "RUN")

    def _parent(self) -> parent_run.ParentRunFacet | None:
        """Return what has started the run, as it says in the variable OPENLINEAGE_PARENT_ID."""
        namespace, _, rest = (self._heading.get("parent") or "").partition("/")
        job, _, id_ = rest.rpartition("/")
        try:
            UUID(id_)
        except ValueError:
            return None
        return parent_run.ParentRunFacet(parent_run.Run(id_), parent_run.Job(namespace, job))

    # -- its assets ------------------------------------------------------------------------------------------------

    def _started(self, at: str, event: Line) -> Iterator[RunEvent]:
        key = event["asset"]
        if event.get("partition") is not None or event.get("through") is not None:
            # Which ranges of partitions come out alike shows when they do.
            self._began[key] = at
        elif key not in self._open:
            self._open[key] = at
            yield self._of_asset(at, RunState.START, key, {})

    def _materialized(self, at: str, event: Line) -> Iterator[RunEvent]:
        yield from self._begun(at, event)
        if event.get("columns"):
            self._columns[event["asset"]] = event["columns"]
        yield from self._end(at, event["asset"], RunState.COMPLETE, event)

    def _failed(self, at: str, event: Line) -> Iterator[RunEvent]:
        self._failures += 1
        yield from self._begun(at, event)
        yield from self._end(at, event["asset"], RunState.FAIL, event)

    def _skipped(self, at: str, event: Line) -> Iterator[RunEvent]:
        if event["asset"] in self._open:
            # It had begun: what there is may be a part. What was not begun has no run.
            yield from self._end(at, event["asset"], RunState.ABORT, event)

    def _begun(self, at: str, event: Line) -> Iterator[RunEvent]:
        """Yield that something has begun of which it was not told before."""
        key = event["asset"]
        if _parts(event) or key not in self._open:
            yield self._of_asset(self._began.get(key, at) if _parts(event) else at, RunState.START, key, event)

    def _end(self, at: str, key: str, state: RunState, event: Line) -> Iterator[RunEvent]:
        if not _parts(event):
            self._open.pop(key, None)
        yield self._of_asset(at, state, key, event)

    def _of_asset(self, at: str, state: RunState, key: str, event: Line) -> RunEvent:
        parent = parent_run.ParentRunFacet(
            parent_run.Run(run_id(self._heading["run"])),
            parent_run.Job(self._options.namespace, self._heading["job"]),
        )
        facts = self._facts.get(key, {})
        facets = self._run_facets(parent, _parts(event))
        if state is RunState.FAIL:
            told = "\n".join(filter(None, (event["message"], event.get("hint"))))
            language = _LANGUAGES.get(facts.get("kind", ""), "PYTHON")
            facets["errorMessage"] = error_message_run.ErrorMessageRunFacet(told, language)
        run = Run(run_id(self._heading["run"], key, _parts(event)), facets)
        inputs = [self._input(dep) for dep in facts.get("deps", ())]
        outputs = [self._output(key, facts, event)] if facts.get("placed") and facts["kind"] else []
        return self._event(at, state, run, key, "ASSET", inputs, outputs)

    # -- facets ----------------------------------------------------------------------------------------------------

    def _event(
        self,
        at: str,
        state: RunState,
        run: Run,
        job: str,
        sort: str,
        inputs: Iterable[InputDataset] = (),
        outputs: Iterable[OutputDataset] = (),
    ) -> RunEvent:
        facets: dict[str, JobFacet] = {"jobType": job_type_job.JobTypeJobFacet("BATCH", "ASSETRY", sort)}
        return RunEvent(
            eventTime=at,
            eventType=state,
            run=run,
            job=Job(self._options.namespace, job, facets),
            inputs=list(inputs),
            outputs=list(outputs),
            producer=PRODUCER,
        )

    def _run_facets(self, parent: parent_run.ParentRunFacet | None, parts: str = "") -> dict[str, RunFacet]:
        tags = {"assetry_run": self._heading["run"], **({"partition": parts} if parts else {})}
        fields = [tags_run.TagsRunFacetFields(key, value, "ASSETRY") for key, value in tags.items()]
        engine = processing_engine_run.ProcessingEngineRunFacet(
            version("assetry"), "assetry", version("assetry-openlineage")
        )
        found: dict[str, RunFacet] = {"processing_engine": engine, "tags": tags_run.TagsRunFacet(fields)}
        return found if parent is None else {**found, "parent": parent}

    def _input(self, key: str) -> InputDataset:
        facts = self._facts.get(key)
        if facts is None:
            return InputDataset(self._options.namespace, key)
        return InputDataset(*dataset_of(key, facts, self._options), facets=self._dataset_facets(key, facts))

    def _output(self, key: str, facts: Mapping[str, Any], event: Line) -> OutputDataset:
        facets = self._dataset_facets(key, facts)
        if event.get("data_version"):
            facets["version"] = dataset_version_dataset.DatasetVersionDatasetFacet(str(event["data_version"]))
        counted: dict[str, OutputDatasetFacet] = {}
        if isinstance(event.get("rows"), int):
            statistics = output_statistics_output_dataset.OutputStatisticsOutputDatasetFacet(rowCount=event["rows"])
            counted["outputStatistics"] = statistics
        return OutputDataset(*dataset_of(key, facts, self._options), facets=facets, outputFacets=counted)

    def _dataset_facets(self, key: str, facts: Mapping[str, Any]) -> dict[str, DatasetFacet]:
        facets: dict[str, DatasetFacet] = {}
        # Columns that are declared need not be all that there are: told are those that were seen when it was made.
        said = {each["name"].casefold(): each["description"] or None for each in facts.get("columns", ())}
        fields = [
            schema_dataset.SchemaDatasetFacetFields(
                each["name"], each.get("type") or None, each.get("description") or said.get(each["name"].casefold())
            )
            for each in self._columns.get(key, ())
        ]
        if fields:
            facets["schema"] = schema_dataset.SchemaDatasetFacet(fields)
        if facts.get("description"):
            facets["documentation"] = documentation_dataset.DocumentationDatasetFacet(facts["description"])
        if facts.get("owners"):
            owners = [ownership_dataset.Owner(name) for name in facts["owners"]]
            facets["ownership"] = ownership_dataset.OwnershipDatasetFacet(owners)
        if facts.get("relation"):
            sort = "VIEW" if facts.get("view") else "TABLE"
            facets["datasetType"] = dataset_type_dataset.DatasetTypeDatasetFacet(sort)
        return facets


def _parts(event: Line) -> str:
    """Return the partition, or the range of them, that an event is about; "" for all of an asset."""
    first, last = event.get("partition"), event.get("through")
    return f"{first}..{last}" if last is not None else first or ""
