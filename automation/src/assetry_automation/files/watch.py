"""Files that are watched, as external assets: by `watch` in Python, by a kind of integration in a project file."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import timedelta
from hashlib import blake2b
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from assetry import DynamicPartitionsDefinition
from assetry.plugin import (
    TABLE,
    TEXT,
    Asset,
    AssetKey,
    DefinitionError,
    Event,
    Integration,
    Invocation,
    Log,
    Observed,
    OptionError,
    PartitionsDefinition,
    read_span,
)

from assetry_automation.files.listing import File, files_of, is_url

KIND = "files"
OPTIONS = {
    "watch": TABLE.needed("By the key of each asset, the folder or pattern of its files.").hinting(
        'For example [integrations.landing.watch] and "raw/files" = "in/*.csv".'
    ),
    "partitions": TEXT.about("What each file is, as `file`: then each is a partition, by its name."),
}


def watch(
    key: AssetKey | str,
    files: str,
    *,
    every: str | timedelta,
    partitions_def: DynamicPartitionsDefinition | None = None,
    **keywords: Any,
) -> Asset:
    """Return an asset that is made of files which others put somewhere, and which a daemon looks at `every` so often.

    `files` is a folder or a pattern: ``in/*.csv``, from the folder of the module that says so, or a URL that fsspec
    reaches, as ``s3://bucket/in/*.csv``. With `partitions_def` each file is a partition, by its name: there once it is
    seen, dropped once it is gone. Without, all files together are the asset. Further keywords are those of `Asset`.

    Raises `DefinitionError` for a span of time that is none.

    >>> raw = watch("raw/files", "in/*.csv", every="1m", partitions_def=DynamicPartitionsDefinition("file"))
    >>> raw.executable, str(raw.integration.observe)
    (False, '0:01:00')
    """
    caller = sys._getframe(1)
    file = caller.f_globals.get("__file__")
    where = f"{file or caller.f_code.co_filename}:{caller.f_lineno}"
    interval = read_span(every, f"every of {key}", where)
    if interval < timedelta(seconds=1):
        raise DefinitionError(f"every of {key} is {every!r}, less than a second.", where=where, hint='every="1m"')
    root = str(Path(file).resolve().parent if file else Path.cwd())
    options = {"watch": {str(AssetKey(key)): files}}
    integration = Integration(str(AssetKey(key)), KIND, options, root, interval)
    return _asset(integration, str(key), files, partitions_def, source=where, **keywords)


def load(integration: Integration) -> Iterator[Asset]:
    """Yield the assets of an integration of a project file."""
    named = integration.options.get("partitions")
    definition = None if named is None else DynamicPartitionsDefinition(named)
    for key, files in integration.options["watch"].items():
        if not isinstance(files, str) or not files:
            raise OptionError(f"{key!r} of `watch` is no folder or pattern.", hint='For example "in/*.csv".')
        yield _asset(integration, key, files, definition)


def _asset(
    integration: Integration, key: str, files: str, definition: PartitionsDefinition | None, **keywords: Any
) -> Asset:
    if is_url(files) and urlsplit(files).password is not None:
        raise DefinitionError(
            f"The files of {key} are named by a URL with a password in it.",
            where=keywords.get("source"),
            hint="fsspec reads it of the environment, or of its own configuration (~/.config/fsspec).",
        )
    return Asset(
        **{"key": key, "kind": KIND, "resource_type": "folder", "metadata": {"files": files}, **keywords},
        integration=integration,
        spec={"files": files},
        partitions_def=definition,
        executable=False,
    )


def observe(invocation: Invocation) -> Iterator[Event]:
    """Look at the files of all assets of an invocation."""
    for asset in invocation.assets:
        found = files_of(asset.spec["files"], invocation.integration.root)
        if asset.partitions_def is not None:
            yield from _partitions(asset, found, invocation.partitions_of(asset))
        elif found:
            version = blake2b(digest_size=12)
            for name, file in found.items():
                version.update(f"{name}\n{file.version}\n".encode(errors="replace"))
            yield Observed(asset.key, data_version=version.hexdigest(), metadata={"files": len(found)})
        else:
            yield Observed(asset.key, gone=True, hint=f"There is no file {_place(asset, invocation)}.")


def _partitions(asset: Asset, found: dict[str, File], known: tuple[str, ...]) -> Iterator[Event]:
    for name, file in found.items():
        if not name.isprintable() or name != name.strip():
            yield Log(f"{file.path!r} is left out: its name cannot be the key of a partition.", "warning", asset.key)
            continue
        yield Observed(asset.key, name, file.version, metadata={"path": file.path, "bytes": file.size})
    for name in known:
        if name not in found:
            yield Log(f"{name} is gone, and no partition of {asset.key} any more.", "warning", asset.key)
            yield Observed(asset.key, name, gone=True)


def _place(asset: Asset, invocation: Invocation) -> str:
    pattern: str = asset.spec["files"]
    return pattern if is_url(pattern) else str(Path(invocation.integration.root, pattern))
