"""How the columns that are there differ from those that are declared, one by one.

What a warehouse says of a table is compared with care: warehouses spell types in many ways and give others than were
asked for (an `integer` becomes `NUMBER(38,0)`), and a false alarm would make an asset stale for ever. So `surely_other`
tells apart only what no warehouse confuses. Of a value that is about to be kept the types are known, and `holds` asks
whether the declared one has all its values.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Literal, NamedTuple

from assetry.columns.column_types import ColumnType, column_type
from assetry.errors import near_names
from assetry.types.assets import Column, ColumnsAre

#: What no warehouse gives one of in the place of another.
_FAMILIES = {"integer": "number", "decimal": "number", "float": "number", "text": "text", "date": "time",
             "timestamp": "time"}  # fmt: skip
#: What a declared kind takes in besides its own: values that are the same there.
_TAKES = {
    "decimal": {"integer"},
    "float": {"integer"},
    "timestamp": {"date"},
    "text": {"uuid", "json"},
    "uuid": {"text"},
    "json": {"text", "struct", "list", "map"},
}


class Difference(NamedTuple):
    """What differs of one column: its ``type``, or that it is ``missing``, or one ``added`` to what is declared.

    `declared` and `found` are types as they were written; `near` is a name that may be meant, and `note` says more.

    >>> print(Difference("amount", "type", "integer", "VARCHAR"))
    `amount`: declared integer, got text (VARCHAR)
    >>> print(Difference("name", "missing", "text", near="nmae"))
    `name` is declared but not there; did you mean `nmae`?
    """

    column: str
    what: Literal["type", "missing", "added"]
    declared: str | None = None
    found: str | None = None
    near: str | None = None
    note: str = ""

    def __str__(self) -> str:
        if self.what == "type":
            told = _words(str(self.declared), str(self.found))
            return f"`{self.column}`: declared {told[0]}, got {told[1]}{self.note}"
        said = f"`{self.column}` is {'declared but not there' if self.what == 'missing' else 'not declared'}"
        return f"{said}; did you mean `{self.near}`?" if self.near else said


def _words(*texts: str) -> list[str]:
    """Return types in words that are the same for all: their kinds, where these tell them apart."""
    types = [column_type(text) for text in texts]
    apart = len({each and each.kind for each in types}) > 1
    words = []
    for text, each in zip(texts, types, strict=True):
        word = text if each is None else each.kind if apart else str(each)
        words.append(word if text.casefold() == word else f"{word} ({text})")
    return words


def differences(
    declared: Iterable[Column],
    real: Sequence[Column],
    are: ColumnsAre = "needed",
    other: Callable[[ColumnType, ColumnType], bool] | None = None,
) -> Iterator[Difference]:
    """Yield how the `real` columns differ from the declared ones; case and order of their names do not count.

    `are` says what the declared ones promise, as `Asset.columns_are` does. `other` tells, of a declared type and one
    that is there, whether they differ: `surely_other` when it is not given.

    >>> real = [Column("ID", "VARCHAR(10)"), Column("nmae", "text")]
    >>> for each in differences([Column("id", "integer"), Column("name", "text")], real): print(each)
    `id`: declared integer, got text (VARCHAR(10))
    `name` is declared but not there; did you mean `nmae`?
    >>> list(differences([Column("id")], real, "all"))[0].what
    'added'
    """
    if are == "described":
        return
    other = other or surely_other
    wanted = list(declared)
    there = {column.name.casefold(): column for column in real}
    free = there.keys() - {column.name.casefold() for column in wanted}
    guessed: set[str] = set()
    for column in wanted:
        found = there.get(column.name.casefold())
        if found is None:
            near = near_names(column.name, [each.name for name, each in there.items() if name in free], most=1)
            guessed.update(near)
            yield Difference(column.name, "missing", column.type, near=near[0] if near else None)
        elif column.type and found.type and column.type != found.type:
            kinds = column_type(column.type), column_type(found.type)
            if kinds[0] is not None and kinds[1] is not None and other(kinds[0], kinds[1]):
                yield Difference(column.name, "type", column.type, found.type)
    if are == "all":
        for name, column in there.items():
            # What is said to be meant by a missing one is not told twice.
            if name in free and column.name not in guessed:
                yield Difference(column.name, "added", found=column.type)


def surely_other(declared: ColumnType, found: ColumnType) -> bool:
    """Tell whether a type that a warehouse names is surely not the declared one.

    >>> [surely_other(column_type("integer"), column_type(each)) for each in ("NUMBER(38,0)", "VARCHAR", "double")]
    [False, True, True]
    """
    kinds = {declared.kind, found.kind}
    if kinds == {"integer", "float"}:
        return True
    families = {_FAMILIES.get(kind) for kind in kinds}
    return len(families) == 2 and None not in families


def holds(declared: ColumnType | None, got: ColumnType | None) -> bool:
    """Tell whether every value of a type is one of the declared type; True where one of the two is not known.

    >>> [holds(column_type("bigint"), column_type(each)) for each in ("int32", "float64", "decimal(5,2)", "geography")]
    [True, False, False, True]
    """
    if declared is None or got is None:
        return True
    if declared.kind != got.kind:
        if declared.kind == "decimal" and got.kind == "float":
            return declared.digits is None  # `numeric` and `number` alone are often said of any number
        if declared.kind == "integer" and got.kind == "decimal":
            return got.digits is not None and got.digits[1] <= 0 and _fits(got.digits[0], declared)
        return got.kind in _TAKES.get(declared.kind, ()) and not (declared.zoned and got.kind == "date")
    if declared.kind == "integer":
        return _range_holds(declared, got)
    if declared.kind == "float":
        return declared.bits is None or got.bits is None or got.bits <= declared.bits
    if declared.kind == "timestamp":
        return None in (declared.zoned, got.zoned) or declared.zoned == got.zoned
    if declared.kind == "decimal" and declared.digits is not None and got.digits is not None:
        (most, after), (precision, scale) = declared.digits, got.digits
        return scale <= after and precision - scale <= most - after
    return _inner_hold(declared, got)


def _range_holds(declared: ColumnType, got: ColumnType) -> bool:
    if declared.signed == got.signed:
        return None in (declared.bits, got.bits) or got.bits <= declared.bits  # type: ignore[operator]
    if declared.signed:
        return None in (declared.bits, got.bits) or got.bits < declared.bits  # type: ignore[operator]
    return False


def _fits(digits: int, declared: ColumnType) -> bool:
    """Tell whether all whole numbers of so many digits are of a type of whole numbers."""
    return declared.signed and (declared.bits is None or 10**digits <= 2 ** (declared.bits - 1))


def _inner_hold(declared: ColumnType, got: ColumnType) -> bool:
    """Tell whether types within a list, a map or a struct hold those of another one, fields by their names."""
    if not declared.inner or not got.inner:
        return True
    if declared.kind != "struct":
        return all(holds(one[1], two[1]) for one, two in zip(declared.inner, got.inner, strict=False))
    mine, others = ({name.casefold(): each for name, each in kind.inner} for kind in (declared, got))
    return mine.keys() == others.keys() and all(holds(each, others[name]) for name, each in mine.items())
