"""A value held against a schema of pandera: what it makes of the value, or what it refuses, without the values."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from assetry.columns.differences import Difference
from assetry.errors import AssetryError, near_names
from assetry.hooks.registry import FAULTS
from assetry.io.frames import frame_name, from_arrow, is_frame, to_arrow
from assetry.python.calls.call import failure
from assetry.python.code import written_place

#: How many refusals are named.
_NAMED = 20
#: The longest name of a check that is written out: one may list all values that it takes.
_LONGEST = 80
#: Held while warnings are heard: which are shown is the same for all threads.
_hearing = threading.Lock()

#: What checks that pandera makes itself say, in words that go before how many rows it is.
_WORDS = {
    "not_nullable": "is empty",
    "field_uniqueness": "has a value more than once,",
    "multiple_fields_uniqueness": "has the same values more than once,",
}


class RefusedError(AssetryError):
    """A value was refused by its schema."""


def validated(schema: Any, value: Any, name: str, warn: Callable[[str], None]) -> Any:
    """Return a table as a schema of pandera leaves it: with what that coerces, parses and filters.

    `name` is the asset's, for errors. A check that only warns is told to `warn`, and so are rows that the schema drops.
    Raises `RefusedError` that says which columns and checks refuse it, and how many rows; never what values these have.
    """
    if not is_frame(value):
        kind = type(value).__qualname__
        raise RefusedError(f"{name} has a schema of pandera, and its value is a {kind}, which is no table.")
    frame = _frame_for(schema, value, name)
    from pandera.errors import SchemaError, SchemaErrors

    heard: list[str] = []
    try:
        with _warnings(heard):
            found = schema.validate(frame, lazy=True)
    except SchemaErrors as error:
        raise _refused(schema, frame, name, error.failure_cases) from None
    except SchemaError as error:
        raise _refused(schema, frame, name, error.failure_cases, str(error.reason_code)) from None
    except FAULTS as error:
        raise RefusedError(f"{name} could not be checked by {_title(schema)}: {failure(error)}") from None
    for each in heard:
        warn(each)
    if 0 < len(found) < len(frame) or (len(frame) and not len(found)):
        warn(f"{_title(schema)} drops {len(frame) - len(found):,} of {len(frame):,} rows.")
    return found


def _frame_for(schema: Any, value: Any, name: str) -> Any:
    """Return a table as the library has it that a schema is for; one that is only planned is made, to be looked at."""
    kind = frame_name(value)
    if kind == "polars.LazyFrame":
        value, kind = value.collect(), "polars.DataFrame"
    cls = schema if isinstance(schema, type) else type(schema)
    modules = {base.__module__ for base in cls.__mro__}
    for library in ("pandas", "polars"):
        wanted = f"{library}.DataFrame"
        if kind != wanted and any(each.startswith(f"pandera.api.{library}") for each in modules):
            return from_arrow(to_arrow(value, name), wanted.replace("pandas.", "pd.").replace("polars.", "pl."), name)
    return value


class _warnings:  # noqa: N801 - it is used as a function is
    """Hear what checks warn of, without the values; other warnings go where they went."""

    def __init__(self, heard: list[str]) -> None:
        self._heard = heard

    def __enter__(self) -> None:
        from pandera.errors import SchemaWarning

        _hearing.acquire()
        self._kind: type[Warning] = SchemaWarning
        self._catching = warnings.catch_warnings(record=True)
        self._caught: Any = self._catching.__enter__()
        warnings.simplefilter("always", SchemaWarning)

    def __exit__(self, *told: Any) -> None:
        self._catching.__exit__(*told)
        _hearing.release()
        for each in self._caught:
            if issubclass(each.category, self._kind):
                self._heard.append(str(each.message).partition(" failure cases")[0].partition("\n")[0])
            else:
                warnings.showwarning(each.message, each.category, each.filename, each.lineno)


def _title(schema: Any) -> str:
    """Return how a schema is called, and where it stands where that is known."""
    if isinstance(schema, type):
        import inspect

        try:
            path, line = inspect.getsourcefile(schema), inspect.getsourcelines(schema)[1]
        except (OSError, TypeError):
            return f"schema {schema.__name__}"
        return f"schema {schema.__name__} ({written_place(str(path), line)})"
    return f"schema {schema.name}" if getattr(schema, "name", None) else "the schema"


def _refused(schema: Any, frame: Any, name: str, cases: Any, reason: str = "") -> RefusedError:
    told = list(dict.fromkeys(_told(schema, frame, _rows(cases)))) or [reason or "it does not say why"]
    more = f"; and {len(told) - _NAMED} more" if len(told) > _NAMED else ""
    named = schema.__name__ if isinstance(schema, type) else "schema"
    return RefusedError(
        f"{name} is refused by {_title(schema)}: {'; '.join(told[:_NAMED])}{more}.",
        hint=f"Correct the function, or the schema. {named}.validate(frame, lazy=True) shows the rows.",
    )


def _rows(cases: Any) -> list[Mapping[str, Any]]:
    """Return the failure cases of pandera, of either library, as mappings."""
    if hasattr(cases, "to_dicts"):
        found: list[Mapping[str, Any]] = cases.to_dicts()
        return found
    return list(cases.to_dict("records")) if hasattr(cases, "to_dict") else []


def _told(schema: Any, frame: Any, cases: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Yield in words what is refused: by column and check."""
    by_check: dict[tuple[str, str, str], list[Mapping[str, Any]]] = {}
    for case in cases:
        where = tuple(str(case.get(each)) for each in ("schema_context", "column", "check"))
        by_check.setdefault(where, []).append(case)  # type: ignore[arg-type]
    total = len(frame)
    names = [str(each) for each in frame.columns]
    coerced = {column for _, column, check in by_check if check.startswith("coerce_dtype(")}
    columns = (schema.to_schema() if hasattr(schema, "to_schema") else schema).columns
    for (context, column, check), found in by_check.items():
        rows = len({str(case.get("index")) for case in found})
        whole = not column or column in ("None", "nan") or context == "DataFrameSchema"
        what = "the table" if whole else f"`{column}`"
        if check in ("column_in_dataframe", "column_in_schema"):
            yield from (str(_absent(str(case["failure_case"]), check, columns, names)) for case in found)
        elif check.startswith("dtype("):
            if column not in coerced:
                wanted = str(getattr(columns.get(column), "dtype", check[len("dtype(") : -1]))
                yield str(Difference(column, "type", wanted, _type_in(frame, column)))
        elif check.startswith("coerce_dtype("):
            yield f"{what} cannot be made {check[len('coerce_dtype(') : -1].strip(chr(39))} in {_of(rows, total)}"
        elif check in _WORDS:
            yield f"{what} {_WORDS[check]} in {_of(rows, total)}"
        elif all(_is_nothing(case.get("index")) for case in found):
            raised = str(found[0].get("failure_case")).partition("(")[0]
            why = f", it raised {raised}" if raised.endswith(("Error", "Exception")) else ""
            yield f"{what}: {_cut(check)} failed{why}"
        else:
            yield f"{what}: {_cut(check)} failed in {_of(rows, total)}"


def _absent(name: str, check: str, columns: Mapping[str, Any], names: list[str]) -> Difference:
    if check == "column_in_schema":
        return Difference(name, "added")
    free = [each for each in names if each not in columns]
    near = near_names(name, free, most=1)
    return Difference(name, "missing", near=near[0] if near else None)


def _type_in(frame: Any, column: str) -> str:
    found = frame[column].dtype if column in frame.columns else None
    return "nothing" if found is None else str(found)


def _is_nothing(value: Any) -> bool:
    return value is None or value != value


def _of(rows: int, total: int) -> str:
    return f"{rows:,} of {total:,} row{'' if total == 1 else 's'}"


def _cut(check: str) -> str:
    return check if len(check) <= _LONGEST else f"{check[: _LONGEST - 1]}…"
