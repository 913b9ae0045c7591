"""The macros that a text reaches, found by their names in it, whatever dbt notes of them.

dbt notes for a model the macros that it called: more after it has run than after it was only parsed. What is written is
the same in both, so that is what is followed here, through dispatches and through dbt's own macros, which may call one
that the project puts in their place. Where a name is computed, all macros that it may mean count.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from assetry_dbt.manifest.manifest import Macro
from assetry_dbt.manifest.text import COMPUTED, Mention, Reader, Text

#: Macros of these packages come with dbt itself.
_BUILT_IN = frozenset({"dbt", "dbt_postgres", "dbt_spark"})


class Reached(NamedTuple):
    """The macros of projects and packages that are reached, by unique id, and what they ask for besides macros."""

    macros: frozenset[str]
    mentions: frozenset[Mention]
    quoted: frozenset[Mention]


class Macros:
    """All macros of a manifest; `project` is the root project, whose macros go before others of their name."""

    def __init__(self, macros: Mapping[str, Macro], reader: Reader, adapter: str, project: str) -> None:
        self._macros = macros
        self._reader = reader
        self._project = project
        self._packages = packages = {macro.package_name for macro in macros.values()}
        self.built_in = _BUILT_IN | {f"dbt_{adapter}"}
        self._prefixes = ["default", adapter, *(name for name in ("postgres", "spark") if f"dbt_{name}" in packages)]
        self._by_name: dict[str, list[str]] = {}
        for unique_id in macros:
            self._by_name.setdefault(name_of(unique_id), []).append(unique_id)
        self._texts: dict[str, Text] = {}
        self._named: dict[tuple[str, str], frozenset[str]] = {}
        self._reached: dict[frozenset[str], Reached] = {}

    def called(self, mentions: Iterable[Mention], package: str) -> frozenset[str]:
        """Return the macros that a text of `package` calls itself, dbt's own among them."""
        found: set[str] = set()
        for kind, name in mentions:
            if kind == "name":
                found |= self._of_name(name, package)
            elif kind == "dispatch":
                found |= self._all(package) if name == COMPUTED else self._dispatched(name)
        return frozenset(found)

    def of_config(self, config: Mapping[str, object]) -> frozenset[str]:
        """Return the macros that dbt calls for a configuration, by names that it puts together."""
        found: set[str] = set()
        strategy = config.get("incremental_strategy") or "default"
        for name in (f"get_incremental_{strategy}_sql", f"snapshot_{config.get('strategy')}_strategy"):
            found.update(self._by_name.get(name, ()), self._dispatched(name))
        for adapter in self._prefixes:
            found.update(self._by_name.get(f"materialization_{config.get('materialized')}_{adapter}", ()))
        return frozenset(found)

    def reached(self, called: frozenset[str]) -> Reached:
        """Return all that is reached from macros that are called."""
        known = self._reached.get(called)
        if known is None:
            known = self._reached[called] = self._walk(called)
        return known

    def text(self, unique_id: str) -> Text:
        """Return what a macro's text says."""
        known = self._texts.get(unique_id)
        if known is None:
            known = self._texts[unique_id] = self._reader.macro(self._macros[unique_id].macro_sql or "")
        return known

    def in_quotes(self, unique_id: str) -> str:
        """Return what counts of a macro's text where it may stand inside quotes."""
        return self._reader.in_quotes((self._macros[unique_id].macro_sql or "").strip())

    def package(self, unique_id: str) -> str:
        """Return the package that a macro is of."""
        return self._macros[unique_id].package_name

    def _walk(self, called: Iterable[str]) -> Reached:
        seen: set[str] = set()
        found: set[str] = set()
        mentions: set[Mention] = set()
        quoted: set[Mention] = set()
        waiting = list(called)
        while waiting:
            unique_id = waiting.pop()
            macro = self._macros.get(unique_id)
            if macro is None or unique_id in seen:
                continue
            seen.add(unique_id)
            # What dbt notes of a macro is taken from its text alone, and so always the same.
            waiting += macro.depends_on.known_macros if macro.depends_on else []
            if macro.package_name in self.built_in:
                waiting += self._instead(name_of(unique_id))
                continue
            found.add(unique_id)
            text = self.text(unique_id)
            mentions.update(filter(is_asked_for, text.mentions))
            quoted |= text.quoted
            waiting += self.called(text.mentions, macro.package_name)
        return Reached(frozenset(found), frozenset(mentions), frozenset(quoted))

    def _instead(self, name: str) -> Iterable[str]:
        """Return the macros that may be called in the place of one of dbt's own."""
        own = f"macro.{self._project}.{name}"
        return self._dispatched(name) | ({own} if own in self._macros else frozenset())

    def _of_name(self, name: str, package: str) -> frozenset[str]:
        known = self._named.get((name, package))
        if known is None:
            known = self._named[name, package] = frozenset(self._find(name, package))
        return known

    def _find(self, name: str, package: str) -> Iterable[str]:
        first, *rest = name.split(".")
        if rest and f"macro.{first}.{rest[0]}" in self._macros:
            return [f"macro.{first}.{rest[0]}"]
        if first == "context":
            return self._all(package)
        if first in self._packages:
            # By another name, or by a subscript: which macro of the package is meant is not written there.
            return [each for each in self._macros if self.package(each) == first] + self._own(first, package)
        there = self._by_name.get(first, ())
        return self._own(first, package) or [each for each in there if self.package(each) in self.built_in]

    def _own(self, name: str, package: str) -> list[str]:
        there = self._by_name.get(name, ())
        return [each for each in there if self.package(each) in (package, self._project)]

    def are_chosen(self, reached: Iterable[str]) -> bool:
        """Tell whether several packages have what a dispatch is for, so that an order of search chooses."""
        for unique_id in reached:
            prefix, between, name = name_of(unique_id).partition("__")
            if between and prefix in self._prefixes and len({*map(self.package, self._dispatched(name))}) > 1:
                return True
        return False

    def _dispatched(self, name: str) -> frozenset[str]:
        return frozenset(each for prefix in self._prefixes for each in self._by_name.get(f"{prefix}__{name}", ()))

    def _all(self, package: str) -> frozenset[str]:
        return frozenset(unique_id for unique_id in self._macros if self.package(unique_id) in {package, self._project})


def is_asked_for(mention: Mention) -> bool:
    """Tell whether what is mentioned is a value, rather than a macro."""
    kind, name = mention
    return name.startswith(("target", "graph")) if kind == "name" else kind != "dispatch"


def name_of(unique_id: str) -> str:
    """Return the name of a macro.

    >>> name_of("macro.shop.cents")
    'cents'
    """
    return unique_id.rpartition(".")[2]
