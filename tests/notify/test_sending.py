"""Sending: each root cause once, to those whom it concerns, and nothing lost or told twice."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from assetry import Project
from assetry.errors import UsageError
from assetry.plugin import Attempt, RunInfo
from assetry_notify import Held
from assetry_notify.messages import Message
from assetry_notify.outbox import MOST, Outbox
from assetry_notify.problems import situation
from assetry_notify.sending import _note, send
from assetry_notify.targets import read_table
from assetry_toolkit.testing import FakeClock

from tests.notify.shop import Shop, told, webhook
from tests.toolkit.loopback import Answer, Service, serving


@pytest.fixture
def service() -> Iterator[Service]:
    with serving(lambda _: Answer(204)) as found:
        yield found


@pytest.fixture
def shop(tmp_path: Path, service: Service) -> Shop:
    return Shop(tmp_path, webhook(service.url))


def test_one_message_tells_of_a_root_cause_and_of_how_much_is_skipped_because_of_it(
    shop: Shop, service: Service
) -> None:
    shop.breaks("raw", "no disk")
    run = shop.make()
    assert shop.send().sent == {"ops": 1}
    (asked,) = service.asked
    message = asked.json
    failed = next(each for each in message["items"] if each["event"] == "failed")
    assert (failed["root"], failed["run"], failed["owners"]) == ("raw", run, ["ana"])
    assert sorted(failed["skipped"]) == ["dash", "deep"]
    assert "`raw` failed: " in message["text"]
    assert "no disk" in message["text"]
    assert "2 assets below were skipped because of it" in message["text"]
    assert asked.headers["Idempotency-Key"] == message["id"]
    # `dash` was never made, which its policy does not allow: told with the cause, and nothing of `deep`.
    assert told(service.asked) == [("failed", "raw", "new"), ("overdue", "raw", "new")]
    assert message["title"] == "shop: 1 failed, 1 overdue"


def test_what_was_told_is_not_told_again_and_what_recovers_is(shop: Shop, service: Service) -> None:
    shop.breaks("alone", "no disk")
    shop.make()
    shop.send()
    shop.make()  # it fails once more
    assert shop.send().sent == {}
    shop.mends("alone")
    shop.make("alone")
    assert shop.send().sent == {"ops": 1}
    assert told(service.asked) == [("failed", "alone", "new"), ("recovered", "alone", "over")]
    assert "Recovered: `alone` (failed since " in service.asked[-1].json["text"]
    assert shop.send().sent == {}


def test_what_goes_on_for_long_is_told_again_unless_that_is_not_wanted(tmp_path: Path, service: Service) -> None:
    shop = Shop(tmp_path, webhook(service.url) + webhook(service.url, "once", 'remind = "never"'))
    shop.breaks("alone", "no disk")
    shop.make()
    now = datetime.now(UTC)
    assert shop.send(now=now).sent == {"ops": 1, "once": 1}
    assert shop.send(now=now + timedelta(hours=11)).sent == {}
    assert shop.send(now=now + timedelta(hours=13)).sent == {"ops": 1}
    assert told(service.asked[2:]) == [("failed", "alone", "still")]


def test_a_target_is_told_of_its_own_assets_and_of_what_they_wait_for(tmp_path: Path, service: Service) -> None:
    tables = webhook(service.url, "deep", 'select = "deep"') + webhook(service.url, "other", 'select = "tag:other"')
    shop = Shop(tmp_path, tables)
    shop.breaks("raw", "no disk")
    shop.make()
    assert shop.send().sent == {"deep": 1}
    assert told(service.asked) == [("failed", "raw", "new")]


def test_a_target_that_hears_only_of_recoveries_is_told_of_them(tmp_path: Path, service: Service) -> None:
    shop = Shop(tmp_path, webhook(service.url, more='events = ["recovered"]'))
    shop.breaks("alone", "no disk")
    shop.make()
    assert shop.send().sent == {}
    shop.mends("alone")
    shop.make("alone")
    assert shop.send().sent == {"ops": 1}
    assert told(service.asked) == [("recovered", "alone", "over")]


def test_what_was_called_off_since_has_not_recovered(shop: Shop, service: Service) -> None:
    shop.make("alone")
    shop.breaks("alone", "no disk")
    shop.make()
    shop.send()
    with shop.open() as project:
        now = datetime.now(UTC)
        lease = project.store.begin(RunInfo(id="r9", state="running", started=now))
        key = project.graph["alone"].key
        called_off = Attempt(key=key, run="r9", at=now, outcome="cancelled", message="the run was cancelled")
        project.store.append([], [], [called_off], lease=lease)
        project.store.finish("r9", "cancelled", now, lease=lease)
        assert project.status_of("alone").status == "stale"
    assert shop.send().sent == {}
    shop.mends("alone")
    shop.make("alone")
    shop.send()
    assert told(service.asked) == [("failed", "alone", "new"), ("recovered", "alone", "over")]


def test_data_that_is_overdue_is_told_once_and_not_again_when_only_its_cause_changes(
    shop: Shop, service: Service
) -> None:
    shop.make()
    later = datetime.now(UTC) + timedelta(hours=25)
    assert shop.send(now=later).sent == {"ops": 1}
    assert told(service.asked) == [("overdue", "dash", "new")]
    shop.breaks("raw", "no disk")
    shop.make()
    assert shop.send(now=later + timedelta(minutes=1)).sent == {"ops": 1}
    assert told(service.asked[1:]) == [("failed", "raw", "new")]
    shop.mends("raw")
    shop.make()
    assert shop.send().sent == {"ops": 1}
    assert sorted(told(service.asked[2:])) == [("recovered", "raw", "over"), ("recovered", "raw", "over")]


def test_what_a_scheduler_holds_is_told_until_it_says_that_it_does_not(shop: Shop, service: Service) -> None:
    shop.make()
    surge = Held(["raw", "dash"], "2 assets from macro `cents`: `assetry resume`")
    assert shop.send([surge]).sent == {"ops": 1}
    assert "`raw`, `dash` are held: 2 assets from macro `cents`: `assetry resume`" in service.asked[0].json["text"]
    assert shop.send([surge]).sent == {}
    assert shop.send([]).sent == {"ops": 1}
    assert told(service.asked) == [("held", "raw", "new"), ("recovered", "raw", "over")]


def test_what_automation_holds_is_told_without_being_said(shop: Shop, service: Service) -> None:
    shop.make()
    assetry(shop, "hold", "-s", "raw", "--because", "the source is moved")
    assert shop.send().sent == {"ops": 1}
    assert "the source is moved" in service.asked[0].json["text"]
    assert shop.send().sent == {}
    assetry(shop, "resume", "-s", "raw")
    assert shop.send().sent == {"ops": 1}
    assert told(service.asked) == [("held", "raw", "new"), ("recovered", "raw", "over")]


def assetry(shop: Shop, *arguments: str) -> None:
    command = [sys.executable, "-m", "assetry", *arguments]
    subprocess.run(command, cwd=shop.folder, check=True, capture_output=True, timeout=120)


def test_a_failing_hook_of_a_tool_is_told_though_no_asset_failed(tmp_path: Path, service: Service) -> None:
    shop = Shop(tmp_path, webhook(service.url))
    (tmp_path / "assetry_plugins.py").write_text(
        "from assetry.plugin import TEXTS, Asset, Materialized, RunError, hookimpl\n"
        'ASSETRY_KINDS = {"mill": {}}\n'
        "@hookimpl\n"
        "def assetry_load_assets(integration):\n"
        '    return [Asset(key="flour", kind="mill", integration=integration)]\n'
        "@hookimpl\n"
        "def assetry_invoke(invocation, context):\n"
        "    for asset in invocation.assets:\n"
        "        yield Materialized(asset.key)\n"
        '    raise RunError("on-run-end failed")\n'
    )
    shop.tables = f'[integrations.mill]\nkind = "mill"\n{shop.tables}'
    (tmp_path / "assetry.toml").write_text('name = "shop"\n[integrations.mill]\nkind = "mill"\n')
    with Project.load(tmp_path) as project:
        run = project.materialize().run
        assert run.state == "failed"
    shop.send()
    (event,) = told(service.asked)
    assert event == ("failed", f"run {run.id}", "new")
    assert "on-run-end failed" in service.asked[0].json["text"]


# -- targets that do not take it ----------------------------------------------------------------------------------


def test_what_a_dead_target_did_not_take_is_kept_and_sent_later_once(shop: Shop, service: Service) -> None:
    service.answers = [Answer(500)] * 3
    shop.breaks("alone", "no disk")
    shop.make()
    now = datetime.now(UTC)
    sent = shop.send(now=now)
    assert (sent.ok, sent.sent, sent.waiting) == (False, {}, {"ops": 1})
    assert "HTTP 500" in str(sent.errors["ops"])
    assert len(service.asked) == 3, "tried three times, with pauses"
    assert shop.send(now=now + timedelta(seconds=30)).waiting == {"ops": 1}
    assert len(service.asked) == 3, "left alone for a minute"
    assert shop.send(now=now + timedelta(minutes=2)).sent == {"ops": 1}
    assert len({each.json["id"] for each in service.asked}) == 1
    assert shop.send(now=now + timedelta(hours=2)).waiting == {}
    assert len(service.asked) == 4


def test_the_wish_of_a_busy_target_to_be_left_alone_is_heeded(shop: Shop, service: Service) -> None:
    service.answers = [Answer(429, headers={"Retry-After": "7"})]
    shop.breaks("alone", "no disk")
    shop.make()
    clock = FakeClock()
    assert shop.send(clock=clock).sent == {"ops": 1}
    assert sum(clock.slept) == pytest.approx(7, abs=1)


def test_one_that_asks_to_be_left_alone_for_long_is_and_no_process_waits_for_it(shop: Shop, service: Service) -> None:
    service.answers = [Answer(429, headers={"Retry-After": "600"})]
    shop.breaks("alone", "no disk")
    shop.make()
    now, clock = datetime.now(UTC), FakeClock()
    assert shop.send(now=now, clock=clock).waiting == {"ops": 1}
    assert clock.slept == []
    assert shop.send(now=now + timedelta(minutes=9)).sent == {}
    assert shop.send(now=now + timedelta(minutes=11)).sent == {"ops": 1}
    assert len(service.asked) == 2


def test_messages_are_sent_in_their_order_also_after_a_pause(shop: Shop, service: Service) -> None:
    service.answers = [Answer(500)] * 3
    shop.breaks("alone", "no disk")
    shop.make()
    now = datetime.now(UTC)
    shop.send(now=now)
    shop.mends("alone")
    shop.make("alone")
    assert shop.send(now=now + timedelta(seconds=1)).waiting == {"ops": 2}
    assert shop.send(urgent=True, now=now + timedelta(seconds=2)).sent == {"ops": 2}
    assert told(service.asked[3:]) == [("failed", "alone", "new"), ("recovered", "alone", "over")]


def test_a_dead_target_keeps_no_other_from_being_told(tmp_path: Path, service: Service) -> None:
    shop = Shop(tmp_path, webhook("http://127.0.0.1:9", "dead") + webhook(service.url, "alive"))
    shop.breaks("alone", "no disk")
    shop.make()
    sent = shop.send()
    assert (sent.sent, sent.waiting) == ({"alive": 1}, {"dead": 1})
    assert "cannot be reached" in str(sent.errors["dead"])


def test_many_messages_that_wait_are_not_kept_for_ever_and_their_number_is(shop: Shop) -> None:
    with shop.open() as project:
        outbox = Outbox(project.store, "ops")
        for number in range(MOST + 3):
            message = Message(str(number), "shop", "2026-01-01T00:00:00+00:00", ())
            outbox.change(lambda state, message=message: (state.with_message(message), None))
        state = outbox.state
    assert (len(state.waiting), state.left_out, state.waiting[0].message.id) == (MOST, 3, "3")


def test_two_processes_that_tell_at_once_do_not_tell_twice(tmp_path: Path) -> None:
    entered, may_answer = threading.Event(), threading.Event()

    def slowly(_: Any) -> Answer:
        entered.set()
        may_answer.wait(60)
        return Answer(204)

    with serving(slowly) as service:
        shop = Shop(tmp_path, webhook(service.url))
        shop.breaks("alone", "no disk")
        shop.make()
        with shop.open() as first, shop.open() as second:
            telling = threading.Thread(target=send, args=(first,))
            telling.start()
            assert entered.wait(60)
            other = send(second)
            assert (other.sent, other.waiting) == ({}, {"ops": 1}), "the first one has it"
            may_answer.set()
            telling.join(60)
        assert shop.send().waiting == {}
        assert told(service.asked) == [("failed", "alone", "new")]


def test_what_a_process_took_along_when_it_was_killed_is_sent_by_another(shop: Shop, service: Service) -> None:
    shop.breaks("alone", "no disk")
    shop.make()
    now = datetime.now(UTC)
    with shop.open() as project:
        (target,) = read_table(project.settings.tables).targets
        _note(project, target, situation(project, now), now)
        assert len(Outbox(project.store, "ops").take(now)) == 1
    assert shop.send(now=now + timedelta(minutes=9)).sent == {}
    assert shop.send(now=now + timedelta(minutes=11)).sent == {"ops": 1}


# -- secrets ------------------------------------------------------------------------------------------------------


def test_a_secret_that_is_not_set_keeps_the_message_and_names_the_variable(
    tmp_path: Path, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = Shop(tmp_path, '[notify.ops]\nkind = "slack"\nurl = { env = "THE_SLACK_URL" }\n')
    shop.breaks("alone", "no disk")
    shop.make()
    sent = shop.send()
    assert isinstance(sent.errors["ops"], UsageError)
    assert "THE_SLACK_URL" in str(sent.errors["ops"])
    monkeypatch.setenv("THE_SLACK_URL", f"{service.url}/services/T0/B0/s3cret")
    assert shop.send(urgent=True).sent == {"ops": 1}
    assert service.asked[0].path == "/services/T0/B0/s3cret"


def test_a_secret_stands_in_no_error_and_in_no_record(
    tmp_path: Path, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    service.answer = lambda asked: Answer(403, {"error": f"no {asked.path} for {asked.headers['Authorization']}"})
    monkeypatch.setenv("HOOK_URL", f"{service.url}/services/s3cret-path")
    monkeypatch.setenv("HOOK_TOKEN", "s3cret-token")
    shop = Shop(
        tmp_path,
        '[notify.ops]\nkind = "webhook"\nurl = { env = "HOOK_URL" }\ntoken = { env = "HOOK_TOKEN" }\n',
    )
    shop.breaks("alone", "no disk")
    shop.make()
    sent = shop.send()
    assert service.asked[0].headers["Authorization"] == "Bearer s3cret-token"
    assert "refused" in str(sent.errors["ops"])
    kept = b"".join(path.read_bytes() for path in (tmp_path / ".assetry").rglob("*") if path.is_file())
    assert b"no disk" in kept
    assert "s3cret" not in str(sent.errors["ops"])
    assert b"s3cret" not in kept


def test_a_selection_that_is_wrong_keeps_no_other_target_from_being_told(tmp_path: Path, service: Service) -> None:
    shop = Shop(tmp_path, webhook(service.url, "wrong", 'select = "alon"') + webhook(service.url))
    shop.breaks("alone", "no disk")
    shop.make()
    sent = shop.send()
    assert (sent.sent, sent.ok) == ({"ops": 1}, False)
    assert "did you mean 'alone'" in str(sent.errors["wrong"])


def test_what_is_not_defined_any_more_is_told_as_over(shop: Shop, service: Service) -> None:
    shop.breaks("alone", "no disk")
    shop.make()
    shop.send()
    assets = shop.folder / "assets.py"
    assets.write_text(assets.read_text().replace("def alone()", "def single()"))
    shop.send()
    assert ("recovered", "alone", "over") in told(service.asked)


def test_what_an_asset_failed_at_in_partitions_is_one_problem(shop: Shop, service: Service) -> None:
    with (shop.folder / "assets.py").open("a") as assets:
        assets.write(
            "\nfrom assetry import StaticPartitionsDefinition\n"
            '@asset(partitions_def=StaticPartitionsDefinition(["a", "b", "c"]))\n'
            "def parts(context) -> list:\n"
            '    if context.partition != "b":\n        raise ValueError("no " + context.partition)\n'
            "    return [1]\n"
        )
    (shop.folder / "assetry.toml").write_text("")
    with Project.load(shop.folder) as project:
        project.materialize(partition="all")
    shop.send()
    (item,) = (each for each in service.asked[0].json["items"] if each["root"] == "parts")
    assert item["event"] == "failed"
    assert "2 of 3 partitions" in item["text"]
