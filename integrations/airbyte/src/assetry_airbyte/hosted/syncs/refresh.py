"""Refreshes: streams of a connection that are read anew from their beginning, while its others are synced as ever.

Only the internal API starts one. A stream that is read as a whole by every sync needs none; and of one that only adds
to its table a refresh cannot take away the rows that are there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from assetry_toolkit.errors import Refused, ServiceError, Unavailable, WrongAddress
from assetry_toolkit.hosted.answers import table
from assetry_toolkit.hosted.fetching import few

from assetry_airbyte.hosted.api.responses import REFRESH, Connection, Job, Stream
from assetry_airbyte.hosted.api.service import Service
from assetry_airbyte.hosted.syncs.sync import Syncs

#: What Airbyte calls a refresh by what it does with the rows that are there.
MODES: Mapping[str, str] = {"remove": "Truncate", "retain": "Merge"}
_INSTEAD = "{} in Airbyte, then `assetry observe`; or leave --full-refresh out."


class Scope(NamedTuple):
    """What a full refresh means: streams to read `anew`, and those of which it is not possible, which are `kept`."""

    anew: tuple[Stream, ...]
    kept: tuple[Stream, ...]

    @classmethod
    def of(cls, streams: Iterable[Stream], mode: str) -> Scope:
        """Return what is to be done about streams; those that every sync reads as a whole are in neither.

        >>> modes = ("full_refresh_overwrite", "incremental_deduped_history", "incremental_append")
        >>> scope = Scope.of([Stream("a", None, each) for each in modes], "remove")
        >>> [[each.sync_mode for each in part] for part in scope]
        [['incremental_deduped_history'], ['incremental_append']]
        """
        listed = list(streams)
        kept = tuple(each for each in listed if each.adds) if mode == "remove" else ()
        return cls(tuple(each for each in listed if not each.reads_all and each not in kept), kept)


def refresh_id(connection: str) -> str:
    """Return what tells refreshes of a connection from its syncs.

    >>> refresh_id("c_1")
    'refresh of c_1'
    """
    return f"refresh of {connection}"


def kept_text(connection: Connection, kept: Sequence[Stream]) -> str:
    """Return the warning of streams that are not read anew, though that was asked for."""
    named = few(each.name for each in kept)
    return (
        f"{named} of {connection.name!r} only add to their tables, from which a refresh takes no rows: they are synced "
        'as ever. on_full_refresh = "retain" reads them anew, beside the rows that are there; to be rid of these, '
        "clear the streams in Airbyte."
    )


class Refreshes(Syncs):
    """The refreshes of some streams of one connection; those of others are of other streams, so none is joined."""

    noun, joins = "refresh", False

    def __init__(
        self,
        service: Service,
        connection: Connection,
        poll_interval: float | None,
        mode: str,
        streams: Sequence[Stream],
    ) -> None:
        super().__init__(service, connection, poll_interval)
        self.id = refresh_id(connection.id)
        self._of, self._mode, self._streams = connection, mode, streams

    def start(self) -> Job:
        """Start a refresh; raise `ServiceError` where Airbyte cannot."""
        self._check_destination()
        try:
            return self._airbyte.refresh(self.connection, MODES[self._mode], self._streams)
        except Refused as error:
            if error.status == 409:
                raise
            raise _impossible(error) from error

    def _check_destination(self) -> None:
        """Raise `ServiceError` where the destination takes no refreshes: asked for one, Airbyte does nothing."""
        try:
            told = table(
                self._airbyte.internal(
                    "actor_definition_versions/get_for_destination", {"destinationId": self._of.destination}
                )
            )
        except (Refused, WrongAddress) as error:
            raise _impossible(error) from error
        except Unavailable as error:
            raise error.before_execution() from None
        if told.get("supportsRefreshes") is False:
            connector = f"{told.get('dockerRepository') or 'its connector'} {told.get('dockerImageTag') or ''}".strip()
            raise ServiceError(
                f"The destination of connection {self._of.name!r} takes no refreshes ({connector}).",
                hint=_INSTEAD.format("Clear the streams and sync them"),
            )

    def other(self, job: Job) -> str | None:
        """Return the type of a job that is not a refresh."""
        return None if job.type == REFRESH else job.type


def _impossible(error: ServiceError) -> ServiceError:
    told = f"Airbyte's configuration API, which alone refreshes streams, does not do it for us: {error.message}"
    hint = "It needs the role workspace runner, and config_url names its address. " + _INSTEAD.format(
        "Refresh the streams"
    )
    return ServiceError(told, status=error.status, hint=hint)
