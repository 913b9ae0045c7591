"""The sync of a Fivetran connection: how it is asked for, and what each look at it means."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any, Literal

from assetry.plugin import AssetryError, Event, Log, RunContext
from assetry_toolkit.errors import Refused, ServiceError
from assetry_toolkit.extract_load.changed_settings import ChangedSettings
from assetry_toolkit.hosted.assets import ENABLE, MEND, SET_UP
from assetry_toolkit.hosted.changes import Changes
from assetry_toolkit.hosted.syncs import SEARCH, Ending, SyncRun, SyncToken
from assetry_toolkit.polling import Look
from assetry_toolkit.work import GONE

from assetry_fivetran.api.responses import NEVER, Mark, Standing
from assetry_fivetran.api.service import Service
from assetry_fivetran.connections.assets import PAGE
from assetry_fivetran.connections.definitions import learn
from assetry_fivetran.settings import Options
from assetry_fivetran.syncs.verdict import judge

CHANGES = Changes("Fivetran", "table", "fivetran")
#: In so many looks, one after the other, a sync has to be gone before it counts as ended without a result.
GONE_LOOKS = 3
#: What is asked for again once where nothing has started.
_START = object()


#: What is to be read anew: nothing, or in it the tables by schema, None for all of them.
Full = tuple[()] | tuple[Mapping[str, Sequence[str]] | None]


class FivetranSync(SyncRun[Standing]):
    """The sync of one connection; `full` says what of it is to be read anew."""

    service_name = "Fivetran"

    def __init__(
        self,
        service: Service,
        connection: str,
        context: RunContext,
        options: Options,
        *,
        late: bool = False,
        full: Full = (),
    ) -> None:
        due = ChangedSettings(options.changed_path, connection)
        super().__init__(connection, context, options.jobs, service.http.clock, late=late, full=bool(full), changed=due)
        self.page = PAGE.format(id=connection)
        self._service = service
        self._settings = options
        self._scope = full

    def look(self, called_off: Callable[[], bool]) -> Standing:
        """Return how the connection stands."""
        now = self._service.standing(self.connection, called_off)
        learn(self._settings, now, self._service.http.masked)
        return now

    def watch(self, called_off: Callable[[], bool]) -> Generator[Look[Standing], None, None]:
        """Yield how it stands, again and again."""
        return self._service.watch(self.connection, called_off)

    def mark(self, standing: Standing) -> Any:
        """Return when its last syncs ended."""
        return standing.mark.json()

    def since(self, token: SyncToken, standing: Standing) -> Literal["nothing", "failed", "something"]:
        """Return what became of syncs that began since; of re-syncs only, where one may have been asked for."""
        before = Mark.of(token.before)
        if token.full and not token.asked:
            # Every connection's first sync is a historical one; later ones are when they are re-syncs.
            ours = standing.syncing and standing.historical and before.succeeded != NEVER
            return "something" if ours else "nothing"
        verdict = judge(before, standing, seen_running=False)
        if verdict in ("waiting", "paused"):
            return "nothing"
        return "failed" if verdict == "failed" else "something"

    def post(self) -> None:
        """Ask for a sync, or a re-sync."""
        if not self._scope:
            self._service.sync(self.connection)
        else:
            self._service.resync(self.connection, self._scope[0])

    def refused(self, error: Refused) -> AssetryError:
        """Return the error for a request that was refused."""
        if error.status in GONE:
            return CHANGES.refused(self.connection, error, self._settings)
        if error.status == 400 and self._scope and self._scope[0]:
            return ServiceError(
                f"Connection {self.connection} cannot re-sync single tables: {error.message}",
                status=400,
                hint="Select all of its tables: with --full-refresh the connection is re-synced as a whole, then.",
            )
        return error

    def follower(self, token: SyncToken, before: Standing | None) -> _Following:
        """Return what judges the looks."""
        return _Following(self._settings, self._service, token, before.rescheduled_for if before is not None else None)

    def news(self, standing: Standing) -> str | None:
        """Return what to tell of how it stands."""
        if not standing.syncing:
            return None
        new = "" if standing.state == "syncing" else f", a state that is new to us ({standing.state!r})"
        much = "; it is a historical one and can take days" if standing.historical else ""
        return f"The sync of {standing.name!r} is under way{new}{much}."

    # -- the connection's settings -----------------------------------------------------------------------------------

    def check(self, standing: Standing) -> Generator[Event, None, Ending[Standing] | None]:
        """Raise `ServiceError` for a connection that cannot be synced; return an ending where it is to be skipped."""
        told = f" ({'; '.join(standing.tasks)})" if standing.tasks else ""
        how = f"Connection {standing.name!r} is {standing.status}{told}"
        mend = f"{SET_UP if standing.setup == 'incomplete' else MEND} Fivetran: {self.page}."
        if standing.setup == "incomplete":
            raise ServiceError(f"{how}, so it cannot be synced.", hint=mend)
        if standing.paused and self._settings.on_paused == "skip":
            return Ending("skipped", standing, how[0].lower() + how[1:])
        if standing.paused and self._settings.on_paused == "fail":
            enable = f'{ENABLE} Fivetran, or set on_paused = "unpause" (or "skip").'
            raise ServiceError(
                f"{how}, so it cannot be synced.", hint=f"{enable} {mend}" if standing.setup == "broken" else enable
            )
        if standing.paused:
            yield from self._change("paused", True, False)
            yield Log(f"Connection {standing.name!r} was paused; it is enabled now.", "warning")
        if standing.setup == "broken":
            # Only a sync heals it: a passing error of the source leaves it broken, too.
            yield from self._say(f"Connection {standing.name!r} is broken{told}; a sync is tried.", "warning")
        return None

    def prepare(self, standing: Standing) -> Iterable[Event]:
        """Change the connection's schedule where the options ask for it."""
        wanted, has = self._settings.schedule_type, "manual" if standing.manual else "auto"
        if wanted is not None and wanted != has:
            yield from self._change("schedule_type", has, wanted)
            yield Log(f"The schedule of {standing.name!r} was {has}; it is {wanted} now.", "warning")

    def _change(self, name: str, old: Any, new: Any) -> Iterable[Event]:
        if self._settings.restore:
            yield from self.changing(**{name: old})
        self._service.change(self.connection, **{name: new})

    def put_back(self, changed: Mapping[str, Any]) -> None:
        """Put back what was changed, and look how the connection stands then."""
        self._service.change(self.connection, **changed)
        with suppress(ServiceError):  # it is put back all the same
            self.look(self._off)


