"""Connections as assets: keys, tables of the warehouse, what is chosen, and what is marked."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from assetry import Project
from assetry.plugin import Asset, DefinitionError, IntegrationError, PanelContext
from assetry_fivetran import build_fivetran_assets, plugin
from assetry_fivetran.api.responses import Connection, Destination, Table
from assetry_fivetran.connections.naming import Tables, database_of
from assetry_fivetran.connections.snapshot import SNAPSHOTS, Snapshot
from assetry_fivetran.settings import Options
from assetry_fivetran.testing import FakeConnection, FakeFivetran, Fault
from assetry_toolkit.hosted.tables import Override
from hypothesis import given
from hypothesis import strategies as st

from tests.fivetran.conftest import Place


def keys(assets: list[Asset]) -> list[str]:
    return [str(each.key) for each in assets]


# -- keys --------------------------------------------------------------------------------------------------------------


def test_tables_of_one_connection_are_called_as_they_are_there(place: Place, crm: FakeConnection) -> None:
    (accounts, orders) = place.load(crm)
    assert (str(accounts.key), accounts.relation) == ("crm/accounts", ("RAW", "crm", "accounts"))
    assert (accounts.group, accounts.metadata["connection_id"]) == ("crm", crm.id)
    assert plugin.assetry_invocation_group(orders) == plugin.assetry_invocation_group(accounts)


def test_databases_have_their_schemas_in_the_keys(place: Place) -> None:
    shop = place.fivetran.add_connection("shop", {"public": ["users"], "audit": ["users"]}, prefixed=True)
    assert keys(place.load(shop)) == ["crm/shop_public/users", "crm/shop_audit/users"]
    assert keys(place.load(name="all")) == ["all/shop/shop_public/users", "all/shop/shop_audit/users"]


def test_two_connections_of_one_name_are_told_apart(place: Place) -> None:
    for group in ("one", "two"):
        place.fivetran.add_connection("crm", ["accounts"], group=group, id=f"id_{group}")
    assert keys(place.load(name="all")) == ["all/crm/accounts", "all/crm_id_two/accounts"]


def test_names_are_safe_whatever_is_in_them(place: Place) -> None:
    odd = ["a.b", 'say "hi"', "naïve ✓", "x/y", "user"]
    crm = place.fivetran.add_connection("crm", odd)
    assets = place.load(crm)
    assert [each.spec["table"] for each in assets] == odd
    assert [each.relation and each.relation.identifier for each in assets] == odd
    assert len(set(keys(assets))) == len(odd)
    assert place.run(place.invocation(assets)).made == set(keys(assets))


def test_blocked_tables_are_no_assets_and_deleted_ones_are_marked(place: Place, crm: FakeConnection) -> None:
    crm.tables()["accounts"]["enabled"] = False
    crm.tables()["orders"]["enabled_patch_settings"] = {"allowed": False, "reason_code": "DELETED"}
    (orders,) = place.load(crm)
    assert orders.metadata["gone"] == "the source has this table no more"


def test_a_service_of_schema_and_table_is_split_at_the_first_dot(place: Place) -> None:
    sheet = place.fivetran.add_connection("sheets.plan.2026", None, service="google_sheets")
    (asset,) = place.load(sheet)
    assert asset.relation == ("RAW", "sheets", "plan.2026")


# -- tables that are asked for -----------------------------------------------------------------------------------------


def test_named_tables_have_the_keys_that_were_written(place: Place) -> None:
    crm = place.fivetran.add_connection("crm", {"crm": ["Account", "Order"]})
    assert keys(place.load(crm, destination_tables=["account", "crm.order"])) == ["crm/account", "crm/crm/order"]


@pytest.mark.parametrize(
    ("tables", "told", "near"),
    [
        (["acounts"], "'acounts' is not a table of connection 'crm'", "accounts"),
        (["orders", "crm.orders"], "names one table twice", "Leave one"),
    ],
)
def test_tables_that_cannot_be_meant_are_errors_with_what_is_near(
    place: Place, crm: FakeConnection, tables: list[str], told: str, near: str
) -> None:
    with pytest.raises(DefinitionError, match=told) as caught:
        place.load(crm, destination_tables=tables)
    assert near in str(caught.value)


def test_a_name_that_two_schemas_have_asks_for_the_schema(place: Place) -> None:
    shop = place.fivetran.add_connection("shop", {"public": ["users"], "audit": ["users"]}, prefixed=True)
    with pytest.raises(DefinitionError, match="fits several tables") as caught:
        place.load(shop, destination_tables=["users"])
    assert "shop_public.users" in str(caught.value)
    assert len(place.load(shop, destination_tables=["audit.users"])) == 1


def test_named_tables_are_defined_without_an_answer_and_synced_later(place: Place, crm: FakeConnection) -> None:
    place.fivetran.fail(".*", Fault(status=503), times=1)
    assets = place.load(crm, destination_tables=["orders"])
    assert [each.relation for each in assets] == [(None, None, "orders")]
    assert place.run(place.invocation(assets)).made == {"crm/orders"}


# -- which connections -------------------------------------------------------------------------------------------------


@pytest.fixture
def account(place: Place) -> Place:
    place.fivetran.add_connection("crm", ["accounts"], group="eu", service="salesforce")
    place.fivetran.add_connection("crm_us", ["accounts"], group="us", service="salesforce")
    place.fivetran.add_connection("ads.clicks", ["clicks"], group="us", service="google_ads")
    return place


@pytest.mark.parametrize(
    ("options", "names"),
    [
        ({}, {"crm", "crm_us", "ads.clicks"}),
        ({"group_id": "us"}, {"crm_us", "ads.clicks"}),
        ({"names": "crm*"}, {"crm", "crm_us"}),
        ({"services": ["google_*"]}, {"ads.clicks"}),
        ({"schemas": "ads"}, {"ads.clicks"}),
        ({"ids": ["connection_1", "connection_3"]}, {"crm", "ads.clicks"}),
        ({"names": "crm*", "group_id": "us"}, {"crm_us"}),
    ],
)
def test_connections_are_chosen_before_anything_of_them_is_read(
    account: Place, options: dict[str, Any], names: set[str]
) -> None:
    assert {each.group for each in account.load(**options)} == names
    assert len([each for each in account.fivetran.seen if each.path.endswith("/schemas")]) == len(names)


def test_filters_that_fit_nothing_name_what_there_is(account: Place) -> None:
    with pytest.raises(IntegrationError, match="no connection with names = 'crm_uk'") as caught:
        account.load(names="crm_uk")
    assert "crm_us" in str(caught.value)


@pytest.mark.parametrize("chosen", [{"connection_id": "connection_1"}, {"ids": ["connection_1", "connection_2"]}])
def test_filters_that_fit_none_of_the_named_connections_say_so(account: Place, chosen: dict[str, Any]) -> None:
    with pytest.raises(IntegrationError) as caught:
        account.load(**chosen, schemas=["crn"])
    among = next(iter(chosen))
    assert caught.value.message == f"Fivetran has no connection with schemas = 'crn' among those of {among}."
    assert (caught.value.option, caught.value.near[0]) == ("schemas", "crm")
    assert "There are: crm" in str(caught.value)


def test_the_address_of_a_page_is_near_the_id_in_it(account: Place) -> None:
    page = "https://fivetran.com/dashboard/connections/connection_1/status"
    with pytest.raises(IntegrationError, match="There is no connection") as caught:
        account.load(connection_id=page)
    assert (caught.value.near, caught.value.option) == (("connection_1",), "connection_id")


def test_a_service_that_is_misspelt_is_near_one_that_is_there(account: Place) -> None:
    with pytest.raises(IntegrationError, match="no connection with services = 'salesfroce'") as caught:
        account.load(services=["salesfroce"])
    assert caught.value.near == ("salesforce",)
    assert "There are: crm (salesforce" in str(caught.value)
    assert caught.value.where == "integration 'crm'"


def test_one_filter_of_several_that_fits_nothing_is_warned_of(account: Place, caplog: pytest.LogCaptureFixture) -> None:
    assert len(account.load(names=["crm", "crm_uss"])) == 1
    assert "no connection with names = 'crm_uss'. did you mean 'crm_us'" in caplog.text


@pytest.mark.parametrize(("wrong", "near"), [("conection_3", "connection_3"), ("crm_u", "connection_2")])
def test_one_id_of_several_that_never_was_there_is_an_error(account: Place, wrong: str, near: str) -> None:
    with pytest.raises(IntegrationError, match=f"There is no connection '{wrong}'") as caught:
        account.load(ids=["connection_1", wrong])
    assert near in caught.value.near
    assert (caught.value.where, caught.value.option) == ("integration 'crm'", "ids")


def test_a_group_that_is_misspelt_is_near_one_that_is_there(account: Place) -> None:
    account.fivetran.groups = {"gr_eu": "Warehouse Europe", "gr_us": "us"}
    with pytest.raises(IntegrationError, match="There is no group 'gr_uss'") as caught:
        account.load(group_id="gr_uss")
    assert caught.value.near[0] == "gr_us"
    assert "gr_eu (Warehouse Europe)" in str(caught.value.hint)
    assert caught.value.where == "integration 'crm'"


@pytest.mark.parametrize("options", [{"connection_id": "connection_1"}, {"group_id": "eu"}, {}])
def test_a_base_url_of_another_version_is_blamed_and_not_the_id(account: Place, options: dict[str, Any]) -> None:
    url = account.fivetran.url.replace("/v1", "/v2")
    with pytest.raises(IntegrationError, match=f"There is no Fivetran API at {url}") as caught:
        account.load(base_url=url, **options)
    assert "base_url is https://api.fivetran.com/v1" in str(caught.value.hint)


@pytest.mark.parametrize(
    ("destinations", "told"),
    [
        ({"snowflak": {"join": False}}, "no connection goes to a destination of that name"),
        ({"snowflake": {"tabel": "x"}}, "did you mean 'table'"),
        ({"snowflake": "RAW"}, "must be a table"),
        ({"*": {"table": "p_{nme}"}}, "'nme' is nothing"),
        ({"*": {"table": "p_{nme}"}}, "did you mean 'name'"),
        ({"*": {"schema": "p_{"}}, "cannot be filled in"),
        ({"*": {"schema": "{}"}}, "cannot be filled in"),
        ({"*": {"schema": "{name.first}"}}, "cannot be filled in"),
    ],
)
def test_what_cannot_be_said_of_a_destination_is_an_error(
    place: Place, crm: FakeConnection, destinations: dict[str, Any], told: str
) -> None:
    with pytest.raises(DefinitionError) as caught:
        place.load(crm, destinations=destinations)
    assert told in str(caught.value)


def test_an_empty_account_and_a_wrong_group_say_so(place: Place, account: Place) -> None:
    with pytest.raises(IntegrationError, match="NotFound_Group"):
        place.load(group_id="nowhere")
    place.fivetran.connections.clear()
    with pytest.raises(DefinitionError, match="has no connection in this account"):
        place.load()


@pytest.mark.parametrize(
    ("options", "told"),
    [({"conection_id": "c"}, "did you mean 'connection_id'"), ({"connection_id": "c", "ids": ["d"]}, "ids = ")],
)
def test_options_that_cannot_be_meant(place: Place, options: dict[str, Any], told: str) -> None:
    with pytest.raises(DefinitionError) as caught:
        place.load(**options)
    assert told in str(caught.value)


@pytest.mark.parametrize("options", [{"connection_id": ""}, {"ids": []}, {"ids": ["c", ""]}, {"names": ""}])
def test_a_choice_of_nothing_is_not_all_of_the_account(place: Place, options: dict[str, Any]) -> None:
    place.fivetran.add_connection("crm", ["accounts"])
    with pytest.raises(DefinitionError, match=f"{next(iter(options))} is empty, or has an empty text in it"):
        place.load(**options)


def test_an_id_from_an_empty_variable_is_not_all_of_the_account(place: Place) -> None:
    with pytest.raises(DefinitionError, match="connection_id is empty"):
        build_fivetran_assets("", base_url=place.fivetran.url, root=str(place.root))


def test_a_secret_in_clear_is_refused_and_not_shown(place: Place) -> None:
    with pytest.raises(DefinitionError) as caught:
        place.load(connection_id="c", api_secret="hunter2")
    assert "hunter2" not in str(caught.value)
    assert '{ env = "FIVETRAN_API_SECRET" }' in str(caught.value)


def test_a_secret_that_is_not_set_names_the_integration(place: Place) -> None:
    with pytest.raises(IntegrationError, match="The secret NOT_SET_HERE is not set") as caught:
        place.load(connection_id="c", api_secret={"env": "NOT_SET_HERE"})
    assert (caught.value.where, caught.value.exit_code) == ("integration 'crm'", 3)


# -- the table of the warehouse ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("service", "config", "database"),
    [
        ("snowflake", {"database": "RAW"}, "RAW"),
        ("big_query", {"project_id": "shop", "database": "x"}, "shop"),
        ("managed_big_query", {"project_id": "shop"}, "shop"),
        ("databricks", {"catalog": "main"}, "main"),
        ("databricks", {}, None),
        ("redshift", {"database": "db"}, "db"),
        ("postgres_warehouse", {"database": "db"}, "db"),
        ("aurora_postgres_warehouse", {"database": "db"}, "db"),
        ("aurora_warehouse", {"database": "db"}, None),
        ("mysql_warehouse", {"database": "db"}, None),
        ("sql_server_rds_warehouse", {"database": "db"}, "db"),
        ("azure_sql_data_warehouse", {"database": "db"}, "db"),
        ("motherduck", {"database": "db"}, None),
        ("a_new_one", {"database": "db"}, None),
    ],
)
def test_each_kind_of_destination_has_its_word_for_the_database(
    service: str, config: dict[str, Any], database: str | None
) -> None:
    assert database_of(Destination("g", service, config)) == database


@pytest.mark.parametrize("there", ["public", "shop_public"])
def test_both_readings_of_name_in_destination_are_one_table(there: str) -> None:
    users = Table("public", "users", there, "users")
    shop = Connection("c", "shop", prefix="shop", tables=(users,))
    assert Tables(shop, None).of(users) == (None, "shop_public", "users")


def test_names_of_the_source_have_no_prefix() -> None:
    users = Table("Public", "Users", "Public", "Users")
    shop = Connection("c", "shop", prefix="shop", source_naming=True, tables=(users,))
    assert Tables(shop, None).of(users) == (None, "Public", "Users")


def test_what_a_user_knows_better_is_heeded(place: Place, crm: FakeConnection) -> None:
    assets = place.load(crm, destinations={"snowflake": {"database": "LAKE", "table": "x_{name}"}})
    assert assets[0].relation == ("LAKE", "crm", "x_accounts")
    assert place.load(crm, destinations={"*": {"join": False}})[0].relation is None
    assert Tables(Connection("c", "crm"), Destination("g", "kafka"), Override()).of(Table("a", "b", "a", "b")) is None


def test_a_function_says_what_the_table_really_is(place: Place, crm: FakeConnection) -> None:
    place.load(crm)
    assets = build_fivetran_assets(
        crm.id,
        ["orders"],
        name="crm",
        base_url=place.fivetran.url,
        root=str(place.root),
        relation=lambda connection, table, found: ("lake", connection.name, f"{table.name}_raw"),
    )
    assert [each.relation for each in assets] == [("lake", "crm", "orders_raw")]


def test_two_connections_that_fill_one_table_are_refused_with_both_ids(place: Place) -> None:
    one = place.fivetran.add_connection("crm", ["accounts"])
    other = place.fivetran.add_connection("crm", ["ACCOUNTS"])
    with pytest.raises(DefinitionError, match="Two tables fill one") as caught:
        place.load()
    assert one.id in str(caught.value)
    assert other.id in str(caught.value)
    assert len(place.load(names="crm", destinations={"*": {"join": False}})) == 2


# -- marks -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "trouble"),
    [
        ({"paused": True}, "paused"),
        ({"setup": "broken", "tasks": ["Reconnect."]}, "broken: Reconnect"),
        ({"setup": "incomplete"}, "incomplete"),
        ({"paused": True, "setup": "broken", "tasks": ["Reconnect."]}, "paused and broken: Reconnect"),
        ({"paused": True, "setup": "incomplete"}, "paused and incomplete"),
    ],
)
def test_connections_in_trouble_stay_are_marked_and_warned_of(
    place: Place, crm: FakeConnection, caplog: pytest.LogCaptureFixture, change: dict[str, Any], trouble: str
) -> None:
    for name, value in change.items():
        setattr(crm, name, value)
    with caplog.at_level(logging.WARNING, "assetry"):
        assets = place.load(crm)
    assert len(assets) == 2
    assert all(each.executable and each.metadata["trouble"] == trouble for each in assets)
    assert assets[0].description == f"Connection 'crm' is {trouble}."
    assert f"crm is {trouble}" in caplog.text


@pytest.mark.parametrize(
    ("change", "trouble"),
    [
        ({"paused": True}, "paused and incomplete: its group warehouse has no destination"),
        (
            {"setup": "broken", "tasks": ["Reconnect."]},
            "broken and incomplete: Reconnect; its group warehouse has no destination",
        ),
        ({"setup": "incomplete"}, "incomplete: its group warehouse has no destination"),
    ],
)
def test_what_is_wrong_with_a_connection_does_not_hide_that_it_has_no_destination(
    place: Place, crm: FakeConnection, change: dict[str, Any], trouble: str
) -> None:
    del place.fivetran.destinations[crm.group]
    for name, value in change.items():
        setattr(crm, name, value)
    assert {each.metadata["trouble"] for each in place.load(crm)} == {trouble}


def test_hook_assetry_panels_shows_the_connection(place: Place, crm: FakeConnection) -> None:
    (asset, _) = place.load(crm)
    (panel,) = plugin.assetry_panels(asset, PanelContext()) or ()
    rows = dict(panel.rows)
    assert (rows["connection"], rows["definition read"]) == ("crm", "just now; `assetry fivetran pull` reads it anew")
    assert panel.links["in Fivetran"].endswith(f"/{crm.id}/status")
    assert plugin.assetry_panels(Asset(key="a", kind="python"), PanelContext()) is None


# -- the snapshot ------------------------------------------------------------------------------------------------------

NAMES = st.text(min_size=1, max_size=6)
TABLES = st.builds(Table, NAMES, NAMES, NAMES, NAMES, st.sampled_from(["", "LIVE"]), st.booleans())
CONNECTIONS = st.builds(
    Connection,
    NAMES,
    NAMES,
    reason=st.none() | NAMES,
    prefix=st.none() | NAMES,
    source_naming=st.booleans(),
    note=st.none() | NAMES,
    tables=st.lists(TABLES).map(lambda found: tuple(sorted(found, key=lambda each: each[0:3:2]))),
)


@given(st.lists(CONNECTIONS, max_size=4))
def test_a_snapshot_comes_back_as_it_was(
    tmp_path_factory: pytest.TempPathFactory, connections: list[Connection]
) -> None:
    path = tmp_path_factory.mktemp("snapshot") / "deep" / "s.json"
    places = {"g": Destination("g", "snowflake", {"database": "x"})}
    snapshot = Snapshot(datetime(2026, 1, 2, tzinfo=UTC), {"base_url": "u"}, tuple(connections), places)
    SNAPSHOTS.write(path, snapshot)
    assert SNAPSHOTS.read(path) == snapshot


def test_the_api_is_asked_once_and_never_again(place: Place, crm: FakeConnection) -> None:
    first = place.load(crm)
    asked = len(place.fivetran.seen)
    assert keys(place.load(crm)) == keys(first)
    assert len(place.fivetran.seen) == asked
    text = Options.of(place.integration(crm)).snapshot_path.read_text()
    assert place.fivetran.api_key not in text
    assert "******" not in text


def test_one_connection_that_cannot_be_read_hides_no_other(account: Place) -> None:
    account.fivetran.fail("GET /connections/connection_1/schemas", Fault(status=500), times=10)
    assets = account.load(name="all")
    assert "could not be read" in assets[0].metadata["note"]
    assert [each.group for each in assets] == ["crm", "crm_us", "ads.clicks"]
    before = account.load(name="all")
    account.fivetran.fail("GET /connections/connection_2/schemas", Fault(status=500), times=10)
    account.pull(name="all")
    assert [each.key for each in account.load(name="all")][1:] == [each.key for each in before][1:]


def test_lists_without_configurations_are_asked_for_those_that_need_them(place: Place) -> None:
    shop = place.fivetran.add_connection("shop", {"public": ["users"]}, prefixed=True)
    crm = place.fivetran.add_connection("crm", ["accounts"])
    shop.schemas["public"]["name_in_destination"] = "public"  # type: ignore[index]
    listed = [{**place.fivetran.connection_json(each), "config": None} for each in (shop, crm)]
    for each in listed:
        del each["config"]
    place.fivetran.fail("GET /connections", Fault(status=200, body={"code": "Success", "data": {"items": listed}}))
    assert [each.relation for each in place.load()] == [("RAW", "shop_public", "users"), ("RAW", "crm", "accounts")]
    details = place.fivetran.requests(f"GET /connections/{crm.id}")
    assert [each.path for each in details] == [f"/connections/{crm.id}/schemas"]


# -- joined ------------------------------------------------------------------------------------------------------------


def test_a_source_of_the_same_table_is_the_same_node(place: Place, crm: FakeConnection) -> None:
    source = Asset(key="dbt/crm/orders", kind="dbt", executable=False, relation=("raw", "CRM", "ORDERS"))
    with Project(assets=[*place.load(crm), source]) as project:
        assert [str(each.key) for each in project.graph] == ["crm/accounts", "crm/orders"]


def test_a_huge_schema_configuration_is_gone_through_once(place: Place) -> None:
    crm = place.fivetran.add_connection("crm", [f"table_{number}" for number in range(10_000)])
    assets = place.load(crm)
    assert len(assets) == 10_000
    assert len({id(each.metadata) for each in assets}) == 1  # what they have in common stands once
    asked = len(place.fivetran.seen)
    assert len(place.load(crm)) == 10_000
    assert len(place.fivetran.seen) == asked


def test_connections_of_one_name_whose_ids_begin_alike_have_keys_of_their_own(place: Place) -> None:
    for each in "abcd":
        place.fivetran.add_destination(each, database=each)
        place.fivetran.add_connection("crm", ["orders"], group=each, id=f"assimilate_{each}")
    keys = {str(each.key) for each in place.load()}
    assert keys == {
        "crm/crm/orders",
        *(f"crm/crm_{id_}/orders" for id_ in ("assimila", "assimilate_c", "assimilate_d")),
    }


def shift(monkeypatch: pytest.MonkeyPatch, place: Place, change: Callable[[], None]) -> None:
    """Let `change` happen while a list is read, between the first page and the second."""
    listed, pages = FakeFivetran._connections, list[bool]()

    def shifting(self: FakeFivetran, seen: Any) -> Any:
        pages.append(True)
        if len(pages) == 2:
            change()
        return listed(self, seen)

    monkeypatch.setattr("assetry_fivetran.api.service.PAGE", 1)
    monkeypatch.setattr(FakeFivetran, "_connections", shifting)


def test_a_connection_that_comes_twice_in_a_list_is_one(
    place: Place, crm: FakeConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    def insert() -> None:
        new = place.fivetran.add_connection("aaa", ["x"])
        there = place.fivetran.connections
        place.fivetran.connections = {new.id: there.pop(new.id), **there}

    place.fivetran.add_connection("ads", ["clicks"])
    shift(monkeypatch, place, insert)
    assert {str(each.key) for each in place.load()} == {"crm/crm/accounts", "crm/crm/orders", "crm/ads/clicks"}


def test_only_a_connection_that_is_not_there_by_its_id_counts_as_deleted(
    place: Place, crm: FakeConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.fivetran.add_connection("ads", ["clicks"])
    place.fivetran.add_connection("web", ["pages"])
    place.load()
    # The second of the list moves to the first page when the first is gone, which has been read.
    shift(monkeypatch, place, lambda: setattr(crm, "deleted", True))
    assert {each.name: each.status for each in place.pull().connections} == {
        "crm": "connected",  # as it was listed
        "ads": "connected",
        "web": "connected",
    }
    assert {each.name: each.status for each in place.pull().connections}["crm"] == "deleted"


@pytest.mark.parametrize("one", [True, False])
def test_a_connection_that_may_not_be_seen_any_more_is_not_called_deleted(
    place: Place, crm: FakeConnection, monkeypatch: pytest.MonkeyPatch, one: bool
) -> None:
    asked = crm if one else None
    place.fivetran.add_connection("ads", ["clicks"])
    before = place.load(asked)
    if not one:  # nor is it listed
        monkeypatch.setattr(place.fivetran, "connections", {**place.fivetran.connections})
        del place.fivetran.connections[crm.id]
    place.fivetran.fail(f"GET /connections/{crm.id}", Fault(status=403, body={"message": "You may not"}), times=9)
    found = {each.name: each for each in place.pull(asked).connections}["crm"]
    assert (found.status, "could not be read again" in str(found.reason)) == ("connected", True)
    assert {each.code_version for each in place.load(asked)} == {each.code_version for each in before}


def test_a_connection_that_moved_to_another_group_is_not_one_of_this(place: Place, crm: FakeConnection) -> None:
    place.load(group_id="warehouse")
    place.fivetran.add_connection("ads", ["clicks"])
    place.fivetran.add_destination("lake", database="lake")
    crm.group = "lake"
    found = place.pull(group_id="warehouse").connections
    assert {each.name: each.status for each in found} == {"ads": "connected", "crm": "deleted"}


@pytest.mark.parametrize(
    "row", ["7", "[]", "[7]", "null", '["accounts", null]', '["accounts", "accounts", "", 1]', "{}"]
)
def test_a_snapshot_with_another_thing_in_the_place_of_a_table_is_read_anew(
    place: Place, crm: FakeConnection, row: str
) -> None:
    before = place.load(crm)
    path = Options.of(place.integration(crm)).snapshot_path
    good = path.read_text()
    assert '"accounts"' in good
    path.write_text(good.replace('"accounts"', row))
    assert SNAPSHOTS.read(path) is None
    assert keys(place.load(crm)) == keys(before)


@pytest.mark.parametrize("name", ["7", "[]", "null"])
def test_a_snapshot_with_another_thing_in_the_place_of_a_name_is_read_anew(
    place: Place, crm: FakeConnection, name: str
) -> None:
    place.load(crm)
    path = Options.of(place.integration(crm)).snapshot_path
    path.write_text(path.read_text().replace('"name": "crm"', f'"name": {name}'))
    assert SNAPSHOTS.read(path) is None


def test_hook_assetry_local_files_is_the_snapshot(place: Place, crm: FakeConnection) -> None:
    place.load(crm)
    (named,) = plugin.assetry_local_files(place.integration(crm))
    assert Path(named).is_file()
