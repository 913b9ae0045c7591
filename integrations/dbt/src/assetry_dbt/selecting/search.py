"""Selections for dbt: the shortest practical arguments that make `dbt build` run exactly what is wanted.

dbt looks at every node once per selector, so thousands of names cost minutes: whole folders, a folder but for a few,
or everything below some nodes are said with one name. Candidates are made by folder and by lineage; one counts only if
it takes exactly what is wanted, by dbt's own rules (`assetry_dbt.selecting.evaluation`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import chain

from assetry.plugin import Invocation

from assetry_dbt.selecting.by_folder import Wanted, exact_name, folder_terms
from assetry_dbt.selecting.by_lineage import lineage_terms
from assetry_dbt.selecting.evaluation import Evaluation
from assetry_dbt.selecting.index import Index

#: More terms than this are no longer worth correcting or thinning one by one.
FEW = 12

#: In a project of more items than this, the first manner of selecting that is exact will do.
LARGE = 2000

#: What takes everything, also where dbt has a default selector for commands without any.
EVERYTHING = "fqn:*"

#: `--indirect-selection`, in the order in which they are tried: how tests come along with what they test.
MODES = ("eager", "cautious", "empty")


@dataclass(frozen=True, slots=True)
class Selection:
    """The selection arguments of one dbt command; empty means everything.

    >>> Selection(select=("fqn:shop.staging.*",), indirect="empty").args()
    ('--select', 'fqn:shop.staging.*', '--indirect-selection', 'empty')
    """

    select: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    indirect: str | None = None
    resource_types: tuple[str, ...] = ()

    def args(self) -> tuple[str, ...]:
        """Return the command-line arguments."""
        given: list[str] = []
        if self.select:
            given += ["--select", *self.select]
        if self.exclude:
            given += ["--exclude", *self.exclude]
        if self.indirect:
            given += ["--indirect-selection", self.indirect]
        for resource_type in self.resource_types:
            given += ["--resource-type", resource_type]
        return tuple(given)

    @property
    def cost(self) -> tuple[int, int]:
        """Return what dbt and a reader have to work through: terms first, then characters."""
        given = self.args()
        return len(self.select) + len(self.exclude), sum(len(each) + 1 for each in given)


def selection_for(index: Index, invocation: Invocation) -> Selection:
    """Return the selection by which dbt builds the assets of `invocation` and runs its checks, and nothing else."""
    return compress(index, *index.wanted(invocation))


def compress(index: Index, built: Iterable[str], tests: Iterable[str]) -> Selection:
    """Return the shortest selection that was found of exactly `built` and `tests`, unique ids of the project.

    Ephemeral models, exposures and the like may come along, as they build nothing. Only where two tests cannot be
    told apart by any selector, the other one comes along too.
    """
    wanted = frozenset(built) | frozenset(tests)
    search = _Search(index, wanted)
    best = search.best() or search.spelled_out()
    if index.narrowed and not best.select and not best.exclude:
        best = replace(best, select=(EVERYTHING,))
    return best


class _Search:
    """The search for the shortest exact selection of one set."""

    def __init__(self, index: Index, wanted: frozenset[str]) -> None:
        self.index = index
        self.wanted = wanted
        self.evaluation = evaluation_of(index)
        self.forbidden = frozenset(item.unique_id for item in index.items.values() if not item.free) - wanted
        self.kinds = tuple(sorted({index.items[each].resource_type for each in wanted}))

    def best(self) -> Selection | None:
        found: Selection | None = None
        is_large = len(self.index.items) > LARGE
        for candidates in self.manners():
            for candidate in sorted(candidates, key=lambda each: each.cost):
                if found is not None and candidate.cost[0] > found.cost[0]:
                    break
                exact = self.corrected(candidate)
                if exact is not None and (found is None or exact.cost < found.cost):
                    found = exact
            if found is not None and (is_large or found.cost[0] <= 1):
                break
        return self.thinned(found) if found is not None else None

    def manners(self) -> Iterator[Iterable[Selection]]:
        """Yield selections that may be exact, by manner of selecting, the likely short ones first."""
        yield self.whole()
        kinds = self.narrowing_kinds()
        narrowings: tuple[tuple[str, ...], ...] = ((), kinds) if kinds else ((),)
        for resource_types in narrowings:
            for mode in MODES:
                wanted = Wanted(self.index, self.wanted, self.forbidden, mode, resource_types)
                pairs = chain(folder_terms(self.evaluation, wanted), lineage_terms(self.evaluation, wanted))
                yield [Selection(select, exclude, mode, resource_types) for select, exclude in pairs]

    def whole(self) -> Iterator[Selection]:
        """Yield the selections of everything, of everything loaded, and of everything of some resource types."""
        yield Selection()
        if self.index.own_selection and self.wanted == self.index.built | self.index.tests:
            yield Selection(*self.index.own_selection)
        kinds = self.narrowing_kinds()
        if kinds:
            yield Selection(resource_types=kinds)

    def narrowing_kinds(self) -> tuple[str, ...]:
        """Return the resource types wanted when naming them leaves something out, else nothing."""
        if any(self.index.items[each].resource_type not in self.kinds for each in self.forbidden):
            return self.kinds
        return ()

    def corrected(self, candidate: Selection) -> Selection | None:
        """Return `candidate`, with single names added where it was a little off; None when it cannot be exact."""
        for _ in range(2):
            missing, extra = self.difference(candidate)
            if not missing and not extra:
                return candidate
            if len(missing) + len(extra) > FEW or (not candidate.select and missing):
                return None
            candidate = replace(
                candidate,
                select=candidate.select + self.names(missing),
                exclude=candidate.exclude + self.names(extra),
                indirect=candidate.indirect or "eager",
            )
        missing, extra = self.difference(candidate)
        return None if missing or extra else candidate

    def difference(self, candidate: Selection) -> tuple[set[str], set[str]]:
        if self.is_own(candidate):
            return set(), set()
        taken = self.evaluation.taken(candidate.select, candidate.exclude, candidate.indirect, candidate.resource_types)
        return set(self.wanted - taken), taken & self.forbidden

    def is_own(self, candidate: Selection) -> bool:
        """Tell whether `candidate` is what the project was loaded with; what that takes, dbt itself has said."""
        own = self.index.own_selection
        return own is not None and candidate == Selection(*own)

    def names(self, unique_ids: Iterable[str]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(exact_name(self.evaluation, each) for each in sorted(unique_ids)))

    def thinned(self, selection: Selection) -> Selection:
        """Return `selection` without the terms that it does not need."""
        if self.is_own(selection) or not 2 <= selection.cost[0] <= 2 * FEW:
            return selection
        for term in selection.exclude:
            shorter = replace(selection, exclude=tuple(each for each in selection.exclude if each != term))
            if not any(self.difference(shorter)):
                selection = shorter
        for term in selection.select:
            shorter = replace(selection, select=tuple(each for each in selection.select if each != term))
            # Without any term left it would mean everything.
            if shorter.select and not any(self.difference(shorter)):
                selection = shorter
        return selection

    def spelled_out(self) -> Selection:
        """Return everything wanted, name by name: the one that always takes all of it."""
        return Selection(self.names(self.wanted), (), "empty", self.narrowing_kinds())


def evaluation_of(index: Index) -> Evaluation:
    """Return the evaluation of `index`, made once."""
    if index.evaluation is None:
        index.evaluation = Evaluation(index)
    found: Evaluation = index.evaluation
    return found
