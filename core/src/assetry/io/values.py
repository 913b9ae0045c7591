"""Which place keeps the value of which asset."""

from __future__ import annotations

import shlex
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from typing import Any, NamedTuple

from assetry.errors import AssetryError, NothingKeptError, ValueStoreError
from assetry.io.declared import no_table, promises, table_of
from assetry.io.frames import frame_type, from_arrow, is_frame, to_arrow
from assetry.io.merge import all_partitions, load_together, save_together, save_whole
from assetry.io.partitions.column import by_key, split
from assetry.io.partitions.rows import rows_of
from assetry.io.urls import place_of, public_place, say_where
from assetry.types.assets import Asset, Column, Integration, Relation
from assetry.types.keys import AssetKey
from assetry.types.protocols import IOManager, Rows, Saved
from assetry.types.records import Origin

#: Where a value was kept, as a materialization's metadata says it under ``io``.
PROJECT, FILES, NOWHERE = "project", "files", "none"

#: An asset, and the partition of it; None for all of it.
Place = tuple[AssetKey, str | None]
#: What was recorded of an asset's value, by partition.
Records = Mapping[str | None, Mapping[str, Any]]


class Unasked(NamedTuple):
    """What kept a place from being asked, and the assets that are kept there."""

    error: AssetryError
    keys: list[AssetKey]


