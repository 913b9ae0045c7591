"""The scaffold of a plugin: a package for an integration that runs, and passes the conformance kit as it is.

Its plugin.py is the quick start of docs/write-an-integration.md; a test holds the two together.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from keyword import iskeyword

from assetry.errors import UsageError
from assetry.hooks.installed import own_version

#: What a new plugin asks of assetry when no version can be found out.
_UNKNOWN = "0.1"

_PYPROJECT = """\
[project]
name = "assetry-DIST"
version = "0.1.0"
description = "assetry: the tables of DIST as assets."
readme = "README.md"
requires-python = ">=3.11"
dependencies = ["assetryFENCE", "assetry-toolkitFENCE"]    # hooks are only added within these versions

[project.optional-dependencies]
test = ["pytest>=8"]

[project.entry-points.assetry]
NAME = "assetry_NAME.plugin"

[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[tool.hatch.build.targets.wheel]
packages = ["src/assetry_NAME"]

[tool.pytest.ini_options]
testpaths = ["tests"]
"""

_INIT = '''\
"""NAME for assetry."""
'''

_PLUGIN = '''\
"""The hooks of assetry-DIST: tables that a command makes, several at a time."""

import json
import shlex
from functools import partial
from pathlib import Path

from assetry.plugin import (
    TABLE,
    TEXTS,
    Asset,
    Failed,
    InvocationGroup,
    Materialized,
    Skipped,
    Started,
    checked_options,
    hookimpl,
)

# The options of an integration in the project file: checked before a hook is called, listed by `assetry plugins`.
OPTIONS = {
    "command": TEXTS.needed("The command that makes tables; their names follow."),
    "tables": TABLE.needed("The tables, each with those it is made from."),
}
ASSETRY_KINDS = {"NAME": OPTIONS}


@hookimpl
def assetry_load_assets(integration):
    return [
        Asset(
            key=f"{integration.name}/{table}",
            kind="NAME",
            integration=integration,
            deps=[f"{integration.name}/{each}" for each in needs],
            spec={"table": table},
        )
        for table, needs in _options(integration)["tables"].items()
    ]


@hookimpl
def assetry_invocation_group(asset):
    return InvocationGroup(f"NAME:{asset.integration.name}")


@hookimpl
def assetry_invocation_command(invocation):
    return shlex.join(_command(invocation))


@hookimpl
def assetry_invoke(invocation, context):
    from assetry_toolkit.commands import Command, run_command

    root = invocation.integration.root
    command = Command(_command(invocation), folder=root, name="NAME")
    journal = Path(root, ".assetry", "NAME")  # by which a later run finds it, should assetry be killed
    # It ends with 1 when it could not make a table, and has said which.
    yield from run_command(command, context, partial(_events, invocation), good=(0, 1), journal=journal)


def _command(invocation):
    return [*_options(invocation.integration)["command"], *(asset.spec["table"] for asset in invocation.assets)]


def _events(invocation, line):
    step = json.loads(line)
    if step["name"] in [asset.spec["table"] for asset in invocation.assets]:  # a command found again may make more
        yield _event(step, invocation.integration)


def _event(step, integration):
    key = f"{integration.name}/{step['name']}"
    if step["what"] == "started":
        return Started(key)
    if step["what"] == "made":
        return Materialized(key, metadata={"rows": step["rows"]})
    if step["what"] == "skipped":
        return Skipped(key, step["message"])
    return Failed(key, step["message"], hint=f"Correct {step['name']}, then run `assetry retry`.")


def _options(integration):
    return checked_options(integration, OPTIONS)
'''

_TEST = '''\
"""assetry-DIST keeps what an integration promises; a tool that does not exist stands in for NAME."""

from assetry.plugin import Integration
from assetry.testing import FakeTool, IntegrationConformance, IntegrationUnderTest

TABLES = {"raw": [], "orders": ["raw"], "customers": [], "report": ["orders"]}


class TestTITLE(IntegrationConformance):
    def subject(self, folder):
        tool = FakeTool(folder / "tool", needs=TABLES)
        options = {"command": tool.command(), "tables": TABLES}
        integration = Integration("NAME", "NAME", options, str(folder))
        return IntegrationUnderTest("assetry_NAME.plugin", integration=integration, tool=tool)
'''

_README = """\
# assetry-DIST

The tables of NAME as assets of assetry. Any selection of them is one run of its command.

```toml
# assetry.toml
[integrations.NAME]
kind = "NAME"
command = ["NAME", "make"]                 # the names of tables follow
tables = { raw = [], orders = ["raw"] }    # each with those it is made from
```

The command prints a line of JSON for each step, `{"name": "orders", "what": "started"}`, then `"made"` with `"rows"`,
or `"failed"` or `"skipped"` with a `"message"`. It ends with 0, or with 1 when a table failed; what it writes to its
standard error is logged. A tool that speaks otherwise is translated in `_event`; one that can list its tables is asked
in `assetry_load_assets`. When assetry is killed the command goes on, and `assetry retry` comes back to it: what it
prints stands in `.assetry/NAME` meanwhile.

```console
$ pip install --editable '.[test]'
$ assetry plugins
$ pytest
```
"""


def plugin_files(name: str) -> Mapping[str, str]:
    """Return the files of a new plugin by their paths; raise `UsageError` when `name` cannot be a module's.

    >>> list(plugin_files("mill"))[-2:]
    ['src/assetry_mill/plugin.py', 'tests/test_conformance.py']
    """
    module = name.replace("-", "_")
    if not re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", module) or iskeyword(module):
        raise UsageError(
            f"A plugin cannot be called {name!r}.",
            hint="Name it as its tool, in small letters and digits: `assetry init --plugin acme`.",
        )
    words = {
        "NAME": module,
        "DIST": module.replace("_", "-"),
        "TITLE": module.title().replace("_", ""),
        "FENCE": _fence(),
    }
    texts = {
        "README.md": _README,
        "pyproject.toml": _PYPROJECT,
        "src/assetry_NAME/__init__.py": _INIT,
        "src/assetry_NAME/plugin.py": _PLUGIN,
        "tests/test_conformance.py": _TEST,
    }
    return {_filled(path, words): _filled(text, words) for path, text in texts.items()}


def _filled(text: str, words: Mapping[str, str]) -> str:
    return re.sub("|".join(words), lambda found: words[found[0]], text)


def _fence() -> str:
    """Return the versions of assetry that a plugin made now can count on.

    >>> _fence().startswith(">=")
    True
    """
    ours = own_version() or _UNKNOWN  # run from source, without being installed
    major, minor = (int(part) for part in re.findall(r"\d+", ours)[:2])
    above = f"{major}.{minor + 1}" if major == 0 else str(major + 1)
    return f">={major}.{minor},<{above}"
