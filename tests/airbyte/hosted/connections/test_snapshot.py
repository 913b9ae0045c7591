"""Definitions without a network: the snapshot, when it is read, and what a pull makes of what is gone."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from assetry.plugin import DefinitionError, IntegrationError
from assetry_airbyte.hosted.api.responses import Connection, Destination, Stream
from assetry_airbyte.hosted.connections.definitions import pull
from assetry_airbyte.hosted.connections.snapshot import SNAPSHOTS, Snapshot
from assetry_airbyte.hosted.settings import Options
from assetry_airbyte.testing import Fault, Seen, World
from hypothesis import given
from hypothesis import strategies as st

from tests.airbyte.conftest import Place

NAMES = st.text(min_size=1, max_size=8)
STREAMS = st.builds(
    Stream,
    NAMES,
    st.none() | NAMES,
    st.sampled_from(["", "incremental_append"]),
    st.lists(NAMES, max_size=2).map(tuple),
    st.lists(NAMES, max_size=2).map(tuple),
    st.none() | NAMES,
)
CONNECTIONS = st.builds(
    Connection,
    NAMES,
    NAMES,
    reason=st.none() | NAMES,
    prefix=NAMES,
    tags=st.just(("a", "b")),
    streams=st.lists(STREAMS).map(tuple),
)


@given(st.lists(CONNECTIONS, max_size=4))
def test_a_snapshot_comes_back_as_it_was(
    tmp_path_factory: pytest.TempPathFactory, connections: list[Connection]
) -> None:
    path = tmp_path_factory.mktemp("snapshot") / "deep" / "s.json"
    destinations = {"d": Destination("d", "D", "postgres", {"database": "x"})}
    snapshot = Snapshot(datetime(2026, 1, 2, tzinfo=UTC), {"base_url": "u"}, tuple(connections), destinations)
    SNAPSHOTS.write(path, snapshot)
    assert SNAPSHOTS.read(path) == snapshot
    assert [each.name for each in path.parent.iterdir()] == ["s.json"]


def test_the_api_is_asked_once_and_never_again(place: Place) -> None:
    connection = place.airbyte.add_connection("Shop", ["users"])
    first = place.load(connection)
    asked = len(place.airbyte.seen)
    connection.streams.append({"name": "orders"})
    assert [asset.key for asset in place.load(connection)] == [asset.key for asset in first]
    assert len(place.airbyte.seen) == asked


def test_a_pull_reads_anew(place: Place) -> None:
    connection = place.airbyte.add_connection("Shop", ["users"])
    place.load(connection)
    connection.streams.append({"name": "orders"})
    pull(Options.of(place.integration(connection)))
    assert [str(asset.key) for asset in place.load(connection)] == ["shop/users", "shop/orders"]


def test_a_stream_that_left_and_came_again_is_out_of_date_until_it_is_synced(place: Place) -> None:
    connection = place.airbyte.add_connection("Shop", ["users", "orders"])
    options = Options.of(place.integration(connection))
    place.load(connection)
    users = connection.streams.pop(0)
    pull(options)
    connection.streams.append(users)
    before = datetime.now(UTC)
    for _ in range(2):  # what was read once stays so
        pull(options)
        orders, found = place.load(connection)
        assert (orders.freshness_policy, orders.key, found.key) == (None, "shop/orders", "shop/users")
        policy = found.freshness_policy
        assert policy is not None
        assert policy.again is not None
        assert policy.again >= before
        assert not policy.has_ended
        assert str(policy.ended).startswith("its connection syncs this table again since")
        before = policy.again


def test_a_snapshot_of_something_else_is_not_used(place: Place) -> None:
    one, two = place.airbyte.add_connection("One", ["a"]), place.airbyte.add_connection("Two", ["b"])
    assert [str(asset.key) for asset in place.load(one)] == ["shop/a"]
    assert [str(asset.key) for asset in place.load(two)] == ["shop/b"]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"version": 1}', '{"version": 99}', "\x00"])
def test_a_snapshot_that_cannot_be_read_is_made_anew(place: Place, text: str) -> None:
    connection = place.airbyte.add_connection("Shop", ["users"])
    path = Options.of(place.integration(connection)).snapshot_path
    path.parent.mkdir(parents=True)
    path.write_text(text)
    assert place.load(connection)
    assert json.loads(path.read_text())["version"] == 1


def test_what_is_gone_stays_marked_and_hides_nobody(place: Place) -> None:
    workspace = place.airbyte.workspace
    one = place.airbyte.add_connection("One", ["a"])
    place.airbyte.add_connection("Two", ["b"])
    place.load(workspace_id=workspace)
    one.deleted = True
    pull(Options.of(place.integration(workspace_id=workspace)))
    assets = {str(asset.key): asset for asset in place.load(workspace_id=workspace)}
    assert assets["shop/two/b"].executable
    assert place.run(place.invocation([assets["shop/one/a"]])).error is not None
    assert "it is not listed any more" in assets["shop/one/a"].metadata["trouble"]


def test_only_a_connection_that_is_not_there_by_its_id_counts_as_deleted(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A list that shifts between two of its pages leaves one out."""
    workspace = place.airbyte.workspace
    one, *_ = [place.airbyte.add_connection(name, ["a"]) for name in ("One", "Two", "Three")]
    place.load(workspace_id=workspace)
    options, listed, pages = (
        Options.of(place.integration(workspace_id=workspace)),
        World._list_connections,
        list[bool](),
    )

    def shifting(self: World, query: Any) -> Any:
        pages.append(True)
        one.deleted = len(pages) > 1
        return listed(self, query)

    def statuses() -> dict[str, str]:
        return {each.name: each.status for each in pull(options).connections}

    monkeypatch.setattr("assetry_airbyte.hosted.api.service.PAGE", 1)
    monkeypatch.setattr(World, "_list_connections", shifting)
    assert statuses() == dict.fromkeys(["One", "Two", "Three"], "active"), "the first as it was listed"
    assert statuses() == {"One": "deleted", "Two": "active", "Three": "active"}


