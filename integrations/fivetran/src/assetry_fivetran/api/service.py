"""One Fivetran account as the rest of the package sees it: the few questions that are asked of it, as values.

All invocations of a process that use the same account share one service, and with it the connections, the budget of
calls and the polling. It is made when the first needs it and closed when the last has let go.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any
from urllib.parse import quote

from assetry_toolkit.auth import basic
from assetry_toolkit.clock import never
from assetry_toolkit.errors import Refused, Unavailable
from assetry_toolkit.hosted.answers import text
from assetry_toolkit.hosted.budgets import Budget
from assetry_toolkit.hosted.settings import reference_name
from assetry_toolkit.http import Api, Http, Request
from assetry_toolkit.live_objects import Shared
from assetry_toolkit.polling import JobId, Look, Poller, Turn, at_once
from assetry_toolkit.secrets import needed

from assetry_fivetran.api.responses import Destination, Standing, Table, data_of, destination_of, standing_of, tables_of
from assetry_fivetran.settings import BASE_URL, Options

#: The most that a list gives at a time, and how many pages are followed.
PAGE, MOST_PAGES = 1000, 1000
#: What connections are asked for as.
VERSION_2 = {"Accept": "application/json;version=2"}

Secret = Callable[[str], str]
Check = Callable[[], bool]


class Service:
    """The questions to one account; raises `ServiceError`."""

    def __init__(self, http: Http, budget: Budget, poll_interval: float | None = None) -> None:
        self.http = http
        #: Follows the connections of the account, however many wait.
        self.poller: Poller[Standing] = Poller(self._turn, http.clock, poll_interval, budget.pace)
        #: How many requests list all connections, as far as is known.
        self._pages = 1

    def listed(self, path: str, params: Mapping[str, Any] | None = None, attempts: int | None = None) -> list[Any]:
        """Return all items of a list, page by page; raise `Unavailable` when the pages do not come to an end.

        An item that comes twice, since the pages shift when others come or go, is there once, as it came last.
        """
        found: dict[Any, Any] = {}
        cursor: str | None = None
        seen: set[str] = set()
        for _ in range(MOST_PAGES):
            given = {"limit": PAGE, **(params or {}), **({"cursor": cursor} if cursor else {})}
            data = data_of(self.http.ask(_get(path, given), attempts=attempts), path)
            items = data.get("items")
            for each in items if isinstance(items, list) else ():
                if isinstance(each, Mapping):
                    found[text(each.get("id")) or len(found)] = each
            cursor = text(data.get("next_cursor"))
            if cursor is None:
                return [*found.values()]
            if cursor in seen:
                break
            seen.add(cursor)
        raise Unavailable(f"Fivetran's list of {path} does not come to an end: a page names one before it as the next.")

    # -- definitions -------------------------------------------------------------------------------------------------

    def connection(self, id_: str, called_off: Check = never) -> Mapping[str, Any]:
        """Return one connection as it was answered."""
        return data_of(self.http.ask(_get(_path(id_)), called_off), f"connection {id_}")

    def connections(self, group: str | None) -> list[Mapping[str, Any]]:
        """Return the connections of a group, or of the account, as they were answered."""
        return self.listed("connections", {"group_id": group} if group else None)

    def tables(self, id_: str, called_off: Check = never) -> tuple[Table, ...] | None:
        """Return the enabled tables of a connection; None as long as there is none in its schema configuration."""
        try:
            answer = self.http.ask(_get(_path(id_, "schemas")), called_off)
        except Refused as error:
            if error.status == 404 and "NotFound_SchemaConfig" in error.message:
                return None
            raise
        data = data_of(answer, f"the tables of connection {id_}")
        return tables_of(data) or (() if data["schemas"] else None)

    def destination(self, group: str) -> Destination:
        """Return the destination of a group."""
        return destination_of(data_of(self.http.ask(_get(f"destinations/{quote(group, safe='')}")), "a destination"))

    def destinations(self) -> dict[str, Destination]:
        """Return all destinations of the account, by group."""
        return {each.group: each for each in map(destination_of, self.listed("destinations"))}

    # -- syncs -------------------------------------------------------------------------------------------------------

    def standing(self, id_: str, called_off: Check = never) -> Standing:
        """Return how a connection stands, asking again while that may help."""
        return standing_of(self.connection(id_, called_off))

    def sync(self, id_: str) -> None:
        """Ask for a sync, unless one is under way; asks once."""
        self.http.once(Request("POST", _path(id_, "sync"), json={"force": False}, headers=VERSION_2))

    def resync(self, id_: str, scope: Mapping[str, Sequence[str]] | None) -> None:
        """Ask for all rows anew: of the tables in `scope`, by schema, or of the whole connection; asks once."""
        body = {"scope": {name: list(each) for name, each in scope.items()}} if scope else {}
        self.http.once(Request("POST", _path(id_, "resync"), json=body, headers=VERSION_2))

    def change(self, id_: str, **fields: Any) -> None:
        """Change a connection's settings, without the set-up tests that Fivetran would run otherwise; asks once."""
        self.http.once(Request("PATCH", _path(id_), json={**fields, "run_setup_tests": False}, headers=VERSION_2))

    def watch(self, id_: str, called_off: Check) -> Generator[Look[Standing], None, None]:
        """Yield how a connection stands, again and again."""
        return self.poller.watch(id_, called_off)

    def _turn(self, wanted: Sequence[JobId]) -> Turn[Standing]:
        """Ask how connections stand: each by itself, or all of the account where that takes fewer requests."""
        return at_once(wanted, self._all, self._one, self._pages)

    def _all(self) -> dict[JobId, Standing]:
        found = self.listed("connections", attempts=1)
        self._pages = 1 + len(found) // PAGE
        return {str(each["id"]): standing_of(each) for each in found if each.get("id") and each.get("status")}

    def _one(self, id_: JobId) -> Standing:
        return standing_of(data_of(self.http.once(_get(_path(str(id_)))), f"connection {id_}"))


