"""What the log of a run comes to, line by line: no Meltano is needed for that."""

from __future__ import annotations

import json
from typing import Any

import pytest
from assetry.plugin import Asset, Event, Failed, Log, Progress, Started
from assetry_meltano.project.project import Pair
from assetry_meltano.running.reading import Load, Reading
from assetry_toolkit.secrets import Mask
from assetry_toolkit.singer.reading import TOLD_LINES


def said(event: str, plugin: str | None = "tap-a", **more: Any) -> str:
    about = {"stdio": "stderr", "name": plugin} if plugin else {}
    return json.dumps({"event": event, "level": "info", **about, **more})


def metric(stream: dict[str, Any], value: Any = 3, name: str = "record_count") -> dict[str, Any]:
    return {"type": "counter", "metric": name, "value": value, "tags": stream}


def load(*streams: str, of: int | None = None, **spec: Any) -> Load:
    pair = Pair(("tap-a", "target-b"))
    about = {"pair": list(pair), "of": of or len(streams), "keys": ["id"], "method": None, "mapped": False, **spec}
    assets = [
        Asset(key=f"el/{each}", kind="meltano", spec={**about, "stream": each, "name": each}, relation=("d", "s", each))
        for each in streams
    ]
    return Load.of(pair, assets)


JOB = json.dumps({"event": "Running job with name 'dev:tap-a-to-target-b' and run ID '1'"})


def events(given: Load, *lines: str, secrets: frozenset[str] = frozenset()) -> list[Event]:
    reading = Reading([given], Mask(secrets), "Meltano's log")
    return [event for line in (JOB, *lines) for event in reading.take(line)] + list(reading.end())


BLOCK = json.dumps({"event": "Block run completed", "success": True, "err": None, "level": "info"})
DEAD = json.dumps(
    {"event": "Block run completed", "success": False, "err": "Extractor failed", "exit_codes": {"extractors": 3}}
)


@pytest.mark.parametrize(
    "line",
    [
        said("METRIC", metric_info=metric({"stream": "users"})),
        said(f"METRIC: {json.dumps(metric({'stream': 'users', 'context': {}}))}"),
        said(f"INFO METRIC: {json.dumps(metric({'endpoint': 'users'}))}"),
        said(f"2026-11-26 09:00 name=singer level=INFO message=METRIC: {json.dumps(metric({'endpoint': 'users'}))}"),
    ],
)
def test_both_families_of_metrics_count_rows(line: str) -> None:
    given = load("users")
    assert events(given, line) == [Started("el/users"), Progress("el/users", 3)]
    assert given.streams[0].seen


def test_rows_of_several_metrics_are_added() -> None:
    given = load("users")
    told = events(given, *[said("METRIC", metric_info=metric({"stream": "users"}, n)) for n in (500, 7)])
    assert [each.done for each in told if isinstance(each, Progress)] == [500, 507]


def test_a_stream_that_ended_badly_has_failed_though_the_pair_ended_well() -> None:
    given = load("users", "orders")
    ends = [
        metric({"stream": name, "status": state}, 0.1, "sync_duration")
        for name, state in (("users", "failed"), ("orders", "succeeded"))
    ]
    events(given, *[said("METRIC", metric_info=each) for each in ends], BLOCK)
    failed, well = (given.failure(target) for target in given.streams)
    assert failed is not None
    assert failed.message == "tap-a says that it failed to read users."
    assert well is None


def test_a_loader_that_took_fewer_rows_than_were_extracted() -> None:
    lines = [
        said("METRIC", plugin, metric_info=metric({"stream": "users"}, n))
        for plugin, n in (("tap-a", 5), ("target-b", 4))
    ]
    given = load("users")
    events(given, *lines, BLOCK)
    failed = given.failure(given.streams[0])
    assert failed is not None
    assert failed.message == "tap-a extracted 5 rows of users, and target-b took 4 of them."
    mapped = load("users", mapped=True)
    events(mapped, *lines, BLOCK)
    assert mapped.failure(mapped.streams[0]) is None


def test_what_commands_a_terminal_is_not_passed_on() -> None:
    """Such as a clipboard that is filled, or a title; a secret is found though colours stand in it."""
    given = load("users")
    lines = [said("\x1b]52;c;cHduZWQ=\x07well \x1b[31ms3c\x1b[0mret\x1b[2J"), said("ERROR \x1b]0;x\x1b\\\x08no")]
    dead = json.dumps({"event": "Block run completed", "success": False, "err": "\x1b]0;x\x07gone", "exit_codes": {}})
    told = events(given, *lines, dead, secrets=frozenset({"s3cret"}))
    assert told == [Log("tap-a: well ***", "info"), Log("tap-a: ERROR no", "error")]
    failed = given.failure(given.streams[0])
    assert failed is not None
    assert (failed.message, failed.hint) == ("tap-a target-b: gone.", "ERROR no")


def test_a_failure_has_the_plugins_own_words() -> None:
    given = load("users")
    events(
        given,
        json.dumps({"event": "Running job with name 'dev:tap-a-to-target-b' and run ID '1'"}),
        said("CRITICAL no such shop"),
        DEAD,
    )
    assert given.state_id == "dev:tap-a-to-target-b"
    failed = given.failure(given.streams[0])
    assert failed == Failed(
        "el/users", "tap-a target-b: Extractor failed (exit code 3).", "CRITICAL no such shop", True
    )


