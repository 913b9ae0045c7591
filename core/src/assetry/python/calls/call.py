"""Calling a user's function: what it is given, what it gives back, and how its failure reads."""

from __future__ import annotations

import inspect
import os
import types
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from assetry.errors import AssetryError, near_names
from assetry.io.frames import frame_name, frame_type
from assetry.python.calls.context import AssetContext
from assetry.python.code import CONTEXT, written_place
from assetry.python.decorators import CheckResult
from assetry.types.assets import PARTITION
from assetry.types.keys import AssetKey

#: Stands for "no annotation".
UNKNOWN = inspect.Parameter.empty


def type_hints(function: Callable[..., Any]) -> dict[str, Any]:
    """Return the annotations of a function; those that cannot be resolved stay text.

    >>> def half(number: "int", frame: "nowhere.DataFrame"): ...
    >>> type_hints(half)
    {'number': <class 'int'>, 'frame': 'nowhere.DataFrame'}
    """
    try:
        return typing.get_type_hints(function)
    except Exception:
        # A name that is imported for type checkers only, a forward reference, a slip: one must not hide the others.
        return {name: _resolved(function, each) for name, each in inspect.get_annotations(function).items()}


def _resolved(function: Callable[..., Any], annotation: Any) -> Any:
    if not isinstance(annotation, str):
        return annotation
    try:
        found = eval(annotation, getattr(function, "__globals__", {}))
    except Exception:
        return annotation
    # Quoted in a module whose annotations are all text, it is text within text.
    return _resolved(function, found) if found != annotation else annotation


def arguments(
    function: Callable[..., Any],
    context: AssetContext | None,
    load: Callable[[str, Any], Any],
    hints: Mapping[str, Any] | None = None,
) -> tuple[list[Any], dict[str, Any]]:
    """Return what to call `function` with; `load` is asked for each value, by parameter and annotation.

    `hints` are the annotations, where they are known already.

    One with a default is left to that, but for `partition`.

    >>> arguments(lambda a, b=2: None, None, lambda name, form: name.upper())
    ([], {'a': 'A'})
    """
    hints = type_hints(function) if hints is None else hints
    args: list[Any] = []
    kwargs: dict[str, Any] = {}
    for name, parameter in inspect.signature(function).parameters.items():
        has_default = parameter.default is not UNKNOWN
        if name == CONTEXT:
            value: Any = context
        elif has_default and name == PARTITION and context is not None and context.partition is not None:
            value = context.partition
        elif has_default:
            continue
        else:
            value = load(name, hints.get(name))
        if parameter.kind is parameter.POSITIONAL_ONLY:
            args.append(value)
        else:
            kwargs[name] = value
    return args, kwargs


