"""dbt's own way of selecting, for the few selector forms that assetry writes: what a selection really takes.

A selection is only ever used after this has said that it takes exactly what is wanted. The forms are ``fqn:``,
``source:``, ``package:`` and ``resource_type:``, graph operators (``+x``, ``x+``, ``1+x+2``), intersections by comma,
excludes, the modes of `--indirect-selection`, and `--resource-type`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from fnmatch import fnmatchcase
from typing import NamedTuple

from assetry_dbt.selecting.index import TESTS, Index, Item

_CRITERION = re.compile(r"(?:(\d*)(\+))?(?:(fqn|source|package|resource_type):)?([^+]+)(?:(\+)(\d*))?")
_WILDCARD = re.compile(r"[*?\[\]]")


class Taken(NamedTuple):
    """What a part of a selection takes: `direct`, and tests that come in only once all their parents do."""

    direct: set[str]
    pending: set[str]


class Branch:
    """A place in the tree of names: the items of exactly this name, and the longer names below."""

    __slots__ = ("below", "own", "path")

    def __init__(self, path: tuple[str, ...]) -> None:
        self.path = path
        self.own: list[str] = []
        self.below: dict[str, Branch] = {}

    def items(self) -> list[str]:
        """Return the unique ids here and below."""
        found: list[str] = []
        waiting = [self]
        while waiting:
            branch = waiting.pop()
            found += branch.own
            waiting += branch.below.values()
        return found


class Names:
    """The items by the names that dbt's `fqn:` method finds them by.

    dbt splits names at dots, tries a selector with and without the package, and takes a bare leaf name as well; the
    leaf of a versioned model is its name, and its name and version may be joined by a dot or an underscore.
    """

    def __init__(self, items: Iterable[Item]) -> None:
        self.root = Branch(())
        self.leaves: dict[str, list[str]] = {}
        self.versions: dict[str, list[str]] = {}
        for item in items:
            # dbt's fqn method looks at everything but sources.
            if item.fqn and item.resource_type != "source":
                self.add(item)

    def add(self, item: Item) -> None:
        """Take in one item."""
        fqn = item.fqn
        if item.versioned and len(fqn) > 1:
            self.leaves.setdefault(fqn[-2], []).append(item.unique_id)
            self.versions.setdefault("_".join(fqn[-2:]), []).append(item.unique_id)
        else:
            self.leaves.setdefault(fqn[-1], []).append(item.unique_id)
        branch = self.root
        for part in flat(fqn):
            branch = branch.below.get(part) or self._grow(branch, part)
        branch.own.append(item.unique_id)

    @staticmethod
    def _grow(branch: Branch, part: str) -> Branch:
        grown = branch.below[part] = Branch((*branch.path, part))
        return grown

    def matches(self, value: str) -> set[str]:
        """Return the unique ids that ``fqn:value`` takes."""
        parts = value.split(".")
        found = set(self.leaves.get(value, ()))
        found.update(self.versions.get("_".join(parts[-2:]), ()))
        wild = next((i for i, part in enumerate(parts) if _WILDCARD.search(part)), len(parts))
        for start in (self.root, *self.root.below.values()):
            branch: Branch | None = start
            for part in parts[:wild]:
                branch = branch.below.get(part) if branch else None
            if branch is not None and branch is not self.root:
                found.update(_matching(branch, parts[wild:]))
        return found


def flat(fqn: Iterable[str]) -> list[str]:
    """Return a name's parts as dbt's selection sees them: dots within a part separate, too."""
    return [piece for part in fqn for piece in part.split(".")]


def _matching(branch: Branch, pattern: list[str]) -> list[str]:
    if not pattern:
        return branch.items()
    if pattern == ["*"]:
        return [unique_id for child in branch.below.values() for unique_id in child.items()]
    found, depth, text = [], len(branch.path), ".".join(pattern)
    waiting = list(branch.below.values())
    while waiting:
        here = waiting.pop()
        tail = here.path[depth:]
        if here.own and len(tail) >= len(pattern) and fnmatchcase(".".join(tail), text):
            found += here.own
        if len(tail) < len(pattern) or "*" in text:
            waiting += here.below.values()
    return found


class Evaluation:
    """What selections take in one project."""

    def __init__(self, index: Index) -> None:
        self.index = index
        self.names = Names(index.items.values())
        self._memo: dict[str, frozenset[str]] = {}

    def taken(
        self,
        select: Iterable[str],
        exclude: Iterable[str] = (),
        indirect: str | None = None,
        resource_types: Iterable[str] = (),
    ) -> set[str]:
        """Return the unique ids that ``dbt build`` with these arguments takes, ephemeral models included."""
        mode = indirect or "eager"
        terms = tuple(select)
        included = self._union(terms, mode) if terms else Taken(set(self.index.items), set())
        excluded = self._union(exclude, mode)
        direct = included.direct - excluded.direct
        pending = (included.direct | included.pending) - (excluded.direct | excluded.pending)
        taken = self._complete(direct, pending, mode)
        kinds = frozenset(resource_types)
        return {each for each in taken if self.index.items[each].resource_type in kinds} if kinds else taken

    def _union(self, terms: Iterable[str], mode: str) -> Taken:
        direct: set[str] = set()
        pending: set[str] = set()
        for term in terms:
            taken = self._intersection(term, mode)
            direct |= taken.direct
            pending |= taken.direct | taken.pending
        return Taken(self._complete(direct, pending, mode), pending)

    def _intersection(self, term: str, mode: str) -> Taken:
        parts = [self._expanded(part, mode) for part in term.split(",")]
        if len(parts) == 1:
            return parts[0]
        direct = set.intersection(*(part.direct for part in parts))
        pending = set.intersection(*(part.direct | part.pending for part in parts))
        return Taken(self._complete(direct, pending, mode), pending)

    def _expanded(self, criterion: str, mode: str) -> Taken:
        """Return what one criterion takes, with the tests that come along."""
        selected = self.criterion(criterion)
        if mode == "empty":
            return Taken(set(selected), set())
        direct, pending = set(selected), set()
        items, children = self.index.items, self.index.children
        for unique_id in selected:
            for child in children.get(unique_id, ()):
                if items[child].resource_type in TESTS:
                    if mode == "eager" or selected.issuperset(items[child].parents):
                        direct.add(child)
                    else:
                        pending.add(child)
        return Taken(direct, pending)

    def _complete(self, direct: set[str], pending: set[str], mode: str) -> set[str]:
        """Add the tests whose parents have all come together by now; dbt does so for data tests only."""
        if mode != "cautious":
            return direct
        items = self.index.items
        complete = (each for each in pending - direct if items[each].resource_type != "unit_test")
        return direct | {each for each in complete if items[each].parents and direct.issuperset(items[each].parents)}

    def criterion(self, text: str) -> frozenset[str]:
        """Return what one criterion takes by itself, graph operators included."""
        known = self._memo.get(text)
        if known is None:
            match = _CRITERION.fullmatch(text)
            if match is None:
                raise ValueError(f"not a selector that assetry writes: {text!r}")
            up_depth, up, method, value, down, down_depth = match.groups()
            start = self._search(method or "fqn", value)
            found = set(start)
            if up:
                found |= self._reach(start, up_depth, self._parents)
            if down:
                found |= self._reach(start, down_depth, self._children)
            known = self._memo[text] = frozenset(found)
        return known

    def _search(self, method: str, value: str) -> set[str]:
        items = self.index.items.values()
        if method == "fqn":
            return self.names.matches(value)
        if method == "package":
            return {item.unique_id for item in items if item.package == value}
        if method == "resource_type":
            return {item.unique_id for item in items if item.resource_type == value}
        package, source, table = value.split(".", 2)
        wanted = f"source.{package}.{source}.{table}"
        return {wanted} if wanted in self.index.items else set()

    def _parents(self, unique_id: str) -> Iterable[str]:
        return [each for each in self.index.items[unique_id].parents if each in self.index.items]

    def _children(self, unique_id: str) -> Iterable[str]:
        return self.index.children.get(unique_id, ())

    @staticmethod
    def _reach(start: Iterable[str], depth: str | None, step: object) -> set[str]:
        """Return what can be reached from `start` in at most `depth` steps; an empty depth is no limit."""
        found: set[str] = set()
        edge, left = list(start), int(depth) if depth else -1
        while edge and left:
            further = {each for unique_id in edge for each in step(unique_id)} - found  # type: ignore[operator]
            found |= further
            edge, left = list(further), left - 1
        return found