def test_a_connection_that_moved_to_another_workspace_is_not_one_of_this(place: Place) -> None:
    moved = place.airbyte.add_connection("One", ["a"])
    place.airbyte.add_connection("Two", ["b"])
    workspace = place.airbyte.workspace
    place.load(workspace_id=workspace)
    moved.workspace = "another"
    found = pull(Options.of(place.integration(workspace_id=workspace))).connections
    assert {each.name: each.status for each in found} == {"One": "deleted", "Two": "active"}


def test_a_connection_that_cannot_be_asked_for_stays_as_it_was(place: Place) -> None:
    one = place.airbyte.add_connection("One", ["a"])
    workspace = place.airbyte.workspace
    place.load(workspace_id=workspace)
    place.airbyte.fail("GET /connections", Fault(status=200, body={"data": []}))
    place.airbyte.fail(f"GET /connections/{one.id}", Fault(status=500), times=50)
    (found,) = pull(Options.of(place.integration(workspace_id=workspace))).connections
    assert (found.status, "could not be read again" in str(found.reason)) == ("active", True)


def test_a_single_connection_that_is_gone_stays_too(place: Place) -> None:
    connection = place.airbyte.add_connection("Shop", ["users"])
    place.load(connection)
    connection.deleted = True
    pull(Options.of(place.integration(connection)))
    (asset,) = place.load(connection)
    assert "is gone" in str(place.run(place.invocation([asset])).error)
    assert asset.metadata["trouble"].startswith("deleted: ")
    assert asset.description.startswith("Connection 'Shop' is deleted: ")


