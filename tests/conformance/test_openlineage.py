"""What tells lineage keeps the promises of all plugins."""

from __future__ import annotations

from assetry.testing import PluginConformance, PluginUnderTest


class TestOpenLineage(PluginConformance):
    subject = PluginUnderTest("assetry_openlineage.plugin", heavy=["openlineage", "requests", "attr"])
