"""Terms by folder: the fewest prefixes of names, and excludes below them, that cover what is wanted.

Names form a tree. A selection is a union of terms less a union of excludes, so below an exclude nothing can be taken
back in: at each place of the tree it is enough to know the least number of terms when it is covered from above and
when it is not. Linear in the size of the tree.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from assetry_dbt.selecting.evaluation import Branch, Evaluation
from assetry_dbt.selecting.index import TESTS, Index

#: Costs more than any selection has terms.
NEVER = 1 << 30

#: What is to become of an item. Those that come along by themselves need no term, but must not be excluded (`ALONG`),
#: or need an exclude wherever they are (`STRAY`).
FREE, NEEDED, ALONG, BARRED, STRAY = range(5)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a selection has to take, by which mode of `--indirect-selection`, among which resource types."""

    index: Index
    wanted: frozenset[str]
    forbidden: frozenset[str]
    mode: str
    resource_types: tuple[str, ...] = ()

    def fate(self, unique_id: str) -> int:
        """Return what is to become of an item: one of the constants of this module."""
        item = self.index.items[unique_id]
        if item.free or (self.resource_types and item.resource_type not in self.resource_types):
            return FREE
        is_wanted = unique_id in self.wanted
        if item.resource_type not in TESTS or self.mode == "empty" or not item.parents:
            return NEEDED if is_wanted else BARRED
        parents = [
            parent in self.wanted for parent in item.parents if parent in self.wanted or parent in self.forbidden
        ]
        if len(parents) < len(item.parents):
            # A parent that may or may not come along: say what is wanted of the test itself.
            return NEEDED if is_wanted else BARRED
        if all(parents) or (self.mode == "eager" and any(parents)):
            return ALONG if is_wanted else STRAY
        if not any(parents) and not is_wanted:
            # It goes when what it tests goes, which is excluded wherever this one is covered.
            return FREE
        return NEEDED if is_wanted else BARRED


class _Place:
    """The costs of one branch: when nothing above is selected (`out`), and when something is (`within`)."""

    __slots__ = ("bad", "branch", "good", "needed", "out", "own", "stray", "within")

    def __init__(self, branch: Branch) -> None:
        self.branch = branch
        self.own: list[int] = []
        self.good = self.bad = self.needed = self.stray = 0
        self.out = self.within = 0


def folder_terms(evaluation: Evaluation, wanted: Wanted) -> Iterator[tuple[tuple[str, ...], tuple[str, ...]]]:
    """Yield selections, as pairs of selected and excluded terms: from nothing, and from everything."""
    cover = _Cover(evaluation, wanted)
    for covered in (False, True):
        select, exclude = cover.terms(covered)
        if covered or select:
            yield tuple(select), tuple(exclude)


