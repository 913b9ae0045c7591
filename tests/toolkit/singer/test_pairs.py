"""The assets of a tap and a target."""

from __future__ import annotations

from typing import Any

import pytest
from assetry.plugin import DefinitionError, Integration, IntegrationError
from assetry_toolkit.definitions.kept_answers import Answer
from assetry_toolkit.singer.catalogs import Catalog, Stream
from assetry_toolkit.singer.pairs import PairAssets, held_together, refuse_one_table_of_streams, warnings_of_pairs
from assetry_toolkit.singer.targets import target_tables

STREAMS = [Stream("public-users", "public-users", ["id"], "INCREMENTAL"), Stream("orders", "orders")]
KNOWN = Answer(Catalog(STREAMS, ["public-users", "orders", "more"]).to_json(), "2026-01-01T00:00:00+00:00")
UNKNOWN = Answer(None, "", "it cannot say which streams it has")


def pair(target: str = "target-postgres", setting: dict[str, Any] | None = None, **more: Any) -> PairAssets:
    config = {"database": "lake", "default_target_schema": "raw"} if setting is None else setting
    return PairAssets(
        integration=Integration("shop", "mill"),
        tap="tap-a",
        target=target,
        base=["shop", "tap-a"],
        tables=target_tables(target, config.get),
        **more,
    )


def test_each_stream_is_an_asset_with_all_that_its_load_reads() -> None:
    more = {"spec": {"pair": ["tap-a", "target-b"]}, "metadata": {"pipeline": "a"}, "deps": ("raw/x",), "mapped": True}
    users, orders = pair(**more, source="mill.yml:3").assets(KNOWN)
    assert (str(users.key), str(users.relation), users.incremental) == (
        "shop/tap-a/public-users",
        "lake.raw.users",
        True,
    )
    assert users.spec == {
        **{"pair": ["tap-a", "target-b"], "tap": "tap-a", "target": "target-postgres", "of": 2, "mapped": True},
        "load_method": None,
        **{"stream": "public-users", "name": "public-users", "keys": ["id"], "method": "INCREMENTAL"},
    }
    assert (users.metadata["destination"], users.metadata["definitions_read"]) == ("postgres", KNOWN.at)
    assert ("stale" in users.metadata, users.source, [str(each.key) for each in users.deps]) == (
        False,
        "mill.yml:3",
        ["raw/x"],
    )
    assert orders.group == "tap-a"


def test_a_function_says_where_a_table_is_or_that_there_is_none() -> None:
    def place(stream: str, found: Any) -> Any:
        return None if stream == "orders" else ("x", found.schema, "u")

    users, orders = pair("target-duckdb", {"path": "/srv/a.duckdb"}, place=place).assets(KNOWN)
    assert (str(users.relation), users.io) == ("x.public.u", "duckdb:/srv/a.duckdb")
    assert (orders.relation, orders.io) == (None, None)


def test_a_tap_that_cannot_say_its_streams_is_one_asset_where_no_table_is_filled() -> None:
    [all_of_it] = pair("target-jsonl").assets(UNKNOWN)
    assert (str(all_of_it.key), all_of_it.spec["stream"], all_of_it.spec["of"]) == ("shop/tap-a", None, 1)
    assert all_of_it.description == "All streams of tap-a: it cannot say which streams it has"
    with pytest.raises(IntegrationError, match="not known which tables of target-postgres it fills") as told:
        list(pair(source="mill.yml:3", unknown="Give it a catalog.").assets(UNKNOWN))
    assert (told.value.where, told.value.hint) == ("mill.yml:3", "Give it a catalog.")


def test_what_decides_what_is_in_a_table_is_its_code() -> None:
    [one, *_], [other, *_] = pair(code={"tap": "1"}).assets(KNOWN), pair(code={"tap": "2"}).assets(KNOWN)
    assert one.code_version != other.code_version
    assert one.code_parts["stream"] == other.code_parts["stream"]


@pytest.mark.parametrize(
    ("one", "other", "refused"),
    [
        (("target-postgres", {"database": "lake"}), ("target-postgres", {"database": "lake"}), True),
        (("target-postgres", {"database": "lake"}), ("target-snowflake", {"database": "LAKE"}), False),
        (("target-postgres", {"database": "a", "schema": "s"}), ("target-b", {"database": "A", "schema": "s"}), True),
        (("target-postgres", {"database": "a"}), ("target-postgres", {"database": "b"}), False),
        (("target-jsonl", {}), ("target-jsonl", {}), False),
    ],
)
def test_two_streams_into_one_table_are_refused_also_where_a_part_of_it_is_not_known(
    one: Any, other: Any, refused: bool
) -> None:
    assets = [asset for each in (one, other) for asset in list(pair(*each).assets(KNOWN))[1:]]
    if not refused:
        refuse_one_table_of_streams(assets, "shop", lambda _: "Part them.")
        return
    with pytest.raises(DefinitionError, match="Two streams are loaded into one table") as told:
        refuse_one_table_of_streams(assets, "shop", lambda _: "Part them.")
    assert told.value.hint == "Part them."


def test_what_is_to_be_known_of_pairs_is_warned_of_once() -> None:
    """Not of targets that fill files, whose rows are counted nowhere, nor of tables that their own IO counts."""
    vague = [*pair(setting={"default_target_schema": "raw"}, absent="loader x is not installed").assets(KNOWN)]
    told = [*warnings_of_pairs(vague, lambda asset: f"Say where {asset.key.name} is.")]
    assert [(str(each.key), each.text, each.hint) for each in told] == [
        (
            "shop/tap-a/public-users",
            "cannot be loaded, like 1 more: loader x is not installed",
            None,
        ),
        (
            "shop/tap-a/public-users",
            "is not checked for lost rows, like 1 more that target-postgres loads, "
            "because a part of its table's place is not known",
            "Say where public-users is.",
        ),
    ]
    assert [each.text for each in warnings_of_pairs(vague[1:], str)] == [
        "cannot be loaded: loader x is not installed",
        "is not checked for lost rows, because a part of its table's place is not known",
    ]
    (told,) = warnings_of_pairs(pair(fault="x 1 loses rows").assets(KNOWN), str)
    assert told.text.startswith("may lack rows, like 1 more: x 1 loses rows. What is lost fails where")
    known, files, file = pair(), pair("target-csv", {}), pair("target-duckdb", {"path": "x.duckdb"})
    assert not [*warnings_of_pairs([*known.assets(KNOWN), *files.assets(UNKNOWN), *file.assets(KNOWN)], str)]


def test_the_pairs_of_a_group_hold_what_each_of_them_needs() -> None:
    group = {"spec": {"group": "g"}}
    pairs = [pair(**group), pair("target-duckdb", {"path": "/x.duckdb"}, **group), pair(spec={"group": "other"})]
    held = [each.spec["holds"] for each in held_together(pairs, lambda tap: f"catalog of {tap}")]
    assert held == [["catalog of tap-a", "duckdb:/x.duckdb"]] * 2 + [["catalog of tap-a"]]
