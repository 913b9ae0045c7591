"""A dbt 2 in shape, for tests: it reads a project by another dbt, and logs of a build what it is told.

Each line is as dbt 2 writes it with ``--log-format json`` (its layer for those who read the logs of dbt 1): an outcome
has a status and a time and no message, which stands in run_results.json alone; what is not selected is not told; errors
are lines named ``Generic``; the manifest says that it is of schema version 20, and has null where dbt 1 has empty ones.
"""

from __future__ import annotations

import json
import stat
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

PROGRAM = """\
import json, os, subprocess, sys, time, uuid
from datetime import datetime, timezone

HERE = {here!r}
RUN = str(uuid.uuid4())
words = sys.argv[1:]
folder = words[words.index("--project-dir") + 1] if "--project-dir" in words else os.getcwd()
target = os.path.join(folder, "target")

def now():
    return datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")

def log(name, code, level, msg, **data):
    info = dict(category="", code=code, extra={{}}, invocation_id=RUN, level=level, msg=msg, name=name, pid=os.getpid())
    print(json.dumps({{"data": data, "info": {{**info, "thread": "main", "ts": now()}}}}), flush=True)

def node_info(uid, status, began, ended=""):
    kind, _, name = uid.partition(".shop.")
    relation = {{"alias": name, "database": "shop", "relation_name": f"shop.main.{{name}}", "schema": "main"}}
    return {{
        "materialized": {{"model": "table"}}.get(kind, kind), "node_checksum": "", "node_finished_at": ended,
        "node_name": name, "node_path": f"{{kind}}s/{{name}}.sql", "node_relation": relation, "node_started_at": began,
        "node_status": status, "resource_type": kind, "unique_id": uid,
    }}

RESULTS = {{
    "test": ("LogTestResult", "Q007"), "unit_test": ("LogTestResult", "Q007"), "model": ("LogModelResult", "Q012"),
    "snapshot": ("LogSnapshotResult", "Q015"), "seed": ("LogSeedResult", "Q016"),
}}

def node(uid, status, message=None, failures=None):
    began = now()
    if status not in ("skipped", "reused"):
        log("NodeStart", "Q024", "debug", f"Began running node {{uid}}", node_info=node_info(uid, "started", began))
        log("LogStartLine", "Q011", "info", f"START {{uid}}", node_info=node_info(uid, "started", began))
        log("NodeCompiling", "Q030", "debug", "Compiling", node_info=node_info(uid, "compiling", began))
        log("NodeExecuting", "Q031", "debug", "Executing", node_info=node_info(uid, "executing", began))
        log("SQLQuery", "E016", "debug", 'select "NodeFinished"', sql='"NodeFinished"', node_info={{"unique_id": uid}})
    if message and status == "error":
        log("Generic", "", "error", "[error]: " + message, node_info={{"unique_id": uid}})
    info = node_info(uid, status, began, now())
    result = {{"execution_time": 0.25, "status": status}}
    result.update({{}} if failures is None else {{"num_failures": failures}})
    name, code = RESULTS.get(uid.partition(".")[0], ("LogNodeResult", "Q008"))
    log(name, code, "info", f"{{status}} {{uid}}", node_info=info, **result)
    if status in ("error", "fail", "skipped"):
        log("MarkSkippedChildren", "Z033", "debug", "Marking", run_result=result, status=status, unique_id=uid)
    log("NodeFinished", "Q025", "debug", f"Finished running node {{uid}}", node_info=info, run_result=result)

print("dbt-fusion 2.0.0", flush=True)
log("MainReportVersion", "A001", "info", "Running with dbt-fusion=2.0.0", log_version=3, version="=2.0.0")
log("MainReportArgs", "A002", "debug", "running dbt-fusion", args={{"invocation_command": " ".join(words)}})
with open(os.path.join(HERE, "commands"), "a") as file:
    file.write(json.dumps(words) + "\\n")
manifest = os.path.join(target, "manifest.json")
if words[0] == "parse" or not os.path.exists(manifest):
    plain = [each for each in words if each not in ("--log-format", "json", "--log-level", "debug")]
    subprocess.run([{dbt!r}, "parse", *plain[1:]], check=True, stdout=subprocess.DEVNULL)
    with open(manifest) as file:
        read = json.load(file)
    read["metadata"]["dbt_schema_version"] = "https://schemas.getdbt.com/dbt/manifest/v20.json"
    read["metadata"]["dbt_version"] = "2.0.0"
    for each in read["nodes"].values():
        each["meta"] = each["meta"] or None
        each["tags"] = each["tags"] or None
    with open(manifest, "w") as file:
        json.dump(read, file)
success = True
if words[0] == "build":
    with open(manifest) as file:
        known = json.load(file)
    known = [*known["nodes"], *known["unit_tests"]]
    with open(os.path.join(HERE, "script")) as file:
        told, *left = json.load(file)
    # Ids of generic tests end in a sign for what they are called with, which no script knows.
    first = [
        (next(each for each in known if each == uid or each.startswith(uid + ".")), *outcome) for uid, *outcome in told
    ]
    with open(os.path.join(HERE, "script"), "w") as file:
        json.dump(left, file)
    for uid, status, message, failures in first:
        node(uid, status, message, failures)
        success = success and status not in ("error", "fail")
    results = [
        {{"unique_id": uid, "status": status, "message": message, "failures": failures, "execution_time": 0.25}}
        for uid, status, message, failures in first
    ]
    until = time.monotonic() + 60
    while not os.path.exists(os.path.join(HERE, "heard")) and time.monotonic() < until:
        time.sleep(0.02)  # its end is always later than that its lines are heard
    with open(os.path.join(target, "run_results.json"), "w") as file:
        json.dump({{"metadata": {{"invocation_id": RUN}}, "args": {{"which": "build"}}, "results": results}}, file)
    with open(manifest) as file:  # it writes the manifest anew, as a build does
        read = file.read()
    with open(manifest, "w") as file:
        file.write(read)
log("CommandCompleted", "Q039", "info", "Finished", completed_at=now(), elapsed=1.0, success=success)
sys.exit(0 if success else 1)
"""

#: How a node comes out: its status, dbt's message, and how many rows failed.
Outcome = tuple[str, str | None, int | None]


def second_dbt(folder: Path, *builds: Mapping[str, Outcome]) -> Path:
    """Write the program into a folder and return it; each of `builds` is one build, node by node in its order.

    Who hears its lines leaves a file `heard` in that folder: it ends after that.
    """
    folder.mkdir(parents=True, exist_ok=True)
    script = [[[uid, *outcome] for uid, outcome in build.items()] for build in builds]
    (folder / "script").write_text(json.dumps(script))
    dbt = Path(sys.executable).with_name("dbt")
    program = folder / "dbt"
    program.write_text(f"#!{sys.executable}\n" + PROGRAM.format(here=str(folder), dbt=str(dbt)))
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return program


def commands(program: Path) -> Sequence[Sequence[str]]:
    """Return what the program was called with, each time."""
    return [json.loads(line) for line in (program.parent / "commands").read_text().splitlines()]
