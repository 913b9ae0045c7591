"""The process that runs dlt: the command it is started by, and what its lines mean."""

import hashlib
import json
import shlex
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assetry.plugin import (
    FLAG,
    TABLE,
    TEXT,
    TEXTS,
    AssetKey,
    Column,
    Event,
    Failed,
    Integration,
    IntegrationError,
    Invocation,
    Materialized,
    Progress,
    Skipped,
    checked_options,
    is_reference,
)

if TYPE_CHECKING:
    from assetry_toolkit.commands import Command

Secret = Callable[[str], str]

OPTIONS = {
    "source": TEXT.needed("The dlt source, or a function that returns it: MODULE:NAME."),
    "database": TEXT.needed("The DuckDB file that has the tables."),
    "arguments": TABLE.about('What the function is called with; secrets as { env = "NAME" }.'),
    "dataset": TEXT.about("The schema of the tables.", default="the integration's name"),
    "pipeline": TEXT.about("dlt's name of the pipeline.", default="the integration's name"),
    "reads": TEXTS.about("Files and folders beside its modules that decide which resources there are."),
    "variables": TEXTS.about("Environment variables that do."),
    "secrets_to_load": FLAG.about("Its resources cannot be known without its secrets.", default=False),
}


def database(integration: Integration) -> Path:
    """Return the DuckDB file."""
    return Path(integration.root, integration.options["database"]).resolve()


def url(integration: Integration) -> str:
    """Return the URL by which assetry-duckdb opens that file."""
    return f"duckdb:{str(database(integration)).replace('%', '%25').replace('?', '%3F')}"


def loading(invocation: Invocation, secret: Secret) -> "Command":
    """Return the command that loads the resources of an invocation."""
    refresh = ["--refresh"] if invocation.full_refresh else []
    version = f"--version={invocation.assets[0].code_version}"  # that of the source: all have the same
    names = [asset.spec["resource"] for asset in invocation.assets]
    return _command(invocation.integration, secret, "load", *names, *refresh, version)


def listed(integration: Integration, secret: Secret) -> Any:
    """Ask the source which resources it has, and of which files and arguments it is made."""
    command = _command(integration, secret, "list")
    done = command.finish()
    if done.returncode != 0:
        raise IntegrationError(
            f"Integration {integration.name!r}: {(done.err.strip() or 'dlt said nothing.').splitlines()[-1]}",
            hint=f"Correct it; in {integration.root} this says more: {shown(command)}",
        )
    arguments = json.dumps(integration.options.get("arguments"), sort_keys=True)  # where secrets are, and not what
    return {**json.loads(done.out), "arguments": hashlib.sha256(arguments.encode()).hexdigest()[:16]}


def _command(integration: Integration, secret: Secret, what: str, *words: str) -> "Command":
    from assetry_toolkit.commands import Command
    from assetry_toolkit.secrets import resolve

    own = {"dataset": integration.name, "pipeline": integration.name}
    options = {**own, **checked_options(integration, OPTIONS), "database": str(database(integration))}
    arguments = options.get("arguments", {}).items()
    given = {name: resolve(each, secret) if is_reference(each) else each for name, each in arguments}
    places = [f"--{name}={options[name]}" for name in ("database", "dataset", "pipeline")]
    program = (sys.executable, "-m", "assetry_dlt.runner", what, options["source"], *words, *places)
    # The arguments may have secrets in them, and the words of a command everybody can see.
    return Command(
        program, folder=integration.root, environment={"DLT_SOURCE_ARGUMENTS": json.dumps(given)}, name="dlt"
    )


def shown(command: "Command") -> str:
    """Return a command as it would be typed."""
    return shlex.join(["python", *command.words[1:]])


def events(invocation: Invocation, line: str) -> Iterator[Event]:
    """Say in assetry's words what the runner said in its own."""
    fact = json.loads(line)
    key = AssetKey(f"{invocation.integration.name}/{fact.get('name')}")
    if key not in {asset.key for asset in invocation.assets}:
        return  # it has begun; or it was asked for by a run that was killed, and not by this one
    if fact["what"] == "extracted":
        yield Progress(key, fact["rows"])
    elif fact["what"] == "made":
        columns = tuple(Column(*each) for each in fact["columns"])
        yield Materialized(key, data_version=fact["version"], columns=columns or None, metadata=fact["metadata"])
    elif fact["what"] == "failed":
        yield Failed(key, fact["message"], hint="Correct it, then run `assetry retry`.")
    else:
        yield Skipped(key, fact["message"])