def _path(id_: str, *rest: str) -> str:
    return "/".join(("connections", quote(id_, safe=""), *rest))


def _get(path: str, params: Mapping[str, Any] | None = None) -> Request:
    return Request("GET", path, params, headers=VERSION_2 if path.startswith("connections") else {})


_SERVICES = Shared[Service](close=lambda service: service.http.close())


@contextmanager
def service_for(options: Options, secret: Secret) -> Iterator[Service]:
    """Give the service that the options name while this lasts."""
    who = tuple(map(reference_name, (options.api_key, options.api_secret)))
    key = (options.address, who, options.ca_bundle, options.lives, options.calls_per_hour, options.poll_interval)
    with _SERVICES.lend(key, lambda: _opened(options, secret)) as service:
        yield service


def _opened(options: Options, secret: Secret) -> Service:
    keys, named = {"api_key": options.api_key, "api_secret": options.api_secret}, "api_key and api_secret"
    api = Api(
        name="Fivetran",
        base=options.address,
        headers={"User-Agent": "assetry-fivetran"},
        ca_bundle=options.ca_path,
        address_hint=f"base_url is {BASE_URL} unless Fivetran gave you another.",
        auth_hint="Set them as Fivetran has them: Account settings, API config.",
        credentials=keys,
        busy_hint="It counts the calls of an hour: calls_per_hour says how many the account has (500 in a trial).",
    )
    auth = basic(*(partial(needed, each, secret, name) for name, each in keys.items()), named=named, secret_user=True)
    calls = options.calls_per_hour
    budget = Budget("Fivetran", calls=calls, seconds=3600.0, clock=options.time, option="calls_per_hour")
    http = Http(api, auth, client=options.client, clock=options.time, before=budget.take)
    return Service(http, budget, options.poll_interval)
