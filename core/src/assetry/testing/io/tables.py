"""What the kit keeps, and how it looks at what comes back."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from assetry.errors import NothingKeptError, ValueStoreError, error_words
from assetry.partitions.definitions import StaticPartitionsDefinition
from assetry.types.assets import Asset
from assetry.types.protocols import IOManager

if TYPE_CHECKING:
    import pyarrow as pa

#: How often a value is replaced while a reader looks.
TURNS = 30


def tried(what: str, call: Callable[[], Any]) -> Any:
    """Return what a call returns; when it raises, fail and say what should be done."""
    try:
        return call()
    except Exception as error:
        raise AssertionError(f"{what} ({error_words(error)})") from error


def looked_at_while_written(write: Callable[[int], object], look: Callable[[], object]) -> None:
    """Look again and again while another thread writes; `write` is given how often it has been called."""
    enough, written = threading.Event(), [0]

    def go_on() -> None:
        while not enough.is_set():
            write(written[0])
            written[0] += 1

    with ThreadPoolExecutor(1) as pool:
        writing = pool.submit(go_on)
        try:
            looks = 0
            # Both come to their turns, whatever else keeps the machine busy.
            while (looks < TURNS or written[0] < TURNS) and not writing.done():
                look()
                looks += 1
        finally:
            enough.set()
        writing.result()


def nothing_there(io: IOManager, made: Asset) -> ValueStoreError:
    """Return the error that says that nothing is kept."""
    try:
        found = io.load(made)
    except ValueStoreError as error:
        return error
    except Exception as error:
        raise AssertionError(
            f"loading what was never saved raises {type(error).__name__}: raise "
            "assetry.plugin.nothing_kept(asset, partition, place)"
        ) from error
    raise AssertionError(f"{made.key} was never saved, and {found!r} is loaded: raise assetry.plugin.nothing_kept(…)")


def gone(io: IOManager, made: Asset, partition: str | None = None) -> None:
    """Fail unless nothing is kept of what was deleted; a partition of a table may be one without rows."""
    part = "" if partition is None else f", partition {partition!r},"
    try:
        found = io.load(made, partition)
    except NothingKeptError:
        return
    left = partition is None or len(found)
    assert not left, f"{made.key}{part} was deleted, and {found!r} is loaded: delete what save has put there"


def refuses(
    ask: Callable[[], Any], function: str, wanted: type[ValueStoreError], what: str = "what is not there"
) -> None:
    """Fail unless a call raises `wanted`, or a kind of it; `function` is what was called, and `what` it was given."""
    try:
        found = ask()
    except wanted:
        return
    except Exception as error:
        raise AssertionError(f"{function} raises {type(error).__name__} of {what}: raise {wanted.__name__}") from error
    raise AssertionError(f"{function} gives {found!r} of {what}: raise {wanted.__name__}")


def asset(name: str, *partitions: str) -> Asset:
    """Return an asset to keep, as a Python function makes one.

    >>> str(asset("orders").key)
    'kit/orders'
    """
    parts = StaticPartitionsDefinition(partitions) if partitions else None
    return Asset(key=f"kit/{name}", kind="python", partitions_def=parts, kept=True)


def table() -> pa.Table:
    """Return a table with the types that every warehouse has, and with nulls."""
    import pyarrow as pa

    return pa.table(
        {
            "id": pa.array([1, 2**53 + 1, None], pa.int64()),
            "ratio": pa.array([0.1, None, -1e300], pa.float64()),
            "text": pa.array(["", "ünïcödé 'x'", None]),
            "yes": pa.array([True, False, None]),
            "day": pa.array([date(1970, 1, 1), None, date(2999, 12, 31)]),
            "at": pa.array([datetime(2024, 2, 29, 23, 59, 59, 123456, UTC), None, None], pa.timestamp("us", "UTC")),
            "price": pa.array([Decimal("12.30"), Decimal("-0.01"), None], pa.decimal128(12, 2)),
        }
    )


def numbers(value: int, rows: int = 1) -> pa.Table:
    """Return a table of one column of equal numbers."""
    import pyarrow as pa

    return pa.table({"n": pa.array([value] * rows, pa.int64())})


def many(values: Mapping[str, int]) -> pa.Table:
    """Return a table with three rows of each of some partitions, one after the other, and a column that tells them.

    >>> many({"a": 1, "b": 2}).to_pydict()
    {'n': [1, 2, 1, 2, 1, 2], 'told by': ['a', 'b', 'a', 'b', 'a', 'b']}
    """
    import pyarrow as pa

    return pa.table({"n": pa.array([*values.values()] * 3, pa.int64()), "told by": pa.array([*values] * 3)})


def same(found: Any, wanted: Any, where: str = "") -> None:
    """Fail unless a value came back as it went; tables are compared by their rows."""
    rows = tuple(each.to_pylist() if hasattr(each, "to_pylist") else each for each in (found, wanted))
    assert rows[0] == rows[1], f"{where}{rows[1]!r} was saved, and {rows[0]!r} comes back"
