"""Settings: what the project file says, read and checked, with everything it leaves out filled in."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

from assetry.errors import (
    AssetryError,
    DefinitionError,
    ProjectFileError,
    UsageError,
    integration_at,
    near_names,
)
from assetry.hooks.packages import TABLES
from assetry.project.history.retention import AGES, Retention, read_age
from assetry.python.code import written_place
from assetry.python.schemas import EXTRA_COLUMNS
from assetry.types.assets import Integration
from assetry.types.options import POSITIVE, SPAN, TEXT, OptionTable, OptionType, OptionTypes, one_of
from assetry.types.policies import read_span

DEFAULT_STORE = "sqlite:.assetry/state.db"
DEFAULT_EXECUTOR = "threads"
_NAME = OptionType(
    "a name", lambda value: isinstance(value, str) and value != "", json_schema={"type": "string", "minLength": 1}
)
_NAMES = OptionType(
    "a list of names",
    lambda value: isinstance(value, list) and all(isinstance(each, str) for each in value),
    json_schema={"type": "array", "items": {"type": "string"}},
)
#: What a project file says outside of its tables.
OPTIONS: OptionTypes = {
    "modules": _NAMES.about("Python modules with assets; assets.py or assets/ beside the file without it."),
    "store": TEXT.about("Where records are kept, as a URL.", default=DEFAULT_STORE),
    "io": TEXT.about("Where values are kept, as a URL: the warehouse of a tool's profile, else files, without it."),
    "executor": TEXT.about("What runs things, and how many at a time, such as threads:8.", default=DEFAULT_EXECUTOR),
    "name": TEXT.about("The name of the project; that of its folder without it."),
}
#: What the table of any integration may say besides the options that its plugin knows.
_SHARES: OptionTypes = {
    "pool": _NAME.about("The pool of which its assets take slots: a table [pools.NAME]."),
    "weight": POSITIVE.about("How many slots of the pool an invocation takes.", default=1),
    "observe": SPAN.about("How often automation looks at what happened outside."),
}
#: The tables of assetry itself, and what each may hold; what is of integrations their plugins add by kind.
OWN_TABLES: Mapping[str, OptionTable] = {
    "integrations": OptionTable(
        help="The tools of the project, each in a table with its name.",
        named={"kind": TEXT.needed("What it is, as the plugin for it calls it."), **_SHARES},
    ),
    "retention": OptionTable(help="How long history is kept.", options=AGES),
    "schema": OptionTable(
        help="What is done about schemas of Python assets.",
        options={
            "extra_columns": one_of(*EXTRA_COLUMNS).about("What is done about columns that a schema does not have.")
        },
    ),
    "pools": OptionTable(
        help="Limits of what may run at a time, each in a table with its name.",
        named={"limit": POSITIVE.needed("How many slots there are.")},
    ),
}
KEYS = (*OPTIONS, *OWN_TABLES)
COMMON_OPTIONS = tuple(_SHARES)


class PoolShare(NamedTuple):
    """The pool that something uses, and how many of its slots.

    >>> PoolShare("warehouse").weight
    1
    """

    pool: str
    weight: int = 1


@dataclass(frozen=True, slots=True)
class Settings:
    """How a project is set up.

    `root` is the absolute folder of the project file; `file` is that file, None when there is none. `modules` and
    `integrations` are None when the file does not name any, so that they are looked for. `extra_columns` is what is
    done about columns that a schema does not have, where an asset does not say it: ``accept`` or ``refuse``. `pools`
    are the limits of pools by name, `shares` what each integration uses of one: its assets, unless they name one
    themselves. `tables` are what the file has besides: each is the own of a plugin.
    """

    root: Path
    file: Path | None = None
    name: str | None = None
    modules: tuple[str, ...] | None = None
    store: str = DEFAULT_STORE
    io: str | None = None
    executor: str = DEFAULT_EXECUTOR
    integrations: tuple[Integration, ...] | None = None
    retention: Retention = field(default_factory=Retention)
    extra_columns: str | None = None
    pools: Mapping[str, int] = field(default_factory=dict)
    shares: Mapping[str, PoolShare] = field(default_factory=dict)
    tables: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def keeps_records(self) -> bool:
        """Tell whether records outlive this process, so that other commands find them."""
        return not self.store.endswith(":memory:")

    def where(self, word: str) -> str | None:
        """Return the line of the project file that sets `word`, or that opens its table; None when none does."""
        if self.file is None:
            return None
        text = self.file.read_text(encoding="utf-8", errors="replace")
        return _line_of(self.file, text, word) or _place(self.file, text, (*self._above, word), None)

    @property
    def _above(self) -> tuple[str, ...]:
        """Return the tables in which the project's own stand."""
        return ("tool", "assetry") if self.file is not None and self.file.name == "pyproject.toml" else ()

    def where_of(self, integration: str, option: str | Sequence[str] | None = None) -> str | None:
        """Return the line of the project file that sets an option of an integration, else that opens its table.

        The names of tables within the options that it stands in may be before its own.
        """
        if self.file is None:
            return None
        table = (*self._above, "integrations", integration)
        text = self.file.read_text(encoding="utf-8", errors="replace")
        path = () if option is None else (option,) if isinstance(option, str) else tuple(option)
        # The line of the option, else that of the nearest table round it.
        found = (_place(self.file, text, (*table, *path[:end]), None) for end in range(len(path), -1, -1))
        return next(filter(None, found), None) or self.where(integration)

    def locate(self, error: AssetryError, integration: str | None = None) -> None:
        """Give an error that says no more of its place than which integration it is the line of the project file.

        One without any place is about the `integration` that is given, if the file names it; one about a table of the
        file, such as ``[notify.ops]``, has the line of that.
        """
        table = getattr(error, "table", None)
        if table is not None and self.file is not None and error.where in (None, str(self.file)):
            path = (*self._above, *(part.strip("\"'") for part in re.findall(_PART, table)))
            text = self.file.read_text(encoding="utf-8", errors="replace")
            error.where = _place(self.file, text, path, getattr(error, "option", None)) or str(self.file)
            return
        name = integration if error.where is None else integration_at(error.where)
        if name in {each.name for each in self.integrations or ()}:
            error.where = self.where_of(str(name), getattr(error, "option", None)) or error.where


