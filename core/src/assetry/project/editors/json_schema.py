"""The JSON schema of a project file, made of the declarations by which the file is read: assetry's and plugins'.

Editors read it in draft 7: those that stand on Taplo (Even Better TOML), Tombi, and what checks JSON in general. Taplo
completes what ``properties`` and ``anyOf`` have, and does not look into ``if`` and ``then``, by which it checks. So the
table of an integration lists the options of all kinds, and its kind decides which of them are right.

It is never stricter than the readers are, and lists exactly the keys that they know.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from assetry.hooks.declarations import LOAD
from assetry.hooks.installed import PluginInfo
from assetry.project.settings import OPTIONS, OWN_TABLES
from assetry.types.codec import plain
from assetry.types.options import ANYTHING, CommandOption, OptionTable, OptionType, OptionTypes

_DRAFT = "http://json-schema.org/draft-07/schema#"
_KIND = "kind"

Schema = dict[str, Any]


def file_schema(plugins: Iterable[PluginInfo], further: Iterable[CommandOption] = ()) -> Schema:
    """Return the schema of ``assetry.toml`` where some plugins are loaded; `further` are the options of commands.

    >>> schema = file_schema([])
    >>> schema["properties"]["store"]["default"]
    'sqlite:.assetry/state.db'
    """
    known = tuple(plugins)
    kinds = _kinds(known, tuple(further))
    # A plugin that does not declare its kinds has to be asked, which a schema cannot.
    asked = any(info.kinds is None and LOAD in info.hooks for info in known)
    tables = {name: _table(table) for name, table in OWN_TABLES.items()}
    tables["integrations"] = _table(replace(OWN_TABLES["integrations"], kinds=kinds), open_=asked)
    for info in known:
        tables |= {name: {"type": "object"} if table is None else _table(table) for name, table in info.tables.items()}
    return {
        "$schema": _DRAFT,
        "title": "assetry.toml",
        "description": "A project of assetry.",
        **_object(OPTIONS, tables),
    }


def option_schema(option: OptionType) -> Schema:
    """Return the schema of the values of an option, with what it is for.

    >>> from assetry.types.options import FLAG
    >>> option_schema(FLAG.about("Ring louder.", default=False))
    {'description': 'Ring louder. (true or false; false unless given)', 'type': 'boolean', 'default': False}
    """
    default = {} if option.default is None else {"default": plain(option.default)}
    return {**_described(_values(option), _told(option)), **default}


def _values(option: OptionType) -> Schema:
    found: Schema = {"enum": list(option.choices)} if option.choices else plain(option.json_schema)
    return found


def _told(option: OptionType) -> str:
    return f"{option.help} ({option.terms})" if option.help else option.terms


def _described(values: Schema, told: str) -> Schema:
    """Return a schema with a description; of several forms each has it, because Taplo shows these by themselves."""
    found = {"description": told, **values}
    if "anyOf" in values:
        found["anyOf"] = [{"description": told, **each} for each in values["anyOf"]]
    return found


def _kinds(plugins: Iterable[PluginInfo], further: Iterable[CommandOption]) -> dict[str, OptionTypes]:
    """Return the options of each kind, those that commands take among them: they are known in the file, too."""
    return {
        kind: {**{each.name: ANYTHING.about(each.help) for each in further if each.kind == kind}, **options}
        for info in plugins
        for kind, options in (info.kinds or {}).items()
    }


def _table(table: OptionTable, open_: bool = False) -> Schema:
    """Return the schema of a table; where it is `open_`, tables within it may be of kinds that are not known."""
    told = {"description": table.help} if table.help else {}
    if table.named is None:
        return {**told, **_object(table.options)}
    each = _of_kinds(table.named, table.kinds, open_) if table.kinds or open_ else _object(table.named)
    return {**told, **_object(table.options), "additionalProperties": each}


def _object(options: OptionTypes, more: Mapping[str, Schema] | None = None) -> Schema:
    held = {name: each for name, each in options.items() if not each.in_python}
    found = {
        "type": "object",
        "properties": {**{name: option_schema(each) for name, each in held.items()}, **(more or {})},
        "additionalProperties": False,
    }
    needed = [name for name, each in held.items() if each.required]
    return {**found, "required": needed} if needed else found


def _of_kinds(common: OptionTypes, kinds: Mapping[str, OptionTypes], open_: bool) -> Schema:
    """Return the schema of a table whose kind decides what else it may hold."""
    takers: dict[str, dict[str, OptionType]] = {}
    for kind, options in kinds.items():
        for name, each in options.items():
            if not each.in_python and name not in common:
                takers.setdefault(name, {})[kind] = each
    schema = _object(common)
    schema["properties"] |= {name: _united(by_kind, open_) for name, by_kind in takers.items()}
    words = {"enum": list(kinds)}
    schema["properties"][_KIND] |= {"anyOf": [words, {"type": "string"}]} if open_ else words
    schema["additionalProperties"] = True  # which keys there may be is said for each kind
    rest: Schema = {}
    for kind in reversed(list(kinds)):
        own = {name: by_kind[kind] for name, by_kind in takers.items() if kind in by_kind}
        # What has the same values in all kinds was checked above.
        said = {name: _values(each) if open_ or len(_forms(takers[name])) > 1 else True for name, each in own.items()}
        needed = [name for name, each in own.items() if each.required]
        branch = {
            "if": {"properties": {_KIND: {"const": kind}}, "required": [_KIND], "additionalProperties": True},
            "then": {
                "properties": {**dict.fromkeys(common, True), **said},
                "additionalProperties": False,
                **({"required": needed} if needed else {}),
            },
        }
        rest = {**branch, "else": {**rest, "additionalProperties": True}} if rest else branch
    return {**schema, **rest}


def _forms(by_kind: Mapping[str, OptionType]) -> list[Schema]:
    """Return what values an option may have in its kinds, each form of that once."""
    found: list[Schema] = []
    for each in map(_values, by_kind.values()):
        if each not in found:
            found.append(each)
    return found


def _united(by_kind: Mapping[str, OptionType], open_: bool) -> Schema:
    """Return one schema for an option of several kinds: what it is in each, and any of the values that it may have."""
    kinds: dict[str, list[str]] = {}
    for kind, each in by_kind.items():
        kinds.setdefault(_told(each), []).append(kind)
    told = "\n\n".join(f"{', '.join(names)}: {each}" for each, names in kinds.items())
    forms = _forms(by_kind)
    if open_ or len(forms) > 1:
        return _described({"anyOf": [*forms, *([{}] if open_ else [])]}, told)
    default = next(iter(by_kind.values())).default
    same = default is not None and all(each.default == default for each in by_kind.values())
    return {**_described(forms[0], told), **({"default": plain(default)} if same else {})}
