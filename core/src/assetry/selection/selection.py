"""Selections: which assets of a graph a text means.

`assetry.selection.grammar` reads the text, `assetry.selection.methods` knows the methods; here they meet the graph.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import zip_longest
from typing import NamedTuple

from assetry.errors import SelectionError
from assetry.graph.graph import AssetGraph
from assetry.graph.lineage import lineage
from assetry.selection.grammar import (
    Criterion,
    Either,
    Expression,
    Named,
    Reach,
    Reaching,
    Selector,
    Without,
    read_selector,
)
from assetry.selection.methods import Criteria, Hint, Statuses
from assetry.selection.named import NamedTexts, Names
from assetry.types.keys import AssetKey, selection_value


class Unmatched(NamedTuple):
    """A part of a selection that matches nothing, what was probably meant, and why where that is known.

    `excluded` tells that it was to be left out.
    """

    text: str
    near: tuple[str, ...] = ()
    why: str | None = None
    excluded: bool = False


class Selection(NamedTuple):
    """What a selection means: the keys in the graph's order, and the parts that match nothing."""

    keys: tuple[AssetKey, ...]
    unmatched: tuple[Unmatched, ...] = ()


def selection(
    graph: AssetGraph,
    selectors: str | Sequence[str] | None = None,
    exclude: str | Sequence[str] | None = (),
    statuses: Statuses | None = None,
    hint: Hint | None = None,
    named: NamedTexts | None = None,
) -> Selection:
    """Return what `selectors` means without what `exclude` means, and the parts that match nothing, for a warning.

    None, or an empty list, is everything; a list is the union of its members. A member that is an `AssetKey`, and one
    that is a key, or the last part of one, and as a selection cannot be read, or matches nothing in a part, mean the
    asset with that key.
    `statuses` returns the status of each asset; it is asked only when ``state:`` occurs. `hint` is given a method and
    value that find no assets, and returns what to write instead, or None. `named` returns the selections that have
    names, for ``selector:NAME``. Raises `SelectionError` when a selection cannot be read (a caret points at the place)
    or when nothing is left of it (with near names).

    >>> from assetry.types.assets import Asset
    >>> orders = Asset(key="shop/orders", kind="dbt", deps=["shop/raw"])
    >>> graph = AssetGraph.of([Asset(key="shop/raw", kind="dbt"), orders])
    >>> selection(graph, "+orders", exclude="raw").keys
    (AssetKey('shop/orders'),)
    >>> selection(graph, "orders tag:nightly").unmatched
    (Unmatched(text='tag:nightly', near=(), why=None, excluded=False),)
    """
    # Everything is read before anything is looked for, so that a mistake in the text is told first.
    names = Names(named)
    wanted, unwanted = (names.put_in(_read(each, graph)) for each in (selectors, exclude))
    looking = _Looking(Criteria(lineage(graph), statuses, hint), len(graph))
    found = looking.union(wanted, excluded=False) if wanted else set(range(len(graph)))
    if wanted and not found:
        raise _nothing(wanted, looking.unmatched, looking.near_keys(wanted))
    assets = {i for i in found if i < len(graph)}
    if not assets and found:
        raise _only_inlined([looking.graph.keys[i] for i in sorted(found)])
    left = assets - looking.union(unwanted, excluded=True)
    if assets and not left:
        raise SelectionError(
            "Nothing is left of the selection: all that it means is excluded.",
            hint=f"It means {len(assets)} asset{'s' if len(assets) > 1 else ''} before the exclusion.",
        )
    return Selection(tuple([graph.keys[i] for i in sorted(left)]), tuple(looking.unmatched))


class _Looking:
    """A look for what selectors mean; assets are the numbers below `size`, `unmatched` the parts that mean none."""

    def __init__(self, criteria: Criteria, size: int) -> None:
        self.criteria = criteria
        self.graph = criteria.graph
        self.size = size
        self.unmatched: list[Unmatched] = []

    def union(self, selectors: Sequence[Selector], excluded: bool) -> set[int]:
        found: set[int] = set()
        for selector in selectors:
            for text, expression, part in self._parts(selector):
                if not part:
                    self.unmatched.append(self._explained(text, expression, selector.text)._replace(excluded=excluded))
                elif not excluded and min(part) >= self.size:
                    self.unmatched.append(Unmatched(text, (), _inlined_why(self.graph.keys[i] for i in sorted(part))))
                found |= part
        return found

    def _parts(self, selector: Selector) -> list[tuple[str, Expression, set[int]]]:
        """Return the parts of a selector with what each finds; one part where the whole of it is only a key."""
        key = _as_key(selector.text, self.graph)
        try:
            parts = [(text, each, _find(each, self.criteria, selector.text)) for text, each in selector.parts]
        except SelectionError:
            if key is None:
                raise
            parts = []
        if key is None or (parts and all(found for *_, found in parts)):
            return parts
        return [(text, each, _find(each, self.criteria, text)) for text, each in key.parts]

    def near_keys(self, selectors: Sequence[Selector]) -> Iterator[str]:
        """Yield the names that are near to the whole of a selector that was read as several names."""
        for selector in selectors[:_EXPLAINED]:
            if _has_signs(selector.text):
                yield from self.criteria.near(Criterion("key", selector.text.strip()))

    def _explained(self, text: str, expression: Expression, whole: str) -> Unmatched:
        if len(self.unmatched) >= _EXPLAINED:
            return Unmatched(text)
        return _unmatched(text, expression, self.criteria, whole)


