"""Variables that settings name."""

from __future__ import annotations

from pathlib import Path

import pytest
from assetry_toolkit.definitions.variables import expand, folder_variables, with_variables


def test_variables_of_a_folder_are_beneath_those_of_the_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".env").write_text("KEY='s3cret'  # the key\nexport OTHER=two words\nHASH=a#b\n#NO=1\nEMPTY\n")
    monkeypatch.setenv("OTHER", "of the shell")
    found = folder_variables(tmp_path)
    assert {name: found.get(name) for name in ("KEY", "OTHER", "HASH", "NO", "EMPTY")} == {
        "KEY": "s3cret",
        "OTHER": "of the shell",
        "HASH": "a#b",
        "NO": None,
        "EMPTY": "",
    }


@pytest.mark.parametrize("given", ["$NO_SUCH", "a${no_such}b"])
def test_a_setting_that_names_a_variable_that_is_not_set_is_not_known(given: str) -> None:
    assert expand(given, {}) is None


def test_small_letters_without_braces_are_no_variable() -> None:
    assert expand("$no ${no} $NO", {"no": "1", "NO": "2"}) == "$no 1 2"


def test_a_layer_of_variables_is_put_in_from_those_beneath_it_alone() -> None:
    layer = {"A": "$B", "B": "$A"}
    assert with_variables({"A": "1", "B": "2"}, layer) == {"A": "2", "B": "1"}
