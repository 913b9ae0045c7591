"""What IO managers keep of assets that nothing defines any more, deleted where the records say that it is."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import quote

from assetry.errors import ValueStoreError
from assetry.io.urls import public_place
from assetry.io.values import ValueRouter
from assetry.partitions.definitions import StaticPartitionsDefinition
from assetry.types.assets import Asset
from assetry.types.records import Materialization

#: What can be done where nothing of ours deletes something.
_DELETE_YOURSELF = "Delete it yourself, then `assetry prune --delete --records-only` forgets it."


def delete_kept(values: ValueRouter, made: Materialization, partition: str | None, places: Iterable[str]) -> str:
    """Delete what was kept of a record, or one partition of it; return where that was.

    `places` are the URLs of all places that are known now; one that needs no password is opened by what the record
    says. Raises `ValueStoreError` when it cannot be deleted.
    """
    origin = made.origin
    if origin is None or origin.io is None:
        raise ValueStoreError(f"Nothing tells where {str(made.key)!r} was kept.", hint=_DELETE_YOURSELF)
    manager = values.manager(_place_now(origin.io, (values.default, values.files, *places)))
    delete = getattr(manager, "delete", None)
    if partition is not None and not origin.kept:
        raise ValueStoreError("Which of its rows are those of a partition, its tool knows.", hint=_DELETE_YOURSELF)
    if delete is None:
        scheme = origin.io.partition(":")[0]
        raise ValueStoreError(f"What keeps values at {scheme!r} URLs cannot delete any.", hint=_DELETE_YOURSELF)
    parts = None if partition is None else StaticPartitionsDefinition([partition])
    table = origin.relation
    delete(Asset(key=made.key, kind=origin.kind, kept=origin.kept, relation=table, partitions_def=parts), partition)
    return f"{origin.relation} in {origin.io}" if origin.relation is not None else origin.io


def _place_now(place: str, places: Iterable[str]) -> str:
    """Return the URL of now that means a place of before."""
    for url in places:
        if public_place(url) == place:
            return url
    if "://" in place:
        raise ValueStoreError(
            f"It was kept in {place}, which nothing of this project leads to now.",
            hint=f"Name it for a while, as `io` or in a profile, with user and password. {_DELETE_YOURSELF}",
        )
    return quote(place, safe=":/")
