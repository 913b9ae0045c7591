"""The version of several partitions together: a sum, which does not depend on their order, and is kept up by adding."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from assetry.partitions.strands import content_hash, summed, version_digest

#: Stands in a trace for the version of an input that was not known when it was read.
UNKNOWN = ""
_SUM = "sum:"


def sum_of(versions: Mapping[str | None, str]) -> str:
    """Return the version of some partitions, given by key, together; None is the key of all of an asset.

    >>> sum_of({"a": "1", "b": "2"}) == sum_of({"b": "2", "a": "1"}), sum_of({})
    (True, '')
    """
    if not versions:
        return UNKNOWN
    return sum_text(summed(*(content_hash(part or "", version_digest(each)) for part, each in versions.items())))


def sum_text(total: int) -> str:
    """Return the version of several partitions together, of the sum of their content.

    >>> sum_text(10)
    'sum:0000000000000000000000000000000a'
    """
    return f"{_SUM}{total:032x}"


def is_sum(version: str) -> bool:
    """Tell whether a version is one of several partitions together.

    Those that assetry recorded before it had sums are digests that nothing tells from other versions.

    >>> is_sum(sum_text(10)), is_sum("v1")
    (True, False)
    """
    return version.startswith(_SUM)


def older_sum(versions: Iterable[tuple[str | None, str]]) -> str:
    """Return the version of several partitions together as it was recorded before assetry had sums.

    >>> len(older_sum([("a", "v1")]))
    24
    """
    from hashlib import blake2b

    text = "\n".join(f"{part}={version}" for part, version in versions)
    return blake2b(text.encode("utf-8", "backslashreplace"), digest_size=12).hexdigest()