def check_tables(settings: Settings, known: Iterable[str]) -> None:
    """Raise `ProjectFileError` for a table of the project file that no plugin has declared as its own.

    >>> check_tables(Settings(Path("/shop"), tables={"notify": {}}), ["notify"])
    """
    declared = tuple(known)
    for name in settings.tables:
        if name not in declared:
            words = (*KEYS, *declared)
            known = f"Known are {', '.join(words)}. Other tables are those of plugins: see `assetry plugins`."
            raise ProjectFileError(
                f"Unknown table [{name}].",
                where=settings.where(name),
                near=near_names(name, words),
                hint=f"Try: pip install {TABLES[name]}" if name in TABLES else known,
            )


def read_settings(folder: Path | str = ".") -> Settings:
    """Return the settings of the project in `folder`, or in the nearest folder above that has a project file.

    A project file is ``assetry.toml``, or a ``pyproject.toml`` with a ``[tool.assetry]`` table. Without one, `folder`
    itself is the root. Raises `ProjectFileError` for a folder that does not exist and for a file that cannot be
    understood.
    """
    start = Path(folder).resolve()
    if not start.is_dir():
        raise ProjectFileError(f"There is no folder {str(folder)!r}.", hint="Give a project's folder with -C DIR.")
    for root in (start, *start.parents):
        found = _table(root)
        if found is not None:
            return _settings(root, *found)
        if root != start and (root / ".git").exists():
            break  # a project does not reach over the edge of its repository
    return Settings(start)


@dataclass(frozen=True, slots=True)
class _Source:
    """The text that a table came from, so that an error can name the line."""

    file: Path
    text: str = field(repr=False)
    prefix: str = ""

    def error(
        self, message: str, word: str, near: tuple[str, ...] = (), hint: str | None = None, table: str | None = None
    ) -> ProjectFileError:
        """Return an error at the line that sets `word`, in `table` where one is named."""
        path = tuple(self.prefix.split(".")[:-1])
        where = None if table is None else _place(self.file, self.text, (*path, table), word)
        where = where or _line_of(self.file, self.text, word) or written_place(str(self.file), 1)
        return ProjectFileError(message, where=where, near=near, hint=hint)


def _place(file: Path, text: str, table: tuple[str, ...], key: str | None) -> str | None:
    """Return the line that sets a key of a table, else the one that opens the table."""
    named = list(_named(text))
    for path in ([(*table, key)] if key is not None else []) + [table]:
        number = next((number for number, parts in named if parts[: len(path)] == path), None)
        if number is not None:
            return written_place(str(file), number)
    return None


def _line_of(file: Path, text: str, word: str) -> str | None:
    number = next((n for n, line in enumerate(text.splitlines(), 1) if _names(line, word)), None)
    return None if number is None else written_place(str(file), number)


#: One part of a dotted key of TOML, and the keys and headers of tables that are made of such.
_PART = r"""(?:[\w-]+|"[^"]*"|'[^']*')"""
_NAMED = re.compile(
    rf"""\s*(?:\[\s*(?P<table>{_PART}(?:\s*\.\s*{_PART})*)\s*\]|(?P<key>{_PART}(?:\s*\.\s*{_PART})*)\s*=)"""
)


