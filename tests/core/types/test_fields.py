"""Fields of values that plugins hand over: what is not declared so is named, and nothing else."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from assetry.partitions.definitions import StaticPartitionsDefinition
from assetry.types.assets import Asset, AssetCheck, Check, Column, Dep, Integration
from assetry.types.events import Checked, Log, Materialized, Progress
from assetry.types.fields import misfit
from assetry.types.invocations import InvocationGroup
from assetry.types.keys import AssetKey
from assetry.types.policies import FreshnessPolicy

ACME = Integration("mill", "acme")


@pytest.mark.parametrize(
    "value",
    [
        Asset(key="a", kind="x"),
        Asset(
            key="a",
            kind="x",
            integration=ACME,
            deps=["b", Dep(AssetKey("c"), metadata={"why": 3})],
            columns=[Column("id", "int", "", ("pii",)), Column("at")],
            checks=[Check("unique", also=(AssetKey("b"),), spec={"deep": [{}]})],
            relation=(None, "main", "a"),
            partitions_def=StaticPartitionsDefinition(["x"]),
            freshness_policy=FreshnessPolicy(timedelta(hours=1)),
            fqn=None,
            facets={"package": ["a"], "config": {"meta": {}}},
        ),
        AssetCheck(AssetKey("a"), Check("unique"), ACME),
        InvocationGroup("acme:mill", holds=("duckdb:shop.duckdb",)),
        Materialized("a", "2026-01-01", "v1", [Column("id")], {"rows": 3}),
        Checked("a", "unique", True, "warn"),
        Progress("a", 3, 4.5),
        Log("words"),
    ],
)
def test_what_is_declared_so_is_right(value: Any) -> None:
    assert misfit(value) is None
    assert misfit(value) is None, "and is so again, when its types are known"


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (Asset(key="a", kind="x", integration="mill"), "integration is a str instead of an Integration"),  # type: ignore[arg-type]
        (Asset(key="a", kind=None), "kind is None instead of a str"),  # type: ignore[arg-type]
        (Asset(key="a", kind="x", executable=1), "executable is an int instead of a bool"),  # type: ignore[arg-type]
        (Asset(key="a", kind="x", tags=["t", 3]), "tags[1] is an int instead of a str"),  # type: ignore[list-item]
        (Asset(key="a", kind="x", spec={3: 4}), "spec has an int among its names, which are of str"),  # type: ignore[dict-item]
        (Asset(key="a", kind="x", code_parts={"sql": 3}), "code_parts['sql'] is an int instead of a str"),  # type: ignore[dict-item]
        (Asset(key="a", kind="x", relation=("db", None, 3)), "relation.identifier is an int instead of a str"),  # type: ignore[arg-type]
        (Asset(key="a", kind="x", partitions_def="daily"), "partitions_def is a str instead of a PartitionsDefinition"),  # type: ignore[arg-type]
        (Asset(key="a", kind="x", columns=[("id", "int")]), "columns[0] is a tuple instead of a Column"),  # type: ignore[list-item]
        (
            Asset(key="a", kind="x", columns=[Column("id"), Column("n", 3)]),
            "columns[1].type is an int instead of a str",
        ),  # type: ignore[arg-type]
        (Asset(key="a", kind="x", checks=[Check(3)]), "checks[0].name is an int instead of a str"),  # type: ignore[arg-type]
        (InvocationGroup("x", holds=["a"]), "holds is a list instead of a tuple"),  # type: ignore[arg-type]
        (Progress("a", True), "done is a bool instead of a float"),
        (Checked("a", "c", "yes"), "passed is a str instead of a bool"),  # type: ignore[arg-type]
    ],
)
def test_what_is_declared_otherwise_is_named(value: Any, said: str) -> None:
    assert misfit(value) == said
    assert misfit(value) == said, "a value that was found wrong is so again"
