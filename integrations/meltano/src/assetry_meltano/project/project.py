"""A Meltano project: its plugins as they stand in one environment, and the pipelines made of them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce
from pathlib import Path
from typing import Any

from assetry.plugin import DefinitionError, IntegrationError, near_names
from assetry_toolkit.hosted.tables import Override
from assetry_toolkit.singer.targets import TargetTables, target_tables
from assetry_toolkit.yaml_files import entries, mapping, named_entries, place_of

from assetry_meltano.options import Options
from assetry_meltano.project.files import expand, outer_environment, read_lock, read_project
from assetry_meltano.project.shapes import line_of, refuse_plugin, refuse_shape

#: What of a definition is for people, or chooses streams, which are looked at one by one.
_ASIDE = {"label", "logo_url", "docs", "repo", "description", "maintenance_status", "settings_preamble", "usage"}
_ASIDE |= {"hidden", "keywords", "domain_url", "quality", "next_steps", "select", "select_filter"}


_FOR_EXAMPLE = 'For example pairs = ["tap-shop target-postgres"].'


def _variable(prefix: str, setting: str) -> str:
    return re.sub(r"[^A-Z0-9]", "_", f"{prefix}_{setting}".upper())


@dataclass(frozen=True, slots=True)
class Plugin:
    """One plugin: its definition with what it inherits and what the environment says, settings not yet expanded.

    `base` is the name that its line of inheritance begins with, and `source` where it is defined.
    """

    name: str
    base: str
    definition: Mapping[str, Any]
    source: str

    @property
    def namespace(self) -> str:
        """Return the namespace, with which names of variables and tables begin."""
        return str(self.definition.get("namespace") or self.base.replace("-", "_"))

    @property
    def essence(self) -> dict[str, Any]:
        """Return what of the definition decides what the plugin does: no words for people, and no choice of streams."""
        rest = {name: each for name, each in self.definition.items() if name not in _ASIDE}
        return {**rest, "settings": {name: each for name, each in self._defaults().items() if each is not None}}

    def variable(self, setting: str) -> str:
        """Return the variable that sets a setting.

        >>> Plugin("tap-shop", "tap-shop", {}, "").variable("_select_filter")
        'TAP_SHOP__SELECT_FILTER'
        """
        return _variable(self.name, setting)

    def setting(self, name: str, variables: Mapping[str, str]) -> Any:
        """Return a setting, expanded: from a variable, the configuration, or the definition's default."""
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

    def _own(self, variables: Mapping[str, str]) -> Mapping[str, str]:
        """Return variables with those that the definition sets."""
        own = mapping(self.definition.get("env"))
        return {**variables, **{str(name): expand(str(each), variables) or "" for name, each in own.items()}}

    def _said(self, names: Sequence[str], more: Sequence[str], variables: Mapping[str, str]) -> Any:
        """Return what is said of a setting, by whichever of its `names`; `more` are variables that it has besides."""
        config, defaults = self.definition["config"], self._defaults()
        said = (
            *(variables.get(self.variable(name)) for name in names),
            *(variables.get(_variable(self.namespace, name)) for name in names),
            *(variables.get(name) for name in more),
            *(_within(config, name) for name in names),
            *(self.definition.get(name[1:]) if name.startswith("_") else None for name in names),
            *(defaults.get(name) for name in names),
        )
        return next((each for each in said if each is not None), None)

    def _defaults(self) -> dict[str, Any]:
        return {str(each.get("name")): each.get("value") for each in reversed(entries(self.definition.get("settings")))}


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


class Pair(tuple[str, ...]):
    """The words by which `meltano run` is given an extractor and the loader of its streams, and mappers between them.

    >>> str(Pair(("tap-shop", "target-duckdb")))
    'tap-shop target-duckdb'
    """

    __slots__ = ()

    @property
    def extractor(self) -> str:
        """Return the name of the extractor."""
        return self[0]

    @property
    def loader(self) -> str:
        """Return the name of the loader."""
        return self[-1]

    def __str__(self) -> str:
        return " ".join(self)


