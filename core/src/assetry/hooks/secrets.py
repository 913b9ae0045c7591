"""Secrets: definitions hold only their names; the values are in the environment, or with a plugin."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextvars import ContextVar
from typing import Any, TypeVar

from assetry.errors import PluginError, UsageError, near_names
from assetry.hooks.answers import fault
from assetry.hooks.installed import PluginInfo
from assetry.hooks.masks import SHORTEST, Mask
from assetry.types.codec import is_unicode

HOOK = "assetry_secret"

T = TypeVar("T")
#: Asks the plugins of the program that is calling a hook in this thread.
_ASK: ContextVar[Callable[[str], str] | None] = ContextVar("assetry_secrets", default=None)
#: The secrets that plugins are being asked for: one that needs another secret may not ask for the same again.
_ASKED: ContextVar[frozenset[str]] = ContextVar("assetry_secrets_asked", default=frozenset())


class Secrets:
    """The secrets that a program has handed out, and the `mask` that takes them out of what is shown.

    >>> secrets = Secrets()
    >>> secrets.note("s3cret")
    's3cret'
    >>> secrets.mask("401 for s3cret")
    '401 for ***'
    """

    def __init__(self) -> None:
        self.mask = Mask()
        self._lock = threading.Lock()

    def note(self, value: str) -> str:
        """Return a secret that is handed out; it is masked from now on."""
        if value not in self.mask.secrets and len(value) >= SHORTEST:
            with self._lock:
                self.mask = Mask(self.mask.secrets | {value})
        return value


def find_secret(
    name: str,
    infos: Iterable[PluginInfo],
    claim: Callable[[str, Mapping[str, Any], str], tuple[str, Any] | None],
    wrong: Callable[[str, str, str], PluginError],
) -> str:
    """Return a secret: an environment variable of that name, else what the one plugin answers that has it.

    `claim` asks the plugins, `wrong` makes the error for an answer that is no text. The value is in no error.
    """
    value = os.environ.get(name)
    if value is not None:
        return _whole(name, value)
    if name in _ASKED.get():
        raise _not_set(name)
    before = _ASKED.set(_ASKED.get() | {name})
    try:
        found = claim(HOOK, {"name": name}, f"the secret {name!r}")
    finally:
        _ASKED.reset(before)
    if found is None:
        raise _not_set(name, [info.label for info in infos if HOOK in info.hooks])
    answer: Any = found[1]
    amiss = fault(answer, str)
    if amiss is not None:
        raise wrong(found[0], HOOK, f"of {name!r} {amiss}")
    return _whole(name, str(answer))


def _whole(name: str, value: str) -> str:
    """Return the value of a secret; raise `UsageError` without it where that is no Unicode: no header can have it."""
    if is_unicode(value):
        return value
    raise UsageError(
        f"The secret {name} is not text in UTF-8.",
        hint="Set it to the very text that the service has given, without bytes of another encoding.",
    )


def _not_set(name: str, asked: Sequence[str] = ()) -> UsageError:
    also = f", or give it to {' or '.join(asked)}: it was asked, and has none" if asked else ""
    return UsageError(
        f"The secret {name} is not set.",
        near=near_names(name, os.environ, most=1),
        hint=f"Set the environment variable {name}{also}.",
    )


def answering(ask: Callable[[str], str] | None, work: Callable[..., T], *arguments: Any) -> T:
    """Do some work of a plugin; `read_secret` in it asks `ask`."""
    before = _ASK.set(ask)
    try:
        return work(*arguments)
    finally:
        _ASK.reset(before)


def answering_all(ask: Callable[[str], str], stream: Iterator[T]) -> Iterator[T]:
    """Pass on what a plugin's stream yields; `read_secret` in it asks `ask`, as in any other work of the plugin."""
    try:
        while True:
            try:
                each = answering(ask, next, stream)
            except StopIteration:
                return
            yield each
    finally:
        close = getattr(stream, "close", None)
        if close is not None:
            answering(ask, close)


def read_secret(name: str) -> str:
    """Return the secret `name`, an environment variable; raise `UsageError` when it is not set.

    For where there is no run to ask: a run's own is `RunContext.secret`. In a hook the plugins that provide secrets
    are asked as well, and what they answer is masked where assetry shows it.

    >>> read_secret("A_SECRET_THAT_IS_NOT_SET")
    Traceback (most recent call last):
    assetry.errors.UsageError: The secret A_SECRET_THAT_IS_NOT_SET is not set.
      Set the environment variable A_SECRET_THAT_IS_NOT_SET.
    """
    ask = _ASK.get()
    if ask is not None:
        # What is asked may come here again, for the environment.
        return answering(None, ask, name)
    value = os.environ.get(name)
    if value is None:
        raise _not_set(name)
    return _whole(name, value)
