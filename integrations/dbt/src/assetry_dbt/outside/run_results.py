"""A dbt run that assetry did not start, read from what dbt wrote of it: run_results.json, and its manifest beside it.

What each node was made from is judged by that manifest, not by the files of now. Nothing is run.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from assetry.plugin import (
    Asset,
    CheckRef,
    Event,
    ExternalRun,
    Integration,
    IntegrationError,
    Invocation,
    Materialized,
    Ranged,
    TimeWindowPartitionsDefinition,
    UsageError,
)

from assetry_dbt.loading import assets_in, loaded, own_manifest
from assetry_dbt.manifest.manifest import Manifest
from assetry_dbt.project.manifest_stamp import ASIDE
from assetry_dbt.project.project import DbtProject
from assetry_dbt.running.events import Story
from assetry_dbt.running.marking import Marking
from assetry_dbt.running.reports import BROKEN, Ended, NodeFinished, NodeStarted, read_finished

#: The commands of dbt that build or test; others write run_results.json as well, as of something that was made.
_BUILDING = frozenset({"build", "run", "seed", "snapshot", "test", "retry", "clone"})
#: What dbt takes as options for one run, and an integration by the same names.
_OPTIONS = ("target", "vars", "empty", "sample", "defer", "favor_state", "state", "defer_state")
_KEEP = (
    "Keep the run_results.json and the manifest.json of one run together: dbt writes both into target, and each later "
    "command of it another manifest. Where that of the run is lost, build again and record that."
)
#: In how many bytes a file tells that it is one of these.
_HEAD = 4096


@dataclass(frozen=True, slots=True)
class _Result:
    """How a node came out, and when; None where dbt did not begin it."""

    finished: NodeFinished
    started: datetime | None
    ended: datetime | None


def external_run(path: str, integration: Integration) -> ExternalRun | None:
    """Return the run that a run_results.json tells of; None for another file, or one of another project.

    It is refused when the manifest of the same run is not beside it. Raises `UsageError` for a run that built nothing,
    and for a file that is damaged.
    """
    file = Path(path)
    with file.open("rb") as opened:
        if b"/dbt/run-results/" not in opened.read(_HEAD):
            return None
    data, args = _read(file)
    own = DbtProject.of(integration)
    variant = replace(integration, options=_options(integration.options, args))
    project = DbtProject.of(variant)
    finished = _moment(data["metadata"].get("generated_at")) or datetime.now(UTC)
    begun = _moment(data["metadata"].get("invocation_started_at"))
    started = begun or finished - timedelta(seconds=float(data.get("elapsed_time") or 0))
    run = ExternalRun(
        id=str(data["metadata"]["invocation_id"]),
        started=started,
        finished=finished,
        command=_command(args),
        full_refresh=bool(args.get("full_refresh")),
    )
    manifest = _manifest_of(file, project, run.id)
    if manifest is None:
        return None
    if isinstance(manifest, str):
        return replace(run, refused=manifest, hint=_KEEP)
    assets = assets_in(manifest, variant, project)
    results = _results(data)
    known, left = _of_here(assets, loaded(integration).assets, results)
    story = _Story(variant, own, known, results, finished)
    events = story.events()
    trouble = story.trouble()
    return replace(
        run,
        started=min([started, *(at for at, _ in events)]),
        finished=max([finished, *(at for at, _ in events)]),
        events=events,
        left_out=left,
        broken=None if trouble is None else trouble.text,
        hint=None if trouble is None else trouble.hint,
    )


def _read(file: Path) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """Return a run_results.json, and the arguments that its run was given."""
    try:
        data = json.loads(file.read_bytes())
        if not data["metadata"]["invocation_id"]:
            raise KeyError("invocation_id")
        args = dict(data.get("args") or {})
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(
            f"It cannot be read as dbt's run_results.json: {type(error).__name__} {error}.",
            where=str(file),
            hint="Copy it again: it may have been cut off.",
        ) from error
    which = str(args.get("which") or "build")
    if which not in _BUILDING:
        raise UsageError(f"It is of a `dbt {which}`, which makes nothing.", where=str(file))
    return data, args


def _manifest_of(file: Path, project: DbtProject, run: str) -> Manifest | str | None:
    """Return the manifest of a run, which is beside its run_results.json, or was kept there when dbt wrote another one.

    None when that is of another project; where there is none of the run, a text says so.
    """
    found: list[Manifest | None] = []
    for path in (file.with_name("manifest.json"), file.with_name(ASIDE)):
        if not path.is_file():
            continue
        try:
            found.append(own_manifest(path, project))
        except IntegrationError as error:
            return error.message
        manifest = found[-1]
        if manifest is not None and manifest.metadata is not None and manifest.metadata.invocation_id == run:
            return manifest
    if found and None in found:
        return None
    if not found:
        return "There is no manifest.json beside run_results.json."
    return "The manifest.json beside run_results.json is of another run of dbt: what was built cannot be told by it."


def _options(own: Mapping[str, Any], args: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options of an integration as a run of dbt had them."""
    given = {name: args[name] for name in _OPTIONS if args.get(name)}
    if args.get("which") == "clone":
        given["clone"] = True
    # Its vars are all that it was given; what the project file says for our own runs it did not know.
    return (
        {name: value for name, value in own.items() if name not in (*_OPTIONS, "clone")}
        | ({"target": own["target"]} if "target" in own else {})
        | given
    )


