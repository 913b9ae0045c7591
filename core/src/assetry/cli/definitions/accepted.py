"""What was accepted of an asset, as rows for people; `accept` and `show` share it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from assetry.cli.text import counted, cut, listed, moment
from assetry.views.acceptances import Said

#: How much of a code's version is shown, as `assetry show -v` does of its parts.
_CODE = 16
#: What each cause is called when people are told of it.
_WORDS = {
    "code_changed": "its code",
    "columns_differ": "its columns",
    "deps_changed": "what it reads",
    "upstream_changed": "new content above it",
}


def causes_text(each: Said) -> str:
    """Return what was accepted, in words for people.

    >>> from datetime import UTC, datetime
    >>> from assetry.types.keys import AssetKey
    >>> at = datetime(2026, 1, 31, tzinfo=UTC)
    >>> causes_text(Said(AssetKey("a"), at, "ana", "", False, ("code_changed", "upstream_changed"), ()))
    'its code and new content above it'
    """
    return "taken back" if each.undone else listed([_WORDS[cause] for cause in each.causes], None)


def which_text(each: Said) -> str:
    """Return of how many partitions something was accepted, or of which one; nothing for an asset without."""
    if len(each.partitions) == 1:
        return each.partitions[0]
    return counted(len(each.partitions), "partition") if each.partitions else ""


def accepted_rows(accepted: Iterable[Said]) -> Sequence[Sequence[str]]:
    """Return when, by whom, of what and why something was accepted, and with which code it was made, one row each."""
    return [
        (moment(each.at), each.by, which_text(each), causes_text(each), cut(each.why, 120), _code_text(each))
        for each in accepted
    ]


def _code_text(each: Said) -> str:
    """Return with which code something was really made; nothing where that is the one that it counts as made with."""
    return f"made with code {cut(each.code_version, _CODE)}" if each.code_version else ""
