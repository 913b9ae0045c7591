"""The hooks: what assetry asks of an integration. Only `assetry.plugin` is imported, and nothing heavy."""

import json
import shlex
import sys
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path

from assetry.plugin import (
    TEXT,
    Asset,
    AssetKey,
    Check,
    Checked,
    Column,
    Event,
    Failed,
    Integration,
    IntegrationError,
    Invocation,
    InvocationGroup,
    LoadContext,
    Materialized,
    Panel,
    Relation,
    RunContext,
    Skipped,
    Started,
    hookimpl,
)

from assetry_sqlfolder.scripts import Script, read_scripts, upstream

KIND = "sqlfolder"

# The options of an integration in the project file: checked before anything here is called, and listed by
# `assetry plugins`.
OPTIONS = {
    "folder": TEXT.about("Where the scripts are.", default="sql"),
    "database": TEXT.about("The DuckDB file that has their tables.", default="warehouse.duckdb"),
}
ASSETRY_KINDS = {KIND: OPTIONS}


@hookimpl
def assetry_load_assets(integration: Integration, context: LoadContext) -> Iterable[Asset]:
    """Load the scripts of the folder."""
    folder = _path(integration, "folder")
    if not folder.is_dir():
        raise IntegrationError(
            f"Integration {integration.name!r} looks for SQL scripts in {folder}, which is not a folder.",
            hint=f'Make it, or name another one: folder = "…" under [integrations.{integration.name}].',
        )
    context.reads(folder)  # the assets are kept until something in it changes
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
        source=f"{_option(integration, 'folder')}/{script.name}.sql",
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
    """Run the scripts in one process, and tell what it prints, as it prints it; a killed run finds it again."""
    from assetry_toolkit.commands import Command, run_command

    command = Command(_command(invocation), name="The SQL runner")
    journals = Path(invocation.integration.root, ".assetry", KIND)
    yield from run_command(command, context, partial(_events, invocation), journal=journals)


def _events(invocation: Invocation, line: str) -> Iterator[Event]:
    """Say in assetry's words what the runner said in its own."""
    fact = json.loads(line)
    key = AssetKey(f"{invocation.integration.name}/{fact.get('name')}")
    if key not in {asset.key for asset in invocation.assets}:
        return  # it began or is done; or an earlier run asked for it, and has its answer
    if fact["what"] == "started":
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


def _option(integration: Integration, name: str) -> str:
    return str(integration.options.get(name, OPTIONS[name].default))


def _path(integration: Integration, option: str) -> Path:
    """Return a file or folder of the options; relative ones start from the project."""
    return Path(integration.root, _option(integration, option)).resolve()


def _url(integration: Integration) -> str:
    return f"duckdb:{_path(integration, 'database')}"
