"""A fault is told once, in a sentence, without secrets; what is skipped because of it is so only where it fails."""

from __future__ import annotations

from typing import Any

import pytest
from assetry.errors import IntegrationError, PluginError
from assetry.testing.verdicts import Failure, Judge, Verdicts, asked, chained, needed, needs, raised


class Kit:
    """Two checks, one of which needs the other."""

    __module__ = "assetry.testing.made_up"

    def __init__(self, wrong: str | None) -> None:
        self.wrong = wrong

    def begin_anew(self, fixtures: Any) -> None:
        pass

    def test_load(self) -> None:
        assert self.wrong is None, self.wrong

    @needs("test_load")
    def test_run(self) -> None:
        pass


class Overridden(Kit):
    """An author's own, who has something to say before a check."""

    __module__ = "authors.tests"

    def test_run(self) -> None:
        super().test_run()

    def test_of_the_author(self) -> None:
        pass


class Item:
    parent = "a class"

    def __init__(self, cls: type, originalname: str, skip: bool = False) -> None:
        self.cls, self.originalname, self._skip = cls, originalname, skip

    def get_closest_marker(self, name: str) -> object:
        return name if self._skip else None


class Request:
    """What a judge asks pytest."""

    def __init__(self, instance: Kit, *items: Item) -> None:
        self.cls, self.instance, self.session = type(instance), instance, self
        self.items = items

    def getfixturevalue(self, name: str) -> Any:
        raise AssertionError(name)


def judge(kit: Kit, *items: Item) -> Judge:
    return Judge(Request(kit, *items), Verdicts())  # type: ignore[arg-type]


def test_what_an_author_overrides_needs_what_it_did() -> None:
    assert needed(Overridden, "test_run") == ("test_load",)
    assert judge(Overridden(None)).knows("test_run")
    assert not judge(Overridden(None)).knows("test_of_the_author")


def test_a_check_is_skipped_where_one_fails_that_is_told_itself() -> None:
    with pytest.raises(pytest.skip.Exception, match="not judged: test_load fails: boom"):
        judge(Kit("boom"), Item(Kit, "test_load")).carry_out("test_run", lambda: None)


@pytest.mark.parametrize("items", [(), (Item(Kit, "test_load", skip=True),), (Item(Overridden, "test_load"),)])
def test_a_check_fails_where_one_fails_that_nobody_tells(items: tuple[Item, ...]) -> None:
    one = judge(Kit("boom"), *items)
    with pytest.raises(AssertionError, match=r"boom \(said by test_load"):
        one.carry_out("test_run", lambda: None)
    with pytest.raises(pytest.skip.Exception):  # once
        one.carry_out("test_run", lambda: None)


def test_what_was_found_early_is_told_in_its_turn() -> None:
    one = judge(Kit("boom"), Item(Kit, "test_load"))
    with pytest.raises(pytest.skip.Exception):
        one.carry_out("test_run", lambda: None)
    with pytest.raises(AssertionError, match="boom"):
        one.carry_out("test_load", lambda: pytest.fail("carried out twice"))


def test_a_check_is_judged_where_all_holds() -> None:
    calls: list[int] = []
    judge(Kit(None)).carry_out("test_run", lambda: calls.append(1))
    assert calls == [1]


def test_after_a_failure_all_checks_together_end_soon() -> None:
    verdicts = Verdicts()
    verdicts.patience = 1.0
    assert verdicts.judge("test_a", lambda: None) is None
    assert verdicts.left == 1.0
    assert verdicts.judge("test_b", lambda: pytest.fail("no")) is not None
    verdicts._seconds = 100.0
    assert verdicts.left < 0
    one = Judge(Request(Kit(None), Item(Kit, "test_b")), verdicts)  # type: ignore[arg-type]
    with pytest.raises(pytest.skip.Exception, match="test_b fails"):
        one.carry_out("test_load", lambda: None)


def test_whatever_is_raised_becomes_a_sentence_without_secrets() -> None:
    verdicts = Verdicts()
    verdicts.secrets = {"TOKEN": "correct horse"}

    def work() -> None:
        try:
            raise KeyError("correct horse")
        except KeyError as error:
            raise ValueError("no access with correct%20horse") from error

    failure = verdicts.judge("test_a", work)
    assert isinstance(failure, Failure)
    assert "ValueError: no access with *** at " in failure.sentence
    assert isinstance(failure.error, AssertionError)
    assert "correct" not in chained(failure.error)


def test_a_skip_is_no_failure() -> None:
    verdicts = Verdicts()
    with pytest.raises(pytest.skip.Exception):
        verdicts.judge("test_a", lambda: pytest.skip("not here"))
    assert verdicts.first is None


def test_the_core_s_words_about_a_plugin_lead_to_what_the_plugin_raised() -> None:
    def hook() -> None:
        try:
            raise ValueError("boom")
        except ValueError as error:
            raise PluginError("mill 0.1: assetry_io_url raised ValueError: boom") from error

    with pytest.raises(
        AssertionError, match=r"assetry_io_url raised ValueError: boom at \S+test_verdicts\.py:\d+: return"
    ):
        asked("assetry_io_url", hook, 30)


def test_an_error_with_hints_is_told_in_one_line() -> None:
    error = IntegrationError("No file.", where="mill.yml", hint="Make one.")
    assert raised(error).startswith("raised IntegrationError: No file. at ")
