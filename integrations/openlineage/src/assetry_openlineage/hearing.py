"""Hearing: what a run tells is written down as it happens, with the facts of each asset that it is about."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from assetry.plugin import (
    Asset,
    AssetKey,
    EventContext,
    EventRecord,
    Materialized,
    Process,
    RunInfo,
    UsageError,
    process_of,
    to_json,
)

from assetry_openlineage.options import read_options
from assetry_openlineage.spool import Line, Writer

#: The events that lineage follows from.
HEARD = ("run_started", "started", "materialized", "failed", "skipped", "invocation_finished", "run_finished")
#: The words in a run's options of those that make nothing.
_OTHER = ("observe", "prune", "record")
#: By run: who writes down what is heard of it.
_HEARING: dict[str, Hearing] = {}
_LOCK = threading.Lock()


class Hearing:
    """What is written down of one run, and the process that sends it while the run goes on.

    The process knows that nothing more will come when its standard input ends: however this process ends.
    """

    def __init__(self, run: RunInfo, context: EventContext) -> None:
        self._context = context
        self._known: set[AssetKey] = set()
        #: Those of which it is not known yet where they are kept.
        self._unplaced: set[AssetKey] = set()
        self._writer = Writer(Path(context.root), run.id)
        self._writer.write(_heading(run))
        self._child = subprocess.Popen(
            [sys.executable, "-m", "assetry_openlineage"],
            cwd=context.root,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        assert self._child.stdin is not None
        self._child.stdin.write(f"{self._writer.path}\n".encode())
        self._child.stdin.flush()

    def take(self, record: EventRecord) -> None:
        """Write down an event, after the facts of assets that are first heard of."""
        key = getattr(record.event, "key", None)
        if isinstance(record.event, Materialized) and key in self._unplaced:
            # Where a value is kept is known once it has been.
            self._known.discard(key)
        facts = [] if key is None else list(self._facts(key))
        self._writer.write(*facts, {"at": record.at.isoformat(), "event": _event(record)})

    def _facts(self, key: AssetKey) -> list[Line]:
        asset = self._context.asset(key)
        deps = () if asset is None else tuple(dep.key for dep in asset.deps)
        found: list[Line] = []
        for each in (key, *deps):
            if each not in self._known:
                self._known.add(each)
                facts = facts_of(each, self._context)
                (self._unplaced.discard if facts["placed"] else self._unplaced.add)(each)
                found.append({"asset": str(each), "facts": facts})
        return found

    def close(self) -> None:
        """Let the process know that this was all; it goes on until it has been sent."""
        self._writer.close()
        assert self._child.stdin is not None
        self._child.stdin.close()
        # Whoever started it reaps it; the thread waits for nothing else.
        threading.Thread(target=self._child.wait, name="assetry-openlineage", daemon=True).start()


def hear(record: EventRecord, run: RunInfo, context: EventContext) -> None:
    """Write down an event that lineage follows from; raise `OptionError` for a table that cannot be meant."""
    name = record.event.name
    if name not in HEARD:
        return
    with _LOCK:
        hearing = _HEARING.get(run.id)
        if hearing is None:
            if name != "run_started":
                return  # its beginning was not heard: that was told as an error
            read_options(context.tables, context.root)
            if not context.recorded:
                said = "The lineage of this run is not told: its records end with it."
                raise UsageError(said, hint="Give the project a store that is kept.")
            hearing = _HEARING[run.id] = Hearing(run, context)
    hearing.take(record)
    if name == "run_finished":
        with _LOCK:
            del _HEARING[run.id]
        hearing.close()


def _heading(run: RunInfo) -> Line:
    words = [word for word in _OTHER if run.options.get(word)]
    process: Process = process_of(os.getpid())
    return {
        "version": 1,
        "run": run.id,
        "job": words[0] if words else "run",
        "process": to_json(process),
        "parent": os.environ.get("OPENLINEAGE_PARENT_ID"),
    }


def _event(record: EventRecord) -> Mapping[str, Any]:
    """Return an event as JSON, with no more of its metadata than is told."""
    found: dict[str, Any] = json.loads(json.dumps(to_json(record.event)))
    rows = (found.pop("metadata", None) or {}).get("rows")
    return found if rows is None else {**found, "rows": rows}


def facts_of(key: AssetKey, context: EventContext) -> Mapping[str, Any]:
    """Return what is told of an asset: what it is, where, with which columns, and of what it is made."""
    asset, origin = context.asset(key), context.origin(key)
    if asset is None or origin is None:
        return {"kind": "", "integration": None, "relation": None, "io": None, "placed": True, "deps": []}
    relation = origin.relation or asset.relation
    return {
        "kind": origin.kind,
        "integration": origin.integration,
        "relation": None if relation is None else [relation.database, relation.schema, relation.identifier],
        "io": origin.io,
        "placed": origin.io is not None or not origin.kept,
        "view": origin.view,
        "deps": [str(dep.key) for dep in asset.deps],
        "description": asset.description,
        "owners": list(asset.owners),
        "columns": _columns(asset),
    }


def _columns(asset: Asset) -> list[Mapping[str, Any]]:
    return [{"name": each.name, "type": each.type, "description": each.description} for each in asset.columns]
