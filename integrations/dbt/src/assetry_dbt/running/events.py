"""What dbt reports, told as assetry's events; pure: no file, clock or process is touched here."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from assetry.plugin import (
    Asset,
    AssetKey,
    Check,
    Checked,
    CheckRef,
    Event,
    Failed,
    Invocation,
    Log,
    Materialized,
    Progress,
    Skipped,
    Started,
)

from assetry_dbt.running.batches import Asked, Causes, Nesting, asked_partitions
from assetry_dbt.running.hints import check_count, check_hint, failure_hint, hook_hint, named
from assetry_dbt.running.reports import (
    BROKEN,
    LEFT_OUT,
    MADE,
    BatchFinished,
    BatchStarted,
    Ended,
    Message,
    NodeFinished,
    NodeStarted,
    Raised,
    Report,
)

#: How many failed batches a message names.
_NAMED = 5
_LEVELS: Mapping[str, Any] = {"debug": "debug", "info": "info", "warn": "warning", "warning": "warning"}
#: What should not run unless it is asked for; exposures and hooks come along freely.
_BUILT = frozenset({"model", "seed", "snapshot", "function", "test", "unit_test"})


class AskedCheck(NamedTuple):
    """A check that was asked for, and the asset it stands on."""

    key: AssetKey
    check: Check


class Trouble(NamedTuple):
    """What failed in dbt and is no asset's and no check's failure, and where to look."""

    text: str
    hint: str | None = None


class Story:
    """The reports of one dbt invocation, told as events, and what was not told yet.

    Feed every report to `tell` in order; when dbt has ended, `rest` compares what was asked with what was reported, and
    `trouble` says what else failed. `folder` and `target_dir` are the project's folder and target, as people should
    read them in hints.

    >>> from assetry.plugin import Integration
    >>> shop = Integration("shop", "dbt")
    >>> orders = Asset(key="shop/orders", kind="dbt", integration=shop, spec={"unique_id": "model.shop.orders"})
    >>> story = Story(Invocation(id="1", group=None, integration=shop, assets=(orders,)))
    >>> [event.name for event in story.tell(NodeFinished("model.shop.orders", "success"))]
    ['materialized']
    """

    def __init__(
        self,
        invocation: Invocation,
        folder: str = "",
        target_dir: str = "target",
        test_of: Callable[[CheckRef], str | None] | None = None,
    ) -> None:
        self._assets = {
            str(asset.spec["unique_id"]): asset
            for asset in (*invocation.assets, *invocation.also)
            if "unique_id" in asset.spec
        }
        self._by_key = {asset.key: asset for asset in self._assets.values()}
        self._checks = asked_checks(invocation, test_of)
        self._folders = (folder, target_dir)
        self._nesting, self._causes = Nesting(), Causes()
        self._asked = asked_partitions(invocation)
        #: By microbatch model of which no partitions are asked for: how many batches have ended, and which failed.
        self._batches: Counter[str] = Counter()
        self._failed_batches: dict[str, list[str]] = {}
        #: How each node came out, by the last that was heard of it.
        self._heard: dict[str, NodeFinished] = {}
        self._withheld: dict[str, NodeFinished] = {}
        self._failed: set[AssetKey] = set()
        self._failed_checks: dict[AssetKey, str] = {}
        self._strangers: dict[str, NodeFinished] = {}
        self._errors: list[str] = []
        self._explained = False
        self.ended: Ended | None = None

    def tell(self, report: Report) -> Iterator[Event]:
        """Yield the events that `report` means."""
        if isinstance(report, NodeStarted):
            yield from self._start(report.unique_id)
        elif isinstance(report, NodeFinished):
            # The end of a batch is not the end of its model.
            if self._nesting.end(report.unique_id):
                yield from self._finish(report)
        elif isinstance(report, BatchStarted):
            asked = self._asked.get(report.unique_id)
            key = asked.key_of(report.batch) if asked is not None else None
            if asked is not None and key is not None:
                yield Started(asked.asset.key, key)
        elif isinstance(report, BatchFinished):
            yield from self._batch(report)
        elif isinstance(report, Raised):
            self._causes.add(report.unique_id, report.text)
        elif isinstance(report, Message):
            asset = self._assets.get(report.unique_id) if report.unique_id else None
            level = _LEVELS.get(report.level, "error")
            if level == "error":
                self._errors.append(report.text)
            yield Log(report.text, level, asset.key if asset else None)
        else:
            self.ended = report

    @property
    def needs_results(self) -> bool:
        """Tell whether run_results.json has to be asked before `rest`: it has the last word on what failed."""
        silent = not self._heard.keys() >= (self._assets.keys() | self._checks.keys())
        return silent or bool(self._withheld) or self.ended is None or not self.ended.success

    def known(self, results: Mapping[str, NodeFinished]) -> Iterator[Event]:
        """Yield what `results`, the run_results.json by unique id, says that was not told, or was told otherwise."""
        for unique_id, finished in tuple(self._withheld.items()):
            del self._withheld[unique_id]
            yield from self._finish(results.get(unique_id) or finished, last=True)
        for unique_id, finished in results.items():
            before = self._heard.get(unique_id)
            if unique_id in self._strangers and finished.message:
                self._strangers[unique_id] = finished
            elif before is None or (finished.status in BROKEN and before.status in (*MADE, "pass")):
                yield from self._finish(finished, last=True)

    def rest(self, results: Mapping[str, NodeFinished]) -> Iterator[Event]:
        """Yield what is left to be said once dbt has ended by itself: what it did, and did not do."""
        yield from self.known(results)
        for unique_id, asset in self._assets.items():
            if unique_id not in self._heard:
                yield self._not_run(asset)
        for unique_id, asked in self._checks.items():
            if unique_id not in self._heard:
                yield from self._unrun(asked, "dbt did not run it, and does not say why")

    def trouble(self) -> Trouble | None:
        """Return what made dbt fail and no event of an asset or a check tells; to be asked after `rest`."""
        if self._strangers:
            reasons = {each.unique_id: self._because(each) or each.status for each in self._strangers.values()}
            told = [f"{named(unique_id)} failed: {because}" for unique_id, because in reasons.items()]
            return Trouble("\n".join(told), hook_hint(next(iter(self._strangers)), self._folders[1]))
        if self.ended is None or self.ended.success or self._explained:
            return None
        said = "\n".join(dict.fromkeys(self._errors))
        return Trouble(f"dbt ended with a failure that no asset and no test explains{': ' if said else '.'}{said}")

    def _start(self, unique_id: str) -> Iterator[Event]:
        asset, asked = self._assets.get(unique_id), self._asked.get(unique_id)
        if not self._nesting.start(unique_id) or asset is None or (asked is not None and asked.batch_size is not None):
            return  # a batch, nothing that was asked for, or what tells of each batch
        # dbt also "starts" what it is about to skip. After a failed hook it skips all, or, as is usual, nothing.
        strangers = any(each.resource_type != "operation" for each in self._strangers.values())
        if self._failed_above(asset) is None and not strangers:
            if asked is None:
                yield Started(asset.key)
            else:
                yield from (Started(asset.key, first, through=last) for first, last in asked.ranges(asked.left))

    def _batch(self, batch: BatchFinished) -> Iterator[Event]:
        asset, asked = self._assets.get(batch.unique_id), self._asked.get(batch.unique_id)
        if asset is None:
            return
        if asked is not None:
            yield from self._part(asked, batch)
            return
        self._batches[batch.unique_id] += 1
        yield Progress(asset.key, self._batches[batch.unique_id], batch.total)
        if batch.status == "error":
            self._failed_batches.setdefault(batch.unique_id, []).append(batch.batch)
            yield Log(f"Batch {batch.batch} failed.", "error", asset.key)

    def _part(self, asked: Asked, batch: BatchFinished) -> Iterator[Event]:
        """Tell the end of a batch as that of its partition."""
        key = asked.key_of(batch.batch)
        asked.told = True
        if key is None:
            yield Log(f"dbt made batch {batch.batch}, which was not asked for.", "warning", asked.asset.key)
            return
        made = batch.status not in (*BROKEN, *LEFT_OUT)
        if not asked.end(key, made):
            return
        if made:
            seconds = {} if batch.seconds is None else {"seconds": round(batch.seconds, 3)}
            relation = {} if batch.relation is None else {"relation": batch.relation}
            yield Materialized(asked.asset.key, key, metadata={"status": "success", **seconds, **relation})
        elif batch.status in LEFT_OUT:
            yield Skipped(asked.asset.key, "dbt made no batch after the first one failed", partition=key)
        else:
            yield self._failed_part(asked, key, self._causes.take(batch.unique_id, batch.batch))

    def _failed_part(self, asked: Asked, key: str, why: str | None) -> Failed:
        asset, batch = asked.asset, asked.label_of(key) if asked.batch_size is not None else None
        self._failed.add(asset.key)
        self._explained = True
        return Failed(
            asset.key, why or "dbt did not make it.", failure_hint(asset, *self._folders, batch), partition=key
        )

    def _parts(self, asked: Asked, finished: NodeFinished) -> Iterator[Event]:
        """Tell of the partitions that have no end, or another one, now that the model has ended."""
        news = [(key, made) for key, made in asked.outcomes(finished) if asked.end(key, made)]
        # What dbt tells of the model holds for each of its partitions.
        for first, last in asked.ranges([key for key, made in news if made]):
            yield Materialized(asked.asset.key, first, metadata=made_metadata(finished), through=last)
        why = self._causes.of(finished.unique_id) or finished.message
        if finished.status in MADE:
            why = "dbt made other batches than those that were asked for."
        # Of a batch that failed the hint names a file of its own.
        yield from (self._failed_part(asked, key, _plain(why)) for key, made in news if not made)

    def _finish(self, finished: NodeFinished, last: bool = False) -> Iterator[Event]:
        unique_id = finished.unique_id
        before = self._heard.get(unique_id)
        if before is not None and not last:
            return
        self._heard[unique_id] = finished
        if unique_id in self._checks:
            yield from self._check(self._checks[unique_id], finished)
        elif unique_id not in self._assets:
            yield from self._stranger(finished)
        elif self._asked.get(unique_id) is not None and finished.status not in LEFT_OUT:
            yield from self._finish_parts(self._asked[unique_id], finished, last)
        elif finished.status in BROKEN and finished.message is None and not last:
            # dbt 2 gives its message in run_results.json only; that asset's failure waits for it.
            self._failed.add(self._assets[unique_id].key)
            self._withheld[unique_id] = finished
        elif finished.status in MADE:
            yield from self._made(self._assets[unique_id], finished)
        elif finished.status in LEFT_OUT:
            asset = self._assets[unique_id]
            because = "dbt cancelled it" if finished.status == "cancelled" else self._cause(asset)
            yield Skipped(asset.key, because or finished.message or "dbt skipped it")
        else:
            yield from self._fail(unique_id, finished)

    def _finish_parts(self, asked: Asked, finished: NodeFinished, last: bool) -> Iterator[Event]:
        if asked.batch_size is not None and asked.left and not last:
            # Of these dbt has told nothing, or no batch was begun: run_results.json says what became of them.
            self._withheld[finished.unique_id] = finished
        elif finished.status in BROKEN and not asked.told and finished.batches is None:
            yield from self._fail(finished.unique_id, finished)
        else:
            yield from self._parts(asked, finished)
        if finished.status in BROKEN:
            self._failed.add(asked.asset.key)

    def _made(self, asset: Asset, finished: NodeFinished) -> Iterator[Event]:
        if finished.status == "warn":
            yield Log(finished.message or "dbt made it with a warning.", "warning", asset.key)
        # The same file makes the same table; of a model that holds only as long as what it reads is the same.
        version = asset.code_version if finished.resource_type == "seed" else None
        yield Materialized(asset.key, data_version=version, metadata=made_metadata(finished))

    def _fail(self, unique_id: str, finished: NodeFinished) -> Iterator[Event]:
        asset = self._assets[unique_id]
        self._failed.add(asset.key)
        self._explained = True
        message = self._message(finished) or f"dbt reported {finished.status!r} without a message."
        yield Failed(asset.key, _plain(message) or "", failure_hint(asset, *self._folders))

    def _message(self, finished: NodeFinished) -> str | None:
        """Return why a node failed: dbt's own message, and of a microbatch model which batches did, and why."""
        failed, cause = self._failed_batches.get(finished.unique_id), self._causes.of(finished.unique_id)
        if not failed:
            return finished.message or cause
        more = f" and {len(failed) - _NAMED} more" if len(failed) > _NAMED else ""
        told = f"{finished.message or finished.status}: batch {', '.join(failed[:_NAMED])}{more} failed."
        return f"{told}\n{cause}" if cause else told

    def _check(self, asked: AskedCheck, finished: NodeFinished) -> Iterator[Event]:
        check = asked.check
        if finished.status in LEFT_OUT:
            yield from self._unrun(asked, finished.message or f"dbt {finished.status} it")
            return
        passed = finished.status in ("pass", "success", "no-op", "reused")
        if finished.status in BROKEN:
            self._explained = True
            for key in (asked.key, *check.also):
                self._failed_checks.setdefault(key, f"check {check.name} of {asked.key} failed")
        message = _plain(self._message(finished)) or (None if passed else check_count(finished))
        place = None if passed else check_hint(check, finished, *self._folders)
        yield Checked(
            asked.key,
            check.name,
            passed,
            _severity(check, finished.status),
            "\n".join(filter(None, (message, place))) or None,
            check_metadata(check, finished),
        )

    def _unrun(self, asked: AskedCheck, because: str) -> Iterator[Event]:
        """Say that a check was not run, unless it could not be: what it reads was not made."""
        if not self._lost(asked):
            cause = f": {self._cause_of_strangers()}" if self._strangers else ""
            severity: Any = "warn" if asked.check.severity == "warn" else "error"
            self._explained = self._explained or severity == "error"
            yield Checked(asked.key, asked.check.name, False, severity, f"{because}{cause}.", {"status": "not run"})

    def _stranger(self, finished: NodeFinished) -> Iterator[Event]:
        """Tell of a node that was not asked for; what leaves no table of its own is dbt's business."""
        unique_id = finished.unique_id
        if finished.status in BROKEN:
            self._strangers[unique_id] = finished
            because = self._because(finished)
            yield Log(f"{named(unique_id)} failed in dbt{f': {because}' if because else '.'}", "error")
        elif finished.status not in LEFT_OUT and finished.resource_type in _BUILT and not _is_ephemeral(finished):
            yield Log(f"dbt ran {unique_id}, which was not asked for.", "warning")

    def _because(self, finished: NodeFinished) -> str | None:
        """Return why a node failed, if that is known; of a hook without its name, with which dbt begins."""
        message = _plain(self._message(finished))
        if message and finished.resource_type == "operation":
            return message.partition(" failed, error:")[2].strip() or message
        return message

    def _cause_of_strangers(self) -> str:
        return f"{named(next(iter(self._strangers)))} failed in dbt"

    def _cause(self, asset: Asset) -> str | None:
        """Name what made dbt skip `asset`: what failed above it, else what failed without having been asked for."""
        return self._failed_above(asset) or (self._cause_of_strangers() if self._strangers else None)

    def _failed_above(self, asset: Asset) -> str | None:
        """Name the nearest asset above `asset` that failed, or whose check did."""
        seen = {asset.key}
        queue = deque([asset])
        while queue:
            current = queue.popleft()
            if current.key in self._failed:
                return f"{current.key} failed"
            if current.key in self._failed_checks:
                return self._failed_checks[current.key]
            for dep in current.deps:
                if dep.key in seen:
                    continue
                seen.add(dep.key)
                if dep.key in self._by_key:
                    queue.append(self._by_key[dep.key])
                elif dep.key in self._failed_checks:
                    return self._failed_checks[dep.key]
        return None

    def _lost(self, asked: AskedCheck) -> bool:
        """Tell whether an asset that a check reads was not made, so that dbt could not run the check."""
        return any(key in self._failed or not self._is_made(key) for key in (asked.key, *asked.check.also))

    def _is_made(self, key: AssetKey) -> bool:
        """Tell whether an asset was made, or is none that this invocation makes."""
        asset = self._by_key.get(key)
        heard = None if asset is None else self._heard.get(str(asset.spec["unique_id"]))
        return asset is None or (heard is not None and heard.status in MADE)

    def _not_run(self, asset: Asset) -> Failed:
        self._failed.add(asset.key)
        self._explained = True
        name = asset.spec["unique_id"]
        return Failed(
            asset.key,
            f"dbt did not run {asset.key}: {name} is missing in what dbt reported.",
            "Perhaps the project changed since it was read: load it again, and see that the model is enabled.",
        )