@dataclass(frozen=True, slots=True)
class MeltanoProject:
    """What the files of a project say, for one environment; `whole` is all of them put together."""

    folder: Path
    environment: str
    extractors: Mapping[str, Plugin]
    loaders: Mapping[str, Plugin]
    mappers: Mapping[str, Plugin]
    mappings: Sequence[str]
    whole: Mapping[str, Any]
    variables: Mapping[str, str] = field(repr=False)
    database_uri: str | None = field(repr=False, default=None)
    state_id_suffix: str | None = None

    @classmethod
    def of(cls, options: Options) -> MeltanoProject:
        """Read the project that an integration points at.

        Raises `IntegrationError` when its files cannot be read, or it has no such environment.
        """
        folder = options.folder
        whole, texts = read_project(folder)
        variables = outer_environment(folder)
        given = options.environment or variables.get("MELTANO_ENVIRONMENT") or whole.get("default_environment")
        name, environment = _environment(whole, given, folder)
        main = folder / "meltano.yml"
        at = str(folder / (place_of(name, texts, folder) or "meltano.yml"))
        refuse_shape(whole.get("env"), dict, "env", line_of("env", main))
        for word in ("env", "config"):
            refuse_shape(environment.get(word), dict, word, at)
        variables |= {"MELTANO_PROJECT_ROOT": str(folder), "MELTANO_ENVIRONMENT": name}
        # Secrets are put in when Meltano is run.
        plain = {key: value for key, value in options.env.items() if isinstance(value, str)}
        for said in (whole.get("env"), environment.get("env"), plain):
            variables |= {str(key): expand(str(value), variables) or "" for key, value in mapping(said).items()}
        mappers = _plugins("mappers", folder, whole, environment, texts)
        named = [each for own in _listed(whole, "mappers", folder) for each in named_entries(own, "mappings", main)]
        return cls(
            folder=folder,
            environment=name,
            extractors=_plugins("extractors", folder, whole, environment, texts),
            loaders=_plugins("loaders", folder, whole, environment, texts),
            mappers=mappers,
            mappings=[*mappers, *(str(each["name"]) for each in named)],
            whole=whole,
            variables=variables,
            database_uri=variables.get("MELTANO_DATABASE_URI") or whole.get("database_uri"),
            state_id_suffix=options.state_id_suffix or environment.get("state_id_suffix"),
        )

    def pairs(self, options: Options) -> dict[Pair, str | None]:
        """Return the pipelines that are asked for, else those of jobs and schedules, each with its interval if any.

        Where nothing names one and there is only one loader, every extractor goes there. Raises `DefinitionError` for a
        pair of plugins that the project does not have.
        """
        if options.pairs and options.pairs != ("all",):
            return {self._pair(text.split(), options): None for text in options.pairs}
        found: dict[Pair, str | None] = {}
        jobs = {str(job["name"]): tuple(self._of_job(job)) for job in self._entries("jobs")}
        for schedule in self._entries("schedules"):
            about = f"schedule {schedule['name']!r}"
            job, *ends = (str(schedule.get(each) or "") for each in ("job", "extractor", "loader"))
            self.refuse_strange(filter(None, [job]), jobs, about, "job")
            self.refuse_strange(filter(None, ends), {*self.extractors, *self.loaders}, about)
            for pair in (*jobs.get(job, ()), *self._of_words(ends)):
                found[pair] = str(schedule.get("interval") or "") or None
        found = {**{pair: None for pairs in jobs.values() for pair in pairs}, **found}
        if options.pairs or (not found and len(self.loaders) == 1):
            known = {(pair.extractor, pair.loader) for pair in found}
            ends_of_all = ((tap, to) for tap in self.extractors for to in self.loaders)
            found.update({Pair(ends): None for ends in ends_of_all if ends not in known})
        return found

    def secrets(self, variables: Mapping[str, str]) -> frozenset[str]:
        """Return the values of all that is sensitive, also what the mappings of a mapper set."""
        plugins = [*self.extractors.values(), *self.loaders.values()]
        for mapper in self.mappers.values():
            mappings = entries(mapper.definition.get("mappings"))
            plugins += [mapper, *(replace(mapper, definition=_over(mapper.definition, each)) for each in mappings)]
        return frozenset(text for plugin in plugins for text in plugin.secrets(variables))

    def state_id(self, pair: Pair) -> str:
        """Return the name under which Meltano keeps the state of a pair, and its runs."""
        return ":".join(filter(None, (self.environment, f"{pair.extractor}-to-{pair.loader}", self.state_id_suffix)))

    def variables_of(self, pair: Pair) -> dict[str, str]:
        """Return the variables that settings of a loader may name, those of its extractor among them."""
        tap, loader = self.extractors[pair.extractor], self.loaders[pair.loader]
        found = {**self.variables, "MELTANO_EXTRACTOR_NAME": tap.name, "MELTANO_EXTRACTOR_NAMESPACE": tap.namespace}
        found |= {"MELTANO_LOADER_NAME": loader.name, "MELTANO_LOADER_NAMESPACE": loader.namespace}
        schema = tap.setting("_load_schema", found) or tap.namespace
        return {**found, "MELTANO_EXTRACTOR__LOAD_SCHEMA": schema, "MELTANO_EXTRACT__LOAD_SCHEMA": schema}

    def tables(self, pair: Pair, given: Mapping[str, Mapping[str, Any]]) -> TargetTables:
        """Return where the streams of a pair go; `given` is what the options know better of loaders."""
        loader, variables = self.loaders[pair.loader], self.variables_of(pair)
        better = Override.among(given, pair.loader)
        return target_tables(
            loader.base, lambda name: loader.setting(name, variables), better=better, folder=self.folder
        )

    def _of_words(self, words: Sequence[str]) -> Iterator[Pair]:
        """Yield the pairs among the words of a job; what else it has, such as dbt, is not Meltano's alone."""
        begun: list[str] = []
        for word in words:
            if word in self.extractors:
                begun = [word]
            elif begun and word in self.mappings:
                begun.append(word)
            elif begun and word in self.loaders:
                yield Pair((*begun, word))
                begun = []

    def _entries(self, kind: str) -> list[dict[str, Any]]:
        return named_entries(self.whole, kind, self.folder / "meltano.yml")

    def _of_job(self, job: Mapping[str, Any]) -> Iterator[Pair]:
        """Return the pairs of a job; raise `DefinitionError` for a word that is no plugin, and no command of one."""
        words, plugins = _words(job.get("tasks")), mapping(self.whole.get("plugins"))
        others = [each for kind in plugins for each in _listed(self.whole, kind, self.folder)]
        known = {*self.mappings, *(str(each["name"]) for each in (*others, *self._entries("jobs")))}
        self.refuse_strange([each for each in words if ":" not in each], known, f"job {job['name']!r}")
        return self._of_words(words)

    def refuse_strange(self, words: Iterable[str], known: Iterable[str], of: str, what: str = "plugin") -> None:
        """Raise `DefinitionError` for a word that names nothing of a kind, `what`, in this project."""
        has = sorted(known)
        for word in words:
            if word not in has:
                raise DefinitionError(
                    f"{of}: {word!r} is no {what} of this Meltano project.",
                    where=str(self.folder / "meltano.yml"),
                    near=near_names(word, has),
                    hint=f"It has {', '.join(has) or 'none'}. {_FOR_EXAMPLE}",
                )

    def _pair(self, words: Sequence[str], options: Options) -> Pair:
        about = f"pairs of integration {options.name!r}"
        self.refuse_strange(words, {*self.extractors, *self.loaders, *self.mappings}, about)
        found = list(self._of_words(words))
        if len(found) == 1:
            return found[0]
        raise DefinitionError(f"{about}: {' '.join(words)!r} is not one extractor with one loader.", hint=_FOR_EXAMPLE)


