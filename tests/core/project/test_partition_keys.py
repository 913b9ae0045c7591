"""Keys that are added and dropped, at any time: how the partitions are is what a list of all that happened says."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from assetry import (
    AssetContext,
    DynamicPartitionsDefinition,
    MultiPartitionMapping,
    MultiPartitionsDefinition,
    Project,
    StaticPartitionsDefinition,
    asset,
)
from assetry.errors import UsageError
from assetry.plugin import Asset, AssetKey, Dep, Event, Integration, Invocation, Materialized, RunContext, hookimpl

FAILING: set[str] = set()
FILE = DynamicPartitionsDefinition("file")


@asset(partitions_def=FILE)
def files(context: AssetContext) -> str:
    if context.partition in FAILING:
        raise ValueError("not today")
    return str(context.partition)


class Model:
    """What should be, by key."""

    def __init__(self) -> None:
        self.made: set[str] = set()
        self.failed: set[str] = set()
        self.known: set[str] = set()
        self.dropped: set[str] = set()

    @property
    def there(self) -> set[str]:
        return (self.known | self.made | self.failed) - self.dropped

    def sets(self) -> dict[str, set[str]]:
        told = {
            "existing": self.there,
            "fresh": (self.made - self.failed) & self.there,
            "failed": self.failed & self.there,
            "missing": self.there - self.made - self.failed,
            "orphan": self.made & self.dropped,
        }
        return {**told, "stale": set(), "running": set()}

    def run(self, keys: set[str]) -> None:
        self.failed |= keys & FAILING
        self.failed -= keys - FAILING
        self.made |= keys - FAILING


def step(project: Project, model: Model, chance: random.Random) -> None:
    FAILING.clear()
    FAILING.update(key for key in "abcd" if chance.random() < 0.2)
    keys = {key for key in "abcd" if chance.random() < 0.4}
    what = chance.choice(["add", "drop", "make", "all", "stale"])
    if what == "add" and keys:
        assert set(project.add_partitions("files", sorted(keys))) == keys - model.there
        model.known |= keys
        model.dropped -= keys
    elif what == "drop" and (keys := keys & (model.there | model.dropped)):
        assert set(project.drop_partitions("files", sorted(keys))) == keys & model.there
        model.dropped |= keys
    elif what == "make" and keys:
        if keys & model.dropped:
            with pytest.raises(UsageError, match="was dropped"):
                project.materialize("files", partition=sorted(keys))
            return
        project.materialize("files", partition=sorted(keys))
        model.run(keys)
    elif what == "all" and model.there:
        project.materialize("files", partition="all")
        model.run(model.there)
    elif what == "stale":
        due = model.there - (model.made - model.failed)
        project.materialize("files", stale=True)
        model.run(due)


def test_random_histories_of_keys(tmp_path: Path) -> None:
    for seed in range(20):
        chance = random.Random(seed)
        numbers: dict[str, int] = {}
        with Project([files], root=tmp_path / str(seed), io="memory:") as project:
            model = Model()
            for _ in range(chance.randrange(1, 10)):
                step(project, model, chance)
                if chance.random() < 0.1:
                    (tmp_path / str(seed) / ".assetry" / "cache" / "partitions.db").unlink(missing_ok=True)
                found = project.status_of("files").partitions
                assert found is not None
                wanted = model.sets()
                told = {name: set(found.definition.keys_of(found.sets(name))) for name in wanted}
                assert told == wanted
                table = project.store.partition_keys().get(AssetKey("files"))
                for number, key in enumerate(table.keys if table is not None else ()):
                    assert numbers.setdefault(key, number) == number


class Mill:
    """A tool that makes what it is asked for."""

    @hookimpl
    def assetry_invoke(self, invocation: Invocation, context: RunContext) -> Iterator[Event]:
        for each in invocation.assets:
            keys = invocation.partitions_of(each) or (None,)
            yield from (Materialized(each.key, partition=key, data_version=str(key)) for key in keys)

    @hookimpl
    def assetry_load_assets(self, integration: Integration) -> Sequence[Asset] | None:
        return [] if integration.kind == "mill" else None


def test_what_reads_all_keys_is_out_of_date_when_one_is_dropped_until_it_is_made(tmp_path: Path) -> None:
    region = StaticPartitionsDefinition(["eu", "us"])
    parts = Asset(key="parts", kind="mill", partitions_def=MultiPartitionsDefinition({"file": FILE, "region": region}))
    read = Dep("parts", MultiPartitionMapping({"region": "same"}))
    regions = Asset(key="regions", kind="mill", deps=[read], partitions_def=region)
    with Project([parts, regions], root=tmp_path, plugins=[Mill()]) as project:

        def told() -> dict[str, int]:
            found = project.status_of("regions").partitions
            assert found is not None
            return {name: count for name, count in found.counts.items() if count and name not in ("total", "made")}

        project.materialize("parts", partition=["a|eu", "b|eu", "a|us", "b|us"])
        result = project.materialize("regions", partition="all")
        assert result.ok, result.outcomes
        assert told() == {"fresh": 2}
        assert project.drop_partitions("parts", ["b|eu"]) == ("b|eu",)
        assert told() == {"fresh": 1, "stale": 1}
        assert project.materialize("regions", stale=True).counts == {"materialized": 1}
        assert told() == {"fresh": 2}
        project.add_partitions("parts", ["b|eu"])
        assert told() == {"fresh": 1, "stale": 1}
        project.materialize("regions", stale=True)
        assert told() == {"fresh": 2}
