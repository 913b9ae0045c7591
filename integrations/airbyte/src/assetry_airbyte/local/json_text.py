"""JSON in which no digit is lost: numbers that floating point does not hold are kept as decimals, and written back.

A connector's records are decoded at the speed of C. Floating point holds any number of 15 digits, and of longer ones
those that were floating point before; what may be another one is found first, in whole blocks of lines.
"""

from __future__ import annotations

import json
import math
from decimal import Context, Decimal
from functools import lru_cache
from typing import Any

import msgspec

#: Digits and dots in a row that may be a number which floating point does not hold: 16 digits and the dot.
_LONG = b"0" * 17
_SHAPE = bytes(ord("0") if byte in b"0123456789." else ord(" ") for byte in range(256))


def has_long_numbers(block: bytes) -> bool:
    """Tell whether a block of JSON may have a number of more digits than floating point holds.

    >>> has_long_numbers(b'{"n": 12345678901234567891.5}'), has_long_numbers(b'{"n": 19.9, "at": 1767225600000}')
    (True, False)
    """
    return _LONG in block.translate(_SHAPE)


def number(text: str) -> float | Decimal:
    """Return a number with a fraction or an exponent, as a decimal where floating point would be printed otherwise.

    >>> number("19.90"), number("0.30000000000000004"), number("12345678901234567891.5"), number("1e400")
    (19.9, 0.30000000000000004, Decimal('12345678901234567891.5'), Decimal('1E+400'))
    """
    found = float(text)
    if len(text) < len(_LONG) and "e" not in text and "E" not in text:
        return found
    exact = Decimal(text)
    return found if Decimal(repr(found)) == exact else exact


def floating(exact: Decimal) -> float | None:
    """Return a decimal as the floating point from which it was printed with that many digits; None for any other.

    >>> floating(Decimal("0.10000000000000001")), floating(Decimal("12345678901234567891.5"))
    (0.1, None)
    """
    found = float(exact)
    digits = "".join(map(str, exact.as_tuple().digits)).strip("0")
    printed = Context(prec=max(len(digits), 1)).create_decimal_from_float(found)
    return found if exact in (printed, Decimal(repr(found))) else None


def read(text: str | bytes, *, digits: bool = True) -> Any:
    """Return what JSON text says; also such as others write though it is not JSON: NaN, half of a surrogate pair."""
    return json.loads(text, parse_float=number if digits else None)


@lru_cache(maxsize=1)
def _encoder() -> msgspec.json.Encoder:
    return msgspec.json.Encoder(decimal_format="number")


def written(value: Any) -> bytes:
    """Return a value as JSON text.

    >>> written({"n": Decimal("12345678901234567891.50"), "a": [None, 2**70]})
    b'{"n":12345678901234567891.50,"a":[null,1180591620717411303424]}'
    """
    if isinstance(value, float) and not math.isfinite(value):
        return json.dumps(json.dumps(value)).encode()
    try:
        return _encoder().encode(value)
    except (msgspec.MsgspecError, ValueError, UnicodeEncodeError):
        return _spelled(value).encode()


def _spelled(value: Any) -> str:
    """Return as JSON text what msgspec does not write: half of a surrogate pair stays one, as an escape."""
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(name)}:{_spelled(each)}" for name, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_spelled, value)) + "]"
    return str(value) if isinstance(value, Decimal) else json.dumps(value)


def without_special(value: Any) -> Any:
    """Return a value with words in the place of NaN and the infinities, which JSON text cannot say.

    >>> without_special([1.5, float("nan"), {"a": float("-inf")}])
    [1.5, 'NaN', {'a': '-Infinity'}]
    """
    if isinstance(value, dict):
        return {name: without_special(each) for name, each in value.items()}
    if isinstance(value, list):
        return [without_special(each) for each in value]
    return json.dumps(value) if isinstance(value, float) and not math.isfinite(value) else value
