"""How often Airbyte is asked: counted, in the time of a clock that only moves when our client waits."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

from assetry import Project
from assetry_airbyte.testing import Fault

from tests.airbyte.conftest import Outcome, Place

STREAMS = [f"s{number}" for number in range(200)]


def is_poll(method: str, path: str) -> bool:
    return method == "GET" and path.startswith("/jobs")


def test_five_connections_of_200_streams_are_five_posts_and_at_most_a_request_a_second(place: Place) -> None:
    destination = place.airbyte.add_destination("postgres", database="d")
    for number in range(5):
        prefix = f"c{number}_"
        place.airbyte.add_connection(f"c{number}", STREAMS, destination=destination, prefix=prefix).seconds = 600.0
    assets = place.load(workspace_id=place.airbyte.workspace)
    with Project(assets, root=place.root, executor="threads:5") as project:
        assert project.plan().count == 5
        before, began = len(place.airbyte.seen), place.clock.monotonic()
        result = project.materialize()
    assert result.ok
    assert result.counts["materialized"] == 1000
    assert place.posts() == 5
    looked = [each for each in place.airbyte.seen[before:] if is_poll(each.method, each.path)]
    # Each sync looks once for what is under way before it starts; everything after that is polling.
    polls = [each for each in looked if "connectionId" not in each.query]
    seconds = place.clock.monotonic() - began
    assert seconds >= 600
    assert len(polls) <= seconds
    assert max(map(len, _seconds(polls))) <= 1  # and no two in one second, either
    assert any("workspaceIds" in each.query for each in polls)
    assert len(polls) < 120  # one listing for all of them, every 15 seconds in the long run


def _seconds(polls: list) -> list[list]:  # type: ignore[type-arg]
    slots: dict[float, list] = {}  # type: ignore[type-arg]
    for each in polls:
        slots.setdefault(each.at, []).append(each)
    return list(slots.values())


def test_a_job_that_the_listing_does_not_show_is_asked_for_alone(place: Place) -> None:
    connections = [place.airbyte.add_connection(f"c{number}", ["t"]) for number in range(2)]
    for each in connections:
        each.seconds = 100.0
    invocations = [place.invocation(place.load(each, name=f"i{n}")) for n, each in enumerate(connections)]
    place.airbyte.fail("GET /jobs", *[Fault()] * 2, *[Fault(patch={"data": []})] * 500)
    outcomes = run_together(place, invocations)
    assert [outcome.made for outcome in outcomes] == [{"i0/t"}, {"i1/t"}]


def run_together(place: Place, invocations: list) -> list[Outcome]:  # type: ignore[type-arg]
    hold = threading.Barrier(len(invocations))

    def run(invocation: object) -> Outcome:
        hold.wait(30)
        return place.run(invocation)  # type: ignore[arg-type]

    with ThreadPoolExecutor(len(invocations)) as pool:
        return list(pool.map(run, invocations))
