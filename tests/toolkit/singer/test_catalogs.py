"""Catalogs of taps: what is selected in them, and the assets that streams are."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from assetry.plugin import AssetKey, Integration, IntegrationError, Relation
from assetry_toolkit.hosted.assets import ConnectionAssets
from assetry_toolkit.singer.catalogs import Catalog, Stream, selected_streams, stream_asset, stream_ids


def entry(id_: str, whole: dict[str, Any], **columns: dict[str, Any]) -> dict[str, Any]:
    metadata = [{"breadcrumb": [], "metadata": whole}]
    metadata += [{"breadcrumb": ["properties", each], "metadata": about} for each, about in columns.items()]
    properties: dict[str, Any] = dict.fromkeys(columns)
    return {"tap_stream_id": id_, "metadata": metadata, "schema": {"properties": properties}}


def test_selected_streams_with_the_columns_that_are_read() -> None:
    columns: dict[str, Any] = {
        "id": {"inclusion": "automatic", "selected": False},
        "name": {"selected": False, "selected-by-default": True},
        "age": {},
    }
    growing = {"selected": True, "forced-replication-method": "INCREMENTAL", "replication-key": "age"}
    catalog = {
        "streams": [
            entry("users", {**growing, "table-key-properties": ["id"]}, **columns),
            entry("orders", {"selected": False}),
            entry("views", {"selected": True, "inclusion": "unsupported"}),
        ]
    }
    [users] = selected_streams(catalog)
    assert users == Stream("users", "users", ["id"], "INCREMENTAL", "age", [["id", ""], ["age", ""]])
    assert users.grows
    kept = Catalog.read(catalog)
    assert Catalog.from_json(json.loads(json.dumps(kept.to_json()))) == kept == Catalog([users], stream_ids(catalog))
    assert stream_ids(catalog) == ["users", "orders", "views"]
    assert list(selected_streams({})) == []


@pytest.mark.parametrize(
    ("streams", "message"),
    [
        ([{"stream": "a"}, {"tap_stream_id": "", "stream": " "}], "entry 2 of streams has no name, neither"),
        ([{"tap_stream_id": None}], "entry 1 of streams has no name, neither"),
        ([None], "entry 1 of streams is None"),
        ({"users": {}}, "streams is {'users'"),
        ([{"stream": "a", "selected": True, "metadata": ["x"]}], "entry 1 of metadata of stream 'a' is 'x'"),
        ([{"stream": "a", "metadata": [{"metadata": {}}]}], "metadata of stream 'a' has no `breadcrumb`, a list"),
        ([{"stream": "a", "metadata": [{"breadcrumb": [], "metadata": None}]}], "has no `metadata`, an object"),
    ],
)
def test_what_is_no_catalog_is_refused_in_words(streams: Any, message: str) -> None:
    with pytest.raises(IntegrationError, match=f"The catalog is none of Singer: .*{message}"):
        Catalog.read({"streams": streams})


def test_a_schema_that_is_only_true_is_one() -> None:
    schema = {"properties": {"x": True, "y": {"description": "Why."}}}
    [stream] = selected_streams({"streams": [{"stream": "a", "selected": True, "schema": schema}]})
    assert stream.columns == [["x", ""], ["y", "Why."]]
    [bare] = selected_streams({"streams": [{"stream": "a", "selected": True, "schema": True}]})
    assert bare.columns == []


def test_the_asset_of_a_stream_changes_its_code_with_what_is_read_and_with_what_reads_it() -> None:
    common = ConnectionAssets(integration=Integration("shop", "mill"), group="tap-shop", spec={"pair": ["a", "b"]})
    users = Stream("public-users", "users", ["id"], "INCREMENTAL", "age", [["id", "Its number."], ["age", ""]])
    place = Relation("shop", "raw", "users")

    def made(stream: Stream, tap: str = "v1") -> Any:
        return stream_asset(common, AssetKey("shop/users"), stream, place, {"tap": tap}, io="duckdb:x")

    asset = made(users)
    assert (asset.relation, asset.io, asset.incremental) == (place, "duckdb:x", True)
    assert [(each.name, each.description) for each in asset.columns] == [("id", "Its number."), ("age", "")]
    assert asset.spec == {
        "pair": ["a", "b"], "stream": "public-users", "name": "users", "method": "INCREMENTAL", "keys": ["id"],
    }  # fmt: skip
    assert asset.metadata == {"replication_method": "INCREMENTAL", "replication_key": "age", "primary_key": "id"}
    others = [made(replace(users, method="FULL_TABLE")), made(replace(users, columns=[["id", ""]])), made(users, "v2")]
    assert len({each.code_version for each in (asset, *others)}) == 4
    assert made(users).code_version == asset.code_version
