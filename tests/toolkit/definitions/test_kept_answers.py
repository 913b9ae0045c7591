"""Answers of a tool: asked once, anew when they would be others, and as they were when the tool does not answer."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest
from assetry.plugin import IntegrationError
from assetry_toolkit.definitions.kept_answers import KeptAnswers


def closed() -> Any:
    raise IntegrationError("The mill is closed.")


def test_an_answer_is_asked_for_once_and_anew_when_it_is_of_something_else(tmp_path: Path) -> None:
    path = tmp_path / "new" / "mill.json"
    assert KeptAnswers(path).get("orders", "v1", lambda: ["a"]).value == ["a"]
    again = KeptAnswers(path).get("orders", "v1", closed)
    assert (again.value, again.stale) == (["a"], None)
    assert KeptAnswers(path).get("orders", "v2", lambda: ["b"]).value == ["b"]
    assert KeptAnswers(path).kept("orders", "v1") is None
    assert KeptAnswers(path).kept("users") is None


def test_a_tool_that_does_not_answer_keeps_what_it_had(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    answers = KeptAnswers(tmp_path / "mill.json")
    with pytest.raises(IntegrationError, match="closed"):
        answers.get("orders", "v1", closed)
    at = answers.keep("orders", "v1", ["a"]).at
    with caplog.at_level(logging.WARNING, "assetry"):
        stale = answers.get("orders", "v2", closed)
    assert (stale.value, stale.at, stale.stale) == (["a"], at, "The mill is closed.")
    assert caplog.messages == [f"The mill is closed. What was read on {at[:10]} is used."]


BAD = ['{"version": 2, "answers": []}', '{"version": 2, "answers": {"orders": {"of": "v1"}, "users": 7}}']


@pytest.mark.parametrize("text", ["{broken", "[]", '{"version": 1, "answers": {}}', *BAD])
def test_a_file_that_cannot_be_read_or_is_of_another_version_is_empty(tmp_path: Path, text: str) -> None:
    path = tmp_path / "mill.json"
    path.write_text(text)
    answers = KeptAnswers(path, version=2)
    assert answers.kept("orders") is None
    answers.keep("orders", "v1", 7)
    found = json.loads(path.read_text())
    assert (found["version"], found["answers"]["orders"]["answer"]) == (2, 7)


def test_a_file_that_cannot_be_written_is_told_with_its_place(tmp_path: Path) -> None:
    path = tmp_path / "mill.json"
    path.mkdir()
    with pytest.raises(IntegrationError, match=r"mill\.json cannot be written: Is a directory") as told:
        KeptAnswers(path).keep("orders", "v1", [1])
    assert told.value.where == str(path)
