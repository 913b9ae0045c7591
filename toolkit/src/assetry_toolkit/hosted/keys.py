"""Names of a service as parts of asset keys."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase

from assetry.plugin import AssetKey


def slug(name: str) -> str:
    """Return a name as part of a key: lower case, everything but letters and digits an underscore.

    >>> slug("Shop DB → Snowflake")
    'shop_db_snowflake'
    """
    words = "".join(each if each.isalnum() else " " for each in name.lower()).split()
    return "_".join(words) or "connection"


def slugs(named: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return a key part for each connection, by its id: its name, with the id's beginning where the name is taken.

    Where that is taken, too, it is the whole id. No two connections have the same part.

    `named` are ids and names, oldest first: the oldest keeps the plain name, so that its key does not change when
    another of that name is made.

    >>> slugs([("7f00aa11bb", "Shop"), ("8e11", "shop")])
    {'7f00aa11bb': 'shop', '8e11': 'shop_8e11'}
    """
    taken: dict[str, str] = {}
    for id_, name in named:
        plain = part = slug(name)
        more = [id_, id_[:8]]
        while taken.get(part, id_) != id_:
            part = f"{plain}_{more.pop()}" if more else f"{part}_{id_}"
        taken[part] = id_
    return {id_: part for part, id_ in taken.items()}


def fits(name: str, patterns: Sequence[str]) -> bool:
    """Tell whether a name is like one of some patterns, which have * in them; any is where there are none.

    >>> fits("shop_eu", ["shop*"]), fits("crm", ["shop*"]), fits("crm", [])
    (True, False, True)
    """
    return not patterns or any(fnmatchcase(name, each) for each in patterns)


def key_part(name: str) -> str:
    """Return a name as part of a key, so that no two names give the same part.

    >>> key_part("orders"), key_part("a/b"), key_part(" c")
    ('orders', 'a%2Fb', '%20c')
    >>> key_part(" ") == key_part("  ")
    False
    """
    if name.isidentifier():
        return name  # most names are
    if name.isprintable() and "/" not in name and "%" not in name and name == name.strip():
        return name
    last = len(name) - 1
    return "".join(
        _coded(each) if each in "/%" or not each.isprintable() or (i in (0, last) and each.isspace()) else each
        for i, each in enumerate(name)
    )


def asset_key(*names: str) -> AssetKey:
    """Return the key that is made of some names.

    >>> str(asset_key("shop", "crm/eu", "orders"))
    'shop/crm%2Feu/orders'
    """
    return AssetKey([key_part(each) for each in names])


def _coded(character: str) -> str:
    return "".join(f"%{byte:02X}" for byte in character.encode())
