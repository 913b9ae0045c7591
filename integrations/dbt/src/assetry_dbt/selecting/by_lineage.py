"""Terms by lineage: everything below some nodes, less everything below others.

What stands behind a Python asset is scattered over folders, yet it is simply what is below one source; and what
stands before it, everything else. Both are one word for dbt: ``source:shop.scores.churn+``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from assetry_dbt.selecting.by_folder import Wanted, exact_name
from assetry_dbt.selecting.evaluation import Evaluation
from assetry_dbt.selecting.index import TESTS

#: More starting points than this are better said by folder.
MOST = 24


def lineage_terms(evaluation: Evaluation, wanted: Wanted) -> Iterator[tuple[tuple[str, ...], tuple[str, ...]]]:
    """Yield selections, as pairs of selected and excluded terms, that start from what is wanted or from what is not."""
    tree = _Lineage(evaluation, wanted)
    # A source takes its own tests along, which may be wanted or not: try it for one reader, and for several only.
    for least in (1, 2):
        if tree.unwanted and tree.is_closed(tree.unwanted):
            exclude = tree.terms(tree.roots(tree.unwanted), tree.unwanted, least)
            if exclude is not None:
                yield (), exclude
        if tree.wanted:
            roots = tree.roots(tree.wanted)
            beyond = tree.below(roots) - tree.wanted if len(roots) <= MOST else set()
            if tree.below(beyond) & tree.wanted:
                continue
            select = tree.terms(roots, tree.wanted | beyond, least)
            exclude = tree.terms(tree.roots(beyond), beyond, least)
            if select is not None and exclude is not None:
                yield select, exclude


class _Lineage:
    """The lineage of what dbt builds, through ephemeral models as well."""

    def __init__(self, evaluation: Evaluation, wanted: Wanted) -> None:
        self.evaluation = evaluation
        self.items = evaluation.index.items
        self.children = evaluation.index.children
        is_built = self.is_built
        self.wanted = {each for each in wanted.wanted if is_built(each)}
        self.unwanted = {each for each in wanted.forbidden if is_built(each)}

    def is_built(self, unique_id: str) -> bool:
        item = self.items.get(unique_id)
        return item is not None and not item.free and item.resource_type not in TESTS

    def next(self, unique_id: str) -> list[str]:
        """Return what is directly below, tests aside."""
        found = self.children.get(unique_id, ())
        return [each for each in found if self.items[each].resource_type not in TESTS]

    def below(self, starts: Iterable[str]) -> set[str]:
        """Return everything that dbt builds below `starts`, and themselves."""
        seen = set(starts)
        waiting = list(seen)
        while waiting:
            fresh = [each for each in self.next(waiting.pop()) if each not in seen]
            seen.update(fresh)
            waiting += fresh
        return {each for each in seen if self.is_built(each)}

    def is_closed(self, group: set[str]) -> bool:
        """Tell whether everything below a member of `group` is a member."""
        return self.below(group) <= group

    def roots(self, group: set[str]) -> list[str]:
        """Return the members of `group` that read no member directly or through an ephemeral model."""
        return [each for each in self.items if each in group and not self.reads(each, group)]

    def reads(self, unique_id: str, group: set[str]) -> bool:
        waiting, seen = list(self.items[unique_id].parents), set()
        while waiting:
            parent = waiting.pop()
            if parent in group:
                return True
            if parent in self.items and self.items[parent].free and parent not in seen:
                seen.add(parent)
                waiting += self.items[parent].parents
        return False

    def terms(self, roots: list[str], allowed: set[str], least: int) -> tuple[str, ...] | None:
        """Return terms for everything below `roots`, or None where that cannot be said.

        A source stands for its readers where they are `least` roots or more, and nothing but what is `allowed` is
        below it.
        """
        if len(roots) > MOST:
            return None
        left = dict.fromkeys(roots)
        found: list[str] = []
        for source, covered in self.sources(roots):
            still = [each for each in covered if each in left]
            name = source.removeprefix("source.")
            # dbt takes a source's name apart at dots, so it cannot find one with a dot of its own.
            if len(still) >= least and name.count(".") == 2 and self.below([source]) <= allowed:
                found.append(f"source:{name}+")
                for each in still:
                    del left[each]
        names = [exact_name(self.evaluation, each) for each in left]
        # An intersection has no "everything below it"; then it cannot be said in this manner.
        return None if any("," in name for name in names) else (*found, *(f"{name}+" for name in names))

    def sources(self, roots: list[str]) -> list[tuple[str, list[str]]]:
        """Return the sources that roots read, with those roots, the most read first."""
        readers: dict[str, list[str]] = {}
        for root in roots:
            for parent in self.items[root].parents:
                if parent in self.items and self.items[parent].resource_type == "source":
                    readers.setdefault(parent, []).append(root)
        return sorted(readers.items(), key=lambda each: (-len(each[1]), each[0]))
