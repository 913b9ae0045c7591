"""The hooks by which values are kept in files and in memory."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from assetry.hooks.specs import hookimpl
from assetry.io.files import FileIO
from assetry.io.frames import describe
from assetry.io.memory import MemoryIO
from assetry.types.protocols import IOManager

ASSETRY_SCHEMES = {"io": ("parquet", "memory")}


@hookimpl
def assetry_open_io(url: str) -> IOManager:
    """Open ``parquet:DIR`` (tables as Parquet, anything else as pickle) or ``memory:``."""
    scheme, _, rest = url.partition(":")
    return MemoryIO() if scheme == "memory" else FileIO(Path(unquote(rest.removeprefix("//")) or "."))


@hookimpl
def assetry_value_metadata(value: Any) -> Mapping[str, Any] | None:
    """Return rows, columns and the first rows of a table; None for anything else, and for a stream."""
    return describe(value)
