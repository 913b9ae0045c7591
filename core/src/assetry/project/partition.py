"""One partition in full: how it is and why, what it was made from and by which code, and what is made from it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from shlex import quote

from assetry.errors import UsageError
from assetry.partitions.parts import NOTHING, WHOLE, Parts
from assetry.partitions.text import read_parts
from assetry.project.project import Project
from assetry.status.partitions.sets import PartitionSets
from assetry.status.reasons import Reason
from assetry.status.staleness import Status, numbering_of
from assetry.types.assets import Asset
from assetry.types.keys import AssetKey
from assetry.types.records import Acceptance, Attempt, Materialization, Verdicts


@dataclass(frozen=True, slots=True)
class Neighbour:
    """What a partition is made from, or what is made from it: an asset, its status, and the partitions of it.

    `parts` is `WHOLE` for an asset without partitions; `missing` are those of them that were never made. `version` is
    the data version that was read of it, "" where it was not known; None where nothing was.
    """

    status: Status
    parts: Parts
    missing: Parts = NOTHING
    version: str | None = None

    @property
    def text(self) -> str | None:
        """Return the partitions as people write them; None without any."""
        sets = self.status.partitions
        return None if sets is None else self.parts.text(sets.definition)


@dataclass(frozen=True, slots=True)
class PartitionFacts:
    """What is known of one partition; `state` is the name of the set that it is in: ``fresh``, ``stale`` …"""

    asset: Asset
    key: str
    state: str
    running: bool
    reasons: tuple[Reason, ...]
    made: Materialization | None
    tried: Attempt | None
    read: tuple[Neighbour, ...]
    readers: tuple[Neighbour, ...]
    checks: Verdicts
    accepted: tuple[Acceptance, ...] = ()


def partition_facts(project: Project, key: AssetKey, text: str, now: datetime | None = None) -> PartitionFacts:
    """Return what is known of the partition of an asset that a text means, ``last`` for example.

    Raises `UsageError` for an asset without partitions, and for a text that means none or several.
    """
    now = now or datetime.now(UTC)
    graph = project.graph
    asset = graph[key]
    found = {each.key: each for each in project.status(now=now)}
    status = found[asset.key]
    sets = status.partitions
    if sets is None:
        raise UsageError(f"{asset.key} has no partitions.", hint=f"`assetry show {quote(asset.key)}` shows all of it.")
    part, name = _one(sets, text, now)
    i = graph.index(asset.key)
    made = project.store.latest([asset.key], [name]).get((asset.key, name))
    numbering = numbering_of(graph, found.values(), now)
    read = []
    for dep in asset.deps:
        upstream = found[graph[dep.key].key]
        parts = WHOLE if upstream.partitions is None else numbering.up(asset.key, upstream.key, part)
        missing = NOTHING if upstream.partitions is None else parts & upstream.partitions.missing
        version = None if made is None else made.inputs.get(dep.key)
        read.append(Neighbour(upstream, parts, missing, version))
    readers = []
    for j in graph.downstream[i]:
        reader = found[graph.keys[j]]
        reached = numbering.down(reader.key, asset.key, part)
        readers += [Neighbour(reader, reached)] if reached else []
    return PartitionFacts(
        asset=asset,
        key=name,
        state=next((each for each in ("failed", "stale", "missing", "fresh") if part <= sets.sets(each)), "orphan"),
        running=part <= sets.running,
        reasons=tuple(each for each in status.reasons if part & each.parts),
        made=made,
        tried=project.store.attempts([asset.key]).get((asset.key, name)),
        read=tuple(read),
        readers=tuple(readers),
        checks={place: told for place, told in project.latest_checks([asset.key]).items() if place[2] in (name, None)},
        accepted=tuple(each for each in project.store.acceptances([asset.key]) if each.partition == name),
    )


def _one(sets: PartitionSets, text: str, now: datetime) -> tuple[Parts, str]:
    parts = read_parts(text, sets.definition, now, sets.words)
    if len(parts) != 1:
        names = sets.definition.keys_of(parts.first(1)) + sets.definition.keys_of(parts.last(1))
        told = f"{text!r} means {len(parts):,} partitions." if parts else f"No partition is {text}."
        raise UsageError(told, near=dict.fromkeys(names), hint="Name one: its key, or last.")
    return parts, sets.definition.keys_of(parts)[0]
