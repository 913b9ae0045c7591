"""The schema beside the records: written when it is another one, and named in the first lines of the project file."""

from __future__ import annotations

from pathlib import Path

import pytest
from assetry import Project
from assetry.project.editors.schema_file import FIRST_LINE, SCHEMA_FILE, names_schema, write_schema


def test_it_is_written_when_it_is_another_one(tmp_path: Path) -> None:
    plugins = Project(root=tmp_path).plugins
    assert write_schema(tmp_path, plugins)
    assert not write_schema(tmp_path, plugins)
    (tmp_path / SCHEMA_FILE).write_text("{}")
    assert write_schema(tmp_path, plugins)
    assert (tmp_path / ".assetry" / ".gitignore").is_file()


@pytest.mark.parametrize(
    ("text", "named"),
    [
        (f"{FIRST_LINE}\n", True),
        (f"# mine\n\n{FIRST_LINE}\nmodules = []\n", True),
        ("#:schema .assetry/assetry.schema.json", True),
        (f"modules = []\n{FIRST_LINE}\n", False),
        ("#:schema https://example.com/assetry.schema.json\n", False),
        ("", False),
    ],
)
def test_editors_look_for_it_before_all_that_the_file_says(text: str, named: bool, tmp_path: Path) -> None:
    file = tmp_path / "assetry.toml"
    file.write_text(text)
    assert names_schema(file) is named