def test_a_failure_is_not_told_by_what_the_plugin_begins_with() -> None:
    """As an extractor of Meltano's SDK says it whose settings are not what it needs, none of it an error."""
    given = load("users")
    begins = said("tap-a v0.3.1, Meltano SDK v0.53.7"), said("Skipping parse of env var settings...")
    told = [str(each) for each in events(given, *begins, DEAD)]
    assert any("SDK" in each for each in told)
    failed = given.failure(given.streams[0])
    assert failed == Failed("el/users", "tap-a target-b: Extractor failed (exit code 3).", retryable=True)
    events(given, *begins, said("'path' is a required property"), said("Config validation failed"), DEAD)
    failed = given.failure(given.streams[0])
    assert failed is not None
    assert failed.hint == "It said last: 'path' is a required property; Config validation failed"


def test_a_failure_by_a_traceback_begins_with_what_was_raised() -> None:
    given = load("users")
    frames = "Traceback (most recent call last):", '  File "tap.py", line 1, in go', "    go()", "OSError: no key"
    events(given, *map(said, frames), DEAD)
    failed = given.failure(given.streams[0])
    assert failed is not None
    assert str(failed.hint).splitlines()[0] == "OSError: no key"


def test_lines_of_a_pair_that_was_not_asked_for_are_passed_over() -> None:
    given = load("users")
    other = json.dumps({"event": "Running job with name 'dev:tap-z-to-target-b' and run ID '1'"})
    assert events(given, BLOCK, other, said("METRIC", metric_info=metric({"stream": "users"})), BLOCK)[1:] == []
    assert (given.well, given.streams[0].seen) == (True, False)


@pytest.mark.parametrize(
    ("codes", "where", "told"),
    [
        ({"loaders": 1}, "m.yml:9", "exit code 1"),
        ({"extractors": 3}, "m.yml:3", "exit code 3"),
        ({"extractors": 3, "loaders": 1}, "m.yml:3 and m.yml:9", "exit code 3, 1"),
        ([{"hide": 5}], "m.yml:6", "exit code 5"),
    ],
)
def test_what_failed_is_told_with_its_place(codes: Any, where: str, told: str) -> None:
    given = load("users")
    given.sources = {"tap-a": "m.yml:3", "hide": "m.yml:6", "target-b": "m.yml:9"}
    events(given, json.dumps({"event": "Block run completed", "success": False, "err": "It", "exit_codes": codes}))
    failed = given.failure(given.streams[0])
    assert failed is not None
    assert (failed.message, failed.where) == (f"tap-a target-b: It ({told}).", where)


def test_a_lock_is_no_failure() -> None:
    text = (
        "Another 'dev:tap-a-to-target-b' pipeline is already running which started at 2026-11-26 08:55:44+00:00. Wait"
    )
    given = load("users")
    told = events(
        given,
        json.dumps({"event": text, "level": "error"}),
        json.dumps({"event": "Block run completed", "success": False, "err": text, "exit_codes": {}}),
    )
    assert (given.well, given.locked, given.state_id, told) == (None, True, "dev:tap-a-to-target-b", [])


def test_a_flood_of_lines_does_not_flood_the_log_and_warnings_are_all_told() -> None:
    told = events(load("users"), *[said(f"line {n}") for n in range(TOLD_LINES + 50)], said("WARNING at last"))
    logs = [each for each in told if isinstance(each, Log)]
    assert len(logs) == TOLD_LINES + 2
    assert [each.message for each in logs[-2:]] == [
        "tap-a: WARNING at last",
        "50 more lines of Meltano's log are left out.",
    ]


def test_secrets_are_taken_out_before_a_line_is_read() -> None:
    [log] = events(load("users"), said("the key is t0ken"), secrets=frozenset({"t0ken"}))
    assert log == Log("tap-a: the key is ***", "info")


@pytest.mark.parametrize(
    ("keys", "extracted", "before", "after", "fails"),
    [
        (["id"], 4, None, 4, False),
        (["id"], 4, None, 3, True),
        (["id"], 4, None, 1000, False),  # rows that were there before are there still
        ([], 4, 0, 4, False),
        ([], 4, 6, 10, False),
        ([], 4, 6, 9, True),
        ([], 4, 6, 4, False),  # all rows were replaced
        ([], 4, None, 9, False),
        ([], 4, 6, None, False),
        ([], 0, 6, 6, False),
    ],
)
def test_which_count_of_rows_is_too_small(
    keys: list[str], extracted: int, before: int | None, after: int | None, fails: bool
) -> None:
    given = load("users", keys=keys)
    target = given.streams[0]
    target.rows, target.before = extracted, before
    assert (given.missing(target, after) is not None) == fails
    log_based = load("users", keys=keys, method="LOG_BASED")
    log_based.streams[0].rows, log_based.streams[0].before = extracted, before
    assert log_based.missing(log_based.streams[0], after) is None


def test_a_password_that_is_a_part_of_a_plugins_name_hides_nothing_that_is_counted() -> None:
    given = load("users")
    told = events(
        given,
        said("METRIC", metric_info=metric({"stream": "users"})),
        BLOCK,
        secrets=frozenset({"tap-a", "users", "3"}),
    )
    assert (told, given.well, given.streams[0].rows) == ([Started("el/users"), Progress("el/users", 3)], True, 3)


def test_a_line_that_is_no_json_is_told_as_it_is() -> None:
    [log] = events(load("users"), "Error: Block tap-nope not found")
    assert log == Log("Error: Block tap-nope not found", "info")


def test_a_run_that_says_nothing_of_its_pairs_has_failed_them_unless_others_were_in_it_too() -> None:
    """Else it would be started again and again."""
    other = json.dumps({"event": "Running job with name 'dev:tap-z-to-target-b' and run ID '1'"})
    for taken_up, well in ((False, False), (True, None)):
        given = load("users")
        reading = Reading([given], Mask(frozenset()), "Meltano's log", taken_up=taken_up)
        assert list(reading.take(other)) == []
        reading.broken_off("Meltano ended well, and does not say that it ran it")
        assert given.well is well
