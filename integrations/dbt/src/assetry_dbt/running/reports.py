"""What a running dbt reports of its nodes, the same whichever engine runs it; pure values and their readers."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

#: What dbt calls an outcome, by what it means for the node.
MADE = frozenset({"success", "no-op", "reused", "warn"})
BROKEN = frozenset({"error", "fail", "runtime error", "partial success"})
LEFT_OUT = frozenset({"skipped", "cancelled"})


@dataclass(frozen=True, slots=True)
class NodeStarted:
    """A node that dbt began."""

    unique_id: str


class BatchResults(NamedTuple):
    """Which batches of a model dbt made, and which not: when each begins, in UTC, as dbt writes it."""

    made: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()


#: What `dbt clone` says where it did nothing; no other command says it of a success.
_NO_CLONE = "No-op"
_NOTHING_CLONED = (
    "nothing was cloned: its table is there already, and `--full-refresh` replaces it; or the state has none of it"
)


@dataclass(frozen=True, slots=True)
class NodeFinished:
    """How a node came out.

    `status` is dbt's own word, lower case: ``success``, ``pass``, ``warn``, ``fail``, ``error``, ``skipped``,
    ``no-op``, ``reused`` … `message` is None when dbt did not give it yet (dbt 2 writes it to run_results.json only).
    `failures` counts the rows that a test found; `response` is what the warehouse answered; `seconds` is dbt's
    execution time; `path` is the file dbt names the node by, in which it compiles a generic test. `batches` are those
    of a microbatch model, None where dbt does not tell them.

    A clone of what is there already is left out, though dbt calls that a success.

    >>> NodeFinished("model.shop.orders", "success").resource_type
    'model'
    >>> NodeFinished("model.shop.orders", "success", "No-op").status
    'skipped'
    """

    unique_id: str
    status: str
    message: str | None = None
    seconds: float | None = None
    failures: int | None = None
    response: Mapping[str, Any] = field(default_factory=dict)
    materialized: str | None = None
    relation: str | None = None
    path: str | None = None
    batches: BatchResults | None = None

    def __post_init__(self) -> None:
        if self.status == "success" and self.message == _NO_CLONE:
            object.__setattr__(self, "status", "skipped")
            object.__setattr__(self, "message", _NOTHING_CLONED)

    @property
    def resource_type(self) -> str:
        """Return dbt's word for the kind of node: the first part of its unique id."""
        return self.unique_id.partition(".")[0]


@dataclass(frozen=True, slots=True)
class BatchStarted:
    """A batch of a microbatch model that dbt began; `batch` is its start: ``2024``, ``2024-01``, ``2024-01-31T05`` …"""

    unique_id: str
    batch: str = ""


@dataclass(frozen=True, slots=True)
class BatchFinished:
    """How one batch of a microbatch model came out: `status` is ``error``, ``skipped``, or what the warehouse said.

    dbt also reports it as a `NodeFinished` of the model, between the model's own beginning and end. `batch` is as in
    `BatchStarted`.
    """

    unique_id: str
    status: str
    batch: str = ""
    total: int | None = None
    seconds: float | None = None
    relation: str | None = None


@dataclass(frozen=True, slots=True)
class Raised:
    """What broke a node, in words that its outcome may lack."""

    unique_id: str
    text: str


@dataclass(frozen=True, slots=True)
class Message:
    """What dbt said apart from outcomes; `level` is debug, info, warning or error."""

    text: str
    level: str = "info"
    unique_id: str | None = None


@dataclass(frozen=True, slots=True)
class Ended:
    """The end of dbt, as the last report.

    `success` is dbt's own verdict. `error` is dbt's message when the invocation itself broke (a parse error, a lost
    connection), and None when only nodes failed. `invocation_id` is dbt's, to tell its run_results.json from an older.
    """

    success: bool
    error: str | None = None
    invocation_id: str | None = None


Report = NodeStarted | NodeFinished | BatchStarted | BatchFinished | Raised | Message | Ended

