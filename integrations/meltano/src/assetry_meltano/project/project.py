"""A Meltano project: its plugins as they stand in one environment, and the pipelines made of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from assetry.plugin import DefinitionError, Integration, IntegrationError, near_names
from assetry_toolkit.definitions.projects import needed_folder
from assetry_toolkit.definitions.variables import folder_variables, with_variables
from assetry_toolkit.hosted.tables import Override
from assetry_toolkit.singer.pairs import Pair, words_of
from assetry_toolkit.singer.plugins import Plugin, check_definition, locked_definition, plugins_of
from assetry_toolkit.singer.targets import TargetTables, target_tables
from assetry_toolkit.yaml_files import YamlFiles, entries

from assetry_meltano.options import Options

#: The kinds of plugins that Meltano knows (`meltano.core.plugin.base.PluginType`): those that load come first.
KINDS = (
    *("extractors", "loaders", "mappers", "utilities", "orchestrators"),
    *("transformers", "transforms", "files", "mappings"),
)
_HUB = "One that Meltano Hub has needs its lock file: in the Meltano project, meltano lock --plugin-type {} {}"


@dataclass(frozen=True, slots=True)
class MeltanoProject:
    """What the files of a project say, for one environment."""

    options: Options
    files: YamlFiles
    environment: str
    extractors: Mapping[str, Plugin]
    loaders: Mapping[str, Plugin]
    mappers: Mapping[str, Plugin]
    variables: Mapping[str, str] = field(repr=False)
    state_id_suffix: str | None = None

    @classmethod
    def of(cls, integration: Integration) -> MeltanoProject:
        """Read the project that an integration points at, as Meltano reads it.

        Raises `IntegrationError` when its files cannot be read, or it has no such environment, `DefinitionError` for
        wrong options.
        """
        options = Options.of(integration)
        folder = needed_folder(options, options.folder, "meltano.yml")
        files = YamlFiles.read(folder / "meltano.yml", "include_paths", strict=True, missing="Try: meltano init NAME.")
        variables = folder_variables(folder)
        chosen = {f"integration {options.name!r}": options.environment}
        chosen |= {"the variable MELTANO_ENVIRONMENT": variables.get("MELTANO_ENVIRONMENT")}
        chosen |= {files.line_of("default_environment"): files.whole.get("default_environment")}
        where, name = next(((at, each) for at, each in chosen.items() if each), (str(files.main), None))
        environment = _environment(files, name, where)
        at = str(folder / files.place_of(str(name), "environments"))
        variables |= {"MELTANO_PROJECT_ROOT": str(folder), "MELTANO_ENVIRONMENT": str(name)}
        # Secrets are put in when Meltano is run.
        plain = {key: value for key, value in options.env.items() if isinstance(value, str)}
        for said in (files.mapping("env"), files.mapping("env", environment, at), plain):
            variables = with_variables(variables, said)
        suffix = options.state_id_suffix or environment.get("state_id_suffix")
        files.refuse_unknown(files.mapping("plugins"), KINDS, "plugins", "kind of plugin")
        plugins = partial(_plugins, files, files.mapping("config", environment, at), str(name))
        taps, loaders, mappers = map(plugins, KINDS[:3])
        return cls(options, files, str(name), taps, loaders, mappers, variables, suffix)

    def pairs(self) -> dict[Pair, str | None]:
        """Return the pipelines that are asked for, else those of jobs and schedules, each with its interval if any.

        Where nothing names one and there is only one loader, every extractor goes there. Raises `DefinitionError` for a
        pair of plugins that the project does not have.
        """
        asked = self.options.pairs
        if asked and asked != ("all",):
            return {self._pair(text.split()): None for text in asked}
        found: dict[Pair, str | None] = {}
        jobs = {str(job["name"]): tuple(self._of_job(job)) for job in self.files.entries("jobs")}
        for schedule in self.files.entries("schedules"):
            about = f"schedule {schedule['name']!r}"
            job, *ends = (str(schedule.get(each) or "") for each in ("job", "extractor", "loader"))
            self.refuse_strange(filter(None, [job]), jobs, about, "job")
            self.refuse_strange(filter(None, ends), {*self.extractors, *self.loaders}, about)
            for pair in (*jobs.get(job, ()), *self._among(ends)):
                found[pair] = str(schedule.get("interval") or "") or None
        found = {**{pair: None for pairs in jobs.values() for pair in pairs}, **found}
        if asked or (not found and len(self.loaders) == 1):
            known = {(pair.extractor, pair.loader) for pair in found}
            ends_of_all = ((tap, to) for tap in self.extractors for to in self.loaders)
            found.update({Pair(ends): None for ends in ends_of_all if ends not in known})
        return found

    @property
    def installed(self) -> Path:
        """Return the folder in which Meltano has its plugins."""
        return Path(self.variables.get("MELTANO_SYS_DIR_ROOT") or self.options.folder / ".meltano")

    @property
    def mappings(self) -> dict[str, Plugin]:
        """Return the mappers by the words that stand for them in a pipeline: their names, and those of mappings."""
        named = ((each, self.files.entries("mappings", each.definition)) for each in self.mappers.values())
        return {**{str(each["name"]): mapper for mapper, every in named for each in every}, **self.mappers}

    def plugins_of(self, pair: Pair) -> Iterator[tuple[str, Plugin]]:
        """Yield the plugins of a pair, as far as there are still any, each with its kind (``loaders``)."""
        for kind, plugins in (("extractors", self.extractors), ("mappers", self.mappings), ("loaders", self.loaders)):
            yield from ((kind, plugins[word]) for word in pair if word in plugins)

    def secrets(self, variables: Mapping[str, str]) -> frozenset[str]:
        """Return the values of all that is sensitive, also what the mappings of a mapper set."""
        plugins = [*self.extractors.values(), *self.loaders.values()]
        for mapper in self.mappers.values():
            plugins += [mapper, *map(mapper.over, entries(mapper.definition.get("mappings")))]
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

    def tables(self, pair: Pair) -> TargetTables:
        """Return where the streams of a pair go, by the settings of its loader and what the options know better."""
        loader, variables = self.loaders[pair.loader], self.variables_of(pair)
        better, folder = Override.among(self.options.loaders, pair.loader), self.options.folder
        return target_tables(loader.base, lambda name: loader.setting(name, variables), better=better, folder=folder)

    def _among(self, words: Iterable[str]) -> Iterator[Pair]:
        """Yield the pairs among the words of a job; what else it has, such as dbt, is not Meltano's alone."""
        return Pair.among(words, self.extractors, self.mappings, self.loaders)

    def _of_job(self, job: Mapping[str, Any]) -> Iterator[Pair]:
        """Return the pairs of a job; raise `DefinitionError` for a word that is no plugin, and no command of one."""
        plugins = self.files.mapping("plugins")
        others = (each for kind in plugins for each in self.files.entries(kind, plugins))
        known = {*self.mappings, *(str(each["name"]) for each in (*self.files.entries("jobs"), *others))}
        words = words_of(job.get("tasks"))
        self.refuse_strange([each for each in words if ":" not in each], known, f"job {job['name']!r}")
        return self._among(words)

    def refuse_strange(self, words: Iterable[str], known: Iterable[str], of: str, what: str = "plugin") -> None:
        """Raise `DefinitionError` for a word `of` an option or a job that names nothing of a kind, `what`, here."""
        at = self.options.at(of) if of in ("pairs", "loaders") else {}
        self.files.refuse_unknown(words, known, of, f"{what} of this Meltano project", **at)

    def _pair(self, words: Sequence[str]) -> Pair:
        self.refuse_strange(words, {*self.extractors, *self.loaders, *self.mappings}, "pairs")
        found = list(self._among(words))
        if len(found) == 1:
            return found[0]
        told = f"pairs: {' '.join(words)!r} is not one extractor with one loader."
        raise DefinitionError(
            told, hint='For example pairs = ["tap-shop target-postgres"].', **self.options.at("pairs")
        )


