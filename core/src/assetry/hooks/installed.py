"""Candidates: what could be loaded as a plugin, what its package says of itself, and what its hooks look like."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

ENTRY_POINTS = "assetry"


@dataclass(frozen=True, slots=True)
class PluginInfo:
    """Describe one plugin: where it comes from, which hooks it implements, what is wrong with it.

    `source` is ``built in``, ``project`` or the entry point's value. `problems` are what is broken, `warnings` what
    will be with a later assetry, `refuses` what the plugin says of itself that it cannot do, with the reason.

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

    @property
    def label(self) -> str:
        """Return package and version, as errors name the plugin."""
        return f"{self.package} {self.version}" if self.version else self.package


@dataclass(frozen=True, slots=True)
class Candidate:
    """Be a plugin that is about to be registered: what it calls itself, and how to get hold of it."""

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
    problem = unmet(metadata.get_all("Requires-Dist") or ())
    problems = () if problem is None else (problem,)
    return PluginInfo(point.name, metadata["Name"], metadata["Version"], point.value, problems=problems)


def unmet(requires: Iterable[str], version: str | None = None) -> str | None:
    """Say which requirement of assetry is not met by this one (or by `version`); None when all are.

    >>> unmet(["assetry>=0.1,<0.2", "httpx>=0.27"], "0.3.1")
    'it is made for assetry>=0.1,<0.2, and this is assetry 0.3.1'
    >>> unmet(["assetry (>=0.1)"], "0.3.1"), unmet(["assetry-dbt<0.1", "assetry!=1; extra == 'x'"], "1")
    (None, None)
    """
    for requirement in requires:
        text, _, marker = requirement.partition(";")
        found = re.fullmatch(r"\s*([A-Za-z0-9._-]+)\s*(?:\[[^]]*\])?\s*\(?([^)]*)\)?\s*", text)
        if found is None or found[1].lower() != "assetry" or "extra" in marker:
            continue
        if version is None:
            from importlib.metadata import PackageNotFoundError
            from importlib.metadata import version as version_of

            try:
                version = version_of("assetry")
            except PackageNotFoundError:  # run from source, without being installed
                return None
        if not all(_meets(version, clause.strip()) for clause in found[2].split(",") if clause.strip()):
            return f"it is made for assetry{found[2].strip()}, and this is assetry {version}"
    return None


def _meets(version: str, clause: str) -> bool:
    """Tell whether a version meets a clause such as ``>=0.1``; a clause of another form is let pass."""
    found = re.fullmatch(r"(<=|>=|<|>|==|!=|~=)\s*(\d+(?:\.\d+)*)(\.\*)?", clause)
    ours = _numbers(version)
    if found is None or not ours:
        return True
    sign, bound, star = found[1], _numbers(found[2]), bool(found[3])
    if sign == "~=":
        ours = _filled(ours, len(bound))
        return ours >= bound and ours[: len(bound) - 1] == bound[:-1]
    if sign in ("==", "!="):
        width = len(bound) if star else max(len(bound), len(ours))
        equal = _filled(ours, width)[:width] == _filled(bound, width)
        return equal == (sign == "==")
    width = max(len(bound), len(ours))
    a, b = _filled(ours, width), _filled(bound, width)
    return {"<": a < b, "<=": a <= b, ">": a > b, ">=": a >= b}[sign]


def _numbers(version: str) -> tuple[int, ...]:
    found = re.match(r"\d+(?:\.\d+)*", version)
    return tuple(int(part) for part in found[0].split(".")) if found else ()


def _filled(numbers: tuple[int, ...], width: int) -> tuple[int, ...]:
    return numbers + (0,) * (width - len(numbers))


# -- hooks -----------------------------------------------------------------------------------------------------------