def test_another_connection_takes_the_place_of_one_that_is_gone(place: Place, caplog: pytest.LogCaptureFixture) -> None:
    workspace = place.airbyte.workspace
    one = place.airbyte.add_connection("Shop", ["users"])
    (first,) = place.load(workspace_id=workspace)
    one.deleted = True
    other = place.airbyte.add_connection("Shop", ["users"], destination=one.destination)
    pull(Options.of(place.integration(workspace_id=workspace)))
    (again,) = place.load(workspace_id=workspace)
    assert "deleted" not in caplog.text
    assert (again.key, again.spec["connection"]) == (first.key, other.id)
    assert again.code_version != first.code_version


def test_an_id_that_never_was_there_is_an_error_with_what_is_near(place: Place) -> None:
    connection = place.airbyte.add_connection("Shop", ["users"])
    wrong = f"{connection.id[:-1]}x"
    with pytest.raises(IntegrationError, match=f"There is no connection '{wrong}'") as caught:
        place.load(ids=[connection.id, wrong])
    assert caught.value.near == (connection.id,)
    assert caught.value.where == "integration 'shop'"


def test_what_is_said_of_a_destination_that_is_not_there_is_an_error(place: Place) -> None:
    connection = place.airbyte.add_connection("Shop", ["users"])
    with pytest.raises(DefinitionError, match="no connection goes to a destination of that name"):
        place.load(connection, destinations={"nowhere": {"join": False}})


def test_one_broken_connection_does_not_hide_the_others(place: Place) -> None:
    good = place.airbyte.add_connection("Good", ["a"])
    bad = place.airbyte.add_connection("Bad", ["b"])
    listed = place.airbyte.public_answer(Seen("GET", "/connections", {}, None, {}, 0.0))
    del listed["data"][1]["configurations"]
    place.airbyte.fail("GET /connections", Fault(status=200, body=listed))
    place.airbyte.fail(f"GET /connections/{bad.id}", Fault(status=500), times=10)
    assets = place.load(workspace_id=place.airbyte.workspace)
    assert [str(asset.key) for asset in assets] == ["shop/good/a"]
    path = Options.of(place.integration(workspace_id=good.workspace)).snapshot_path
    assert "broken" in path.read_text()


def test_an_unreadable_destination_costs_only_the_database(place: Place) -> None:
    connection = place.airbyte.add_connection("Shop", ["users"])
    place.airbyte.fail("GET /destinations/.*", Fault(status=403, body={"title": "forbidden"}))
    (asset,) = place.load(connection)
    assert asset.relation == (None, None, "users")


def test_an_unknown_connection(place: Place) -> None:
    with pytest.raises(IntegrationError, match="There is no connection 'nowhere'"):
        place.load(connection_id="nowhere")


def test_a_missing_role_is_named(place: Place) -> None:
    connection = place.airbyte.add_connection("Shop", ["users"])
    place.airbyte.fail("GET /connections/.*", Fault(status=403, body={"data": {"message": "Forbidden"}}))
    with pytest.raises(IntegrationError) as caught:
        place.load(connection)
    assert "workspace reader" in str(caught.value)


@pytest.mark.parametrize(
    "url", ["ftp://x", "airbyte.example.com", "https://x/some/where", "https://x/v2", "https://u:p@x"]
)
def test_a_base_url_of_no_valid_form(place: Place, url: str) -> None:
    with pytest.raises((IntegrationError, DefinitionError)) as caught:
        place.load(connection_id="c", base_url=url)
    assert "/api/public/v1" in str(caught.value) or "apart" in str(caught.value)


def test_tables_that_are_named_need_no_airbyte_to_be_defined(tmp_path: Path) -> None:
    from assetry_airbyte import build_airbyte_assets

    assets = build_airbyte_assets("c", ["users", "crm.orders"], base_url="http://127.0.0.1:9", root=str(tmp_path))
    assert [str(asset.key) for asset in assets] == ["airbyte_c/users", "airbyte_c/crm/orders"]
    assert [asset.relation for asset in assets] == [(None, None, "users"), (None, "crm", "orders")]
    assert not (tmp_path / ".assetry").exists()
