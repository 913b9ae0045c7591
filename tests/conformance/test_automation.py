"""What makes assets in time, and sees what others make, keeps the promises of all plugins."""

from __future__ import annotations

from assetry.testing import PluginConformance, PluginUnderTest


class TestAutomation(PluginConformance):
    subject = PluginUnderTest("assetry_automation.plugin", heavy=["fsspec", "http.server", "subprocess"])
