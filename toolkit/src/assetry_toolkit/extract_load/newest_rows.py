"""The newest row of tables, by a column in which a tool notes when it has written a row; and tables that are not there.

newest = NewestRows(context, "_loaded_at", "Mill makes no table without rows.")
try:
    moment = newest.of(asset)
except NothingKeptError as error:
    yield not_there(asset, error, "crm")
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from assetry.plugin import Asset, AssetryError, Event, Failed, Log, NothingKeptError, Observed, RunContext

from assetry_toolkit.extract_load.row_counts import chosen_place
from assetry_toolkit.hosted.assets import refresh_hint

#: Metadata that says by what the result of a load is known: ``table`` where its table was looked at.
KNOWN_BY, TABLE = "result_known_by", "table"


class NewestRows:
    """The greatest values of `column` in tables, each read where the project reaches it.

    A table that cannot be looked at is not known, and that is usual: a project need not reach the warehouse. It is an
    error where there should be one: where it was found when it was last made (its record says so under `KNOWN_BY`), or
    where an option `io` says that it is. `elsewhere` is what else is to be known then: part of the next step.
    """

    def __init__(self, context: RunContext, column: str, elsewhere: str) -> None:
        self._context = context
        self._column = column
        self._elsewhere = elsewhere
        self._told = False

    def of(self, asset: Asset) -> str | None:
        """Return the greatest value in an asset's table, as text; None where there is none, or that cannot be told.

        Raises `NothingKeptError`, with the next step, where the table should be there and is not.
        """
        if asset.relation is None:
            return None
        chosen = chosen_place(asset)
        try:
            found: Any = self._context.aggregate(asset.key, "max", self._column)
        except NothingKeptError as error:
            anew = refresh_hint(asset)
            if (error.made or {}).get(KNOWN_BY) == TABLE:
                told = "Its table was there when it was last made."
                error.hint = f"{anew} Where it is in another place now, say so by `io`."
            elif chosen is not None:
                told = f"It should be there, by {chosen}."
                error.hint = f"Where its table has another place or name, correct that, or `io`. {self._elsewhere}"
                error.hint = error.hint if error.made is None else f"{anew} {error.hint}"
            else:
                return None
            error.message = f"{error.message} {told}"
            raise
        except AssetryError as error:
            # Told aloud once where a place was chosen: what keeps us from one table keeps us from others.
            aloud = chosen is not None and not self._told
            self._told = self._told or aloud
            told = f"What {asset.key} has in its table cannot be told: {error.message}"
            self._context.log(told, "warning" if aloud else "debug", asset.key)
            return None
        return None if found is None else found.isoformat() if hasattr(found, "isoformat") else str(found)


def not_there(asset: Asset, error: NothingKeptError, connection: str, *, asked: bool = True) -> Event:
    """Return the event for a table that is not there after a good sync of a connection, by the error of `NewestRows`.

    It has failed; what was not `asked` for, and only came along, is warned of.

    >>> not_there(Asset(key="crm/orders", kind="mill"), NothingKeptError("No such table."), "crm").message
    "The sync of connection 'crm' ended well, but: No such table."
    """
    message = f"The sync of connection {connection!r} ended well, but: {error.message}"
    return Failed(asset.key, message, hint=error.hint) if asked else Log(message, "warning", asset.key)


def seen_missing(asset: Asset, error: NothingKeptError) -> Iterator[Event]:
    """Yield what an observation tells of a table that is not there, by the error of `NewestRows`.

    One that was made is gone, with the next step; one that never was is warned of.

    >>> [*seen_missing(Asset(key="crm/orders", kind="mill"), NothingKeptError("No such table."))][0].level
    'warning'
    """
    was_made = error.made is not None
    yield Log(error.message, "debug" if was_made else "warning", asset.key)
    yield Observed(asset.key, gone=was_made, hint=error.hint if was_made else None)
