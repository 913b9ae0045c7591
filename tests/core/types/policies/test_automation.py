"""Automation policies as values: how they are joined, narrowed and read from files, and what is refused."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from assetry.automation import (
    all_of,
    any_of,
    between,
    code_changed,
    eager,
    lazy,
    missing,
    never,
    not_,
    on_cron,
    on_missing,
    upstream_changed,
)
from assetry.errors import DefinitionError
from assetry.types.codec import from_json, to_json
from assetry.types.policies.automation import WORDS, AutomationPolicy, read_policy
from assetry.types.policies.spans import read_span

EVERY = [
    eager(),
    eager(every=timedelta(minutes=15)).wait_for("any"),
    lazy(),
    never(),
    on_cron("@daily", "Europe/Berlin"),
    on_missing(last=7, since=date(2026, 1, 31)),
    any_of(code_changed(), upstream_changed("tag:raw")).ignore("raw/log").allow("+orders"),
    all_of(missing(), between("22:00", "06:00")).batch(timedelta(minutes=2)),
    not_(code_changed()),
]


def test_old_words_mean_what_they_meant() -> None:
    assert AutomationPolicy("stale") == eager()
    assert AutomationPolicy("overdue") == lazy()
    assert AutomationPolicy("on_missing") == missing()


def test_operators_join_flatly_and_keep_what_narrows_each() -> None:
    assert eager() | missing() | code_changed() == any_of(eager(), missing(), code_changed())
    assert eager() & missing() & code_changed() == all_of(eager(), missing(), code_changed())
    assert (eager() | missing()).last(2) | code_changed() == any_of(any_of(eager(), missing()).last(2), code_changed())
    assert ~eager() == not_(eager())


@pytest.mark.parametrize("policy", EVERY, ids=str)
def test_every_policy_goes_to_json_and_back(policy: AutomationPolicy) -> None:
    assert from_json(AutomationPolicy, to_json(policy)) == policy
    assert hash(policy) == hash(from_json(AutomationPolicy, to_json(policy)))


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("eager", eager()),
        ("stale", eager()),
        ({"every": "15m"}, eager(every=timedelta(minutes=15))),
        ({"cron": "0 9 * * MON-FRI"}, on_cron("0 9 * * MON-FRI")),
        ({"hours": ["08:00", "20:00"], "timezone": "Europe/Berlin"}, between("08:00", "20:00", "Europe/Berlin")),
        ({"when": "missing", "last": 3, "since": "2026-01-01"}, on_missing(last=3, since="2026-01-01")),
        ({"not": "code_changed"}, not_(code_changed())),
        ({"all_of": ["eager", {"not": {"when": "missing"}}]}, all_of(eager(), not_(missing()))),
        (
            {"when": "upstream_changed", "upstream": "raw", "wait_for": "any"},
            upstream_changed("raw").wait_for("any"),
        ),
    ],
    ids=str,
)
def test_files_say_the_same(said: Any, meant: AutomationPolicy) -> None:
    assert read_policy(said) == meant


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("eeger", "did you mean 'eager'"),
        ({"evry": "15m"}, "did you mean 'every'"),
        ({"every": "15x"}, "'15x' is no span of time"),
        ({"every": "0s"}, "positive timedelta"),
        ({"cron": "61 * * * *"}, "61"),
        ({"cron": "@daily", "timezone": "Europe/Berlln"}, "Europe/Berlin"),
        ({"hours": ["8:00", "20:00"]}, "two times of day"),
        ({"hours": "08:00"}, "two times of day"),
        ({"when": "on_cron"}, "takes a cron text"),
        ({"when": "missing", "last": 0}, "above 0"),
        ({"any_of": []}, "at least one policy"),
        ({"when": "eager", "upstream": "raw"}, "no selection of inputs"),
        ({"wait_for": "some"}, "'all' or 'any'"),
        ({"since": "yesterday"}, "'yesterday' is no date"),
        ({"timezone": "Europe/Berlin"}, "says nothing with a timezone"),
        ({}, "no automation policy"),
        (5, "no automation policy"),
    ],
    ids=str,
)
def test_what_is_wrong_is_told_with_its_place(said: Any, told: str) -> None:
    with pytest.raises(DefinitionError) as raised:
        read_policy(said, "assetry.toml:7")
    assert told in str(raised.value)
    assert raised.value.where == "assetry.toml:7"


def test_each_word_is_explained_and_can_be_made() -> None:
    made = {policy.when for policy in EVERY} | {part.when for policy in EVERY for part in policy.of}
    assert set(WORDS) - made == {"failed", "provisional"}


@pytest.mark.parametrize("text", ["", "5", "1h 2", "h", "-5m", True, None, "1.5h"])
def test_what_is_no_span_is_refused(text: Any) -> None:
    with pytest.raises(DefinitionError, match="no span of time"):
        read_span(text, "every")
