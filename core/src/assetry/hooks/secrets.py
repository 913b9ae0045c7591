"""Secrets: definitions hold only their names; the values are environment variables of the process that needs them."""

from __future__ import annotations

import os

from assetry.errors import UsageError, near_names


def read_secret(name: str) -> str:
    """Return the secret `name`, an environment variable; raise `UsageError` when it is not set.

    For where there is no run to ask: a run's own is `RunContext.secret`.

    >>> read_secret("A_SECRET_THAT_IS_NOT_SET")
    Traceback (most recent call last):
    assetry.errors.UsageError: The secret A_SECRET_THAT_IS_NOT_SET is not set.
      Set the environment variable A_SECRET_THAT_IS_NOT_SET.
    """
    value = os.environ.get(name)
    if value is None:
        raise UsageError(
            f"The secret {name} is not set.",
            near=near_names(name, os.environ, most=1),
            hint=f"Set the environment variable {name}.",
        )
    return value