def asked_checks(
    invocation: Invocation, test_of: Callable[[CheckRef], str | None] | None = None
) -> dict[str, AskedCheck]:
    """Return the checks that `invocation` asks for, by dbt's unique id.

    `test_of` finds the unique id of one whose asset is not at hand.
    """
    assets = {asset.key: asset for asset in (*invocation.inputs, *invocation.also, *invocation.assets)}
    asked: dict[str, AskedCheck] = {}
    for ref in invocation.checks:
        asset = assets.get(ref.key)
        check = next((each for each in (asset.checks if asset else ()) if each.name == ref.check), Check(ref.check))
        unique_id = check.spec.get("unique_id") or (test_of(ref) if test_of else None)
        if unique_id:
            asked[str(unique_id)] = AskedCheck(ref.key, check)
    return asked


def made_metadata(finished: NodeFinished) -> dict[str, Any]:
    """Return what is known of a node that was made; `rows` only where the answer counts the whole table.

    >>> made_metadata(NodeFinished("seed.s.raw", "success", response={"rows_affected": 2}, materialized="seed"))
    {'status': 'success', 'rows': 2, 'response': {'rows_affected': 2}}
    """
    found: dict[str, Any] = {"status": finished.status}
    if finished.seconds is not None:
        found["seconds"] = round(finished.seconds, 3)
    if finished.relation:
        found["relation"] = finished.relation
    affected = finished.response.get("rows_affected")
    if isinstance(affected, int) and affected >= 0 and finished.materialized in ("table", "seed"):
        found["rows"] = affected
    if finished.response and dict(finished.response) != {"_message": "OK"}:
        found["response"] = dict(finished.response)
    return found


def check_metadata(check: Check, finished: NodeFinished) -> dict[str, Any]:
    """Return what is known of a test that ran: rows found, time, and the file it stands in."""
    found: dict[str, Any] = {"status": finished.status}
    if finished.failures is not None:
        found["failures"] = finished.failures
    if finished.seconds is not None:
        found["seconds"] = round(finished.seconds, 3)
    if check.source:
        found["file"] = check.source
    return found


def _plain(message: str | None) -> str | None:
    return (message or "").replace("\r\n", "\n").strip() or None


def _is_ephemeral(finished: NodeFinished) -> bool:
    return finished.materialized == "ephemeral"


def _severity(check: Check, status: str) -> Any:
    if status == "warn":
        return "warn"
    return "error" if status in BROKEN or check.severity != "warn" else "warn"