class _Cover:
    """The least cover of one wanted set."""

    def __init__(self, evaluation: Evaluation, wanted: Wanted) -> None:
        self.evaluation = evaluation
        self.places: dict[int, _Place] = {}
        self.select: list[str] = []
        self.exclude: list[str] = []
        root = evaluation.names.root
        order = [root]
        for branch in order:
            order += branch.below.values()
        for branch in reversed(order):
            self.places[id(branch)] = self.weighed(branch, wanted)

    def weighed(self, branch: Branch, wanted: Wanted) -> _Place:
        """Work out the costs of a branch from those of the branches below."""
        place = _Place(branch)
        place.own = [wanted.fate(unique_id) for unique_id in branch.own]
        below = [self.places[id(child)] for child in branch.below.values()]
        count = place.own.count
        place.needed = count(NEEDED) + sum(each.needed for each in below)
        place.stray = count(STRAY) + sum(each.stray for each in below)
        place.good = place.needed + count(ALONG) + sum(each.good - each.needed for each in below)
        place.bad = place.stray + count(BARRED) + sum(each.bad - each.stray for each in below)
        place.within = self.cost_within(place, below)
        place.out = self.cost_out(place, below)
        return place

    @staticmethod
    def cost_within(place: _Place, below: list[_Place]) -> int:
        if not place.bad:
            return 0
        if not place.good:
            return 1 if place.branch.path else NEVER
        return own_within(place.own) + sum(each.within for each in below)

    @staticmethod
    def cost_out(place: _Place, below: list[_Place]) -> int:
        if not place.needed and not place.stray:
            return 0
        apart = own_out(place.own) + sum(each.out for each in below)
        if not place.branch.path:
            return apart
        if not place.good:
            return min(apart, 1)
        return min(apart, 1 + place.within, 1 + own_out(place.own) + sum(each.within for each in below))

    def terms(self, covered: bool) -> tuple[list[str], list[str]]:
        """Return the selected and the excluded terms, when at first everything is covered, or nothing."""
        self.select, self.exclude = [], []
        waiting = [(self.evaluation.names.root, covered)]
        while waiting:
            branch, within = waiting.pop()
            covered_below = self.within(branch) if within else self.out(branch)
            if covered_below is not None:
                waiting += [(child, covered_below) for child in reversed(branch.below.values())]
        return self.select, self.exclude

    def within(self, branch: Branch) -> bool | None:
        """Say the terms for a covered branch; return whether what is below is covered, None when all is said."""
        place = self.places[id(branch)]
        if not place.bad:
            return None
        if not place.good and branch.path:
            self.exclude.append(self.prefix(branch))
            return None
        self.say_own(branch, place, within=True)
        return True

    def out(self, branch: Branch) -> bool | None:
        """Say the terms for a branch that is not covered; return whether what is below is, None when all is said."""
        place = self.places[id(branch)]
        if not place.needed and not place.stray:
            return None
        below = [self.places[id(child)] for child in branch.below.values()]
        apart = own_out(place.own) + sum(each.out for each in below)
        if (branch.path and apart > place.out) or (branch.path and below and apart == place.out and place.needed):
            if not place.good:
                self.exclude.append(self.prefix(branch))
                return None
            if 1 + place.within == place.out:
                self.select.append(self.prefix(branch))
                return self.within(branch)
            if 1 + own_out(place.own) + sum(each.within for each in below) == place.out:
                self.select.append(below_name(branch))
                self.say_own(branch, place, within=False)
                return True
        self.say_own(branch, place, within=False)
        return False

    def say_own(self, branch: Branch, place: _Place, within: bool) -> None:
        """Say what is to become of the items of exactly this name."""
        for unique_id, fate in zip(branch.own, place.own, strict=True):
            if fate == STRAY or (within and fate == BARRED):
                self.append(self.exclude, unique_id)
            elif fate == NEEDED and not within:
                self.append(self.select, unique_id)

    def append(self, terms: list[str], unique_id: str) -> None:
        term = exact_name(self.evaluation, unique_id)
        if term not in terms:
            terms.append(term)

    def prefix(self, branch: Branch) -> str:
        """Return the term for a branch and all below: everything in the folder, or the one item by its name."""
        items = branch.items()
        if len(items) == 1:
            return exact_name(self.evaluation, items[0])
        return f"fqn:{spelled(branch.path)}" if branch.own else below_name(branch)


def own_within(own: list[int]) -> int:
    """Return how many excludes the items of one name need when it is covered."""
    return sum(fate in (BARRED, STRAY) for fate in own)


def own_out(own: list[int]) -> int:
    """Return how many terms the items of one name need when it is not covered."""
    return sum(fate in (NEEDED, STRAY) for fate in own)


def below_name(branch: Branch) -> str:
    """Return the term for everything in a folder."""
    return f"fqn:{spelled(branch.path)}.*"


def spelled(path: Iterable[str]) -> str:
    """Return a name as a selector can hold it: dbt would split at blanks and commas, and read a plus as an operator.

    >>> spelled(("shop", "old stuff", "a"))
    'shop.old?stuff.a'
    """
    return re.sub(r"[\s,+]", "?", ".".join(path))


def exact_name(evaluation: Evaluation, unique_id: str) -> str:
    """Return a term that takes one item and, where that can be said at all, nothing else that matters.

    The name by itself, if it means only that; else with a wildcard that shuts out longer names, then with its
    package, its resource type, and what it reads.
    """
    items = evaluation.index.items
    item = items[unique_id]
    name = spelled(item.fqn)
    plain = f"fqn:{name}"
    # A wildcard makes dbt compare the whole name, so a model is told from a folder of its name.
    whole = f"fqn:{name[:-1]}[{name[-1]}]"
    package, kind = f"package:{item.package}", f"resource_type:{item.resource_type}"
    by_parent = [f"{whole},fqn:{spelled(items[each].fqn)}+1" for each in item.parents if each in items]
    for term in (plain, whole, f"{plain},{package}", f"{whole},{package}", f"{whole},{kind}", *by_parent):
        taken = frozenset[str].intersection(*(evaluation.criterion(part) for part in term.split(",")))
        if all(each == unique_id or items[each].free for each in taken):
            return term
    return whole
