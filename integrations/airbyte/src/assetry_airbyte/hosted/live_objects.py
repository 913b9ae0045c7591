"""Live objects that a person hands over in Python: an HTTP client, the security of an SDK object, a clock.

Definitions are plain JSON, so they hold only a reference to such an object, ``{"given": "1"}``. It is known in the
process that made it and nowhere else; whoever runs on other machines gives secrets by environment variables instead.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Mapping
from typing import Any

from assetry.plugin import IntegrationError

_KEPT: dict[str, Any] = {}
_NUMBERS = itertools.count(1)
_LOCK = threading.Lock()


def keep(thing: Any) -> dict[str, str]:
    """Return a reference to a live object of this process; the same one for the same object.

    >>> thing = object()
    >>> take(keep(thing)) is thing, keep(thing) == keep(thing)
    (True, True)
    """
    with _LOCK:
        for reference, kept in _KEPT.items():
            if kept is thing or (isinstance(thing, str) and kept == thing):
                return {"given": reference}
        reference = str(next(_NUMBERS))
        _KEPT[reference] = thing
        return {"given": reference}


def take(reference: Mapping[str, str]) -> Any:
    """Return what a reference means; raise `IntegrationError` when it was made in another process."""
    try:
        return _KEPT[reference["given"]]
    except KeyError:
        raise IntegrationError(
            "An object that was handed over in Python (an SDK object, an HTTP client) is not known in this process.",
            hint='Configure Airbyte by values instead: base_url="…", client_id="…", client_secret={"env": "NAME"}.',
        ) from None
