"""What dbt says of models beside their tables: until when they are there, and who may read them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from assetry.plugin import Asset, AssetKey, AssetWarning

#: How long before its end a model is said to end.
SOON = timedelta(days=30)
#: How many readers are named.
_NAMED = 3


def warnings_of(
    assets: Sequence[Asset], readers: Mapping[AssetKey, Sequence[Asset]], now: datetime
) -> Iterator[AssetWarning]:
    """Yield what is to be known of models: that one is deprecated, or soon will be; that one is private, and is read.

    >>> old = Asset(key="shop/orders/v1", kind="dbt", metadata={"deprecation_date": "2026-02-01"})
    >>> [str(each) for each in warnings_of([old], {}, datetime(2026, 1, 20, tzinfo=UTC))]
    ['shop/orders/v1 will be deprecated on 2026-02-01, in 12 days.']
    """
    for asset in assets:
        said = asset.metadata
        if "deprecation_date" in said:
            yield from _deprecated(asset, readers.get(asset.key, ()), now)
        if said.get("access") == "private":
            yield from _private(asset, readers.get(asset.key, ()))


def _deprecated(asset: Asset, readers: Sequence[Asset], now: datetime) -> Iterator[AssetWarning]:
    end = moment(asset.metadata["deprecation_date"])
    if end is None or now + SOON < end:
        return
    told, day = "", end.date().isoformat()
    if readers:
        told = f", and {_listed(readers)} {'reads' if len(readers) == 1 else 'read'} it"
    latest = asset.metadata.get("latest_version")
    hint = f"The latest version is {latest}." if latest else None
    days = (end - now).days
    if end <= now:
        yield AssetWarning(asset.key, f"is deprecated since {day}{told}", hint)
    else:
        when = "today" if days == 0 else f"in {days} day{'' if days == 1 else 's'}"
        yield AssetWarning(asset.key, f"will be deprecated on {day}, {when}{told}", hint)


def _private(asset: Asset, readers: Sequence[Asset]) -> Iterator[AssetWarning]:
    # Among its own models dbt itself sees to it; and it lets exposures and metrics ask any.
    outside = [each for each in readers if each.integration != asset.integration]
    if outside:
        group = f" to the group {asset.group!r}" if asset.group else ""
        yield AssetWarning(
            asset.key,
            f"is private{group}, and is read from outside of it, by {_listed(outside)}",
            "Read a model that is public, or give it another access in dbt.",
        )


def _listed(assets: Sequence[Asset]) -> str:
    names = [str(each.key) for each in assets]
    if len(names) > _NAMED + 1:
        return f"{', '.join(names[:_NAMED])} and {len(names) - _NAMED} more"
    return f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else names[0]


def moment(written: object) -> datetime | None:
    """Return the moment that a date of a manifest means, in UTC where it has no zone; None where it is none.

    >>> str(moment("2026-02-01T00:00:00+01:00")), str(moment("2026-02-01")), moment("soon")
    ('2026-01-31 23:00:00+00:00', '2026-02-01 00:00:00+00:00', None)
    """
    try:
        found = datetime.fromisoformat(str(written).strip())
    except ValueError:
        return None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
