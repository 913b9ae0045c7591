"""How we prove who we are: a token of an application, a given token, a user name, or not at all."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial

from assetry.plugin import DefinitionError
from assetry_toolkit.auth import Auth, Renewed, Token, basic, bearer
from assetry_toolkit.clock import Clock
from assetry_toolkit.errors import AuthError, Refused, ServiceError, WrongAddress
from assetry_toolkit.hosted.settings import reference_name
from assetry_toolkit.http import Http, Request
from assetry_toolkit.secrets import Reference, needed, resolve

from assetry_airbyte.hosted.api.address import FORMS
from assetry_airbyte.hosted.settings import Options

#: The environment variables that are looked at for Airbyte Cloud when the options name none.
CLIENT_ID, CLIENT_SECRET = "AIRBYTE_CLIENT_ID", "AIRBYTE_CLIENT_SECRET"

Secret = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class Credentials:
    """How to authenticate, by reference; `kind` is ``application``, ``token``, ``basic`` or ``none``."""

    kind: str
    user: Reference | None = None
    secret: Reference | None = None

    @classmethod
    def of(cls, options: Options) -> Credentials:
        """Return what the options say; for Airbyte Cloud without any, an application named by the environment."""
        where = f"integration {options.name!r}"
        if options.token is not None:
            return cls("token", secret=options.token)
        if options.client_id is not None or options.client_secret is not None:
            user, secret = options.client_id or {"env": CLIENT_ID}, options.client_secret or {"env": CLIENT_SECRET}
            return cls("application", user, secret)
        if options.username is not None or options.password is not None:
            if options.username is None or options.password is None:
                raise DefinitionError("Basic authentication needs username and password.", where=where)
            return cls("basic", options.username, options.password)
        if options.address.web == "https://cloud.airbyte.com":
            return cls("application", {"env": CLIENT_ID}, {"env": CLIENT_SECRET})
        return cls("none")

    @property
    def named(self) -> dict[str, Reference | None]:
        """Return the references by the options that they stand in."""
        names = {
            "application": ("client_id", "client_secret"),
            "token": ("", "token"),
            "basic": ("username", "password"),
        }
        found = zip(names.get(self.kind, ()), (self.user, self.secret), strict=False)
        return {name: each for name, each in found if name}

    def identity(self) -> tuple[str, ...]:
        """Return what tells these credentials apart from others, without any secret in it."""
        return (self.kind, reference_name(self.user), reference_name(self.secret))


def auth_of(credentials: Credentials, secret: Secret, clock: Clock, token: Callable[[str, str], Token]) -> Auth | None:
    """Return what signs requests; None without authentication. `token` gets one for a client id and its secret."""

    def user() -> str:
        return resolve(credentials.user, secret)

    if credentials.kind == "application":
        named = "client_id and client_secret"
        key = partial(needed, credentials.secret, secret, "client_secret")
        return Renewed(key, lambda value: token(user(), value), clock=clock, named=named)
    if credentials.kind == "token":
        return bearer(partial(needed, credentials.secret, secret, "token"))
    password = partial(resolve, credentials.secret, secret)  # which may be empty
    return basic(user, password) if credentials.kind == "basic" else None


def fetch_token(http: Http, url: str, user: str, secret: str) -> Token:
    """Ask for a token of an application; raise `AuthError` when there is none to be had."""
    # The API's own description misspells the field; servers have wanted either, and ignore what they do not know.
    body = {"client_id": user, "client_secret": secret}
    body |= {"grant_type": "client_credentials", "grant-type": "client_credentials"}
    request = Request("POST", url, json=body, signed=False)
    try:
        try:
            answer = http.once(request)
        except Refused as error:
            if error.status not in (400, 415):
                raise
            answer = http.once(replace(request, json=None, form=body))
    except Refused as error:
        gone = error.status == 404
        what = "nothing hands out tokens there" if gone else "client_id and client_secret are not accepted"
        message = f"No token from {url} (HTTP {error.status}): {what}."
        raise AuthError(message, status=error.status, hint=FORMS) from None
    if not isinstance(answer, Mapping):
        raise WrongAddress(f"There is no Airbyte API at {http.api.base}: it hands out no tokens.", hint=FORMS)
    token = answer.get("access_token")
    if not isinstance(token, str) or not token:
        raise ServiceError("Airbyte handed out no token.", hint="Look at the application's settings in Airbyte.")
    return Token(token, answer.get("expires_in"))
