"""What a project does about its state besides running: the further verbs of `Project`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from assetry.project.upkeep.state import State

if TYPE_CHECKING:
    from assetry.status.changes.impact import Impact


class Upkeep:
    """The verbs of a project that are about its state."""

    def impact(self: State, key: str, *further: str, partition: str | Sequence[str] = ()) -> Impact:
        """Return what a change of an asset, or of several, touches: all that is made from it, near or far.

        `key` may be the last part of a key, or a selection such as ``tag:pii``. With `partition`, written as for
        `plan`, only these partitions change. Raises `UsageError`, with near names, for what there is not.
        """
        from assetry.project.upkeep.impact import impact_of  # a command that asks something else should not wait for it

        return impact_of(self, (key, *further), partition)
