"""YAML files: what is wrong with one is told with the line."""

from __future__ import annotations

from pathlib import Path

import pytest
from assetry.plugin import IntegrationError
from assetry_toolkit.yaml_files import place_of, read_yaml


@pytest.mark.parametrize(("text", "words"), [("- a\n", "not a mapping"), ("a: \x00", "not valid YAML")])
def test_yaml_that_is_no_mapping(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "x.yml"
    path.write_text(text)
    with pytest.raises(IntegrationError, match=words):
        read_yaml(path)


def test_an_empty_file_is_an_empty_mapping(tmp_path: Path) -> None:
    (tmp_path / "x.yml").write_text("# nothing\n")
    assert read_yaml(tmp_path / "x.yml") == {}


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("- name: orders\n", "x.yml:1"),
        ("a:\n- {name: 'orders', b: 1}\n", "x.yml:2"),
        ('{"a": [\n{"name":\n"orders"}]}', "x.yml:2"),
        ("- name: orders_2\n- name: old_orders\n- surname: orders2\n# orders\n- name: orders # ours\n", "x.yml:5"),
        ("orders:\n  names: [orders]\n", None),
    ],
)
def test_where_an_entry_stands(tmp_path: Path, text: str, place: str | None) -> None:
    texts = {tmp_path / "empty.yml": "", tmp_path / "x.yml": text, tmp_path / "later.yml": "- name: other\n"}
    assert place_of("orders", texts, tmp_path) == place
    assert place_of("other", texts, tmp_path) == "later.yml:1"


def test_a_tab_between_words_is_refused_by_its_line_where_the_tool_refuses_it(tmp_path: Path) -> None:
    path = tmp_path / "mill.yml"
    path.write_text("jobs:\n- name: x\n  bad:\tindent\n")
    assert read_yaml(path) == {"jobs": [{"name": "x", "bad": "indent"}]}
    with pytest.raises(IntegrationError, match=r"mill.yml is not valid YAML: .*'\\t'") as caught:
        read_yaml(path, strict=True)
    assert caught.value.where == f"{path}:3"
    path.write_text('jobs: "a\tb"  # \there\n')
    assert read_yaml(path, strict=True) == {"jobs": "a\tb"}
