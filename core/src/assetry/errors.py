"""The errors a person can meet.

    AssetryError                     every error of assetry; catch this one to catch them all
    ├── UsageError                   the question is wrong (exit code 2)
    │   └── SelectionError           a selection that cannot be read, or that matches nothing
    ├── DefinitionError              the definitions cannot be loaded (exit code 3)
    │   ├── UnknownDependencyError   an asset depends on a key that nothing defines
    │   ├── AmbiguousNameError       a short name fits two assets
    │   ├── DuplicateKeyError        two definitions claim one key
    │   ├── CycleError               assets that wait for each other
    │   ├── ProjectFileError         assetry.toml cannot be understood
    │   ├── OptionError              an option of an integration is unknown, missing, or of another type
    │   └── IntegrationError         an integration cannot read what it was pointed at
    ├── PluginError                  a plugin is broken, or none fits
    │   ├── ClaimError               two plugins answered a question that only one may answer
    │   └── NoClaimError             no plugin answered
    ├── StoreError                   the records cannot be read or written
    │   └── StoreVersionError        the store was written by a newer assetry
    ├── ValueStoreError              a value cannot be kept, or read back
    │   └── NothingKeptError         there is no value yet
    ├── MetadataError                what a function tells of an asset cannot be kept
    └── RunError                     a run cannot go on
        ├── ConflictError            another run is building the same asset (exit code 5)
        ├── LeaseLostError           a run was taken for gone, and nothing more of it is recorded
        ├── JobOverError             an outside job that was to be followed will report nothing more
        └── RunFailedError           a run has ended, and not everything was made

Every error says what is wrong, where (``file:line``), what was probably meant, and what to do next.
An `AssetryError` is meant for people: the command line prints it without a traceback.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any


class AssetryError(Exception):
    """What went wrong, where, what was probably meant, and what to do next.

    `message` is one sentence; `where` a place such as ``sales.py:14``; `near` the near misses, best first;
    `hint` the next step. `exit_code` is what the command line ends with.

    >>> print(AssetryError("No asset 'odrers'.", where="sales.py:3", near=["orders"], hint="See `assetry list`."))
    No asset 'odrers'.
      at sales.py:3
      did you mean 'orders'?
      See `assetry list`.
    """

    exit_code = 1

    def __init__(
        self,
        message: str,
        *,
        where: str | None = None,
        near: Iterable[str] = (),
        hint: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = str(message)  # an exception is given as often as its text
        self.where = where
        self.near = tuple(near)
        self.hint = hint

    def __str__(self) -> str:
        lines = [self.message]
        if self.where:
            lines.append(f"  at {self.where}")
        if self.near:
            lines.append(f"  did you mean {' or '.join(as_typed(str(name)) for name in self.near)}?")
        if self.hint:
            lines += [f"  {line}" for line in self.hint.splitlines()]
        return "\n".join(lines)

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild, (type(self), self.message, self.where, self.near, self.hint))


def as_typed(text: str) -> str:
    """Return a text in quotes that a shell takes off again.

    >>> print(as_typed("orders"), as_typed("it's"))
    'orders' 'it'"'"'s'
    """
    return "'{}'".format(text.replace("'", """'"'"'"""))


def integration_at(where: str | None) -> str | None:
    """Return the integration that the place of an error names, where it says no more than that.

    >>> integration_at("integration 'shop'"), integration_at("shop.py:7")
    ('shop', None)
    """
    found = re.fullmatch(r"integration (['\"])(.+)\1", where or "")
    return found[2] if found else None


#: The next step where a plugin does what it must not.
PLUGIN_FAULT = "This is a fault of the plugin; report it to its authors."


def error_words(error: BaseException) -> str:
    """Return the type and the text of an exception, also of one whose text raises an exception itself.

    >>> error_words(ValueError("no such table"))
    'ValueError: no such table'
    """
    name = type(error).__name__
    try:
        return f"{name}: {error}"
    except Exception:
        return f"{name} (its text cannot be shown)"


def _rebuild(
    cls: type[AssetryError], message: str, where: str | None, near: tuple[str, ...], hint: str | None
) -> AssetryError:
    return cls(message, where=where, near=near, hint=hint)


class UsageError(AssetryError):
    """The question itself is wrong: an option, a name, a combination."""

    exit_code = 2


class SelectionError(UsageError):
    """A selection that cannot be read, or that matches nothing."""


