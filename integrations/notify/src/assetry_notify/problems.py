"""Problems: what is wrong in a project now, by root cause.

They follow from the records and the time alone, not from events that were heard: so a run that was killed is told of as
well, and nothing is lost where nobody listened.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Self

from assetry.plugin import AssetKey, Attempt, Next, RunInfo, plain

from assetry_notify.targets import EventName

if TYPE_CHECKING:
    from assetry import Project

#: How many of the last runs are looked at for tools that broke though no asset failed.
RUNS = 20
#: The longest that is told of one failure, in characters.
LONGEST = 300


@dataclass(frozen=True, slots=True)
class Held:
    """That something is not made by itself any more, until a person has looked: which assets, and why.

    >>> Held("shop/orders", "it failed 5 times").assets
    ('shop/orders',)
    """

    assets: tuple[str, ...]
    because: str
    if TYPE_CHECKING:

        def __init__(self, assets: Iterable[str] | str, because: str) -> None: ...

    def __post_init__(self) -> None:
        given = (self.assets,) if isinstance(self.assets, str) else self.assets
        object.__setattr__(self, "assets", tuple(map(str, given)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Something that is wrong: what, since when, and in which asset it begins.

    `root` is that asset, or the run whose tool broke. `assets` are those that it befell: the root itself, all that are
    overdue because of it, or all that are held. `skipped` are those that were not made because of it. `at` is when it
    was found to be so.

    >>> Problem(event="failed", root="shop/raw", text="no disk", at="2026-01-01T00:00:00+00:00").id
    'failed:shop/raw'
    """

    event: EventName
    root: str
    text: str
    at: str
    run: str | None = None
    assets: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()
    owners: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        """Return what it is known by as long as it lasts."""
        return f"{self.event}:{self.root}"

    @property
    def concerned(self) -> frozenset[str]:
        """Return all assets that it is of interest to: where it begins, and what it holds up."""
        return frozenset((self.root, *self.assets, *self.skipped))

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON."""
        found = {name: getattr(self, name) for name in self.__slots__}
        return {name: list(each) if isinstance(each, tuple) else each for name, each in found.items()}

    @classmethod
    def from_json(cls, given: Mapping[str, Any]) -> Self:
        """Return what `to_json` was made of."""
        found: dict[str, Any] = {name: tuple(each) if isinstance(each, list) else each for name, each in given.items()}
        return cls(**found)


@dataclass(frozen=True, slots=True)
class Situation:
    """How a project is: its problems, and of which assets it is not known just now whether they still have one.

    `unsettled` are assets that are being made, or whose making was called off: what was wrong with them is neither
    over nor new. `knows_held` tells that all that is held is among the problems.
    """

    problems: tuple[Problem, ...]
    unsettled: frozenset[str] = field(default_factory=frozenset)
    knows_held: bool = False


def situation(project: Project, now: datetime, held: Iterable[Held] | None = None) -> Situation:
    """Return what is wrong in a project at a moment; `held` is what its scheduler holds, None asks its plugins."""
    statuses = project.judge(now).statuses
    nexts = project.next(now, statuses=statuses) if held is None else {}
    knows = held is not None or bool(nexts)
    held = held_of(nexts) if held is None else held
    unsettled = {
        str(each.key)
        for each in statuses
        if each.status == "running" or any(reason.code == "last_cancelled" for reason in each.reasons)
    }
    failed = {each.key: each for each in statuses if each.status == "failed"}
    found = [*_failures(project, failed, now), *_overdue(project, statuses, now)]
    found += _broken_runs(project, found)
    found += [_held(project, each, now) for each in held]
    return Situation(tuple(found), frozenset(unsettled), knows_held=knows)


def held_of(nexts: Mapping[AssetKey, Next]) -> tuple[Held, ...]:
    """Return what is held until a person lets it go on, by why it is.

    >>> held_of({AssetKey("a"): Next("held", "it is moved"), AssetKey("b"): Next("held", "it is moved")})
    (Held(assets=('a', 'b'), because='it is moved'),)
    """
    found: dict[str, list[str]] = {}
    for key, each in nexts.items():
        if each.kind == "held":
            found.setdefault(each.because, []).append(str(key))
    return tuple(Held(tuple(keys), because) for because, keys in found.items())


def _failures(project: Project, failed: Mapping[AssetKey, Any], now: datetime) -> list[Problem]:
    """Return a problem for each asset that failed by itself; one that another's check stopped counts as that one's."""
    attempts = project.store.attempts(list(failed), made=False)
    newest: dict[AssetKey, Attempt] = {}
    for (key, _), each in attempts.items():
        if each.outcome in ("failed", "check_failed") and (key not in newest or each.at > newest[key].at):
            newest[key] = each
    roots: dict[AssetKey, list[AssetKey]] = {}
    for key in failed:
        because = newest[key].because if key in newest else None
        roots.setdefault(because if because in failed else key, []).append(key)  # type: ignore[arg-type]
    skipped = _skipped(project, {newest[key].run for key in roots if key in newest})
    found = []
    for key, keys in roots.items():
        own = next((each.text for each in failed[key].reasons if each.code == "last_failed"), "it failed")
        tried = newest.get(key)
        found.append(
            Problem(
                event="failed",
                root=str(key),
                text=told(own.removeprefix("the last attempt failed: ")),
                at=(tried.at if tried else now).isoformat(),
                run=tried.run if tried else None,
                assets=tuple(map(str, keys)),
                skipped=tuple(str(each) for each in skipped.get(key, ()) if each not in failed),
                owners=project.graph[key].owners,
            )
        )
    return found


def _skipped(project: Project, runs: Iterable[str]) -> dict[AssetKey, list[AssetKey]]:
    """Return what was skipped in some runs, by the asset in whose failure the skip begins."""
    found: dict[AssetKey, dict[AssetKey, None]] = {}
    for run in runs:
        for (key, _), each in project.store.run_attempts(run).items():
            if each.outcome == "skipped" and each.because is not None:
                found.setdefault(each.because, {})[key] = None
    return {root: list(keys) for root, keys in found.items()}


def _overdue(project: Project, statuses: Sequence[Any], now: datetime) -> list[Problem]:
    """Return a problem for each root because of which data is not as new as it should be."""
    by_key = {each.key: each for each in statuses}
    late: dict[AssetKey, list[Any]] = {}
    for each in statuses:
        if each.freshness is not None and each.freshness.state == "overdue":
            roots = [root for root in each.roots if root != each.key and by_key[root].status == "failed"]
            late.setdefault(roots[0] if roots else each.key, []).append(each)
    found = []
    for root, of in late.items():
        since = min((each.freshness.deadline for each in of if each.freshness.deadline is not None), default=now)
        owners = dict.fromkeys(owner for each in of for owner in project.graph[each.key].owners)
        why = f"; `{root}` failed" if root not in {each.key for each in of} else ""
        found.append(
            Problem(
                event="overdue",
                root=str(root),
                text=told(of[0].freshness.text) + why,
                at=since.isoformat(),
                assets=tuple(str(each.key) for each in of),
                owners=tuple(dict.fromkeys((*project.graph[root].owners, *owners))),
            )
        )
    return found


def _broken_runs(project: Project, failures: Sequence[Problem]) -> Iterator[Problem]:
    """Yield the runs whose tool broke, where that is told of none of the assets that failed."""
    said = [each.text for each in failures if each.event == "failed"]
    for run in project.store.runs(RUNS):
        if run.state != "failed" or not run.makes:
            continue
        broken = [told(each) for each in project.problems_of(run)]
        if broken and not any(text in broken or text[:80] == broken[0][:80] for text in said):
            yield _broken_run(run, broken)


def _broken_run(run: RunInfo, broken: Sequence[str]) -> Problem:
    at = (run.finished or run.started).isoformat()
    assets = tuple(map(str, run.assets))
    return Problem(event="failed", root=f"run {run.id}", text="; ".join(broken), at=at, run=run.id, assets=assets)


def _held(project: Project, held: Held, now: datetime) -> Problem:
    known = (project.graph[key] for key in held.assets if AssetKey(key) in project.graph)
    owners = (owner for asset in known for owner in asset.owners)
    return Problem(
        event="held",
        root=held.assets[0] if held.assets else "",
        text=told(held.because),
        at=now.isoformat(),
        assets=held.assets,
        owners=tuple(dict.fromkeys(owners)),
    )


def told(text: str) -> str:
    """Return a text as it is told: in one line, and not too long.

    >>> told("no\\n  disk")
    'no disk'
    """
    line = " ".join(plain(text).split())
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 1]}…"


def with_assets(problem: Problem, assets: Iterable[str]) -> Problem:
    """Return a problem as one of only some of the assets that it befell."""
    return replace(problem, assets=tuple(assets))