def _named(text: str) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Yield what each line of TOML sets or opens, as the parts of its dotted name, with the line's number.

    >>> list(_named('[integrations.shop]\\nkind = "mill" # here\\nvars.a = 1'))
    [(1, ('integrations', 'shop')), (2, ('integrations', 'shop', 'kind')), (3, ('integrations', 'shop', 'vars', 'a'))]
    """
    table: tuple[str, ...] = ()
    for number, line in enumerate(text.splitlines(), 1):
        found = _NAMED.match(line)
        if found is None:
            continue
        parts = tuple(part.strip("\"'") for part in re.findall(_PART, found["table"] or found["key"]))
        if found["table"]:
            table = parts
        yield number, parts if found["table"] else (*table, *parts)


def _names(line: str, word: str) -> bool:
    """Tell whether a line of TOML sets `word`, or opens its table."""
    bare = line.split("#")[0].strip().strip("[]").replace('"', "").replace("'", "")
    return bare.split("=")[0].strip().rsplit(".", 1)[-1] == word


def _table(root: Path) -> tuple[_Source, Mapping[str, Any]] | None:
    """Return the project's table in a folder, and where it stands."""
    own = root / "assetry.toml"
    if own.is_file():
        text, data = _read(own)
        return _Source(own, text), data
    shared = root / "pyproject.toml"
    # Most pyproject.toml files are not ours: look before parsing, so that a broken one that is not ours stops nothing.
    if shared.is_file() and "tool.assetry" in shared.read_text(encoding="utf-8", errors="replace"):
        text, data = _read(shared)
        table = data.get("tool", {}).get("assetry")
        if table is not None:
            return _Source(shared, text, "tool.assetry."), table
    return None


