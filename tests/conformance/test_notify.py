"""What tells people keeps the promises of all plugins."""

from __future__ import annotations

from assetry.testing import PluginConformance, PluginUnderTest


class TestNotify(PluginConformance):
    subject = PluginUnderTest("assetry_notify.plugin", heavy=["httpx", "smtplib"])
