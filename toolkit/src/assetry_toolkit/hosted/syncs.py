"""Syncs that have no id: asked for at most once, found again after a crash, followed until their result is known.

A service that starts work without saying which is told apart by how things stood before (`SyncToken.before`): that is
noted durably, then the sync is asked for, then that it was. Whatever happens in between, what has changed since tells
whether it was started. What is the service's own stands in a subclass of `SyncRun`.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import closing, suppress
from dataclasses import asdict, dataclass, field, replace
from itertools import count
from typing import Any, Generic, Literal, Protocol, TypeVar

from assetry.plugin import (
    AssetKey,
    AssetryError,
    Event,
    Handle,
    JobOverError,
    Level,
    Log,
    RunContext,
    RunError,
    Started,
)

from assetry_toolkit.clock import Clock, Within
from assetry_toolkit.errors import AuthError, Refused, ServiceError, Unavailable, WrongAddress
from assetry_toolkit.extract_load.changed_settings import ChangedSettings
from assetry_toolkit.patience import Patience, told_within
from assetry_toolkit.polling import LOST, Look
from assetry_toolkit.retries import TOLD, again_text, pause_after, waiting_text
from assetry_toolkit.work import JobOptions

#: Seconds for which a sync is looked for that may or may not have been started: after a request without an answer, and
#: when an earlier run had noted its intent.
SEARCH, SEARCH_EARLIER = 90.0, 10.0
#: How often a start is tried that got lost on the way, or was in the way of another one.
STARTS = 3


class Standing(Protocol):
    """How a connection stands at a moment."""

    @property
    def name(self) -> str:
        """Return what people call the connection."""

    @property
    def state(self) -> str:
        """Return the service's own word for how it stands; it is shown."""

    @property
    def syncing(self) -> bool:
        """Tell whether a sync is under way; a state that is new to us counts as one."""


S = TypeVar("S", bound=Standing)


@dataclass(frozen=True, slots=True)
class SyncToken:
    """What a `Handle` keeps: the intent to sync a connection, then the same once it was `asked` for.

    `before` is JSON: how things stood before. `ours` says that it was us who asked, `full` that it was for all rows
    anew, which is not what any sync does. `changed` has, as they were, the settings that are changed for the sync. A
    token that is neither `asked` nor `ours` notes these alone.

    >>> token = SyncToken("c", None, asked=True)
    >>> SyncToken.read(token.text()) == token
    True
    """

    connection: str
    before: Any
    asked: bool = False
    ours: bool = True
    full: bool = False
    changed: Mapping[str, Any] = field(default_factory=dict)

    def text(self) -> str:
        """Return the token as JSON."""
        return json.dumps(asdict(self))

    @classmethod
    def read(cls, text: str | None) -> SyncToken | None:
        """Return what `text` wrote; None when it is not one of ours."""
        try:
            given = json.loads(text or "")
            asked, ours, full = (given.get(name) is True for name in ("asked", "ours", "full"))
            return cls(str(given["connection"]), given["before"], asked, ours, full, {**(given.get("changed") or {})})
        except (ValueError, KeyError, TypeError, AttributeError):
            return None


@dataclass(frozen=True)
class Ending(Generic[S]):
    """How a sync came out: ``succeeded``, ``failed``, ``deferred`` or ``skipped``, and why.

    `standing` is the connection as it was seen last; `joined` says that it was not us who asked for the sync. `over`
    says that there is no such sync any more, and no result of it: it was cancelled, or got lost.
    """

    outcome: Literal["succeeded", "failed", "deferred", "skipped"]
    standing: S
    why: str = ""
    joined: bool = False
    over: bool = False


class Follower(Protocol[S]):
    """What each look at a sync means, with those before it; `why` is what there is to tell after the last one."""

    why: str

    def take(self, now: S) -> Ending[S] | Literal["ask"] | None:
        """Return the ending, ``ask`` when the sync has to be asked for again, None while it goes on."""

    def asked_again(self, token: SyncToken) -> None:
        """Judge by `token` from now on: all rows were asked for anew once more."""


