"""Where a PostgreSQL database is, read from a URL, and never shown with its password."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

from assetry.plugin import ValueStoreError


@dataclass(frozen=True, slots=True)
class Address:
    """A PostgreSQL database, and the schema for tables that have none of their own.

    `uri` is what libpq connects to, password included, and is not part of the text of an address.

    >>> Address.from_url("postgres://bob:secret@db.example.com/shop?schema=raw&sslmode=require")
    Address(name='db.example.com/shop', database='shop', schema='raw')
    """

    uri: str = field(repr=False)
    name: str
    database: str
    schema: str = "public"
    secrets: tuple[str, ...] = field(default=(), repr=False)

    @classmethod
    def from_url(cls, url: str) -> Address:
        """Read a URL; what follows ``?``, but `schema`, goes to libpq. Raises `ValueStoreError`, never echoing it."""
        try:
            parts = urlsplit(url)
            port = parts.port
            if not url.startswith(f"{parts.scheme}://"):
                raise ValueError(parts.scheme)
        except ValueError:
            raise ValueStoreError(
                "The PostgreSQL URL cannot be read.",
                hint="It is postgresql://USER:PASSWORD@HOST:PORT/DATABASE?schema=NAME, and characters such as "
                "'@', ':' and '/' in a password are percent-encoded.",
            ) from None
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        schema = query.pop("schema", "public")
        user = unquote(parts.username or "")
        database = unquote(parts.path.lstrip("/")) or query.get("dbname") or user
        host = parts.hostname or query.get("host") or "localhost"
        # Not geturl(): it drops the slashes of a URL without a host, which means the local socket.
        uri = f"postgresql://{parts.netloc}{parts.path}?{urlencode(query, quote_via=quote)}"
        passwords = {parts.password or "", unquote(parts.password or ""), query.get("password", "")} - {""}
        name = f"{host}{f':{port}' if port else ''}/{database}"
        return cls(uri, name, database, schema, tuple(sorted(passwords, key=len, reverse=True)))

    def scrub(self, text: str) -> str:
        """Return `text` without the password.

        >>> Address.from_url("postgresql://bob:secret@db.example.com/shop").scrub("no entry with secret")
        'no entry with ***'
        """
        for secret in (self.uri, *self.secrets):
            text = text.replace(secret, "***")
        return text
