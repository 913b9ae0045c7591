"""Tests of assets and options: keys that cannot collide, tables by name, filters, and wrong input."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import pytest
from assetry import Project
from assetry.plugin import Asset, AssetKey, DefinitionError, IntegrationError, from_json, to_json
from assetry_airbyte import build_airbyte_assets, plugin
from assetry_airbyte.testing import FakeAirbyte
from assetry_toolkit.hosted.keys import key_part
from hypothesis import given
from hypothesis import strategies as st

from tests.airbyte.conftest import Place

STREAMS = [{"name": "users", "namespace": "public"}, {"name": "users", "namespace": "audit"}, {"name": "orders"}]


def keys(assets: list[Asset]) -> list[str]:
    return [str(asset.key) for asset in assets]


def test_streams_of_one_name_in_two_schemas_are_two_assets(place: Place) -> None:
    connection = place.airbyte.add_connection("Shop", STREAMS, prefix="raw_")
    assets = place.load(connection)
    assert keys(assets) == ["shop/public/raw_users", "shop/audit/raw_users", "shop/raw_orders"]
    assert [asset.relation for asset in assets] == [
        ("db", "public", "raw_users"),
        ("db", "audit", "raw_users"),
        ("db", "public", "raw_orders"),
    ]


def test_connections_of_a_workspace_do_not_collide(place: Place) -> None:
    for created, name in ((3, "Shop DB"), (1, "shop-db"), (2, "Shop  db!")):
        place.airbyte.add_connection(name, ["users"], createdAt=created)
    found = place.load(workspace_id=place.airbyte.workspace)
    assert len(set(keys(found))) == 3
    oldest = next(asset for asset in found if asset.metadata["connection"] == "shop-db")
    assert oldest.key == "shop/shop_db/users"
    place.airbyte.add_connection("SHOP DB", ["users"], createdAt=9)
    place.load(workspace_id=place.airbyte.workspace, name="again")
    again = {asset.metadata["connection_id"]: asset.key for asset in place.load(workspace_id=place.airbyte.workspace)}
    assert all(again[asset.metadata["connection_id"]] == asset.key for asset in found)


@given(st.lists(st.text(alphabet=" /%a\n", min_size=1, max_size=4), min_size=2, max_size=2, unique=True))
def test_different_names_are_different_parts_of_a_key(names: list[str]) -> None:
    one, two = map(key_part, names)
    assert one != two
    assert AssetKey(one).parts == (one,)


@given(st.text(min_size=1))
def test_every_name_can_be_part_of_a_key(name: str) -> None:
    assert AssetKey(["shop", key_part(name)]).name == key_part(name)


def test_what_a_connection_says_is_metadata(place: Place) -> None:
    stream = {
        "name": "users",
        "syncMode": "incremental_deduped_history",
        "cursorField": ["updated_at"],
        "primaryKey": [["id"], ["org", "id"]],
    }
    schedule = {"scheduleType": "cron", "cronExpression": "0 0 * * *"}
    (asset,) = place.load(place.airbyte.add_connection("Shop", [stream], schedule=schedule, tags=["daily"]))
    assert asset.tags == ("daily",)
    assert asset.group == "Shop"
    assert asset.resource_type == "stream"
    wanted = {
        "sync_mode": "incremental_deduped_history",
        "cursor": "updated_at",
        "primary_key": "id, org.id",
        "schedule": "0 0 * * *",
        "destination": "postgres",
        "connection": "Shop",
    }
    assert {name: asset.metadata[name] for name in wanted} == wanted


def test_mappers_and_whatever_else_is_new_are_no_matter(place: Place) -> None:
    renamed = {"originalFieldName": "mail", "newFieldName": "email"}
    mapper = {"type": "field-renaming", "mapperConfiguration": renamed}
    stream = {"name": "users", "mappers": [mapper], "novel": 1}
    connection = place.airbyte.add_connection("Shop", [stream], tags=[], quota={"x": 1})
    assert keys(place.load(connection)) == ["shop/users"]


def test_assets_are_plain_data(place: Place) -> None:
    for asset in place.load(place.airbyte.add_connection("Shop", STREAMS)):
        assert pickle.loads(pickle.dumps(asset)) == asset
        assert from_json(Asset, json.loads(json.dumps(to_json(asset)))) == asset


@pytest.mark.parametrize(("kind", "names"), [("snowflake", ("users", "Users")), ("redshift", ("my users", "my_Users")),
                                             ("duckdb", ("users", "Users")), ("bigquery", ("a.b", "a-b"))])  # fmt: skip
def test_streams_whose_tables_are_one_are_refused(place: Place, kind: str, names: tuple[str, str]) -> None:
    destination = place.airbyte.add_destination(kind)
    connection = place.airbyte.add_connection("Shop", names, destination=destination)
    with pytest.raises(DefinitionError, match="Two streams are loaded into one table") as caught:
        place.load(connection)
    assert f"{names[0]!r} and {names[1]!r} of connection 'Shop'" in caught.value.message
    # As the hint says.
    assert len(place.load(connection, destination_tables=[names[0]])) == 1
    assert len(place.load(connection, destinations={destination: {"join": False}}, name="other")) == 2


def test_names_that_differ_by_case_are_two_tables_where_the_destination_has_two(place: Place) -> None:
    destination = place.airbyte.add_destination("bigquery")
    assert len(place.load(place.airbyte.add_connection("Shop", ["users", "Users"], destination=destination))) == 2


def test_connections_that_load_one_table_are_refused_unless_one_is_off(place: Place) -> None:
    destination = place.airbyte.add_destination("snowflake")
    for name in ("Old", "New"):
        place.airbyte.add_connection(name, ["users"], destination=destination)
    with pytest.raises(DefinitionError, match="'users' of connection 'Old' and 'users' of connection 'New'"):
        place.load(workspace_id=place.airbyte.workspace)
    assert len(place.load(workspace_id=place.airbyte.workspace, names=["New"])) == 1
    # What is switched off came before, or after: the table is that of the other one.
    for number, off in enumerate(place.airbyte.connections.values()):
        off.fields["status"] = "inactive"
        assets = place.load(workspace_id=place.airbyte.workspace, name=f"again{number}")
        assert {each.metadata["connection"]: each.executable for each in assets} == {
            each.name: each is not off for each in place.airbyte.connections.values()
        }
        with Project(assets, root=place.root) as project:
            assert [each.executable for each in project.graph.assets] == [True], "both are one asset"
        off.fields["status"] = "active"
    for each in place.airbyte.connections.values():
        each.fields["status"] = "inactive"
    assets = place.load(workspace_id=place.airbyte.workspace, name="off")
    assert sorted(each.executable for each in assets) == [False, True]


def test_streams_that_append_grow_and_no_others(place: Place) -> None:
    modes = ["incremental_append", "incremental_deduped_history", "full_refresh_append", "full_refresh_overwrite"]
    place.airbyte.add_connection("lake", [{"name": mode, "syncMode": mode} for mode in modes])
    found = {asset.key.name: asset.grows for asset in place.load(workspace_id=place.airbyte.workspace)}
    assert found == {**dict.fromkeys(modes, "replace"), "incremental_append": "append"}


def test_connections_that_only_add_to_one_table_may(place: Place) -> None:
    destination = place.airbyte.add_destination("snowflake")
    adding = {"name": "users", "syncMode": "incremental_append"}
    for name in ("North", "South"):
        place.airbyte.add_connection(name, [adding], destination=destination)
    assert len({asset.relation for asset in place.load(workspace_id=place.airbyte.workspace)}) == 1
    place.airbyte.add_connection("Whole", ["users"], destination=destination)
    with pytest.raises(DefinitionError, match="'North' and 'users' of connection 'Whole'"):
        place.load(workspace_id=place.airbyte.workspace, name="again")


# -- tables by name --------------------------------------------------------------------------------------------------


def build(place: Place, connection: str, *tables: str, **options: Any) -> list[Asset]:
    return build_airbyte_assets(
        connection,
        tables,
        base_url=place.airbyte.url,
        client_id=place.airbyte.client_id,
        client_secret={"env": "SECRET"},
        root=str(place.root),
        name="shop",
        **options,
    )


def test_tables_are_found_by_any_of_their_names(place: Place) -> None:
    connection = place.airbyte.add_connection("Shop", STREAMS, prefix="raw_")
    assets = build(place, connection.id, "raw_orders", "audit.users", "PUBLIC.raw_users")
    assert keys(assets) == ["shop/raw_orders", "shop/audit/users", "shop/PUBLIC/raw_users"]
    assert [asset.spec["namespace"] for asset in assets] == [None, "audit", "public"]


@pytest.mark.parametrize(
    ("tables", "message", "near"),
    [
        (["usres"], "'usres' is not a table of connection 'Shop'", "users"),
        (["users"], "'users' fits several tables", "public.users"),
        (["orders", "raw_orders"], "names one table twice", ""),
    ],
)
def test_a_table_that_is_not_there(place: Place, tables: list[str], message: str, near: str) -> None:
    connection = place.airbyte.add_connection("Shop", STREAMS, prefix="raw_")
    with pytest.raises(DefinitionError) as caught:
        build(place, connection.id, *tables)
    assert message in str(caught.value)
    assert near in str(caught.value)


def test_tables_defined_by_name_alone_are_synced_once_airbyte_can_be_asked(place: Place) -> None:
    connection = place.airbyte.add_connection("Shop", ["users", "orders", "more"], prefix="raw_")
    url = place.airbyte.url
    place.airbyte.fail("GET /connections/.*", *[_unreachable()] * 6)
    place.airbyte.fail("POST /applications/token", *[_unreachable()] * 6)
    from assetry_toolkit.live_objects import keep

    assets = build(place, connection.id, "raw_users", "orders", clock=keep(place.clock))
    assert all(asset.spec["unverified"] for asset in assets)
    place.airbyte.faults.clear()
    outcome = place.run(place.invocation(assets))
    assert outcome.made == {"shop/raw_users", "shop/orders"}
    assert url == place.airbyte.url


def _unreachable() -> Any:
    from assetry_airbyte.testing import Fault

    return Fault(drop=True)


# -- filters and options ---------------------------------------------------------------------------------------------


def test_a_workspace_is_filtered_by_name_tag_and_id(place: Place) -> None:
    one = place.airbyte.add_connection("Shop DB", ["a"], tags=["daily", "core"])
    two = place.airbyte.add_connection("Shop Files", ["b"], tags=["daily"])
    place.airbyte.add_connection("CRM", ["c"], tags=["core"])
    place.airbyte.add_connection("Elsewhere", ["d"], workspaceId="00000000-0000-0000-0000-0000000000ff")
    of: dict[str, Any] = {"workspace_id": place.airbyte.workspace}
    assert keys(place.load(**of)) == ["shop/shop_db/a", "shop/shop_files/b", "shop/crm/c"]
    assert keys(place.load(**of, names=["Shop*"])) == ["shop/shop_db/a", "shop/shop_files/b"]
    assert keys(place.load(**of, names=["Shop*"], tags=["core"])) == ["shop/shop_db/a"]
    assert keys(place.load(**of, ids=[two.id, one.id])) == ["shop/shop_files/b", "shop/shop_db/a"]
    with pytest.raises(DefinitionError, match="No connection has these names and tags") as caught:
        place.load(**of, names=["Shop BD"])
    assert "Shop DB" in str(caught.value)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"conection_id": "c"}, "no option 'conection_id'"),
        ({"client_secret": "plain"}, "'client_secret' of integration 'shop' is given as a value"),
        ({"client_secret": {"file": "x"}}, "not a reference"),
        ({"attach": "always"}, "must be 'accept', 'wait_then_start' or 'refuse', not 'always'"),
        ({"tags": 3}, "'tags' of integration 'shop' must be text or a list of texts, not 3"),
        ({"poll_timeout": "long"}, "must be a number of seconds, not text"),
        ({"connection_id": 7}, "must be text, not 7"),
        ({"client_id": None, "client_secret": None, "username": "u"}, "needs username and password"),
    ],
)
def test_wrong_options_are_named(place: Place, options: dict[str, Any], message: str) -> None:
    with pytest.raises(DefinitionError) as caught:
        place.load(**{"connection_id": "c", **options})
    assert message in str(caught.value)
    assert "plain" not in str(caught.value).replace("explain", "")


def test_a_secret_that_is_not_set_is_named(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    connection = place.airbyte.add_connection("Shop", ["users"])
    monkeypatch.delenv("SECRET")
    with pytest.raises(Exception, match="The secret SECRET is not set"):
        place.load(connection)


@pytest.mark.parametrize(
    ("auth", "options"),
    [
        ("token", {"token": {"env": "TOKEN"}}),
        ("basic", {"username": FakeAirbyte.username, "password": {"env": "PASSWORD"}}),
        ("none", {}),
    ],
)
def test_the_other_ways_to_authenticate(
    place: Place, monkeypatch: pytest.MonkeyPatch, auth: str, options: dict[str, Any]
) -> None:
    monkeypatch.setenv("PASSWORD", FakeAirbyte.password)
    place.airbyte.auth = auth
    connection = place.airbyte.add_connection("Shop", ["users"])
    given = {"client_id": None, "client_secret": None, **options}
    assert keys(place.load(connection, **given)) == ["shop/users"]
    assert not place.airbyte.requests("POST /applications/token")
    if options:
        place.airbyte.auth = "application"
        with pytest.raises(IntegrationError, match="HTTP 401"):
            place.load(connection, **given, snapshot="other.json")


def test_a_token_is_asked_for_as_json_then_as_a_form(place: Place) -> None:
    place.airbyte.accepts_form_only = True
    connection = place.airbyte.add_connection("Shop", ["users"])
    assert place.load(connection)
    first, second = place.airbyte.requests("POST /applications/token")
    assert first.headers["Content-Type"] == "application/json"
    assert second.headers["Content-Type"] == "application/x-www-form-urlencoded"
    place.airbyte.accepts_form_only, place.airbyte.accepts_json_only = False, True
    assert place.load(connection, snapshot="other.json")


def test_the_tables_of_a_hosted_connection_are_the_warehouses_affair() -> None:
    from assetry.plugin import Integration

    assert plugin.assetry_io_url(Integration("x", "airbyte", {"connection_id": "c"})) is None


def test_hook_assetry_io_url_of_a_hosted_connection_is_where_the_options_say(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAKE", "postgresql://lake/raw")
    connection = place.airbyte.add_connection("Shop", ["users"])
    for said, url in (
        ({"env": "LAKE"}, "postgresql://lake/raw"),
        ("duckdb:x.duckdb", f"duckdb:{place.root}/x.duckdb"),
    ):
        assert place.load(connection, io=said)  # it is an option of theirs
        assert plugin.assetry_io_url(place.integration(connection, io=said)) == url


def test_hook_assetry_local_files_of_connections_is_what_was_read_of_them(place: Place) -> None:
    connection = place.airbyte.add_connection("Shop", ["users"])
    place.load(connection)
    (named,) = plugin.assetry_local_files(place.integration(connection))
    assert Path(named).is_file()
