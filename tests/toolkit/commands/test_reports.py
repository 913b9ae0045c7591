"""Lines of JSON of a tool become events of the assets that were asked for."""

from __future__ import annotations

import json
from typing import Any

import pytest
from assetry.plugin import Asset, Column, Failed, Integration, Invocation, InvocationGroup, Log, Materialized, RunError
from assetry_toolkit.commands import json_events

MILL = Integration("shop", "mill")
ASSETS = tuple(Asset(key=f"shop/{name}", kind="mill", integration=MILL) for name in ("orders", "users"))


def read(**fact: Any) -> list[Any]:
    invocation = Invocation(id="1", group=InvocationGroup("mill"), integration=MILL, assets=ASSETS[:1], also=ASSETS[1:])
    return list(json_events(invocation)(json.dumps(fact)))


def test_a_fact_becomes_an_event_with_its_fields() -> None:
    columns = [{"name": "id", "type": "BIGINT"}]
    made = Materialized("shop/orders", metadata={"rows": 7}, columns=(Column("id", "BIGINT"),))
    assert read(event="materialized", name="orders", metadata={"rows": 7}, columns=columns) == [made]
    assert read(event="failed", name="users", message="No.", hint="Ask.") == [Failed("shop/users", "No.", hint="Ask.")]


def test_what_was_not_asked_for_is_left_out_and_other_lines_are_logged() -> None:
    assert read(event="materialized", name="others") == []
    assert read(level=7) == [Log('{"level": 7}')]


@pytest.mark.parametrize("fact", [{"event": "made"}, {"event": "failed"}, {"event": "failed", "mesage": "No."}])
def test_what_is_no_event_is_an_error_with_the_line(fact: dict[str, Any]) -> None:
    with pytest.raises(RunError, match=r"A line of the tool is no event"):
        read(name="orders", **fact)
