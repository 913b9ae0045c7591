"""A project of every kind of tool in one DuckDB file, and what its tools themselves say of how often they ran.

Fivetran twice, Airbyte hosted and local, Meltano, dbt twice and Python. The hosted services are fakes over HTTP, all
else is real: Meltano with our own extractor and loader, a connector that is a program, dbt within the process of the
run and as one of its own, DuckDB.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from random import Random
from threading import Timer
from typing import Any, Literal, NamedTuple

import duckdb
from assetry import Project
from assetry_airbyte.testing import FakeAirbyte
from assetry_fivetran.testing import FakeConnection, FakeFivetran, FakeSync

from tests.airbyte.local.scripted import KEYED, stream
from tests.airbyte.local.scripted import Bench as Connector
from tests.meltano.scripted import Bench as Meltano

#: Seconds that anything may take on a machine that is busy.
WAIT = 150

PROJECT = """
io = "duckdb:shop.duckdb"

[integrations.crm]
kind = "fivetran"
connection_id = "crm_1"
base_url = "{fivetran.url}"
api_key = "{fivetran.api_key}"

[integrations.ads]
kind = "fivetran"
connection_id = "ads_1"
base_url = "{fivetran.url}"
api_key = "{fivetran.api_key}"

[integrations.shop_api]
kind = "airbyte"
connection_id = "{orders}"
base_url = "{airbyte.url}"
client_id = "{airbyte.client_id}"
client_secret = {{ env = "AIRBYTE_CLIENT_SECRET" }}
destinations."*" = {{ database = "shop", schema = "sales", table = "{{name}}" }}

[integrations.site]
kind = "airbyte"
command = "source-shop"
schema = "web"

[integrations.bank]
kind = "meltano"

[integrations.one]
kind = "dbt"
project_dir = "one"

[integrations.two]
kind = "dbt"
project_dir = "two"
dbt_executable = "{dbt}"
"""

PYTHON = """
import pandas as pd
from assetry import asset

@asset
def scores(people: pd.DataFrame, payments: pd.DataFrame) -> pd.DataFrame:
    paid = payments.groupby("n", as_index=False).agg(paid=("id", "count"))
    return people.merge(paid, left_on="id", right_on="n")[["id", "paid"]]

@asset
def summary(report: pd.DataFrame) -> pd.DataFrame:
    return report.agg({"paid": "sum", "views": "sum"}).to_frame().T
"""

#: What dbt makes, by project. `visitors` and `people` are ready at different times, and are one run all the same.
ONE = {
    "people": "select * from {{ source('crm', 'accounts') }}",
    "costs": "select * from {{ source('ads', 'clicks') }}",
    "visitors": "select account, count(*) as views from {{ source('web', 'visits') }}"
    " join {{ source('web', 'pages') }} using (page) group by account",
}
TWO = {
    "report": "select id, paid, views from {{ source('main', 'scores') }}"
    " join {{ source('sales', 'orders') }} using (id) join {{ source('main', 'visitors') }} on account = id",
}

#: A connector with a stream that is read whole and one that goes on from its state; each takes a moment.
CONNECTOR = """
def read():
    if os.path.exists("closed"):
        sys.exit("the site is closed")
    for name in chosen:
        status(name, "STARTED")
        time.sleep(0.2)
        if name == "pages":
            for number in range(5):
                record(name, page=number)
        else:
            begun = start_of(name)
            for number in range(begun + 1, 41):
                record(name, id=number, at=number, account=number % 4, page=number % 5)
            state(name, at=40)
        status(name, "COMPLETE")
"""
INTEGER = {"type": "integer"}
STREAMS = [
    stream("pages", {"page": INTEGER}),
    stream("visits", {"id": INTEGER, "at": INTEGER, "account": INTEGER, "page": INTEGER}, **KEYED),
]
#: An extractor that keeps no state, with a stream of no keys: what is loaded again is there twice.
SCRIPT: dict[str, Any] = {"streams": {"payments": {"rows": 12, "keys": []}, "payers": {"rows": 4}}}

#: A plugin of the project that ends the process, as `kill -9` does, before it writes a record of the run.
ENDS_BEFORE_A_WRITE = """
import os, signal, time
from assetry.store.sql import SQLStore

number, _, pause = os.environ.get("ENDS_BEFORE_WRITE", "").partition(" ")
left = [int(number or 0)]

