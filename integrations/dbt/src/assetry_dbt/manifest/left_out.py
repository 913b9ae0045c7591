"""Tests that dbt leaves out, because what they read is not there: dbt warns of them while it reads the project."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from assetry.plugin import near_names

from assetry_dbt.manifest.assets import BUILT
from assetry_dbt.manifest.manifest import Manifest, Node

_READ = BUILT | {"source"}


class LeftOut(NamedTuple):
    """A test that is not run, and the names that it reads and that mean nothing.

    >>> str(LeftOut("no_gaps", "tests/no_gaps.sql", ("order",), ("orders",)))
    "no_gaps (tests/no_gaps.sql) reads 'order', which is not there; did you mean 'orders'?"
    """

    name: str
    file: str
    missing: tuple[str, ...]
    near: tuple[str, ...] = ()

    def __str__(self) -> str:
        names = " and ".join(repr(each) for each in self.missing)
        there = "which is not there" if len(self.missing) == 1 else "which are not there"
        near = f"; did you mean {' or '.join(repr(each) for each in self.near)}?" if self.near else "."
        return f"{self.name} ({self.file}) reads {names}, {there}{near}"


class _Reads(msgspec.Struct, gc=False):
    refs: Any = None
    sources: Any = None


class _Names(msgspec.Struct, gc=False):
    nodes: dict[str, _Reads] | None = None
    disabled: dict[str, msgspec.Raw] | None = None


def left_out_tests(manifest: Manifest, path: Path) -> list[LeftOut]:
    """Return the tests of `manifest`, the file at `path`, that dbt leaves out because a name in them means nothing.

    dbt writes them as disabled. Those that read what is disabled are left out on purpose, and not among them.
    """
    tests = [
        node
        for node in (manifest.nodes or {}).values()
        if node.resource_type == "test" and node.config.get("enabled") is False
    ]
    if not tests:
        return []
    try:
        # Few manifests come here, so what tests read is not kept of every node.
        names = msgspec.json.decode(path.read_bytes(), type=_Names)
    except (OSError, msgspec.MsgspecError):
        return []
    known = {*_known(manifest), *(_last(each) for each in names.disabled or () if each.partition(".")[0] in _READ)}
    return list(_left_out(tests, names.nodes or {}, known))


def _left_out(tests: Iterable[Node], reads: Mapping[str, _Reads], known: set[str]) -> Iterator[LeftOut]:
    for test in tests:
        wanted = dict.fromkeys(_wanted(reads.get(test.unique_id, _Reads())))
        missing = tuple(name for name in wanted if name not in known)
        if missing:
            near = tuple(near_names(missing[0], sorted(known)))
            yield LeftOut(test.name, test.original_file_path or test.package_name, missing, near)


def _known(manifest: Manifest) -> Iterator[str]:
    """Yield the names that a test may read: of models and the like, and of sources with their tables."""
    for node in (*(manifest.nodes or {}).values(), *(manifest.functions or {}).values()):
        if node.resource_type in BUILT:
            yield node.name
    for source in (manifest.sources or {}).values():
        yield f"{source.source_name}.{source.name}"


def _last(unique_id: str) -> str:
    """Return the name in a unique id; of a source with its table, of a version of a model without the version."""
    kind, _, rest = unique_id.partition(".")
    parts = rest.split(".")[1:]
    return ".".join(parts[:2]) if kind == "source" else (parts or [rest])[0]


def _wanted(reads: _Reads) -> Iterator[str]:
    for ref in reads.refs if isinstance(reads.refs, list) else ():
        # Schema versions up to 8 write a list: the package, if it is given, and the name.
        name = ref.get("name") if isinstance(ref, dict) else ref[-1] if isinstance(ref, list) and ref else None
        if name:
            yield str(name)
    for source in reads.sources if isinstance(reads.sources, list) else ():
        if isinstance(source, list) and source:
            yield ".".join(str(part) for part in source)
