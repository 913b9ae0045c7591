"""How streams come out, by what a tap and a target say and by the rows in the table."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from assetry.plugin import Asset, AssetKey, Failed, Log, Progress, Started
from assetry_toolkit.extract_load.owed_rows import Owed, OwedRows
from assetry_toolkit.extract_load.row_counts import ABSENT
from assetry_toolkit.singer.loads import Advice, TapLoad
from assetry_toolkit.singer.logs import Said
from assetry_toolkit.singer.streams import StreamLoad

NO_METRICS = (
    "Its log has no METRIC lines: look into it whether it ended before it had read anything. "
    "If nothing is wrong: trust it."
)
HALF_WAY = "It may have stopped half-way: `assetry logs` of the run tells all it said.\nPull."
ADVICE = Advice(unread="Pull.", silent="trust it", lost="Or warn.", nowhere="Say where.")


def load(*streams: str | None, target: str = "target-b", keys: list[str] | None = None, **how: Any) -> TapLoad:
    spec: dict[str, Any] = {"keys": ["id"] if keys is None else keys, "method": how.pop("method", None)}
    assets = [
        Asset(key=f"el/{each}", kind="mill", spec={**spec, "stream": each, "name": each}, relation=("d", "s", each))
        for each in streams
    ]
    return TapLoad("tap-a", target, [StreamLoad(each) for each in assets], advice=ADVICE, **how)


def rows(stream: str, count: int = 3) -> Said:
    return Said("rows", stream=stream, value=count)


def test_rows_are_added_and_what_was_not_asked_for_is_told_once() -> None:
    given = load("users", offered=2)
    assert given.chosen == ["users"]
    told = [event for said in (rows("users"), rows("other"), rows("users", 4), rows("other")) for event in given.take(
        "tap-a", said
    )]  # fmt: skip
    strange = Log("tap-a reads stream 'other', which was not asked for.", "warning")
    assert told == [Started("el/users"), Progress("el/users", 3), strange, Progress("el/users", 7)]
    assert list(given.take("mapper", rows("users"))) == list(given.take("target-b", rows("users", 7))) == []
    [users] = given.streams
    assert users.facts == {"rows_extracted": 7, "rows_loaded": 7, "result_known_by": "stream"}
    assert given.failure(users) is None


def named(given: TapLoad, **names: str) -> dict[str, StreamLoad]:
    """Give streams other names than their ids."""
    for each in given.streams:
        each.asset = replace(each.asset, spec={**each.asset.spec, "name": names[each.id or ""]})
    return {each.id or "": each for each in given.streams}


def test_a_name_that_two_streams_have_gives_neither_the_rows_of_the_other() -> None:
    given = load("public", "sales")
    streams = named(given, public="users", sales="users")
    told = [event for _ in range(2) for event in given.take("tap-a", rows("users"))]
    told += given.take("target-b", rows("users"))
    unclear = "tap-a calls more than one stream 'users', so it is not known how many rows each has."
    assert told == [Log(unclear, "warning")]
    assert [(each.rows, each.loaded, given.failure(each)) for each in given.streams] == [(None, None, None)] * 2
    assert streams["sales"].facts["result_known_by"] == "exit code"
    list(given.take("tap-a", rows("sales", 2)))
    assert (streams["sales"].rows, streams["public"].rows) == (2, None), "its id is its own"
    given.offered = 3
    failed = given.failure(streams["public"])
    assert failed is not None
    assert (
        failed.hint
        == "Its log calls another stream by the same name. Choose all its streams. If nothing is wrong: trust it."
    )
    list(given.take("tap-a", Said("ended", stream="users", value=0)))
    assert all(given.failure(each) is not None for each in given.streams), "one of them was not read"


def test_an_id_goes_before_a_name() -> None:
    given = load("x", "users")
    streams = named(given, x="users", users="other")
    list(given.take("tap-a", rows("users")))
    assert (streams["users"].rows, streams["x"].rows) == (3, None)
    assert given.failure(streams["x"]) is None, "it may be what was meant"


def test_an_asset_without_a_stream_stands_for_all() -> None:
    given = load(None)
    for stream in ("users", "orders"):
        list(given.take("tap-a", rows(stream)))
    assert (given.streams[0].rows, given.chosen, given.failure(given.streams[0])) == (6, [], None)


@pytest.mark.parametrize(
    ("offered", "speaks", "accepts", "hint"),
    [
        (1, False, False, None),
        (2, False, True, None),
        (2, False, False, NO_METRICS),
        (2, True, True, HALF_WAY),
        (1, True, False, HALF_WAY),
    ],
)
def test_a_stream_of_which_nothing_was_said(offered: int, speaks: bool, accepts: bool, hint: str | None) -> None:
    given = load("users", offered=offered)
    given.speaks = speaks
    failed = given.failure(given.streams[0], accepts)
    assert (failed.hint if failed else None) == hint


def test_a_tap_that_says_that_it_failed_is_believed() -> None:
    given = load("users")
    list(given.take("tap-a", Said("ended", stream="users", value=0)))
    list(given.take("tap-a", Said("ended", stream="users", value=1)))
    given.words.take("no such shop", "error")
    failed = given.failure(given.streams[0])
    assert failed is not None
    assert (failed.message, failed.hint) == ("tap-a says that it failed to read users.", "no such shop")


def test_rows_that_were_lost_on_the_way_are_told_with_all_numbers() -> None:
    given = load("users", target="target-duckdb", keys=[])
    [users] = given.streams
    users.seen, users.rows, users.before = True, 4, 6
    failed = given.missing(users, 9)
    assert failed is not None
    assert failed.message == "tap-a extracted 4 rows of users, and the table d.s.users, after 6 before, has 9."
    assert str(failed.hint).startswith("target-duckdb 0.8.0 is known to lose the first row of each batch")
    told = "It has no key, and target-duckdb may only add rows: remove its table before, or they are there twice."
    assert str(failed.hint).endswith(f"`assetry materialize -s el/users --full-refresh`. {told} Or warn.")
    nowhere = given.missing(users, ABSENT)
    assert nowhere is not None
    assert nowhere.message == "tap-a extracted 4 rows of users, and there is no table d.s.users."
    assert nowhere.hint == (
        "target-duckdb may have ended before it wrote any: `assetry logs` of the run tells what it said; when that is "
        "mended, `assetry materialize -s el/users --full-refresh` reads them anew. "
        "Or the table is elsewhere. Say where."
    )
    users.loaded = 3
    took = given.failure(users)
    assert took is not None
    assert took.message == "tap-a extracted 4 rows of users, and target-duckdb took 3 of them."


@pytest.mark.parametrize(("how", "count"), [({"mapped": True}, 1), ({"method": "LOG_BASED"}, 1), ({}, None), ({}, 4)])
def test_fewer_rows_say_nothing_where_they_may_be_right(how: dict[str, Any], count: int | None) -> None:
    given = load("users", **how)
    given.streams[0].rows = 4
    assert given.missing(given.streams[0], count) is None


LOST = "Of 40 rows of users that an earlier run extracted some were lost, and"
UNSURE = "it cannot be told whether the {} that this run read are the same."


@pytest.mark.parametrize(
    ("owed", "method", "extracted", "now", "anew", "told"),
    [
        # Whatever comes later: the state goes on behind rows that were lost.
        (Owed(40, lost=True), "INCREMENTAL", 0, 39, False, f"{LOST} the table d.s.users has 39."),
        (Owed(40, lost=True), "INCREMENTAL", 0, 40, False, f"{LOST} this run did not read them again."),
        (Owed(40, lost=True), None, 50, 89, False, f"{LOST} {UNSURE.format(50)}"),
        (Owed(40, lost=True), None, 40, 40, False, f"{LOST} {UNSURE.format(40)}"),
        (Owed(40, lost=True), "INCREMENTAL", 0, None, False, f"{LOST} this run did not read them again."),
        (Owed(40, lost=True), "FULL_TABLE", 3, 43, False, f"{LOST} this run did not read them again."),
        # Read from the first row on, and counted, they are there.
        (Owed(40, lost=True), "FULL_TABLE", 40, 40, False, None),
        (Owed(40, lost=True), "INCREMENTAL", 40, 40, True, None),
        (Owed(40, lost=True), "INCREMENTAL", 0, None, True, None),
        (Owed(40, lost=True), "INCREMENTAL", 40, None, True, "tap-a extracted 40 rows of users, and its table, which"),
        (Owed(40, lost=True), "LOG_BASED", 40, None, True, None),
        # Of a run that did not end well the next one has to bring what is missing.
        (Owed(40), "INCREMENTAL", 0, 40, False, None),
        (Owed(40), "INCREMENTAL", 1, 39, False, f"{LOST} the table d.s.users has 39."),
        (Owed(40), "INCREMENTAL", 1, None, False, None),
        (Owed(40), "LOG_BASED", 1, 39, False, None),
        (Owed(40), "FULL_TABLE", 30, 30, False, None),
        (
            Owed(40),
            "INCREMENTAL",
            0,
            ABSENT,
            False,
            "tap-a extracted 40 rows of users, and there is no table d.s.users",
        ),
    ],
)
def test_rows_of_an_earlier_run_are_missing_until_they_were_counted(
    owed: Owed, method: str | None, extracted: int, now: int | None, anew: bool, told: str | None
) -> None:
    given = load("users", method=method)
    [users] = given.streams
    users.rows = extracted
    failed = given.still_missing(users, owed, now, anew)
    assert (failed is None) == (told is None)
    if failed is not None:
        assert failed.message.startswith(str(told))
        assert users.lost == (now != ABSENT)
        assert ("assetry materialize -s el/users --full-refresh" in str(failed.hint)) == (users.lost or now == ABSENT)


def test_a_stream_has_failed_where_what_its_table_owes_cannot_be_kept(tmp_path: Path) -> None:
    """Whatever else is true of it: a later run would take the table for whole."""
    owed, whole = OwedRows(tmp_path / "owed.json", "shop"), "A command. "
    command = "`assetry materialize -s el/users --full-refresh`"

    def settled(rows: int, told: Failed | None = None, count: int = 7, anew: bool = False) -> Failed | None:
        given = load("users")
        given.streams[0].rows = rows
        return given.settled(given.streams[0], told, lambda: count, owed, anew)[0]

    assert settled(7) is None
    (tmp_path / "owed.lock").unlink(missing_ok=True)
    (tmp_path / "owed.lock").mkdir()
    few = settled(7, count=6)
    assert few is not None
    assert few.message.startswith("tap-a extracted 7 rows of users, and the table d.s.users has 6. What the table of ")
    assert few.message.endswith("of users owes cannot be kept in " + f"{tmp_path / 'owed.json'}: Is a directory.")
    assert str(few.hint).count(command) == 1
    broken = settled(7, Failed(AssetKey("el/users"), "It broke off.", whole.strip(), retryable=True))
    assert broken is not None
    assert (broken.message.startswith("It broke off. What the table"), broken.retryable) == (True, False)
    assert str(broken.hint).startswith(whole)
    assert str(broken.hint).endswith(f"Later runs do not know of it: read the stream anew then, {command}.")
    assert settled(7) is None, "nothing is owed, so nothing is to be kept"
    (tmp_path / "owed.lock").rmdir()
    assert settled(7, count=6) is not None
    (tmp_path / "owed.lock").unlink()
    (tmp_path / "owed.lock").mkdir()
    assert settled(7, anew=True) is not None, "later runs would take it for owed still"
    (tmp_path / "owed.json").unlink()
    (tmp_path / "owed.json").mkdir()
    unread = settled(7)
    assert unread is not None
    assert "owes cannot be read in" in unread.message


# A tap that ends early without an error


def failed(given: TapLoad, name: str) -> Failed:
    found = given.failure(next(each for each in given.streams if each.id == name))
    assert found is not None
    return found


def test_a_tap_that_ends_before_a_stream_is_told_with_what_it_read_and_what_it_said_last() -> None:
    given = load("users", "orders", "visits")
    for said in (rows("users", 2), Said("began", stream="visits"), rows("other")):
        list(given.take("tap-a", said))
    given.words.take("page 7 of 9")
    told = failed(given, "orders")
    assert told.message == (
        "tap-a ended without an error, and does not tell that it read orders, which was asked for. "
        "It tells of users (2 rows), visits, other."
    )
    assert told.hint == "It may have stopped half-way; it said last: page 7 of 9\nPull."
    list(given.take("target-b", rows("orders", 400)))
    assert "asked for; target-b took 400 rows of it. It tells of users" in failed(given, "orders").message
    alone = load("orders", offered=2)
    alone.speaks = True
    assert failed(alone, "orders").message.endswith("It tells of no other stream.")
    many = load(*(f"s{n}" for n in range(9)))
    for each in many.streams[1:]:
        list(many.take("tap-a", rows(str(each.id), 1)))
    assert failed(many, "s0").message.endswith("s4 (1 row), s5 (1 row) and 3 more.")


def test_a_tap_that_ends_amid_a_stream_has_not_read_it_where_it_tells_the_ends_of_others() -> None:
    given = load("users", "orders")
    for said in (Said("began", stream="users"), rows("users"), Said("ended", stream="users", value=1)):
        list(given.take("tap-a", said))
    list(given.take("tap-a", Said("began", stream="orders")))
    assert failed(given, "orders").message == (
        "tap-a began to read orders, and ended before its end, though without an error. It tells of users (3 rows)."
    )
    list(given.take("tap-a", rows("orders", 500)))
    assert "before its end, after 500 rows, though" in failed(given, "orders").message
    list(given.take("tap-a", Said("ended", stream="orders", value=1)))
    assert given.failure(given.streams[1]) is None
    given.forget()
    assert [(each.began, each.ended, each.seen, each.rows) for each in given.streams] == [
        (False, False, False, None)
    ] * 2


def test_a_tap_that_tells_no_ends_is_believed_by_its_rows() -> None:
    """As those made with singer-python."""
    given = load("users", "orders")
    for name in ("users", "orders"):
        list(given.take("tap-a", Said("began", stream=name)))
        list(given.take("tap-a", rows(name)))
    assert [given.failure(each) for each in given.streams] == [None, None]


def test_what_is_at_fault_is_told_with_its_place() -> None:
    given = load("users", sources={"tap-a": "mill.yml:3", "target-b": "mill.yml:9"})
    [users] = given.streams
    users.seen, users.rows = True, 4
    places = [each.where for each in (given.missing(users, 3), given.missing(users, ABSENT)) if each]
    assert places == ["mill.yml:9", "mill.yml:9"], "the target has lost them"
    users.loaded = 3
    assert failed(given, "users").where == "mill.yml:9"
    given.well, given.faults = False, ["target-b"]
    assert failed(given, "users").where == "mill.yml:9"
    given.faults = ["tap-a", "target-b"]
    assert failed(given, "users").where == "mill.yml:3 and mill.yml:9"
    given.faults = ["mapper"]
    assert failed(given, "users").where is None
    given.faults, given.why = [], "Cannot start plugin target-b: no such file 'tap-ab'"
    assert failed(given, "users").where == "mill.yml:9", "that one is named"


@pytest.mark.parametrize(
    ("how", "extracted", "count", "why"),
    [
        ({}, 4, 4, None),
        ({}, 0, None, None),
        ({}, None, None, "tap-a does not tell how many it extracted"),
        ({}, 4, None, "its table cannot be read here"),
        ({"mapped": True}, 4, 4, "rows may be left out on the way"),
        ({"method": "LOG_BASED"}, 4, 4, "its replication is log-based"),
        ({"relation": (None, "raw", "users")}, 4, None, "its table is not known"),
        ({"relation": (None, "raw", "users"), "io": "duckdb:x"}, 4, 4, None),
        ({"relation": None}, 4, None, "it is loaded into no table that is known"),
    ],
)
def test_why_rows_were_not_compared(
    how: dict[str, Any], extracted: int | None, count: int | None, why: str | None
) -> None:
    more = {name: how.pop(name) for name in ("relation", "io") if name in how}
    given = load("users", **how)
    [users] = given.streams
    users.asset, users.rows = replace(users.asset, **more), extracted
    assert given.uncompared(users, count) == why


@pytest.mark.parametrize(
    ("keys", "before", "extracted", "rows", "hidden"),
    [
        (["id"], 100, 5, 100, True),  # all five may be lost, or have taken the place of others
        (["id"], 100, 5, 104, True),
        (["id"], 100, 5, 105, False),  # all are new
        (["id"], 0, 5, 5, False),
        (["id"], ABSENT, 5, 5, False),
        (["id"], None, 5, 6, True),  # of a run that was found again
        (["id"], None, 5, 5, False),
        (["id"], 100, 0, 100, False),
        ([], 100, 5, 105, False),
    ],
)
def test_rows_that_were_lost_behind_others_with_keys_cannot_be_seen_and_that_is_told(
    keys: list[str], before: int | None, extracted: int, rows: int, hidden: bool
) -> None:
    given = load("users")
    [stream] = given.streams
    about = {"spec": {**stream.asset.spec, "keys": keys}, "relation": ("d", "s", "users")}
    stream.asset, stream.before, stream.rows = replace(stream.asset, **about), before, extracted
    told = "the table has a key and had rows before" if hidden else None
    assert (given.missing(stream, rows), given.uncompared(stream, rows)) == (None, told)


@pytest.mark.parametrize(
    ("how", "before", "rows", "anew", "twice"),
    [
        ({"method": "FULL_TABLE"}, 4, 8, False, True),
        ({"method": "INCREMENTAL"}, 4, 8, True, True),
        ({"method": "INCREMENTAL"}, 4, 8, False, False),  # those were new
        ({"method": "FULL_TABLE"}, 4, 4, False, False),  # the loader has put them in the place of the others
        ({"method": "FULL_TABLE"}, 0, 4, False, False),
        ({"method": "FULL_TABLE", "keys": ["id"]}, 4, 8, False, False),
        ({"method": "FULL_TABLE", "keys": ["id"], "load_method": "append-only"}, 4, 8, False, True),
        ({"method": "FULL_TABLE", "load_method": "overwrite"}, 4, 8, False, False),
    ],
)
def test_rows_that_were_added_to_those_of_before_though_all_were_read_are_there_twice(
    how: dict[str, Any], before: int, rows: int, anew: bool, twice: bool
) -> None:
    spec = {"stream": "users", "keys": [], **how}
    users = StreamLoad(Asset(key="el/users", kind="mill", spec=spec), rows=4, before=before)
    told = TapLoad("tap-a", "target-a", [users]).doubled(users, rows, anew)
    assert (told is not None) == twice