def _inlined_why(keys: Iterable[AssetKey]) -> str:
    key, *more = keys
    what = f"{key} is" if not more else f"{key} and {len(more)} more are"
    return f"{what} not a table, but part of what reads it: {selection_value(key.name)}+ means that."


def _only_inlined(keys: Sequence[AssetKey]) -> SelectionError:
    return SelectionError("Nothing that is selected is an asset.", hint=_inlined_why(keys))


def _read(selectors: str | Sequence[str] | None, graph: AssetGraph) -> list[Selector]:
    listed = [selectors] if isinstance(selectors, str) else selectors or ()
    return [read_selector(each.selection) if isinstance(each, AssetKey) else _reading(each, graph) for each in listed]


def _reading(text: str, graph: AssetGraph) -> Selector:
    try:
        return read_selector(text)
    except SelectionError:
        key = _as_key(text, graph)
        if key is None:
            raise
        return key


def _as_key(text: str, graph: AssetGraph) -> Selector | None:
    """Return the selector of what has a text as a whole as its key, or as its last part, signs of the grammar and all.

    Without such signs there is none: it is read as any other name.
    """
    name = text.strip()
    if name in graph:
        return Selector(text, ((text, Criterion("key", name)),))
    return Selector(text, ((text, Criterion(None, name)),)) if graph.named(name) and _has_signs(name) else None


def _has_signs(text: str) -> bool:
    return selection_value(text) != text


def _find(expression: Expression, criteria: Criteria, text: str) -> set[int]:
    if isinstance(expression, Criterion):
        return criteria.find(expression, text)
    if isinstance(expression, Reaching):
        return _reach(expression, criteria, text)
    if isinstance(expression, Named):
        return _find(expression.inner, criteria, expression.text)
    if isinstance(expression, Without):
        return set(range(len(criteria.graph))) - _find(expression.inner, criteria, text)
    found = [_find(part, criteria, text) for part in expression.parts]
    return set.union(*found) if isinstance(expression, Either) else set.intersection(*found)


def _reach(expression: Reaching, criteria: Criteria, text: str) -> set[int]:
    graph, reach = criteria.graph, expression.reach
    start = _find(expression.inner, criteria, text)
    # Checks hang on the assets they read; dbt counts these among what a check is made from.
    read = criteria.checked(expression.inner) if isinstance(expression.inner, Criterion) and _upwards(reach) else set()
    found = set(start)
    if reach.both:
        found |= graph.descendants(start)
        found |= read | criteria.neighbours(found)
        found |= graph.ancestors(found)
    if reach.parents:
        depth = reach.parents_depth
        found |= graph.ancestors(start, depth)
        if read and depth != 0:
            found |= read | graph.ancestors(read, None if depth is None else depth - 1)
    if reach.children:
        found |= graph.descendants(start, reach.children_depth)
    return found


def _upwards(reach: Reach) -> bool:
    return reach.both or reach.parents


def _criteria_of(expression: Expression, text: str) -> Iterator[tuple[Criterion, str]]:
    """Yield the criteria of an expression, each with the text that it stands in."""
    if isinstance(expression, Criterion):
        yield expression, text
    elif isinstance(expression, Named):
        yield from _criteria_of(expression.inner, expression.text)
    elif isinstance(expression, (Reaching, Without)):
        yield from _criteria_of(expression.inner, text)
    else:
        for part in expression.parts:
            yield from _criteria_of(part, text)


#: For how many parts that match nothing near names are looked up: that reads all names there are.
_EXPLAINED = 5


def _unmatched(text: str, expression: Expression, criteria: Criteria, whole: str) -> Unmatched:
    empty = [each for each, written in _criteria_of(expression, whole) if not criteria.find(each, written)]
    if not empty:
        return Unmatched(text, (), "Each of its names matches something, but no asset is left of them together.")
    near = tuple(dict.fromkeys(name for each in empty[:3] for name in criteria.near(each)))[:3]
    return Unmatched(text, near, next(filter(None, map(criteria.why, empty)), None))


def _nothing(wanted: Sequence[Selector], unmatched: Sequence[Unmatched], whole: Iterable[str]) -> SelectionError:
    states = [each.text.removeprefix("state:") for each in unmatched if each.text.startswith("state:")]
    if len(states) == len(unmatched):
        return SelectionError(f"No asset is {' or '.join(states)}.", hint="See `assetry status`.")
    shown = " ".join(selector.text for selector in wanted)
    shown = shown if len(shown) <= 100 else shown[:100] + "…"
    # The best guess for every part comes before the second best for any.
    ranked = zip_longest(*(each.near for each in unmatched))
    words = (name for each in ranked for name in each if name is not None)
    near = tuple(dict.fromkeys((*whole, *words)))[:3]
    why = unmatched[0].why if len(unmatched) == 1 else None
    return SelectionError(f"No asset matches {shown!r}.", near=near, hint=why or "See `assetry list` for all of them.")
