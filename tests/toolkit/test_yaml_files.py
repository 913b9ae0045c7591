"""YAML files: what is wrong with one is told with the line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from assetry.plugin import IntegrationError
from assetry_toolkit.yaml_files import YamlFiles, merged, place_of, place_within, read_yaml
from hypothesis import given
from hypothesis import strategies as st


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


# -- several files as one ----------------------------------------------------------------------------------------------


def mill(folder: Path, text: str, **files: str) -> YamlFiles:
    for name, each in files.items():
        (folder / "more").mkdir(exist_ok=True)
        (folder / "more" / f"{name}.yml").write_text(each)
    (folder / "mill.yml").write_text(text)
    return YamlFiles.read(folder / "mill.yml", "include")


def test_files_that_are_included_are_put_together_and_found_again_by_their_lines(tmp_path: Path) -> None:
    text = "include: [more/*.yml, more/a.yml, mill.yml]\njobs: [{name: one}]\nenv: {X: 1, Y: 1}\n"
    files = mill(tmp_path, text, a="jobs:\n- name: two\n", b="env: {X: 2}\nday:\n  hour: 1\n")
    assert [each["name"] for each in files.entries("jobs")] == ["one", "two"], "each file once"
    assert (files.mapping("env"), files.mapping("nothing")) == ({"X": 2, "Y": 1}, {})
    assert (files.place_of("two"), files.place_of("three")) == ("more/a.yml:2", "mill.yml")
    assert files.line_of("day") == f"{tmp_path}/more/b.yml:2"
    assert files.line_of("hour") == f"{tmp_path}/more/b.yml:3"
    assert files.line_of("X") == f"{tmp_path}/mill.yml"


@pytest.mark.parametrize("pattern", ["[/a/*.yml]", "['']", "['.', 7]", "[7]", "['**a/*']"])
def test_what_is_no_pattern_of_files_is_told_with_its_line(tmp_path: Path, pattern: str) -> None:
    with pytest.raises(IntegrationError, match=r"include: .* is no pattern of files below this folder") as told:
        mill(tmp_path, f"jobs: []\ninclude: {pattern}\n")
    assert told.value.where == f"{tmp_path}/mill.yml:2"


@pytest.mark.parametrize(
    ("text", "message", "line"),
    [
        ("include: more", "include is no list\\.", 1),
        ("a: 1\nenv: s3cret", "env is no mapping\\.", 2),
        ("a: 1\nenv: [3]", r"env is no mapping: \[3\]", 2),
    ],
)
def test_another_shape_is_told_with_its_line(tmp_path: Path, text: str, message: str, line: int) -> None:
    with pytest.raises(IntegrationError, match=message) as told:
        mill(tmp_path, text).mapping("env")
    assert told.value.where == f"{tmp_path}/mill.yml:{line}"


def test_a_file_that_is_not_there_or_empty_is_told_with_the_next_step(tmp_path: Path) -> None:
    with pytest.raises(IntegrationError, match=r"mill\.yml is not here") as told:
        YamlFiles.read(tmp_path / "mill.yml", missing="Look elsewhere.")
    assert (told.value.where, told.value.hint) == (str(tmp_path), "Look elsewhere.")
    for empty in ("", "# later\n", "---\n"):
        (tmp_path / "mill.yml").write_text(empty)
        with pytest.raises(IntegrationError, match=r"mill\.yml is empty") as told:
            YamlFiles.read(tmp_path / "mill.yml", missing="Look elsewhere.")
        assert (told.value.where, told.value.hint) == (f"{tmp_path}/mill.yml", "Look elsewhere.")


NAMES = st.sampled_from("abc")
DOCUMENTS = st.recursive(
    st.integers() | st.none() | st.text("xy"),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(NAMES, inner, max_size=3),
)
MAPPINGS = st.dictionaries(NAMES, DOCUMENTS, max_size=3)


@given(one=MAPPINGS, two=MAPPINGS)
def test_nothing_of_a_document_is_lost_that_is_put_together_with_another(
    one: dict[str, Any], two: dict[str, Any]
) -> None:
    assert merged(one, {}) == merged({}, one) == one
    both = merged(one, two)
    assert both.keys() == one.keys() | two.keys()
    for name, each in two.items():
        if not isinstance(each, (dict, list)):
            assert both[name] == each
        elif isinstance(each, list) and isinstance(one.get(name), list):
            assert both[name] == one[name] + each


def test_an_entry_is_found_by_the_names_that_lead_to_it() -> None:
    """The same name may stand in several lists, and the first that is met need not be the one that is meant."""
    over = "environments:\n- name: prod\n  config:\n    plugins:\n      loaders:\n      - name: lake\n"
    texts = {
        Path("/p/a.yml"): over,
        Path("/p/b.yml"): 'plugins: {loaders: [\n{\n"executable": "x",\n"name": "lake"}]}\n',
    }
    root = Path("/p")
    assert place_within(texts, root, "plugins", "loaders", "lake") == "b.yml:4"
    assert place_within(texts, root, "environments", "prod", "config", "plugins", "loaders", "lake") == "a.yml:6"
    assert place_within(texts, root, "plugins", "loaders", "pond") is None
    assert place_within({Path("/p/a.yml"): "plugins: [\n"}, root, "plugins", "lake") is None
    assert place_within({Path("/p/a.yml"): ""}, root, "plugins") is None
    assert YamlFiles(Path("/p/a.yml"), {}, texts).place_of("lake", "plugins", "loaders") == "b.yml:4"
    assert YamlFiles(Path("/p/a.yml"), {}, texts).place_of("lake") == "a.yml:6"
