"""A Meltano project: its plugins as they stand in one environment, and the pipelines made of them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from pathlib import Path
from typing import Any

from assetry.plugin import DefinitionError, IntegrationError, near_names
from assetry_toolkit.hosted.tables import Override
from assetry_toolkit.singer.targets import TargetTables, target_tables
from assetry_toolkit.yaml_files import place_of

from assetry_meltano.options import Options
from assetry_meltano.project.files import entries, expand, outer_environment, read_lock, read_project

#: What of a definition is for people, or chooses streams, which are looked at one by one.
_ASIDE = {"label", "logo_url", "docs", "repo", "description", "maintenance_status", "settings_preamble", "usage"}
_ASIDE |= {"hidden", "keywords", "domain_url", "quality", "next_steps", "select", "select_filter"}


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
        said = (
            variables.get(self.variable(name)),
            variables.get(_variable(self.namespace, name)),
            self.definition["config"].get(name),
            self.definition.get(name[1:]) if name.startswith("_") else None,
            self._defaults().get(name),
        )
        value = next((each for each in said if each is not None), None)
        return expand(value, variables) if isinstance(value, str) else value

    def secrets(self, variables: Mapping[str, str]) -> Iterator[str]:
        """Yield the values of the settings that the definition calls sensitive."""
        for each in entries(self.definition.get("settings")):
            if each.get("sensitive") or each.get("kind") == "password":
                value = self.setting(str(each.get("name")), variables)
                if isinstance(value, str) and value:
                    yield value

    def _defaults(self) -> dict[str, Any]:
        return {str(each.get("name")): each.get("value") for each in reversed(entries(self.definition.get("settings")))}


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
    environment: str | None
    extractors: Mapping[str, Plugin]
    loaders: Mapping[str, Plugin]
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
        name = options.environment or variables.get("MELTANO_ENVIRONMENT") or whole.get("default_environment")
        environment = _environment(whole, name, options)
        variables |= {"MELTANO_PROJECT_ROOT": str(folder), "MELTANO_ENVIRONMENT": name or ""}
        # Secrets are put in when Meltano is run.
        plain = {key: value for key, value in options.env.items() if isinstance(value, str)}
        for said in (whole.get("env"), environment.get("env"), plain):
            variables |= {key: expand(str(value), variables) or "" for key, value in (said or {}).items()}
        mappers = _listed(whole, "mappers")
        mappers += [each for mapper in mappers for each in entries(mapper.get("mappings"))]
        return cls(
            folder=folder,
            environment=name,
            extractors=_plugins("extractors", folder, whole, environment, texts),
            loaders=_plugins("loaders", folder, whole, environment, texts),
            mappings=[str(each.get("name")) for each in mappers],
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
        named = entries(self.whole.get("jobs"))
        jobs = {str(job.get("name")): tuple(self._of_words(_words(job.get("tasks")))) for job in named}
        for schedule in entries(self.whole.get("schedules")):
            ends = [str(schedule[end]) for end in ("extractor", "loader") if end in schedule]
            for pair in (*jobs.get(str(schedule.get("job")), ()), *self._of_words(ends)):
                found[pair] = str(schedule.get("interval") or "") or None
        found = {**{pair: None for pairs in jobs.values() for pair in pairs}, **found}
        if options.pairs or (not found and len(self.loaders) == 1):
            known = {(pair.extractor, pair.loader) for pair in found}
            ends_of_all = ((tap, to) for tap in self.extractors for to in self.loaders)
            found.update({Pair(ends): None for ends in ends_of_all if ends not in known})
        return found

    @property
    def environment_words(self) -> tuple[str, ...]:
        """Return the words that choose the environment."""
        return (f"--environment={self.environment}",) if self.environment else ("--no-environment",)

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

    def _pair(self, words: Sequence[str], options: Options) -> Pair:
        known = sorted({*self.extractors, *self.loaders, *self.mappings})
        strange = next((word for word in words if word not in known), None)
        found = list(self._of_words(words))
        if strange is None and len(found) == 1:
            return found[0]
        what = f"{strange!r} is no plugin" if strange else f"{' '.join(words)!r} is not one extractor with one loader"
        raise DefinitionError(
            f"pairs: {what} of this Meltano project.",
            where=f"integration {options.name!r}",
            near=near_names(strange, known) if strange else (),
            hint=f'For example pairs = ["tap-shop target-postgres"]. {self.folder / "meltano.yml"} has '
            f"{', '.join(known) or 'no plugins'}.",
        )


def _words(tasks: Any) -> list[str]:
    each = tasks if isinstance(tasks, list) else [tasks or ""]
    return [word for task in each for word in (_words(task) if isinstance(task, list) else str(task).split())]


def _environment(whole: Mapping[str, Any], name: str | None, options: Options) -> Mapping[str, Any]:
    known: dict[str, Mapping[str, Any]] = {str(each.get("name")): each for each in entries(whole.get("environments"))}
    if name is not None and name not in known:
        raise IntegrationError(
            f"This Meltano project has no environment {name!r}.",
            where=str(options.folder / "meltano.yml"),
            near=near_names(name, known),
            hint=f"It has {', '.join(known) or 'none'}; the option `environment` chooses one.",
        )
    return known.get(name or "", {})


def _plugins(
    kind: str, folder: Path, whole: Mapping[str, Any], environment: Mapping[str, Any], texts: Mapping[Path, str]
) -> dict[str, Plugin]:
    """Return the plugins of a type: what they inherit is below all, what the environment says above."""
    own = {str(each["name"]): each for each in _listed(whole, kind) if "name" in each}
    over = {str(each.get("name")): each for each in _listed(environment.get("config") or {}, kind)}
    found = {}
    for name in own:
        line = [name]
        while (parent := own[line[-1]].get("inherit_from")) in own and parent not in line:
            line.append(parent)
        line.reverse()
        first = own[line[0]]
        base = str(first.get("inherit_from") or line[0])
        layers = [read_lock(folder, kind, base, first.get("variant")), *(own[one] for one in line)]
        layers += [over.get(one) or {} for one in line]
        found[name] = Plugin(name, base, reduce(_over, layers, {}), place_of(name, texts, folder) or "meltano.yml")
    return found


def _listed(whole: Mapping[str, Any], kind: str) -> list[dict[str, Any]]:
    return entries((whole.get("plugins") or {}).get(kind))


def _over(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """Return a definition with another over it: settings one by one, the rest as a whole."""
    config = {**(one.get("config") or {}), **(other.get("config") or {})}
    settings = [*(other.get("settings") or ()), *(one.get("settings") or ())]
    return {**one, **other, "config": config, "settings": settings}
