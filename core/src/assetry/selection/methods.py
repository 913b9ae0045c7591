"""What the methods of a selection find: ``tag:nightly``, ``source:raw.orders``, ``path:models/staging``, a bare name.

A method is one that all assets have, or a facet that integrations give their assets (`assetry.selection.facets`). Bare
names, tags, groups, files and paths find what they find in dbt (1.11: `dbt/graph/selector_methods.py`). All is told by
the values of assets alone, without a file being looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property

from assetry.errors import SelectionError, UsageError, as_typed, near_names
from assetry.graph.graph import AssetGraph
from assetry.graph.merging import is_external
from assetry.partitions.definitions import DynamicPartitionsDefinition
from assetry.selection.facets import Facets, facet_methods, facet_test, facet_values
from assetry.selection.grammar import STATES, Criterion, fault
from assetry.selection.patterns import file_names, folders, has_wildcard, matcher, path_matcher, path_of
from assetry.types.assets import Asset, Check
from assetry.types.keys import AssetKey, selection_value

Statuses = Callable[[], Mapping[AssetKey, str]]
#: What to write instead of a method and value that find no assets here, where something knows it.
Hint = Callable[[str, str], str | None]

#: Methods that compare a value with texts of an asset, and how to get these.
_TEXTS: dict[str, Callable[[Asset], Iterable[str]]] = {
    "tag": lambda asset: asset.tags,
    "group": lambda asset: (asset.group,) if asset.group else (),
    "owner": lambda asset: asset.owners,
    "kind": lambda asset: (asset.kind,),
    "integration": lambda asset: (asset.integration.name,) if asset.integration else (),
    "column": lambda asset: (column.name for column in asset.columns),
    "file": lambda asset: file_names(asset.source),
}

#: Methods whose values are compared without regard to case.
_FOLDED = frozenset({"owner", "column"})

#: How many values of a facet are listed where none of them was asked for.
_LISTED = 10

#: Methods that ask for nothing that a check has.
_NOT_OF_CHECKS = frozenset({"key", "state", "partition", "owner", "kind", "integration", "column"})


class Criteria:
    """The assets of one graph, by what criteria ask for.

    `statuses` is called at most once, and only when `state:` occurs. `hint` is asked when a criterion is refused.

    >>> graph = AssetGraph.of([Asset(key="shop/orders", kind="dbt", tags=["nightly"])])
    >>> Criteria(graph).find(Criterion("tag", "night*"), "tag:night*")
    {0}
    """

    def __init__(self, graph: AssetGraph, statuses: Statuses | None = None, hint: Hint | None = None) -> None:
        self.graph = graph
        self._statuses = statuses
        self._hint: Hint = hint or (lambda _method, _value: None)
        self._states: Mapping[AssetKey, str] | None = None
        self._dotted: dict[str, set[int]] | None = None
        self._facets: dict[str, None] | None = None
        self._asked: dict[Criterion, list[tuple[int, Check]]] = {}
        self._methods: dict[str, Callable[[str], set[int]]] = {
            "key": self._by_key,
            "fqn": self._by_name,
            "state": self._by_state,
            "partition": self._by_partition,
            "path": self._by_path,
            "resource_type": self._by_resource_type,
        }

    def find(self, criterion: Criterion, text: str) -> set[int]:
        """Return the numbers of the assets that `criterion`, a part of the selection `text`, asks for.

        Raises `SelectionError` for an unknown method, or a value that the method cannot take.
        """
        found = self._of_assets(criterion, text)
        matches = self._check_test(criterion) if self._carriers else None
        if matches is None:
            return found
        return found.union(i for i in self._carriers if any(map(matches, self.graph.assets[i].checks)))

    @cached_property
    def _carriers(self) -> tuple[int, ...]:
        """Return the numbers of the assets that are there only for their checks: found by these, nothing else is."""
        graph = self.graph
        return tuple(
            i
            for i, asset in enumerate(graph.assets)
            if asset.checks and is_external(asset) and asset.relation is None
            if not (graph.upstream[i] or graph.downstream[i] or asset.columns)
        )

    def _of_assets(self, criterion: Criterion, text: str) -> set[int]:
        method, value = criterion.method, criterion.value
        if method is None:
            return self._bare(value)
        if method in _TEXTS:
            return self._by_text(method, value)
        if method in self._methods:
            try:
                return self._methods[method](value)
            except _WrongValueError as error:
                raise fault(text, criterion.start, error.message, near=error.near, hint=error.hint) from None
        found = self._by_facet(method, value)
        if not found and method.partition(".")[0] not in self._facet_names():
            raise self._unknown_method(method, criterion, text)
        return found

    def checked(self, criterion: Criterion) -> set[int]:
        """Return the numbers of the assets that are read by checks which `criterion` asks for.

        Checks are not assets, so no selection finds them; but ``+a_check`` means all that the check needs.
        """
        found: set[int] = set()
        for i, check in self._checks(criterion):
            if check.reads:
                found.update(self.graph.index(key) for key in check.reads if key in self.graph)
            else:
                found.add(i)
                found.update(self.graph.index(key) for key in check.also)
        return found

    def _checks(self, criterion: Criterion) -> list[tuple[int, Check]]:
        """Return the checks that a criterion asks for, with the numbers of their assets."""
        known = self._asked.get(criterion)
        if known is None:
            matches = self._check_test(criterion)
            each = ((i, check) for i, asset in enumerate(self.graph.assets) for check in asset.checks)
            known = self._asked[criterion] = [] if matches is None else [pair for pair in each if matches(pair[1])]
        return known

    def neighbours(self, indices: set[int]) -> set[int]:
        """Return the numbers of the assets that share a check with one of `indices`."""
        found: set[int] = set()
        for i, asset in enumerate(self.graph.assets):
            for check in asset.checks:
                if check.also:
                    read = {i, *(self.graph.index(key) for key in check.also)}
                    if read & indices:
                        found |= read
        return found

    def near(self, criterion: Criterion) -> tuple[str, ...]:
        """Return what was probably meant by a criterion that finds nothing."""
        value, method = criterion.value, criterion.method
        for i, _ in self._checks(criterion):
            return (selection_value(self.graph.keys[i]),)
        if method is None or method in ("key", "fqn"):
            names = [name for name in ("tag", "group", "kind", "owner") if self._by_text(name, value)]
            names += [name for name in self._facet_names() if self._by_facet(name, value)]
            return _written(names, [value]) or tuple(map(selection_value, self._near_assets(value)))
        known: Iterable[str] = ()
        if method in _TEXTS:
            known = (each for asset in self.graph.assets for each in _TEXTS[method](asset))
        elif method == "path":
            known = (path for asset in self.graph.assets for path in folders(path_of(asset.source)))
        elif method == "resource_type":
            known = (each.resource_type for each in self._definitions())
        elif not self._is_own(method):
            return self._near_facets(method, value)
        return _written([method], near_names(value, known))

    def why(self, criterion: Criterion) -> str | None:
        """Return why a criterion finds nothing, or what could be found instead, when that is known."""
        method, value = criterion.method, criterion.value
        if self.checked(criterion):
            written = _written([method], [value])[0] if method else selection_value(value)
            return f"Checks run with their assets: select the asset, or +{written} for all that the checks need."
        known = [] if method is None or self._is_own(method) else self._facet_values(method)
        return f"There are {', '.join(map(selection_value, known))}." if 0 < len(known) <= _LISTED else None

    def _is_own(self, method: str) -> bool:
        return method in _TEXTS or method in self._methods

    def _facet_values(self, method: str) -> list[str]:
        return sorted({each for asset in self._definitions() for each in facet_values(asset.facets, method)})

    def _near_facets(self, method: str, value: str) -> tuple[str, ...]:
        """Return what was probably meant by a facet: another value of it, else another path with that value."""
        known = self._facet_values(method)
        if known:
            return _written([method], near_names(value, known))
        methods = {each for asset in self._definitions() for each in facet_methods(asset.facets)}
        return _written(near_names(method, methods), [value])

    # Each of these finds the assets for the value of one method.

    def _where(self, wanted: Callable[[Asset], bool]) -> set[int]:
        return {i for i, asset in enumerate(self.graph.assets) if wanted(asset)}

    def _definitions(self) -> Iterator[Asset]:
        yield from self.graph.assets
        for absorbed in self.graph.absorbed.values():
            yield from absorbed

    def _where_defined(self, wanted: Callable[[Asset], bool]) -> set[int]:
        """Return the assets of which one definition is wanted: what makes it, or a source that it was found to be."""
        found = self._where(wanted)
        found.update(self.graph.index(key) for key, taken in self.graph.absorbed.items() if any(map(wanted, taken)))
        return found

    def _by_facet(self, method: str, value: str) -> set[int]:
        fits = _once_each(facet_test(method, value))
        return self._where_defined(lambda asset: fits(asset.facets))

    def _facet_names(self) -> Mapping[str, None]:
        """Return the methods that facets of assets and checks answer, each once."""
        if self._facets is None:
            found = {id(asset.facets): asset.facets for asset in self._definitions()}
            found.update((id(check.facets), check.facets) for asset in self._definitions() for check in asset.checks)
            self._facets = dict.fromkeys(name.partition(":")[0] for facets in found.values() for name in facets)
        return self._facets

    def _by_text(self, method: str, value: str) -> set[int]:
        texts, matches = _TEXTS[method], matcher(value, method in _FOLDED)
        return self._where(lambda asset: any(matches(text) for text in texts(asset)))

    def _bare(self, value: str) -> set[int]:
        if "/" in value or "\\" in value:
            return self._by_key(value) or self._by_path(value)
        exact = {self.graph.index(value)} if value in self.graph else set()
        is_file = value.lower().endswith((".sql", ".py", ".csv"))
        found = exact | (self._by_text("file", value) if is_file else self._by_name(value) | self._by_last_part(value))
        # What its tool would not find by its bare name is found when nothing else is meant.
        return found or {i for i in self.graph.named(value) if not self.graph.assets[i].version}

    def _by_last_part(self, value: str) -> set[int]:
        if has_wildcard(value):
            return set()
        named = self.graph.named(value)
        assets = self.graph.assets
        return {i for i in named if _selectable(assets[i]) and not assets[i].version and assets[i].key.name == value}

    def _by_key(self, value: str) -> set[int]:
        if value in self.graph:
            return {self.graph.index(value)}
        if has_wildcard(value):
            matches = matcher(value)
            return self._where(lambda asset: any(map(matches, (asset.key, *asset.aliases))))
        below = value.rstrip("/") + "/"
        return self._where(lambda asset: any(key.startswith(below) for key in (asset.key, *asset.aliases)))

    def _by_name(self, value: str) -> set[int]:
        if has_wildcard(value):
            return self._where(lambda asset: _selectable(asset) and _named(_names(asset), value, bool(asset.version)))
        if self._dotted is None:
            self._dotted = self._index_names()
        found = self._dotted.get(value, set())
        # Of a version, dbt compares just the last two words, joined by "." or "_" alike.
        last = "_".join(value.split(".")[-2:])
        return found | self._dotted.get(f"\n{last}", set())

    def _index_names(self) -> dict[str, set[int]]:
        """Return the assets by every plain name that selects them: their own, and each dotted beginning."""
        dotted: dict[str, set[int]] = {}
        for i, asset in enumerate(self.graph.assets):
            if not _selectable(asset):
                continue
            names = _names(asset)
            if asset.version and len(names) > 1:
                own = names[-2]
                dotted.setdefault("\n" + "_".join(names[-2:]), set()).add(i)
            else:
                own = names[-1]
            dotted.setdefault(own, set()).add(i)
            words = ".".join(names).split(".")
            # The first name, the package's, may be left out.
            for start in {0, len(names[0].split(".")) if len(names) > 1 else 0}:
                for end in range(start + 1, len(words) + 1):
                    dotted.setdefault(".".join(words[start:end]), set()).add(i)
        return dotted

    def _by_state(self, value: str) -> set[int]:
        if value not in STATES:
            raise _WrongValueError(
                f"{value!r} is not a state.",
                near=near_names(value, STATES),
                hint=self._hint("state", value) or f"There are {', '.join(STATES)}.",
            )
        if self._statuses is None:
            raise _WrongValueError("What the state of an asset is cannot be asked here.")
        if self._states is None:
            self._states = self._statuses()
        states = self._states
        return self._where(lambda asset: states.get(asset.key) == value)

    def _by_partition(self, value: str) -> set[int]:
        """Find by the kind of partitions (`daily`), by one of their keys, `*` for any, `none` for those without."""

        def has(asset: Asset) -> bool:
            definition = asset.partitions_def
            if definition is None:
                return value == "none"
            if value in ("*", getattr(definition, "json_tag", ("", ""))[1]):
                return True
            if value == "none" or isinstance(definition, DynamicPartitionsDefinition):
                return False
            try:
                definition.validate(value)
            except UsageError:
                return False
            return True

        return self._where(has)

    def _by_path(self, value: str) -> set[int]:
        matches = path_matcher(value)

        def stands(asset: Asset) -> bool:
            if any(map(matches, folders(path_of(asset.source)))):
                return True
            return any(map(matches, facet_values(asset.facets, "path")))

        return self._where(stands)

    def _by_resource_type(self, value: str) -> set[int]:
        matches = matcher(value)
        return self._where_defined(lambda asset: matches(asset.resource_type))

    def _check_test(self, criterion: Criterion) -> Callable[[Check], bool] | None:
        value, method = criterion.value, criterion.method
        if method in _NOT_OF_CHECKS or (method is None and "/" in value and self._by_key(value)):
            return None
        if method == "path" or (method is None and "/" in value):
            inside = path_matcher(value)
            return lambda check: any(map(inside, folders(path_of(check.source))))
        matches = matcher(value)
        if method == "tag":
            return lambda check: any(map(matches, check.tags))
        if method == "file" or (method is None and value.lower().endswith((".sql", ".py", ".csv"))):
            return lambda check: any(map(matches, file_names(check.source)))
        if method in (None, "fqn"):
            if has_wildcard(value):
                return lambda check: _named(check.fqn or (check.name,), value)
            begins = f"{value}."
            return lambda check: _begins(check.fqn or (check.name,), value, begins)
        fits = _once_each(facet_test(str(method), value))
        return lambda check: fits(check.facets)

    def _near_assets(self, value: str) -> tuple[str, ...]:
        """Return the names of assets that are nearest to `value`, one for each asset."""
        owners: dict[str, int] = {}
        for i, asset in enumerate(self.graph.assets):
            for name in (asset.key, *asset.aliases, *((".".join(asset.fqn),) if asset.fqn else ())):
                owners.setdefault(name, i)
        found: dict[int, str] = {}
        for name in near_names(value, owners, most=9):
            found.setdefault(owners[name], name)
        return tuple(found.values())[:3]

    def _unknown_method(self, method: str, criterion: Criterion, text: str) -> SelectionError:
        hint = self._hint(method, criterion.value)
        if hint is not None:
            return fault(text, criterion.start, f"{method}: finds no assets.", hint=hint)
        known = sorted({*self._methods, *_TEXTS, *self._facet_names()})
        key = as_typed(selection_value(f"{method}:{criterion.value}"))
        return fault(
            text,
            criterion.start,
            f"Unknown method {method!r}.",
            near=[f"{each}:" for each in near_names(method, known)],
            hint=f"There are {', '.join(known)}. For a key with a colon write {key}.",
        )


class _WrongValueError(SelectionError):
    """A value that its method cannot take; where it stands is added by who knows the text."""


def _written(methods: Iterable[str], values: Iterable[str]) -> tuple[str, ...]:
    """Return the criteria of methods and values as a selection writes them."""
    values = tuple(map(selection_value, values))
    return tuple(f"{method}:{value}" for method in methods for value in values)


def _selectable(asset: Asset) -> bool:
    # Such bare names never mean it: a source often shares its name with the model made of it.
    return asset.fqn is not None


def _names(asset: Asset) -> tuple[str, ...]:
    return asset.fqn or asset.key.parts


def _once_each(fits: Callable[[Facets], bool]) -> Callable[[Facets], bool]:
    """Return a test that looks at each facets once: very many assets and checks share theirs."""
    known: dict[int, bool] = {}

    def test(facets: Facets) -> bool:
        found = known.get(id(facets))
        if found is None:
            found = known[id(facets)] = fits(facets)
        return found

    return test


def _begins(names: Sequence[str], value: str, begins: str) -> bool:
    """Tell the same as `_named` of a value without wildcards; quickly, because there are many checks."""
    if names[-1] == value:
        return True
    dotted = ".".join(names) + "."
    return dotted.startswith(begins) or dotted.startswith(begins, len(names[0]) + 1)


def _named(names: Sequence[str], pattern: str, versioned: bool = False) -> bool:
    """Tell whether a name, as dbt compares it, means what has these names; the first of them may be left out."""
    return _fits(names, pattern, versioned) or _fits(names[1:], pattern, versioned)


def _fits(names: Sequence[str], pattern: str, versioned: bool) -> bool:
    if not names:
        return False
    own = names[-2] if versioned and len(names) > 1 else names[-1]
    words, wanted = ".".join(names).split("."), pattern.split(".")
    if own == pattern or len(words) < len(wanted):
        return own == pattern
    for i, word in enumerate(wanted):
        if has_wildcard(word):
            if matcher(".".join(wanted[i:]))(".".join(words[i:])):
                return True
            return "." not in pattern and matcher(pattern)(own)
        if words[i] != word:
            return False
    return True
