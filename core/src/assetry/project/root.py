"""The folder of a project that has no project file: the one asked about, or one above that it belongs to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from assetry.project.definitions import LOCAL_PLUGINS, default_modules
from assetry.types.assets import Integration

Discover = Callable[[str], Sequence[Integration]]


def project_root(start: Path, discover: Discover) -> Path:
    """Return the folder of the project that `start` belongs to; `start` itself when none is found.

    A folder above counts when it has a project that `start` lies in, such as the dbt project of which it is the folder
    of models; and when its project was used before, or is the whole repository's. None beyond the repository counts.
    """
    if _has_own(start) or discover(str(start)):
        return start
    above = start
    while not (above / ".git").exists() and above != above.parent:
        above = above.parent
        used = (above / ".assetry").is_dir() or (above / ".git").exists()
        if used and _has_own(above):
            return above
        found = discover(str(above))
        if found and (used or any(_covers(each, above, start) for each in found)):
            return above
    return start


def _has_own(folder: Path) -> bool:
    return bool(default_modules(folder)) or (folder / f"{LOCAL_PLUGINS}.py").is_file()


def _covers(integration: Integration, root: Path, start: Path) -> bool:
    """Tell whether an option of an integration names a folder that `start` lies in."""
    named = (each for each in integration.options.values() if isinstance(each, str))
    return any(start.is_relative_to((root / each).resolve()) for each in named)
