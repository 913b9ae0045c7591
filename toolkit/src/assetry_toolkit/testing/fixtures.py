"""Fakes as fixtures of pytest."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    import pytest

S = TypeVar("S")


def fake_fixture(fake: Callable[[], AbstractContextManager[S]], **variables: str) -> Any:
    """Return a pytest fixture that gives a running fake; it has the name under which it is kept in a module.

    Variables of the environment are set to attributes of the fake, such as the credentials that it accepts::

        fake_mill = fake_fixture(FakeMill, MILL_TOKEN="token")
    """
    import pytest

    @pytest.fixture
    def fixture(monkeypatch: pytest.MonkeyPatch) -> Iterator[S]:
        with fake() as running:
            for variable, attribute in variables.items():
                monkeypatch.setenv(variable, getattr(running, attribute))
            yield running

    return fixture
