"""Microbatch models: dbt reports each batch as it reports a model, under the model's name. Pure."""

from __future__ import annotations

from collections import Counter

from assetry_dbt.running.reports import BatchFinished, NodeFinished

#: How many failed batches a message names.
_NAMED = 5


class Batches:
    """What dbt has begun and not ended of each node, and which batches of it failed.

    >>> batches = Batches()
    >>> batches.start("model.s.a"), batches.start("model.s.a")  # the model, and its first batch
    (True, False)
    >>> batches.end("model.s.a"), batches.end("model.s.a")
    (False, True)
    """

    def __init__(self) -> None:
        self._open: Counter[str] = Counter()
        self._ended: Counter[str] = Counter()
        self._failed: dict[str, list[str]] = {}
        self._causes: dict[str, str] = {}

    def start(self, unique_id: str) -> bool:
        """Note a beginning; return whether it is that of the node, not of a batch in it."""
        self._open[unique_id] += 1
        return self._open[unique_id] == 1

    def end(self, unique_id: str) -> bool:
        """Note an end; return whether it is that of the node: what dbt began first ends last."""
        self._open[unique_id] -= 1
        return self._open[unique_id] <= 0

    def take(self, batch: BatchFinished) -> int:
        """Note how a batch came out; return how many of its model are done."""
        if batch.status == "error":
            self._failed.setdefault(batch.unique_id, []).append(batch.description)
        self._ended[batch.unique_id] += 1
        return self._ended[batch.unique_id]

    def raised(self, unique_id: str, text: str) -> None:
        """Note what broke a node or a batch of it; the first one counts."""
        self._causes.setdefault(unique_id, text)

    def message(self, finished: NodeFinished) -> str | None:
        """Return why a node failed: dbt's own message, and of a microbatch model which batches did, and why."""
        failed, cause = self._failed.get(finished.unique_id), self._causes.get(finished.unique_id)
        if not failed:
            return finished.message or cause
        more = f" and {len(failed) - _NAMED} more" if len(failed) > _NAMED else ""
        told = f"{finished.message or finished.status}: {', '.join(failed[:_NAMED])}{more} failed."
        return f"{told}\n{cause}" if cause else told
