"""The places that URLs of values name: compared, shown, and asked for."""

from __future__ import annotations

import re
from functools import lru_cache
from posixpath import normpath
from urllib.parse import unquote

from assetry.types.assets import Asset


def place_of(url: str) -> str:
    """Return the place that a URL means, to be compared: without a query and so without a secret, and decoded.

    >>> place_of("duckdb:/srv/my%20shop/../shop.duckdb?schema=raw")
    'duckdb:/srv/shop.duckdb'
    """
    scheme, colon, rest = url.partition("?")[0].partition(":")
    path = unquote(rest)
    return f"{scheme}{colon}{normpath(path) if path.startswith('/') and not path.startswith('//') else path}"


def say_where(asset: Asset) -> str:
    """Return the next step for a table whose place is not known.

    >>> from assetry.types.assets import Integration
    >>> print(say_where(Asset(key="crm/orders", kind="mill", integration=Integration("crm", "mill"))))
    Name that place with `io` in assetry.toml: of integration 'crm', where it takes one, or of the project.
    """
    own = f"of integration {asset.integration.name!r}, where it takes one, or " if asset.integration is not None else ""
    return f"Name that place with `io` in assetry.toml: {own}of the project."


@lru_cache(maxsize=256)
def public_place(url: str) -> str:
    """Return the place that a URL means so that it can be kept and shown: without user and password.

    >>> public_place("postgresql://bob:secret@db.example.com/shop?schema=raw"), public_place("parquet:/srv/data")
    ('postgresql://db.example.com/shop', 'parquet:/srv/data')
    """
    return re.sub(r"^([^:/?#]+://)[^/]*@", r"\1", place_of(url))
