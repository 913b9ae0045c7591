"""What extractors offer: asked once by `meltano invoke --dump=catalog`, and kept by the content it depends on.

The snapshot holds the selected streams of each extractor in each environment: names, columns, keys and how they are
read, never a setting. It is all that is needed to define the assets, so that a project loads without running Meltano.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from hashlib import blake2b
from pathlib import Path
from typing import Any

from assetry.plugin import IntegrationError, RunError, near_names, read_secret
from assetry_toolkit.commands import ending
from assetry_toolkit.files import write_whole

from assetry_meltano.project.program import Program, install_hint
from assetry_meltano.project.project import MeltanoProject, Plugin
from assetry_meltano.settings import Options

VERSION = 2
#: Bytes beyond which an executable is no script, and counts by its name alone.
_LARGEST_SCRIPT = 1 << 20
_log = logging.getLogger("assetry.meltano")


@dataclass(frozen=True, slots=True)
class Stream:
    """One selected stream: `columns` are names with their descriptions, `method` is ``INCREMENTAL`` and the like."""

    id: str
    name: str
    keys: Sequence[str] = ()
    method: str | None = None
    cursor: str | None = None
    columns: Sequence[tuple[str, str]] = ()


@dataclass(frozen=True, slots=True)
class Catalog:
    """What one extractor offers; `offered` names all its streams, `stale` says why this is not the newest."""

    at: str
    streams: Sequence[Stream]
    offered: Sequence[str] = ()
    stale: str | None = None


class Catalogs:
    """The catalogs of a project's extractors, kept in one file."""

    def __init__(self, options: Options, project: MeltanoProject) -> None:
        self._options, self._project = options, project
        self._kept: dict[str, Any] = {}
        with suppress(OSError, ValueError):
            found = json.loads(options.snapshot_path.read_bytes())
            if isinstance(found, dict) and found.get("version") == VERSION:
                self._kept = found["extractors"]

    def known(self, extractor: str) -> Catalog:
        """Return what an extractor offers, from the file; asked when its definition is another than then.

        One that cannot be asked keeps the catalog it had. Raises `IntegrationError` when it has none.
        """
        kept = self._kept.get(self._place(extractor))
        if kept is not None and kept["fingerprint"] == self._fingerprint(extractor):
            return _read(kept)
        try:
            return self.ask(extractor)
        except IntegrationError as error:
            if kept is None:
                raise
            _log.warning("%s What was read on %s is used.", error.args[0], kept["at"][:10])
            return _read(kept, str(error.args[0]))

    def ask(self, extractor: str) -> Catalog:
        """Ask an extractor anew, and keep the answer. Raises `IntegrationError` when it does not give one."""
        catalog = _discovered(self._options, self._project, extractor)
        kept = self._kept[self._place(extractor)] = {
            "fingerprint": self._fingerprint(extractor),
            "at": datetime.now(UTC).isoformat(timespec="seconds"),
            "streams": [asdict(each) for each in _streams(catalog)],
            "offered": [_id(each) for each in catalog.get("streams") or ()],
        }
        document = {"version": VERSION, "extractors": dict(sorted(self._kept.items()))}
        write_whole(self._options.snapshot_path, json.dumps(document, indent=1, ensure_ascii=False) + "\n")
        return _read(kept)

    def _place(self, extractor: str) -> str:
        return f"{extractor}@{self._project.environment or ''}"

    def _fingerprint(self, extractor: str) -> str:
        """Return a hash of what an extractor is and what it is told; variables count by their name."""
        plugin = self._project.extractors[extractor]
        told = [plugin.essence, plugin.definition.get("select"), plugin.definition.get("select_filter")]
        digest = blake2b(json.dumps(told, sort_keys=True, default=str).encode(), digest_size=16)
        script = self._project.folder / str(plugin.definition.get("executable") or "")
        if script.is_file() and script.stat().st_size <= _LARGEST_SCRIPT:
            digest.update(script.read_bytes())
        return digest.hexdigest()


def told_unselected(plugin: Plugin, catalog: Catalog) -> str:
    """Return what to tell of an extractor of which no stream is selected."""
    patterns = [str(each).partition(".")[0] for each in plugin.definition.get("select") or ()]
    near = dict.fromkeys(name for pattern in patterns for name in near_names(pattern, catalog.offered))
    meant = f" Did you mean {', '.join(near)}?" if near else ""
    offers = ", ".join(catalog.offered[:10]) or "none"
    return f"{plugin.name} selects none of its streams ({plugin.source}); it offers {offers}.{meant}"


def _read(kept: Mapping[str, Any], stale: str | None = None) -> Catalog:
    return Catalog(kept["at"], [Stream(**each) for each in kept["streams"]], kept["offered"], stale)


def _id(stream: Mapping[str, Any]) -> str:
    return str(stream.get("tap_stream_id") or stream.get("stream"))


def _streams(catalog: Mapping[str, Any]) -> Iterator[Stream]:
    """Yield the selected streams of a catalog, in which Meltano has applied all that selects."""
    for each in catalog.get("streams") or ():
        about = {tuple(entry["breadcrumb"]): entry["metadata"] for entry in each.get("metadata") or ()}
        whole = about.get((), {})
        if not (each.get("selected") or whole.get("selected")) or whole.get("inclusion") == "unsupported":
            continue
        properties = (each.get("schema") or {}).get("properties") or {}
        columns = [
            (name, str((schema or {}).get("description") or ""))
            for name, schema in properties.items()
            if _is_read(about.get(("properties", name), {}))
        ]
        keys = each.get("key_properties") or whole.get("table-key-properties") or ()
        # Old extractors take it from the stream itself, new ones from its metadata.
        method = whole.get("replication-method") or each.get("replication_method")
        method = method or whole.get("forced-replication-method")
        cursor = whole.get("replication-key") or each.get("replication_key")
        yield Stream(_id(each), str(each.get("stream") or _id(each)), list(keys), method, cursor, columns)


def _is_read(about: Mapping[str, Any]) -> bool:
    return about.get("inclusion") == "automatic" or about.get("selected", about.get("selected-by-default", True))


def _discovered(options: Options, project: MeltanoProject, extractor: str) -> Mapping[str, Any]:
    """Return an extractor's catalog as Meltano would give it to it. Raises `IntegrationError` with its own words."""
    program = Program(options, project, read_secret)
    try:
        done = program.command("invoke", "--no-install", "--refresh-catalog", "--dump=catalog", extractor).finish()
    except RunError as error:  # there is no such program
        raise IntegrationError(error.message, where=error.where, near=error.near, hint=error.hint) from None
    with suppress(ValueError):
        found = json.loads(done.out)
        if done.returncode == 0 and isinstance(found, dict):
            return found
    # Its own errors are in boxes, between lines about this and that.
    said = "\n".join([line for line in done.err.splitlines() if line.strip(" │╭╮╰╯─") and "[info" not in line][-8:])
    raise IntegrationError(
        f"Extractor {extractor!r} does not say which streams it has: it {ending(done.returncode or 0)}.",
        where=str(Path(options.project_dir, project.extractors[extractor].source)),
        hint=install_hint(extractor, "extractor", done.err) or program.mask(f"It wrote:\n{said}"),
    )