class SyncRun(ABC, Generic[S]):
    """The sync of one connection, brought about once.

    `late` says that a sync which is under way already has begun before our inputs were done; `full` that all rows are
    asked for anew: no other sync does that, so none is joined, or taken for ours. What an earlier run has left in
    `changed` is put back as well.
    """

    #: What people call the service, and the page that shows the connection.
    service_name: str
    page: str | None = None

    def __init__(
        self,
        connection: str,
        context: RunContext,
        options: JobOptions,
        clock: Clock,
        *,
        late: bool = False,
        full: bool = False,
        changed: ChangedSettings | None = None,
    ) -> None:
        self.connection = connection
        self.clock = clock
        self._context = context
        self._options = options
        self._attach = options.attach or ("wait_then_start" if late else "accept")
        self._full = full
        self._waiting: list[AssetKey] = []
        self._told: set[str] = set()
        self._token: SyncToken | None = None
        self._changed = changed if changed is not None else ChangedSettings(None, connection)
        #: Whether a sync was under way at the last look, whoever's it is.
        self._busy = False

    # -- what the service says of itself -------------------------------------------------------------------------------

    @abstractmethod
    def look(self, called_off: Callable[[], bool]) -> S:
        """Return how the connection stands, asking again while that may help."""

    @abstractmethod
    def watch(self, called_off: Callable[[], bool]) -> Generator[Look[S], None, None]:
        """Yield how it stands, again and again; see `assetry_toolkit.polling.Poller`."""

    @abstractmethod
    def mark(self, standing: S) -> Any:
        """Return, as JSON, what a sync that ends later is told apart by."""

    @abstractmethod
    def since(self, token: SyncToken, standing: S) -> Literal["nothing", "failed", "something"]:
        """Return what has become of what `token` asked for, or may have: then ``something`` only if it surely began."""

    @abstractmethod
    def post(self) -> None:
        """Ask for the sync; ask once: what an error has left behind is found out here."""

    @abstractmethod
    def refused(self, error: Refused) -> AssetryError:
        """Return the error for a request that was refused: a `JobOverError` where the connection is gone."""

    @abstractmethod
    def follower(self, token: SyncToken, before: S | None) -> Follower[S]:
        """Return what judges the looks; `before` is the connection when the sync was asked for, if that is known."""

    @abstractmethod
    def check(self, standing: S) -> Generator[Event, None, Ending[S] | None]:
        """Raise `ServiceError` for a connection that cannot be synced; return an ending where it is to be skipped."""

    @abstractmethod
    def prepare(self, standing: S) -> Iterable[Event]:
        """Change what has to be changed before the sync is asked for."""

    @abstractmethod
    def put_back(self, changed: Mapping[str, Any]) -> None:
        """Put back settings, given as they were; raise `ServiceError` when that cannot be done."""

    @abstractmethod
    def news(self, standing: S) -> str | None:
        """Return what to tell of how it stands, if anything."""

    # -- the whole of it -----------------------------------------------------------------------------------------------

    def run(self, resume: str | None, started: Iterable[AssetKey]) -> Generator[Event, None, Ending[S] | None]:
        """Ask for the sync or find it, follow it, and return how it came out; None when the run was cancelled before.

        `resume` is the token of an earlier run, or None; `started` are the assets that start with the sync. A sync that
        was asked for goes on when the run is cancelled. Raises `ServiceError` when it is not known what became of it,
        `RunError` when it was left running, and `JobOverError` when the sync of an earlier run is over without a
        result, or its connection gone: the run then asks for another one.
        """
        self._waiting = [*started]
        try:
            ending = yield from self._story(SyncToken.read(resume))
        except Exception as error:
            token = self._token
            goes_on = token is not None and token.asked and token.ours and not isinstance(error, JobOverError)
            yield from self._changed.owed() if goes_on or self._busy else self._put_back()
            if not isinstance(error, _CalledOff):
                raise
            if not goes_on:
                return None
            raise RunError(
                f"The sync of connection {self.connection} goes on in {self.service_name}, which cannot stop one.",
                hint="`assetry retry` takes it up again.",
            ) from None
        yield from self._put_back()
        yield from map(Started, self._waiting if ending.outcome == "succeeded" else ())
        return ending

    def _story(self, resume: SyncToken | None) -> Generator[Event, None, Ending[S]]:
        if resume is not None and resume.connection == self.connection:
            self._changed.before = {**resume.changed, **self._changed.before}
            ending = (yield from self._taken_up(resume)) if resume.full or not self._full else None
            if ending is not None:
                return ending
        standing = yield from self._free()
        if isinstance(standing, Ending):
            return standing
        before = self.mark(standing)
        if standing.syncing:
            token = yield from self._noted(SyncToken(self.connection, before, asked=True, ours=False))
            yield Log(f"A sync of {standing.name!r} is under way already; it is joined.")
            return (yield from self._follow(token, None))
        yield from self.prepare(standing)
        token = yield from self._noted(SyncToken(self.connection, before, full=self._full))
        token = yield from self._ask(token)
        return (yield from self._follow(token, standing))

    def _noted(self, token: SyncToken) -> Generator[Event, None, SyncToken]:
        self._token = token = replace(token, changed={**self._changed.before})
        yield Handle(token.text(), self.page)
        return token

    def _off(self) -> bool:
        return self._context.cancelled

    def _patience(self) -> Within:
        return told_within(self._options.poll_error_budget, self.clock, self._context, f"Connection {self.connection}")

    def _wait(self, seconds: float) -> None:
        if not self.clock.sleep(seconds, self._off):
            raise _CalledOff

    def _look(self) -> S:
        if self._off():
            raise _CalledOff
        try:
            standing = self.look(self._patience())
        except Refused as error:
            raise self.refused(error) from None
        self._busy = standing.syncing
        return standing

    def changing(self, **settings: Any) -> Generator[Event, None, None]:
        """Note settings as they are before `check` or `prepare` changes them, so that they are put back in any case."""
        self._changed.add(settings)
        yield from self._noted(SyncToken(self.connection, None, ours=False))

    def _put_back(self) -> Generator[Event, None, None]:
        if self._changed:
            yield from self._changed.put_back(self.put_back)
            if not self._changed:
                yield from self._noted(self._token or SyncToken(self.connection, None, ours=False))

    # -- beginning -----------------------------------------------------------------------------------------------------

    def _taken_up(self, token: SyncToken) -> Generator[Event, None, Ending[S] | None]:
        """Follow the sync of an earlier run; None when there was none, or it failed, so that another one is due."""
        self._token = token
        if not token.asked and not (token.ours and (yield from self._search(token, SEARCH_EARLIER))):
            return None
        standing = self._look()
        told = f"The sync of {standing.name!r} that an earlier run asked for"
        if self.since(token, standing) == "failed":
            yield Log(f"{told} has failed; another one is started.")
            return None
        yield Log(f"{told} is taken up.")
        token = yield from self._noted(replace(token, asked=True))
        ending = yield from self._follow(token, None)
        if ending.over:
            raise JobOverError(f"{told} is over: {ending.why}.")
        return ending

    def _free(self) -> Generator[Event, None, S | Ending[S]]:
        """Return how the connection stands when a sync can be asked for, or is to be joined."""
        while True:
            standing = self._look()
            stopped = yield from self.check(standing)
            if stopped is not None:
                return stopped
            if not standing.syncing or (self._attach == "accept" and not self._full):
                return standing
            if self._attach == "refuse":
                raise ServiceError(
                    f"A sync of {standing.name!r} is under way already.",
                    hint='attach = "accept" joins it, attach = "wait_then_start" waits for its end.',
                )
            yield from self._say(f"A sync of {standing.name!r} is under way already; waiting for its end.")
            yield from self._wait_for_end(standing)

    def _ask(self, token: SyncToken) -> Generator[Event, None, SyncToken]:
        """Ask for the sync; whatever becomes of the answer, never blindly for a second one."""
        lost, patience = 0, self._patience()
        for tries in count():
            if self._off():
                raise _CalledOff
            try:
                self.post()
                break
            except Refused as error:
                if error.status != 409 or lost >= STARTS:
                    raise self.refused(error) from None
                lost += 1
                yield from self._say(f"{self.service_name} would not start the sync yet: {error.message}", "warning")
                self._wait(pause_after(error, lost, self.clock))
                token = yield from self._renewed(token)
            except (Unavailable, WrongAddress) as error:
                if isinstance(error, Unavailable) and error.executed is False:
                    if (pause := pause_after(error, tries, self.clock)) > patience.left:
                        raise
                    told = f"The sync of {self.connection} is not asked for yet: {waiting_text(error, pause)}"
                    yield from [Log(told, "warning")] if pause >= TOLD else []
                    self._wait(pause)
                else:
                    lost += 1
                    yield Log(f"It is unclear whether the sync was started: {error.message} Looking for it.", "warning")
                    if (yield from self._search(token, SEARCH)):
                        break
                    if lost >= STARTS:
                        raise
                token = (yield from self._renewed(token)) if token.full else token
        return (yield from self._noted(replace(token, asked=True)))

    def _renewed(self, token: SyncToken) -> Generator[Event, None, SyncToken]:
        """Return the token for another request: what began and ended before it was no answer to it."""
        while (standing := self._look()).syncing:
            yield from self._wait_for_end(standing)
        return (yield from self._noted(replace(token, before=self.mark(standing), asked=False)))

    def _search(self, token: SyncToken, seconds: float) -> Generator[Event, None, bool]:
        """Tell whether a sync has begun since the token was noted, looking for a while."""
        until = self.clock.monotonic() + seconds
        with closing(self.watch(self._off)) as looks:
            for look in looks:
                if look.job is not None:
                    if self.since(token, look.job) != "nothing":
                        return True
                elif isinstance(look.error, Refused):
                    raise self.refused(look.error)
                elif isinstance(look.error, AuthError):
                    raise look.error
                if self.clock.monotonic() >= until:
                    yield from self._say("No re-sync is known to have begun." if token.full else "No sync has begun.")
                    return False
        raise _CalledOff

    # -- following -----------------------------------------------------------------------------------------------------

    def _wait_for_end(self, standing: S) -> Generator[Event, None, None]:
        """Wait for the end of what is under way, whatever it is."""
        for now in self._looks(standing.name):
            yield from self._tell(now)
            if not isinstance(now, ServiceError) and not now.syncing:
                return

    def _follow(self, token: SyncToken, before: S | None) -> Generator[Event, None, Ending[S]]:
        """Look until the result is known."""
        follower = self.follower(token, before)
        for now in self._looks(self.connection):
            yield from self._tell(now)
            if isinstance(now, ServiceError):
                continue
            if now.syncing:
                yield from map(Started, self._waiting)
                self._waiting = []
            decided = follower.take(now)
            if isinstance(decided, Ending):
                return decided
            if follower.why:
                yield from self._say(follower.why, "warning")
            if decided == "ask" and token.full:
                token = yield from self._ask(replace(token, asked=False))
                follower.asked_again(token)
            elif decided == "ask":
                with suppress(Unavailable):  # the next look tells
                    self.post()
        raise _CalledOff

    def _looks(self, name: str) -> Generator[S | ServiceError, None, None]:
        """Yield how the connection stands, or what came in place of an answer; raise when it is hopeless."""
        patience = Patience(self._options, self.clock.monotonic)
        lost = 0
        with closing(self.watch(self._off)) as looks:
            for look in looks:
                if look.job is not None:
                    lost, self._busy = 0, look.job.syncing
                    yield look.job
                    patience.heard(f"The sync of {name}", look.job.state, waiting=not look.job.syncing)
                elif isinstance(look.error, Refused):
                    lost += 1
                    if lost > len(LOST):
                        raise self.refused(look.error)
                elif look.error is not None:
                    yield look.error
                    patience.unheard(f"the sync of {name}", look.error)
        raise _CalledOff

    def _tell(self, now: S | ServiceError) -> Iterable[Event]:
        if isinstance(now, ServiceError):
            yield from self._say(f"Looking at connection {self.connection}: {now.message}{again_text(now)}", "warning")
        elif (news := self.news(now)) is not None:
            yield from self._say(news)

    def _say(self, message: str, level: Level = "info") -> Iterable[Event]:
        """Say something once."""
        if message not in self._told:
            self._told.add(message)
            yield Log(message, level)


class _CalledOff(Exception):
    """The run was cancelled."""
