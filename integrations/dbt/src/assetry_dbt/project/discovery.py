"""Find dbt projects in a folder that has no project file."""

from __future__ import annotations

import os
from pathlib import Path

from assetry.plugin import Integration
from assetry_toolkit.definitions.projects import project_folders
from assetry_toolkit.yaml_files import read_yaml

#: Folders in which a dbt_project.yml is not the user's own: installed packages and what dbt makes.
_NOT_OURS = ("dbt_packages", "dbt_modules", "target", "node_modules", "venv", "env")


def discover(root: Path) -> list[Integration]:
    """Return an integration for the dbt project in `root`, else for each one that lies one level below.

    Each is named after the dbt project; of two with one name the second, and its keys, are named after its folder.

    >>> discover(Path("/nowhere"))
    []
    """
    found: dict[str, Integration] = {}
    for folder in project_folders(root, "dbt_project.yml", aside=_NOT_OURS):
        name = str(read_yaml(folder / "dbt_project.yml").get("name") or folder.name)
        options = {"project_dir": os.path.relpath(folder, root)}
        if name in found:
            name = options["key_prefix"] = folder.name
        found[name] = Integration(name, "dbt", options, str(root))
    return list(found.values())
