"""Whatever the policies, with no change outside it comes to rest, and of all that is left it is told why."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from assetry import Project, asset
from assetry.automation import between, eager, lazy, missing, never
from assetry.plugin import AssetKey
from assetry_automation.decision.memory import Memory
from assetry_automation.decision.schedule import Decision
from assetry_automation.looking import look
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.examples import examples

POLICIES = (
    None,
    eager(),
    lazy(),
    never(),
    missing(),
    eager().wait_for("any"),
    eager() & between("00:00", "23:59"),
    ~never() & eager(),
)


@st.composite
def graphs(draw: st.DrawFn) -> tuple[list[Any], dict[str, int], list[list[str]]]:
    """Return assets, which of them fail (how often), and what is made outside of automation between looks."""
    count = draw(st.integers(1, 7))
    fails = {f"a{i}": draw(st.sampled_from([0, 0, 0, 1, 2])) for i in range(count)}
    content = dict.fromkeys(fails, 0)
    assets = []
    for i in range(count):
        above = draw(st.lists(st.integers(0, i - 1), unique=True, max_size=3)) if i else []
        policy = draw(st.sampled_from(POLICIES))
        assets.append(_made(f"a{i}", [f"a{j}" for j in above], policy, fails, content))
    changes = draw(st.lists(st.lists(st.sampled_from(sorted(fails)), max_size=2, unique=True), max_size=2))
    return assets, content, changes


def _made(name: str, deps: list[str], policy: Any, fails: dict[str, int], content: dict[str, int]) -> Any:
    @asset(key=name, deps=deps, automation=policy)
    def each() -> int:
        if fails[name]:
            fails[name] -= 1
            raise ValueError("no")
        return content[name]

    return each


@settings(max_examples=examples(60), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(graphs())
def test_it_comes_to_rest_and_says_of_all_that_is_left_why(drawn: tuple[Any, dict[str, int], list[list[str]]]) -> None:
    assets, content, changes = drawn
    with Project(assets=assets, store="sqlite::memory:", io="memory:") as project:
        memory, now = Memory(), datetime.now(UTC)
        for change in [[], *changes]:
            for name in change:
                content[name] += 1
            if change:
                project.materialize(change)
            memory, decision = to_rest(project, memory, now)
            left(project, decision)


def to_rest(project: Project, memory: Memory, now: datetime) -> tuple[Memory, Decision]:
    """Make what is due until nothing is, ahead of all that backs off or rests."""
    for turn in range(60):
        at = now + turn * timedelta(hours=2) if turn else now
        decision = look(project, memory, at)
        memory = decision.memory
        if decision.wave is None:
            due = {each.key for each in project.status() if each.status not in ("fresh", "external")}
            if not any(decision.next[key].at for key in due):
                return memory, decision
            continue
        memory = decision.started
        plan = project.plan_due(decision.wave.wants, newer_than=decision.wave.newer_than)
        assert plan.invocations, "what is started is out of date"
        project.run(plan, options={"automation": True})
    raise AssertionError("it does not come to rest")


def left(project: Project, decision: Decision) -> None:
    """Check that all is made that has to be, and that of the rest it is said why it is not."""
    statuses = {each.key: each for each in project.status()}
    due = {key for key, each in statuses.items() if each.status in ("stale", "failed", "never")}
    assert due <= set(decision.next)
    for key in due:
        told = decision.next[key]
        assert told.because
        policy = project.graph[key].automation
        if policy is not None and policy.when == "eager":
            # It waits for what nothing makes, whose name it says.
            assert told.kind == "when", (key, told)
            assert told.on is not None
            above = {AssetKey(each) for each in project.graph.ancestors_of(key)}
            assert told.on in above, (key, told)
