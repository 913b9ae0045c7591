"""What a project does about its state besides running: the further verbs of `Project`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from assetry.project.upkeep.state import Selectors, State

if TYPE_CHECKING:
    from assetry.project.upkeep.accepting import Accepting
    from assetry.project.upkeep.diff import Diff
    from assetry.project.upkeep.external import Recorded
    from assetry.project.upkeep.pruning import Pruning
    from assetry.status.changes.impact import Impact
    from assetry.status.changes.orphans import Orphan
    from assetry.types.records import EventRecord


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

    def accept(
        self: State,
        select: Selectors,
        exclude: str | Sequence[str] | None = None,
        *,
        why: str = "",
        partition: str | Sequence[str] = (),
        cause: str | Sequence[str] = (),
        by: str | None = None,
        undo: bool = False,
        dry_run: bool = False,
    ) -> Accepting:
        """Let what was made of a selection count as made from what it would be made from now, and say `why`.

        So a change of code that changes no data makes nothing anew. `cause` limits it to some reasons:
        ``code_changed``, ``columns_differ``, ``deps_changed``, ``upstream_changed``; `partition` to some partitions.
        What failed or is missing stays so. `by` is who says it, the user of the system when None; with `undo` what was
        accepted does not count any more. Raises `UsageError` for what there is not, `ConflictError` while a run is
        making one of the assets.
        """
        from assetry.project.upkeep.accepting import Word, accept

        causes, parts = ((each,) if isinstance(each, str) else tuple(each) for each in (cause, partition))
        return accept(self, self.select(select, exclude), Word(why, by, parts, causes, undo, dry_run))

    def orphans(self: State, *keys: str) -> tuple[Orphan, ...]:
        """Return what is recorded, and nothing defines any more: assets, and partitions of those that are still there.

        Of `keys`, whole or their last parts, where some are given; raises `UsageError` for one that is no orphan.
        """
        from assetry.project.upkeep.orphans import chosen, orphans_of

        return chosen(self, orphans_of(self), keys)

    def prune(
        self: State,
        *keys: str,
        records_only: bool = False,
        on_event: Callable[[EventRecord], None] | None = None,
    ) -> Pruning:
        """Delete what `orphans` returns, of `keys` or all of it: what was made, and then its records.

        It is a run, so that `assetry logs` tells what was deleted. What something defined still has, or stands on, and
        what was not made here stays; with `records_only` records alone are forgotten, of whatever is no more defined.
        What stays is in `left` of what it returns, with the reason. Raises `UsageError` for a key that is no orphan.
        """
        from assetry.project.upkeep.pruning import prune

        return prune(self, keys, records_only=records_only, on_event=on_event)

    def record(
        self: State,
        path: Path | str,
        integration: str | None = None,
        *,
        on_event: Callable[[EventRecord], None] | None = None,
    ) -> Recorded:
        """Record a run of a tool that somebody else has started, by the file in which the tool tells of it.

        Such as dbt's run_results.json, with the manifest.json of the same run beside it: what it made then counts as
        made, from the code that it was made from. A run is recorded once. Where something was made here since, that
        stays; what was made elsewhere is left out; `left` says so. Raises `UsageError` for a file that no integration
        knows, `ConflictError` while a run makes one of the assets.
        """
        from assetry.project.upkeep.external import record

        return record(self, Path(path), integration, on_event)
