"""A project whose assets are selected, and asked how they are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from types import MappingProxyType

from assetry.errors import UsageError
from assetry.project.loaded import LoadedProject
from assetry.project.recorded import Sources, recorded_judgement
from assetry.selection.selection import Selection, selection
from assetry.status.staleness import Judgement, Status
from assetry.status.verdicts import standing
from assetry.store.partitions.cache import PartitionCache
from assetry.types.hooks.nexts import Next
from assetry.types.keys import AssetKey
from assetry.types.records import Materialization, Verdicts
from assetry.views.metadata import Number, numbers

Texts = str | Sequence[str] | None
Selectors = Texts | Selection


class JudgedProject(LoadedProject):
    """The assets of a project, as records tell how they are."""

    def select(self, select: Selectors = None, exclude: Texts = None) -> tuple[AssetKey, ...]:
        """Return the keys that a selection means; raise `SelectionError` when it is wrong or matches nothing."""
        return self.selection(select, exclude).keys

    def selection(self, select: Selectors = None, exclude: Texts = None) -> Selection:
        """Do as `select`, and also return the parts of the selection that match nothing, for a warning.

        What it returns may be given in the place of `select` to all that takes one, and is not looked for again.
        """
        if isinstance(select, Selection):
            gone = set(self.select(exclude)) if exclude else ()
            return select._replace(keys=tuple(key for key in select.keys if key not in gone)) if gone else select
        asked = (self._status_names, self.plugins.selection_hint, self._definitions.named_selections)
        return selection(self.graph, select, exclude or (), *asked)

    def _status_names(self) -> Mapping[AssetKey, str]:
        return {status.key: status.status for status in self.judge().statuses}

    def judge(
        self,
        now: datetime | None = None,
        *,
        newer_than: Mapping[AssetKey, datetime] = MappingProxyType({}),
        before: Judgement | None = None,
    ) -> Judgement:
        """Return how every asset is, in graph order: now, or at another moment with today's records.

        With `newer_than` the data of assets is to be newer than a moment: what has to be made anew for that, of them
        and of all that they are made from, is out of date with the reason ``overdue``, as if a policy asked for it.

        With `before`, what this returned earlier, only that is judged which may be another one since: what records are
        new of, what lies below it, and what a clock says. The answer is the same, so that one may look again and again.
        """
        cache = PartitionCache(self._state and self._state / "cache" / "partitions.db")
        told = Sources(self.store, self.values, cache, self.plugins.failure_hint)
        return recorded_judgement(self.graph, told, now or self.clock(), newer_than, before)

    @property
    def _state(self) -> Path | None:
        """Return the folder of what is kept between commands; None for a project that keeps nothing."""
        return self.root / ".assetry" if self.settings.keeps_records else None

    def status(
        self, select: Selectors = None, exclude: Texts = None, *, now: datetime | None = None
    ) -> tuple[Status, ...]:
        """Return how each selected asset is, and why: now, or as it would be at another moment with today's records."""
        chosen = set(self.select(select, exclude))
        return tuple(status for status in self.judge(now).statuses if status.key in chosen)

    def status_of(self, key: str) -> Status:
        """Return how one asset is, and why."""
        wanted = self.graph[key].key
        return next(status for status in self.judge().statuses if status.key == wanted)

    def next(self, now: datetime | None = None, *, statuses: Sequence[Status] | None = None) -> Mapping[AssetKey, Next]:
        """Return when each asset is made next, or what holds it, as far as a plugin knows: assetry-automation does.

        `statuses` are those of all assets at `now`, where they are known already.
        """
        moment = now or self.clock()
        known = self.judge(moment).statuses if statuses is None else statuses
        return self.plugins.nexts(self, known, moment)

    def history(
        self, key: AssetKey | str, partition: str | None = None, limit: int | None = None
    ) -> tuple[Materialization, ...]:
        """Return what was made of an asset, or of one partition of it, newest first: when, from what, what was told.

        At most `limit` of it, all that is kept when None. `key` may be the last part of the key; of an asset that
        nothing defines any more it is all of it. What was forgotten is among it, until it is pruned. Raises
        `UsageError` for what was never heard of.

        >>> from assetry import Output, Project, asset
        >>> @asset
        ... def loss() -> Output[int]: return Output(1, metadata={"mean": 0.5})
        >>> with Project([loss], store="sqlite::memory:", io="memory:") as project:
        ...     project.materialize().ok, [each.metadata["mean"] for each in project.history("loss")]
        (True, [0.5])
        """
        try:
            return tuple(self.store.history(self.graph.find(key), partition, limit))
        except UsageError:
            if gone := tuple(self.store.history(AssetKey(key), partition, limit)):
                return gone
            raise

    def numbers(
        self, key: AssetKey | str, partition: str | None = None, limit: int | None = None
    ) -> Mapping[str, tuple[Number, ...]]:
        """Return the numbers among the metadata of what `history` returns, by name, oldest first."""
        return numbers(self.history(key, partition, limit))

    def latest_checks(self, keys: Iterable[AssetKey] | None = None, *, failed: bool = False) -> Verdicts:
        """Return how the checks of assets last came out, or those that `failed`; only those that are still defined."""
        return standing(self.graph, self.store.latest_checks(keys, failed=failed))
