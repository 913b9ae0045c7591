"""What can go wrong between us and Airbyte's API, told apart by what is to be done about it.

AirbyteError          every one of them; carries the HTTP status, if there was one
├── AuthError         the credentials are refused
├── NotAirbyte        something answers at that address, but not Airbyte's API
├── Refused           the API answered, and said no (4xx)
└── Unavailable       no answer, or one that may be better next time (429, 5xx, a broken connection)
"""

from __future__ import annotations

from typing import Any

from assetry.plugin import IntegrationError

#: Both forms of a base URL, for every error that may come from a wrong one.
FORMS = "The base URL is https://api.airbyte.com/v1 (Airbyte Cloud) or https://HOST/api/public/v1 (self-managed)."


class AirbyteError(IntegrationError):
    """Airbyte's API could not do what was asked of it."""

    status: int | None = None
    #: Seconds that the server asked us to stay away.
    retry_after: float | None = None

    def with_status(self, status: int | None, retry_after: float | None = None) -> AirbyteError:
        """Return this error, knowing the HTTP status that it comes from."""
        self.status, self.retry_after = status, retry_after
        return self


class AuthError(AirbyteError):
    """The credentials are refused."""


class NotAirbyte(AirbyteError):
    """What answers at the base URL is not Airbyte's API."""


class Refused(AirbyteError):
    """The API understood and refused; asking again changes nothing."""


class Unavailable(AirbyteError):
    """There was no answer, or one that may be better next time.

    `executed` is None when nobody knows whether the request was carried out, False when it certainly was not.
    """

    executed: bool | None = None


def said(body: Any) -> str:
    """Return what an error's body tells people; Airbyte has had several forms of it.

    >>> said({"title": "x", "detail": "in short", "data": {"message": "at length"}})
    'at length'
    >>> said({"message": "old form", "exceptionClassName": "a.b.C"}), said([1]), said(None)
    ('old form', '', '')
    """
    if not isinstance(body, dict):
        return ""
    data = body.get("data")
    told = (data.get("message") if isinstance(data, dict) else None, *map(body.get, ("detail", "message", "title")))
    return next((each.strip() for each in told if isinstance(each, str) and each.strip()), "")
