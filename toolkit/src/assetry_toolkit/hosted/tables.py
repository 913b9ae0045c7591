"""Destination tables: which one is meant by a name, what a user knows better of them, and that none is filled twice."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import Any, Generic, TypeVar

from assetry.plugin import (
    FLAG,
    TABLE,
    TEXT,
    Asset,
    AssetKey,
    DefinitionError,
    OptionType,
    Relation,
    checked,
    near_names,
)

from assetry_toolkit.hosted.keys import asset_key

T = TypeVar("T")

#: What may be said of a destination.
_SAID = {"database": TEXT, "schema": TEXT, "table": TEXT, "join": FLAG}


def find_tables(
    wanted: Iterable[str], find: Callable[[str], tuple[Hashable, T]], integration: str
) -> list[tuple[AssetKey, T]]:
    """Return what `find` finds under each name that ``destination_tables`` has, with the key that it gets.

    The key is the integration's name and the name as it is written: ``crm.orders`` is ``<integration>/crm/orders``.
    `find` returns what the table is, and whatever belongs to it. Raises `DefinitionError` where two are one table.

    >>> [str(key) for key, _ in find_tables(["crm.orders"], lambda name: (name, None), "shop")]
    ['shop/crm/orders']
    """
    taken: dict[Hashable, str] = {}
    found = []
    for name in wanted:
        where, thing = find(name)
        if taken.setdefault(where, name) != name:
            raise DefinitionError(
                f"destination_tables names one table twice: {taken[where]!r} and {name!r}.",
                where=f"integration {integration!r}",
                option="destination_tables",
                hint="Leave one of them out.",
            )
        found.append((asset_key(integration, *name.split(".")), thing))
    return found


def find_table(wanted: str, named: Sequence[tuple[T, Sequence[str]]], of: str, integration: str, tool: str) -> T:
    """Return the one thing that has a name, in its exact case, else in any.

    `named` are things with the names that each may be asked for by: the usual one first, the fullest last. `of` says
    whose they are, `tool` is the command that pulls. Raises `DefinitionError` when there is none, or several.

    >>> find_table("Orders", [(1, ["orders", "crm.orders"]), (2, ["users"])], "connection 'c'", "shop", "mill")
    1
    """
    for same in (str.__str__, str.casefold):
        fitting = [pair for pair in named if same(wanted) in {same(name) for name in pair[1]}]
        if len(fitting) == 1:
            return fitting[0][0]
        if fitting:
            raise DefinitionError(
                f"destination_tables: {wanted!r} fits several tables.",
                where=f"integration {integration!r}",
                option="destination_tables",
                near=sorted(names[-1] for _, names in fitting)[:3],
                hint="Write the schema too.",
            )
    known = [name for _, names in named for name in names[:1]]
    raise DefinitionError(
        f"destination_tables: {wanted!r} is not a table of {of}.",
        where=f"integration {integration!r}",
        option="destination_tables",
        near=near_names(wanted, [name for _, names in named for name in names]),
        hint=f"Its tables: {', '.join(known[:10])}{' …' if len(known) > 10 else ''}. "
        f"`assetry {tool} pull` reads them anew.",
    )


class Override:
    """What a user knows better of a destination: ``database``, ``schema``, ``table``, or ``join = false``.

    In ``schema`` and ``table`` stand names in braces, such as ``{name}``.

    >>> lake = Override({"database": "lake", "table": "shop_{name}"})
    >>> lake.of(Relation("raw", "crm", "users"), {"name": "users"})
    Relation(database='lake', schema='crm', identifier='shop_users')
    """

    def __init__(self, given: Mapping[str, Any] | None = None) -> None:
        self.given = given or {}

    def __bool__(self) -> bool:
        return bool(self.given)

    @classmethod
    def check(
        cls,
        given: Mapping[str, Any],
        there: Iterable[Sequence[str]],
        integration: str,
        option: str = "destinations",
        more: Mapping[str, OptionType] | None = None,
    ) -> None:
        """Raise `DefinitionError` for what is said of no destination, or what cannot be said of one.

        `there` are the names of each destination, its service and its id, for example; none where none is known.
        `option` is where it is said, and `more` what may be said besides.

        >>> Override.check({"lake": {"join": False}, "*": {"table": "x_{name}"}}, [("g_1", "lake")], "shop")
        """
        known = [[*dict.fromkeys(filter(None, names))] for names in there]
        for name, said in given.items():
            path = [option, name]
            checked({name: said}, {name: TABLE}, f"table {option} of integration {integration!r}", within=path[:1])
            of = f"table {option}.{name} of integration {integration!r}"
            checked(said, {**_SAID, **(more or {})}, of, within=path)
            if known and name != "*" and not any(name in names for names in known):
                raise DefinitionError(
                    f"{option}.{name}: no connection goes to a destination of that name.",
                    where=f"integration {integration!r}",
                    option=path,
                    near=near_names(name, [each for names in known for each in names]),
                    hint=f'They go to: {", ".join(" or ".join(names) for names in known)}. All of them are "*".',
                )

    @classmethod
    def among(cls, given: Mapping[str, Mapping[str, Any]], *names: str | None) -> Override:
        """Return what stands under the first of some names, or under ``*``; nothing when there is none."""
        return cls(next((given[name] for name in (*names, "*") if name and name in given), None)) if given else cls()

    @property
    def joins(self) -> bool:
        """Tell whether tables of the destination are to be joined at all."""
        return self.given.get("join") is not False

    def of(self, relation: Relation, fill: Mapping[str, str]) -> Relation | None:
        """Return the table in place of the one that the rules found, whose identifier may be empty; None for none."""

        def part(option: str, otherwise: str | None) -> str | None:
            given = self.given.get(option)
            return otherwise if given is None else _filled(option, given, fill) or None

        found = part("table", relation.identifier)
        if not found or not self.joins:
            return None
        return Relation(part("database", relation.database), part("schema", relation.schema), found)


def _filled(option: str, text: str, fill: Mapping[str, str]) -> str:
    try:
        return text.format(**fill)
    except (LookupError, ValueError, AttributeError, TypeError) as error:
        name = str(error.args[0]) if isinstance(error, KeyError) else ""
        raise DefinitionError(
            f"destinations: {option} = {text!r} cannot be filled in{f': {name!r} is nothing' if name else ''}.",
            near=near_names(name, fill) if name else (),
            hint=f"Names in braces may be: {', '.join(f'{{{each}}}' for each in fill)}.",
        ) from None


def asked_place(
    relation: Callable[[Any, Any, Relation | None], Any] | None, connection: Any, table: Any, found: Relation | None
) -> Relation | None:
    """Return the place that a user's function says a table has, as a tuple or None; `found`, by the rules, without one.

    >>> asked_place(lambda connection, table, found: ("lake", "raw", table), "crm", "users", None)
    Relation(database='lake', schema='raw', identifier='users')
    """
    if relation is None:
        return found
    said = relation(connection, table, found)
    return None if said is None else Relation(*said)


class TakenTables(Generic[T]):
    """Which tables of each destination are filled, and by what; there may be very many.

    >>> taken = TakenTables[str]()
    >>> taken.take("lake", ["a", "b"], ["one", "two"]), taken.take("lake", ["b"], ["three"])
    (None, ('b', 'two', 'three'))
    """

    def __init__(self, may_share: Callable[[T, T], bool] = lambda _one, _other: False) -> None:
        self._taken: dict[str, dict[Any, T]] = {}
        self._may_share = may_share

    def has(self, destination: str, place: Any, *, folds_case: bool = False) -> bool:
        """Tell whether something fills a place."""
        taken = self._taken.get(destination, {})
        return place is not None and (place.folded if folds_case else place) in taken

    def take(
        self, destination: str, places: Sequence[Any], owners: Sequence[T], *, folds_case: bool = False
    ) -> tuple[Any, T, T] | None:
        """Note what fills each place; return the first place that another one fills already, and both.

        A place of None is not known. `owners` that `may_share` a place are no trouble. Where a destination `folds_case`
        places are relations, and the same whose letters differ by case only.
        """
        if folds_case:
            places = [place and place.folded for place in places]
        taken = self._taken.setdefault(destination, {})
        # Nearly always all of them are new.
        if taken.keys().isdisjoint(places) and len({None, *places}) == len(places) + 1:
            taken.update(zip(places, owners, strict=True))
            return None
        for place, owner in zip(places, owners, strict=True):
            if place is not None:
                first = taken.setdefault(place, owner)
                if first is not owner and not self._may_share(first, owner):
                    return place, first, owner
        return None

    def fill(
        self,
        connection: Any,
        destination: str | None,
        tables: Sequence[Any],
        assets: Sequence[Asset],
        *,
        folds_case: bool = False,
    ) -> tuple[Any, Any, Any] | None:
        """Note the tables of a connection by the relations of their assets, and return what `take` does.

        Owners are pairs of connection and table. Without a `destination` none is filled: it is not known, or nothing
        is loaded.

        >>> taken, assets = TakenTables[Any](), [Asset(key="shop/a", kind="mill", relation=("x", "y", "a"))]
        >>> taken.fill("crm", "lake", ["a"], assets), taken.fill("crm", None, ["b"], assets)
        (None, None)
        """
        if destination is None:
            return None
        owners: list[Any] = [(connection, table) for table in tables]
        return self.take(destination, [asset.relation for asset in assets], owners, folds_case=folds_case)


def refuse_one_table(
    assets: Iterable[Asset],
    place: Callable[[Asset], Hashable | None],
    told: str,
    integration: str,
    hint: Callable[[Asset], str],
) -> None:
    """Raise `DefinitionError` for the first two assets with one place: of two kinds of rows a table would have both.

    A place of None is not known. `told` begins the error, which names the table and both assets; `hint` is the next
    step, by the second of them.

    >>> keys = ("shop/users", "shop/Users")
    >>> assets = [Asset(key=key, kind="mill", relation=("lake", "raw", "users")) for key in keys]
    >>> refuse_one_table(assets, lambda asset: asset.relation, "Two fill one table", "shop", str)
    Traceback (most recent call last):
    assetry.errors.DefinitionError: Two fill one table, lake.raw.users: shop/users and shop/Users.
    ...
    """
    taken: dict[Hashable, Asset] = {}
    for asset in assets:
        where = place(asset)
        other = asset if where is None else taken.setdefault(where, asset)
        if other is not asset:
            raise DefinitionError(
                f"{told}, {asset.relation}: {other.key} and {asset.key}.",
                where=f"integration {integration!r}",
                hint=hint(asset),
            )
