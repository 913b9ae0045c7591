"""An object of the official SDK as configuration: its server and its credentials.

The SDK itself is not used to talk: its models refuse valid answers (connections with mappers, destinations, states
that are newer than it).
"""

from __future__ import annotations

import os
from typing import Any

from assetry.plugin import DefinitionError
from assetry_toolkit.live_objects import keep


def options_of(sdk: Any) -> dict[str, Any]:
    """Return the options that an `airbyte_api.AirbyteAPI` means; raise `DefinitionError` for anything else.

    A secret that is also the value of an environment variable is named by it, so that the run may happen anywhere;
    another one stays in this process.
    """
    try:
        configuration = sdk.sdk_configuration
        server, _ = configuration.get_server_details()
        security = configuration.security
    except AttributeError:
        raise DefinitionError(
            f"sdk is a {type(sdk).__name__} and no airbyte_api.AirbyteAPI.",
            hint="For example sdk=AirbyteAPI(server_url=…, security=…), or give base_url, client_id, client_secret.",
        ) from None
    found: dict[str, Any] = {"base_url": server}
    client = getattr(configuration, "client", None)
    if getattr(configuration, "client_supplied", False) and client is not None:
        found["http_client"] = keep(client)
    return {**found, **_credentials(security() if callable(security) else security)}


def _credentials(security: Any) -> dict[str, Any]:
    application = getattr(security, "client_credentials", None)
    if application is not None:
        return {"client_id": application.client_id, "client_secret": reference(application.client_secret)}
    basic = getattr(security, "basic_auth", None)
    if basic is not None:
        return {"username": basic.username, "password": reference(basic.password)}
    token = getattr(security, "bearer_auth", None)
    return {"token": reference(token)} if token else {}


def reference(value: str) -> dict[str, str]:
    """Return a reference to a secret: the environment variable that holds it, else one of this process."""
    names = sorted(name for name, held in os.environ.items() if held == value and value)
    return {"env": names[0]} if names else keep(value)