#: dbt's messages about what went wrong with a node, by the field with the words.
_RAISED: Mapping[str, str] = {
    "CatchableExceptionOnRun": "exc",
    "GenericExceptionOnRun": "exc",
    "InternalErrorOnRun": "exc",
    "RunResultError": "msg",
}
#: dbt's messages that `read_told` reads.
TOLD = frozenset({"LogHookEndLine", "LogStartBatch", "LogBatchResult", *_RAISED})
#: How dbt calls a batch: ``batch 2024-01-31 of main.daily``.
_BATCH = re.compile(r"batch (\S+) of ")


def read_told(name: str, data: Mapping[str, Any]) -> Report | None:
    """Return what one of the messages `TOLD` says of a hook, a batch, or what broke a node; None when it names none.

    >>> data = {"node_info": {"unique_id": "operation.s.s-on-run-end-0"}, "status": "error"}
    >>> read_told("LogHookEndLine", data).status
    'error'
    """
    node = data.get("node_info") or {}
    unique_id, status = str(node.get("unique_id") or ""), str(data.get("status") or "")
    if not unique_id:
        return None
    if name == "LogHookEndLine":
        return read_finished(node, {"status": status, "execution_time": data.get("execution_time")})
    if name in ("LogStartBatch", "LogBatchResult"):
        named = _BATCH.match(str(data.get("description") or ""))
        batch = named[1] if named else ""
        if name == "LogStartBatch":
            return BatchStarted(unique_id, batch)
        total, relation = data.get("total_batches"), (node.get("node_relation") or {}).get("relation_name")
        seconds = data.get("execution_time")
        return BatchFinished(unique_id, status.lower(), batch, total and int(total), seconds, relation or None)
    return Raised(unique_id, str(data.get(_RAISED[name]) or "").strip())


def read_finished(node: Mapping[str, Any], result: Mapping[str, Any]) -> NodeFinished:
    """Return the outcome that `node_info` and `run_result` of a NodeFinished log line tell; every field may be missing.

    >>> read_finished({"unique_id": "seed.shop.raw"}, {"status": "Success", "num_failures": 0}).status
    'success'
    """
    relation = node.get("node_relation") or {}
    return NodeFinished(
        unique_id=str(node.get("unique_id") or ""),
        status=str(result.get("status") or node.get("node_status") or "").lower(),
        message=result.get("message"),
        seconds=result.get("execution_time"),
        failures=result.get("num_failures", result.get("failures")),
        response=plain_response(result.get("adapter_response") or {}),
        materialized=node.get("materialized") or None,
        relation=relation.get("relation_name") or None,
        path=node.get("node_path") or None,
        batches=_batches(result.get("batch_results")),
    )


def _batches(results: Any) -> BatchResults | None:
    if not isinstance(results, Mapping):
        return None
    return BatchResults(*(tuple(str(each[0]) for each in results.get(how) or ()) for how in ("successful", "failed")))


def plain_response(response: Mapping[str, Any]) -> dict[str, Any]:
    """Return the warehouse's answer with whole numbers as such: on its way dbt made floats of them.

    >>> plain_response({"_message": "INSERT 2", "rows_affected": 2.0})
    {'_message': 'INSERT 2', 'rows_affected': 2}
    """
    return {
        name: int(value) if isinstance(value, float) and value.is_integer() else value
        for name, value in response.items()
    }


def read_run_results(target_path: Path, invocation_id: str | None) -> dict[str, NodeFinished]:
    """Return the outcomes that dbt wrote to run_results.json, by unique id.

    Empty when the file is missing, cannot be read, or is of another invocation than `invocation_id`: a dbt that broke
    leaves an older file behind.
    """
    try:
        data = json.loads((target_path / "run_results.json").read_bytes())
        written_by = (data.get("metadata") or {}).get("invocation_id")
        if invocation_id is None or written_by != invocation_id:
            return {}
        return {finished.unique_id: finished for finished in _results(data.get("results") or ())}
    except (OSError, ValueError, AttributeError, TypeError):
        return {}


def _results(results: Any) -> Iterator[NodeFinished]:
    for result in results:
        node = {"unique_id": result.get("unique_id"), "node_relation": {"relation_name": result.get("relation_name")}}
        yield read_finished(node, result)
