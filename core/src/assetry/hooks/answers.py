"""Whether what a hook answers is what it promises. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
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
    if isinstance(answer, (str, Mapping, Iterable)) and not hasattr(answer, "_fields"):
        return None
    wrong = outer_misfit(answer)
    return None if wrong is None else f"returned {_named(answer)}, and its {wrong}"


def _named(answer: Any) -> str:
    if isinstance(answer, AssetCheck):
        return f"the AssetCheck of {str(answer.key)!r}"
    name = getattr(answer, "key", None) or getattr(answer, "name", None)
    kind = type(answer).__name__
    return f"the {kind} {str(name)!r}" if name else described(type(answer))


def first_fault(answers: Iterable[Any], *kinds: type[Any]) -> str | None:
    """Return what is wrong with the first of `answers` that is not as it should be."""
    return next((wrong for each in answers if (wrong := fault(each, *kinds))), None)
