"""Packages that hints may name: those of assetry's own that are not installed, by what they answer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from assetry.errors import near_names

#: By hook, the kinds and schemes that packages answer.
PACKAGES: Mapping[str, Mapping[str, str]] = {
    "assetry_load_assets": {
        "dbt": "assetry-dbt",
        "airbyte": "assetry-airbyte",
        "fivetran": "assetry-fivetran",
        "meltano": "assetry-meltano",
    },
    "assetry_open_io": {
        "duckdb": "assetry-duckdb",
        "postgresql": "assetry-postgres",
        "postgres": "assetry-postgres",
    },
}
#: The tables of a project file that packages have.
TABLES: Mapping[str, str] = {
    **{"automation": "assetry-automation", "jobs": "assetry-automation"},
    **{"notify": "assetry-notify", "openlineage": "assetry-openlineage"},
}


def near_words(hook: str, word: str, known: Iterable[str] = ()) -> tuple[str, ...]:
    """Return the kinds or schemes that were probably meant by `word`; `known` are those of what is loaded.

    >>> near_words("assetry_open_io", "duckb")
    ('duckdb',)
    """
    return tuple(each for each in near_names(word, (*PACKAGES.get(hook, ()), *known)) if each != word)


def package_hint(hook: str, word: str, known: Iterable[str] = ()) -> str:
    """Return the next step where no plugin answers for a kind or scheme: its package where there is one.

    `known` are the kinds or schemes that assetry itself answers.

    >>> package_hint("assetry_open_io", "duckdb")
    'Try: pip install assetry-duckdb'
    >>> package_hint("assetry_open_store", "postgres", ["sqlite"])
    'assetry itself knows sqlite; `assetry plugins` lists what is installed beside it'
    """
    package = PACKAGES.get(hook, {}).get(word)
    if package:
        return f"Try: pip install {package}"
    own = ", ".join(known)
    return (f"assetry itself knows {own}; " if own else "") + "`assetry plugins` lists what is installed beside it"