def _read(file: Path) -> tuple[str, dict[str, Any]]:
    try:
        text = file.read_text(encoding="utf-8")
        return text, tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ProjectFileError(f"{file.name} is not TOML: {error}", where=str(file), hint="Correct the line.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ProjectFileError(f"{file.name} cannot be read: {error}", where=str(file)) from None


def _settings(root: Path, source: _Source, table: Mapping[str, Any]) -> Settings:
    others = {key: value for key, value in table.items() if key not in KEYS}
    for key, value in others.items():
        if not isinstance(value, Mapping):
            known = f"Known keys: {', '.join(KEYS)}; and tables of plugins, such as [{'], ['.join(TABLES)}]."
            if key in TABLES:
                raise source.error(f"{key!r} is not a table.", key, hint=f"Write [{key}].")
            raise source.error(f"Unknown key {key!r}.", key, near_names(key, (*KEYS, *TABLES)), known)
    modules = table.get("modules")
    if modules is not None and not _NAMES.fits(modules):
        raise source.error("'modules' is not a list of module names.", "modules", hint='For example ["shop_assets"].')
    integrations = table.get("integrations")
    return Settings(
        root=root,
        file=source.file,
        name=_text(source, table, "name"),
        modules=None if modules is None else tuple(modules),
        store=_text(source, table, "store") or DEFAULT_STORE,
        io=_text(source, table, "io"),
        executor=_text(source, table, "executor") or DEFAULT_EXECUTOR,
        integrations=None if integrations is None else _integrations(root, source, integrations),
        retention=_retention(source, table.get("retention", {})),
        extra_columns=_extra_columns(source, table.get("schema", {})),
        pools=_pools(source, table.get("pools", {})),
        shares={} if integrations is None else _shares(source, integrations),
        tables=others,
    )


def _retention(source: _Source, table: Any) -> Retention:
    if not isinstance(table, Mapping):
        raise source.error("'retention' is not a table.", "retention", hint='Write [retention] and events = "90d".')
    ages = {}
    for key, value in table.items():
        if key not in AGES:
            hint = f"Known keys of [retention]: {', '.join(AGES)}."
            raise source.error(f"Unknown key {key!r} in [retention].", key, near_names(key, AGES), hint, "retention")
        try:
            ages[key] = read_age(value)
        except UsageError as error:
            said = f"'{key}' in [retention]: {error.message}"
            raise source.error(said, key, tuple(error.near), error.hint, "retention") from None
    return Retention(**ages)


def _extra_columns(source: _Source, table: Any) -> str | None:
    hint = 'Write [schema] and extra_columns = "accept", or "refuse".'
    if not isinstance(table, Mapping):
        raise source.error("'schema' is not a table.", "schema", hint=hint)
    known = OWN_TABLES["schema"].options
    for key, value in table.items():
        if key not in known:
            raise source.error(f"Unknown key {key!r} in [schema].", key, near_names(key, known), hint, "schema")
        if not known[key].fits(value):
            near = near_names(value, EXTRA_COLUMNS) if isinstance(value, str) else ()
            raise source.error(f"extra_columns is {value!r}.", key, near, hint, "schema")
    found: str | None = table.get("extra_columns")
    return found


def _pools(source: _Source, tables: Any) -> dict[str, int]:
    if not isinstance(tables, Mapping) or not all(isinstance(table, Mapping) for table in tables.values()):
        raise source.error("'pools' is not a group of tables.", "pools", hint="Write [pools.NAME] and limit = 2.")
    limits, known = {}, OWN_TABLES["pools"].named or {}
    for name, table in tables.items():
        for key in table:
            if key not in known:
                near = near_names(key, known)
                raise source.error(f"Unknown key {key!r} in [pools.{name}].", key, near, "It has one key: limit = 2.")
        if ":" in name:
            # So are the pools named that assetry makes itself, of groups and places.
            raise source.error(f"Pool {name!r} has a colon in its name.", name, hint="Give it another name.")
        limit = table.get("limit")
        if not POSITIVE.fits(limit):
            said = f"Pool {name!r} has no limit, a whole number above 0."
            raise source.error(said, "limit" if "limit" in table else name, hint="For example limit = 2.")
        limits[name] = limit
    return limits


def _shares(source: _Source, tables: Mapping[str, Any]) -> dict[str, PoolShare]:
    """Return what integrations use of pools, as their tables say it."""
    found = {}
    for name, table in tables.items():
        pool, weight = table.get("pool"), table.get("weight", 1)
        if "pool" in table and not _NAME.fits(pool):
            raise source.error(f"'pool' of integration {name!r} is no name.", "pool", hint='For example "warehouse".')
        if "weight" in table and not POSITIVE.fits(weight):
            hint = "It is how many slots of the pool an invocation takes, for example weight = 2."
            raise source.error(f"'weight' of integration {name!r} is no whole number above 0.", "weight", hint=hint)
        if "weight" in table and pool is None:
            hint = 'Name a pool, too: pool = "warehouse".'
            raise source.error(f"Integration {name!r} has a weight, and no pool.", "weight", hint=hint)
        if pool is not None:
            found[name] = PoolShare(pool, weight)
    return found


def _text(source: _Source, table: Mapping[str, Any], key: str) -> str | None:
    value = table.get(key)
    if value is not None and not isinstance(value, str):
        raise source.error(f"{key!r} is not a string.", key, hint=f'For example {key} = "…".')
    return value


def _integrations(root: Path, source: _Source, tables: Any) -> tuple[Integration, ...]:
    if not isinstance(tables, Mapping) or not all(isinstance(table, Mapping) for table in tables.values()):
        raise source.error(
            "'integrations' is not a group of tables.", "integrations", hint='Write [integrations.NAME] and kind = "…".'
        )
    return tuple(_integration(root, source, name, table) for name, table in tables.items())


def _integration(root: Path, source: _Source, name: str, table: Mapping[str, Any]) -> Integration:
    kind = table.get("kind")
    if not isinstance(kind, str):
        raise source.error(f"Integration {name!r} has no kind.", name, hint='For example kind = "dbt".')
    options = {key: value for key, value in table.items() if key not in ("kind", *COMMON_OPTIONS)}
    return Integration(name, kind, options, str(root), _observe(source, name, table.get("observe")))


def _observe(source: _Source, name: str, value: Any) -> timedelta | None:
    """Return how often an integration is looked at, as its table says it."""
    try:
        found = None if value is None else read_span(value, f"'observe' of integration {name!r}")
    except DefinitionError as error:
        raise source.error(error.message, "observe", hint='For example observe = "5m".') from None
    if found is not None and found < timedelta(seconds=1):
        said = f"'observe' of integration {name!r} is {value!r}, less than a second."
        raise source.error(said, "observe", hint='For example observe = "5m".')
    return found


#: A place that is not a path, within a URL: ``duckdb:md:shop``, ``parquet:s3://bucket``.
_ELSEWHERE = re.compile(r"[A-Za-z][\w+.-]+:")

#: What ends the path of a URL or means another character there, as it is written in one.
_SIGNS = str.maketrans({"%": "%25", "?": "%3F", "#": "%23"})


def absolute(url: str, root: Path) -> str:
    """Return a URL whose path, when it is a relative one of a local file, starts from `root`.

    >>> absolute("sqlite:.assetry/state.db", Path("/shop")), absolute("duckdb:md:shop", Path("/shop"))
    ('sqlite:/shop/.assetry/state.db', 'duckdb:md:shop')
    >>> absolute("duckdb:shop.duckdb?schema=raw", Path("/what?"))
    'duckdb:/what%3F/shop.duckdb?schema=raw'
    """
    scheme, colon, rest = url.partition(":")
    if not colon or not rest or rest.startswith(("/", ":")) or _ELSEWHERE.match(rest):
        return url
    folder = root.as_posix().rstrip("/").translate(_SIGNS)
    return f"{scheme}:{folder}/{rest.removeprefix('./')}"
