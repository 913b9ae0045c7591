"""``assetry init``: set up a project, with an example that runs, or the package of a plugin."""

from __future__ import annotations

import json
import os
import re
import shlex
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from keyword import iskeyword
from pathlib import Path
from typing import Any

import click

from assetry.cli.command import verb
from assetry.cli.definitions.scaffold import plugin_files
from assetry.cli.session import Session
from assetry.cli.text import styled
from assetry.errors import AssetryError, UsageError
from assetry.project.editors.schema_file import FIRST_LINE, SCHEMA_FILE, names_schema, write_schema
from assetry.project.project import Project
from assetry.project.settings import Settings, read_settings
from assetry.types.assets import Asset, Integration

_NEXT = ("assetry check", "assetry plan", "assetry materialize", "assetry status")
_NEXT_OF_PLUGIN = ("pip install --editable '.[test]'", "assetry plugins", "pytest")

_TOML = f"""\
{FIRST_LINE}
# The project: what assetry loads, and where it keeps things. Relative paths start from this file.
modules = ["assets"]                          # Python modules with assets
# store = "sqlite:.assetry/state.db"          # records of runs and materializations
# io = "parquet:.assetry/data"                # values of Python assets
# executor = "threads:8"                      # how many things run at a time
"""

_PLAIN = '''\
"""Assets: functions whose results are kept. An asset is made from those that its arguments are named after."""

from assetry import asset


@asset
def numbers() -> list[int]:
    """Some numbers."""
    return [3, 1, 2]


@asset
def total(numbers: list[int]) -> int:
    """Their sum: made from `numbers`, because its argument has that name."""
    return sum(numbers)
'''

_READING = '''\
"""Assets: functions whose results are kept. An asset is made from those that its arguments are named after."""

import {module} as {short}

from assetry import asset


@asset
def {name}_size({name}: {short}.{type}) -> {short}.{type}:
    """How many rows `{key}` has."""
    return {result}
'''

#: By module: its usual short name, its table type, and how one row with a count is written in it.
_FRAMES = {
    "pandas": ("pd", "DataFrame", 'pd.DataFrame({{"rows": [len({name})]}})'),
    "pyarrow": ("pa", "Table", 'pa.table({{"rows": [{name}.num_rows]}})'),
}


def init(session: Session, folder: str | None, plugin: str | None) -> None:
    """Set up a project in FOLDER (here, when it is not given): assetry.toml and an example in assets.py.

    A project of a known tool (a dbt_project.yml, say) in the folder becomes an integration, and the example reads
    one of its tables. What is there already is kept as it is.

    The first line of assetry.toml names .assetry/assetry.schema.json, by which editors complete and check the file
    (Even Better TOML, Tombi). It is written anew each time, for the plugins that are installed now.

    With --plugin a package for a new integration is set up instead, in FOLDER or assetry-NAME: hooks that run, and
    the test that they keep what an integration promises.
    """
    if plugin is None:
        init_project(session, folder or ".")
    else:
        init_plugin(session, folder, plugin)


def init_plugin(session: Session, folder: str | None, name: str) -> None:
    """Write the package of a plugin; files that are there already are kept as they are."""
    files = plugin_files(name)
    folder = folder or f"assetry-{name.replace('_', '-')}"
    root = Path(folder)
    kept = [path for path in files if (root / path).exists()]
    made = [path for path in files if path not in kept]
    for path in made:
        _make_folder((root / path).parent)
        _write(root / path, files[path])
    _tell(session, root.resolve(), made, kept, (f"cd {shlex.quote(folder)}", *_NEXT_OF_PLUGIN))


def init_project(session: Session, folder: str) -> None:
    """Set up a project in a folder."""
    root = Path(folder)
    _make_folder(root)
    root = root.resolve()
    made: list[str] = []
    kept = [name for name in ("assetry.toml", "assets.py", "assets") if (root / name).exists()]
    project_file = _project_file(root)
    if project_file is not None:
        kept = [project_file, *(name for name in kept if name != project_file)]
    else:
        made = _scaffold(session, root, has_assets=bool(kept))
    _write_schema(session, root)
    there = "assetry" if root == Path.cwd() else f"assetry -C {shlex.quote(folder)}"
    _tell(session, root, made, kept, _NEXT, there)


def _write_schema(session: Session, root: Path) -> None:
    """Write what editors read; say how a project file that was there is given the line that names it."""
    with Project.load(root) as project:
        file = project.settings.file
        if file is None or file.name != "assetry.toml":
            return  # of pyproject.toml editors have a schema of their own
        try:
            write_schema(root, project.plugins)
        except OSError as error:
            session.warn(f"{SCHEMA_FILE}, by which editors check {file.name}, is not written: {error.strerror}")
            return
    if not names_schema(file):
        session.note(f"For editors, make this the first line of {file.name}:\n  {FIRST_LINE}")


