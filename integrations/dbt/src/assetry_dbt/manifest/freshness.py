"""What a source's `freshness:` asks of it, as a policy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

from assetry.plugin import FreshnessPolicy

_SECONDS = {"minute": 60, "hour": 3600, "day": 86400}

#: What dbt makes of these materializations is there until somebody removes it; of others nobody knows but their macro.
LASTING = frozenset({"table", "view", "incremental", "seed", "snapshot", "materialized_view", "dynamic_table"})


def freshness_policy(freshness: Any) -> FreshnessPolicy | None:
    """Return the policy that `freshness:` of a source means: the lesser of its limits; None when it sets none.

    >>> freshness_policy({"warn_after": {"count": 6, "period": "hour"}, "error_after": {"count": 1, "period": "day"}})
    FreshnessPolicy(max_age=datetime.timedelta(seconds=21600))
    >>> freshness_policy({"warn_after": {"count": None, "period": None}}) is None
    True
    """
    limits = list(_limits(freshness)) if isinstance(freshness, Mapping) else []
    return FreshnessPolicy(min(limits)) if limits else None


def _limits(freshness: Mapping[str, Any]) -> Iterator[timedelta]:
    for name in ("warn_after", "error_after"):
        limit = freshness.get(name)
        if not isinstance(limit, Mapping):
            continue
        count, seconds = limit.get("count"), _SECONDS.get(str(limit.get("period")))
        if isinstance(count, int) and count > 0 and seconds:
            yield timedelta(seconds=count * seconds)