def call(function: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    """Call a function; run it to its end when it is asynchronous.

    >>> async def one(): return 1
    >>> call(one, (), {})
    1
    """
    if inspect.iscoroutinefunction(function):
        import asyncio

        return asyncio.run(function(*args, **kwargs))
    return function(*args, **kwargs)


def wrong_type(value: Any, annotation: Any) -> str | None:
    """Say how `value` differs from what the function's annotation promises; None when it does not.

    Frames must be of the annotated library; of other annotations only the class is looked at.

    >>> wrong_type(None, int), wrong_type(3, int), wrong_type(3, "int"), wrong_type([3], list[int])
    ('expected int, got None', None, None, None)
    """
    if annotation is UNKNOWN or _fits(value, annotation):
        return None
    got = "None" if value is None else frame_name(value) or _class_name(type(value))
    return f"expected {_written(annotation)}, got {got}"


def _fits(value: Any, annotation: Any) -> bool:
    frame = frame_type(annotation)
    if frame is not None:
        return frame_name(value) == frame
    if annotation is None or annotation is type(None):
        return value is None
    origin = typing.get_origin(annotation)
    if origin is typing.Annotated:
        return _fits(value, typing.get_args(annotation)[0])
    if origin in (typing.Union, types.UnionType):
        return any(_fits(value, each) for each in typing.get_args(annotation))
    expected = origin or annotation
    if expected is float:
        expected = (float, int)
    try:
        return isinstance(value, expected)
    except TypeError:
        return True  # not a class: a type variable, a protocol, text that could not be resolved


def _written(annotation: Any) -> str:
    if annotation is None or annotation is type(None):
        return "None"
    return frame_type(annotation) or (_class_name(annotation) if isinstance(annotation, type) else str(annotation))


def _class_name(cls: type) -> str:
    return cls.__qualname__ if cls.__module__ == "builtins" else f"{cls.__module__}.{cls.__qualname__}"


class OutputError(AssetryError):
    """A function of several assets returned something that does not name its outputs."""


def outputs(value: Any, keys: Sequence[AssetKey]) -> Iterator[tuple[AssetKey, Any]]:
    """Yield key and value of each output that a function of several assets gave back.

    Raises `OutputError` when something else came back.

    >>> list(outputs({"train": 1}, [AssetKey("ml/train")])), list(outputs((1, 2), [AssetKey("a"), AssetKey("b")]))
    ([(AssetKey('ml/train'), 1)], [(AssetKey('a'), 1), (AssetKey('b'), 2)])
    """
    if isinstance(value, Mapping):
        for name, each in value.items():
            yield _output_key(name, keys), each
    elif isinstance(value, (tuple, list)):
        if len(value) != len(keys):
            raise OutputError(
                f"returned {len(value)} values for {len(keys)} assets", hint="Return a dict from key to value."
            )
        yield from zip(keys, value, strict=True)
    elif inspect.isgenerator(value):
        for pair in value:
            if not (isinstance(pair, tuple) and len(pair) == 2):
                raise OutputError(f"yielded {type(pair).__name__}", hint="Yield pairs: (key, value).")
            yield _output_key(pair[0], keys), pair[1]
    else:
        raise OutputError(
            f"returned {'None' if value is None else type(value).__name__}",
            hint="Return a dict from key to value, a tuple in the order of the assets, or yield (key, value); a "
            "value may be an Output.",
        )


def _output_key(name: Any, keys: Sequence[AssetKey]) -> AssetKey:
    fits = [key for key in keys if key == name] or [key for key in keys if key.name == name]
    if len(fits) == 1:
        return fits[0]
    what = "which is the end of several keys" if fits else "which is not one of its assets"
    raise OutputError(f"returned {name!r}, {what}", near=near_names(str(name), keys), hint="Use the whole key.")


def failure(error: BaseException) -> str:
    """Return how an exception in user code reads: what it is, then the user's own lines, innermost first.

    >>> try: 1 / 0
    ... except ZeroDivisionError as error: print(failure(error).splitlines()[0])
    ZeroDivisionError: division by zero
    """
    import traceback

    lines = [_headline(error)]
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if not _is_library(frame.filename)] or frames[-1:]
    for frame in reversed(own[-8:]):
        lines.append(f"  at {written_place(frame.filename, frame.lineno or 0)} in {frame.name}")
        if frame.line:
            lines.append(f"      {frame.line}")
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if cause is not None and _headline(cause) != lines[0]:  # libraries often raise their own error again
        lines.append(f"  caused by {_headline(cause)}")
    return "\n".join(lines)


def raised_at(error: BaseException) -> str | None:
    """Return the place of the user's own line that led to an error; None where it has none.

    >>> raised_at(ValueError("never raised")) is None
    True
    """
    import traceback

    own = [each for each in traceback.extract_tb(error.__traceback__) if not _is_library(each.filename)]
    return written_place(own[-1].filename, own[-1].lineno or 0) if own else None


def _headline(error: BaseException) -> str:
    text = str(error)
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


#: All of assetry. Not by pathlib, which is slow to load.
_PACKAGE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))  # noqa: PTH100, PTH120
_LIBRARIES = tuple(os.path.join(path, "") for path in {_PACKAGE, os.path.dirname(os.__file__)})  # noqa: PTH118, PTH120


def _is_library(path: str) -> bool:
    return path.startswith((*_LIBRARIES, "<frozen")) or "site-packages" in path or "dist-packages" in path


def check_result(value: Any, annotation: Any = UNKNOWN) -> CheckResult:
    """Return what a check function's value says; raise `OutputError` when it says nothing.

    `annotation` is what the function promises to return: where that is a value, None is a forgotten ``return``.

    >>> check_result(True), check_result(None).passed
    (CheckResult(passed=True, message=None, metadata={}), True)
    """
    if isinstance(value, CheckResult):
        return value
    if value is None and (problem := wrong_type(None, annotation)) is not None:
        raise OutputError(
            f"returned None, so nothing was checked: {problem}",
            hint="Return the value; or annotate `-> None` where a check that raises nothing has passed.",
        )
    if value is None or value is True:
        return CheckResult(True)
    if value is False or type(value).__name__ in ("bool_", "bool", "BooleanScalar"):
        return CheckResult(bool(value))  # numpy's booleans are not Python's
    raise OutputError(f"returned {type(value).__name__}", hint="Return True or False or a CheckResult, or use assert.")
