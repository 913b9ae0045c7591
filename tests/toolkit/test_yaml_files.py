"""YAML files: what is wrong with one is told with the line."""

from __future__ import annotations

from pathlib import Path

import pytest
from assetry.plugin import IntegrationError
from assetry_toolkit.yaml_files import read_yaml


@pytest.mark.parametrize(("text", "words"), [("- a\n", "not a mapping"), ("a: \x00", "not valid YAML")])
def test_yaml_that_is_no_mapping(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "x.yml"
    path.write_text(text)
    with pytest.raises(IntegrationError, match=words):
        read_yaml(path)


def test_an_empty_file_is_an_empty_mapping(tmp_path: Path) -> None:
    (tmp_path / "x.yml").write_text("# nothing\n")
    assert read_yaml(tmp_path / "x.yml") == {}
