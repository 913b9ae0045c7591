"""Whether what a hook answers is what it promises. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import Any

from assetry.types.assets import AssetCheck
from assetry.types.fields import described, outer_misfit


def fault(answer: Any, *kinds: type[Any]) -> str | None:
    """Return what is wrong with an answer that is to be of one of `kinds`; None when nothing is.

    >>> fault(["a"], str), fault("a", str)
    ('returned a list instead of a str', None)
    >>> from assetry.types.assets import Asset
    >>> fault(Asset(key="shop/orders", kind="acme", integration="shop"), Asset)
    "returned the Asset 'shop/orders', and its integration is a str instead of an Integration"
    """
    if not isinstance(answer, kinds):
        return f"returned {described(type(answer))} instead of {' or '.join(described(kind) for kind in kinds)}"
    if not _has_fields(type(answer)):
        return None
    wrong = outer_misfit(answer)
    return None if wrong is None else f"returned {_named(answer)}, and its {wrong}"


def _looked_into(kind: type[Any]) -> bool:
    """Tell whether values of a class are looked into: of one that is a plain collection or text they are not."""
    return hasattr(kind, "_fields") or not issubclass(kind, (str, Mapping, Iterable))


#: Asking an abstract class costs more than the rest of a look at an asset, of which there are tens of thousands.
_has_fields: Callable[[Any], bool] = cache(_looked_into)


def _named(answer: Any) -> str:
    if isinstance(answer, AssetCheck):
        return f"the AssetCheck of {str(answer.key)!r}"
    name = getattr(answer, "key", None) or getattr(answer, "name", None)
    kind = type(answer).__name__
    return f"the {kind} {str(name)!r}" if name else described(type(answer))


def first_fault(answers: Iterable[Any], *kinds: type[Any]) -> str | None:
    """Return what is wrong with the first of `answers` that is not as it should be."""
    return next((wrong for each in answers if (wrong := fault(each, *kinds))), None)
