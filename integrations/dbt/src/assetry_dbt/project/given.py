"""Options that commands take for dbt, as dbt's own commands take them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from assetry.plugin import CommandOption, UsageError


def _vars(given: Any, said: Any) -> dict[str, Any]:
    """Return the variables of the project file with those that were given, as YAML or as a mapping, in their place."""
    import yaml

    try:
        read = yaml.safe_load(given) if isinstance(given, str) else given
    except yaml.YAMLError as error:
        raise UsageError(f"--vars cannot be read: {error}.", hint=_VARS_HINT) from None
    if not isinstance(read, Mapping):
        raise UsageError("--vars is not a mapping of names to values.", hint=_VARS_HINT)
    return {**(said if isinstance(said, Mapping) else {}), **read}


_VARS_HINT = "For example --vars '{country: nl, days: 3}'."


def _threads(given: Any, _said: Any) -> int:
    if not str(given).isdecimal() or int(given) < 1:
        raise UsageError(f"--threads {given}: not a number of threads.", hint="For example --threads 8.")
    return int(given)


def _folder(given: Any, _said: Any) -> str:
    # What is typed starts from where one stands, what the project file says from its own folder.
    return str(Path(given).expanduser().absolute())


COMMAND_OPTIONS = (
    CommandOption(kind="dbt", name="target", short="-t", metavar="NAME", help="The target of the profile."),
    CommandOption(kind="dbt", name="vars", metavar="YAML", help="Variables: '{country: nl}'.", read=_vars),
    CommandOption(kind="dbt", name="threads", metavar="N", help="How many threads build.", read=_threads),
    CommandOption(kind="dbt", name="profile", metavar="NAME", help="The profile."),
    CommandOption(kind="dbt", name="defer", switch=True, help="Read what is not built from where the state has it."),
    CommandOption(kind="dbt", name="favor_state", switch=True, help="Read it from there also where the target has it."),
    CommandOption(
        kind="dbt", name="state", metavar="DIR", help="The folder of another target's manifest.", read=_folder
    ),
    CommandOption(kind="dbt", name="empty", switch=True, help="Build tables without rows; never fresh from it."),
    CommandOption(
        kind="dbt", name="sample", metavar="TIME", help="Build from a part of the rows: '3 days'; never fresh."
    ),
    CommandOption(kind="dbt", name="clone", switch=True, help="Clone tables from the state; never fresh from it."),
    CommandOption(kind="dbt", name="profiles_dir", metavar="DIR", help="Where profiles.yml is.", read=_folder),
)
