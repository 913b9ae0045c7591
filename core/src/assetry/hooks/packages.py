"""Packages that hints may name: those of assetry's own, by the kinds and schemes that they answer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from assetry.errors import near_names

#: By hook, the kinds and schemes that it answers, and the package that does; an empty name is assetry itself.
_ANSWERED: Mapping[str, Mapping[str, str]] = {
    "assetry_load_assets": {"python": "", "dbt": "assetry-dbt", "airbyte": "assetry-airbyte"},
    "assetry_open_io": {
        "parquet": "",
        "memory": "",
        "duckdb": "assetry-duckdb",
        "postgresql": "assetry-postgres",
        "postgres": "assetry-postgres",
    },
    "assetry_open_store": {"sqlite": ""},
    "assetry_open_executor": {"threads": "", "inline": ""},
}


def near_words(hook: str, word: str, installed: Iterable[str] = ()) -> tuple[str, ...]:
    """Return the kinds or schemes that were probably meant by `word`; `installed` are further ones.

    >>> near_words("assetry_open_io", "duckb")
    ('duckdb',)
    """
    return tuple(each for each in near_names(word, (*_ANSWERED[hook], *installed)) if each != word)


def package_hint(hook: str, word: str) -> str:
    """Return the next step where no plugin answers for a kind or scheme: its package where there is one.

    >>> package_hint("assetry_open_io", "duckdb")
    'Try: pip install assetry-duckdb'
    >>> package_hint("assetry_open_store", "postgres")
    'assetry itself knows sqlite; `assetry plugins` lists what is installed beside it'
    """
    package = _ANSWERED[hook].get(word)
    if package:
        return f"Try: pip install {package}"
    known = [each for each, package in _ANSWERED[hook].items() if not package]
    return f"assetry itself knows {', '.join(known)}; `assetry plugins` lists what is installed beside it"
