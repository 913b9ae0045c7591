"""What loading an integration is given: secrets, and the ear for what the load depends on."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from assetry.hooks.secrets import read_secret
from assetry.types.contexts import PathLike


def _unseen(_: Path) -> None:
    return None


class Loading:
    """The `LoadContext` of one load, and what the plugin said of it.

    `look` is called with each path when the plugin names it, before it is read; `paths` has what it returned, by the
    absolute path. `variables` are the names of environment variables, each with its value, None for one that is not
    set. `told` says whether the plugin named anything at all, `secret_asked` whether it asked for a secret.

    >>> loading = Loading("/shop")
    >>> loading.reads("sql", variables=["HOME_OF_NOTHING"])
    >>> [path.as_posix() for path in loading.paths], loading.variables
    (['/shop/sql'], {'HOME_OF_NOTHING': None})
    """

    def __init__(
        self, root: str, secret: Callable[[str], str] = read_secret, look: Callable[[Path], Any] = _unseen
    ) -> None:
        self._root = Path(root)
        self._look = look
        self._secret = secret
        self.paths: dict[Path, Any] = {}
        self.variables: dict[str, str | None] = {}
        self.told = False
        self.secret_asked = False

    def secret(self, name: str) -> str:
        """Return a secret by its name; raise `UsageError` when it is not set."""
        self.secret_asked = True
        return self._secret(name)

    def reads(self, *paths: str | PathLike, variables: Iterable[str] = ()) -> None:
        """Hear what the load is about to read."""
        self.told = True
        for each in paths:
            path = Path(os.path.abspath(self._root / each))  # noqa: PTH100 - a link counts as itself
            if path not in self.paths:
                self.paths[path] = self._look(path)
        for name in (variables,) if isinstance(variables, str) else variables:
            self.variables.setdefault(name, os.environ.get(name))
