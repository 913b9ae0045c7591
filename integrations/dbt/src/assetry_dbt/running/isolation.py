"""The surroundings of a dbt in this process: its own working directory, and nothing left changed when it has ended.

dbt keeps its settings in module globals, and reads relative paths from the working directory, which a process has one
of. Both are its own only while it runs: the caller makes sure that one dbt runs at a time.
"""

from __future__ import annotations

import ctypes
import os
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from assetry_dbt.project.project import DbtProject

_CLONE_FS = 0x200


@contextmanager
def own_surroundings(project: DbtProject) -> Iterator[None]:
    """Run dbt in here, on a thread of its own that ends soon after: it may not be used for anything else."""
    with ExitStack() as stack:
        stack.enter_context(_search_paths())
        import dbt.cli.main  # noqa: F401 - what it does to the process is undone above

        stack.enter_context(_dbt_globals())
        if not enter_directory(project.project_dir):
            stack.enter_context(_absolute_duckdb(project.project_dir))
        try:
            yield
        finally:
            release_duckdb()


def enter_directory(path: Path) -> bool:
    """Make `path` the working directory of this thread and of threads it starts; return whether that could be done.

    Linux lets a thread part from the others in this; elsewhere, and where a container forbids it, only a process that
    is there already will do.
    """
    if Path.cwd() == path.resolve():
        return True
    if not sys.platform.startswith("linux"):
        return False
    unshare: Callable[[int], int] | None = getattr(ctypes.CDLL(None, use_errno=True), "unshare", None)
    if unshare is None or unshare(_CLONE_FS) != 0:
        return False
    os.chdir(path)
    return True


@contextmanager
def _search_paths() -> Iterator[None]:
    """Put back where imports are searched and which warnings are shown: dbt and its plugins add to both."""
    path, filters = list(sys.path), list(warnings.filters)
    try:
        yield
    finally:
        # In place, and only what came in meanwhile: other threads may have added theirs before.
        if sys.path != path:
            sys.path[:] = path
        if warnings.filters != filters:
            warnings.filters[:] = filters  # type: ignore[index]
            warnings._filters_mutated()  # type: ignore[attr-defined]


@contextmanager
def _dbt_globals() -> Iterator[None]:
    """Put back the flags, the event manager and the usage-statistics user of dbt."""
    import dbt.flags as flags
    import dbt.tracking as tracking
    from dbt_common.events.event_manager_client import get_event_manager

    kept = (flags.get_flags(), tracking.active_user)
    manager = get_event_manager()
    state = {name: value.copy() if isinstance(value, list) else value for name, value in vars(manager).items()}
    try:
        yield
    finally:
        flags.set_flags(kept[0])
        tracking.active_user = kept[1]
        vars(manager).update(state)


@contextmanager
def _absolute_duckdb(project_dir: Path) -> Iterator[None]:
    """Let relative paths of a DuckDB profile mean the project's folder, where the working directory cannot be it."""
    try:
        from dbt.adapters.duckdb.connections import DuckDBConnectionManager as Manager
    except ImportError:
        yield
        return
    original = Manager.__dict__["get_credentials"]
    known: dict[int, Any] = {}

    def get_credentials(cls: Any, credentials: Any) -> Any:
        # The same answer each time: dbt compares it with what the file was opened by.
        if id(credentials) not in known:
            known[id(credentials)] = _absolute(original.__func__(cls, credentials), project_dir)
        return known[id(credentials)]

    Manager.get_credentials = classmethod(get_credentials)
    try:
        yield
    finally:
        Manager.get_credentials = original


def _absolute(credentials: Any, project_dir: Path) -> Any:
    path = str(credentials.path)
    elsewhere = path.startswith((":", "md:", "motherduck:")) or "://" in path
    absolute = path if elsewhere else str(project_dir / path)
    settings = {"file_search_path": str(project_dir), **(credentials.settings or {})}
    return replace(credentials, path=absolute, settings=settings)


def release_duckdb() -> None:
    """Close the DuckDB file that dbt keeps open until its process ends, so that other processes can have it.

    A database in memory is kept: closing it would lose it.
    """
    module = sys.modules.get("dbt.adapters.duckdb.connections")
    if module is None:
        return
    manager = module.DuckDBConnectionManager
    environment = manager._ENV
    if environment is None or environment.creds.path == ":memory:":
        return
    manager.close_all_connections()
    try:
        # Not left to the garbage collector: a traceback may still refer to it.
        environment.close()
    except Exception:  # it is being thrown away
        return
