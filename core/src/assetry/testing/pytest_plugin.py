"""The pytest plugin that comes with assetry: fixtures for its conformance classes and for tests of projects.

Every test run of an environment with assetry loads this module. So it imports nothing of assetry before a fixture is
asked for, has no fixture that is used by itself, and collects nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from inspect import signature
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from assetry.testing.outcome import ProjectFolder
    from assetry.testing.plugin import Kit

#: The name of `assetry.testing.plugin.REFUSAL`, which must not be imported for each test run.
REFUSAL = "assetry_refusal"


@pytest.fixture(scope="class")
def assetry_kit(tmp_path_factory: pytest.TempPathFactory) -> Kit:
    """Return what the checks of one conformance class share."""
    from assetry.testing.plugin import Kit

    return Kit(tmp_path_factory.mktemp("assetry-kit"))


@pytest.fixture
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., ProjectFolder]]:
    """Return a function that writes a project from files by name: ``project({"assets.py": "…"})``."""
    from assetry.testing.outcome import ProjectFolder

    made: list[ProjectFolder] = []

    def make(files: Mapping[str, str]) -> ProjectFolder:
        made.append(ProjectFolder(tmp_path_factory.mktemp("project"), files))
        return made[-1]

    yield make
    for each in made:
        each.close()


@pytest.fixture
def fake_transport() -> Callable[..., Any]:
    """Return `assetry.testing.fake_transport`: a transport for httpx clients that reaches no network."""
    from assetry.testing.transport import fake_transport

    return fake_transport


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Let the judge of a conformance class carry out its checks; all other tests are none of ours."""
    judge: Any = pyfuncitem.funcargs.get("assetry_judge")
    if judge is None or not judge.knows(pyfuncitem.originalname):
        return None
    names = signature(pyfuncitem.obj).parameters
    arguments = {name: pyfuncitem.funcargs[name] for name in names}
    judge.carry_out(pyfuncitem.originalname, lambda: pyfuncitem.obj(**arguments))
    return True


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print what the subjects of conformance classes refuse, and why."""
    refused = dict.fromkeys(
        tuple(value)
        for reports in terminalreporter.stats.values()
        for report in reports
        for name, value in getattr(report, "user_properties", ())
        if name == REFUSAL
    )
    if not refused:
        return
    terminalreporter.section("refused by plugins under test")
    for where, name, reason in refused:
        terminalreporter.line(f"{where} refuses {name}: {reason}")
