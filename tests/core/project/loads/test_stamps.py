"""Two looks at a folder say that it is the same exactly when it is."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from assetry.project.loads.stamps import same_content, stamp, untouched
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples

#: Folders are tables of what is in them, files their content; with so few of both, two trees are often nearly the same.
TREES = st.recursive(
    st.sampled_from([b"", b"a", b"b"]),
    lambda inner: st.dictionaries(st.sampled_from(["x", "y", "z"]), inner, max_size=3),
    max_leaves=5,
)


def put(path: Path, tree: Any) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
    if isinstance(tree, bytes):
        path.write_bytes(tree)
        return
    path.mkdir()
    for name, each in tree.items():
        put(path / name, each)


@settings(max_examples=examples(75), deadline=None)
@given(TREES, TREES)
def test_a_folder_is_the_same_exactly_when_its_content_is(tmp_path_factory: Any, one: Any, other: Any) -> None:
    place = tmp_path_factory.mktemp("tree") / "it"
    put(place, one)
    before = stamp(place)
    assert untouched(before, stamp(place, before))
    put(place, other)
    assert same_content(before, stamp(place, before)) == (one == other)
    assert same_content(before, stamp(place)) == (one == other)


def test_nothing_is_something_else_than_an_empty_file_or_folder(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    looks = [stamp(tmp_path / name) for name in ("nothing", "file", "folder", "file/below")]
    assert [[same_content(one, other) for other in looks] for one in looks] == [
        [True, False, False, True],
        [False, True, False, False],
        [False, False, True, False],
        [True, False, False, True],
    ]


def test_what_is_left_out_and_what_python_derives_count_for_nothing(tmp_path: Path) -> None:
    before = stamp(tmp_path, without=[tmp_path / ".assetry"])
    for name in (".assetry", "__pycache__"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a").touch()
    assert same_content(before, stamp(tmp_path, without=[tmp_path / ".assetry"]))
    assert not same_content(before, stamp(tmp_path))


def test_a_device_is_neither(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="neither a file nor a folder"):
        stamp(Path("/dev/null"))
