"""The example project and its service, as two processes: what is sent, what goes wrong, what survives."""

import base64
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from assetry.testing import ProjectFolder, eventually
from server import Books

HERE = Path(__file__).parents[1]
FILES = ("assetry.toml", "parcel.json", "service.json", "shop_assets.py")
KEY = "k3y-of-the-shop/+"
SENT = ("contacts", "scores", "audience")


class Parcel:
    """The service as a process, and its books."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.books = Books(file.parent / ".parcel")
        self.port = "0"
        self.process: subprocess.Popen[str] | None = None

    def start(self) -> str:
        """Start it, at the port from before if there was one; return its address."""
        command = [sys.executable, str(HERE / "server.py"), str(self.file), "--port", self.port]
        environment = {**os.environ, "PARCEL_API_KEY": KEY}
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
        assert self.process.stdout
        url = self.process.stdout.readline().split()[-1]
        self.port = url.rsplit(":", 1)[1]
        return url

    def kill(self) -> None:
        if self.process:
            with self.process:
                self.process.kill()
        self.process = None

    def statuses(self, sync: str) -> list[str]:
        """Return how the runs of a sync stand, oldest first."""
        return [run["status"] for run in reversed(self.books.runs("sync = ?", sync))]

    def sent(self, place: str) -> list[dict[str, Any]]:
        lines = (self.books.home / "sent" / f"{place}.jsonl").read_text().splitlines()
        return [json.loads(line) for line in lines]


@pytest.fixture
def shop(project: Callable[[Mapping[str, str]], ProjectFolder], monkeypatch: pytest.MonkeyPatch) -> ProjectFolder:
    monkeypatch.setenv("PARCEL_API_KEY", KEY)
    return project({name: (HERE / "shop" / name).read_text() for name in FILES})


@pytest.fixture
def parcel(shop: ProjectFolder) -> Iterator[Parcel]:
    parcel = Parcel(shop.root / "service.json")
    try:
        url = parcel.start()
        text = (HERE / "shop" / "assetry.toml").read_text().replace("http://127.0.0.1:8321", url)
        shop.write("assetry.toml", f"{text}poll_every = 0.1\n")
        yield parcel
    finally:
        parcel.kill()


def test_tables_are_made_and_then_sent(shop: ProjectFolder, parcel: Parcel) -> None:
    outcome = (
        shop.materialize().assert_ok().assert_materialized("customers", "customer_scores", "best_customers", *SENT)
    )
    assert outcome.launches == 2, "a sync is one run, however many objects it sends"
    assert parcel.sent("adhouse/audience") == [{"email": "ada@example.com", "score": 0.8}]
    assert outcome.ends["parcel/crm/contacts"]["metadata"] == {"rows": 2, "rejected": 1, "run": 1}
    assert "Rejected rows: 1." in json.dumps(outcome.events)
    assert counts(shop) == {"fresh": 6}


def test_a_sync_that_is_chosen_in_part_runs_as_a_whole_and_the_plan_says_so(
    shop: ProjectFolder, parcel: Parcel
) -> None:
    shop.materialize().assert_ok()
    shop.run("plan", "-s", "parcel/crm/contacts").assert_ok().assert_said(
        "makes +parcel/crm/contacts", "also +parcel/crm/scores"
    )
    shop.materialize("-s", "parcel/crm/contacts").assert_ok().assert_only_materialized("contacts", "scores")
    assert parcel.statuses("crm") == ["succeeded", "succeeded"]


@pytest.mark.usefixtures("parcel")
def test_what_is_sent_is_stale_when_its_table_or_its_definition_changes(shop: ProjectFolder) -> None:
    shop.materialize().assert_ok()
    syncs = (shop.root / "parcel.json").read_text()
    shop.write("parcel.json", syncs.replace('"upsert"', '"replace"', 1))
    assert counts(shop) == {"fresh": 5, "stale": 1}
    shop.write("parcel.json", syncs)
    shop.write("shop_assets.py", (shop.root / "shop_assets.py").read_text().replace("0.5", "0.1"))
    shop.run("status").assert_said("best_customers: its body changed", "1 below it is stale")
    shop.run("status", "--by", "asset").assert_said("parcel/ads/audience")


@pytest.mark.usefixtures("parcel")
def test_a_name_that_is_sent_still_means_the_table(shop: ProjectFolder) -> None:
    more = "@asset\ndef contacts_left(customers: pd.DataFrame) -> int:\n    return 0\n"
    after = '@asset(deps=["parcel/crm/customers"])\ndef letter() -> int:\n    return 1\n'
    shop.write("shop_assets.py", f"{(shop.root / 'shop_assets.py').read_text()}\n{more}\n{after}")
    for name in ("parcel.json", "service.json"):
        shop.write(name, (shop.root / name).read_text().replace('"contacts"', '"customers"'))
    outcome = shop.materialize().assert_ok()
    outcome.assert_materialized("parcel/crm/customers", "contacts_left", "letter")


def test_what_is_sent_is_told_at_once(shop: ProjectFolder, parcel: Parcel) -> None:
    with held(shop, parcel, "scores") as run:
        assert eventually(lambda: "parcel/crm/contacts" in made(run.log), 60), run.log.read_text()
        assert "parcel/crm/scores" not in made(run.log)
        parcel.books.unswitch("hold", "holding")
        assert run.process.wait(60) == 0
    assert "parcel/crm/scores" in made(run.log)


def test_a_killed_run_is_taken_up_again_where_its_sync_is(shop: ProjectFolder, parcel: Parcel) -> None:
    with held(shop, parcel, "scores") as run:
        assert eventually(lambda: '"job\\": ' in run.log.read_text(), 60), run.log.read_text()
        run.process.send_signal(signal.SIGKILL)
    assert parcel.statuses("crm") == ["running"], "it goes on without assetry"
    parcel.books.unswitch("hold", "holding")
    shop.retry().assert_ok().assert_materialized("scores")
    assert parcel.statuses("crm") == ["succeeded"], "no second run was started"
    assert counts(shop) == {"fresh": 6}


@pytest.mark.parametrize("how", ["cancelled", "vanished"])
def test_a_sync_that_is_over_while_assetry_is_away_is_started_anew(
    shop: ProjectFolder, parcel: Parcel, how: str
) -> None:
    with held(shop, parcel, "contacts") as run:
        assert eventually(lambda: '"job\\": ' in run.log.read_text(), 60), run.log.read_text()
        run.process.send_signal(signal.SIGKILL)
    over(parcel, how)
    parcel.books.unswitch("hold", "holding")
    shop.retry().assert_ok().assert_materialized("contacts", "scores")
    assert parcel.statuses("crm") == ([] if how == "vanished" else [how]) + ["succeeded"]


@pytest.mark.parametrize("how", ["cancelled", "lost"])
def test_a_sync_that_is_ended_by_others_fails_and_can_be_retried(shop: ProjectFolder, parcel: Parcel, how: str) -> None:
    with held(shop, parcel, "scores") as run:
        assert eventually(lambda: "parcel/crm/contacts" in made(run.log), 60), run.log.read_text()
        over(parcel, how)
        assert run.process.wait(60) == 1
    said = run.log.read_text()
    assert re.search("ended early, (cancelled|lost)", said), said
    assert "assetry retry" in said
    parcel.books.unswitch("hold", "holding")
    assert counts(shop)["failed"] == 1, "what had been sent stays sent"
    shop.retry().assert_ok().assert_materialized("scores")
    assert parcel.statuses("crm")[-1] == "succeeded"
    assert counts(shop) == {"fresh": 6}


def test_a_cancelled_run_cancels_its_sync(shop: ProjectFolder, parcel: Parcel) -> None:
    with held(shop, parcel, "scores") as run:
        assert eventually(lambda: '"job\\": ' in run.log.read_text(), 60), run.log.read_text()
        run.process.send_signal(signal.SIGINT)
        assert run.process.wait(60) == 130
    assert parcel.statuses("crm") == ["cancelled"]
    parcel.books.unswitch("hold", "holding")
    shop.retry().assert_ok().assert_materialized("scores")
    assert parcel.statuses("crm") == ["cancelled", "succeeded"]


@pytest.mark.parametrize("begins", ["queued", "eager"])
def test_a_sync_that_began_before_its_tables_were_made_does_not_count(
    shop: ProjectFolder, parcel: Parcel, begins: str
) -> None:
    parcel.books.switch(begins)
    parcel.books.switch("hold", "contacts")
    other = parcel.books.begin(json.loads((shop.root / "service.json").read_text())["syncs"][0])
    assert other
    with held(shop, parcel, "contacts") as run:
        assert eventually(lambda: "began before its inputs" in run.log.read_text(), 60), run.log.read_text()
        for name in ("contacts", "scores"):
            parcel.books.note(other, name, "sent", 7)
        assert eventually(lambda: parcel.statuses("crm")[1:] == ["running"], 60), run.log.read_text()
        parcel.books.unswitch("hold", "holding")
        assert run.process.wait(60) == 0, run.log.read_text()
    assert parcel.statuses("crm") == ["succeeded", "succeeded"]
    ends = [
        event
        for event in events(run.log)
        if event["event"] == "materialized" and event["asset"].startswith("parcel/crm")
    ]
    assert [end["metadata"]["rows"] for end in ends] == [2, 2], "not those of the other run"


def test_the_service_may_be_killed_as_well(shop: ProjectFolder, parcel: Parcel) -> None:
    with held(shop, parcel, "scores") as run:
        parcel.kill()
        parcel.books.unswitch("hold", "holding")
        parcel.start()
        assert run.process.wait(60) == 0, run.log.read_text()
    assert parcel.statuses("crm") == ["succeeded"]


def test_too_many_requests_are_asked_again_later_and_start_nothing_twice(shop: ProjectFolder, parcel: Parcel) -> None:
    for _ in range(3):
        parcel.books.switch("busy")
    with held(shop, parcel, "scores") as run:
        assert not parcel.books.switched("busy")
        for _ in range(3):
            parcel.books.switch("busy")
        assert eventually(lambda: not parcel.books.switched("busy"), 60), run.log.read_text()
        parcel.books.unswitch("hold", "holding")
        assert run.process.wait(60) == 0, run.log.read_text()
    assert {"parcel/crm/contacts", "parcel/crm/scores", "parcel/ads/audience"} <= made(run.log)
    assert (parcel.statuses("crm"), parcel.statuses("ads")) == (["succeeded"], ["succeeded"])


def test_an_object_that_fails_takes_no_other_with_it(shop: ProjectFolder, parcel: Parcel) -> None:
    parcel.books.switch("break", "contacts")
    outcome = shop.materialize().assert_code(1).assert_materialized("scores", "audience")
    outcome.assert_failed("contacts", "(?s)refuses contacts.*Correct it in Parcel or in the table")
    parcel.books.unswitch("break")
    shop.retry().assert_ok().assert_materialized("contacts", "scores")


def test_a_table_that_fails_leaves_its_sync_out(shop: ProjectFolder, parcel: Parcel) -> None:
    text = (shop.root / "shop_assets.py").read_text()
    shop.write("shop_assets.py", text.replace('known = customers.dropna(subset=["email"])', 'raise ValueError("none")'))
    outcome = shop.materialize().assert_code(1).assert_materialized("customers").assert_failed("customer_scores")
    outcome.assert_skipped(*SENT)
    assert parcel.statuses("crm") == []


def test_a_wrong_key_says_what_to_do(shop: ProjectFolder, parcel: Parcel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARCEL_API_KEY", "an-old-key")
    outcome = shop.materialize("-s", "+parcel/crm").assert_code(1)
    outcome.assert_failed(
        "contacts", "(?s)does not accept the API key.*Make a key in Parcel.*api_key under .integrations"
    )
    assert parcel.statuses("crm") == []
    shop.run("parcel", "pull").assert_said("does not accept the API key", "Make a key in Parcel")
    monkeypatch.delenv("PARCEL_API_KEY")
    shop.run("parcel", "pull").assert_said("PARCEL_API_KEY is not set")


def test_the_key_stands_in_no_record(shop: ProjectFolder, parcel: Parcel) -> None:
    parcel.books.switch("break", "contacts")
    shown = [
        shop.materialize(),
        shop.run("logs"),
        shop.run("parcel", "pull"),
        shop.run("show", "contacts"),
        shop.run("plan"),
    ]
    texts = [each.out + each.err for each in shown]
    files = [file.read_bytes() for file in shop.root.rglob("*") if file.is_file()]
    assert any(b"audience" in each for each in files)
    for secret in (KEY, base64.b64encode(KEY.encode()).decode(), base64.b64encode(f"Bearer {KEY}".encode()).decode()):
        assert not [each for each in texts if secret in each]
        assert not [each for each in files if secret.encode() in each]


@pytest.mark.usefixtures("parcel")
def test_syncs_are_pulled_into_a_file(shop: ProjectFolder) -> None:
    (shop.root / "parcel.json").unlink()
    shop.run("list").assert_code(3).assert_said("No syncs in .*parcel.json", "assetry parcel pull")
    shop.run("parcel", "pull").assert_ok().assert_said("Wrote parcel.json of parcel")
    shop.run("list").assert_ok().assert_said("parcel/crm/contacts", "parcel/ads/audience")
    assert json.loads((shop.root / "parcel.json").read_text()) == json.loads(
        (HERE / "shop" / "parcel.json").read_text()
    )


@pytest.mark.usefixtures("parcel")
def test_what_parcel_no_longer_has_says_what_to_do(shop: ProjectFolder) -> None:
    service = json.loads((shop.root / "service.json").read_text())
    service["syncs"] = [{**service["syncs"][0], "objects": service["syncs"][0]["objects"][:1]}]
    shop.write("service.json", json.dumps(service))
    outcome = shop.materialize().assert_code(1).assert_materialized("contacts")
    outcome.assert_failed("scores", "(?s)sends no scores.*assetry parcel pull")
    outcome.assert_failed("audience", "(?s)no sync 'ads'.*assetry parcel pull")


class Run:
    """A run of assetry in a process of its own."""

    def __init__(self, shop: ProjectFolder) -> None:
        self.log = shop.root / "log"
        command = [sys.executable, "-m", "assetry", "-C", str(shop.root), "materialize", "--output", "ndjson"]
        with self.log.open("wb") as out:
            self.process = subprocess.Popen(command, stdout=out, stderr=out)


@contextmanager
def held(shop: ProjectFolder, parcel: Parcel, name: str) -> Iterator[Run]:
    """Run everything until an object waits at the service."""
    parcel.books.switch("hold", name)
    run = Run(shop)
    with run.process:
        try:
            assert eventually(lambda: parcel.books.switched("holding"), 60), run.log.read_text()
            yield run
        finally:
            run.process.kill()


def over(parcel: Parcel, how: str) -> None:
    """Let what runs at the service come to its end, without assetry."""
    if how == "vanished":
        parcel.books.vanish()
    for run in parcel.books.runs():
        parcel.books.end(run["id"], how, "Somebody stopped it.")


def events(log: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.read_text().splitlines(keepends=True) if re.match(r"\{.*\}\n", line)]


def made(log: Path) -> set[str]:
    return {event["asset"] for event in events(log) if event["event"] == "materialized"}


def counts(shop: ProjectFolder) -> Any:
    return shop.run("status", "--output", "json").data["counts"]
