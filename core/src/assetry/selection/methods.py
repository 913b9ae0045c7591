"""What the methods of a selection find: ``tag:nightly``, ``source:raw.orders``, ``path:models/staging``, a bare name.

Where dbt has a method it finds what dbt finds (dbt 1.11: `dbt/graph/selector_methods.py`), told by the values of
assets alone, without a file being looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from assetry.errors import SelectionError, UsageError, near_names
from assetry.graph.graph import AssetGraph
from assetry.selection.grammar import Criterion, fault
from assetry.selection.patterns import file_names, folders, has_wildcard, matcher, path_matcher, path_of
from assetry.types.assets import Asset, Check
from assetry.types.keys import AssetKey
from assetry.types.partitions import DynamicPartitionsDefinition

Statuses = Callable[[], Mapping[AssetKey, str]]

#: The statuses that `state:` takes.
STATES = ("stale", "never", "failed", "fresh", "running", "external")

#: Methods that compare a value with texts of an asset, and how to get these.
_TEXTS: dict[str, Callable[[Asset], Iterable[str]]] = {
    "tag": lambda asset: asset.tags,
    "group": lambda asset: (asset.group,) if asset.group else (),
    "owner": lambda asset: asset.owners,
    "kind": lambda asset: (asset.kind,),
    "integration": lambda asset: (asset.integration.name,) if asset.integration else (),
    "column": lambda asset: (column.name for column in asset.columns),
    "package": lambda asset: (package,) if (package := _package(asset)) else (),
    "file": lambda asset: file_names(asset.source),
    "access": lambda asset: (asset.metadata.get("access", "protected"),) if asset.resource_type == "model" else (),
}

#: Methods whose values are compared without regard to case.
_FOLDED = frozenset({"owner", "column"})

#: Methods of dbt that ask for what is no asset, and what to do instead.
_ELSEWHERE = {
    "test_name": "Checks run with their assets: select the asset.",
    "test_type": "Checks run with their assets: select the asset.",
    "unit_test": "Checks run with their assets: select the asset.",
    "result": "Write state:failed for what failed last.",
    "source_status": "Write state:stale+ for what is out of date and all below it.",
    "metric": "Select the models it is made from.",
    "semantic_model": "Select the models it is made from.",
    "saved_query": "Select the models it is made from.",
}


class Criteria:
    """Find the assets of one graph that criteria ask for.

    `statuses` is called at most once, and only when `state:` occurs.

    >>> graph = AssetGraph.of([Asset(key="shop/orders", kind="dbt", tags=["nightly"])])
    >>> Criteria(graph).find(Criterion("tag", "night*"), "tag:night*")
    {0}
    """

    def __init__(self, graph: AssetGraph, statuses: Statuses | None = None) -> None:
        self.graph = graph
        self._statuses = statuses
        self._states: Mapping[AssetKey, str] | None = None
        self._dotted: dict[str, set[int]] | None = None
        self._shared: set[str] | None = None
        self._methods: dict[str, Callable[[str], set[int]]] = {
            "key": self._by_key,
            "fqn": self._by_name,
            "state": self._by_state,
            "source": self._by_source,
            "exposure": self._by_exposure,
            "partition": self._by_partition,
            "path": self._by_path,
            "resource_type": self._by_resource_type,
            "version": self._by_version,
        }

    def find(self, criterion: Criterion, text: str) -> set[int]:
        """Return the numbers of the assets that `criterion`, a part of the selection `text`, asks for.

        Raises `SelectionError` for an unknown method, or a value that the method cannot take.
        """
        method, _, argument = (criterion.method or "").partition(".")
        try:
            if criterion.method is None:
                return self._bare(criterion.value)
            if method == "config" and argument:
                return self._by_config(argument.split("."), criterion.value)
            if criterion.method in _TEXTS:
                return self._by_text(criterion.method, criterion.value)
            if criterion.method in self._methods:
                return self._methods[criterion.method](criterion.value)
        except _WrongValueError as error:
            raise fault(text, criterion.start, error.message, near=error.near, hint=error.hint) from None
        raise self._unknown_method(criterion, text)

    def checked(self, criterion: Criterion) -> set[int]:
        """Return the numbers of the assets that are read by checks which `criterion` asks for.

        Checks are no assets, so no selection finds them; but ``+a_check`` means all that the check needs.
        """
        matches = self._check_test(criterion)
        if matches is None:
            return set()
        found: set[int] = set()
        for i, asset in enumerate(self.graph.assets):
            for check in asset.checks:
                if matches(check):
                    found.add(i)
                    found.update(self.graph.index(key) for key in check.also)
        return found

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
        if method is None or method in ("key", "fqn"):
            elsewhere = [f"{name}:{value}" for name in ("tag", "group", "kind", "owner") if self._by_text(name, value)]
            if "/" not in value and value.count(".") <= 2 and self._by_source(value):
                elsewhere.append(f"source:{value}")
            checks = [str(a.key) for a in self.graph.assets for check in a.checks if check.name == value]
            return (*elsewhere, *checks[:1]) or near_names(value, self._names())
        known: Iterable[str] = ()
        if method in _TEXTS:
            known = (each for asset in self.graph.assets for each in _TEXTS[method](asset))
        elif method == "source":
            known = (name for asset in self._sources() for name in _shorter(_source_name(asset)))
        elif method == "exposure":
            known = (_names(asset)[-1] for asset in self.graph.assets if asset.resource_type == "exposure")
        elif method == "path":
            known = (path for asset in self.graph.assets for path in folders(path_of(asset.source)))
        elif method == "resource_type":
            known = (asset.resource_type for asset in self.graph.assets)
        return tuple(f"{method}:{name}" for name in near_names(value, known))

    # Each of these finds the assets for the value of one method.

    def _where(self, wanted: Callable[[Asset], bool]) -> set[int]:
        return {i for i, asset in enumerate(self.graph.assets) if wanted(asset)}

    def _by_text(self, method: str, value: str) -> set[int]:
        texts, matches = _TEXTS[method], matcher(value, method in _FOLDED)
        return self._where(lambda asset: any(matches(text) for text in texts(asset)))

    def _bare(self, value: str) -> set[int]:
        if "/" in value or "\\" in value:
            return self._by_key(value) or self._by_path(value)
        exact = {self.graph.index(value)} if value in self.graph else set()
        if value.lower().endswith((".sql", ".py", ".csv")):
            return exact | self._by_text("file", value)
        found = exact | self._by_name(value) | self._by_last_part(value)
        # What dbt would not find by its bare name, a source, is found when nothing else is meant.
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
            compared = value.startswith(("modified", "new", "old", "unmodified"))
            raise _WrongValueError(
                f"{value!r} is no state.",
                near=near_names(value, STATES),
                hint="dbt compares manifests here; assetry knows what was run: write state:stale."
                if compared
                else f"There are {', '.join(STATES)}.",
            )
        if self._statuses is None:
            raise _WrongValueError("What the state of an asset is cannot be asked here.")
        if self._states is None:
            self._states = self._statuses()
        states = self._states
        return self._where(lambda asset: states.get(asset.key) == value)

    def _sources(self) -> Iterator[Asset]:
        for i in range(len(self.graph)):
            yield from (each for each in self.graph.definitions(i) if each.resource_type == "source")

    def _by_source(self, value: str) -> set[int]:
        words = value.split(".")
        if len(words) > 3:
            raise _WrongValueError(
                f"{value!r} is no name of a source.", hint="Write source, source.table or package.source.table."
            )
        package, source, table = map(matcher, {1: ["*", *words, "*"], 2: ["*", *words], 3: words}[len(words)])
        found = set()
        for i in range(len(self.graph)):
            for each in self.graph.definitions(i):
                if each.resource_type == "source":
                    name = _source_name(each)
                    if package(name[0]) and source(name[1]) and table(name[2]):
                        found.add(i)
        return found

    def _by_exposure(self, value: str) -> set[int]:
        words = value.split(".")
        if len(words) > 2:
            raise _WrongValueError(f"{value!r} is no name of an exposure.", hint="Write exposure or package.exposure.")
        package, name = map(matcher, ["*", *words][-2:])
        return self._where(
            lambda asset: (
                asset.resource_type == "exposure" and package(_package(asset) or "") and name(_names(asset)[-1])
            )
        )

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
        if self._shared is None:
            self._shared = {
                path for asset in self.graph.assets if not asset.fallback for path in folders(path_of(asset.source))
            }
        shared = self._shared

        def stands(asset: Asset) -> bool:
            if any(map(matches, folders(path_of(asset.source)))):
                return True
            own, patch = asset.metadata.get("path"), asset.metadata.get("patch")
            if isinstance(patch, str) and matches(patch) and (not asset.fallback or patch in shared):
                return True
            # Of an installed package dbt finds what stands at a path that the project has too.
            return (
                asset.fallback
                and isinstance(own, str)
                and any(path in shared and matches(path) for path in folders(own))
            )

        return self._where(stands)

    def _by_resource_type(self, value: str) -> set[int]:
        return {
            i for i in range(len(self.graph)) if any(each.resource_type == value for each in self.graph.definitions(i))
        }

    def _by_config(self, names: Sequence[str], value: str) -> set[int]:
        wanted = {"true": True, "false": False}.get(value.lower(), value)
        found, known = set(), False
        for i, asset in enumerate(self.graph.assets):
            for held in _config(asset, names):
                known = True
                listed = held if isinstance(held, (list, tuple)) else (held,)
                if any(each == value or (isinstance(each, bool) and each is wanted) for each in listed):
                    found.add(i)
        if not known:
            raise _WrongValueError(
                f"No asset tells its config {'.'.join(names)!r}.",
                near=near_names(names[0], ("materialized", "tags", "group", "access", "contract")),
                hint="What assets tell is in `assetry show KEY`, under metadata.",
            )
        return found

    def _by_version(self, value: str) -> set[int]:
        if value not in ("latest", "old", "prerelease", "none"):
            raise _WrongValueError(
                f"{value!r} is no choice of versions.", hint="There are latest, old, prerelease, none."
            )
        versions: dict[tuple[str, ...], list[str]] = {}
        for asset in self.graph.assets:
            if asset.version:
                versions.setdefault(_names(asset)[:-1], []).append(asset.version)

        def fits(asset: Asset) -> bool:
            if asset.resource_type != "model" or not asset.version:
                return value == "none" and asset.resource_type == "model"
            latest = asset.metadata.get("latest_version")
            rank = _rank(str(latest)) if latest is not None else max(map(_rank, versions[_names(asset)[:-1]]))
            own = _rank(asset.version)
            return {"latest": own == rank, "old": own < rank, "prerelease": own > rank, "none": False}[value]

        return self._where(fits)

    def _check_test(self, criterion: Criterion) -> Callable[[Check], bool] | None:
        value, method = criterion.value, criterion.method
        if method == "path" or (method is None and "/" in value):
            inside = path_matcher(value)
            return lambda check: any(map(inside, folders(path_of(check.source))))
        matches = matcher(value)
        if method == "tag":
            return lambda check: any(map(matches, check.tags))
        if method == "file" or (method is None and value.lower().endswith((".sql", ".py", ".csv"))):
            return lambda check: any(map(matches, file_names(check.source)))
        if method == "package":
            return lambda check: bool(check.fqn) and matches(check.fqn[0])
        if method in (None, "fqn"):
            return lambda check: _named(check.fqn or (check.name,), value)
        return None

    def _names(self) -> Iterator[str]:
        for asset in self.graph.assets:
            yield asset.key
            yield from asset.aliases
            if asset.fqn:
                yield ".".join(asset.fqn)

    def _unknown_method(self, criterion: Criterion, text: str) -> SelectionError:
        name = str(criterion.method)
        if name in _ELSEWHERE:
            return fault(text, criterion.start, f"{name}: finds no assets.", hint=_ELSEWHERE[name])
        known = (*self._methods, *_TEXTS, "config.materialized")
        return fault(
            text,
            criterion.start,
            f"Unknown method {name!r}.",
            near=[f"{each}:" for each in near_names(name, known)],
            hint=f"There are {', '.join(sorted(known))}. For a key with a colon write key:{name}:{criterion.value}.",
        )


class _WrongValueError(SelectionError):
    """A value that its method cannot take; where it stands is added by who knows the text."""


def _selectable(asset: Asset) -> bool:
    # dbt's bare names never mean sources: these often share their names with the models made of them.
    return asset.resource_type != "source"


def _names(asset: Asset) -> tuple[str, ...]:
    return asset.fqn or asset.key.parts


def _package(asset: Asset) -> str | None:
    package = asset.metadata.get("package")
    return package if isinstance(package, str) else asset.fqn[0] if asset.fqn else None


def _source_name(asset: Asset) -> tuple[str, str, str]:
    names = _names(asset)
    return _package(asset) or names[0], names[-2] if len(names) > 1 else names[0], names[-1]


def _shorter(name: tuple[str, str, str]) -> tuple[str, str, str]:
    return ".".join(name), ".".join(name[1:]), name[1]


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


def _config(asset: Asset, names: Sequence[str]) -> Iterator[Any]:
    """Yield what an asset tells of a setting: at most one value."""
    if asset.resource_type == "exposure":
        return
    if names == ["tags"]:
        yield asset.tags
    elif names == ["group"]:
        yield asset.group
    elif names == ["contract", "enforced"] and asset.resource_type == "model":
        yield asset.metadata.get("contract") == "enforced"
    else:
        held: Any = asset.metadata
        for name in names:
            if not isinstance(held, Mapping) or name not in held:
                return
            held = held[name]
        yield held


def _rank(version: str) -> tuple[int, float, str]:
    try:
        return (0, float(version), "")
    except ValueError:
        return (1, 0.0, version)
