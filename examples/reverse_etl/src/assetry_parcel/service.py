"""Parcel over HTTP."""

from collections.abc import Callable

from assetry.plugin import Integration
from assetry_toolkit.auth import bearer
from assetry_toolkit.http import Api, Http
from assetry_toolkit.secrets import resolve


def connect(place: Integration, secret: Callable[[str], str]) -> Http:
    """Return the API of an integration's Parcel; `secret` is asked for the key by the first request."""
    hint = f"Make a key in Parcel, and put it where api_key under [integrations.{place.name}] says."
    api = Api(name="Parcel", base=f"{place.options['url'].rstrip('/')}/api/v1", auth_hint=hint)
    return Http(api, bearer(lambda: resolve(place.options["api_key"], secret), named="the API key"))
