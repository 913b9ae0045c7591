"""The integration keeps what an integration promises: the kit asks, the real service on loopback answers."""

import json
from pathlib import Path

import duckdb
from assetry.plugin import Asset, Integration
from assetry.testing import IntegrationConformance, IntegrationUnderTest
from server import Books, Service

KEY = "parcel-k3y-for-the-kit"
OBJECTS = ("contacts", "companies", "deals", "scores")


class Control:
    """The service's switches, and what its books say."""

    def __init__(self, books: Books) -> None:
        self.books = books
        self.before = 0

    def reset(self) -> None:
        self.books.unswitch("hold", "holding", "break", "die")
        self.before = max((run["id"] for run in self.books.runs()), default=self.before)

    # -- told ---------------------------------------------------------------------------------------------------------

    def hold(self, asset: Asset) -> None:
        self.books.switch("hold", asset.key.name)

    def release(self) -> None:
        self.books.unswitch("hold", "holding")

    def break_asset(self, asset: Asset) -> None:
        self.books.switch("break", asset.key.name)

    def die_at(self, asset: Asset) -> None:
        self.books.switch("die", asset.key.name)

    def kill(self) -> None:
        """End what runs, as when a worker of the service goes away."""
        for run in self.books.runs():
            self.books.end(run["id"], "lost", "The worker went away.")

    # -- seen ---------------------------------------------------------------------------------------------------------

    @property
    def holding(self) -> bool:
        return self.books.switched("holding")

    @property
    def launches(self) -> int:
        return len(self.books.runs("id > ?", self.before))

    @property
    def running(self) -> int:
        return len(self.books.runs("id > ? AND status IN ('queued', 'running')", self.before))

    def made(self, asset: Asset) -> bool:
        runs = self.books.runs("id > ?", self.before)
        sent = {each["name"] for run in runs for each in run["objects"] if each["status"] == "sent"}
        return asset.key.name in sent


class TestParcel(IntegrationConformance):
    def subject(self, folder: Path) -> IntegrationUnderTest:
        with duckdb.connect(str(folder / "shop.duckdb")) as db:
            db.execute("CREATE TABLE customers AS SELECT 'ada@example.com' AS email, 1 AS score")
        objects = [{"name": name, "table": "shop.main.customers", "key": "email"} for name in OBJECTS]
        syncs = [{"name": "crm", "destination": "salesdesk", "objects": objects}]
        file = folder / "service.json"
        file.write_text(json.dumps({"warehouse": "shop.duckdb", "syncs": syncs, "requests_per_second": 500}))
        (folder / "parcel.json").write_text(json.dumps({"data": syncs}))
        service = Service(file, KEY).start()
        options = {"url": service.url, "api_key": {"env": "PARCEL_KIT_KEY"}, "poll_every": 0.05}
        return IntegrationUnderTest(
            "assetry_parcel.plugin",
            integration=Integration("parcel", "parcel", options, str(folder)),
            tool=Control(service.books),
            secrets={"PARCEL_KIT_KEY": KEY},
        )