class DefinitionError(AssetryError):
    """The definitions cannot be loaded; nothing was run.

    `option` is the name of the option that is at fault, where it is one of an integration, or of the `table` of the
    project file that is named, such as ``[notify.ops]``: its line is told, then. One that stands in tables within the
    options of an integration has their names before it: ``("loaders", "target-shop", "schema")``.
    """

    exit_code = 3

    def __init__(
        self, message: str, *, option: str | Sequence[str] | None = None, table: str | None = None, **more: Any
    ) -> None:
        super().__init__(message, **more)
        self.option = option if option is None or isinstance(option, str) else tuple(option)
        self.table = table


class UnknownDependencyError(DefinitionError):
    """An asset depends on a key that nothing defines; `missing` is that key, or name, where one is asked for."""

    def __init__(self, message: str, *, missing: str | None = None, **more: Any) -> None:
        super().__init__(message, **more)
        self.missing = missing


class AmbiguousNameError(DefinitionError):
    """A short name fits two assets; write the whole key."""


class DuplicateKeyError(DefinitionError):
    """Two definitions claim one key."""


class CycleError(DefinitionError):
    """Assets wait for each other; the message shows the path."""


class ProjectFileError(DefinitionError):
    """assetry.toml, or [tool.assetry] of pyproject.toml, cannot be understood."""


class OptionError(DefinitionError):
    """An option of an integration is unknown, of another type, or missing (then it has no `option`)."""


class IntegrationError(DefinitionError):
    """An integration cannot read what it was pointed at: a manifest, a profile, a service."""


class PluginError(AssetryError):
    """A plugin is broken, or none fits."""

    exit_code = 3


class ClaimError(PluginError):
    """Two plugins answered a question that only one may answer."""


class NoClaimError(PluginError):
    """No plugin answered."""


class StoreError(AssetryError):
    """The records cannot be read or written."""


class StoreVersionError(StoreError):
    """The store was written by a newer assetry."""


class ValueStoreError(AssetryError):
    """A value cannot be kept or read back by an IO manager."""


class NothingKeptError(ValueStoreError):
    """There is no value yet where it is looked for.

    `made` is the metadata of the record of when it was last made, where `RunContext.aggregate` knows of one: what was
    looked for is gone then, or elsewhere.
    """

    made: Mapping[str, Any] | None = None


class MetadataError(AssetryError):
    """What a function tells of an asset cannot be kept: its metadata, or the version of its data."""


class RunError(AssetryError):
    """A run cannot start or go on."""


class ConflictError(RunError):
    """Another run is building the same asset.

    `held` is what other runs have leased of what was to be made, as the store tells it (`HeldLease`).
    """

    exit_code = 5
    held: tuple[Any, ...] = ()


class OutdatedPlanError(ConflictError):
    """Another run has made or tried what was planned, before this one had leased it."""


class LeaseLostError(RunError):
    """A run was taken for gone, or cannot show that it is not: its tools are stopped, and nothing more is recorded."""


class JobOverError(RunError):
    """The outside job that a `Handle` named will report nothing more: it is dead, gone, or was cancelled elsewhere.

    Raised by `assetry_invoke` when that is certain. The core forgets the token. When the job was one of an earlier run,
    given as `RunContext.resume`, it calls once more at once, without a token, for what has no end yet; otherwise the
    invocation is broken, and the next ``assetry retry`` starts what is left anew.

    >>> JobOverError("Job 7 was cancelled in the mill.").exit_code
    1
    """


class RunFailedError(RunError):
    """A run has ended, and not everything was made or an error check failed; asked for by ``raise_on_error=True``."""


def near_names(name: str, known: Iterable[str], most: int = 3) -> tuple[str, ...]:
    """Return the known names nearest to `name`, best first.

    A name is near when it is spelt almost the same, or when its last part is (``orders`` for ``shop/orders``), or as
    many of its last parts as are asked for.

    >>> near_names("odrers", ["shop/orders", "shop/customers"]), near_names("raw/odrers", ["shop/raw/orders"])
    (('shop/orders',), ('shop/raw/orders',))
    """
    import difflib  # only errors need it

    candidates = list(dict.fromkeys(known))
    by_fold: dict[str, list[str]] = {}
    wanted = name.casefold()
    parts = wanted.count("/") + 1
    for candidate in candidates:
        whole = candidate.casefold()
        for form in dict.fromkeys((whole, whole.rsplit("/", 1)[-1], "/".join(whole.split("/")[-parts:]))):
            by_fold.setdefault(form, []).append(candidate)
    forms = difflib.get_close_matches(wanted, by_fold, n=most, cutoff=0.6)
    tail = wanted.rsplit("/", 1)[-1]
    if tail != wanted:
        forms += difflib.get_close_matches(tail, by_fold, n=most, cutoff=0.6)
    found = dict.fromkeys(candidate for form in forms for candidate in by_fold[form])
    return tuple(found)[:most]
