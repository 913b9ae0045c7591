"""The tool: ``python -m assetry_dlt.runner list|load MODULE:NAME … RESOURCE …``, run where the module is.

It knows dlt and nothing of assetry. ``list`` prints one line of JSON: the resources of the source, and of which files
they are made. ``load`` loads the resources that are named, in one run of the pipeline, and prints a line whenever
something has happened. What the source is called with stands in the variable DLT_SOURCE_ARGUMENTS, as JSON, because
there may be secrets in it. What dlt works on is kept in ``.assetry/dlt/pipelines``.
"""

import argparse
import ast
import fcntl
import hashlib
import importlib
import json
import os
import sys
import time
import traceback
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dlt
from dlt.common.runtime.collector import NullCollector
from dlt.common.schema.typing import TSchemaTables
from dlt.common.schema.utils import get_root_table
from dlt.extract.exceptions import PipeException
from dlt.extract.resource import DltResource
from dlt.extract.source import DltSource
from dlt.pipeline.exceptions import PipelineStepFailed

WORK = Path(".assetry", "dlt", "pipelines")
FAILED = 3  # the exit code when a resource has failed, and was named; 1 is anything else


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m assetry_dlt.runner")
    parser.add_argument("what", choices=("list", "load"))
    parser.add_argument("source", metavar="MODULE:NAME")
    parser.add_argument("--database", required=True, help="the DuckDB file")
    parser.add_argument("--dataset", required=True, help="its schema")
    parser.add_argument("--pipeline", required=True, help="dlt's name of the pipeline")
    parser.add_argument(
        "--version", default="", help="of the code; a load that was left half done by another is repeated"
    )
    parser.add_argument(
        "--refresh", action="store_true", help="drop the tables, and what is known of how far they came"
    )
    parser.add_argument("names", nargs="*", metavar="RESOURCE")
    asked = parser.parse_args()
    source = read_source(asked.source)
    if asked.what == "list":
        tell(**listed(source, asked))
    else:
        tell(what="begun", process=os.getpid())
        load(source, asked)


def read_source(place: str) -> DltSource:
    """Import a source, and make it where it is a function; a resource becomes the source of itself."""
    module, _, name = place.partition(":")
    try:
        found = getattr(importlib.import_module(module), name)
        if callable(found) and not isinstance(found, DltSource | DltResource):
            found = found(**json.loads(os.environ.get("DLT_SOURCE_ARGUMENTS", "{}")))
    except Exception as error:
        raise SystemExit(f"{place} raised {told_of(error)}") from error
    if isinstance(found, DltResource):
        found = DltSource(dlt.Schema(name), name, [found])
    if not isinstance(found, DltSource):
        raise SystemExit(f"{place} is no dlt source, but a {type(found).__name__}")
    return found


def told_of(error: BaseException) -> str:
    """Return what an error says, and which line of the project raised it."""
    lines = traceback.extract_tb(error.__traceback__)
    own = [f" at {relative(each.filename)}:{each.lineno}" for each in lines if is_own(each.filename)]
    return f"{type(error).__name__}{own[-1] if own else ''}: {error}"


# -- list --------------------------------------------------------------------------------------------------------------


def listed(source: DltSource, asked: argparse.Namespace) -> dict[str, Any]:
    """Return the resources that a load has, and the files of the project that they were imported from."""
    resources = source.selected_resources
    module = sys.modules[asked.source.partition(":")[0]].__file__ or ""
    if asked.dataset.lower() == Path(asked.database).stem.lower():
        raise SystemExit(f"DuckDB cannot tell dataset {asked.dataset} from the file {asked.database}: rename one")
    return {
        "file": relative(module) if is_own(module) else None,
        "files": own_files(),
        "version": code_version(own_files()),
        "resources": [
            {
                "name": name,
                "description": resource.__doc__ or "",
                "needs": [parent for parent in above(resource) if parent in resources],
                "table": place(source, asked.dataset, resource.table_name),
                "adds": resource.write_disposition not in ("replace", {"disposition": "replace"}),
            }
            for name, resource in resources.items()
        ],
    }