def _environment(files: YamlFiles, name: Any, where: str) -> Mapping[str, Any]:
    known = {str(each["name"]): each for each in files.entries("environments")}
    if str(name) in known:
        return known[str(name)]
    either = "" if files.whole.get("plugins") else " It has no plugins, either: meltano add …"
    none = "Meltano runs nothing without an environment, and none is chosen."
    chosen = f"It has {', '.join(known)}; the option `environment` chooses one, or `default_environment` there."
    raise IntegrationError(
        f"This Meltano project has no environment {str(name)!r}." if name else none,
        where=where,
        option="environment",
        near=near_names(str(name), known) if name else (),
        hint=chosen if known else f"Add one, in the Meltano project: meltano environment add dev.{either}",
    )


def _plugins(files: YamlFiles, config: Mapping[str, Any], environment: str, kind: str) -> dict[str, Plugin]:
    """Return the plugins of a kind: beneath all what `meltano add` has kept, above all what the environment says."""
    folder, places = files.main.parent, dict[str, list[str]]()

    def listed(whole: Mapping[str, Any], *within: str) -> dict[str, dict[str, Any]]:
        found = {str(each["name"]): each for each in files.entries(kind, files.mapping("plugins", whole))}
        for name, entry in found.items():
            places.setdefault(name, []).append(files.place_of(name, *within, "plugins", kind))
            check_definition(name, entry, str(folder / places[name][-1]))
        return found

    own, over = listed(files.whole), listed(config, "environments", environment, "config")
    published = partial(locked_definition, folder / "plugins" / kind)
    for name, each in own.items():
        if (parent := each.get("inherit_from")) and not each.get("namespace"):
            known = [parent] if published(str(parent), each.get("variant")) else own.keys() - {name}
            what, hint = kind[:-1], _HUB.format(kind[:-1], name)
            files.refuse_unknown([str(parent)], known, f"inherit_from of {what} {name!r}", f"{what} here", hint)
    return plugins_of(own, over, published, places)