class ValueRouter:
    """The way of a project's values to the places that keep them; what `RunContext.load` and `.save` use.

    * An asset with an `io` URL of its own is kept there, any other where its integration's tables are (`io_url`), else
      in the project's place, `default`.
    * A value that is not a table goes to `files` where that place keeps tables only.
    * Where a value went stands in its metadata under ``io`` (``project``, ``files`` or ``none``), which
      `last_metadata` returns in a later process, of all partitions that are asked for at once; without a record both
      places are tried.
    * A partition is read only when it was made, as `was_made` tells: a place that keeps all partitions in one table
      has nothing of others, and cannot tell that from none.

    `open_io` opens an IO manager, once per URL. `describe` adds facts about a value to what is recorded of it.
    All methods may be called from several threads; after `close` it may be used again.

    >>> from assetry.io.memory import MemoryIO
    >>> values = ValueRouter(lambda url: MemoryIO(), "memory:")
    >>> dict(values.save(Asset(key="answer", kind="python", kept=True), 42).metadata)
    {'type': 'int', 'io': 'project'}
    >>> values.load(Asset(key="answer", kind="python", kept=True))
    42
    """

    def __init__(
        self,
        open_io: Callable[[str], IOManager | None],
        default: str,
        *,
        files: str = "parquet:.assetry/data",
        io_url: Callable[[Integration], str | None] = lambda _: None,
        last_metadata: Callable[[AssetKey, Sequence[str | None]], Records] = lambda _key, _partitions: {},
        was_made: Callable[[AssetKey, str], bool] = lambda _key, _partition: True,
        describe: Callable[[Any], Mapping[str, Any] | None] = lambda _: None,
    ) -> None:
        self.default = default
        self.files = files
        self._open_io = open_io
        self._io_url = io_url
        self._last_metadata = last_metadata
        self._was_made = was_made
        self._describe = describe
        self._managers: dict[str, IOManager] = {}
        self._urls: dict[Integration, str | None] = {}
        self._places: dict[tuple[AssetKey, str | None], str] = {}
        self._lock = threading.RLock()

    def relation(self, asset: Asset) -> Relation | None:
        """Return the table that holds an asset, or would; None when it is in no warehouse."""
        if asset.relation is not None and not asset.kept:
            return asset.relation
        return self.manager(self._url(asset)).relation(asset)

    def check(self, asset: Asset) -> None:
        """Raise when no plugin opens the place that keeps an asset's value; nothing is connected to."""
        self.manager(self._url(asset))

    def place(self, asset: Asset) -> str:
        """Return where the tables of an asset are kept, as `place_of` tells it."""
        return place_of(self._url(asset))

    def is_unplaced(self, asset: Asset) -> bool:
        """Tell whether a tool has the table of an asset where nothing says: it is looked for in the project's place."""
        if asset.kept or asset.relation is None or asset.io is not None:
            return False
        return asset.integration is not None and self._tables_of(asset.integration) is None

    def is_out_of_reach(self, asset: Asset) -> bool:
        """Tell whether a table is in a place that nothing names, and the project's own place has no tables at all."""
        return self.is_unplaced(asset) and self.manager(self.default).relation(asset) is None

    def place_of_tool(self, integration: Integration) -> str | None:
        """Return where the tables are that an integration's tool works on; None where it names no place."""
        url = self._tables_of(integration)
        return None if url is None else place_of(url)

    def origin(self, asset: Asset, metadata: Mapping[str, Any]) -> Origin:
        """Return what made an asset, and where it is; `metadata` is that of its record, which this is kept with."""
        name = None if asset.integration is None else asset.integration.name
        relation, url = asset.relation, None
        with suppress(AssetryError):  # what cannot be told, as of a profile that cannot be read, is not known
            url = self._made_at(asset, metadata)
            if url is not None and asset.kept:
                relation = self.manager(url).relation(asset)
        place = None if url is None else public_place(url)
        return Origin(asset.kind, name, relation, place, asset.computed_on_read, asset.kept)

    def _made_at(self, asset: Asset, metadata: Mapping[str, Any]) -> str | None:
        """Return where an asset is that was made just now; None where assetry does not reach it."""
        if asset.kept:
            place = metadata.get("io")
            return self.files if place == FILES else self._url(asset) if place == PROJECT else None
        if asset.relation is None:
            return None
        return asset.io or (self._tables_of(asset.integration) if asset.integration else None)

    def load(self, asset: Asset, form: Any = None, partition: str | Sequence[str] | None = None) -> Any:
        """Return the value of an asset as `form`: a table type, another class, or None for the default.

        Of several partitions it is one table, in the order of their keys, or a dict by key of what is no table. Raises
        `ValueStoreError` when there is none, when it cannot be had as that, or when a partition was never made.
        """
        if partition is None or isinstance(partition, str):
            self._check_made(asset, (partition,) if partition is not None else ())
            value = self._load(asset, partition)
        else:
            keys = _named(asset, partition)
            self._check_made(asset, keys)
            value = self._load_parts(asset, keys)
        name = f"asset {str(asset.key)!r}"
        if is_frame(value):
            return from_arrow(rows_of(asset, to_arrow(value, name, categories=True), partition), form, name)
        wanted = frame_type(form)
        if wanted is not None:
            raise ValueStoreError(
                f"{name} is asked for as {wanted}, but its value is a {type(value).__qualname__}.",
                where=asset.source,
                hint="Correct the annotation, or what the asset's function returns.",
            )
        return value

    def aggregate(self, asset: Asset, function: str, column: str | None = None) -> Any:
        """Return the rows of an asset's table (``count``) or a column's greatest value; None when nothing can tell."""
        ask = getattr(self.manager(self._url(asset)), "aggregate", None)
        try:
            return None if ask is None else ask(asset, function, column)
        except NothingKeptError as error:
            error.made = self._last_metadata(asset.key, (None,)).get(None)
            raise

    @contextmanager
    def columns(self, integration: Integration) -> Iterator[Callable[[Asset], tuple[Column, ...] | None]]:
        """Give what returns the columns of tables that an integration's tool has made, while an invocation lasts.

        It answers None where they cannot be told: the tool names no place, or its place does not tell, or has not got
        the table. Nothing is opened before it is asked.
        """
        opened = ExitStack()
        ask: list[Callable[[Asset], Sequence[Column]] | None] = []

        def columns(asset: Asset) -> tuple[Column, ...] | None:
            # A table that was made is no worse for columns that cannot be told, whatever the reason.
            with suppress(Exception):
                if not ask:
                    ask.append(None)
                    url = self._tables_of(integration)
                    look = None if url is None else getattr(self.manager(url), "columns", None)
                    ask[0] = None if look is None else opened.enter_context(look())
                return None if ask[0] is None else tuple(ask[0](asset))
            return None

        try:
            yield columns
        finally:
            with suppress(Exception):
                opened.close()

    def _check_made(self, asset: Asset, partitions: Iterable[str]) -> None:
        if asset.partitions_def is None or not asset.executable:
            return
        for partition in partitions:
            asked = ["-s", asset.key.selection, "--partition", partition]
            if (asset.key, partition) not in self._places and not self._was_made(asset.key, partition):
                raise ValueStoreError(
                    f"Partition {partition!r} of asset {str(asset.key)!r} was never made.",
                    where=asset.source,
                    hint=f"Make it first: `assetry materialize {shlex.join(asked)}`.",
                )

    def save(self, asset: Asset, value: Any, partition: str | None = None) -> Saved:
        """Keep the value of an asset and say what was kept, with where under ``io`` in the metadata."""
        if isinstance(value, Rows):
            manager = self.manager(self._url(asset))
            own = getattr(manager, "save_rows", None)
            saved: Saved = own(asset, value) if own is not None else save_whole(manager, asset, value)
            return Saved(saved.data_version, saved.columns, {**saved.metadata, "io": PROJECT})
        facts = dict(self._describe(value) or {})
        manager, place = self._manager_for(asset, value)
        if not is_frame(value) and promises(asset):
            raise no_table(asset, value)
        if is_frame(value) and (manager.form == "arrow" or promises(asset)):
            value = table_of(asset, value, categories=manager.form == "any")
        saved = manager.save(asset, value, partition)
        return self._noted(asset, partition, _own_columns(asset, value, saved), facts, place)

    def save_parts(
        self, asset: Asset, value: Any, partitions: Sequence[str], column: str | None = None
    ) -> tuple[Saved, ...]:
        """Keep the values of several partitions, in one go where they are tables; say of each what was kept.

        `value` is a table of which `column` tells the partition of each row, or a dict with a value for each partition.
        Raises `ValueStoreError`, and keeps nothing, when it has rows of other partitions, or lacks a value.
        """
        keys = _named(asset, partitions)
        if is_frame(value):
            manager, place = self._manager_for(asset, value)
            parts = split(asset, table_of(asset, value, categories=manager.form == "any"), keys, column)
        else:
            parts = by_key(asset, value, keys, column)
            for each in parts.values() if promises(asset) else ():
                if not is_frame(each):
                    raise no_table(asset, each)
            if not parts or not all(map(is_frame, parts.values())):
                return tuple(self.save(asset, each, key) for key, each in parts.items())
            manager, place = self._manager_for(asset, next(iter(parts.values())))
            parts = {key: table_of(asset, each, categories=manager.form == "any") for key, each in parts.items()}
        facts = [dict(self._describe(each) or {}) for each in parts.values()]
        told = zip(keys, save_together(manager, asset, parts), facts, strict=True)
        return tuple(
            self._noted(asset, key, _own_columns(asset, parts[key], saved), known, place) for key, saved, known in told
        )

    def _manager_for(self, asset: Asset, value: Any) -> tuple[IOManager, str]:
        """Return what keeps a value, and where that is, in one word."""
        manager = self.manager(self._url(asset))
        if is_frame(value) or manager.form != "arrow":
            return manager, PROJECT
        if asset.io is not None:
            raise ValueStoreError(
                f"Asset {str(asset.key)!r} is a {type(value).__qualname__}, and its io_manager keeps tables only.",
                where=asset.source,
                hint="Return a table, or leave io_manager out.",
            )
        return self.manager(self.files), FILES

    def _noted(self, asset: Asset, partition: str | None, saved: Saved, facts: Mapping[str, Any], place: str) -> Saved:
        with self._lock:
            self._places[asset.key, partition] = place
        return Saved(saved.data_version, saved.columns, {**facts, **saved.metadata, "io": place})

    def exists(
        self, records: Iterable[tuple[Asset, str | None, Mapping[str, Any]]], *, at_hand: bool = False
    ) -> tuple[dict[Place, bool], list[Unasked]]:
        """Return what is there of assets and partitions that were made, and what kept places from being asked.

        Each comes with the metadata of its record. Each place is asked once; what it cannot tell is left out, and so is
        all that is kept where nothing can be asked. With `at_hand` only places that answer at once are: files.
        """
        asked: dict[str, list[tuple[Asset, str | None]]] = {}
        found: dict[Place, bool] = {}
        problems: list[Unasked] = []
        unknown: dict[Integration | None, Unasked] = {}
        for asset, partition, metadata in records:
            if asset.integration in unknown:
                unknown[asset.integration].keys.append(asset.key)
                continue
            try:
                url = self._kept_at(asset, metadata)
            except AssetryError as error:  # a profile that cannot be read, for example
                unknown[asset.integration] = Unasked(error, [asset.key])
                problems.append(unknown[asset.integration])
                continue
            if url is not None:
                asked.setdefault(url, []).append((asset, partition))
        for url, places in asked.items():
            try:
                manager = self.manager(url)
                ask = getattr(manager, "exists", None)
                if ask is None or (at_hand and not getattr(manager, "at_hand", False)):
                    continue
                for (asset, partition), there in zip(places, ask(places), strict=True):
                    if there is not None:
                        found[asset.key, partition] = bool(there)
            except AssetryError as error:
                problems.append(Unasked(error, [asset.key for asset, _ in places]))
        return found, problems

    def at_hand(self, asset: Asset, metadata: Mapping[str, Any]) -> bool:
        """Tell whether it costs next to nothing to look whether what was made of an asset is there: in files."""
        try:
            url = self._kept_at(asset, metadata)
            return url is not None and bool(getattr(self.manager(url), "at_hand", False))
        except AssetryError:  # that is told where all are looked at
            return False

    def _kept_at(self, asset: Asset, metadata: Mapping[str, Any]) -> str | None:
        """Return where an asset that was made can be looked for; None when that is not known, or it need not be there.

        What is only named as a table is in the place that its integration names, and nowhere else.
        """
        return self._made_at(asset, metadata) if asset.kept or asset.lasting else None

    def close(self) -> None:
        """Let every IO manager that was opened go of files and connections; each opens them again when it is used."""
        with self._lock:
            managers = list(self._managers.values())
            self._urls.clear()
        for manager in managers:
            manager.close()

    def _url(self, asset: Asset) -> str:
        """Return where the tables of an asset are."""
        if asset.io is not None:
            return asset.io
        return (self._tables_of(asset.integration) if asset.integration else None) or self.default

    def _tables_of(self, integration: Integration) -> str | None:
        with self._lock:
            if integration not in self._urls:
                self._urls[integration] = self._io_url(integration)
            return self._urls[integration]

    def manager(self, url: str) -> IOManager:
        """Return what keeps values at a URL; each is opened once."""
        with self._lock:
            manager = self._managers.get(url)
            if manager is None:
                manager = self._open_io(url)
                if manager is None:
                    raise ValueStoreError(f"No plugin keeps values at {url.partition(':')[0]!r} URLs.")
                self._managers[url] = manager
            return manager

    def _load(self, asset: Asset, partition: str | None) -> Any:
        if asset.io is not None or not asset.kept:
            try:
                return self.manager(self._url(asset)).load(asset, partition)
            except NothingKeptError as error:
                if self.is_unplaced(asset):
                    error.hint = self._elsewhere(asset, error.hint)
                raise
        return self._load_from(asset, partition, self._recorded(asset, [partition])[partition])

    def _load_parts(self, asset: Asset, partitions: Sequence[str]) -> Any:
        """Return the values of partitions as one; from one place at once, where they are all in one."""
        if not asset.kept:
            return self._load(asset, None)  # its tool keeps all in one table, of which a column tells the partitions
        if asset.io is not None:
            return load_together(self.manager(self._url(asset)), asset, partitions)
        places = self._recorded(asset, partitions)
        named = set(places.values())
        if named == {PROJECT} or named == {FILES}:
            url = self.files if named == {FILES} else self._url(asset)
            return load_together(self.manager(url), asset, partitions)
        return all_partitions(asset, {each: self._load_from(asset, each, places[each]) for each in partitions})

    def _load_from(self, asset: Asset, partition: str | None, place: str | None) -> Any:
        """Return a value from where it was kept; from wherever it is, where that is not known."""
        first: ValueStoreError | None = None
        for url in self._candidates(asset, place):
            try:
                return self.manager(url).load(asset, partition)
            except ValueStoreError as error:
                first = first or error
        raise first or ValueStoreError(
            f"Asset {str(asset.key)!r} returned nothing when it was made, so there is no value of it.",
            where=asset.source,
            hint=f"Depend on it without taking its value: deps=[{str(asset.key)!r}].",
        )

    def _elsewhere(self, asset: Asset, otherwise: str | None) -> str:
        """Return the next step for a table that is not where the project keeps its own, and has no other place."""
        never = asset.executable and None not in self._last_metadata(asset.key, (None,))
        its = f"{otherwise} If that was done, its" if never and otherwise else "Its"
        return f"{its} table {asset.relation} is in another place. {say_where(asset)}"

    def _recorded(self, asset: Asset, partitions: Sequence[str | None]) -> dict[str | None, str | None]:
        """Return where partitions were kept, or the asset as a whole (None); None where that is not known."""
        found: dict[str | None, str | None] = {each: self._places.get((asset.key, each)) for each in partitions}
        unknown = [each for each, place in found.items() if place is None]
        if unknown:
            records = self._last_metadata(asset.key, unknown)
            found.update((each, records.get(each, {}).get("io")) for each in unknown)
        return found

    def _candidates(self, asset: Asset, place: str | None) -> Iterator[str]:
        if place == NOWHERE:
            return
        if place != FILES:
            yield self._url(asset)
        if place != PROJECT and self.files != self._url(asset):
            yield self.files


def _own_columns(asset: Asset, value: Any, saved: Saved) -> Saved:
    """Return what was kept of a table without the columns that are there of others: of partitions made before, or for
    a view that reads them. Where columns are promised, these are not among them.
    """
    if saved.columns is None or asset.columns_are != "all" or not is_frame(value):
        return saved
    own = {str(name).casefold() for name in value.column_names}
    columns = tuple(each for each in saved.columns if each.name.casefold() in own)
    return Saved(saved.data_version, columns, saved.metadata)


def _named(asset: Asset, partitions: Iterable[str]) -> tuple[str, ...]:
    """Return the keys of partitions of an asset, each once; raise `ValueStoreError` where there are none."""
    keys = tuple(dict.fromkeys(partitions))
    if asset.partitions_def is None or not keys:
        what = "has no partitions" if asset.partitions_def is None else "is asked for no partition"
        raise ValueStoreError(
            f"Asset {str(asset.key)!r} {what}.",
            where=asset.source,
            hint="Leave them out for all of it, or name those that are meant.",
        )
    return keys
