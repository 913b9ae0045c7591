"""One stream in a run of a tap and a target: what is known of it, and how it is read and loaded."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from shlex import quote
from typing import Any

from assetry.plugin import Asset

from assetry_toolkit.hosted.pulling import counted

#: Replication methods by which a run goes on from the state of the one before.
GOES_ON = ("INCREMENTAL", "LOG_BASED")


def pattern_of(stream: str) -> str:
    r"""Return the pattern by which a runner selects one stream alone, as Singer's runners have patterns.

    A `!` at the front, dots and what else a pattern may have mean themselves.

    >>> pattern_of("public.users"), pattern_of("!odd[1]*")
    ('public\\.users', '?odd[[]1][*]')
    """
    return re.sub(r"^!", "?", re.sub(r"([*?\[])", r"[\1]", stream)).replace(".", "\\.")


@dataclass(slots=True)
class StreamLoad:
    """One stream on its way: `rows` were extracted and `loaded` taken, as far as that is said.

    `asset` is one that `stream_asset` has made; or one without a `stream` in its spec, which stands for all streams.
    `before` are the rows that its table had, and `adds` tells that a run has to leave these in it. `seen` is True when
    the tap tells of it, and `began` and `ended` where it tells that. `well` is False when the tap says that it failed
    to read it, `unclear` is True when it may be another stream that the log means by its name, and `lost` when rows of
    it were found to be missing.
    """

    asset: Asset
    rows: int | None = None
    loaded: int | None = None
    before: int | None = None
    adds: bool = False
    seen: bool = False
    began: bool = False
    ended: bool = False
    well: bool = True
    unclear: bool = False
    lost: bool = False

    @property
    def id(self) -> str | None:
        """Return the stream's id; None for an asset that stands for all streams."""
        stream: str | None = self.asset.spec["stream"]
        return stream

    @property
    def keyless(self) -> bool:
        """Tell whether rows that are read again are added to those that its table has."""
        spec = self.asset.spec
        method = spec.get("load_method")
        return method == "append-only" or (not spec.get("keys") and method != "overwrite")

    @property
    def adds_only(self) -> bool:
        """Tell whether a run that goes on from the state of another takes no rows away."""
        spec = self.asset.spec
        return spec.get("method") == "INCREMENTAL" and spec.get("load_method") != "overwrite"

    @property
    def facts(self) -> Mapping[str, Any]:
        """Return what is known of it, for the metadata of its asset."""
        known_by = "stream" if self.seen else "exit code"
        return {"rows_extracted": self.rows, "rows_loaded": self.loaded, "result_known_by": known_by}

    @property
    def told(self) -> str:
        """Return what is known of it for a sentence, ``orders (7 rows)``."""
        return f"{self.id}" if self.rows is None else f"{self.id} ({counted(self.rows, 'row')})"

    def forget(self) -> None:
        """Forget what was said of it."""
        self.rows, self.loaded, self.well = None, None, True
        self.seen = self.began = self.ended = self.unclear = False


def read_anew(asset: Asset) -> str:
    """Return the command that reads a stream from its first row on.

    >>> read_anew(Asset(key="shop/orders", kind="mill"))
    '`assetry materialize -s shop/orders --full-refresh`'
    """
    return f"`assetry materialize -s {quote(asset.key.selection)} --full-refresh`"
