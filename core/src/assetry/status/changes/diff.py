"""How two sets of definitions differ: what is new, what is gone, what changed, and what that touches. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, NamedTuple

from assetry.partitions.definitions import PartitionsDefinition
from assetry.partitions.parts import NOTHING, WHOLE, Parts
from assetry.status.changes.definition import PARTS, Definition
from assetry.status.reasons import changed_parts_text
from assetry.types.codec import from_json
from assetry.types.keys import AssetKey

#: The parts of a definition that say what is in the data: a change of them is one of all that is made from it.
_OF_DATA = ("made by", "code", "reads", "table")
#: How many keys of partitions are named.
_FEW = 6
#: What stands before the bounds of partitions of time.
_BOUNDS = {"start_date": "from ", "end_date": "to "}


class Change(NamedTuple):
    """One difference of a definition: in which of its parts, as a sentence, and for which partitions.

    `parts` are those that have to be made because of it; `WHOLE` is an asset without partitions.
    """

    part: str
    text: str
    parts: Parts = NOTHING


class Changed(NamedTuple):
    """One asset whose definition differs."""

    definition: Definition
    changes: tuple[Change, ...]

    @property
    def parts(self) -> Parts:
        """Return which partitions have to be made because of its changes."""
        found = NOTHING
        for change in self.changes:
            found |= change.parts
        return found


@dataclass(frozen=True, slots=True)
class Differences:
    """How definitions differ from those of before.

    >>> Differences().any
    False
    """

    added: tuple[Definition, ...] = ()
    removed: tuple[Definition, ...] = ()
    changed: tuple[Changed, ...] = ()
    #: By key of what was added: the asset that is gone and had the same code.
    renamed: Mapping[AssetKey, AssetKey] = field(default_factory=dict)

    @property
    def any(self) -> bool:
        """Tell whether there is any difference."""
        return bool(self.added or self.removed or self.changed)


def differences(
    before: Mapping[AssetKey, Definition],
    now: Mapping[AssetKey, Definition],
    existing: Callable[[AssetKey], Parts] = lambda _: WHOLE,
    told: Mapping[AssetKey, Iterable[Change]] | None = None,
) -> Differences:
    """Return how `now` differs from `before`; `existing` returns the partitions that there are of an asset now.

    `told` are changes that are known otherwise, by asset; it says nothing of the parts of a definition that they name.

    >>> from assetry.status.changes.definition import definitions_of
    >>> from assetry.types.assets import Asset
    >>> one = definitions_of([Asset(key="a", kind="x", code_version="1"), Asset(key="b", kind="x")])
    >>> two = definitions_of([Asset(key="a", kind="x", code_version="2"), Asset(key="c", kind="x")])
    >>> found = differences(one, two)
    >>> [str(each.key) for each in (*found.added, *found.removed)], found.changed[0].changes[0].text
    (['c', 'b'], 'its code changed')
    """
    told = told or {}
    changed = []
    for key, definition in now.items():
        known = [*told.get(key, ())]
        names = {change.part for change in known}
        if key in before:
            found = _changes(before[key], definition, existing(key))
            known += [change for change in found if change.part not in names]
        if known:
            changed.append(Changed(definition, tuple(sorted(known, key=lambda each: PARTS.index(each.part)))))
    added = tuple(each for key, each in now.items() if key not in before and key not in told)
    removed = tuple(each for key, each in before.items() if key not in now)
    return Differences(added, removed, tuple(changed), _renamed(added, removed))


def _renamed(added: Iterable[Definition], removed: Iterable[Definition]) -> dict[AssetKey, AssetKey]:
    """Return which of what was added has the code of just one asset that is gone, and of no other."""
    gone: dict[str, list[AssetKey]] = {}
    for each in removed:
        gone.setdefault(_code_print(each), []).append(each.key)
    new: dict[str, list[AssetKey]] = {}
    for each in added:
        new.setdefault(_code_print(each), []).append(each.key)
    return {
        keys[0]: gone[code][0] for code, keys in new.items() if code and len(keys) == 1 and len(gone.get(code, ())) == 1
    }


def _code_print(definition: Definition) -> str:
    """Return what is equal for the same code under another name; nothing where that cannot be told."""
    code = definition.parts.get("code") or {}
    # The table's own name is in the one that covers it.
    parts = {name: each for name, each in (code.get("parts") or {}).items() if name != "relation"}
    return f"{definition.kind} {sorted(parts.items())}" if parts else ""


# -- one definition and the other --------------------------------------------------------------------------------------


def _changes(before: Definition, now: Definition, existing: Parts) -> Iterator[Change]:
    for part in PARTS:
        if part not in before.parts or part not in now.parts:
            continue
        old, new = before.parts[part], now.parts[part]
        if old != new:
            parts = existing if part in _OF_DATA else _further(old, new, existing) if part == "partitions" else NOTHING
            for text in _TEXTS[part](old, new):
                yield Change(part, text, parts)


def _further(old: Any, new: Any, existing: Parts) -> Parts:
    """Return the partitions that there are by a new definition, and were not by the old one."""
    if old is None or new is None:
        return existing
    before, now = from_json(PartitionsDefinition, old), from_json(PartitionsDefinition, new)
    if before.grid == now.grid:
        return existing - before.possible(existing)
    if old.get("partitions") != new.get("partitions") or now.typical_length is not None:
        return existing
    known = set(getattr(before, "partition_keys", ()))
    return Parts.at(place for place in existing if now.key(place[1], place[0]) not in known)


def _made_by(old: Any, new: Any) -> Iterator[str]:
    if old.get("outside") != new.get("outside"):
        yield "nothing here makes it any more" if new.get("outside") else "it was made elsewhere, and is made here now"
    elif old.get("kind") != new.get("kind"):
        yield f"it is made by {new.get('kind')}, not by {old.get('kind')}"
    else:
        yield f"it is made by {new.get('integration')}, not by {old.get('integration')}"


def _code(old: Any, new: Any) -> Iterator[str]:
    if old.get("version") != new.get("version") and None not in (old.get("version"), new.get("version")):
        yield changed_parts_text(old.get("parts") or {}, new.get("parts") or {})


def _reads_text(old: Any, new: Any) -> Iterator[str]:
    for key in new:
        if key not in old:
            yield f"it now reads `{key}`"
        elif old[key] != new[key]:
            yield f"it reads other partitions of `{key}`"
    yield from (f"it no longer reads `{key}`" for key in old if key not in new)


def _columns(old: Any, new: Any) -> Iterator[str]:
    for name, kind in new.items():
        if name not in old:
            yield f"column `{name}` is new{f', {kind}' if kind else ''}"
        elif old[name] != kind:
            yield f"column `{name}` is {kind or 'of any type'}, was {old[name] or 'of any type'}"
    yield from (f"column `{name}` is gone" for name in old if name not in new)


def _partitions(old: Any, new: Any) -> Iterator[str]:
    yield f"its partitions are {_grid_text(new)}, were {_grid_text(old)}"


def _grid_text(grid: Any) -> str:
    if grid is None:
        return "none"
    names = [
        name for name in (*_BOUNDS, *sorted(grid)) if name in grid and name not in ("partitions", "partition_keys")
    ]
    more = [f"{_BOUNDS.get(n, f'{n} ')}{str(grid[n]).removesuffix('T00:00:00')}" for n in dict.fromkeys(names)]
    keys = grid.get("partition_keys")
    more += [f"{len(keys):,} keys" if len(keys) > _FEW else ", ".join(keys)] if keys else []
    told = f" ({', '.join(more)})" if more else ""
    return f"{grid.get('partitions')}{told}"


def _table(old: Any, new: Any) -> Iterator[str]:
    yield f"its table is {new or 'none'}, was {old or 'none'}"


def _policy(old: Any, new: Any) -> Iterator[str]:
    for name in dict.fromkeys((*new, *old)):
        if old.get(name) != new.get(name):
            yield f"{name}: {_policy_text(new.get(name))}, was {_policy_text(old.get(name))}"


def _policy_text(policy: Any) -> str:
    if policy is None or isinstance(policy, str):
        return policy or "none"
    told = []
    for name, value in policy.items():
        text = str(timedelta(seconds=value)) if name in ("max_age", "maximum_lag") else f"{value}"
        # What the only word of most policies means is known.
        told.append(text if len(policy) == 1 and name != "maximum_lag" else f"{name} {text}")
    return ", ".join(told) or "as usual"


def _checks(old: Any, new: Any) -> Iterator[str]:
    for name, severity in new.items():
        if name not in old:
            yield f"check `{name}` is new"
        elif old[name] != severity:
            yield f"check `{name}` is of severity {severity}, was {old[name]}"
    yield from (f"check `{name}` is gone" for name in old if name not in new)


def _about(old: Any, new: Any) -> Iterator[str]:
    names = [name for name in dict.fromkeys((*new, *old)) if old.get(name) != new.get(name)]
    yield f"its {' and '.join(names)} changed" if len(names) < 3 else f"its {', '.join(names)} changed"


_TEXTS = {
    "made by": _made_by,
    "code": _code,
    "reads": _reads_text,
    "columns": _columns,
    "partitions": _partitions,
    "table": _table,
    "policy": _policy,
    "checks": _checks,
    "about": _about,
}
