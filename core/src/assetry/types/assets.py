"""The values a graph is made of: assets and what they consist of.

All are frozen, picklable and JSON both ways (see `assetry.types.codec`). They hold no live objects: what an integration
needs to know about its own asset is plain JSON in `Asset.spec`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from assetry.errors import DefinitionError, near_names
from assetry.partitions.definitions import PartitionsDefinition
from assetry.partitions.mappings import AnyMapping, PartitionMapping, check_mapping
from assetry.types.keys import AssetKey
from assetry.types.policies import AutomationPolicy, FreshnessPolicy, RetryPolicy
from assetry.types.quick_making import make_quickly

#: How grave a failed check is: ``error`` stops what is downstream, ``warn`` is only told.
Severity = Literal["error", "warn"]
SEVERITIES = ("error", "warn")
#: What the columns of a definition promise: they are all that there may be, or are needed at least, or only described.
ColumnsAre = Literal["all", "needed", "described"]
COLUMNS_ARE = ("all", "needed", "described")
#: How new data comes into an asset: in the place of what is there, behind it, or only with another definition.
Grows = Literal["replace", "append", "never"]
GROWS: tuple[Grows, ...] = ("replace", "append", "never")


class Relation(NamedTuple):
    """The name of a table in a warehouse; a part that is unknown is None.

    >>> str(Relation("db", "main", "orders"))
    'db.main.orders'
    """

    database: str | None
    schema: str | None
    identifier: str

    def __str__(self) -> str:
        return ".".join(part for part in self if part is not None)

    @property
    def folded(self) -> tuple[str | None, ...]:
        """Return the parts without regard to case, as most warehouses compare them.

        >>> Relation(None, "Main", "Orders").folded
        (None, 'main', 'orders')
        """
        return tuple(None if part is None else part.casefold() for part in self)

    def within(self, database: str | None, schema: str | None) -> Relation:
        """Return the relation with the database and schema where its own are unknown.

        >>> str(Relation(None, None, "orders").within("db", "main"))
        'db.main.orders'
        """
        return Relation(self.database or database, self.schema or schema, self.identifier)

    def fits(self, other: Relation) -> bool:
        """Tell whether both may be one table: their parts are the same but for case, or unknown.

        >>> Relation(None, "main", "orders").fits(Relation("db", "Main", "orders"))
        True
        """
        return all(
            mine is None or theirs is None or mine.casefold() == theirs.casefold()
            for mine, theirs in zip(self, other, strict=True)
        )


class Column(NamedTuple):
    """One column of an asset; `type` is written as the warehouse writes it, or None when unknown.

    >>> Column("id", "integer").name
    'id'
    """

    name: str
    type: str | None = None
    description: str = ""
    tags: tuple[str, ...] = ()


class Check(NamedTuple):
    """A test on an asset.

    `severity` is ``error`` (a failure stops what is downstream) or ``warn``. `also` names the further assets the
    check reads: it runs once all of them are done, and gates each of them; where several invocations make partitions of
    its own asset, it runs in the last of these and judges all. `integration` names the integration
    that runs the check when it is another one than the asset's own. `spec` is JSON only that integration understands.
    `fqn` is the dotted name its tool selects it by, as parts; `facets` are as those of an asset. Checks are not assets:
    by their names, tags, files and facets a selection finds what they read (``+not_null_orders_id``). `reads` is what
    its tool says it reads, where inlined definitions are among it; see `Asset`.

    A check runs in an invocation of its integration that is there anyway. `counted` is False for one that is called
    within assetry's own process, and that no plan counts as a run of a tool: on an asset that its integration does not
    make, it becomes an invocation of its own, without assets. `apart` are those of what it reads that its tool makes
    without knowing that the check reads them: it runs in a later invocation.

    >>> Check("not_null_orders_id").severity
    'error'
    """

    name: str
    severity: str = "error"
    also: tuple[AssetKey, ...] = ()
    description: str = ""
    spec: Mapping[str, Any] = {}
    source: str | None = None
    integration: str | None = None
    tags: tuple[str, ...] = ()
    fqn: tuple[str, ...] = ()
    facets: Mapping[str, Any] = {}
    counted: bool = True
    reads: tuple[AssetKey, ...] = ()
    apart: tuple[AssetKey, ...] = ()


class AssetCheck(NamedTuple):
    """A check with the asset it is on, where the two are defined apart: a Python check of a dbt model.

    `key` is the asset's key or an alias of it, or just the last part of exactly one asset's key. `integration` runs the
    check; None stands for what makes the asset. The graph puts the check on its asset, and renames it there when
    another integration's check has the name already.

    >>> AssetCheck(AssetKey("shop/orders"), Check("no_gaps"), Integration("quality", "acme")).check.name
    'no_gaps'
    """

    key: AssetKey
    check: Check
    integration: Integration | None = None


#: The argument that receives the key of the partition, where no asset is called so.
PARTITION = "partition"


class Dep(NamedTuple):
    """A dependency on an upstream asset; a plain key does the same.

    `partition_mapping` says which upstream partitions a partition needs; what has no meaning between the two is an
    error when the graph is made.

    * ``same`` (the default): the same key; of time, whichever windows overlap, also of another length or time zone; of
      several dimensions, each by its name. An asset without partitions reads all.
    * ``all`` that exist, or the ``last`` of them.
    * `TimeWindowPartitionMapping`: the windows before or after; an asset may depend on earlier partitions of itself.
    * `StaticPartitionMapping`: the keys that are listed for each; `MultiPartitionMapping`: a mapping by dimension.

    `name` is the argument that takes the upstream's value, where a function does. `short` says that `key` may be just
    the last part of the upstream's key: when no asset has it as its key, the graph takes the one asset whose key ends
    in it. `optional` says that without an asset of that key there is no such dependency. `metadata` is the user's own.

    >>> Dep(AssetKey("shop/orders")).key
    AssetKey('shop/orders')
    """

    key: AssetKey
    partition_mapping: AnyMapping = "same"
    name: str | None = None
    metadata: Mapping[str, Any] = {}
    short: bool = False
    optional: bool = False


@dataclass(frozen=True, slots=True)
class Integration:
    """One configured tool of a project: a dbt project, an Airbyte connection, a Fivetran account.

    `options` is JSON; secrets stand in it only by reference (``{"env": "NAME"}``, ``{"secret": "path/name"}``).
    `root` is the folder that relative paths in the options start from. `observe` is how often a daemon looks at what
    became of its assets outside, None for only when it is asked.

    >>> Integration("transform", "dbt", {"project_dir": "transform"}).kind
    'dbt'
    """

    name: str
    kind: str
    options: Mapping[str, Any] = field(default_factory=dict)
    root: str = "."
    observe: timedelta | None = None

    def __hash__(self) -> int:
        return hash((self.name, self.kind, self.root))


@dataclass(frozen=True, slots=True, kw_only=True)
class Asset:
    """A table, model, frame or file that should exist.

    `key` and `deps` may be given in their written form. `kind` is what makes the asset (``dbt``, ``python``, …).

    * `spec`: JSON that only the integration understands.
    * `columns`: what the definition says of the columns; empty when it says nothing. `columns_are` says what that
      promises: they are ``all`` there may be, they are ``needed`` and others may be there, or they are ``described``,
      and nothing is compared. A value that does not keep the promise is not kept, and a table that was made without is
      out of date.
    * `relation`: the table that holds the asset, if one does.
    * `source`: where the definition stands, ``models/orders.sql`` or ``assets.py:14``.
    * `code_version`: changes exactly when the logic does; `code_parts` are the hashes it is made of, by what they
      cover (``body``, ``config``, ``macros`` …), so that a change can be named; ``relation`` covers which table it is.
    * `executable`: False when nothing in the project makes it.
    * `consumer`: True when it only reads, such as a dashboard or a metric: no table is made from it, and a name that
      could mean it or another asset means the other.
    * `computed_on_read`: True for a view: it shows its inputs as they are.
    * `incremental`: True when a run adds to what is there, so that rows made before keep the logic of then until a full
      refresh makes all anew. `refreshable` is False when even that leaves them.
    * `resource_type`: the tool's own word (``model``, ``seed``, ``stream``), for people and for the selection method of
      that name; nothing is decided by it.
    * `facets`: what a selection may ask for by a method of its own; JSON.

      - ``{"package": "shop"}`` is found by ``package:shop`` and ``package:sh*``, ``{"pii": True}`` by ``pii:true``.
        Of a list, one member that fits is enough; an empty one says that there is such a method, and nothing for it.
      - A list in the list is a dotted name, compared part by part: ``{"source": [["raw"], ["raw", "orders"]]}`` is
        found by ``source:raw`` and ``source:r*.orders``.
      - ``{"config": {"meta": {"team": "core"}}}`` is found by ``config.meta.team:core``. What a dotted path asks for is
        compared as a whole, because such values may themselves have stars and brackets.
      - ``{"package:this": True}`` is found by ``package:this`` alone, and by no pattern.
      - ``{"path": ["models/schema.yml"]}`` are paths that ``path:`` finds it by besides its `source`.

      Methods that all assets have (``tag``, ``owner`` …) are answered by their own fields.
    * `fqn`: the dotted name its tool selects it by, as parts; the key's parts when empty. None when its tool never
      means it by a bare name, as dbt does not mean a source: then one finds it only where nothing else has that name.
    * `version`: which it is of several of a model. `aliases`: other keys that mean this asset, of sources that it is.
    * `joins`: key that this asset says it is the table of (`meta: {assetry: {key: …}}` of a dbt source).
    * `fallback`: True when another definition of the same key takes its place without being a duplicate (a model of
      an installed dbt package, when that project is loaded itself). Where it is another table, it gets a key of its own
      instead, which begins with its integration's name.
    * `inlined`: True for a definition that becomes part of what reads it, such as an ephemeral model of dbt: no asset
      of the graph, but selections find it and go through it. What reads it has what it is made from itself in `deps`.
    * `reads`: what its tool says it is made from, where that is other than `deps` because inlined definitions are
      among it; of an inlined definition, all that it is made from.
    * `io`: URL of the IO manager that keeps its value; None for the project's.
    * `kept`: True when its integration hands its value to `RunContext.save`, as Python functions do: the table is in
      the project's place, or where the integration's `assetry_io_url` says, and that completes a `relation` that is
      stated. Without one the table has the last part of the key as its name.
    * `partition_column`: the column of a `relation` that tells the partition of each row, where a tool keeps all in one
      table: a day, a moment (UTC without a zone), or a key. Without it such a table is only read as a whole.
    * `grows`: ``append`` when new rows come behind those that are there, as an incremental sync adds them. Partitions
      of time that read all of it are then out of date only when they may lack some of their time: when what they read
      did not reach to its end (one that says ``all`` of the dependency reads the rest, too). A view grows so when all
      that it reads does. ``never``: it changes with its definition alone, as a seed does, and is never too old.
      ``replace``, the default: anything in it may change.
    * `pool`: one of `[pools]` in the project file; `weight`: how many of its slots an invocation takes that makes this.
    * `lasting`: False when a `relation` need not be there after it was made, so that nothing is wrong when it is not.

    Raises `DefinitionError` when it names itself as a dependency, and for a `partition_mapping`, a `columns_are`, a
    `grows` and a check's severity that do not exist.

    >>> [str(dep.key) for dep in Asset(key="shop/orders", kind="dbt", deps=["shop/stg_orders"]).deps]
    ['shop/stg_orders']
    """

    key: AssetKey
    kind: str
    deps: tuple[Dep, ...] = ()
    integration: Integration | None = None
    spec: Mapping[str, Any] = field(default_factory=dict)
    description: str = ""
    group: str | None = None
    owners: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)
    columns: tuple[Column, ...] = ()
    columns_are: ColumnsAre = "needed"
    checks: tuple[Check, ...] = ()
    relation: Relation | None = None
    source: str | None = None
    code_version: str | None = None
    code_parts: Mapping[str, str] = field(default_factory=dict)
    partitions_def: PartitionsDefinition | None = None
    freshness_policy: FreshnessPolicy | None = None
    retry_policy: RetryPolicy | None = None
    automation: AutomationPolicy | None = None
    executable: bool = True
    consumer: bool = False
    computed_on_read: bool = False
    resource_type: str = "asset"
    facets: Mapping[str, Any] = field(default_factory=dict)
    fqn: tuple[str, ...] | None = ()
    version: str | None = None
    aliases: tuple[AssetKey, ...] = ()
    joins: AssetKey | None = None
    fallback: bool = False
    inlined: bool = False
    reads: tuple[AssetKey, ...] = ()
    io: str | None = None
    kept: bool = False
    lasting: bool = True
    incremental: bool = False
    refreshable: bool = True
    partition_column: str | None = None
    grows: Grows = "replace"
    pool: str | None = None
    weight: int = 1

    if TYPE_CHECKING:

        def __init__(
            self,
            *,
            key: AssetKey | str | Iterable[str],
            kind: str,
            deps: Iterable[Dep | AssetKey | str] = (),
            integration: Integration | None = None,
            spec: Mapping[str, Any] = ...,
            description: str = "",
            group: str | None = None,
            owners: Iterable[str] = (),
            tags: Iterable[str] = (),
            metadata: Mapping[str, Any] = ...,
            columns: Iterable[Column] = (),
            columns_are: ColumnsAre = "needed",
            checks: Iterable[Check] = (),
            relation: Relation | tuple[str | None, str | None, str] | None = None,
            source: str | None = None,
            code_version: str | None = None,
            code_parts: Mapping[str, str] = ...,
            partitions_def: PartitionsDefinition | None = None,
            freshness_policy: FreshnessPolicy | None = None,
            retry_policy: RetryPolicy | None = None,
            automation: AutomationPolicy | None = None,
            executable: bool = True,
            consumer: bool = False,
            computed_on_read: bool = False,
            resource_type: str = "asset",
            facets: Mapping[str, Any] = ...,
            fqn: Iterable[str] | None = (),
            version: str | None = None,
            aliases: Iterable[AssetKey | str] = (),
            joins: AssetKey | str | None = None,
            fallback: bool = False,
            inlined: bool = False,
            reads: Iterable[AssetKey | str] = (),
            io: str | None = None,
            kept: bool = False,
            lasting: bool = True,
            incremental: bool = False,
            refreshable: bool = True,
            partition_column: str | None = None,
            grows: Grows = "replace",
            pool: str | None = None,
            weight: int = 1,
        ) -> None: ...

    def __post_init__(self) -> None:
        # Frozen: object.__setattr__ is the one way in. Only what is not yet in its final form is touched, because
        # this runs once per asset of graphs with tens of thousands.
        put = object.__setattr__
        if type(self.key) is not AssetKey:
            put(self, "key", AssetKey(self.key))
        deps = self.deps
        if deps and not (type(deps) is tuple and all(type(dep) is Dep for dep in deps)):
            put(self, "deps", tuple(_as_dep(dep) for dep in deps))
        elif type(deps) is not tuple:
            put(self, "deps", ())
        lists = (self.owners, self.tags, self.columns, self.checks)
        if {*map(type, lists)} != {tuple}:
            for name, given in zip(("owners", "tags", "columns", "checks"), lists, strict=True):
                put(self, name, tuple(given))
        if self.fqn is not None and type(self.fqn) is not tuple:
            put(self, "fqn", tuple(self.fqn))
        if self.relation is not None and type(self.relation) is not Relation:
            put(self, "relation", Relation(*self.relation))
        if self.aliases or type(self.aliases) is not tuple:
            put(self, "aliases", tuple(AssetKey(alias) for alias in self.aliases))
        if self.reads or type(self.reads) is not tuple:
            put(self, "reads", tuple(AssetKey(key) for key in self.reads))
        if self.joins is not None:
            put(self, "joins", AssetKey(self.joins))
        for dep in self.deps:
            if dep.partition_mapping != "same":
                what = f"Dependency {str(dep.key)!r} of asset {str(self.key)!r} has the partition_mapping"
                check_mapping(dep.partition_mapping, what, self.source)
            if dep.key == self.key and not (reads_earlier(dep) and self.partitions_def is not None):
                raise _depends_on_itself(self)
        if self.columns_are not in COLUMNS_ARE:
            what = f"Asset {str(self.key)!r} has the word for its columns"
            raise _unknown_word(what, self.columns_are, COLUMNS_ARE, self.source)
        if self.grows not in GROWS:
            raise _unknown_word(f"Asset {str(self.key)!r} grows by", self.grows, GROWS, self.source)
        for check in self.checks:
            if check.severity not in SEVERITIES:
                what = f"Check {check.name!r} of asset {str(self.key)!r} has the severity"
                raise _unknown_word(what, check.severity, SEVERITIES, check.source or self.source)

    def __hash__(self) -> int:
        return hash(self.key)


def reads_earlier(dep: Dep) -> bool:
    """Tell whether a dependency is on earlier partitions only, as an asset may have it on itself.

    >>> reads_earlier(Dep(AssetKey("balance")))
    False
    """
    return isinstance(dep.partition_mapping, PartitionMapping) and dep.partition_mapping.backwards


def _depends_on_itself(asset: Asset) -> DefinitionError:
    earlier = f'Dep("{asset.key}", TimeWindowPartitionMapping(-1, -1))'
    return DefinitionError(
        f"Asset {str(asset.key)!r} depends on itself.",
        where=asset.source,
        hint="Remove the dependency; to read its own last value, load it inside the function."
        if asset.partitions_def is None
        else f"Only earlier partitions can be read: {earlier}.",
    )


def _unknown_word(what: str, word: Any, known: tuple[str, ...], where: str | None) -> DefinitionError:
    near = near_names(word, known) if isinstance(word, str) else ()
    return DefinitionError(
        f"{what} {word!r}, which does not exist.", where=where, near=near, hint=f"There are {', '.join(known)}."
    )


def _as_dep(dep: Any) -> Dep:
    return dep if type(dep) is Dep else Dep(AssetKey(dep))


make_quickly(Asset)
