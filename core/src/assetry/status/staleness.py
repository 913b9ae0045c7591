"""Staleness: is versus should be, with the reasons and their roots. Pure.

Nothing is counted and no event is remembered: an asset is out of date exactly when what its last materialization was
made from (code version, versions of its inputs, columns) is not what it would be made from now. So no change can be
missed, a change that was taken back is none, and an input that was made again with the same content dirties nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, NamedTuple

from assetry.gc_pause import paused_gc
from assetry.graph.graph import AssetGraph
from assetry.status.columns import differences
from assetry.status.looked import Seen, gone_text, overdue_text, source_note, was_there
from assetry.status.old_rows import note, warning
from assetry.status.partitions import PartitionSets
from assetry.status.times import time_text
from assetry.status.versions import UNKNOWN, Latest, Versions
from assetry.types.assets import Asset
from assetry.types.keys import AssetKey
from assetry.types.records import Attempt, Materialization

StatusName = Literal["fresh", "stale", "failed", "never", "running", "external"]
Code = Literal[
    "never_materialized",
    "last_failed",
    "last_cancelled",
    "gone",
    "code_changed",
    "columns_differ",
    "deps_changed",
    "upstream_changed",
    "overdue",
]

STATUS_NAMES: tuple[StatusName, ...] = ("fresh", "stale", "failed", "never", "running", "external")
#: How many roots an asset names; an asset below more of them says so.
MOST_ROOTS = 8
_LONGEST = 200
#: The outcomes of an attempt that made nothing and is no failure.
_LEFT = ("skipped", "cancelled")


class Reason(NamedTuple):
    """Why an asset is out of date: `asset` is where it comes from, the asset itself or the root above it.

    >>> Reason("code_changed", AssetKey("orders"), "its body changed").text
    'its body changed'
    """

    code: Code
    asset: AssetKey
    text: str


@dataclass(frozen=True, slots=True)
class Status:
    """How an asset is: one of ``fresh stale failed never running external``, why, and its last materialization.

    An asset that nothing here makes is ``external``; its reasons tell what is out of date above it. Of an asset with
    partitions, the time and the run are those of the partition made last. `note` is to be known of it whatever its
    status: that it has rows of an older logic, or that it was not looked at. `partitions` says how each of them is;
    None for an asset without.

    >>> Status(AssetKey("orders"), "fresh").reasons
    ()
    """

    key: AssetKey
    status: StatusName
    reasons: tuple[Reason, ...] = ()
    last_materialized: datetime | None = None
    run: str | None = None
    note: str | None = None
    partitions: PartitionSets | None = None


def statuses(
    graph: AssetGraph,
    latest: Latest,
    attempts: Mapping[tuple[AssetKey, str | None], Attempt],
    *,
    running: Mapping[AssetKey, str] | Iterable[AssetKey] = (),
    now: datetime,
    seen: Seen | None = None,
) -> tuple[Status, ...]:
    """Return how every asset of `graph` is, in graph order.

    `latest` and `attempts` are the last materialization and the last attempt by (key, partition). `running` are the
    assets that living runs are to make; when it maps them to the id of their run, those that this run is through
    with are judged as they now are. `seen` is what was looked at just now, each with whether it is there.

    >>> from datetime import UTC
    >>> graph = AssetGraph.of([Asset(key="a", kind="x")])
    >>> statuses(graph, {}, {}, now=datetime(2026, 1, 2, tzinfo=UTC))[0].reasons[0].text
    'never materialized'
    """
    with paused_gc():
        return _Judge(graph, latest, attempts, running, now, seen or {}).judge_all()


def stale_keys(statuses: Iterable[Status]) -> tuple[AssetKey, ...]:
    """Return the assets that bringing everything up to date would make: those stale, failed or never made.

    >>> stale_keys([Status(AssetKey("a"), "fresh"), Status(AssetKey("b"), "never")])
    (AssetKey('b'),)
    """
    return tuple(each.key for each in statuses if each.status in ("stale", "failed", "never"))


#: A root: the number of an asset, and whether it has new content (True) or is itself out of date (False).
_Root = tuple[int, bool]
_Records = list[Materialization]
_Newest = tuple[tuple[datetime, int], ...]


class _Judge:
    """The judgement of all assets in one pass in graph order: everything above an asset is judged before it."""

    def __init__(
        self,
        graph: AssetGraph,
        latest: Latest,
        attempts: Mapping[tuple[AssetKey, str | None], Attempt],
        running: Mapping[AssetKey, str] | Iterable[AssetKey],
        now: datetime,
        seen: Seen,
    ) -> None:
        self._graph = graph
        self._seen = seen
        self._now = now
        self._versions = Versions(graph, latest)
        living = running if isinstance(running, Mapping) else dict.fromkeys(running, "")
        done = (
            {(key, tried.run) for (key, _), tried in attempts.items() if tried.outcome != "running"} if living else ()
        )
        self._running = {key for key, run in living.items() if (key, run) not in done}
        self._made: dict[AssetKey, _Records] = {}
        for (key, _), made in latest.items():
            self._made.setdefault(key, []).append(made)
        #: By asset: the attempts that did not come out well, or are under way.
        self._tried: dict[AssetKey, list[Attempt]] = {}
        for (key, _), tried in attempts.items():
            if tried.outcome != "materialized":
                self._tried.setdefault(key, []).append(tried)
        #: By asset: its last materialization; and the newest tables and views that it shows, itself when it is none.
        self._last: list[Materialization | None] = []
        self._shown: list[tuple[_Newest, _Newest]] = []
        #: By asset: the roots that its consumers are out of date from.
        self._roots: list[tuple[_Root, ...]] = []
        self._crowded: set[int] = set()
        #: By root: what to say of it further down.
        self._sayings: dict[_Root, str] = {}

    def judge_all(self) -> tuple[Status, ...]:
        return tuple(self._judge(i, asset) for i, asset in enumerate(self._graph.assets))

    def _judge(self, i: int, asset: Asset) -> Status:
        records, overwritten = self._records(asset)
        last = _last(records)
        self._last.append(last)
        self._shown.append(self._show(i, asset, last))
        own, news = (
            self._own(i, asset, records, overwritten) if asset.executable else (self._overdue(asset, records), [])
        )
        roots = self._named(i, (*self._above(i), *((j, True) for j in news)))
        never = asset.executable and not records
        self._pass_on(i, asset, own, roots)
        reasons = tuple(own) if never or (asset.computed_on_read and asset.executable) else (*own, *self._say(i, roots))
        word = self._word(asset, own, reasons)
        at, run = (last.at, last.run) if last else (None, None)
        told = note(asset, last) if asset.executable else self._note(asset, records, own)
        return Status(asset.key, word, reasons, at, run, told)

    def _note(self, asset: Asset, records: _Records, own: Sequence[Reason]) -> str | None:
        overdue = own[0].text if own else None
        return source_note(asset, records, self._tried.get(asset.key, ()), overdue)

    def _word(self, asset: Asset, own: Sequence[Reason], reasons: Sequence[Reason]) -> StatusName:
        if not asset.executable:
            return "external"
        if self._is_running(asset.key):
            return "running"
        if own and own[0].code == "last_failed":
            return "failed"
        if own and own[0].code == "never_materialized" and self._last[-1] is None:
            return "never"
        return "stale" if reasons else "fresh"

    def _is_running(self, key: AssetKey) -> bool:
        return key in self._running or any(each.outcome == "running" for each in self._tried.get(key, ()))

    # -- roots -----------------------------------------------------------------------------------------------------

    def _above(self, i: int) -> tuple[_Root, ...]:
        """Return the roots that come down to an asset from what it is made from."""
        upstream = self._graph.upstream[i]
        if len(upstream) == 1:
            return self._roots[upstream[0]]
        return tuple({root: None for j in upstream for root in self._roots[j]})

    def _named(self, i: int, roots: Sequence[_Root]) -> tuple[_Root, ...]:
        """Return the roots in graph order, each asset once, the most that are to be named."""
        if len(roots) < 2:
            return tuple(roots)
        if not self._crowded.isdisjoint(self._graph.upstream[i]):
            self._crowded.add(i)
        # What is itself out of date is worth more than that it also has new content.
        kinds = dict(sorted(roots, reverse=True))
        if len(kinds) > MOST_ROOTS:
            self._crowded.add(i)
        return tuple((j, kinds[j]) for j in sorted(kinds)[:MOST_ROOTS])

    def _pass_on(self, i: int, asset: Asset, own: Sequence[Reason], roots: Sequence[_Root]) -> None:
        if not asset.executable:
            # What is made elsewhere is made when others want it.
            self._roots.append(())
        elif own and not (own[0].code == "never_materialized" and roots):
            self._sayings[i, False] = f"`{asset.key}` {_saying(own[0])}"
            self._roots.append((*roots, (i, False)))
        else:
            self._roots.append(tuple(roots))

    def _say(self, i: int, roots: Sequence[_Root]) -> Iterable[Reason]:
        for number, root in enumerate(roots, 1):
            text = self._sayings.get(root)
            if text is None:
                text = self._sayings[root] = self._new_content(root[0])
            if number == len(roots) and i in self._crowded:
                text += "; more above it is out of date"
            yield Reason("upstream_changed", self._graph.keys[root[0]], text)

    def _new_content(self, j: int) -> str:
        asset, last = self._graph.assets[j], self._last[j]
        assert last is not None, "new content without a record of it"
        what = "was made anew" if asset.executable else "changed outside; seen"
        return f"`{asset.key}` {what} at {time_text(last.at)}"

    # -- the asset itself ------------------------------------------------------------------------------------------

    def _records(self, asset: Asset) -> tuple[_Records, _Records]:
        """Return the records that speak of an asset, and those of what was overwritten since.

        A later whole takes the place of partitions, and partitions that of a whole, where assetry keeps the value; a
        tool may keep its partitions when it makes the whole.
        """
        records = self._made.get(asset.key, [])
        if len(records) < 2:
            return records, []
        partitioned = asset.partitions_def is not None
        # Records from before the asset had partitions, or from when it had them, say nothing of it now.
        chosen = [each for each in records if (each.partition is not None) is partitioned]
        if not chosen or len(chosen) == len(records) or not asset.kept:
            return chosen or records, []
        since = max(each.at for each in records if (each.partition is not None) is not partitioned)
        return [each for each in chosen if each.at >= since], [each for each in chosen if each.at < since]

    def _own(self, i: int, asset: Asset, records: _Records, overwritten: _Records) -> tuple[list[Reason], list[int]]:
        """Return the reasons in the asset itself, worst first, and the inputs that have new content."""
        reasons = self._failures(asset, records)
        if overwritten:
            reasons.append(Reason("never_materialized", asset.key, _gone(overwritten)))
        if not records:
            return reasons or [Reason("never_materialized", asset.key, self._never(asset))], []
        text = gone_text(asset, records, self._tried.get(asset.key, ()), self._seen)
        if text is not None:
            reasons.append(Reason("gone", asset.key, text))
        found: dict[tuple[Code, AssetKey, str], int] = {}
        news: dict[int, None] = {}
        for made in records:
            for reason in self._differences(i, asset, made, news):
                found[reason] = found.get(reason, 0) + 1
        for (code, key, text), count in found.items():
            reasons.append(Reason(code, key, text + _share(count, len(records))))
        return reasons + self._overdue(asset, records), list(news)

    def _overdue(self, asset: Asset, records: _Records) -> list[Reason]:
        text = overdue_text(asset, records, self._now)
        return [Reason("overdue", asset.key, text)] if text else []

    def _never(self, asset: Asset) -> str:
        skipped = next((each for each in self._tried.get(asset.key, ()) if each.outcome in _LEFT), None)
        if skipped is None:
            return "never materialized"
        because = f": `{skipped.because}` stood in the way" if skipped.because else _after(skipped.message)
        return f"never materialized; {skipped.outcome} in run {skipped.run}{because}"

    def _failures(self, asset: Asset, records: _Records) -> list[Reason]:
        tried = self._tried.get(asset.key)
        if tried is None:
            return []
        made = {each.partition: each for each in records}
        failed: list[Attempt] = []
        cancelled: list[Attempt] = []
        for each in tried:
            if each.outcome not in ("failed", "check_failed", "cancelled"):
                continue
            before = made.get(each.partition) or (_last(records) if each.partition is None else None)
            # A check may report before its asset does; within one run the attempt has the last word.
            if before is None or each.run == before.run or each.at >= before.at:
                (cancelled if each.outcome == "cancelled" else failed).append(each)
        if failed:
            return [Reason("last_failed", asset.key, _failure(_newest(failed)) + _more(failed))]
        if cancelled and records:
            text = f"its last attempt was cancelled, in run {_newest(cancelled).run}{_more(cancelled)}"
            return [Reason("last_cancelled", asset.key, text)]
        return []

    def _differences(
        self, i: int, asset: Asset, made: Materialization, news: dict[int, None]
    ) -> Iterable[tuple[Code, AssetKey, str]]:
        """Yield how what the asset was made from differs from what it would be made from now; add to `news`."""
        code = made.code_version
        if code != asset.code_version and code is not None and asset.code_version is not None:
            changed, kept = _changed_parts(made.code_parts, asset.code_parts), warning(asset)
            yield "code_changed", asset.key, f"{changed}; {kept}" if kept else changed
        if made.columns is not None and asset.columns:
            for difference in differences(asset.columns, made.columns):
                yield "columns_differ", asset.key, difference
        read = 0
        for key, version in self._versions.inputs(asset, made.partition).items():
            before = made.inputs.get(key)
            if before is not None and (before == version or version == UNKNOWN):
                read += 1
                continue
            j = self._graph.index(key)
            before = self._recorded(made, j)
            read += before is not None
            if before == UNKNOWN and was_there(self._graph.assets[j], self._last[j], made.at):
                continue
            if before is None and self._has_trace(made):
                if version != UNKNOWN:
                    yield "deps_changed", key, f"it now reads `{key}`"
            elif version not in (UNKNOWN, before) and not asset.computed_on_read:
                news.update(dict.fromkeys(self._behind(j, made, known=before is not None)))
        if read < len(made.inputs):
            yield from self._removed(i, made)

    @staticmethod
    def _has_trace(made: Materialization) -> bool:
        """Tell whether the record says what was read; one of what was only seen, made by others, does not."""
        return bool(made.inputs) or made.code_version is not None

    def _recorded(self, made: Materialization, j: int) -> str | None:
        """Return the version that was read of input `j`, which may have had another key then."""
        before = made.inputs.get(self._graph.keys[j])
        if before is None:
            for alias in self._graph.assets[j].aliases:
                before = made.inputs.get(alias, before)
        return before

    def _removed(self, i: int, made: Materialization) -> Iterable[tuple[Code, AssetKey, str]]:
        upstream = set(self._graph.upstream[i])
        for key in made.inputs:
            if key not in self._graph or self._graph.index(key) not in upstream:
                yield "deps_changed", key, f"it no longer reads `{key}`"

    def _behind(self, j: int, made: Materialization, *, known: bool) -> list[int]:
        """Return what has new content since `made`: input `j`, or, when that is a view, what lies behind it.

        When it is `known` that the input changed, something is named in any case.
        """
        tables, views = self._shown[j]
        newer = [k for at, k in tables if at > made.at] or [k for at, k in views if at > made.at]
        # With nothing made since, a view shows what is out of date, and those roots are named already.
        return newer or ([j] if known and not self._roots[j] else [])

    def _show(self, i: int, asset: Asset, last: Materialization | None) -> tuple[_Newest, _Newest]:
        """Return the newest tables and the newest views that are read by reading the asset, newest first."""
        itself = () if last is None else ((last.at, i),)
        if not asset.computed_on_read:
            return itself, ()
        above = [self._shown[j] for j in self._graph.upstream[i]]
        tables = {each for shown, _ in above for each in shown}
        views = {each for _, shown in above for each in shown}.union(itself)
        return tuple(sorted(tables, reverse=True)[: MOST_ROOTS + 1]), tuple(sorted(views, reverse=True)[:MOST_ROOTS])


def _last(records: _Records) -> Materialization | None:
    return records[0] if len(records) == 1 else max(records, key=lambda each: each.at, default=None)


def _newest(tried: Sequence[Attempt]) -> Attempt:
    return max(tried, key=lambda each: each.at)


def _more(tried: Sequence[Attempt]) -> str:
    return f" (and {len(tried) - 1} more partitions)" if len(tried) > 1 else ""


def _saying(reason: Reason) -> str:
    """Return what is said of a root further down, after its name."""
    if reason.code == "never_materialized":
        return "was never materialized"
    if reason.code == "last_failed":
        return f"failed: {reason.text}"
    return f"is out of date: {reason.text}"


def _failure(tried: Attempt) -> str:
    message = " ".join((tried.message or "").split())
    if len(message) > _LONGEST:
        message = message[: _LONGEST - 1] + "…"
    if tried.partition is not None:
        message = f"partition {tried.partition}: {message}" if message else f"partition {tried.partition}"
    if tried.outcome == "check_failed":
        return message or "a check failed"
    return f"the last attempt failed{': ' + message if message else ''}"


def _after(message: str | None) -> str:
    text = " ".join((message or "").split())
    return f": {text}" if text else ""


def _changed_parts(before: Mapping[str, str], now: Mapping[str, str]) -> str:
    names = [name for name in dict.fromkeys((*now, *before)) if now.get(name) != before.get(name)]
    # What came or went with a change of another part is not what somebody changed.
    names = [name for name in names if name in now and name in before] or names
    if not names or not before:
        return "its code changed"
    return f"its {_listed(names)} changed"


def _gone(records: _Records) -> str:
    """Say what was overwritten by a value that had partitions, or that had none."""
    names = [each.partition for each in records if each.partition is not None]
    if not names:
        return "what it was as a whole went when partitions of it were made"
    many = f" and {len(names) - 1} more" if len(names) > 1 else ""
    return f"partition {min(names)}{many} went when it was made as a whole, and not made since"


def _share(count: int, total: int) -> str:
    return "" if count == total else f" (in {count} of {total} partitions)"


def _listed(names: Sequence[str]) -> str:
    *most, last = names
    return f"{', '.join(most)} and {last}" if most else last
