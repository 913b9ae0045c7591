"""Selections that have names: ``selector:nightly`` means what somebody wrote down under that name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property

from assetry.errors import SelectionError, near_names
from assetry.selection.grammar import (
    Both,
    Criterion,
    Either,
    Expression,
    Named,
    Reaching,
    Selector,
    Without,
    fault,
    read_selector,
)

#: Returns the texts of the selections that have names; several together where several have one name.
NamedTexts = Callable[[], Mapping[str, Sequence[str]]]


class Names:
    """The selections that have names; asked for only when one occurs.

    >>> names = Names(lambda: {"nightly": ["tag:nightly"]})
    >>> names.put_in([read_selector("selector:nightly+")])[0].parts[0][1].inner.text
    'tag:nightly'
    """

    def __init__(self, named: NamedTexts | None) -> None:
        self._named = named
        self._open: list[str] = []

    @cached_property
    def _texts(self) -> Mapping[str, Sequence[str]]:
        return self._named() if self._named is not None else {}

    def put_in(self, selectors: Sequence[Selector]) -> list[Selector]:
        """Return selections with what names mean in the place of the names."""
        return [
            each._replace(parts=tuple((text, self._put(expression, each.text)) for text, expression in each.parts))
            for each in selectors
        ]

    def _put(self, expression: Expression, text: str) -> Expression:
        if isinstance(expression, Criterion):
            return self._meaning(expression, text) if expression.method == "selector" else expression
        if isinstance(expression, (Either, Both)):
            return replace(expression, parts=tuple(self._put(part, text) for part in expression.parts))
        if isinstance(expression, (Reaching, Without, Named)):
            return replace(expression, inner=self._put(expression.inner, text))
        return expression

    def _meaning(self, criterion: Criterion, text: str) -> Expression:
        name = criterion.value
        texts = self._texts.get(name)
        if texts is None:
            hint = f"There are: {', '.join(sorted(self._texts))}." if self._texts else "No integration has any."
            near = near_names(name, self._texts)
            raise fault(text, criterion.start, f"No selection has the name {name!r}.", near=near, hint=hint)
        if not all(texts):
            raise fault(
                text, criterion.start, f"The selection {name!r} cannot be read.", hint="Write out what it means."
            )
        if name in self._open:
            raise SelectionError(f"The selection {name!r} is made from itself.")
        self._open.append(name)
        found = [Named(each, self._put(_whole(read_selector(each)), each)) for each in texts]
        self._open.pop()
        return found[0] if len(found) == 1 else Either(tuple(found))


def _whole(selector: Selector) -> Expression:
    parts = tuple(expression for _, expression in selector.parts)
    return parts[0] if len(parts) == 1 else Either(parts)
