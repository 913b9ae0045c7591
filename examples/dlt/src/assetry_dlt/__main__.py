"""The process that has dlt: ``python -m assetry_dlt list|load|refresh RESOURCE …``, run where the source is.

It prints a line of JSON for each resource: what it is, or what became of it. What it works with, such as the source and
the database, stands in the variable ASSETRY_DLT.
"""

import json
import os
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import dlt
from dlt.pipeline.exceptions import PipelineStepFailed

OUT, sys.stdout = sys.stdout, sys.stderr  # what a source prints is no fact


def load(source: Any, given: Any, names: list[str], refresh: Any) -> None:
    root, left = Path(given["root"]), names
    place = {"destination": dlt.destinations.duckdb(str(root / given["database"])), "dataset_name": given["name"]}
    pipeline = dlt.pipeline(given["name"], str(root / ".assetry" / "dlt"), **place)
    try:
        if pipeline.has_pending_data:  # of a process that was killed: some tables may have its rows already
            pipeline.run()
            left = [each for each in names if each not in pipeline.get_local_state_val("names")]
        pipeline.set_local_state_val("names", left)
        if left:
            pipeline.run(source.with_resources(*left), refresh=refresh)
    except PipelineStepFailed as error:
        if not error.is_package_partially_loaded:
            pipeline.abort_packages()  # nothing is loaded: what is corrected begins where this began
        failed = getattr(error.exception, "pipe_name", None)
        if failed not in names:
            raise
        tell(event="failed", name=failed, message=str(error.exception), hint="Correct it, then run `assetry retry`.")
        for each in {*names} - {failed}:
            tell(event="skipped", name=each, because=f"{failed} failed, and dlt loads all or none")
        sys.exit(3)
    counted = pipeline.last_trace.last_normalize_info
    for each in names:
        rows = {"rows": counted.row_counts.get(source.resources[each].table_name, 0)} if each in left else {}
        tell(event="materialized", name=each, metadata=rows)


def tell(**fact: Any) -> None:
    print(json.dumps(fact), file=OUT, flush=True)


(what, *names), given = sys.argv[1:], json.loads(os.environ["ASSETRY_DLT"])
module, _, function = given["source"].partition(":")
source = getattr(import_module(module), function)(**given.get("arguments", {}))
if what == "list":
    normal = source.schema.naming.normalize_table_identifier
    for name, each in source.selected_resources.items():
        place = (normal(given["name"]), normal(each.table_name))
        tell(name=name, place=place, adds=each.write_disposition in ("append", "merge"))
else:
    load(source, given, names, "drop_resources" if what == "refresh" else None)