def place(source: DltSource, dataset: str, table: Any) -> list[str] | None:
    """Return schema and table as dlt writes their names; None where each item says its own table."""
    naming = source.schema.naming
    return None if callable(table) else [naming.normalize_table_identifier(each) for each in (dataset, table)]


def above(resource: DltResource) -> list[str]:
    """Return the resources that a transformer takes its items from, the nearest one first."""
    pipe, found = resource._pipe.parent, []
    while pipe is not None:
        found.append(pipe.name)
        pipe = pipe.parent
    return found


def is_own(file: str) -> bool:
    """Tell whether a file is one of the project that is worked in, and not of what is installed."""
    path = Path(file).resolve()
    installed = path.is_relative_to(Path(sys.prefix).resolve()) or "site-packages" in path.parts
    return path.is_relative_to(Path.cwd()) and not installed


def relative(file: str) -> str:
    return str(Path(file).resolve().relative_to(Path.cwd()))


def own_files() -> list[str]:
    named = {module.__dict__.get("__file__") for module in list(sys.modules.values())}
    return sorted(relative(each) for each in named if each and is_own(each))


def code_version(files: Iterable[str]) -> str:
    """Return a hash of modules without their comments and layout."""
    texts = [(each, ast.unparse(ast.parse(Path(each).read_bytes()))) for each in files if each.endswith(".py")]
    return hash_of(texts)


# -- load --------------------------------------------------------------------------------------------------------------


class Teller(NullCollector):
    """What dlt counts while it extracts, told at the first rows of a table and then once a second."""

    def __init__(self, resources: dict[str, str]) -> None:
        self.resources = resources  # by table
        self.rows: Counter[str] = Counter()
        self.told: dict[str, float] = {}

    def update(self, name: str, inc: int = 1, *_: Any, **__: Any) -> None:
        resource = self.resources.get(name)
        if resource is None or not self.step.startswith("Extract"):
            return
        self.rows[resource] += inc
        if time.monotonic() - self.told.get(resource, 0) > 1:
            self.told[resource] = time.monotonic()
            tell(what="extracted", name=resource, rows=self.rows[resource])


