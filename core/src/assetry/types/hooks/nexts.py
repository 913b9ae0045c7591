"""When assets are made next."""

from __future__ import annotations

from datetime import datetime
from typing import Literal, NamedTuple

from assetry.types.keys import AssetKey

NextKind = Literal["at", "when", "running", "queued", "coming", "backing_off", "held", "not_automated", "daemon_down"]
NEXT_KINDS: tuple[NextKind, ...] = (
    *("at", "when", "running", "queued", "coming"),
    *("backing_off", "held", "not_automated", "daemon_down"),
)


class Next(NamedTuple):
    """When an asset is made next, or what keeps it from being made.

    `kind` is ``at`` a moment; ``when`` something happens to another asset, `on`; ``running``; ``queued`` behind other
    runs; ``coming`` in a backfill; ``backing_off`` after a failure; ``held`` until a person lets it go on;
    ``not_automated``; or ``daemon_down``: it is due, and what makes it does not run. `because` says why, for people;
    `by` names what makes it then, such as a job, where `assetry status` is to tell of each.

    >>> Next("held", "it failed 5 times in a row").at is None
    True
    """

    kind: NextKind
    because: str
    at: datetime | None = None
    on: AssetKey | None = None
    by: str | None = None
