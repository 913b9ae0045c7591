"""Installed plugins: which there are, and what their packages say of them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from assetry.types.options import OptionTable, OptionTypes

ENTRY_POINTS = "assetry"


@dataclass(frozen=True, slots=True)
class PluginInfo:
    """One plugin: where it comes from, which hooks it implements, what is wrong with it.

    `source` is ``built in``, ``project`` or the entry point's value. `problems` are what is broken, `warnings` what
    will be with a later assetry, `refuses` what the plugin says of itself that it cannot do, with the reason;
    `requires` are the requirements of its package. `kinds` are the kinds of integrations that it declares, with the
    types of their options, None when it declares none and has to be asked; `schemes` those of URLs, by what they open
    (``io``, ``store``, ``executor``); `tables` the tables of a project file that are its own, each with what it may
    hold, None where the plugin does not say it.

    >>> PluginInfo("acme", "assetry-acme", "0.2", "assetry_acme.plugin").label
    'assetry-acme 0.2'
    """

    name: str
    package: str
    version: str | None
    source: str
    hooks: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    refuses: Mapping[str, str] = field(default_factory=dict)
    requires: tuple[str, ...] = ()
    kinds: Mapping[str, OptionTypes] | None = None
    schemes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    tables: Mapping[str, OptionTable | None] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """Return package and version, as errors name the plugin."""
        return f"{self.package} {self.version}" if self.version else self.package


@dataclass(frozen=True, slots=True)
class Candidate:
    """A plugin that is about to be registered: what it calls itself, and how to load it."""

    info: PluginInfo
    load: Callable[[], Any]


# -- installed packages --------------------------------------------------------------------------------------------


def allowed_names(allowed: Iterable[str] | None) -> frozenset[str] | None:
    """Return which installed plugins may be loaded; None for all.

    >>> sorted(allowed_names(["dbt"]))
    ['dbt']
    """
    if allowed is not None:
        return frozenset(allowed)
    limit = os.environ.get("ASSETRY_PLUGINS")
    return None if limit is None else frozenset(name.strip() for name in limit.split(",") if name.strip())


def installed(allowed: frozenset[str] | None) -> Iterator[Candidate]:
    """Yield a candidate for each entry point; two of one name are one when an editable install lists it twice."""
    if allowed is not None and not allowed:
        return
    from importlib.metadata import entry_points

    seen: set[tuple[str, str]] = set()
    for point in sorted(entry_points(group=ENTRY_POINTS), key=lambda point: point.name):
        if (allowed is not None and point.name not in allowed) or (point.name, point.value) in seen:
            continue
        seen.add((point.name, point.value))
        yield Candidate(_installed_info(point), point.load)


def _installed_info(point: Any) -> PluginInfo:
    """Read a package's metadata, once: it is parsed anew each time it is asked for."""
    metadata = point.dist.metadata if point.dist else None
    if metadata is None:
        return PluginInfo(point.name, point.name, None, point.value)
    requires = tuple(metadata.get_all("Requires-Dist") or ())
    return PluginInfo(point.name, metadata["Name"], metadata["Version"], point.value, requires=requires)


def unmet(requires: Iterable[str], version: str | None = None) -> str | None:
    """Say which requirement of assetry is not met by this one (or by `version`); None when all are.

    >>> unmet(["assetry>=0.1,<0.2", "httpx>=0.27"], "0.3.1")
    'it is made for assetry<0.2,>=0.1, and this is assetry 0.3.1'
    >>> unmet(["assetry (>=0.1)"], "0.3.1"), unmet(["assetry-dbt<0.1", "assetry!=1; extra == 'x'"], "1")
    (None, None)
    """
    # As slow to import as all of assetry, so it is asked only where the answer is shown.
    from packaging.requirements import InvalidRequirement, Requirement

    for text in requires:
        try:
            requirement = Requirement(text)
        except InvalidRequirement:
            continue
        ours = requirement.name.lower() == "assetry" and "extra" not in str(requirement.marker or "")
        version = version or (own_version() if ours else None)
        if ours and version and not requirement.specifier.contains(version, prereleases=True):
            return f"it is made for assetry{requirement.specifier}, and this is assetry {version}"
    return None


@cache
def own_version() -> str | None:
    """Return the version of assetry that is installed, None when it is run from source."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("assetry")
    except PackageNotFoundError:  # run from source, without being installed
        return None
