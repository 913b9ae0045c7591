"""Asset keys: the global names of assets."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from assetry.errors import DefinitionError

#: What the grammar of selections has a use for; and what it takes for a word, or for a depth.
_SIGNS = re.compile(r"""[\s,()'":+@]""")
_WORDS = re.compile(r"and|or|not|\d+", re.IGNORECASE)


def selection_value(text: str) -> str:
    """Return a value as a selection writes it: in quotes where a part of it would mean something else there.

    >>> selection_value("orders"), selection_value("my table"), selection_value('5" discs')
    ('orders', '"my table"', '"5"" discs"')
    """
    if _SIGNS.search(text) is None and _WORDS.fullmatch(text) is None:
        return text
    return '"{}"'.format(text.replace('"', '""'))


class AssetKey(str):
    """The name of an asset: one or more parts, written ``a/b/c``.

    A key is a string, so it hashes, sorts, prints and serialises as its written form, and equals it.
    It is made from the written form or from the parts.

    Raises `DefinitionError` for an empty part, or one with a slash, a line break, or blanks at its ends.

    >>> AssetKey("shop/orders").parts
    ('shop', 'orders')
    >>> AssetKey(("shop", "orders")) == "shop/orders"
    True
    >>> AssetKey("shop/orders").name
    'orders'
    """

    __slots__ = ()

    if TYPE_CHECKING:

        def __init__(self, key: str | Iterable[str]) -> None: ...

    def __new__(cls, key: str | Iterable[str]) -> AssetKey:
        """Return the key that `key` writes out; the very same object when it is one already."""
        if type(key) is cls:
            return key
        if isinstance(key, str):
            text, parts = str(key), key.split("/")
        else:
            parts = list(key) or [""]
            text = "/".join(parts)
            if any("/" in part for part in parts):
                raise DefinitionError(f"A part of asset key {parts!r} contains '/'.", hint="Pass it as two parts.")
        for part in parts:
            # isprintable() is false for line breaks and control characters; "" is printable, so ask for it first.
            if not part or not part.isprintable() or part != part.strip():
                raise DefinitionError(
                    f"{text!r} is not an asset key.",
                    hint="A key is one or more non-empty parts joined by '/', for example 'shop/orders'.",
                )
        return str.__new__(cls, text)

    @property
    def parts(self) -> tuple[str, ...]:
        """Return the parts of the key."""
        return tuple(self.split("/"))

    @property
    def name(self) -> str:
        """Return the last part of the key."""
        return self[self.rfind("/") + 1 :]

    @property
    def selection(self) -> str:
        """Return the selection that means this asset and no other; in a shell, `shlex.quote` goes around it.

        >>> AssetKey("shop/orders").selection, AssetKey("crm/all accounts").selection, AssetKey("orders").selection
        ('shop/orders', '"crm/all accounts"', 'key:orders')
        """
        # A name of one part alone would also mean every asset that ends in it.
        return ("" if "/" in self else "key:") + selection_value(self)

    def __repr__(self) -> str:
        return f"AssetKey({str.__repr__(self)})"

    def __str__(self) -> str:
        return str.__str__(self)
