"""What a project does about its state besides running: the further verbs of `Project`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from assetry.project.upkeep.state import State

if TYPE_CHECKING:
    from assetry.project.upkeep.diff import Diff
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

    def diff(self: State, since: str | None = None, *, on_load: Callable[[str], None] | None = None) -> Diff:
        """Return how the definitions differ from those before, what that touches, and what has to be made then.

        `since` is a branch, tag or commit, the id of a run, or a file: a tool's manifest, or what
        ``assetry graph --output json`` has printed; without it, it is what was last materialized. `on_load` is called
        with what is loaded for that. Raises `UsageError`, with near names, for what there is not, `DefinitionError` for
        definitions that fail to load.
        """
        from assetry.project.upkeep.diff import diff_of

        return diff_of(self, since, on_load or (lambda _: None))
