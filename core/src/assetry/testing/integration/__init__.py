"""Conformance of an integration: what `assetry_load_assets`, its group and `assetry_invoke` promise.

The checks look at the stream as the plugin gives it, before the core mends it: the core would hide what is missing.
Each check is named after what an author has to do, and stands with those that ask about the same thing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import pytest

from assetry.testing.integration.bench import Bench
from assetry.testing.integration.definitions import DefinitionChecks
from assetry.testing.integration.failures import FailureChecks
from assetry.testing.integration.groups import GroupChecks
from assetry.testing.integration.stopping import StoppingChecks
from assetry.testing.integration.stream import StreamChecks
from assetry.testing.integration.surroundings import SurroundingChecks
from assetry.testing.plugin import Kit, PluginConformance
from assetry.testing.subjects import INTEGRATION_CAPABILITIES, IntegrationUnderTest


class IntegrationConformance(
    SurroundingChecks, StoppingChecks, FailureChecks, StreamChecks, GroupChecks, DefinitionChecks, PluginConformance
):
    """Checks to inherit; fill in `subject`: an `IntegrationUnderTest`, or a method that makes one in an empty folder.

    `Started` is optional for every plugin, and `Handle` for one that refuses "resume". Of a group that says
    ``atomic=True`` no streaming is asked, and when one asset fails, nothing else may be said to be made.

    >>> from assetry.plugin import Integration
    >>> from assetry.testing import FakeTool
    >>> class TestAcme(IntegrationConformance):
    ...     subject = IntegrationUnderTest(
    ...         "assetry_acme.plugin",
    ...         integration=Integration("mill", "acme", {"tables": ["a", "b", "c"]}),
    ...         tool=FakeTool(),
    ...         can={"subset": True, "cancel": True, "resume": False},
    ...         refuses={"resume": "its command dies with us"},
    ...     )
    """

    capabilities: ClassVar[Mapping[str, str]] = INTEGRATION_CAPABILITIES

    @pytest.fixture
    def bench(self, assetry_kit: Kit, filled: IntegrationUnderTest) -> Iterator[Bench]:
        """Return the bench of the class, its tool as good as new."""
        make = lambda: Bench(filled, assetry_kit.folder, assetry_kit.verdicts)  # noqa: E731
        bench: Bench = assetry_kit.once("bench", make)
        bench.prepare()
        try:
            yield bench
        finally:
            bench.clean()

    def begin_anew(self, fixtures: Mapping[str, Any]) -> None:
        """Let what a check has begun end, and make the tool as good as new for the next one."""
        bench = fixtures.get("bench")
        if bench is not None:
            bench.clean()
            bench.prepare()