def _words(tasks: Any) -> list[str]:
    each = tasks if isinstance(tasks, list) else [tasks or ""]
    return [word for task in each for word in (_words(task) if isinstance(task, list) else str(task).split())]


def _environment(whole: Mapping[str, Any], name: Any, folder: Path) -> tuple[str, Mapping[str, Any]]:
    where = folder / "meltano.yml"
    known = {str(each["name"]): each for each in named_entries(whole, "environments", where)}
    if str(name) in known:
        return str(name), known[str(name)]
    none = "Meltano runs nothing without an environment, and none is chosen."
    chosen = f"It has {', '.join(known)}; the option `environment` chooses one, or `default_environment` there."
    raise IntegrationError(
        f"This Meltano project has no environment {str(name)!r}." if name else none,
        where=str(where),
        near=near_names(str(name), known) if name else (),
        hint=chosen if known else "Add one, in the Meltano project: meltano environment add dev",
    )


def _plugins(
    kind: str, folder: Path, whole: Mapping[str, Any], environment: Mapping[str, Any], texts: Mapping[Path, str]
) -> dict[str, Plugin]:
    """Return the plugins of a type: what they inherit is below all, what the environment says above."""
    own = {str(each["name"]): each for each in _listed(whole, kind, folder)}
    over = {str(each["name"]): each for each in _listed(mapping(environment.get("config")), kind, folder)}
    places = {name: place_of(name, texts, folder) or "meltano.yml" for name in {**own, **over}}
    found = {}
    for name, entry in [*own.items(), *over.items()]:
        refuse_plugin(name, entry, str(folder / places[name]))
    for name in own:
        line = [name]
        while (parent := str(own[line[-1]].get("inherit_from"))) in own and parent not in line:
            line.append(parent)
        line.reverse()
        first = own[line[0]]
        base = str(first.get("inherit_from") or line[0])
        layers = [read_lock(folder, kind, base, first.get("variant")), *(own[one] for one in line)]
        layers += [over.get(one) or {} for one in line]
        found[name] = Plugin(name, base, reduce(_over, layers, {}), places[name])
    return found


def _listed(whole: Mapping[str, Any], kind: str, folder: Path) -> list[dict[str, Any]]:
    plugins, where = whole.get("plugins") or {}, folder / "meltano.yml"
    if not isinstance(plugins, dict):
        raise IntegrationError("plugins is no mapping.", where=str(where), hint=f"Write plugins: {{{kind}: […]}}.")
    return named_entries(plugins, kind, where)


def _over(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """Return a definition with another over it: settings one by one, the rest as a whole."""
    config = _deep(mapping(one.get("config")), mapping(other.get("config")))
    settings = [*entries(other.get("settings")), *entries(one.get("settings"))]
    env = {**mapping(one.get("env")), **mapping(other.get("env"))}
    return {**one, **other, **({"env": env} if env else {}), "config": config, "settings": settings}


def _deep(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """Return a configuration with another over it: Meltano compares each name with the dots that lead to it."""
    both = {name: _deep(one[name], each) for name, each in other.items() if _is_mapping(one.get(name), each)}
    return {**one, **other, **both}


def _is_mapping(*values: Any) -> bool:
    return all(isinstance(each, dict) for each in values)