def _results(data: Mapping[str, Any]) -> list[_Result]:
    """Return the results in the order in which nodes ended, at last those that were never begun."""
    found = []
    for each in data.get("results") or ():
        times = [
            (_moment(part.get("started_at")), _moment(part.get("completed_at"))) for part in each.get("timing") or ()
        ]
        node = {"unique_id": each.get("unique_id"), "node_relation": {"relation_name": each.get("relation_name")}}
        begun = [start for start, _ in times if start is not None]
        ended = [end for _, end in times if end is not None]
        found.append(_Result(read_finished(node, each), min(begun, default=None), max(ended, default=None)))
    return sorted(found, key=lambda each: (each.ended is None, each.ended or datetime.min.replace(tzinfo=UTC)))


def _moment(text: Any) -> datetime | None:
    """Return a time as dbt writes it, in UTC whether it says so or not."""
    try:
        at = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def _command(args: Mapping[str, Any]) -> str:
    """Return the command of a run for people, without vars: there may be secrets in them."""
    words = ["dbt", str(args.get("which") or "build")]
    for option in ("target", "select", "exclude"):
        value = args.get(option) or ()
        words += [f"--{option}", *([value] if isinstance(value, str) else map(str, value))] if value else []
    return " ".join([*words, *(["--full-refresh"] if args.get("full_refresh") else [])])


def _of_here(
    built: Sequence[Asset], current: Sequence[Asset], results: Sequence[_Result]
) -> tuple[list[Asset], dict[str, str]]:
    """Return the assets of a manifest that are the same tables here, and why others with a result are left out."""
    here = {asset.key: asset for asset in current}
    ran = {each.finished.unique_id: each.finished for each in results}
    known, left = [], {}
    for asset in built:
        because = _other_place(asset, here.get(asset.key)) if asset.executable else None
        result = ran.get(str(asset.spec.get("unique_id")))
        if because is None and result is not None and asset.partitions_def is not None:
            because = None if _partitions(asset, result) else "dbt does not tell which of its partitions it made"
        if because is None:
            known.append(asset)
        elif result is not None:
            left[str(asset.key)] = because
    return known, left


def _other_place(built: Asset, here: Asset | None) -> str | None:
    if here is None:
        return "it is not in the project now"
    if built.relation != here.relation:
        return f"it was built as {built.relation}, and is {here.relation} here"
    if built.code_parts.get("warehouse") != here.code_parts.get("warehouse"):
        return "it was built in another warehouse"
    return None


