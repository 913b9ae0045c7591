"""Automation policies, made by functions: ``automation=eager()``, ``on_cron("@daily") | missing().last(7)``.

>>> print(any_of(eager(), on_missing(last=7)) & between("08:00", "20:00"))
((eager | missing.last(7)) & between(08:00 to 20:00))
"""

from __future__ import annotations

from datetime import date, datetime, timedelta

from assetry.types.policies.automation import AutomationPolicy

__all__ = [
    "AutomationPolicy",
    "all_of",
    "any_of",
    "between",
    "code_changed",
    "eager",
    "failed",
    "lazy",
    "missing",
    "never",
    "not_",
    "on_cron",
    "on_missing",
    "provisional",
    "upstream_changed",
]


def eager(every: timedelta | None = None) -> AutomationPolicy:
    """Return the policy by which an asset is made as soon as it is out of date, at least `every` apart."""
    return AutomationPolicy("eager", every=every)


def lazy() -> AutomationPolicy:
    """Return the policy by which an asset is made when a freshness policy needs it, its own or one below it."""
    return AutomationPolicy("lazy")


def never() -> AutomationPolicy:
    """Return the policy by which an asset is made by people alone, whatever is wanted below it."""
    return AutomationPolicy("never")


def on_cron(cron: str, timezone: str = "UTC") -> AutomationPolicy:
    """Return the policy by which an asset, with what it is made from, is brought up to date at each tick of a clock.

    A tick is kept until it is met, and one that passed while another was being met is not made up for.
    """
    return AutomationPolicy("on_cron", cron=cron, timezone=timezone)


def on_missing(last: int | None = None, since: str | date | datetime | None = None) -> AutomationPolicy:
    """Return the policy by which what was never made is made once, when what it is made from is there.

    >>> print(on_missing(last=3, since="2026-01-01"))
    missing.last(3).from_(2026-01-01)
    """
    found = AutomationPolicy("missing") if last is None else AutomationPolicy("missing").last(last)
    return found if since is None else found.from_(since)


def missing() -> AutomationPolicy:
    """Return the policy of what was never made."""
    return AutomationPolicy("missing")


def failed() -> AutomationPolicy:
    """Return the policy of what failed at the last try."""
    return AutomationPolicy("failed")


def code_changed() -> AutomationPolicy:
    """Return the policy of what was made from other code."""
    return AutomationPolicy("code_changed")


def upstream_changed(selection: str | None = None) -> AutomationPolicy:
    """Return the policy of what is made from something that has new content, or from new content of a selection."""
    return AutomationPolicy("upstream_changed", upstream=selection)


def provisional() -> AutomationPolicy:
    """Return the policy of partitions that were made before all of their data was there."""
    return AutomationPolicy("provisional")


def between(start: str, end: str, timezone: str = "UTC") -> AutomationPolicy:
    """Return the policy of everything at some hours of the day, and of nothing at others.

    >>> print(between("22:00", "06:00", "Europe/Berlin"))
    between(22:00 to 06:00 Europe/Berlin)
    """
    return AutomationPolicy("between", hours=(start, end), timezone=timezone)


def any_of(*policies: AutomationPolicy) -> AutomationPolicy:
    """Return the policy of all that any of some policies says."""
    return AutomationPolicy("any_of", of=policies)


def all_of(*policies: AutomationPolicy) -> AutomationPolicy:
    """Return the policy of all that each of some policies says."""
    return AutomationPolicy("all_of", of=policies)


def not_(policy: AutomationPolicy) -> AutomationPolicy:
    """Return the policy of all that another one does not say."""
    return ~policy
