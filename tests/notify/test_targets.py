"""Targets: what the tables may say, and what is said of what they may not."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from assetry.errors import OptionError
from assetry_notify.targets import read_table

URL = {"env": "HOOK_URL"}


def test_what_is_not_said_is_filled_in_and_the_general_table_counts_for_all() -> None:
    table = read_table({"notify": {"batch": "0s", "remind": "1d", "ops": {"kind": "slack", "url": URL}}})
    (ops,) = table.targets
    assert (table.batch, ops.remind, ops.timeout) == (timedelta(0), timedelta(days=1), 30.0)
    assert ops.given == {"url": URL}
    own = {"kind": "slack", "url": URL, "remind": "never", "events": "failed"}
    (quiet,) = read_table({"notify": {"remind": "1d", "ops": own}}).targets
    assert (quiet.remind, quiet.events) == (None, ("failed",))
    assert read_table({}).targets == ()


@pytest.mark.parametrize(
    ("table", "said", "near"),
    [
        ({"kind": "slack"}, r"\[notify.ops\] needs the option 'url'", ()),
        ({"kind": "slack", "url": "https://hooks.slack.com/x"}, "'url' of .* is given as a value", ()),
        ({"kind": "webhook", "url": "http://x", "tokn": URL}, "has no option 'tokn'", ("token",)),
        ({"kind": "webhook", "url": "http://x", "events": ["faild"]}, "'faild' is no event", ("failed",)),
        ({"kind": "webhook", "url": "http://x", "remind": "soon"}, "'soon' is no span of time", ()),
        ({"kind": "mail"}, "must be 'slack', 'teams', 'email', 'webhook' or 'command', not 'mail'", ("email",)),
        ({}, r"\[notify.ops\] needs the option 'kind'", ()),
    ],
)
def test_what_cannot_be_meant_is_an_error(table: dict[str, Any], said: str, near: tuple[str, ...]) -> None:
    with pytest.raises(OptionError, match=said) as caught:
        read_table({"notify": {"ops": table}})
    assert tuple(caught.value.near)[: len(near)] == near
    assert "hooks.slack.com" not in str(caught.value)


def test_a_word_of_notify_itself_that_is_none_is_an_error() -> None:
    with pytest.raises(OptionError, match="has no option 'bath'") as caught:
        read_table({"notify": {"bath": "1m"}})
    assert "[notify.NAME]" in (caught.value.hint or "")
