"""What tells dbt of the partitions that an invocation makes: event times for microbatch models, vars for others."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from assetry.plugin import Asset, Invocation, PartitionsDefinition, RunError, TimeWindowPartitionsDefinition

from assetry_dbt.project.flags import BuildFlags
from assetry_dbt.project.project import DbtProject

#: What definitions have whose windows begin with days, and what moves that into the middle of a day.
_OF_DAYS = ("hour_offset", "month_offset")
_WITHIN_A_DAY = ("hour_offset", "minute_offset")


def project_for(project: DbtProject, invocation: Invocation) -> DbtProject:
    """Return `project` as `invocation` needs it: with the vars that tell of its partitions, in a folder of their own.

    Other vars make dbt read a project anew and write another manifest: the one in target stays as it is. Models that
    are made whole whatever the window have one, too, because they may be made beside an invocation with a window.
    """
    for asset, keys in _parted(invocation):
        names = asset.spec["partitions"].get("vars")
        if names:
            assert asset.partitions_def is not None
            return project.aside("vars", vars_of(names, asset.partitions_def, keys, invocation.window))
    return project.aside("whole") if any(map(is_whole, invocation.assets)) else project


def event_times(invocation: Invocation) -> tuple[str, ...]:
    """Return the flags that tell microbatch models which batches to make; they mean nothing to other models.

    >>> from assetry import DailyPartitionsDefinition
    >>> from assetry.plugin import Integration
    >>> days, shop = DailyPartitionsDefinition("2024-01-01"), Integration("shop", "dbt")
    >>> model = Asset(key="m", kind="dbt", partitions_def=days, spec={"partitions": {"batches": "day"}})
    >>> window = datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 1, 2, tzinfo=UTC)
    >>> asked = Invocation(
    ...     id="1", group=None, integration=shop, assets=(model,), partitions=("2024-01-01",), window=window
    ... )
    >>> event_times(asked)
    ('--event-time-start', '2024-01-01T00:00:00', '--event-time-end', '2024-01-02T00:00:00')
    """
    if not any("batches" in asset.spec["partitions"] for asset, _ in _parted(invocation)):
        return ()
    assert invocation.window is not None, "batches of one invocation are neighbours"
    start, end = (moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S") for moment in invocation.window)
    return ("--event-time-start", start, "--event-time-end", end)


def vars_of(
    names: Mapping[str, str],
    definition: PartitionsDefinition,
    keys: Sequence[str],
    window: tuple[datetime, datetime] | None,
) -> dict[str, Any]:
    """Return the vars by which a model is told of its partitions; `names` are theirs by what they tell.

    A moment is a date where all windows begin at midnight, UTC; else date and time, with the offset from UTC where the
    partitions are not of that zone.

    >>> from assetry import DailyPartitionsDefinition
    >>> days = DailyPartitionsDefinition("2024-01-01")
    >>> window = datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 1, 3, tzinfo=UTC)
    >>> vars_of({"start": "from_date", "end": "to_date"}, days, ["2024-01-01", "2024-01-02"], window)
    {'from_date': '2024-01-01', 'to_date': '2024-01-03'}
    """
    told: dict[str, Any] = {"key": keys[0], "keys": list(keys)}
    if window is not None and isinstance(definition, TimeWindowPartitionsDefinition):
        start, end = (_written(definition, moment) for moment in window)
        told |= {"start": start, "end": end}
    return {name: told[what] for what, name in names.items()}


def _written(definition: TimeWindowPartitionsDefinition, moment: datetime) -> str:
    here = moment.astimezone(definition.zone())
    if definition.timezone != "UTC":
        return here.isoformat(" ")
    days = any(hasattr(definition, name) for name in _OF_DAYS)
    if days and not any(getattr(definition, name, 0) for name in _WITHIN_A_DAY):
        return f"{here:%Y-%m-%d}"
    return f"{here:%Y-%m-%d %H:%M:%S}"


def refuse_losses(invocation: Invocation, now: datetime) -> None:
    """Raise `RunError` where a full refresh would leave partitions out of the table that it makes anew."""
    if not (invocation.full_refresh or BuildFlags.read().full_refresh):
        return
    for asset, keys in _parted(invocation):
        definition = asset.partitions_def
        if definition is None or not asset.refreshable:
            continue
        asked = definition.parts_of(keys)
        # What has come into being since it was asked is not lost: it was never there.
        left = definition.existing(now) - asked
        if definition.typical_length is not None:
            left = left.within(None, max(number for _, number in asked))
        if left:
            raise RunError(
                f"A full refresh makes the table of {asset.key} anew, and these partitions would not be in it: "
                f"{definition.text_of(left)}.",
                where=asset.source,
                hint="Leave the partitions out, so that all are made; or leave --full-refresh (DBT_FULL_REFRESH) out.",
            )


def is_whole(asset: Asset) -> bool:
    """Tell whether an asset is a microbatch model that is made whole in every run, whatever window dbt is told of."""
    return asset.spec.get("whole") is True


def _parted(invocation: Invocation) -> Iterable[tuple[Asset, tuple[str, ...]]]:
    """Yield the assets of which partitions are made, each with their keys."""
    for asset in (*invocation.assets, *invocation.also):
        keys = invocation.partitions_of(asset)
        if keys and "partitions" in asset.spec:
            yield asset, keys
