"""Verdicts: each fault is told once, by the check that is about it, in a sentence that says what to do.

A check says by `needs` which others must hold before it can be judged. Where one of those fails, it is skipped and
names it. So a check is skipped only where another one fails, and a test run with a fault is never green.
"""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import pytest

from assetry.errors import AssetryError, PluginError, error_words
from assetry.testing.secrecy import betrayed, masked
from assetry.testing.watching import Unanswered, Worker, place_of_error

#: What an author should do about a hook that raises or does not return.
ADVICE: Mapping[str, str] = {
    "assetry_load_assets": "raise IntegrationError with a hint when what the options point at cannot be read",
    "assetry_invocation_group": "compute it from the asset alone, and return None for one that runs on its own",
    "assetry_invocation_command": "return one line, as it would be typed, or None when there is none",
    "assetry_invoke": "yield Failed for an asset that fails, and raise RunError with a hint when the tool itself broke",
    "assetry_observe": "yield Observed for what can be seen, and nothing for what cannot",
    "assetry_gone_hint": "say in one text what brings it back, and None where it is made anew as usual",
    "assetry_failure_hint": "look at the definition and the failure alone, and return None to keep what was told",
    "assetry_io_url": "return None when the tables cannot be reached",
    "assetry_warnings": "give AssetWarning values about the assets that are given, from these and the time alone",
    "assetry_invocation_notes": "return sentences for people, and none where the command says all",
    "assetry_named_selections": "return None when your files name no selections",
    "assetry_delete": "return in words what was deleted, also when it was not there any more",
    "assetry_discover": "return nothing for a folder without files of yours",
    "assetry_panels": "every plugin is asked about every asset: return nothing where you have nothing to show",
    "assetry_add_commands": "add a group to what is given, and import what it needs inside the commands",
    "assetry_command_options": "return a list of CommandOption",
    "assetry_event": "every plugin hears of every event: look whether it is one of yours before you take it apart",
    "assetry_value_metadata": "return None for a value that is not yours",
    "assetry_selection_hint": "return None for words that are not your tool's",
}
_OTHERWISE = "return None for what is not yours"

#: The attribute of a check that names those it needs.
_NEEDS = "assetry_needs"
#: All checks of a class together may take so many times the patience, once something has failed.
_IN_ALL = 1.6
#: What a check may be given that is carried out before its turn, because another one needs it.
_REPEATABLE = frozenset({"info", "filled", "loaded", "bench", "tmp_path"})
#: What pytest raises for what is no failure.
_NO_FAILURES = (pytest.skip.Exception, pytest.xfail.Exception, pytest.exit.Exception, KeyboardInterrupt)

F = TypeVar("F", bound=Callable[..., Any])
T = TypeVar("T")


def needs(*checks: str) -> Callable[[F], F]:
    """Mark a check as one that can be judged only where others hold."""

    def mark(check: F) -> F:
        setattr(check, _NEEDS, checks)
        return check

    return mark


def needed(kit: type[Any], check: str) -> tuple[str, ...]:
    """Return the checks that a check needs, as the kit says it: also for one that an author has overridden."""
    for base in kit.__mro__:
        found: tuple[str, ...] | None = getattr(vars(base).get(check), _NEEDS, None)
        if found is not None:
            return found
    return ()


# -- sentences -------------------------------------------------------------------------------------------------------


def asked(hook: str, work: Callable[[], T], seconds: float) -> T:
    """Do what calls a hook, and return its answer.

    Raises `AssertionError`, with what to do, when the hook raises or has not returned after `seconds`.
    """
    try:
        return Worker(work).answer(seconds)
    except Unanswered as late:
        raise AssertionError(unanswered(hook, seconds, late.place)) from None
    except BaseException as error:
        raise AssertionError(f"{hook} {raised(error)}: {ADVICE.get(hook, _OTHERWISE)}") from error


def unanswered(what: str, seconds: float, place: str) -> str:
    """Say that something does not return, and where it stands."""
    return (
        f"{what} does not return: after {seconds:.0f} seconds it stands at {place}; give what it waits for a time limit"
    )


def raised(error: BaseException) -> str:
    """Say what was raised, and where.

    >>> raised(PluginError("mill 0.1: assetry_observe gave a list."))
    'breaks its promise: mill 0.1: assetry_observe gave a list'
    """
    if isinstance(error, PluginError) and error.__cause__ is not None:
        error = error.__cause__  # the core has put the plugin's name on it
    elif isinstance(error, PluginError):
        return f"breaks its promise: {error.message.rstrip('.')}"
    words = error.message if isinstance(error, AssetryError) else ""
    said = f"{type(error).__name__}: {words}" if words else error_words(error)
    return f"raised {' '.join(said.split()).rstrip(': ')} at {place_of_error(error)}"


# -- what failed, and what cannot be judged then ---------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Failure:
    """A check that fails, and why."""

    check: str
    error: BaseException

    @property
    def sentence(self) -> str:
        """Return the first line of what it says."""
        return (str(self.error).splitlines() or [""])[0]


