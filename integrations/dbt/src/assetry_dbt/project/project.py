"""A dbt project as an integration points at it: folders, options, and whether its manifest is still true."""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from assetry.plugin import Integration, IntegrationError, checked_options
from assetry_toolkit.yaml_files import read_yaml

from assetry_dbt.manifest.places import public
from assetry_dbt.options import OPTIONS
from assetry_dbt.project.flags import BuildFlags, from_environment
from assetry_dbt.project.jinja import RenderError, render
from assetry_dbt.project.profile import Profile, UnknownJinjaError, find_profiles_dir, read_profile

#: What dbt reads in a project; other files beside them change no manifest.
SUFFIXES = (".sql", ".py", ".yml", ".yaml", ".csv", ".md")


#: Settings of a target that say where it builds.
_PLACES = ("type", "database", "dbname", "schema", "path", "project", "dataset", "catalog")
#: The settings of a target that tell one warehouse from another; database and schema are in each table's name.
_WAREHOUSE = ("type", "path", "host", "server", "port", "account", "project", "http_path", "endpoint", "region_name")


@dataclass(frozen=True, slots=True, kw_only=True)
class DbtProject:
    """What is known of a dbt project before dbt is asked: all paths absolute, all options resolved.

    `name` is dbt's own; `profile` and `target` are what the options say, None when dbt's own choice counts;
    `manifest` is the manifest to read as it is, None when dbt's own in `target_path` counts; `settings` is
    dbt_project.yml. `profiles_dir` is None when there is no profiles.yml. `key_prefix` stands before the keys of all
    assets; another integration may use the project too, so what dbt makes is kept in a folder of that name in target.
    `run_vars` are vars of one run, `own_target` tells that `target_path` is not the one that dbt would choose.
    `own_flags` are those flags that change what a build makes, by dbt's names, that options set.

    >>> DbtProject(name="shop", project_dir=Path("/shop"), target_path=Path("/shop/target")).manifest_path.as_posix()
    '/shop/target/manifest.json'
    """

    name: str
    project_dir: Path
    target_path: Path
    root: Path = Path()
    profiles_dir: Path | None = None
    profile: str | None = None
    target: str | None = None
    vars: Mapping[str, Any] = field(default_factory=dict)
    select: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    threads: int | None = None
    dbt_executable: str | None = None
    engine: str | None = None
    manifest: Path | None = None
    key_prefix: str | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    run_vars: Mapping[str, Any] = field(default_factory=dict)
    own_target: bool = False
    own_flags: Mapping[str, str] = field(default_factory=dict)

    def __hash__(self) -> int:
        return hash((self.name, self.project_dir, self.target_path, self.profile, self.target))

    @classmethod
    def of(cls, integration: Integration) -> DbtProject:
        """Return the project that `integration` points at; relative paths start at `integration.root`.

        Raises `IntegrationError` when there is no dbt_project.yml and no `manifest` either, and `DefinitionError` for
        an option that is unknown or of the wrong type.
        """
        options = checked_options(integration, OPTIONS)
        root = Path(integration.root).absolute()
        project_dir = _under(root, options.get("project_dir", "."))
        manifest = _under(root, options["manifest"]) if "manifest" in options else None
        file = project_dir / "dbt_project.yml"
        if not file.is_file() and manifest is None:
            raise IntegrationError(
                "There is no dbt_project.yml here.",
                where=str(project_dir),
                hint=f"Point project_dir of integration {integration.name!r} at the folder of a dbt project.",
            )
        settings = read_yaml(file) if file.is_file() else {}
        return cls(
            name=str(settings.get("name") or integration.name),
            project_dir=project_dir,
            target_path=_target_path(project_dir, settings, options) / options.get("key_prefix", ""),
            root=root,
            profiles_dir=find_profiles_dir(options.get("profiles_dir"), project_dir, root),
            profile=options.get("profile"),
            target=options.get("target"),
            vars=options.get("vars", {}),
            select=options.get("select", ()),
            exclude=options.get("exclude", ()),
            threads=options.get("threads"),
            dbt_executable=_executable(root, options.get("dbt_executable")),
            engine=options.get("engine"),
            manifest=manifest,
            key_prefix=options.get("key_prefix"),
            settings=settings,
            own_flags=_own_flags(options, root, str(integration.name)),
        )

    @property
    def flags(self) -> BuildFlags:
        """Return the flags that change what a build makes."""
        return BuildFlags.read(self.own_flags)

    @property
    def clones(self) -> bool:
        """Tell whether tables are cloned instead of built."""
        return "CLONE" in self.own_flags

    @property
    def state_path(self) -> Path | None:
        """Return the folder whose manifest.json says where things are read, or cloned, from; None without any."""
        content = self.flags.content
        named = content.get("DEFER_STATE") or content.get("STATE") if "DEFER" in content else None
        named = named or (self.own_flags.get("STATE") if self.clones else None)
        return None if named is None else _under(self.project_dir, named)

    @property
    def manifest_path(self) -> Path:
        """Return where the manifest is, or will be once dbt has parsed the project."""
        return self.manifest or self.target_path / "manifest.json"

    @property
    def is_there(self) -> bool:
        """Tell whether there is a project, and not only the manifest of one: then nothing of it can be run."""
        return (self.project_dir / "dbt_project.yml").is_file()

    def has_default_selector(self) -> bool:
        """Tell whether selectors.yml has a selector that dbt takes where a command names none; in doubt it has."""
        file = self.project_dir / "selectors.yml"
        found = read_yaml(file).get("selectors") if file.is_file() else None
        return any(isinstance(each, dict) and each.get("default") for each in found or ())

    def arguments(self) -> tuple[str, ...]:
        """Return the arguments that every dbt command on this project takes, after the command's name.

        >>> DbtProject(name="s", project_dir=Path("/s"), target_path=Path("/s/target"), target="prod").arguments()
        ('--project-dir', '/s', '--target', 'prod')
        """
        given: list[str] = ["--project-dir", str(self.project_dir)]
        if self.profiles_dir:
            given += ["--profiles-dir", str(self.profiles_dir)]
        return (*given, *self._choices(str(self.target_path)))

    def _choices(self, target_path: str) -> list[str]:
        """Return what makes of a project what is built: profile, target, vars, and where its files go."""
        given: list[str] = []
        for flag, value in (("--profile", self.profile), ("--target", self.target)):
            if value:
                given += [flag, value]
        if self.vars or self.run_vars:
            given += ["--vars", json.dumps({**self.vars, **self.run_vars})]
        if self.key_prefix or self.own_target:
            given += ["--target-path", target_path]
        return given

    def aside(self, name: str, run_vars: Mapping[str, Any] | None = None) -> DbtProject:
        """Return the project with vars for one run, and a folder in target for what dbt writes then."""
        return replace(self, run_vars=run_vars or {}, target_path=self.target_path / name, own_target=True)

    def command(self, selection: Iterable[str] = (), full_refresh: bool = False, window: Sequence[str] = ()) -> str:
        """Return the `dbt build` with these selection arguments, as one would type it in the project's folder.

        Flags that the environment sets are among them; `window` are flags that go before those.

        >>> shop = DbtProject(name="s", project_dir=Path("/s"), target_path=Path("/s/target"), target="prod")
        >>> shop.command(("--select", "fqn:s.staging.*"))
        "dbt build --target prod --select 'fqn:s.staging.*'"
        """
        choices = self._choices(os.path.relpath(self.target_path, self.project_dir))
        given = [self.dbt_executable or "dbt", "clone" if self.clones else "build", *choices]
        if self.threads:
            given += ["--threads", str(self.threads)]
        near = {name: self.near(value) for name, value in self.own_flags.items()}
        flags = BuildFlags.read(near)
        given += [*selection, *window, *(flags.without_window() if window else flags).args()]
        return shlex.join(given + (["--full-refresh"] if full_refresh and not flags.full_refresh else []))

    def near(self, value: str) -> str:
        """Return the value of a flag; a path from where the command is typed."""
        return os.path.relpath(value, self.project_dir) if os.path.isabs(value) else value  # noqa: PTH117

    def flag_args(self) -> tuple[str, ...]:
        """Return the arguments of a build, or of a clone, that options ask for; of others the environment tells dbt."""
        return BuildFlags(self.own_flags, {}).args()

    def read_profile(self) -> Profile:
        """Return the profile and target that dbt will use. Raises `IntegrationError` when there is none."""
        name = self.profile or from_environment("PROFILE") or self.settings.get("profile")
        if not name:
            raise IntegrationError(
                "dbt_project.yml names no profile.",
                where=str(self.project_dir / "dbt_project.yml"),
                hint="Add `profile: <name>` to it, or set the option `profile`.",
            )
        try:
            name = str(render(name, self.vars))
        except RenderError as error:
            where = str(self.project_dir / "dbt_project.yml")
            raise UnknownJinjaError(f"The profile's name holds {error}.", where=where) from None
        return read_profile(self.profiles_dir, name, self.target, self.vars)

    @property
    def packages_path(self) -> str:
        """Return the folder, inside the project's, that packages are installed in."""
        return str(self.settings.get("packages-install-path") or "dbt_packages")

    def target_facts(self) -> Mapping[str, Any]:
        """Return what the target is called and where it builds; no secret. Empty when the profile cannot be read."""
        profile = self._readable_profile()
        if profile is None:
            return {}
        return {name: profile.output.get(name) for name in _PLACES} | {
            "profile": profile.name,
            "target": profile.target,
        }

    def warehouse_facts(self) -> Mapping[str, Any]:
        """Return what tells the warehouse from others, without a secret; empty when the profile cannot be read."""
        profile = self._readable_profile()
        output = {} if profile is None else profile.output
        return {name: output[name] for name in _WAREHOUSE if output.get(name) is not None}

    def target_fields(self) -> Mapping[str, Any]:
        """Return all settings of the target but secrets, as `target.…` gives them; empty when there is no profile."""
        profile = self._readable_profile()
        if profile is None:
            return {}
        return public(profile.output) | {"threads": self.threads or profile.output.get("threads", 1)}

    def module_folders(self, fields: Mapping[str, Any]) -> tuple[Path, ...]:
        """Return the folders in which a Python model finds modules of the project."""
        named = [*(fields.get("module_paths") or ()), *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
        return (self.project_dir, *(_under(self.project_dir, str(each)) for each in named))

    def target_name(self) -> str | None:
        """Return the name of the target dbt will use; None when the profile cannot be read."""
        profile = self._readable_profile()
        return self.target if profile is None else profile.target

    def _readable_profile(self) -> Profile | None:
        try:
            return self.read_profile()
        except IntegrationError:
            return None  # dbt will say what is wrong with it, should it be needed


def _under(root: Path, path: str) -> Path:
    return Path(os.path.normpath(root / Path(path).expanduser()))


def _own_flags(options: Mapping[str, Any], root: Path, name: str) -> dict[str, str]:
    """Return the flags that options set, by dbt's names for them; a folder is an absolute path."""
    found = {each.upper(): "" for each in ("defer", "favor_state", "empty", "clone") if options.get(each)}
    if options.get("sample"):
        found["SAMPLE"] = str(options["sample"])
    for each in ("state", "defer_state"):
        if options.get(each):
            found[each.upper()] = str(_under(root, str(options[each])))
    content = BuildFlags.read(found).content
    if "CLONE" in found and ({"EMPTY", "SAMPLE", "DEFER"} & found.keys() or "STATE" not in found):
        raise IntegrationError(
            f"Integration {name!r} is to clone tables, and "
            + ("has no state to clone them from." if "STATE" not in found else "to build them otherwise, too."),
            hint="For example --clone --state ../prod/target.",
        )
    if "DEFER" in content and not content.keys() & {"STATE", "DEFER_STATE"}:
        raise IntegrationError(
            f"Integration {name!r} has defer and no state that says where things are read from.",
            hint="For example --defer --state ../prod/target: the folder of a manifest.json of another target.",
        )
    return (
        found
        if content.keys() & {"DEFER", "CLONE"}
        else {each: value for each, value in found.items() if each not in ("STATE", "DEFER_STATE", "FAVOR_STATE")}
    )


def _executable(root: Path, given: str | None) -> str | None:
    """Return the dbt to call; a name without a slash is looked up on PATH by the caller."""
    return str(_under(root, given)) if given and os.sep in given else given


def _target_path(project_dir: Path, settings: Mapping[str, Any], options: Mapping[str, Any]) -> Path:
    named = from_environment("TARGET_PATH") or settings.get("target-path") or "target"
    try:
        return Path(os.path.normpath(project_dir / str(render(named, options.get("vars", {})))))
    except RenderError as error:
        where = str(project_dir / "dbt_project.yml")
        raise IntegrationError(f"target-path holds {error}.", where=where) from None
