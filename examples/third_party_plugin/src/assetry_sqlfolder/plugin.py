"""The hooks: what assetry asks of an integration. Only `assetry.plugin` is imported, and nothing heavy."""

import json
import shlex
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from assetry.plugin import (
    Asset,
    AssetKey,
    Check,
    Checked,
    Column,
    Event,
    Failed,
    Handle,
    Integration,
    IntegrationError,
    Invocation,
    InvocationGroup,
    Log,
    Materialized,
    Panel,
    Relation,
    RunContext,
    RunError,
    Skipped,
    Started,
    hookimpl,
    near_names,
)

from assetry_sqlfolder.journal import Job
from assetry_sqlfolder.scripts import Script, read_scripts, upstream

KIND = "sqlfolder"
OPTIONS = {"folder": "sql", "database": "warehouse.duckdb"}


@hookimpl
def assetry_load_assets(integration: Integration) -> Iterable[Asset] | None:
    """Load the scripts of the folder."""
    if integration.kind != KIND:
        return None  # somebody else's
    for name in integration.options:
        if name not in OPTIONS:
            raise IntegrationError(
                f"Integration {integration.name!r} has an option {name!r} that means nothing.",
                near=near_names(name, OPTIONS),
                hint=f"Its options are {', '.join(OPTIONS)}.",
            )
    folder = _path(integration, "folder")
    if not folder.is_dir():
        raise IntegrationError(
            f"Integration {integration.name!r} looks for SQL scripts in {folder}, which is not a folder.",
            hint=f'Make it, or name another one: folder = "…" under [integrations.{integration.name}].',
        )
    scripts = read_scripts(folder)
    return [_asset(integration, script, scripts) for script in scripts.values()]


def _asset(integration: Integration, script: Script, scripts: dict[str, Script]) -> Asset:
    own = [f"{integration.name}/{name}" for name in upstream(script, scripts)]
    others = [name for name in script.depends if name not in scripts]  # made by somebody else: a whole key
    return Asset(
        key=f"{integration.name}/{script.name}",
        kind=KIND,
        integration=integration,
        deps=[*own, *others],
        description=script.description,
        checks=[Check(name, spec={"query": query}) for name, query in script.checks.items()],
        relation=Relation(_path(integration, "database").stem, "main", script.name),
        source=f"{integration.options.get('folder', OPTIONS['folder'])}/{script.name}.sql",
        code_version=script.version,
        spec={"query": script.query},
    )


@hookimpl
def assetry_invocation_group(asset: Asset) -> InvocationGroup | None:
    """Put the whole folder together: one process makes any part of it, in order."""
    if asset.integration is None:
        return None
    # While the runner has the file open, nothing else can read it: what reads tables there is started afterwards.
    return InvocationGroup(f"{KIND}:{asset.integration.name}", ordered=True, holds=(_url(asset.integration),))


@hookimpl
def assetry_invocation_command(invocation: Invocation) -> str:
    """Show what will be run."""
    return shlex.join(["python", *_command(invocation)[1:]])


@hookimpl
def assetry_invoke(invocation: Invocation, context: RunContext) -> Iterator[Event]:
    """Run the scripts in one process, and tell what it prints, as it prints it."""
    job = Job.find(context.resume) if context.resume else None
    if job is None:
        # It prints into a file: a pipe would break, and the process with it, should assetry be killed.
        job = Job.start(_command(invocation), Path(invocation.integration.root, ".assetry", KIND).resolve())
        yield Handle(job.token)
    done, said = False, "."
    try:
        for line in job.lines(lambda: context.cancelled):
            fact = _fact(line)
            done = done or fact["what"] == "done"
            said = f": {line}" if fact["what"] == "log" else said
            yield from _events(fact, line, invocation)
    finally:
        job.stop()  # reached as well when the run is cancelled, and the generator closed
    if not done and not context.cancelled:
        raise RunError(f"The SQL runner ended in the middle{said}", hint="Run what is left with `assetry retry`.")


def _fact(line: str) -> dict[str, Any]:
    try:
        return dict(json.loads(line))
    except ValueError:
        return {"what": "log"}  # a traceback, a warning of a library


def _events(fact: dict[str, Any], line: str, invocation: Invocation) -> Iterator[Event]:
    """Say in assetry's words what the runner said in its own."""
    key = AssetKey(f"{invocation.integration.name}/{fact.get('name')}")
    if fact["what"] == "log":
        yield Log(line, "warning")
    elif key not in {asset.key for asset in invocation.assets}:
        return  # an earlier run asked for it, and has its answer: this one re-attached
    elif fact["what"] == "started":
        yield Started(key)
    elif fact["what"] == "made":
        columns = [Column(name, type_) for name, type_ in fact["columns"]]
        yield Materialized(key, data_version=fact["version"], columns=columns, metadata={"rows": fact["rows"]})
    elif fact["what"] == "checked":
        yield Checked(key, fact["check"], fact["passed"], message=fact["message"])
    elif fact["what"] == "skipped":
        yield Skipped(key, fact["because"])
    elif fact["what"] == "failed":
        yield Failed(key, fact["message"], hint=f"Correct {fact['name']}.sql, then run `assetry retry`.")


@hookimpl
def assetry_io_url(integration: Integration) -> str:
    """Let Python assets read the tables, by an IO manager that is there already (assetry-duckdb)."""
    return _url(integration)


@hookimpl
def assetry_panels(asset: Asset) -> list[Panel] | None:
    """Show the query beside the asset."""
    return [Panel(title="SQL", markdown=f"```sql\n{asset.spec['query']}\n```")] if asset.kind == KIND else None


def _command(invocation: Invocation) -> list[str]:
    place = invocation.integration
    names = [asset.key.name for asset in invocation.assets]
    checks = [f"{each.key.name}.{each.check}" for each in invocation.checks]
    command = [
        sys.executable,
        "-m",
        "assetry_sqlfolder.runner",
        str(_path(place, "database")),
        str(_path(place, "folder")),
    ]
    return [*command, *names, *(["--check", *checks] if checks else [])]


def _path(integration: Integration, option: str) -> Path:
    """Return a file or folder of the options; relative ones start from the project."""
    return Path(integration.root, integration.options.get(option, OPTIONS[option])).resolve()


def _url(integration: Integration) -> str:
    return f"duckdb:{_path(integration, 'database')}"
