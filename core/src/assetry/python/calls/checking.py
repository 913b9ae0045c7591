"""One check of an asset by a function: what it is given, and how it came out."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, cast

from assetry.errors import AssetryError
from assetry.hooks.registry import FAULTS
from assetry.io.frames import frame_name
from assetry.python.calls.call import UNKNOWN, arguments, call, check_result, failure, type_hints, wrong_type
from assetry.python.calls.context import context_of
from assetry.python.calls.loading import Loading
from assetry.python.calls.making import Function, capture, sentence
from assetry.python.code import takes_partition
from assetry.types.assets import PARTITION, Check, Severity
from assetry.types.events import Checked
from assetry.types.keys import AssetKey


def checked(function: Function, key: AssetKey, check: Check, loading: Loading, made: Mapping[AssetKey, Any]) -> Checked:
    """Run one check and say how it came out; whatever it raises is a failure of the check."""
    keys = iter((key, *check.also))
    severity = cast(Severity, check.severity)

    besides = takes_partition(function.function, 1 + len(check.also))

    def value(name: str, form: Any) -> Any:
        if besides and name == PARTITION:
            return partition
        return _looked_at(next(keys), form, loading, made)

    portion = loading.portion
    told = context_of((key,), portion, loading.context, loading.partitions_of(key))
    # Only what has partitions is looked at in parts.
    partition = portion.partition if loading.partitions_of(key) is not None else None
    where = {} if partition is None else {"partition": partition}
    say = partial(Checked, key, check.name, severity=severity, partition=partition)
    try:
        args, kwargs = arguments(function.function, told, value)
        with capture(lambda line, level: loading.context.log(line, level, key)):
            said = call(function.function, args, kwargs)
        result = check_result(said, type_hints(function.function).get("return", UNKNOWN))
    except AssertionError as error:
        return say(False, message=str(error) or failure(error), metadata=where)
    except AssetryError as error:
        where |= {"hint": error.hint} if error.hint else {}
        return say(False, message=sentence(error), metadata=where)
    except FAULTS as error:
        return say(False, message=failure(error), metadata=where)
    return say(result.passed, message=result.message, metadata={**where, **result.metadata})


def _looked_at(key: AssetKey, form: Any, loading: Loading, made: Mapping[AssetKey, Any]) -> Any:
    """Return the value that a check sees: the one just made when it is of the type asked for, else as it was kept."""
    value = made.get(key)
    if value is None:
        return loading.value(key, form)
    # Without an annotation a table arrives as whatever is the default, not as what the function happened to return.
    fits = frame_name(value) is None if form is None else wrong_type(value, form) is None
    return value if fits else loading.value(key, form)
