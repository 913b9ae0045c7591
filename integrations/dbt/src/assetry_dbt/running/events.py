"""What dbt reports, told as assetry's events; pure: no file, clock or process is touched here."""

from __future__ import annotations

from collections import deque
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
    Skipped,
    Started,
)

from assetry_dbt.running.reports import BROKEN, LEFT_OUT, MADE, Ended, Message, NodeFinished, NodeStarted, Report

_LEVELS: Mapping[str, Any] = {"debug": "debug", "info": "info", "warn": "warning", "warning": "warning"}
#: What should not run unless it is asked for; exposures and hooks come along freely.
_BUILT = frozenset({"model", "seed", "snapshot", "function", "test", "unit_test"})


class AskedCheck(NamedTuple):
    """A check that was asked for, and the asset it stands on."""

    key: AssetKey
    check: Check


class Story:
    """The reports of one dbt invocation, told as events, and what was not told yet.

    Feed every report to `tell` in order; when dbt has ended, `rest` compares what was asked with what was reported.
    `folder` and `target_dir` are the project's folder and target, as people should read them in hints.

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
        self._done: set[str] = set()
        self._withheld: dict[str, NodeFinished] = {}
        self._failed: set[AssetKey] = set()
        self._failed_checks: dict[AssetKey, str] = {}
        self._strangers: list[str] = []
        self._trouble = False
        self.ended: Ended | None = None

    def tell(self, report: Report) -> Iterator[Event]:
        """Yield the events that `report` means."""
        if isinstance(report, NodeStarted):
            asset = self._assets.get(report.unique_id)
            # dbt also "starts" what it is about to skip.
            if asset is not None and self._cause(asset) is None:
                yield Started(asset.key)
        elif isinstance(report, NodeFinished):
            yield from self._finish(report)
        elif isinstance(report, Message):
            asset = self._assets.get(report.unique_id) if report.unique_id else None
            yield Log(report.text, _LEVELS.get(report.level, "error"), asset.key if asset else None)
        else:
            self.ended = report

    @property
    def needs_results(self) -> bool:
        """Tell whether run_results.json has to be asked before `rest`."""
        silent = self._done < (self._assets.keys() | self._checks.keys())
        success = self.ended is not None and self.ended.success
        return silent or bool(self._withheld) or not (success or self._trouble)

    def known(self, results: Mapping[str, NodeFinished]) -> Iterator[Event]:
        """Yield what `results`, the run_results.json by unique id, says of nodes that were not told yet."""
        for unique_id, finished in tuple(self._withheld.items()):
            yield from self._fail(unique_id, results.get(unique_id) or finished)
        for unique_id in (*self._checks, *self._assets):
            if unique_id not in self._done and unique_id in results:
                yield from self._finish(results[unique_id], last=True)

    def rest(self, results: Mapping[str, NodeFinished]) -> Iterator[Event]:
        """Yield what is left to be said once dbt has ended by itself: what it did, and did not do."""
        yield from self.known(results)
        for unique_id, asset in self._assets.items():
            if unique_id not in self._done:
                yield self._not_run(asset)
        for unique_id, asked in self._checks.items():
            if unique_id not in self._done and not self._lost(asked):
                yield Log(f"dbt did not run check {asked.check.name!r} of {asked.key}.", "warning", asked.key)
        if self.ended is not None and not self.ended.success and not self._trouble:
            yield from self._unexplained(results)

    def _finish(self, finished: NodeFinished, last: bool = False) -> Iterator[Event]:
        unique_id = finished.unique_id
        self._trouble = self._trouble or finished.status in BROKEN
        if unique_id in self._done or unique_id in self._withheld:
            return
        if unique_id in self._checks:
            self._done.add(unique_id)
            yield from self._check(self._checks[unique_id], finished)
        elif unique_id not in self._assets:
            yield from self._stranger(finished)
        elif finished.status in BROKEN and finished.message is None and not last:
            # dbt 2 gives its message in run_results.json only; that asset's failure waits for it.
            self._failed.add(self._assets[unique_id].key)
            self._withheld[unique_id] = finished
        elif finished.status in MADE:
            self._done.add(unique_id)
            yield from self._made(self._assets[unique_id], finished)
        elif finished.status in LEFT_OUT:
            self._done.add(unique_id)
            asset = self._assets[unique_id]
            because = "dbt cancelled it" if finished.status == "cancelled" else self._cause(asset)
            yield Skipped(asset.key, because or finished.message or "dbt skipped it")
        else:
            yield from self._fail(unique_id, finished)

    def _made(self, asset: Asset, finished: NodeFinished) -> Iterator[Event]:
        if finished.status == "warn":
            yield Log(finished.message or "dbt made it with a warning.", "warning", asset.key)
        yield Materialized(asset.key, metadata=made_metadata(finished))

    def _fail(self, unique_id: str, finished: NodeFinished) -> Iterator[Event]:
        asset = self._assets[unique_id]
        self._done.add(unique_id)
        self._failed.add(asset.key)
        self._withheld.pop(unique_id, None)
        message = finished.message or f"dbt reported {finished.status!r} without a message."
        yield Failed(asset.key, _plain(message) or "", failure_hint(asset, *self._folders))

    def _check(self, asked: AskedCheck, finished: NodeFinished) -> Iterator[Event]:
        if finished.status in LEFT_OUT:
            return
        check = asked.check
        passed = finished.status in ("pass", "success", "no-op", "reused")
        if finished.status in BROKEN:
            for key in (asked.key, *check.also):
                self._failed_checks.setdefault(key, f"check {check.name} of {asked.key} failed")
        yield Checked(
            asked.key,
            check.name,
            passed,
            _severity(check, finished.status),
            _plain(finished.message),
            check_metadata(check, finished),
        )

    def _stranger(self, finished: NodeFinished) -> Iterator[Event]:
        """Tell of a node that was not asked for; what leaves no table of its own is dbt's business."""
        if finished.status in BROKEN:
            self._strangers.append(finished.unique_id)
            text = f"{finished.unique_id} failed in dbt: {finished.message or finished.status}"
            yield Log(text.strip(), "error")
        elif finished.status not in LEFT_OUT and finished.resource_type in _BUILT and not _is_ephemeral(finished):
            yield Log(f"dbt ran {finished.unique_id}, which was not asked for.", "warning")

    def _cause(self, asset: Asset) -> str | None:
        """Name what made dbt skip `asset`: the nearest asset above it that failed, or whose check did."""
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
        return f"{self._strangers[0]} failed in dbt" if self._strangers else None

    def _lost(self, asked: AskedCheck) -> bool:
        """Tell whether an asset that a check reads was not made, so that dbt could not run the check."""
        return any(key in self._failed or self._cause_known(key) for key in (asked.key, *asked.check.also))

    def _cause_known(self, key: AssetKey) -> bool:
        asset = self._by_key.get(key)
        return asset is not None and self._cause(asset) is not None

    def _not_run(self, asset: Asset) -> Failed:
        self._failed.add(asset.key)
        name = asset.spec["unique_id"]
        return Failed(
            asset.key,
            f"dbt did not run {asset.key}: {name} is missing in what dbt reported.",
            "Perhaps the project changed since it was read: load it again, and see that the model is enabled.",
        )

    def _unexplained(self, results: Mapping[str, NodeFinished]) -> Iterator[Event]:
        broken = [finished for finished in results.values() if finished.status in BROKEN]
        for finished in broken:
            yield Log(f"{finished.unique_id} failed in dbt: {finished.message or finished.status}", "error")
        if not broken:
            yield Log("dbt ended with a failure that no node explains.", "error")


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


def failure_hint(asset: Asset, folder: str, target_dir: str) -> str | None:
    """Return where to look when a model failed: its file, and the SQL that dbt made of it.

    >>> facts = {"package": "shop", "path": "models/orders.sql"}
    >>> orders = Asset(key="shop/orders", kind="dbt", source="models/orders.sql", metadata=facts)
    >>> failure_hint(orders, "transform", "transform/target")
    'See transform/models/orders.sql; what dbt made of it is in transform/target/compiled/shop/models/orders.sql.'
    """
    if not asset.source:
        return None
    file = "/".join(part for part in (folder, asset.source) if part)
    package, path = asset.metadata.get("package"), str(asset.metadata.get("path") or "")
    if not package or not path.endswith((".sql", ".py")):
        return f"See {file}."
    return f"See {file}; what dbt made of it is in {target_dir}/compiled/{package}/{path}."


def _plain(message: str | None) -> str | None:
    return (message or "").replace("\r\n", "\n").strip() or None


def _is_ephemeral(finished: NodeFinished) -> bool:
    return finished.materialized == "ephemeral"


def _severity(check: Check, status: str) -> Any:
    if status == "warn":
        return "warn"
    return "error" if status in BROKEN or check.severity != "warn" else "warn"
