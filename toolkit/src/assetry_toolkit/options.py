"""The options of an integration: those of `assetry.plugin`, and those that only what stands on this toolkit has.

A plugin declares its options with the types of `assetry.plugin`; a table of them is checked anywhere::

    from assetry.plugin import SECRET, TEXTS, checked_options, one_of

    OPTIONS = {"tables": TEXTS, "mode": one_of("append", "replace"), "token": SECRET}
    given = checked_options(integration, OPTIONS)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self, TypedDict
from urllib.parse import quote

from assetry.plugin import (
    ANYTHING,
    COUNT,
    FLAG,
    POSITIVE,
    REFERENCE,
    SECONDS,
    SECRET,
    TABLE,
    TEXT,
    TEXTS,
    DefinitionError,
    Integration,
    OptionType,
    checked,
    checked_options,
    is_reference,
    one_of,
    read_secret,
)

# The types that moved into the core keep their old home.
__all__ = ["ANYTHING", "COUNT", "FLAG", "POSITIVE", "REFERENCE", "SECONDS", "SECRET", "TABLE", "TEXT", "TEXTS"]
__all__ += ["HOSTED_OPTIONS", "JOB_OPTIONS", "OBJECT", "ConnectionOptions", "IntegrationOptions", "Kind"]
__all__ += ["checked", "checked_options", "one_of", "tables_url"]

#: What `OptionType` was called here.
Kind = OptionType

#: A reference to a live object of this process; see `assetry_toolkit.live_objects`.
OBJECT = OptionType(
    "an object handed over in Python", lambda value: is_reference(value) and "given" in value, in_python=True
)

#: The options of `assetry_toolkit.work.JobOptions` as a project file has them, for the table of an integration's own.
JOB_OPTIONS = {
    "attach": one_of("accept", "wait_then_start", "refuse").about("What to do about a job that runs already."),
    "on_cancel": one_of("cancel", "leave").about("What a cancelled run does to its job.", default="cancel"),
    "follow_superseded": FLAG.about("Follow the job that took the place of ours.", default=True),
    "poll_timeout": SECONDS.about("How long a job may run before it is left alone.", default=86400),
    "queue_timeout": SECONDS.about("How long a job may wait for its turn.", default=86400),
    "poll_error_budget": SECONDS.about("After how long without any good answer a job's end is unknown.", default=900),
}

#: The options of `assetry_toolkit.hosted.settings.HostedOptions`, for the table of an integration's own.
HOSTED_OPTIONS: Mapping[str, OptionType] = {
    "connection_id": TEXT.about("One connection.").hinting("Copy it from the connection's URL."),
    "ids": TEXTS.about("Only the connections with these ids."),
    "names": TEXTS.about("Only the connections with these names, * allowed."),
    "destination_tables": TEXTS.about("Only these tables, with keys as they are written here."),
    "deps": TEXTS.about("Assets that are made before."),
    "io": REFERENCE.about("The URL of the place where the tables can be read, where it is not the project's."),
    "destinations": TABLE.about("Where the tables of destinations are, where the service does not say it."),
    "base_url": TEXT.about("The address of the API, where it is not the usual one."),
    "ca_bundle": TEXT.about("A file with the certificate authorities to trust."),
    "snapshot": TEXT.about("The file that keeps what was read from the API."),
    "http_client": OBJECT.about("A client of your own, given in Python."),
    "clock": OBJECT.about("A clock of your own, given in Python."),
    "on_unselected": one_of("materialize", "ignore").about(
        "What a sync means for tables that were not chosen.", default="materialize"
    ),
    "poll_interval": SECONDS.about("Between two looks at a sync; without it they grow rarer."),
}


def tables_url(integration: Integration) -> str | None:
    """Return the URL of the place where an integration's tables are, as its option `io` says; None without one.

    The option may be a reference to a secret; the path of a file starts from the integration's root. Raises
    `DefinitionError` where it is there and empty: then tables would be looked for in another place.

    >>> shop = Integration("shop", "mill", {"io": "duckdb:shop.duckdb"}, root="/srv/my shop")
    >>> tables_url(shop), tables_url(Integration("shop", "mill"))
    ('duckdb:/srv/my%20shop/shop.duckdb', None)
    """
    from assetry_toolkit.secrets import resolve

    given = integration.options.get("io")
    url = resolve(given, read_secret).strip()
    if given is not None and not url:
        of = f", of {next(iter(given.values()))}," if isinstance(given, Mapping) and given else ""
        raise DefinitionError(
            f"The option io of integration {integration.name!r}{of} is empty.",
            hint='For example io = "postgresql://…". Without the option tables are where the project keeps its own.',
        )
    scheme, colon, path = url.partition(":")
    if colon and scheme in ("duckdb", "parquet") and not path.startswith(("/", ":", "md:")):
        return f"{scheme}:{quote(str(Path(integration.root).resolve()))}/{path}"
    return url or None


class ConnectionOptions(TypedDict, total=False):
    """Those of `HOSTED_OPTIONS` and `JOB_OPTIONS` that functions such as ``build_mill_assets(…)`` take as keywords."""

    ids: list[str]
    names: list[str]
    deps: list[str]
    io: str | Mapping[str, str]
    destinations: Mapping[str, Mapping[str, Any]]
    base_url: str
    ca_bundle: str
    snapshot: str
    on_unselected: str
    attach: str
    poll_interval: float
    poll_timeout: float
    poll_error_budget: float


@dataclass(frozen=True, slots=True, kw_only=True)
class IntegrationOptions:
    """The base of an integration's options as a value; the subclass adds its own, and their types to `types`.

    >>> @dataclass(frozen=True, kw_only=True)
    ... class Options(IntegrationOptions):
    ...     types = {"grain": TEXT, "deps": TEXTS}
    ...     grain: str = "rye"
    >>> options = Options.of(Integration("shop", "mill", {"deps": "shop/raw"}))
    >>> options.grain, options.deps, str(options.snapshot_path)
    ('rye', ('shop/raw',), '.assetry/mill/shop.json')
    """

    types: ClassVar[Mapping[str, OptionType]] = {}

    name: str = ""
    kind: str = ""
    root: str = "."
    deps: tuple[str, ...] = ()
    snapshot: str | None = None

    @classmethod
    def of(cls, integration: Integration) -> Self:
        """Return the options of an integration; raise `DefinitionError` for what is unknown or cannot be meant."""
        given = cls.read(integration, checked_options(integration, cls.types))
        return cls(name=integration.name, kind=integration.kind, root=integration.root, **given)

    @classmethod
    def read(cls, integration: Integration, given: Mapping[str, Any]) -> Mapping[str, Any]:  # noqa: ARG003
        """Return the fields that checked options are; override it to check more, or to make other values of them."""
        return given

    def at(self, option: str) -> dict[str, Any]:
        """Return where an option stands, as keywords of `DefinitionError`: its line is told, then.

        >>> IntegrationOptions(name="shop").at("grain")
        {'where': "integration 'shop'", 'option': 'grain'}
        """
        return {"where": f"integration {self.name!r}", "option": option}

    @property
    def own_folder(self) -> Path:
        """Return the folder for what integrations of this kind keep."""
        return Path(self.root) / ".assetry" / self.kind

    @property
    def snapshot_path(self) -> Path:
        """Return the file that keeps what there is to load."""
        return Path(self.root) / self.snapshot if self.snapshot else self.own_folder / f"{self.name}.json"

    @property
    def snapshot_told(self) -> str:
        """Return the same file as people are told of it: from the project's folder, where it is in it."""
        path, root = self.snapshot_path, Path(self.root)
        return str(path.relative_to(root) if path.is_relative_to(root) else path)

    def program(self, name: str, given: str | None = None, hint: str | None = None) -> str:
        """Return the file of a program that the integration needs: the one that is `given`, as an option names it.

        Else that of this environment, or the one on PATH. Raises `IntegrationError` when there is none.
        """
        from assetry_toolkit.commands import needed_program

        option = f"{name}_executable" if f"{name}_executable" in self.types else None
        return needed_program(name, given, root=self.root, integration=self.name, hint=hint, option=option)
