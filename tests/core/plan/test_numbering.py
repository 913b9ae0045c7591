"""Partitions of a graph by number."""

from __future__ import annotations

import pytest
from assetry.errors import UsageError
from assetry.graph.graph import AssetGraph
from assetry.partitions.definitions import StaticPartitionsDefinition
from assetry.partitions.grids.time_grids import DailyPartitionsDefinition
from assetry.partitions.parts import Parts
from assetry.plan.numbering import Numbering, with_partitions
from assetry.types.assets import Asset, Integration
from assetry.types.invocations import Invocation
from assetry.types.keys import AssetKey

LETTERS = StaticPartitionsDefinition(["c", "a", "b"])


def test_an_invocation_has_the_partitions_of_all_its_assets_in_their_order() -> None:
    made = tuple(Asset(key=key, kind="x", partitions_def=LETTERS) for key in "ab")
    plain = Invocation(id="1", group=None, integration=Integration("x", "x"), assets=made)
    parts = {AssetKey("a"): Parts.of([0, 2]), AssetKey("b"): Parts.range(0, 3)}
    asked = with_partitions(plain, parts, Numbering(AssetGraph.of(made)))
    assert asked.partitions == ("c", "a", "b")
    assert asked.own_partitions == {"a": ("c", "b"), "b": ("c", "a", "b")}


def test_between_two_partitions_are_those_that_there_are() -> None:
    days = DailyPartitionsDefinition("2026-01-01", exclude=["2026-01-02"])
    grids = {"letters": LETTERS, "days": days, "none": None}
    graph = AssetGraph.of(Asset(key=key, kind="x", partitions_def=grid) for key, grid in grids.items())
    numbering = Numbering(graph)
    assert numbering.between(AssetKey("letters"), "c", "a") == ("c", "a")
    assert numbering.between(AssetKey("days"), "2026-01-01", "2026-01-03") == ("2026-01-01", "2026-01-03")
    for key, first, last in (("letters", "a", "c"), ("letters", "a", "x"), ("none", "1", "2")):
        with pytest.raises(UsageError):
            numbering.between(AssetKey(key), first, last)
