"""What was seen of assets by looking: values that are gone, and sources of which nothing is known. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from assetry.graph.graph import AssetGraph
from assetry.status.times import instant, time_text
from assetry.types.assets import Asset
from assetry.types.keys import AssetKey
from assetry.types.records import Attempt, Latest, Look, Materialization

#: What was looked at just now: assets, and partitions of them, each with whether it is there.
Seen = Mapping[tuple[AssetKey, str | None], bool]


def kept_values(graph: AssetGraph, latest: Latest) -> list[tuple[Asset, str | None, Mapping[str, Any]]]:
    """Return the assets and partitions whose values assetry keeps, each with the metadata of its record."""
    return [
        (graph[key], partition, made.metadata)
        for (key, partition), made in latest.items()
        if "io" in made.metadata and key in graph and graph[key].kept
    ]


def gone(
    asset: Asset, records: Sequence[Materialization], tried: Iterable[Attempt], seen: Seen
) -> tuple[str, list[Materialization]]:
    """Return that what was made of an asset is not there any more, and the records of which that was seen since."""
    told = {each.partition: each for each in tried if each.outcome == "gone"} if tried else {}
    if not told and not seen:
        return "", []
    return _gone_text(asset, told.values()), [each for each in records if _is_gone(asset, each, told, seen)]


def gone_partitions(
    asset: Asset,
    tried: Iterable[Attempt],
    seen: Mapping[str | None, bool],
    made_at: Callable[[str], int | None],
) -> tuple[str, list[str]]:
    """Return that partitions of an asset are not there any more, and those of which that was seen since they were made.

    `made_at` tells when a partition was made, in microseconds since 1970; None for one without a record.
    """
    told = {each.partition: each for each in tried if each.outcome == "gone" and each.partition is not None}
    if not told and not seen:
        return "", []
    missing = [part for part, there in seen.items() if not there and part is not None]
    for part, each in told.items():
        at = made_at(str(part))
        if part not in seen and at is not None and instant(each.at) >= at:
            missing.append(str(part))
    return _gone_text(asset, told.values()), missing


def _gone_text(asset: Asset, told: Iterable[Attempt]) -> str:
    where = next((each.message for each in told if each.message), None)
    what = f"its table {where}" if where else "its table" if asset.relation and not asset.kept else "its value"
    return f"{what} is gone"


def gone_hint(tried: Iterable[Attempt]) -> str | None:
    """Return the next step that was told of what is gone, where to make it as usual does not bring it back."""
    return next((each.hint for each in tried if each.outcome == "gone" and each.hint), None)


def _is_gone(asset: Asset, made: Materialization, told: Mapping[str | None, Attempt], seen: Seen) -> bool:
    now = seen.get((asset.key, made.partition))
    if now is not None:
        return not now
    before = told.get(made.partition)
    return before is not None and before.at >= made.at


def was_there(asset: Asset, seen: Materialization | None, at: datetime) -> bool:
    """Tell whether all that was seen of an asset, which nothing here makes, was there already at a time.

    >>> from assetry.types.keys import AssetKey
    >>> seen = Materialization(key=AssetKey("raw"), at=datetime(2026, 1, 2, tzinfo=UTC), run="r", data_version="1",
    ...     metadata={"data_time": "2026-01-01T00:00:00Z"})
    >>> raw = Asset(key="raw", kind="x", executable=False)
    >>> [was_there(raw, seen, datetime(2026, 1, day, 12, tzinfo=UTC)) for day in (1, 2)]
    [True, True]
    >>> was_there(raw, seen, datetime(2025, 12, 31, tzinfo=UTC))
    False
    """
    if seen is None or asset.executable or "data_time" not in seen.metadata:
        return False
    # A sync of rows up to a moment has loaded them a while later.
    loaded = told_time(seen.metadata, "loaded_at")
    return (data_time(seen) if loaded is None else loaded) <= at


def told_time(metadata: Mapping[str, Any], name: str = "data_time") -> datetime | None:
    """Return a time that a tool has told, in UTC; None where it did not, or nothing that can be read.

    >>> [str(told_time({"data_time": told})) for told in ("2026-01-01T02:00:00+02:00", "yesterday")]
    ['2026-01-01 00:00:00+00:00', 'None']
    >>> told_time({"data_time": "0001-01-01T00:00:00+05:30"}) is None
    True
    """
    told = metadata.get(name)
    try:
        found = datetime.fromisoformat(str(told).replace("Z", "+00:00")) if told else None
        # Without a zone, it is in UTC; where that has no such year, nothing can be said of it.
        return found and (found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC))
    except (ValueError, OverflowError):
        return None


def last_of(records: Sequence[Materialization]) -> Materialization | None:
    """Return the last of some records; None where there is none.

    >>> last_of([]) is None
    True
    """
    if len(records) < 2:
        return records[0] if records else None
    return max(records, key=lambda each: each.at)


def data_time(made: Materialization) -> datetime:
    """Return the time that the data of a record reaches: what the tool said, else when it was made or seen.

    >>> made = Materialization(key=AssetKey("a"), at=datetime(2026, 1, 2, tzinfo=UTC), run="r", data_version="1",
    ...     metadata={"data_time": "2026-01-01T00:00:00Z"})
    >>> data_time(made).day
    1
    """
    return told_time(made.metadata) or made.at


def began(made: Materialization) -> datetime:
    """Return when the making of what is recorded began, or what its tool said that its data reaches.

    >>> from assetry.types.keys import AssetKey
    >>> made = Materialization(key=AssetKey("a"), at=datetime(2026, 1, 2, 0, 1, tzinfo=UTC), run="r", data_version="1",
    ...     seconds=120.0)
    >>> str(began(made))
    '2026-01-01 23:59:00+00:00'
    """
    if "data_time" in made.metadata:
        return data_time(made)
    return made.at - timedelta(seconds=made.seconds) if made.seconds else made.at


def as_of(made: Materialization) -> datetime:
    """Return the moment that the data of a record reaches; of one from before that was recorded, when it began."""
    return began(made) if made.as_of is None else made.as_of


def reached(asset: Asset, records: Sequence[Materialization], look: Look | None = None) -> datetime | None:
    """Return the time that the newest data of an asset reaches: when it was made here, else what was said of it.

    `look` is the last one at it, which may have found that its data reaches further, and is the same.
    """
    if asset.executable or not records:
        return max((each.at for each in records), default=None)
    told = max(map(data_time, records))
    return told if look is None else max(told, look.as_of)


def is_too_old(asset: Asset, reached: datetime, now: datetime) -> bool:
    """Tell whether data that reaches to a time is older than a policy allows.

    >>> from assetry.types.policies import FreshnessPolicy
    >>> asset = Asset(key="a", kind="x", freshness_policy=FreshnessPolicy(max_age=timedelta(hours=1)))
    >>> made = datetime(2026, 1, 2, 9, tzinfo=UTC)
    >>> [is_too_old(asset, made, made + timedelta(minutes=minutes)) for minutes in (60, 61)]
    [False, True]
    """
    policy = asset.freshness_policy
    # Nothing is added to what a tool tells, which may be the last day of the year 9999.
    return policy is not None and policy.max_age is not None and now - reached > policy.max_age


def overdue_text(asset: Asset, reached: datetime | None, now: datetime, look: Look | None = None) -> str | None:
    """Return since when an asset whose data reaches to a time is older than its policy allows; None while it is not.

    Where nothing brings newer data any more, that is said instead; the last `look` may have found that something did.
    """
    policy = asset.freshness_policy
    if policy is None or asset.computed_on_read or reached is None:
        return None
    ended = policy.ended_at(reached if look is None else max(reached, look.as_of))
    if ended or policy.max_age is None or not is_too_old(asset, reached, now):
        return ended
    return f"overdue since {time_text(reached + policy.max_age)}: it may be {age_text(policy.max_age)} old at most"


def source_note(asset: Asset, recorded: bool, tried: Sequence[Attempt], overdue: str | None = None) -> str | None:
    """Return what is not known, or not right, of a table that nothing here makes; None when all is known and right.

    >>> source_note(Asset(key="raw", kind="x", executable=False, relation=(None, None, "raw")), False, ())
    'not observed: what reads it counts as fresh though it may have changed (`assetry observe`)'
    """
    if asset.executable or asset.consumer or asset.relation is None:
        return None
    last = max(tried, key=lambda each: each.at, default=None)
    if last is not None and last.outcome == "gone":
        return f"its table {last.message or asset.relation} was not there at {time_text(last.at)}"
    if recorded:
        return overdue
    if last is not None:
        return "there, but nothing tells when its data changes, so what reads it counts as fresh"
    return "not observed: what reads it counts as fresh though it may have changed (`assetry observe`)"


def age_text(age: timedelta) -> str:
    """Return an age as policies have it, for people.

    >>> age_text(timedelta(hours=6)), age_text(timedelta(minutes=90)), age_text(timedelta(seconds=0.5))
    ('6 hours', '90 minutes', '0.5 seconds')
    """
    for seconds, unit in ((86400, "day"), (3600, "hour"), (60, "minute")):
        count = age.total_seconds() / seconds
        if count >= 1 and count == int(count):
            return f"{int(count)} {unit}{'' if count == 1 else 's'}"
    return f"{age.total_seconds():g} seconds"
