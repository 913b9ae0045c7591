"""`assetry notify`: tell by cron, try a target, see what waits."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.notify.shop import ASSETS, told, webhook
from tests.toolkit.loopback import Answer, Service, serving


@pytest.fixture
def service() -> Iterator[Service]:
    with serving(lambda _: Answer(204)) as found:
        yield found


@pytest.fixture
def shop(project: Any, service: Service) -> Any:
    made = project({"assets.py": ASSETS, "assetry.toml": ""})
    made.write("alone.txt", "no disk")
    made.run("materialize").assert_code(1)
    made.write("assetry.toml", webhook(service.url))
    return made


def test_hook_assetry_add_commands_send_tells_what_is_new_and_then_nothing(shop: Any, service: Service) -> None:
    assert "ops: 1 message sent" in shop.run("notify", "send").assert_code(0).out
    assert told(service.asked) == [("failed", "alone", "new")]
    assert "ops: nothing new" in shop.run("notify", "send").assert_code(0).out
    assert len(service.asked) == 1


def test_what_cannot_be_sent_is_told_with_exit_code_1_and_by_status_until_it_is(shop: Any, service: Service) -> None:
    service.answers = [Answer(410, {"error": "no_service"})]
    sent = shop.run("notify", "send").assert_code(1)
    assert "ops: nothing new, 1 to be sent later" in sent.out
    assert "no_service" in sent.err
    status = shop.run("notify", "status").assert_code(1)
    assert "no_service" in status.err
    (row,) = shop.run("notify", "status", "--output", "json").data["targets"]
    assert ([each["root"] for each in row["open"]], len(row["waiting"])) == (["alone"], 1)
    assert "ops: 1 message sent" in shop.run("notify", "send").assert_code(0).out
    assert "ops (webhook): 1 told and not over, 0 to be sent" in shop.run("notify", "status").assert_code(0).out


def test_a_target_is_tried_at_once_and_told_nothing_else(shop: Any, service: Service) -> None:
    assert "ops: the test was taken." in shop.run("notify", "test", "ops").assert_code(0).out
    assert service.asked[0].json["items"] == []
    assert "This is a test" in service.asked[0].json["text"]
    assert "did you mean 'ops'" in shop.run("notify", "test", "opps").assert_code(2).err
    service.answers = [Answer(404, {"error": "channel_not_found"})]
    assert "channel_not_found" in shop.run("notify", "test", "ops").err


def test_a_wrong_table_is_an_error_with_its_line(shop: Any) -> None:
    shop.write("assetry.toml", 'name = "shop"\n[notify.ops]\nkind = "slak"\nurl = "x"\n')
    said = shop.run("notify", "send").err
    assert "did you mean 'slack'" in said
    assert "assetry.toml:3" in said


def test_a_project_that_names_nobody_says_how(shop: Any) -> None:
    shop.write("assetry.toml", "")
    assert "[notify.ops]" in shop.run("notify", "send").assert_code(2).err
