"""The file that keeps the JSON schema of a project, beside its records, and the line by which editors find it."""

from __future__ import annotations

import json
from pathlib import Path

from assetry.hooks.manager import Plugins
from assetry.io.parts import replace
from assetry.io.private_files import STATE, private_folder
from assetry.project.editors.json_schema import file_schema

#: Where it is, from the folder of the project file.
SCHEMA_FILE = f"{STATE}/assetry.schema.json"
#: The first line of a project file, by which editors find it.
FIRST_LINE = f"#:schema ./{SCHEMA_FILE}"


def write_schema(root: Path, plugins: Plugins) -> bool:
    """Write the schema of the project in a folder, for the plugins that it has; tell whether it was another one before.

    Raises `OSError`.
    """
    text = json.dumps(file_schema(plugins.infos, plugins.command_options()), indent=1, ensure_ascii=False) + "\n"
    path, data = root / SCHEMA_FILE, text.encode()
    if path.is_file() and path.read_bytes() == data:
        return False
    private_folder(path.parent)
    replace(path, lambda file: file.write(data))
    return True


def names_schema(file: Path) -> bool:
    """Tell whether a project file names the schema that is kept beside its records, above all that it says itself.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as root:
    ...     file = Path(root, "assetry.toml")
    ...     _ = file.write_text(f"{FIRST_LINE}\\nmodules = []")
    ...     names_schema(file)
    True
    """
    for line in file.read_text(encoding="utf-8", errors="replace").splitlines():
        if line.strip() and not line.startswith("#"):
            return False
        directive, _, place = line.partition(" ")
        if directive == "#:schema" and place.strip().removeprefix("./") == SCHEMA_FILE:
            return True
    return False