def _project_file(root: Path) -> str | None:
    """Return the project file in the folder itself; one further above is another project's."""
    settings = read_settings(root)
    return settings.file.name if settings.file is not None and settings.root == root else None


def _make_folder(root: Path) -> None:
    try:
        root.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"Cannot make the folder {str(root)!r}: {error.strerror}.", hint="Name another one.") from None


def _scaffold(session: Session, root: Path, has_assets: bool) -> list[str]:
    """Write what is missing; return the names of the files."""
    integrations, table = _look(session, root)
    made = ["assetry.toml"]
    _write(root / "assetry.toml", _TOML + "".join(_integration(each, root) for each in integrations))
    if not has_assets:
        _write(root / "assets.py", _example(table))
        made.append("assets.py")
    return made


def _look(session: Session, root: Path) -> tuple[list[Integration], Asset | None]:
    """Return the projects of known tools in the folder, and a table of theirs that an example can read."""
    with _undefined_project(root) as project:
        found = project.plugins.discover(str(root))
        if not found:
            return [], None
        try:
            return found, _readable(project, found)
        except AssetryError as error:
            session.warn(f"the example reads no table, because the definitions do not load yet:\n{error}")
            return found, None


def _undefined_project(root: Path) -> Project:
    """Return the project that a folder is without a project file."""
    # One further above would be found, and is another project's.
    return Project.load(root) if read_settings(root).file is None else Project(settings=Settings(root))


def _readable(project: Project, integrations: Sequence[Integration]) -> Asset | None:
    """Return an asset at the end of the graph whose table Python can read, and name as an argument."""
    readable = {each.name for each in integrations if _opens(project, each)}
    # From the end: what others are made from is less worth looking at.
    for asset in reversed(project.graph.assets):
        name = asset.key.name
        named = name.isidentifier() and not iskeyword(name) and len(project.graph.named(name)) == 1
        made = asset.executable and asset.relation is not None and asset.partitions_def is None
        if named and made and asset.integration is not None and asset.integration.name in readable:
            return asset
    return None


def _opens(project: Project, integration: Integration) -> bool:
    url = project.plugins.io_url(integration)
    if url is None:
        return False
    try:
        project.plugins.open_io(url).close()
    except AssetryError:
        return False
    return True


def _example(table: Asset | None) -> str:
    module = next((name for name in _FRAMES if find_spec(name) is not None), None)
    if table is None or module is None:
        return _PLAIN
    short, type_, result = _FRAMES[module]
    name = table.key.name
    return _READING.format(
        module=module, short=short, type=type_, name=name, key=table.key, result=result.format(name=name)
    )


def _integration(integration: Integration, root: Path) -> str:
    """Return an integration as a table of the project file."""
    options = {name: _relative(value, root) for name, value in integration.options.items()}
    name = integration.name if re.fullmatch(r"[A-Za-z0-9_-]+", integration.name) else json.dumps(integration.name)
    lines = [f"\n[integrations.{name}]", f"kind = {json.dumps(integration.kind)}"]
    lines += [f"{name} = {_toml(value)}" for name, value in options.items() if value is not None]
    return "\n".join(lines) + "\n"


def _relative(value: Any, root: Path) -> Any:
    if isinstance(value, str) and os.path.isabs(value) and Path(value).is_relative_to(root):  # noqa: PTH117
        return Path(value).relative_to(root).as_posix()
    return value


def _toml(value: Any) -> str:
    """Return a value as TOML writes it.

    >>> _toml({"env": "TOKEN"}), _toml(["a", True])
    ('{ env = "TOKEN" }', '["a", true]')
    """
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{name} = {_toml(item)}" for name, item in value.items()) + " }"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(_toml, value)) + "]"
    # Strings, numbers and booleans are written as in JSON; only DEL has to be escaped in addition.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _write(file: Path, text: str) -> None:
    """Write a new file; one that has come into being meanwhile is not touched."""
    try:
        with file.open("x", encoding="utf-8") as stream:
            stream.write(text)
    except OSError as error:
        raise UsageError(f"Cannot write {file}: {error.strerror}.", hint="Name another folder.") from None


def _tell(
    session: Session,
    root: Path,
    made: Sequence[str],
    kept: Sequence[str],
    following: Sequence[str],
    there: str = "assetry",
) -> None:
    if not session.text:
        session.emit({"root": str(root), "made": list(made), "kept": list(kept), "next": list(following)})
        return
    for word, colour, names in (("made", "green", made), ("kept", None, kept)):
        for name in names:
            session.say(f"{styled(word, fg=colour)}  {name}")
    session.note("Next:")
    for command in following:
        session.note(f"  {command.replace('assetry', there)}")


command = verb(
    "init",
    click.Argument(["folder"], required=False, metavar="[FOLDER]"),
    click.Option(["--plugin"], metavar="NAME", help="Set up the package of a new integration instead."),
)(init)
