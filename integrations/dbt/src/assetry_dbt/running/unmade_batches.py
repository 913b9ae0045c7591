"""Batches of microbatch models that failed and were not made since.

`dbt build` makes the newest batches of a model whose table is there. One that failed earlier is known to dbt only until
its next command writes another run_results.json; then the model looks whole. So they are noted beside it, in
``assetry-batches.json``, until run_results.json says that they were made, by whichever command.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from assetry_toolkit.files import read_json, write_whole

from assetry_dbt.running.reports import NodeFinished

FILE = "assetry-batches.json"

#: When a batch begins and ends, as dbt writes it: UTC, so that texts compare as times do.
Batch = tuple[str, str]


class Result(NamedTuple):
    """Which batches of a model one dbt command made, and which not; `whole` when it made the model in full."""

    made: tuple[Batch, ...] = ()
    failed: tuple[Batch, ...] = ()
    whole: bool = False


@dataclass(frozen=True, slots=True)
class Unmade:
    """The batches that are not made, by the unique id of their model, as of dbt's invocation `seen`."""

    batches: Mapping[str, tuple[Batch, ...]] = field(default_factory=dict)
    seen: str | None = None

    def after(self, seen: str | None, results: Mapping[str, Result]) -> Unmade:
        """Return what is not made once a dbt command has had these results.

        >>> one, two, three = ("2026-01-01", "2026-01-02"), ("2026-01-02", "2026-01-03"), ("2026-01-03", "2026-01-04")
        >>> unmade = Unmade().after("a", {"model.s.m": Result(made=(one, three), failed=(two,))})
        >>> unmade.after("b", {"model.s.m": Result(made=(three,))}).batches
        {'model.s.m': (('2026-01-02', '2026-01-03'),)}
        >>> unmade.after("b", {"model.s.m": Result(made=(two, three))}).batches
        {}
        """
        if seen is None or seen == self.seen:
            return self
        batches = dict(self.batches)
        for unique_id, result in results.items():
            before = () if result.whole else batches.pop(unique_id, ())
            left = [each for each in before if not _covered(each, result.made)]
            batches[unique_id] = tuple(sorted({*left, *result.failed}))
        return Unmade({unique_id: left for unique_id, left in batches.items() if left}, seen)

    def outcomes(self, unique_ids: Iterable[str]) -> dict[str, NodeFinished]:
        """Return what this says of models that dbt made: that they are not whole."""
        return {
            unique_id: NodeFinished(unique_id, "partial success", _message(unique_id, self.batches[unique_id]))
            for unique_id in unique_ids
            if unique_id in self.batches
        }


def read_unmade(target_path: Path) -> Unmade:
    """Return what is not made, by the note in dbt's target folder and by what dbt ran last."""
    noted = read_json(target_path / FILE)
    batches = {unique_id: _batches(found) for unique_id, found in _mapping(noted.get("batches")).items()}
    return latest(Unmade(batches, noted.get("seen")), target_path)


def latest(unmade: Unmade, target_path: Path, full_refresh: bool = False) -> Unmade:
    """Return what is not made after the dbt command that wrote run_results.json last."""
    data = read_json(target_path / "run_results.json")
    results = {}
    for each in data.get("results") or ():
        told = _mapping(each.get("batch_results"))
        if told:
            whole = full_refresh and each.get("status") == "success"
            results[str(each.get("unique_id"))] = Result(
                _batches(told.get("successful")), _batches(told.get("failed")), whole
            )
    return unmade.after(_mapping(data.get("metadata")).get("invocation_id"), results)


def write_unmade(target_path: Path, unmade: Unmade) -> None:
    """Note what is not made; where there is nothing, and nothing was, no file is made."""
    path = target_path / FILE
    if unmade.batches or path.exists():
        with suppress(OSError):
            write_whole(path, json.dumps({"version": 1, "seen": unmade.seen, "batches": unmade.batches}))


def _covered(batch: Batch, made: Iterable[Batch]) -> bool:
    return any(begin <= batch[0] and batch[1] <= end for begin, end in made)


def _message(unique_id: str, batches: tuple[Batch, ...]) -> str:
    (begin, _), (_, end) = batches[0], batches[-1]
    name = unique_id.split(".", 2)[-1]
    several = (
        f"{len(batches)} batches from {begin} to {end}" if len(batches) > 1 else f"The batch from {begin} to {end}"
    )
    window = f"--event-time-start {begin[:19]} --event-time-end {end[:19]}"
    return (
        f"{several} failed in an earlier run and {'were' if len(batches) > 1 else 'was'} not made since: "
        "dbt builds the newest batches of a model that is there.\n"
        f"Make all anew with --full-refresh, or those with `dbt run --select {name} {window}`; then `assetry retry`."
    )


def _mapping(found: Any) -> Mapping[str, Any]:
    return found if isinstance(found, dict) else {}


def _batches(found: Any) -> tuple[Batch, ...]:
    return tuple((str(each[0]), str(each[1])) for each in found or () if len(each) == 2)