class _Following:
    """What each look at a sync means, with those before it."""

    def __init__(self, options: Options, service: Service, token: SyncToken, put_off: datetime | None) -> None:
        self._options = options
        self._service = service
        self._before, self._ours = Mark.of(token.before), token.ours
        self._now = service.http.clock.monotonic
        self._began = self._now()
        self._seen_running = False
        self._put_off = put_off
        self._gone = 0
        self._failed_at: float | None = None
        #: What was asked for again: once after no start, and once for each moment that a sync was rescheduled for.
        self._again: set[object] = set()
        #: What there is to tell after the last look.
        self.why = ""

    def take(self, now: Standing) -> Ending[Standing] | Literal["ask"] | None:
        """Return the ending, ``ask`` when the sync has to be asked for again, None while it goes on."""
        self.why = ""
        self._seen_running = self._seen_running or now.syncing
        verdict = judge(self._before, now, seen_running=self._seen_running)
        if verdict == "succeeded":
            return Ending("succeeded", now, joined=not self._ours)
        if verdict == "failed":
            return self._failed(now)
        if verdict == "rescheduled":
            return self._rescheduled(now)
        if verdict == "paused":
            return self._ending("failed", now, "it was paused by somebody during the sync")
        if verdict == "waiting":
            return self._not_started(now)
        if verdict == "running":
            self._gone, self._failed_at = 0, None
            return None
        self._gone += 1
        if self._gone < GONE_LOOKS:
            return None
        return self._ending("failed", now, "it ended without a result: it was cancelled, or got lost", over=True)

    def asked_again(self, token: SyncToken) -> None:
        """Judge by what is noted in `token`: what went before is no part of the re-sync."""
        self._before, self._seen_running, self._gone = Mark.of(token.before), False, 0

    def _ending(
        self, outcome: Literal["failed", "deferred"], now: Standing, why: str, *, over: bool = False
    ) -> Ending[Standing]:
        return Ending(outcome, now, why, joined=not self._ours, over=over)

    def _failed(self, now: Standing) -> Ending[Standing] | None:
        """Return the failure, unless Fivetran may still try again by itself."""
        since = self._failed_at = self._now() if self._failed_at is None else self._failed_at
        if not now.manual and self._now() - since < self._options.retry_timeout:
            self.why = f"The sync of {now.name!r} has failed; waiting whether Fivetran tries again."
            return None
        told = "; ".join((*now.tasks, *now.warnings))
        return self._ending("failed", now, f"it failed{f': {told}' if told else ''}")

    def _rescheduled(self, now: Standing) -> Ending[Standing] | Literal["ask"] | None:
        """Return what to do about a sync that Fivetran has put off."""
        at, server = now.rescheduled_for, self._service.http.server_time
        if at is not None and at == self._put_off and self._now() - self._began < SEARCH:
            return None  # as it was before we asked
        left = (at - server) if at is not None and server is not None else timedelta(0)
        when = at.isoformat(timespec="seconds") if at is not None else "an unknown time"
        if now.manual and left <= timedelta(0) and at not in self._again:
            self._again.add(at)
            self.why = (
                f"The sync of {now.name!r} was put off to {when}; its schedule is manual, so it is asked for again."
            )
            return "ask"
        too_long = self._now() - self._began + max(left.total_seconds(), 0.0) > self._options.reschedule_timeout
        if too_long:
            who = "ask for it then: `assetry retry`" if now.manual else "Fivetran runs it then"
            return self._ending("deferred", now, f"deferred until {when}: Fivetran has put the sync off; {who}")
        self.why = f"Fivetran has put the sync of {now.name!r} off to {when}; waiting."
        return None

    def _not_started(self, now: Standing) -> Ending[Standing] | Literal["ask"] | None:
        if self._now() - self._began < self._options.start_timeout:
            return None
        if _START not in self._again:
            self._again.add(_START)
            self._began = self._now()
            self.why = f"The sync of {now.name!r} was accepted and has not started; it is asked for again."
            return "ask"
        return self._ending("failed", now, "it was accepted, and never started")
