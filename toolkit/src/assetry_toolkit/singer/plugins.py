"""Taps, targets and mappers as they are defined where they are published: their settings, and what sets them.

A definition is a mapping as <https://hub.meltano.com> has it, and the files that are kept of it: `namespace`,
`capabilities`, and `settings` with `name`, `kind`, `sensitive`, `aliases`, `env` and `value`, the default. A project
lays over it what is its own: `config`, `env`, more settings; and `inherit_from`, where one plugin is made of another.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from glob import escape
from pathlib import Path
from shutil import which
from typing import Any

from assetry.plugin import IntegrationError

from assetry_toolkit.definitions.variables import expand, with_variables
from assetry_toolkit.files import read_json
from assetry_toolkit.yaml_files import entries, mapping, refuse_shape

#: What of a definition is for people, or chooses streams, which are looked at one by one.
_ASIDE = {"label", "logo_url", "docs", "repo", "description", "maintenance_status", "settings_preamble", "usage"}
_ASIDE |= {"hidden", "keywords", "domain_url", "quality", "next_steps", "select", "select_filter"}
#: Versions that do something wrong of which their runner says nothing, by package.
_FAULTS = {("target-duckdb", "0.8.0"): "may lose the first row of each batch, and ends well all the same"}


@dataclass(frozen=True, slots=True)
class Plugin:
    """One plugin: its definition with all that is laid over it, settings not yet expanded.

    `base` is the name that its line of inheritance begins with, `source` where it is defined, and `places` are where
    something is said of it, that one first.

    >>> settings = [{"name": "auth.token", "sensitive": True}, {"name": "days", "value": 7}]
    >>> shop = Plugin("tap-shop", "tap-shop", {"settings": settings, "config": {"auth": {"token": "$TOKEN"}}})
    >>> shop.setting("auth.token", {"TOKEN": "t0ken"}), shop.setting("days", {"TAP_SHOP_DAYS": "1"})
    ('t0ken', '1')
    >>> [*shop.secrets({"TOKEN": "t0ken"})]
    ['t0ken']
    """

    name: str
    base: str
    definition: Mapping[str, Any]
    places: Sequence[str] = ()
    #: The names of those that it is made of, itself the last.
    line: Sequence[str] = ()

    @property
    def namespace(self) -> str:
        """Return the namespace, with which names of variables and tables begin."""
        return str(self.definition.get("namespace") or self.base.replace("-", "_"))

    @property
    def source(self) -> str:
        """Return where it is defined."""
        return next(iter(self.places), "")

    @property
    def config(self) -> Mapping[str, Any]:
        """Return its configuration."""
        return mapping(self.definition.get("config"))

    @property
    def essence(self) -> dict[str, Any]:
        """Return what of the definition decides what the plugin does: no words for people, and no choice of streams."""
        rest = {name: each for name, each in self.definition.items() if name not in _ASIDE}
        return {**rest, "settings": {name: each for name, each in self._defaults().items() if each is not None}}

    def can(self, capability: str) -> bool:
        """Tell whether it has a capability, such as ``discover``; one of which none is said has all."""
        return capability in (self.definition.get("capabilities") or (capability,))

    def absent(
        self, kind: str, folder: Path, environments: Path, path: str | None = None, install: str = ""
    ) -> str | None:
        """Return that its program is not there, as words of a sentence; None where it is, or where that is not known.

        One with a `pip_url` is in an environment below `environments` with the name of one of its line, of its `kind`
        (``loaders``), and `install` says how it comes there. Else its executable is a file of `folder`, or on `path`.

        >>> shop = Plugin("tap-shop", "tap-shop", {"executable": "./shop.py"})
        >>> shop.absent("extractors", Path("nowhere"), Path("nowhere"))
        'shop.py, the executable of extractor tap-shop, is not in nowhere'
        """
        what, program = f"{kind.removesuffix('s')} {self.name}", str(self.definition.get("executable") or self.base)
        if self.definition.get("pip_url"):
            places = (environments / kind / name / "venv" / "bin" / program for name in {*self.line, self.base})
            return None if any(map(Path.exists, places)) else f"{what} is not installed ({install})"
        if not self.definition.get("executable") or "$" in program:
            return None
        if which(str(folder / program) if "/" in program else program, path=path):
            return None
        told, at = f"{Path(program)}, the executable of {what},", folder / program
        if "/" not in program:
            return f"{told} is not on PATH"
        return f"{told} may not be executed (chmod +x {at})" if at.exists() else f"{told} is not in {folder}"

    def known_fault(self, kind: str, environments: Path) -> str | None:
        """Return what the version that is installed is known to do wrong, as words of a sentence; None for nothing.

        It is looked for where `absent` looks. One that was not installed from a registry may be mended.

        >>> Plugin("target-duckdb", "target-duckdb", {}).known_fault("loaders", Path("nowhere"))
        """
        for (package, version), fault in _FAULTS.items():
            for name in dict.fromkeys((*self.line, self.base)):
                home = environments / kind / escape(name) / "venv"
                for found in home.glob(f"lib/python*/site-packages/{package.replace('-', '_')}-{version}.dist-info"):
                    if not (found / "direct_url.json").exists():
                        return f"{package} {version} {fault}"
        return None

    def variable(self, setting: str) -> str:
        """Return the variable that sets a setting.

        >>> Plugin("tap-shop", "tap-shop", {}).variable("_select_filter")
        'TAP_SHOP__SELECT_FILTER'
        """
        return _variable(self.name, setting)

    def setting(self, name: str, variables: Mapping[str, str]) -> Any:
        """Return a setting, expanded: from a variable, the configuration, or the definition's default.

        Dots in its name lead into mappings. One that begins with an underscore may stand beside the settings, in the
        definition itself and without it: ``_load_schema`` as ``load_schema``.
        """
        variables = self._own(variables)
        value = self._said([name], (), variables)
        return expand(value, variables) if isinstance(value, str) else value

    def secrets(self, variables: Mapping[str, str]) -> Iterator[str]:
        """Yield the texts in the values of the settings that the definition calls sensitive."""
        variables = self._own(variables)
        for each in entries(self.definition.get("settings")):
            if each.get("sensitive") or each.get("kind") == "password":
                aliases, known_as = each.get("aliases"), each.get("env")
                names = [str(each.get("name")), *(map(str, aliases) if isinstance(aliases, list) else ())]
                value = self._said(names, [known_as] if isinstance(known_as, str) else (), variables)
                if isinstance(value, str) and each.get("kind") in ("array", "object"):
                    value = _parsed(value)
                yield from _texts(value, variables)

    def over(self, other: Mapping[str, Any]) -> Plugin:
        """Return it with another definition over its own."""
        return Plugin(self.name, self.base, _over(self.definition, other), self.places, self.line)

    def _own(self, variables: Mapping[str, str]) -> Mapping[str, str]:
        """Return variables with those that the definition sets."""
        return with_variables(variables, mapping(self.definition.get("env")))

    def _said(self, names: Sequence[str], more: Sequence[str], variables: Mapping[str, str]) -> Any:
        """Return what is said of a setting, by whichever of its `names`; `more` are variables that it has besides."""
        defaults = self._defaults()
        said = (
            *(variables.get(self.variable(name)) for name in names),
            *(variables.get(_variable(self.namespace, name)) for name in names),
            *(variables.get(name) for name in more),
            *(_within(self.config, name) for name in names),
            *(self.definition.get(name[1:]) if name.startswith("_") else None for name in names),
            *(defaults.get(name) for name in names),
        )
        return next((each for each in said if each is not None), None)

    def _defaults(self) -> dict[str, Any]:
        return {str(each.get("name")): each.get("value") for each in reversed(entries(self.definition.get("settings")))}


def plugins_of(
    own: Mapping[str, Mapping[str, Any]],
    over: Mapping[str, Mapping[str, Any]],
    published: Callable[[str, str | None], Mapping[str, Any]],
    places: Mapping[str, Sequence[str]],
) -> dict[str, Plugin]:
    """Return the plugins of a project: what they inherit is below all, and above all what is `over` them, if anything.

    All by name. `published` returns the definition of a name and a variant, empty where there is none; `places` say
    where they are defined, and then where something is laid over that.

    >>> own = {"tap-shop": {"config": {"days": 7}}, "tap-eu": {"inherit_from": "tap-shop", "config": {"land": "eu"}}}
    >>> found = plugins_of(own, {"tap-shop": {"config": {"days": 1}}}, lambda name, variant: {}, {})
    >>> found["tap-eu"].base, found["tap-eu"].config
    ('tap-shop', {'days': 1, 'land': 'eu'})
    """
    found = {}
    for name in own:
        line = [name]
        while (parent := str(own[line[-1]].get("inherit_from"))) in own and parent not in line:
            line.append(parent)
        line.reverse()
        first = own[line[0]]
        base = str(first.get("inherit_from") or line[0])
        layers = [published(base, first.get("variant")), *(own[one] for one in line)]
        layers += [over.get(one) or {} for one in line]
        found[name] = Plugin(name, base, reduce(_over, layers, {}), places.get(name, ()), line)
    return found


def locked_definition(folder: Path, name: str, variant: str | None) -> Mapping[str, Any]:
    """Return the definition of a plugin that is kept in a lock file of a folder; an empty one where there is none.

    >>> locked_definition(Path("nowhere"), "tap-shop", None)
    {}
    """
    wanted = f"{escape(name)}--{escape(str(variant)) if variant else '*'}.lock"
    return next(filter(None, map(read_json, sorted(folder.glob(wanted)))), {})


def check_definition(name: str, definition: Mapping[str, Any], where: str) -> None:
    """Raise `IntegrationError` for a definition of which a part has another shape than it has to have.

    >>> check_definition("tap-shop", {"config": {"days": 1}, "settings": []}, "mill.yml:3")
    """
    for word in ("config", "env"):
        refuse_shape(definition.get(word), dict, word, where)
    for word in ("settings", "capabilities"):
        refuse_shape(definition.get(word), list, word, where)
    for word in (name, str(definition.get("inherit_from") or "")):
        if "/" in word:
            hint = "A folder is kept for each plugin by its name."
            raise IntegrationError(f"{word!r} is no name of a plugin.", where=where, hint=hint)


def _variable(prefix: str, setting: str) -> str:
    return re.sub(r"[^A-Z0-9]", "_", f"{prefix}_{setting}".upper())


def _over(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """Return a definition with another over it: settings one by one, the rest as a whole."""
    config = _deep(mapping(one.get("config")), mapping(other.get("config")))
    settings = [*entries(other.get("settings")), *entries(one.get("settings"))]
    env = {**mapping(one.get("env")), **mapping(other.get("env"))}
    return {**one, **other, **({"env": env} if env else {}), "config": config, "settings": settings}


def _deep(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """Return a configuration with another over it: each name counts with the dots that lead to it."""
    both = [name for name, each in other.items() if isinstance(each, dict) and isinstance(one.get(name), dict)]
    return {**one, **other, **{name: _deep(one[name], other[name]) for name in both}}


def _within(config: Mapping[str, Any], name: str) -> Any:
    """Return what stands under a name, dots in which lead into mappings."""
    if name in config:
        return config[name]
    found = ((name[:at], name[at + 1 :]) for at, letter in enumerate(name) if letter == ".")
    inner = ((mapping(config.get(first)), rest) for first, rest in found)
    return next((value for each, rest in inner if (value := _within(each, rest)) is not None), None)


def _parsed(text: str) -> Any:
    """Return a list or a mapping as a variable has it, in JSON; the text where it is none."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def _texts(value: Any, variables: Mapping[str, str]) -> Iterator[str]:
    """Yield the texts and numbers in a value, expanded, as texts."""
    if isinstance(value, (dict, list)):
        for each in value.values() if isinstance(value, dict) else value:
            yield from _texts(each, variables)
    elif value is not None and not isinstance(value, bool) and (text := expand(str(value), variables)):
        yield text
