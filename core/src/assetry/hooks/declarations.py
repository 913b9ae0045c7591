"""What a plugin declares as data: kinds of integrations with their options, schemes of URLs, tables of project files.

So assetry knows whom to ask without asking, checks options before a plugin is called, and lists them for people.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

from assetry.errors import DefinitionError, near_names
from assetry.hooks.installed import PluginInfo
from assetry.types.fields import described, misfit
from assetry.types.options import OptionTable, OptionType, OptionTypes

#: The attribute of a plugin with its kinds: ``ASSETRY_KINDS = {"mill": {"tables": TEXTS.needed("…")}}``.
KINDS = "ASSETRY_KINDS"
#: The attribute of a plugin with its schemes: ``ASSETRY_SCHEMES = {"io": ("duckdb",)}``.
SCHEMES = "ASSETRY_SCHEMES"
#: The attribute of a plugin with the tables of a project file that are its own, each with what it may hold:
#: ``ASSETRY_TABLES = {"bells": OptionTable(options=…)}``; or their names alone, ``("bells",)``.
TABLES = "ASSETRY_TABLES"
#: The attribute of a plugin with its commands beside groups, for ``assetry --help``, which loads no plugin.
COMMANDS = "ASSETRY_COMMANDS"

#: The hook that loads what is of a kind.
LOAD = "assetry_load_assets"
#: By the word in `SCHEMES`, the hook that opens what is of a scheme.
OPENS: Mapping[str, str] = MappingProxyType(
    {"io": "assetry_open_io", "store": "assetry_open_store", "executor": "assetry_open_executor"}
)

Kinds = Mapping[str, OptionTypes]
Schemes = Mapping[str, tuple[str, ...]]


def kinds_of(plugin: Any, hooks: Iterable[str]) -> Kinds | None:
    """Return the kinds that a plugin declares, None when it declares none; raise `DefinitionError` for a wrong one.

    >>> from assetry.types.options import TEXT
    >>> class Mill: ASSETRY_KINDS = {"mill": {"folder": TEXT}}
    >>> list(kinds_of(Mill, ["assetry_load_assets"]))
    ['mill']
    """
    declared = getattr(plugin, KINDS, None)
    if declared is None:
        return None
    for kind, options in _table(declared, KINDS).items():
        _check_options(options, KINDS, kind)
    if declared and LOAD not in hooks:
        raise DefinitionError(f"{KINDS} names {', '.join(declared)}, and there is no {LOAD}")
    return {kind: dict(options) for kind, options in declared.items()}


def schemes_of(plugin: Any, hooks: Iterable[str]) -> Schemes:
    """Return the schemes that a plugin declares, by what they are of; raise `DefinitionError` for a wrong one.

    >>> class Duck: ASSETRY_SCHEMES = {"io": ["duckdb"]}
    >>> schemes_of(Duck, ["assetry_open_io"])
    {'io': ('duckdb',)}
    """
    found = {}
    for what, schemes in _table(getattr(plugin, SCHEMES, None) or {}, SCHEMES).items():
        if what not in OPENS:
            near = near_names(what, OPENS, most=1)
            meant = f"; did you mean {near[0]!r}?" if near else ""
            raise DefinitionError(f"{SCHEMES}: {what!r} is none of {', '.join(OPENS)}{meant}")
        if not isinstance(schemes, (list, tuple)) or not all(map(_is_scheme, schemes)):
            raise DefinitionError(f"{SCHEMES}: {what!r} is not a tuple of schemes without colons, such as ('duckdb',)")
        if schemes and OPENS[what] not in hooks:
            raise DefinitionError(f"{SCHEMES} names {', '.join(schemes)}, and there is no {OPENS[what]}")
        found[what] = tuple(schemes)
    return found


def tables_of(plugin: Any) -> Mapping[str, OptionTable | None]:
    """Return the tables of a project file that a plugin declares as its own, each with what it may hold, if it says so.

    Raises `DefinitionError` for a wrong one.

    >>> class Mill: ASSETRY_TABLES = ["mills"]
    >>> tables_of(Mill)
    {'mills': None}
    """
    declared = getattr(plugin, TABLES, None)
    if not isinstance(declared, Mapping):
        return dict.fromkeys(_names(plugin, TABLES))
    for name, table in _table(declared, TABLES).items():
        if not isinstance(table, OptionTable):
            raise DefinitionError(f"{TABLES}: {name!r} is {described(type(table))} instead of an OptionTable")
        amiss = misfit(table)
        if amiss is not None:
            raise DefinitionError(f"{TABLES}: {name!r} is an OptionTable, and its {amiss}")
        for options in (table.options, table.named or {}, *table.kinds.values()):
            _check_options(options, TABLES, name)
    return dict(declared)


def _check_options(options: Any, attribute: str, of: str) -> None:
    """Raise `DefinitionError` unless something is options by name, each well formed."""
    for name, given in _table(options, f"{attribute}: {of!r}").items():
        if not isinstance(given, OptionType):
            wrong = f"{attribute}: option {name!r} of {of!r} is {described(type(given))} instead of an OptionType"
            raise DefinitionError(wrong)
        amiss = misfit(given)
        if amiss is not None:
            raise DefinitionError(f"{attribute}: option {name!r} of {of!r} is an OptionType, and its {amiss}")


def commands_of(plugin: Any) -> tuple[str, ...]:
    """Return the commands that a plugin declares, none where it declares none; raise `DefinitionError` for wrong ones.

    >>> class Mill: ASSETRY_COMMANDS = ("grind",)
    >>> commands_of(Mill)
    ('grind',)
    """
    return _names(plugin, COMMANDS)


def _names(plugin: Any, attribute: str) -> tuple[str, ...]:
    found = getattr(plugin, attribute, None) or ()
    if not isinstance(found, (list, tuple)) or not all(isinstance(each, str) and each for each in found):
        raise DefinitionError(f"{attribute} is not a tuple of names, such as ('mills',)")
    return tuple(found)


def _is_scheme(value: Any) -> bool:
    return isinstance(value, str) and value != "" and ":" not in value


def _table(value: Any, name: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise DefinitionError(f"{name} is {described(type(value))} instead of a dict")
    for each in value:
        if not isinstance(each, str):
            raise DefinitionError(f"{name} has {described(type(each))} among its names, which are of str")
    return value


def declared_words(info: PluginInfo, hook: str) -> tuple[str, ...] | None:
    """Return the kinds or schemes for which a plugin says that it has a hook; None when it has to be asked.

    >>> info = PluginInfo("duck", "assetry-duck", "1", "duck", schemes={"io": ("duckdb",)})
    >>> declared_words(info, "assetry_open_io"), declared_words(info, "assetry_open_store")
    (('duckdb',), None)
    """
    if hook == LOAD:
        return None if info.kinds is None else tuple(info.kinds)
    return next((info.schemes.get(what) for what, opens in OPENS.items() if opens == hook), None)


def known_words(infos: Iterable[PluginInfo], hook: str) -> tuple[str, ...]:
    """Return all kinds or schemes that plugins declare for a hook, each once."""
    return tuple(dict.fromkeys(word for info in infos for word in declared_words(info, hook) or ()))
