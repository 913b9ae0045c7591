"""What can go wrong between an integration and a service, told apart by what is to be done about it.

    ServiceError          every one of them; carries the HTTP status, if there was one
    ├── AuthError         the credentials are refused
    │   └── MissingSecret no value is set for them
    ├── WrongAddress      something answers at that address, but not the service
    ├── Refused           the service answered, and said no
    └── Unavailable       no answer, or one that may be better next time

`assetry_toolkit.http` raises them for answers over HTTP; an integration that talks through a library of the service's
own raises them itself, and `assetry_toolkit.retries` and `assetry_toolkit.jobs` understand it.
"""

from __future__ import annotations

from collections.abc import Iterable

from assetry.plugin import IntegrationError


class ServiceError(IntegrationError):
    """A service could not do what was asked of it.

    `status` is the HTTP status of its answer, `retry_after` the seconds that it asked to be left alone; None each when
    it did not say.

    >>> ServiceError("Try later.", status=503, retry_after=7.0).retry_after
    7.0
    """

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        retry_after: float | None = None,
        where: str | None = None,
        near: Iterable[str] = (),
        hint: str | None = None,
    ) -> None:
        super().__init__(message, where=where, near=near, hint=hint)
        self.status = status
        self.retry_after = retry_after


class AuthError(ServiceError):
    """The credentials are refused."""


class MissingSecret(AuthError):
    """A secret that the options refer to has no value here, so nothing could be asked."""


class WrongAddress(ServiceError):
    """What answers there is not the service: a web page, a redirect, no certificate that is trusted, no URL at all."""


class Refused(ServiceError):
    """The service understood and refused; asking again changes nothing."""


class Unavailable(ServiceError):
    """There was no answer, or one that may be better next time (HTTP 429, 5xx, a connection that broke).

    `executed` is None when it is not known whether the request was carried out, False when it certainly was not.
    """

    executed: bool | None = None

    def before_execution(self) -> Unavailable:
        """Return this error, of a request that certainly was not carried out.

        >>> Unavailable("Nothing listens there.").before_execution().executed
        False
        """
        self.executed = False
        return self
