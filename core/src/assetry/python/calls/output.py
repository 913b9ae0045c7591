"""What a function may return in the place of a value: the value, with what it tells of it."""

from __future__ import annotations

import inspect
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, eq=False)  # with slots, Output[int](3) raises
class Output(Generic[T]):
    """A value, with metadata that is shown with it and kept as history, and the version of its data.

    What an `@asset` function may return in the place of its value, annotated ``-> Output[pd.DataFrame]`` or as without
    it; a `@multi_asset` function for each of its assets; a function of a range for all of it, or for each partition in
    its dict. Decorated functions that are called with plain values return it as it is.

    `metadata` maps names to numbers, texts, booleans, None, dates and times, lists and mappings of these, `Link`,
    `Markdown`, `Preview` and `Png`. What assetry tells of a value under the same name, such as ``rows`` or ``preview``,
    makes room; ``rows``, ``columns``, ``bytes`` and ``changed`` have to be whole numbers, ``data_time``, the moment
    that the data reaches, a datetime with a zone; ``io``, ``older_rows``, ``epoch`` and ``left_out`` are refused. All
    of it may have 64 Ki characters, and a picture 4 MiB. What cannot be kept fails the asset before its value is kept.

    `data_version` is a text that changes exactly when the content does, in the place of the one that is made from the
    content: where it stays, what is made from the asset is up to date.

    >>> made = Output([1, 2, 3], metadata={"mean": 2.0, "source": "the API"})
    >>> made.value, made.metadata["mean"], made.data_version is None
    ([1, 2, 3], 2.0, True)
    """

    value: T
    metadata: Mapping[str, Any] | None = field(default=None, kw_only=True)
    data_version: str | None = field(default=None, kw_only=True)


class MaterializeResult(Output[None]):
    """An `Output` without a value: of a function that keeps its data itself.

    >>> MaterializeResult(metadata={"rows": 3}, data_version="v7").value is None
    True
    """

    def __init__(self, *, metadata: Mapping[str, Any] | None = None, data_version: str | None = None) -> None:
        super().__init__(None, metadata=metadata, data_version=data_version)


def promised(annotation: Any) -> Any:
    """Return what the annotation of a function promises of the value, where it says `Output` of it.

    >>> promised(Output[int]), promised(MaterializeResult), promised(list), promised(Output[int] | None) == int | None
    (<class 'int'>, <class 'NoneType'>, <class 'list'>, True)
    """
    if annotation is Output:
        return inspect.Parameter.empty
    if annotation is MaterializeResult:
        return type(None)
    origin, args = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is Output:
        return args[0]
    if origin is typing.Annotated:
        return promised(args[0])
    if origin in (typing.Union, types.UnionType):
        options = [promised(each) for each in args]
        if inspect.Parameter.empty in options:
            return inspect.Parameter.empty
        return typing.Union[tuple(options)]  # noqa: UP007 - of as many as there are
    return annotation
