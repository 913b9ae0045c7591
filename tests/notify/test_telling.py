"""Telling while runs go on: in a process of its own, whatever the target does."""

from __future__ import annotations

import io
import json
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from assetry import Project
from assetry.plugin import EventRecord, Failed, OptionError, RunInfo, UsageError
from assetry_notify import telling
from assetry_notify.outbox import SPACE, Outbox
from assetry_notify.plugin import assetry_event
from assetry_toolkit.testing import FakeClock

from tests.notify.shop import Shop, told, webhook
from tests.toolkit.loopback import Answer, Asked, Service, serving

WAIT = 90.0
RUN = RunInfo(id="r", state="running", started=datetime(2026, 1, 1, tzinfo=UTC))
FAILED = EventRecord(at=RUN.started, run="r", event=Failed("raw", "no disk"))


class Post:
    """A webhook that hangs until it may answer, and says when it was asked."""

    def __init__(self) -> None:
        self.came, self.may_answer = threading.Event(), threading.Event()

    def __call__(self, _: Asked) -> Answer:
        self.came.set()
        self.may_answer.wait(WAIT)
        return Answer(204)


@pytest.fixture
def post() -> Iterator[Post]:
    found = Post()
    yield found
    found.may_answer.set()


@pytest.fixture
def service(post: Post) -> Iterator[Service]:
    with serving(post) as found:
        yield found


def settled(shop: Shop, waiting: int) -> None:
    """Wait until as many messages wait for `ops`, and none is being sent."""
    end = time.monotonic() + WAIT
    while True:
        with shop.open() as project:
            found = Outbox(project.store, "ops").state
        if found.known and len(found.waiting) == waiting and all(each.taken is None for each in found.waiting):
            return
        assert time.monotonic() < end, found
        threading.Event().wait(0.05)


def test_a_run_does_not_wait_for_a_target_that_hangs_and_the_message_arrives_after_it(
    tmp_path: Path, service: Service, post: Post
) -> None:
    shop = Shop(tmp_path, webhook(service.url))
    shop.breaks("alone", "no disk")
    with shop.open() as project:
        run = project.materialize().run
    assert run.state == "failed"
    assert post.came.wait(WAIT), "somebody tells, after the run has ended and its project is closed"
    post.may_answer.set()
    settled(shop, waiting=0)
    assert told(service.asked) == [("failed", "alone", "new")]
    assert service.asked[0].json["items"][0]["run"] == run.id


def test_a_failure_is_told_while_the_run_goes_on(tmp_path: Path, service: Service, post: Post) -> None:
    shop = Shop(tmp_path, f'[notify]\nbatch = "0s"\n{webhook(service.url)}')
    shop.breaks("alone", "no disk")
    post.may_answer.set()
    with (tmp_path / "assets.py").open("a") as assets:
        assets.write(
            "\n@asset\ndef long() -> list:\n    import time\n    end = time.monotonic() + 90\n"
            "    while not (HERE / 'told').exists() and time.monotonic() < end:\n        time.sleep(0.05)\n"
            "    assert (HERE / 'told').exists()\n    return [1]\n"
        )
    post.came.clear()

    def go_on() -> None:
        post.came.wait(WAIT)
        (tmp_path / "told").touch()

    waiting = threading.Thread(target=go_on)
    waiting.start()
    with shop.open() as project:
        result = project.materialize(["alone", "long"])
    waiting.join(WAIT)
    assert "long" in map(str, result.keys("materialized"))
    settled(shop, waiting=0)


def test_a_dead_target_neither_fails_the_run_nor_loses_the_message(tmp_path: Path) -> None:
    shop = Shop(tmp_path, webhook("http://127.0.0.1:9"))
    shop.make()
    with shop.open() as project:
        assert project.materialize("alone").ok
    shop.breaks("alone", "no disk")
    with shop.open() as project:
        assert project.materialize("alone").run.state == "failed"
    settled(shop, waiting=1)


# -- what the process does, in this one ---------------------------------------------------------------------------


def task(shop: Shop, **more: Any) -> io.BytesIO:
    store = f"sqlite:{shop.folder}/.assetry/state.db"
    return io.BytesIO(json.dumps({"root": str(shop.folder), "store": store, "pause": 0.0, **more}).encode())


def test_what_kept_everything_from_being_told_is_kept_until_it_is_over(tmp_path: Path) -> None:
    with serving(lambda _: Answer(204)) as service:
        shop = Shop(tmp_path, webhook(service.url, more='select = "alon"'))
        run = shop.make()
        shop.open().close()
        assert telling.main(task(shop, run=run, over=True), FakeClock()) == 1
        with Project.load(tmp_path) as project:
            trouble = project.store.documents(SPACE)[telling.TROUBLE].value["text"]
        assert "alon" in trouble
        shop.tables = webhook(service.url)
        shop.open().close()
        assert telling.main(task(shop, run=run, over=True), FakeClock()) == 0
        with Project.load(tmp_path) as project:
            assert telling.TROUBLE not in project.store.documents(SPACE)


def test_a_run_whose_end_is_not_recorded_yet_is_waited_for_but_not_for_ever(tmp_path: Path) -> None:
    with serving(lambda _: Answer(204)) as service:
        shop = Shop(tmp_path, webhook(service.url))
        shop.make()
        with shop.open() as project:
            lease = project.store.begin(RunInfo(id="r9", state="running", started=datetime.now(UTC)))
            clock = FakeClock()
            assert telling.main(task(shop, run="r9", over=True), clock) == 0
            assert sum(clock.slept) == pytest.approx(telling.PATIENCE, abs=1)
            project.store.finish("r9", "succeeded", datetime.now(UTC), lease=lease)


class Context:
    """What the hook is given, of a project whose records end with it."""

    root, recorded, store_url, store = ".", False, "sqlite::memory:", None

    def __init__(self, tables: dict[str, Any]) -> None:
        self.tables = tables


def test_hook_assetry_event_says_when_nobody_can_be_told_and_what_is_wrong_with_a_table() -> None:
    ops = {"ops": {"kind": "webhook", "url": "http://127.0.0.1:9"}}
    with pytest.raises(UsageError, match="its records end with it"):
        assetry_event(event=FAILED, run=RUN, context=Context({"notify": ops}))  # type: ignore[arg-type]
    wrong = {"ops": {"kind": "webhook", "ulr": "http://127.0.0.1:9"}}
    with pytest.raises(OptionError, match=r"\[notify.ops\] has no option 'ulr'"):
        assetry_event(event=FAILED, run=RUN, context=Context({"notify": wrong}))  # type: ignore[arg-type]
    assetry_event(event=FAILED, run=RUN, context=Context({}))  # type: ignore[arg-type]