def ending(name):
    write = getattr(SQLStore, name)

    def written(*arguments, **named):
        left[0] -= 1
        if left[0] == 0:
            time.sleep(float(pause))  # the tools go on meanwhile
            os.kill(os.getpid(), signal.SIGKILL)
        return write(*arguments, **named)

    setattr(SQLStore, name, written)

for name in ("lease", "begin", "append", "finish"):
    ending(name)
"""

#: What is in each table in the end: how many rows, and the sum of which column.
TABLES = {
    "crm.accounts": ("id", 4, 6),
    "ads.clicks": ("id", 4, 6),
    "sales.orders": ("id", 4, 6),
    "web.pages": ("page", 5, 10),
    "web.visits": ("id", 40, 820),
    "raw.payments": ("id", 12, 66),
    "raw.payers": ("id", 4, 6),
    "main.people": ("id", 4, 6),
    "main.costs": ("id", 4, 6),
    "main.visitors": ("views", 4, 40),
    "main.scores": ("paid", 4, 4),
    "main.report": ("views", 4, 40),
    "main.summary": ("views", 1, 40),
}


def dbt_project(name: str, models: Mapping[str, str], **sources: list[str]) -> dict[str, str]:
    listed = [{"name": each, "tables": [{"name": table} for table in tables]} for each, tables in sources.items()]
    return {
        f"{name}/dbt_project.yml": f"name: {name}\nprofile: {name}\nmodels:\n  {name}:\n    +materialized: table\n",
        f"{name}/profiles.yml": f"{name}: {{target: dev, outputs: {{dev: {{type: duckdb, path: ../shop.duckdb}}}}}}\n",
        f"{name}/models/sources.yml": json.dumps({"sources": listed}),
        **{f"{name}/models/{model}.sql": sql for model, sql in models.items()},
    }


class Services:
    """The hosted services, which outlive the projects that use them one after the other."""

    def __init__(self, fivetran: FakeFivetran, airbyte: FakeAirbyte) -> None:
        self.fivetran, self.airbyte = fivetran, airbyte
        self.connections: list[FakeConnection] = []
        self.warehouse = Path()
        fivetran.add_destination("lake", "motherduck")
        fivetran.on_sync = self._write
        self._destination = airbyte.add_destination("duckdb")
        self.orders = "00000000-0000-0000-0000-0000000000aa"
        self.begin_anew()

    def begin_anew(self) -> None:
        """Forget every sync that there was."""
        self.connections = [
            self.fivetran.add_connection(name, [table], group="lake", id=f"{name}_1", seconds=1.0)
            for name, table in (("crm", "accounts"), ("ads", "clicks"))
        ]
        made = self.airbyte.add_connection(
            "Orders", ["orders"], destination=self._destination, connectionId=self.orders
        )
        made.seconds = 0.7
        self.airbyte.jobs.clear()

    def _write(self, connection: FakeConnection, sync: FakeSync) -> None:
        table = next(iter(connection.tables()))
        moment = self.fivetran.moment(sync.ended or 0.0).isoformat()
        into(
            self.warehouse,
            f"create schema if not exists {connection.name}; create or replace table {connection.name}.{table} as "
            f"select range as id, timestamptz '{moment}' as _fivetran_synced from range(4)",
        )


SALES = """
create schema if not exists sales;
create or replace table sales.orders as select range as id from range(4)
"""


def into(warehouse: Path, statement: str) -> list[Any]:
    """Work in the warehouse when the other processes let go of the file; return what was asked for."""
    deadline = time.monotonic() + WAIT
    while True:
        try:
            with duckdb.connect(str(warehouse)) as connection:
                return connection.execute(statement).fetchall()
        except duckdb.IOException:
            assert time.monotonic() < deadline
            time.sleep(0.02)


class Mixed(Meltano):
    """The project in a folder, and what its tools say of how often they ran."""

    def __init__(self, folder: Path, services: Services) -> None:
        super().__init__(folder, {"tap-bank": SCRIPT}, "target-shop")
        self.services = services
        self.warehouse = folder / "shop.duckdb"
        # In its own words a relative one, so that the folder can be copied.
        Connector(Path(), folder / "source-shop", STREAMS).write(CONNECTOR)
        for name, text in {
            "assetry.toml": PROJECT.format(
                fivetran=services.fivetran,
                airbyte=services.airbyte,
                orders=services.orders,
                dbt=Path(sys.executable).with_name("dbt"),
            ),
            "assets.py": PYTHON,
            "assetry_plugins.py": ENDS_BEFORE_A_WRITE,
            **dbt_project("one", ONE, crm=["accounts"], ads=["clicks"], web=["pages", "visits"]),
            **dbt_project("two", TWO, main=["scores", "visitors"], sales=["orders"]),
        }.items():
            self.write(name, text)

    def use(self) -> None:
        """Let the services begin anew, and write here."""
        self.services.begin_anew()
        self.services.warehouse = self.warehouse
        into(self.warehouse, SALES)

    # -- what has become of it -----------------------------------------------------------------------------------------

    @property
    def reads(self) -> list[set[str]]:
        """Return the streams of each time that the connector was started to read."""
        file = self.root / "calls"
        calls = map(json.loads, file.read_text().splitlines() if file.exists() else ())
        return [
            {each["stream"]["name"] for each in call["catalog"]["streams"]} for call in calls if call["verb"] == "read"
        ]

    @property
    def counts(self) -> dict[str, int]:
        """Return how many times each tool ran that must run once, whatever happens."""
        return {
            **{each.id: len(each.syncs) for each in self.services.connections},
            "orders": len(self.services.airbyte.jobs),
            "meltano": len(self.database("select 1 from runs")),
            "tap": self.launches,
        }

    @property
    def is_loading(self) -> bool:
        """Tell whether the extractor is held up, as a file of the test says, and its loader has the warehouse open."""
        if not (self.root / "holding").exists():
            return False
        try:
            duckdb.connect(str(self.warehouse)).close()
        except duckdb.IOException:
            return True
        return False

    def tables(self, *names: str) -> dict[str, tuple[Any, ...]]:
        """Return the rows of these tables, or of all, in the form of `TABLES`."""
        counted = (f"select '{each}', count(*), sum({TABLES[each][0]})::int from {each}" for each in names or TABLES)
        found = into(self.warehouse, " union all ".join(counted))
        return {table: (TABLES[table][0], *rest) for table, *rest in found}

    def made(self) -> frozenset[str]:
        """Return what is recorded as made."""
        with Project.load(self.root) as project:
            return frozenset(str(key) for key, _ in project.store.latest())

    @property
    def begun(self) -> bool:
        """Tell whether a run is recorded, so that there is one to retry."""
        with Project.load(self.root) as project:
            return bool(project.store.runs())

    # -- running it, and killing it ------------------------------------------------------------------------------------

    def started(self, *arguments: str, **variables: str) -> subprocess.Popen[str]:
        """Start a command that tells its events on its `stdout`."""
        command = [sys.executable, "-m", "assetry", "-C", str(self.root), *arguments, "--output", "ndjson"]
        with (self.root / "errors").open("w") as errors:
            return subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=errors, text=True, env={**os.environ, **variables}
            )

    def killed(self, moment: Moment, *arguments: str) -> list[dict[str, Any]]:
        """Run a command and kill it at a moment, or at its end; return the events that it told."""
        ends = {"ENDS_BEFORE_WRITE": f"{moment.number} {moment.seconds}"} if moment.kind == "write" else {}
        told: list[dict[str, Any]] = []
        with self.started(*arguments, **ends) as run:
            timer = Timer(moment.seconds, run.kill)
            if moment.kind == "start":
                timer.start()
            assert run.stdout is not None
            for line in run.stdout:
                told.append(json.loads(line))
                if moment.kind == "event" and len(told) == moment.number:
                    timer.start()
            timer.cancel()
            run.kill()
        return told


class Moment(NamedTuple):
    """When a run is killed: so many seconds after its start, or after the event, or before the write, of a number.

    Before a write tools have told what is not recorded yet; for those seconds they go on.
    """

    kind: Literal["start", "event", "write"]
    seconds: float
    number: int = 0

    @classmethod
    def drawn(cls, random: Random) -> Moment:
        """Return any moment of a run of about nine seconds.

        Between two events much may happen in no time, and nothing in the long silences: so all three kinds.
        """
        kind = random.choice(("start", "event", "write"))
        if kind == "start":
            return cls(kind, round(random.uniform(0, 9), 3))
        if kind == "event":
            return cls(kind, random.choice((0.0, round(random.uniform(0, 0.05), 3))), random.randint(1, 65))
        return cls(kind, random.choice((0.0, 0.3, 1.5)), random.randint(1, 45))
