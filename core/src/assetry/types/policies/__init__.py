"""Policies: what is asked of an asset beyond being made, as values."""

from assetry.types.policies.automation import AutomationPolicy, read_policy
from assetry.types.policies.freshness import FreshnessPolicy
from assetry.types.policies.retries import RetryPolicy
from assetry.types.policies.spans import read_span

__all__ = ["AutomationPolicy", "FreshnessPolicy", "RetryPolicy", "read_policy", "read_span"]
