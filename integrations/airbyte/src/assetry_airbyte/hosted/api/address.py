"""Where Airbyte's APIs stand: the public one by which everything is done, and the internal one that knows more."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from assetry.plugin import IntegrationError
from assetry_toolkit.secrets import without_user

#: Both forms of a base URL, for every error that may come from a wrong one.
FORMS = "The base URL is https://api.airbyte.com/v1 (Airbyte Cloud) or https://HOST/api/public/v1 (self-managed)."
CLOUD = "https://api.airbyte.com/v1"
_CLOUD_HOSTS = ("api.airbyte.com", "cloud.airbyte.com")


@dataclass(frozen=True, slots=True)
class Address:
    """The URLs of one Airbyte.

    `public` is the base of the public API, `config` that of the internal configuration API, `web` that of the pages
    for people; none ends with a slash.

    >>> Address.of("https://airbyte.example.com").public
    'https://airbyte.example.com/api/public/v1'
    >>> Address.of("https://airbyte.example.com/api/v1/").public
    'https://airbyte.example.com/api/public/v1'
    >>> Address.of(None).config
    'https://cloud.airbyte.com/api/v1'
    >>> Address.of("http://localhost:8006/v1").config
    'http://localhost:8000/api/v1'
    """

    public: str
    config: str
    web: str

    @classmethod
    def of(cls, base_url: str | None, config_url: str | None = None) -> Address:
        """Return the address that a base URL means; raise `IntegrationError` when it has neither of the valid forms.

        The host alone is completed, and the internal API's URL of the same server is taken for the public one's.
        """
        given = (base_url or CLOUD).strip().rstrip("/")
        parts = urlsplit(given)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
            raise _wrong(base_url)
        if parts.username or parts.password:
            raise IntegrationError(
                "The base URL of Airbyte carries a user name or password.",
                hint='Give them apart: username = "…", password = { env = "NAME" }.',
            )
        if parts.hostname in _CLOUD_HOSTS:
            found = cls(CLOUD, "https://cloud.airbyte.com/api/v1", "https://cloud.airbyte.com")
        else:
            found = _self_managed(f"{parts.scheme}://{parts.netloc}", parts.path, base_url)
        return found if config_url is None else cls(found.public, config_url.rstrip("/"), found.web)

    @property
    def token(self) -> str:
        """Return the URL at which tokens are handed out."""
        return f"{self.public}/applications/token"

    def page(self, workspace: str | None, connection: str) -> str | None:
        """Return the page that shows a connection's syncs to people.

        >>> Address.of(None).page("w", "c")
        'https://cloud.airbyte.com/workspaces/w/connections/c/timeline'
        """
        return f"{self.web}/workspaces/{workspace}/connections/{connection}/timeline" if workspace else None


def _self_managed(host: str, path: str, given: str | None) -> Address:
    for ending in ("/api/public/v1", "/api/public", "/api/v1", "/api"):
        if path.endswith(ending):
            before = host + path.removesuffix(ending)
            return Address(f"{before}/api/public/v1", f"{before}/api/v1", before)
    if not path:
        return Address(f"{host}/api/public/v1", f"{host}/api/v1", host)
    if path == "/v1":
        # An Airbyte before 1.0: its two APIs had ports of their own.
        other = f"{host.removesuffix(':8006')}:8000" if host.endswith(":8006") else host
        return Address(f"{host}/v1", f"{other}/api/v1", other)
    raise _wrong(given)


def _wrong(given: str | None) -> IntegrationError:
    return IntegrationError(f"{without_user(given)!r} is not the base URL of an Airbyte API.", hint=FORMS)
