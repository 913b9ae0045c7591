"""Prove that a plugin keeps its promises: classes to inherit, and one object to fill in.

A third party needs `assetry` and `pytest`, and writes::

    from assetry.plugin import Integration
    from assetry.testing import FakeTool, IntegrationConformance, IntegrationUnderTest

    tool = FakeTool()

    class TestAcme(IntegrationConformance):
        subject = IntegrationUnderTest(
            "assetry_acme.plugin",
            integration=Integration("mill", "acme", {"command": tool.command(), "tables": ["a", "b", "c"]}),
            tool=tool,
            refuses={"resume": "its command dies with us"},
        )

Every check stands for something that an author has to do; its name says what. What a plugin cannot do is refused with
a reason, which pytest prints and `assetry plugins` shows when the plugin says it itself (``ASSETRY_REFUSES``).

`Clock` lets days pass in a test of a project: with deadlines, partitions of time, and what automation makes of them.

The fixtures `project` and `fake_transport` come with `assetry` as a pytest plugin.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from assetry.testing.clock import Clock
    from assetry.testing.executor import ExecutorConformance
    from assetry.testing.fake_tool import FakeTool, Job, Step, ToolDied
    from assetry.testing.integration import IntegrationConformance
    from assetry.testing.io.manager import IOManagerConformance
    from assetry.testing.outcome import Outcome, ProjectFolder
    from assetry.testing.plugin import PluginConformance
    from assetry.testing.store import StoreConformance
    from assetry.testing.subjects import (
        ExecutorUnderTest,
        IntegrationUnderTest,
        IOUnderTest,
        PluginUnderTest,
        StoreUnderTest,
        Tool,
    )
    from assetry.testing.transport import Request, fake_transport
    from assetry.testing.watching import eventually

#: Where each name stands. They are imported when they are asked for: the pytest plugin, which every test run of an
#: environment with assetry loads, stands in this package, too.
_HOMES = {
    "Clock": "clock",
    "ExecutorConformance": "executor",
    "ExecutorUnderTest": "subjects",
    "FakeTool": "fake_tool",
    "IOManagerConformance": "io.manager",
    "IOUnderTest": "subjects",
    "IntegrationConformance": "integration",
    "IntegrationUnderTest": "subjects",
    "Job": "fake_tool",
    "Outcome": "outcome",
    "PluginConformance": "plugin",
    "PluginUnderTest": "subjects",
    "ProjectFolder": "outcome",
    "Request": "transport",
    "Step": "fake_tool",
    "StoreConformance": "store",
    "StoreUnderTest": "subjects",
    "Tool": "subjects",
    "ToolDied": "fake_tool",
    "eventually": "watching",
    "fake_transport": "transport",
}

__all__ = [
    "Clock",
    "ExecutorConformance",
    "ExecutorUnderTest",
    "FakeTool",
    "IOManagerConformance",
    "IOUnderTest",
    "IntegrationConformance",
    "IntegrationUnderTest",
    "Job",
    "Outcome",
    "PluginConformance",
    "PluginUnderTest",
    "ProjectFolder",
    "Request",
    "Step",
    "StoreConformance",
    "StoreUnderTest",
    "Tool",
    "ToolDied",
    "eventually",
    "fake_transport",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
