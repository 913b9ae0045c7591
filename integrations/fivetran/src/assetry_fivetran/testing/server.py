"""The fake server: who may ask, and what is answered, as Fivetran's API description has it."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import unquote

from assetry_toolkit.testing import Refusal, Seen

from assetry_fivetran.testing.world import FakeConnection, FakeSync, World

#: What a change of a connection says of its set-up tests, and keeps nowhere.
_OF_TESTS = {"run_setup_tests", "trust_certificates", "trust_fingerprints"}


class FakeFivetran(World):
    """A Fivetran, from `start_server` to `stop_server`, or as a context; see `assetry_toolkit.testing.FakeServer`.

    `now` is the clock that syncs live by; hand over the client's own to let no real time pass. `calls` is how many
    requests it takes in any hour, None for any number.

    >>> with FakeFivetran() as fivetran:
    ...     connection = fivetran.add_connection("crm", ["accounts"])
    ...     fivetran.url.endswith("/v1")
    True
    """

    base_paths = ("/v1",)
    api_key, api_secret = "k3y-of-the-account", "s3cret-of-the-account"

    def __init__(self, now: Callable[[], float] | None = None) -> None:
        super().__init__(now)
        self.calls: int | None = None

    @property
    def url(self) -> str:
        """Return the base URL of the API."""
        return f"{self.host}/v1"

    def answer(self, seen: Seen) -> Any:
        """Answer a request."""
        given = base64.b64encode(f"{self.api_key}:{self.api_secret}".encode()).decode()
        if seen.header("Authorization") != f"Basic {given}":
            raise _refusal(401, "AuthFailed", "Invalid authorization credentials")
        lately = [each.at for each in self.seen if each.at > seen.at - 3600]
        if self.calls is not None and len(lately) > self.calls:
            told = f"Max {self.calls} api calls allowed in one-hour rolling time period"
            wait = {"Retry-After": str(math.ceil(lately[0] + 3600 - seen.at))}
            raise Refusal(429, {"code": "TooManyRequests", "message": told}, wait)
        if seen.body is not None and "json" not in seen.header("Content-Type"):
            raise Refusal(415)
        with self.lock:
            for pattern, work in (
                ("GET /groups", self._groups),
                ("GET /destinations", self._destinations),
                ("GET /destinations/(.+)", self._destination),
                ("GET /connections", self._connections),
                ("GET /connections/([^/]+)", self._get),
                ("PATCH /connections/([^/]+)", self._patch),
                ("DELETE /connections/([^/]+)", self._delete),
                ("GET /connections/([^/]+)/schemas", self._schemas),
                ("PATCH /connections/([^/]+)/schemas/([^/]+)", self._enable),
                ("PATCH /connections/([^/]+)/schemas/([^/]+)/tables/([^/]+)", self._enable),
                ("POST /connections/([^/]+)/sync", self._sync),
                ("POST /connections/([^/]+)/resync", self._resync),
            ):
                found = re.fullmatch(pattern, str(seen))
                if found:
                    data = work(seen, *found.groups())
                    return {"code": "Success", **({"message": data} if isinstance(data, str) else {"data": data})}
            raise _refusal(404, "NotFound", f"There is no {seen}")

    # -- what is there -----------------------------------------------------------------------------------------------

    def _groups(self, seen: Seen) -> Any:
        return _page(
            [{"id": id_, "name": name, "created_at": self.time(0.0)} for id_, name in self.groups.items()], seen
        )

    def _destinations(self, seen: Seen) -> Any:
        return _page(list(self.destinations.values()), seen)

    def _destination(self, _: Seen, id_: str) -> Any:
        for group, each in self.destinations.items():
            if id_ in (group, each["id"]):
                return each
        raise _refusal(404, "NotFound_Destination", f"Cannot find destination with id '{id_}'")

    def _connections(self, seen: Seen) -> Any:
        group, schema = seen.query.get("group_id"), seen.query.get("schema")
        if group is not None and group not in self.groups:
            raise _refusal(404, "NotFound_Group", f"Cannot find group with id '{group}'")
        there = (each for each in self.connections.values() if not each.deleted)
        fits = [each for each in there if group in (None, each.group) and schema in (None, each.name)]
        return _page([self.connection_json(each) for each in fits], seen)

    def _connection(self, id_: str) -> FakeConnection:
        found = self.connections.get(id_)
        if found is None or found.deleted:
            raise _refusal(404, "NotFound_Connection", f"Cannot find connection with id '{id_}'")
        self.advance(found)
        return found

    def _get(self, _: Seen, id_: str) -> Any:
        return self.connection_json(self._connection(id_))

    def _schemas(self, _: Seen, id_: str) -> Any:
        found = self._connection(id_)
        if found.schemas is None:
            raise _refusal(404, "NotFound_SchemaConfig", f"Connection with id '{id_}' doesn't have schema config")
        return {"enable_new_by_default": True, "schema_change_handling": "ALLOW_ALL", "schemas": found.schemas}

    # -- what is done ------------------------------------------------------------------------------------------------

    def _patch(self, seen: Seen, id_: str) -> Any:
        found, given = self._connection(id_), seen.body or {}
        if "paused" in given:
            found.paused = given["paused"]
        if "schedule_type" in given:
            found.manual = given["schedule_type"] == "manual"
        if not given.keys() - _OF_TESTS:
            raise _refusal(400, "InvalidInput", "At least one parameter of the connection has to be given")
        tests = {"setup_tests": self._setup_tests(found)} if given.get("run_setup_tests", True) else {}
        return {**self.connection_json(found), **tests}

    def _delete(self, _: Seen, id_: str) -> Any:
        self._connection(id_).deleted = True
        return f"Connection with id '{id_}' has been deleted"

    def _setup_tests(self, of: FakeConnection) -> list[dict[str, Any]]:
        """Run the tests, and let a connection that fails them be broken until it has been synced."""
        of.tested += 1
        if not of.passes_tests:
            of.setup = "broken"
        told = "" if of.passes_tests else "Cannot connect"
        return [{"title": "Connecting", "status": "PASSED" if of.passes_tests else "FAILED", "message": told}]

    def _enable(self, seen: Seen, id_: str, schema: str, table: str | None = None) -> Any:
        """Enable or disable a schema, or a table of it; names are as at the source, in their case."""
        schemas = self._schemas(seen, id_)["schemas"]
        found = schemas.get(unquote(schema))
        if found is not None and table is not None:
            found = found["tables"].get(unquote(table))
        if found is None:
            what = f"schema '{schema}'" if table is None else f"table '{table}' of schema '{schema}'"
            raise _refusal(404, "NotFound", f"Connection with id '{id_}' has no {what}")
        if not found.get("enabled_patch_settings", {}).get("allowed", True):
            raise _refusal(400, "InvalidInput", f"Table '{table}' cannot be enabled or disabled")
        found["enabled"] = bool((seen.body or {}).get("enabled", found["enabled"]))
        return self._schemas(seen, id_)

    def _syncable(self, id_: str) -> FakeConnection:
        found = self._connection(id_)
        if found.group not in self.destinations:
            raise _refusal(400, "InvalidInput", f"Group '{found.group}' has no destination")
        return found

    def _sync(self, _: Seen, id_: str) -> Any:
        found = self._syncable(id_)
        if found.ignores > 0:
            found.ignores -= 1
        elif found.current is None and (found.due is None or found.rescheduled_for is not None):
            self.begin(found, found.start_delay)
        return f"Sync has been successfully triggered for connection with id '{id_}'"

    def _resync(self, seen: Seen, id_: str) -> Any:
        found = self._syncable(id_)
        scope = (seen.body or {}).get("scope")
        if scope is not None and (not scope or not all(scope.values()) or not found.table_resync):
            raise _refusal(400, "InvalidInput", "Table-level re-sync is not supported for this connection")
        if found.current is not None:
            raise _refusal(409, "Conflict", "A sync is in progress")
        self.begin(found, found.start_delay, resync=True, scope=scope)
        return "Re-sync has been triggered successfully"

    # -- webhooks ----------------------------------------------------------------------------------------------------

    def webhook(self, sync: FakeSync, secret: str, **fields: Any) -> tuple[bytes, dict[str, str]]:
        """Return body and headers of the webhook that tells of a sync's end; `fields` are put in as they are."""
        of = self.connections[sync.connection]
        told = {
            "event": "sync_end",
            "created": self.time(sync.ended),
            "connector_type": of.service,
            "connector_id": of.id,
            "connector_name": of.name,
            "sync_id": f"{of.id}-{of.syncs.index(sync)}",
            "destination_group_id": of.group,
            "data": {"status": sync.outcome},
            **fields,
        }
        body = json.dumps(told).encode()
        signature = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest().upper()
        return body, {"X-Fivetran-Signature-256": signature}


def _refusal(status: int, code: str, message: str) -> Refusal:
    return Refusal(status, {"code": code, "message": message})


def _page(found: Sequence[Mapping[str, Any]], seen: Seen) -> dict[str, Any]:
    limit, start = int(seen.query.get("limit", 100)), int(seen.query.get("cursor", 0))
    if not 1 <= limit <= 1000:
        raise _refusal(400, "InvalidInput", "limit must be between 1 and 1000")
    following = start + limit
    data: dict[str, Any] = {"items": [dict(each) for each in found[start:following]]}
    return {**data, "next_cursor": str(following)} if following < len(found) else data