class _Story:
    """The results of a run, told as events as if they had been heard while it ran."""

    def __init__(
        self,
        integration: Integration,
        project: DbtProject,
        assets: Sequence[Asset],
        results: Sequence[_Result],
        finished: datetime,
    ) -> None:
        ran = {each.finished.unique_id: each for each in results}
        mine = [asset for asset in assets if asset.executable and asset.spec.get("unique_id") in ran]
        checks = [
            CheckRef(asset.key, check.name)
            for asset in assets
            for check in asset.checks
            if check.spec.get("unique_id") in ran and {asset.key, *check.also} <= {each.key for each in assets}
        ]
        parts = {each.key: _partitions(each, ran[each.spec["unique_id"]].finished) for each in mine}
        self._integration = integration
        self._invocation = invocation = Invocation(
            id="1",
            group=None,
            integration=integration,
            assets=tuple(mine),
            inputs=tuple(asset for asset in assets if asset not in mine),
            checks=tuple(checks),
            own_partitions=parts,
        )
        self._ids = {asset.key: str(asset.spec["unique_id"]) for asset in mine}
        self._assets = {asset.key: asset for asset in mine}
        told = {*self._ids.values(), *_check_ids(assets, checks)}
        self._results = {
            name: each for name, each in ran.items() if name in told or each.finished.resource_type == "operation"
        }
        self._finished = finished
        self._story = Story(invocation, str(project.project_dir), str(project.target_path))
        self._marking = Marking(DbtProject.of(integration).flags, invocation)

    def events(self) -> list[tuple[datetime, Event]]:
        """Return what became of assets and checks, each with its time, in order."""
        found: list[tuple[datetime, Event]] = []
        for name, each in self._results.items():
            if each.started is not None:
                found += [(each.started, event) for event in self._story.tell(NodeStarted(name))]
            found += [(each.ended or self._finished, event) for event in self._story.tell(each.finished)]
        broken = any(each.finished.status in BROKEN for each in self._results.values())
        list(self._story.tell(Ended(not broken)))
        outcomes = {name: each.finished for name, each in self._results.items()}
        found += [(self._time(event), event) for event in self._story.rest(outcomes)]
        told = ((at, self._made(each)) for at, event in found for each in self._one_by_one(event))
        return sorted(told, key=lambda each: each[0])

    def trouble(self) -> Any:
        """Return what failed and is no asset's and no check's failure, once `events` were asked for."""
        return self._story.trouble()

    def _time(self, event: Event) -> datetime:
        """Return when something ended that was told only with all the rest."""
        key = getattr(event, "key", None)
        each = None if key is None else self._results.get(self._ids.get(key, ""))
        return (each.ended if each is not None else None) or self._finished

    def _one_by_one(self, event: Event) -> Iterator[Event]:
        """Yield an event of a range of partitions as one of each: there may be others between them."""
        if isinstance(event, Ranged):
            yield from map(event.about, self._invocation.partitions_told(event))
        else:
            yield event

    def _made(self, event: Event) -> Event:
        """Return an event with the code that an asset was really made from."""
        asset = self._assets.get(event.key) if isinstance(event, Materialized) else None
        if asset is None or not isinstance(event, Materialized):
            return event
        made = replace(event, code_version=asset.code_version, code_parts=asset.code_parts)
        return self._marking.told(made)


def _check_ids(assets: Sequence[Asset], refs: Sequence[CheckRef]) -> Iterator[str]:
    asked = set(refs)
    for asset in assets:
        for check in asset.checks:
            if CheckRef(asset.key, check.name) in asked:
                yield str(check.spec["unique_id"])


def _partitions(asset: Asset, finished: NodeFinished) -> tuple[str, ...]:
    """Return the partitions of a microbatch model that dbt tells of, by the starts of their batches."""
    grid, batches = asset.partitions_def, finished.batches
    if not isinstance(grid, TimeWindowPartitionsDefinition) or batches is None:
        return ()
    starts = [at for text in (*batches.made, *batches.failed) if (at := _moment(text)) is not None]
    keys = {key: at for at in sorted(starts) if (key := grid.key_at(at)) is not None}
    return tuple(key for key, at in keys.items() if grid.window(key)[0] == at)
