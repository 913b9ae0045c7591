"""What a call tells of the assets that it makes, besides their values: by the context, and with what it returns."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from assetry.errors import MetadataError, UsageError, near_names
from assetry.io.metadata.checked import check_sizes, checked_metadata, checked_version
from assetry.python.calls.output import Output
from assetry.python.calls.portion import Portion
from assetry.types.keys import AssetKey
from assetry.types.protocols import Saved


class Note(NamedTuple):
    """What is told of one partition, or of an asset without any."""

    metadata: Mapping[str, Any]
    data_version: str | None = None

    def on(self, saved: Saved) -> Saved:
        """Return what was kept with what is told of it, which goes before what assetry has found out itself."""
        if not self.metadata and self.data_version is None:
            return saved
        return replace(
            saved,
            data_version=saved.data_version if self.data_version is None else self.data_version,
            metadata={**saved.metadata, **self.metadata},
        )


class Given(NamedTuple):
    """What a function gave for one asset: the value, and what is told of each partition.

    `nothing` tells that no value is to be kept.
    """

    value: Any
    notes: Sequence[Note]
    nothing: bool


class Notes:
    """What a function tells of its assets by its context, while it runs.

    `assets` are all that it makes, `wanted` those that it is to make now, and `portion` what of them.
    """

    def __init__(self, assets: Iterable[AssetKey], wanted: Collection[AssetKey], portion: Portion) -> None:
        self._assets = tuple(assets)
        self._wanted = frozenset(wanted)
        self._portion = portion
        self._told: dict[tuple[AssetKey, str | None], dict[str, Any]] = {}
        self._kept: set[AssetKey] = set()

    def add(self, key: str | None, partition: str | None, metadata: Mapping[str, Any]) -> None:
        """Take metadata of an asset; of one partition of a range, where it is given, else of all."""
        asset = self._asset(key)
        if partition is not None and partition not in self._portion.partitions:
            raise UsageError(
                f"add_metadata(…) of partition {partition!r}, which is not being made.",
                near=near_names(str(partition), self._portion.partitions),
                hint="`context.partitions` are those that are.",
            )
        told = checked_metadata(asset, metadata)
        if asset in self._kept:
            raise UsageError(
                f"add_metadata(…) of asset {str(asset)!r}, which is kept already.",
                hint="Call it before the asset is yielded, or yield an Output(value, metadata={…}).",
            )
        if asset in self._wanted:
            self._told.setdefault((asset, partition), {}).update(told)

    def given(self, asset: AssetKey, value: Any) -> Given:
        """Return the value that a function gave for an asset, and all that is told of it; nothing is added after it.

        Raises `MetadataError` for what cannot be kept.
        """
        self._kept.add(asset)
        whole, value = _taken_apart(value)
        parts: Mapping[Any, Output[Any]] = {}
        if self._portion.ranged and isinstance(value, Mapping):
            parts = {key: each for key, each in value.items() if isinstance(each, Output)}
            value = {key: parts[key].value if key in parts else each for key, each in value.items()} if parts else value
        of_all = _told(asset, self._told.get((asset, None), {}), whole)
        check_sizes(asset, of_all.metadata)
        notes = [self._note(asset, each, of_all, parts.get(each)) for each in self._portion.names]
        return Given(value, notes, value is None or _is_nothing(asset, value, parts, self._portion))

    def _note(self, asset: AssetKey, partition: str | None, of_all: Note, own: Output[Any] | None) -> Note:
        """Return what is told of a partition: the same as of all, where nothing is told of it alone."""
        told = self._told.get((asset, partition), {}) if partition is not None else {}
        if not told and own is None:
            return of_all
        found = _told(asset, told, own)
        # What was returned goes before what was told while it ran, and what is of one partition before what is of all.
        note = Note({**of_all.metadata, **found.metadata}, found.data_version or of_all.data_version)
        check_sizes(asset, note.metadata)
        return note

    def _asset(self, key: str | None) -> AssetKey:
        """Return the asset that a key, or the last part of it, means; without one the only one."""
        if key is None and len(self._assets) == 1:
            return self._assets[0]
        fits = [each for each in self._assets if each == key] or [each for each in self._assets if each.name == key]
        if len(fits) == 1:
            return fits[0]
        listed = ", ".join(repr(str(each)) for each in self._assets)
        if isinstance(key, Mapping):
            raise UsageError("add_metadata(…) was given a mapping.", hint="Unfold it: add_metadata(**metadata).")
        told = "does not say of which asset" if key is None else f"is of {key!r}, which is not one of its assets"
        raise UsageError(
            f"add_metadata(…) {told}.",
            near=() if key is None else near_names(str(key), self._assets),
            hint=f'Its assets are {listed}: add_metadata("{self._assets[0]}", …).',
        )


def _told(asset: AssetKey, told: Mapping[str, Any], output: Output[Any] | None) -> Note:
    """Return what was told by the context and with what was returned, which goes before it."""
    if output is None:
        return Note(told)
    metadata = {} if output.metadata is None else checked_metadata(asset, output.metadata)
    return Note({**told, **metadata}, checked_version(asset, output.data_version))


def _taken_apart(value: Any) -> tuple[Output[Any] | None, Any]:
    """Return an output and its value; None where there is only a value."""
    if not isinstance(value, Output):
        return None, value
    if isinstance(value.value, Output):
        raise MetadataError("An Output(…) has another one as its value.", hint="Return one, with all that it tells.")
    return value, value.value


def _is_nothing(asset: AssetKey, value: Any, parts: Mapping[Any, Output[Any]], portion: Portion) -> bool:
    """Tell whether a range is told of by partition, and no value is to be kept of any."""
    if not parts or any(each is not None for each in value.values()):
        return False
    lacking = [each for each in portion.partitions if each not in value]
    strange = [str(each) for each in value if each not in portion.partitions]
    if lacking or strange:
        told = f"lacks {lacking[0]!r}" if lacking else f"has {strange[0]!r}, which is not being made"
        raise MetadataError(
            f"What is told by partition of asset {str(asset)!r} {told}.",
            hint="Return a dict with a MaterializeResult for each of `context.partitions`, and nothing else.",
        )
    return True