def load(source: DltSource, asked: argparse.Namespace) -> None:
    folder = WORK.resolve()
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    Path(asked.database).parent.mkdir(parents=True, exist_ok=True)
    tables = {table: each for each in asked.names if isinstance(table := source.resources[each].table_name, str)}
    pipeline = dlt.pipeline(
        asked.pipeline,
        pipelines_dir=str(folder),
        destination=dlt.destinations.duckdb(asked.database),
        dataset_name=source.schema.naming.normalize_table_identifier(asked.dataset),
        progress=Teller(tables),
    )
    with (folder / f"{asked.pipeline}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # dlt works on one load of a pipeline at a time
        try:
            done = finish(pipeline, asked)
            names = [each for each in asked.names if each not in done]
            if names:
                pipeline.set_local_state_val("code_version", asked.version)
                pipeline.refresh = "drop_resources" if asked.refresh else None
                pipeline.run(source.with_resources(*names))
        except PipelineStepFailed as error:
            if error.step == "normalize":
                pipeline.abort_packages()  # nothing is loaded yet: what is corrected begins where this began
            known: TSchemaTables = pipeline.default_schema.tables if pipeline.default_schema_name else {}
            culprit = culprit_of(error, source, known, asked.names)
            message = f"dlt could not {error.step}{'' if culprit is None else ' it'}: {told_of(causes_of(error)[-1])}"
            if error.has_pending_data:
                message += f"\nThe next run begins with this load, {error.load_id}, unless the source is changed."
            if error.is_package_partially_loaded:
                message += f"\nSome tables have rows of it already: those with _dlt_load_id {error.load_id}."
            if culprit is None:
                raise SystemExit(message) from error
            tell(what="failed", name=culprit, message=message)
            for each in asked.names:
                if each != culprit:
                    tell(what="skipped", name=each, message=f"{culprit} failed, and dlt loads all or none")
            sys.exit(FAILED)
        for name in asked.names:
            tell(what="made", name=name, **made(pipeline, name))


def finish(pipeline: dlt.Pipeline, asked: argparse.Namespace) -> set[str]:
    """Load what an earlier process has left half done; return the resources that need no other load for that."""
    if not pipeline.has_pending_data:
        return set()
    same = pipeline.get_local_state_val("code_version") == asked.version
    try:
        pipeline.normalize()
        loaded = pipeline.load()
    except PipelineStepFailed as error:
        if same:
            raise
        pipeline.abort_packages()  # the source was corrected, which helps no rows that it had yielded before
        print(
            f"Gave up load {error.load_id}, of the source as it was before; what it had loaded stays.", file=sys.stderr
        )
        return set()
    names = {
        str(get_root_table(package.schema.tables, job.job_file_info.table_name).get("resource"))
        for package in loaded.load_packages
        for job in package.jobs["completed_jobs"]
        if not job.job_file_info.table_name.startswith("_dlt_")
    }
    since = datetime.fromtimestamp(min(float(each.load_id) for each in loaded.load_packages), UTC)
    print(f"Loaded what a run of {since:%Y-%m-%d %H:%M} UTC had left:", *sorted(names), file=sys.stderr)
    return names if same and not asked.refresh else set()


def causes_of(error: PipelineStepFailed) -> list[BaseException]:
    """Return what dlt wraps into its error, the innermost last."""
    causes: list[BaseException] = [error.exception]
    while (cause := getattr(causes[-1], "client_exception", None) or causes[-1].__cause__) and cause not in causes:
        causes.append(cause)
    return causes


def culprit_of(error: PipelineStepFailed, source: DltSource, tables: TSchemaTables, names: list[str]) -> str | None:
    """Return the resource that is to blame, by what dlt knows: a resource, a table, or the table of a job."""
    for cause in causes_of(error):
        if isinstance(cause, PipeException):
            pipe = cause.pipe_name
            return next((each for each in names if pipe in (each, *above(source.resources[each]))), None)
        table = getattr(cause, "table_name", None) or str(getattr(cause, "job_id", "")).partition(".")[0]
        resource = get_root_table(tables, table).get("resource") if table in tables else table
        if resource in names:
            return resource
    return None


def made(pipeline: dlt.Pipeline, name: str) -> dict[str, Any]:
    """Return what a resource's table has now; with a version of its content, unless rows of it lie in others, too."""
    schema = pipeline.default_schema
    all_of_it = [str(each["name"]) for each in schema.data_tables()]
    own = [each for each in all_of_it if get_root_table(schema.tables, each).get("resource") == name]
    columns: list[list[str]] = []
    rows, version = 0, None
    with pipeline.sql_client() as client:
        for table in (each for each in own if schema.tables[each].get("resource")):
            place = client.make_qualified_table_name(table)
            columns = [list(each[:2]) for each in client.execute_sql(f"DESCRIBE {place}") or ()]
            content = [f'"{column}"' for column, _ in columns if not column.startswith("_dlt_")]
            query = f"SELECT count(*), sum(hash({', '.join(content) or 1})) FROM {place}"
            count, total = (client.execute_sql(query) or [(0, 0)])[0]
            rows += count
            version = f"{hash_of(columns)[:8]}-{count}-{total or 0:x}"
    one = len(own) == 1
    metadata = {"rows": rows, "tables": own}
    return {"columns": columns if one else [], "version": version if one else None, "metadata": metadata}


def hash_of(value: Any) -> str:
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()[:16]


_OUT = os.fdopen(os.dup(1), "w", encoding="utf-8")  # ours alone: what a source prints goes to standard error
os.dup2(2, 1)


def tell(**facts: Any) -> None:
    print(json.dumps(facts), file=_OUT, flush=True)


if __name__ == "__main__":
    main()