class Verdicts:
    """What is known of the checks of one class so far.

    `patience` is the time of one check in seconds; `secrets` must not stand in what is told.
    """

    def __init__(self) -> None:
        self.found: dict[str, Failure | None] = {}
        #: What was found for another check, before the turn of its own came.
        self.early: dict[str, Failure | None] = {}
        #: The checks that were told though they themselves are not run.
        self.told: set[str] = set()
        #: The checks of the class that this test run carries out, once they were looked for among all of its tests.
        self.run: frozenset[str] | None = None
        self.patience = 15.0
        self.secrets: Mapping[str, str] = {}
        self._seconds = 0.0

    @property
    def first(self) -> Failure | None:
        """Return the first check that failed."""
        return next((each for each in self.found.values() if each is not None), None)

    @property
    def left(self) -> float:
        """Return the seconds that the next check may take: fewer when others have failed and taken theirs."""
        left = _IN_ALL * self.patience - self._seconds
        return self.patience if self.first is None else min(self.patience, left)

    def judge(self, check: str, work: Callable[[], object]) -> Failure | None:
        """Carry out a check; return its failure, None when it holds."""
        began = time.monotonic()
        failure = None
        try:
            work()
        except _NO_FAILURES:
            raise
        except BaseException as error:
            failure = Failure(check, self._told(error))
        finally:
            self._seconds += time.monotonic() - began
        self.found[check] = failure
        return failure

    def _told(self, error: BaseException) -> BaseException:
        """Return an error as it is told: a sentence, and no secret in it or in those that it came from."""
        if isinstance(error, Warning):
            return error  # a check that warns, in a test run that takes warnings for errors
        found = error
        if not isinstance(error, (AssertionError, pytest.fail.Exception)):
            found = AssertionError(
                f"the check was broken off: something {raised(error)}; look there: it is the plugin's, or that of what "
                "the subject is filled in with, such as its tool"
            )
            found.__cause__ = error
        if betrayed(chained(found), self.secrets):
            found = AssertionError(masked(str(found), self.secrets))
            found.__suppress_context__ = True
        return found


def chained(error: BaseException | None) -> str:
    """Return the text of an error, of its notes and arguments, and of the errors that it came from."""
    texts, seen = [], set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        texts += [error_words(error), *map(str, getattr(error, "__notes__", ()))]
        texts += [each for each in error.args if isinstance(each, str)]
        error = error.__cause__ or error.__context__
    return "\n".join(texts)


class Judge:
    """The one who carries out a check of a kit, or says why it cannot be judged."""

    def __init__(self, request: pytest.FixtureRequest, verdicts: Verdicts) -> None:
        self._request = request
        self._kit: type[Any] = request.cls
        self._verdicts = verdicts

    def knows(self, check: str) -> bool:
        """Tell whether a check is one of assetry's, and not an author's own."""
        return any(check in vars(base) for base in self._kit.__mro__ if base.__module__.startswith("assetry.testing"))

    def carry_out(self, check: str, work: Callable[[], object]) -> None:
        """Carry out a check; skip it where one fails that it needs."""
        cause = self._cause(check)
        if cause is not None:
            self._pass_over(cause)
        early = self._verdicts.early
        failure = early.pop(check) if check in early else self._verdicts.judge(check, work)
        if failure is not None:
            raise failure.error

    def _cause(self, check: str) -> Failure | None:
        """Return the failure because of which a check cannot be judged."""
        for each in needed(self._kit, check):
            failure = self._verdict(each)
            if failure is not None:
                return failure
        first = self._verdicts.first
        return first if first is not None and self._verdicts.left <= 0 else None

    def _verdict(self, check: str) -> Failure | None:
        found = self._verdicts.found
        if check not in found:
            cause = self._cause(check)
            if cause is not None:
                return cause
            function = getattr(self._request.instance, check)
            names = inspect.signature(function).parameters
            if not _REPEATABLE.issuperset(names):
                return None  # carried out with these it would leave something behind for the check that asks
            arguments = {name: self._request.getfixturevalue(name) for name in names}
            try:
                self._verdicts.early[check] = self._verdicts.judge(check, lambda: function(**arguments))
            except _NO_FAILURES:
                found[check] = None
            self._request.instance.begin_anew(arguments)
        return found[check]

    def _pass_over(self, cause: Failure) -> None:
        told = self._verdicts.told
        if cause.check not in told and not self._is_run(cause.check):
            # Nothing else would fail, and the fault would go unseen.
            told.add(cause.check)
            self._verdicts.early.pop(cause.check, None)
            raise AssertionError(f"{cause.sentence} (said by {cause.check}, without which this cannot be judged)")
        pytest.skip(f"not judged: {cause.check} fails: {cause.sentence}")

    def _is_run(self, check: str) -> bool:
        """Tell whether a check is among those that this test run carries out."""
        if self._verdicts.run is None:
            self._verdicts.run = frozenset(
                getattr(item, "originalname", "")
                for item in self._request.session.items
                if item.parent is not None
                and getattr(item, "cls", None) is self._kit
                and item.get_closest_marker("skip") is None
            )
        return check in self._verdicts.run
